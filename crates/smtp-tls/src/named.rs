//! What a library makes of the identities of each name, found for each connection.

use std::{collections::HashMap, sync::Arc};

use crate::{Identity, ServerNames};

#[derive(Debug)]
pub(crate) struct Named<T> {
    exact: HashMap<String, T>,
    /// By what stands behind `*.`.
    below: HashMap<String, T>,
}

impl<T> Named<T> {
    pub(crate) fn of<E>(
        names: &ServerNames,
        mut make: impl FnMut(&[Arc<Identity>]) -> Result<T, E>,
    ) -> Result<Self, E> {
        let (mut exact, mut below) = (HashMap::new(), HashMap::new());
        for (name, identities) in names.iter() {
            let made = make(identities)?;
            match name.strip_prefix("*.") {
                Some(behind) => below.insert(behind.to_owned(), made),
                None => exact.insert(name, made),
            };
        }
        Ok(Self { exact, below })
    }

    #[cfg(feature = "openssl")]
    pub(crate) fn is_empty(&self) -> bool {
        self.exact.is_empty() && self.below.is_empty()
    }

    /// What there is for a name in lower case.
    pub(crate) fn find(&self, name: &str) -> Option<&T> {
        let below = || self.below.get(name.split_once('.')?.1);
        self.exact.get(name).or_else(below)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Certificate, KeyKind, PrivateKey};

    #[test]
    fn what_is_found_is_what_the_names_have() {
        let identity = |n: u8| {
            let key = PrivateKey::from_der(KeyKind::Pkcs8, vec![n]);
            Arc::new(Identity::new(Certificate::from_der(vec![n; 40]), Vec::new(), key))
        };
        let mut names = ServerNames::new();
        names.insert("a.example", identity(1)).unwrap();
        names.insert("*.example", identity(2)).unwrap();
        names.insert("*.example", identity(3)).unwrap();
        let found = Named::of(&names, |all| Ok::<_, ()>(all.to_vec())).unwrap();
        for name in ["a.example", "b.example", "b.a.example", "example", ".example", "", "."] {
            assert_eq!(found.find(name).map_or(&[][..], Vec::as_slice), names.get(name), "{name}");
        }
        assert!(Named::of(&names, |_| Err::<(), _>(1)).is_err());
    }
}
