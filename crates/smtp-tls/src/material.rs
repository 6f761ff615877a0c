//! Private keys and server identities.

use std::{
    fmt,
    hash::{Hash, Hasher},
};

use zeroize::Zeroize;

#[cfg(any(feature = "rustls", feature = "openssl"))]
use crate::read_once::ReadOnce;
use crate::{Certificate, OriginId};

/// The encoding of a private key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KeyKind {
    /// PKCS#8 (RFC 5958), unencrypted: `PRIVATE KEY`.
    Pkcs8,
    /// PKCS#1 (RFC 8017): `RSA PRIVATE KEY`.
    Pkcs1,
    /// SEC 1 (RFC 5915): `EC PRIVATE KEY`.
    Sec1,
}

/// A private key. It never shows in `Debug` output.
///
/// The octets held here are overwritten when it is dropped, as are those of the
/// [`PemSection`](crate::PemSection) it was read from. What a TLS library makes of it is that library's,
/// and the text of the file is its reader's.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct PrivateKey {
    kind: KeyKind,
    der: Vec<u8>,
}

impl PrivateKey {
    /// Takes the bytes as they are.
    #[must_use]
    pub const fn from_der(kind: KeyKind, der: Vec<u8>) -> Self {
        Self { kind, der }
    }

    /// The encoding.
    #[must_use]
    pub const fn kind(&self) -> KeyKind {
        self.kind
    }

    /// The key itself.
    #[must_use]
    pub fn secret_der(&self) -> &[u8] {
        &self.der
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PrivateKey({:?}, redacted)", self.kind)
    }
}

impl Drop for PrivateKey {
    fn drop(&mut self) {
        self.der.zeroize();
    }
}

/// A certificate chain and the key of its first certificate.
///
/// The chain is never empty. Whether the key belongs to the leaf is known only as far as it could be
/// told without a TLS library; a backend checks it again, once for all policies that have a clone of it.
///
/// Identities of the same certificates and key are equal wherever they came from.
#[derive(Clone, Debug)]
pub struct Identity {
    chain: Vec<Certificate>,
    key: PrivateKey,
    origin: Option<OriginId>,
    #[cfg(feature = "rustls")]
    pub(crate) rustls: ReadOnce<crate::rustls::Certified>,
    #[cfg(feature = "openssl")]
    pub(crate) openssl: ReadOnce<crate::openssl::Certified>,
}

impl PartialEq for Identity {
    fn eq(&self, other: &Self) -> bool {
        let Self { chain, key, .. } = self;
        *chain == other.chain && *key == other.key
    }
}

impl Eq for Identity {}

/// By the leaf alone: a policy is looked up for each connection.
impl Hash for Identity {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.leaf().hash(state);
    }
}

impl Identity {
    /// An identity from its parts: the certificates above the leaf in order, each the issuer of the
    /// one before it.
    #[must_use]
    pub fn new(leaf: Certificate, issuers: Vec<Certificate>, key: PrivateKey) -> Self {
        let mut chain = issuers;
        chain.insert(0, leaf);
        Self {
            chain,
            key,
            origin: None,
            #[cfg(feature = "rustls")]
            rustls: ReadOnce::default(),
            #[cfg(feature = "openssl")]
            openssl: ReadOnce::default(),
        }
    }

    /// The same identity, with where it came from.
    #[must_use]
    pub fn with_origin(self, origin: OriginId) -> Self {
        Self { origin: Some(origin), ..self }
    }

    /// The certificate that is presented.
    #[must_use]
    pub fn leaf(&self) -> &Certificate {
        self.chain.first().expect("every constructor puts the leaf in")
    }

    /// What is sent: the leaf, then its issuers. Never empty.
    #[must_use]
    pub fn chain(&self) -> &[Certificate] {
        &self.chain
    }

    /// The leaf's key.
    #[must_use]
    pub const fn key(&self) -> &PrivateKey {
        &self.key
    }

    /// Where it came from, if that was said.
    #[must_use]
    pub const fn origin(&self) -> Option<OriginId> {
        self.origin
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_never_shows() {
        let key = PrivateKey::from_der(KeyKind::Sec1, b"secret".to_vec());
        assert_eq!(format!("{key:?}"), "PrivateKey(Sec1, redacted)");
        let identity = Identity::new(Certificate::from_der(vec![1]), Vec::new(), key);
        assert!(!format!("{identity:?}").contains("115"));
        assert_eq!(identity.chain().len(), 1);
    }
}
