//! What a handshake negotiated.

use std::sync::Arc;

use crate::{Backend, Certificate, Version};

/// The facts of an established TLS session.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TlsInfo {
    /// The library that carries the session.
    pub backend: Backend,
    /// The protocol version.
    pub version: Version,
    /// The cipher suite by OpenSSL's name on every backend: what a Received line shows
    /// (`ECDHE-RSA-AES256-GCM-SHA384`, `TLS_AES_256_GCM_SHA384`).
    pub suite: &'static str,
    /// The cipher suite by its IANA name (`TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384`).
    pub suite_iana: &'static str,
    /// The key exchange group by its IANA name (`x25519`, `secp256r1`, `X25519MLKEM768`), where the
    /// library tells it: OpenSSL does not tell a hybrid group, and none was negotiated when a TLS 1.2
    /// session is resumed.
    pub group: Option<&'static str>,
    /// Whether an earlier session was resumed.
    pub resumed: bool,
    /// The server name indication (RFC 6066 section 3) that was sent or received: a host name in
    /// lower case, and never anything else.
    pub server_name: Option<String>,
    /// On a server: the certificates that the client showed, its own first, as it sent them or as the
    /// session that it resumes had them. It has the first one's key; nothing else about them was
    /// checked. Empty where it was asked for none, or showed none.
    pub client_chain: Arc<[Certificate]>,
}
