//! The TLS policy of a listener, as plain data.

use std::{hash::Hash, sync::Arc};

use crate::{Identity, OriginId, Version};

/// An OpenSSL cipher string as somebody wrote it. It governs TLS 1.2 and older only, as in OpenSSL.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CipherString {
    /// The string, unread.
    pub text: String,
    /// Where it was written.
    pub origin: Option<OriginId>,
}

/// What a server offers under TLS.
///
/// Plain data: equal policies may share one [`Acceptor`](crate#backends). Nothing here is checked until
/// a backend takes it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ServerPolicy {
    /// The certificate chain and its key.
    pub identity: Arc<Identity>,
    /// The lowest and the highest version offered.
    pub versions: (Version, Version),
    /// Which suites are offered under TLS 1.2. `None`: the backend's default.
    pub ciphers: Option<CipherString>,
    /// Whether sessions may be resumed.
    pub resumption: bool,
}

impl ServerPolicy {
    /// The usual policy: TLS 1.2 and 1.3, the backend's suites, resumption on.
    #[must_use]
    pub const fn new(identity: Arc<Identity>) -> Self {
        Self {
            identity,
            versions: (Version::Tls12, Version::Tls13),
            ciphers: None,
            resumption: true,
        }
    }
}
