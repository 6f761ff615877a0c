//! Sessions that a server keeps itself: those of TLS 1.2 clients that know no tickets.

use std::sync::Arc;

use rustls::server::{ServerSessionMemoryCache, StoresServerSessions};

/// How many are kept.
const SESSIONS: usize = 1024;

/// The longest that is kept, in octets. One with the chain of a client's certificates may be longer, and
/// many of them would be much memory for whoever asks for it.
const LENGTH: usize = 8 * 1024;

#[derive(Debug)]
pub(super) struct Sessions(Arc<ServerSessionMemoryCache>);

impl Sessions {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self(ServerSessionMemoryCache::new(SESSIONS)))
    }
}

impl StoresServerSessions for Sessions {
    fn put(&self, key: Vec<u8>, value: Vec<u8>) -> bool {
        value.len() <= LENGTH && self.0.put(key, value)
    }

    fn get(&self, key: &[u8]) -> Option<Vec<u8>> {
        self.0.get(key)
    }

    fn take(&self, key: &[u8]) -> Option<Vec<u8>> {
        self.0.take(key)
    }

    fn can_cache(&self) -> bool {
        self.0.can_cache()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_that_is_too_long_is_not_kept() {
        let sessions = Sessions::new();
        assert!(sessions.put(vec![1], vec![7; LENGTH]));
        assert!(!sessions.put(vec![2], vec![7; LENGTH + 1]));
        assert_eq!(sessions.get(&[1]), Some(vec![7; LENGTH]));
        assert_eq!(sessions.get(&[2]), None);
        assert!(sessions.take(&[1]).is_some() && sessions.get(&[1]).is_none());
    }
}
