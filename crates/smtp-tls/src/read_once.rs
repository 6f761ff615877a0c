//! What a TLS library made of a part of a policy, kept with that part.
//!
//! Does: let every acceptor of policies that share an identity or a group share what was read of it, for
//! reading a key costs more than all else about an acceptor. Does not: take part in equality, or show what
//! it holds. Fails: never; a reading that failed is not kept, so that each policy gets its own error.

use std::{
    fmt,
    sync::{Arc, OnceLock},
};

/// One value, read by whoever asks first; clones share it.
///
/// Behind a trait, for it is no part of the value of a policy: one that is a key of a map is no key with
/// interior mutability, which clippy warns of.
pub(crate) struct ReadOnce<T>(Arc<dyn Once<T>>);

trait Once<T>: Send + Sync {
    fn known(&self) -> Option<&T>;
    fn keep(&self, made: T) -> &T;
}

impl<T: Send + Sync> Once<T> for OnceLock<T> {
    fn known(&self) -> Option<&T> {
        self.get()
    }

    // Of two that read at once the first counts; they read the same.
    fn keep(&self, made: T) -> &T {
        self.get_or_init(|| made)
    }
}

impl<T> ReadOnce<T> {
    /// What was read before, or else what `read` makes.
    pub(crate) fn get<E>(&self, read: impl FnOnce() -> Result<T, E>) -> Result<&T, E> {
        match self.0.known() {
            Some(known) => Ok(known),
            None => Ok(self.0.keep(read()?)),
        }
    }
}

impl<T> Clone for ReadOnce<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T: Send + Sync + 'static> Default for ReadOnce<T> {
    fn default() -> Self {
        Self(Arc::new(OnceLock::new()))
    }
}

/// Nothing of it: it may be a key.
impl<T> fmt::Debug for ReadOnce<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ReadOnce")
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;

    #[test]
    fn what_was_read_is_shared_and_what_failed_is_tried_again() {
        let first = ReadOnce::default();
        let second = first.clone();
        assert_eq!(first.get(|| Err("broken")), Err("broken"));
        assert_eq!(second.get(|| Ok::<_, Infallible>(1)), Ok(&1));
        assert_eq!(first.get(|| Ok::<_, Infallible>(2)), Ok(&1));
        assert_eq!(format!("{first:?}"), "ReadOnce");
    }
}
