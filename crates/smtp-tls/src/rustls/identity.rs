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
    ConfigError, Identity, KeyAlgorithm, KeyKind, ServerPolicy, certificate::Fields, key::foreign,
    named::Named,
};

/// The smallest RSA key that rustls's provider signs with.
const LEAST_RSA_BITS: usize = 2048;

/// By the name that a client asks for, and among several by the signatures that it can check.
#[derive(Debug)]
pub(super) struct Identities {
    default: Vec<Certified>,
    named: Named<Vec<Certified>>,
}

/// A chain with its key, checked to belong together.
pub(crate) type Certified = Arc<CertifiedKey>;

impl Identities {
    pub(super) fn of(policy: &ServerPolicy) -> Result<Self, ConfigError> {
        let read = |identity: &Arc<Identity>| certified_key(identity);
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
        let fits = |candidate: &&Certified| {
            candidate.key.choose_scheme(hello.signature_schemes()).is_some()
        };
        match &candidates[..] {
            [only] => Some(Arc::clone(only)),
            several => several.iter().find(fits).or(several.first()).cloned(),
        }
    }
}

/// The chain with its key, read once for each identity.
pub(super) fn certified_key(identity: &Identity) -> Result<Certified, ConfigError> {
    identity.rustls.get(|| read(identity).map(Arc::new)).cloned()
}

/// rustls's own check takes only certificates that webpki would verify; what a server shows is for its
/// clients to judge.
fn read(identity: &Identity) -> Result<CertifiedKey, ConfigError> {
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
            _ => match foreign(identity.key()) {
                Some(kind) => format!(
                    "rustls takes keys of RSA, of ECDSA on P-256, P-384 and P-521, and of Ed25519, \
                     and this one is {kind}"
                ),
                None => error::line(&e),
            },
        })
    })?;
    let leaf = Fields::read(identity.leaf().der()).map_err(|e| refused(e.to_string()))?;
    if key.public_key().is_some_and(|public| public.as_ref() != leaf.public_key_info) {
        return Err(ConfigError::KeyMismatch { origin });
    }
    let chain = identity.chain().iter().map(|c| CertificateDer::from(c.der().to_vec())).collect();
    Ok(CertifiedKey::new(chain, key))
}

#[cfg(test)]
mod tests {
    use smtp_testkit::pki::{Authority, Key, Validity};

    use super::*;
    use crate::{OriginId, pem_sections};

    #[test]
    fn a_key_is_read_once_for_all_who_have_the_identity_and_a_wrong_one_never_kept() {
        let root = Authority::root("Root");
        let leaf = root.issue_as(&["mx.example"], Key::Ecdsa, Validity::Now);
        let sections = pem_sections(leaf.chain_and_key().as_bytes()).unwrap();
        let first = Identity::from_pem_sections(&sections).unwrap();
        let second = first.clone().with_origin(OriginId(2));
        let read = certified_key(&first).unwrap();
        assert!(Arc::ptr_eq(&read, &certified_key(&second).unwrap()));

        let other = root.issue_as(&["mx.example"], Key::Ecdsa, Validity::Now);
        let other = pem_sections(other.chain_and_key().as_bytes()).unwrap();
        let other = Identity::from_pem_sections(&other).unwrap();
        let mixed = Identity::new(other.leaf().clone(), Vec::new(), first.key().clone());
        for origin in [OriginId(3), OriginId(4)] {
            let mixed = mixed.clone().with_origin(origin);
            let refused = certified_key(&mixed).unwrap_err();
            assert_eq!(refused, ConfigError::KeyMismatch { origin: Some(origin) });
        }
    }
}
