//! Identities as rustls wants them, and the one that a client is shown.

use std::sync::Arc;

use rustls::{
    crypto::aws_lc_rs::sign::any_supported_type,
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};
use rustls_pki_types::{
    CertificateDer, PrivateKeyDer, PrivatePkcs1KeyDer, PrivatePkcs8KeyDer, PrivateSec1KeyDer,
};

use super::error;
use crate::{
    ConfigError, Identity, KeyAlgorithm, KeyKind, ServerPolicy, certificate::Fields, named::Named,
};

/// The smallest RSA key that rustls's provider signs with.
const LEAST_RSA_BITS: usize = 2048;

/// By the name that a client asks for, and among several by the signatures that it can check.
#[derive(Debug)]
pub(super) struct Identities {
    default: Vec<Arc<CertifiedKey>>,
    named: Named<Vec<Arc<CertifiedKey>>>,
}

impl Identities {
    pub(super) fn of(policy: &ServerPolicy) -> Result<Self, ConfigError> {
        let read = |identity: &Arc<Identity>| certified_key(identity).map(Arc::new);
        let default = std::iter::once(&policy.identity).chain(&policy.alternatives);
        Ok(Self {
            default: default.map(read).collect::<Result<_, _>>()?,
            named: Named::of(&policy.named, |all| all.iter().map(read).collect())?,
        })
    }
}

impl ResolvesServerCert for Identities {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        // rustls gives the name in lower case.
        let named = hello.server_name().and_then(|name| self.named.find(name));
        let candidates = named.unwrap_or(&self.default);
        // The schemes are those that go with the suites in common too.
        let fits = |candidate: &&Arc<CertifiedKey>| {
            candidate.key.choose_scheme(hello.signature_schemes()).is_some()
        };
        match &candidates[..] {
            [only] => Some(Arc::clone(only)),
            several => several.iter().find(fits).or(several.first()).cloned(),
        }
    }
}

/// The chain with its key, checked to belong together. rustls's own check takes only certificates
/// that webpki would verify; what a server shows is for its clients to judge.
pub(super) fn certified_key(identity: &Identity) -> Result<CertifiedKey, ConfigError> {
    let origin = identity.origin();
    let refused = |reason| ConfigError::Identity { origin, reason };
    // Lent, not copied: a copy of the key would not be overwritten.
    let secret = identity.key().secret_der();
    let key = match identity.key().kind() {
        KeyKind::Pkcs8 => PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(secret)),
        KeyKind::Pkcs1 => PrivateKeyDer::Pkcs1(PrivatePkcs1KeyDer::from(secret)),
        KeyKind::Sec1 => PrivateKeyDer::Sec1(PrivateSec1KeyDer::from(secret)),
    };
    let key = any_supported_type(&key).map_err(|e| {
        refused(match identity.key().algorithm() {
            KeyAlgorithm::Rsa { bits } if bits < LEAST_RSA_BITS => format!(
                "rustls takes RSA keys of {LEAST_RSA_BITS} bits and more, and this one has {bits}"
            ),
            _ => error::line(&e),
        })
    })?;
    let leaf = Fields::read(identity.leaf().der()).map_err(|e| refused(e.to_string()))?;
    if key.public_key().is_some_and(|public| public.as_ref() != leaf.public_key_info) {
        return Err(ConfigError::KeyMismatch { origin });
    }
    let chain = identity.chain().iter().map(|c| CertificateDer::from(c.der().to_vec())).collect();
    Ok(CertifiedKey::new(chain, key))
}
