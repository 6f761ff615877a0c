//! What a handshake negotiated.

use std::sync::Arc;

use crate::{
    Backend, Certificate, Version,
    cipher::{self, Encryption},
};

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

impl TlsInfo {
    /// Whether the suite is known to encrypt what is sent. Some of TLS 1.2 do not, which OpenSSL
    /// negotiates where a cipher string asks for them at security level 0.
    #[must_use]
    pub fn is_encrypted(&self) -> bool {
        encrypts(self.suite)
    }
}

fn encrypts(name: &str) -> bool {
    cipher::suite_named(name).is_some_and(|suite| suite.encryption() != Encryption::Null)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_suite_without_encryption_does_not_encrypt() {
        for name in ["TLS_AES_256_GCM_SHA384", "ECDHE-RSA-AES128-GCM-SHA256", "AES128-SHA"] {
            assert!(encrypts(name), "{name}");
        }
        for name in ["NULL-SHA256", "ECDHE-RSA-NULL-SHA", "AECDH-NULL-SHA", "TLS_SHA256_SHA256"] {
            assert!(!encrypts(name), "{name}");
        }
    }
}
