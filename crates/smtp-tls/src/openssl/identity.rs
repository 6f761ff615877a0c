//! Identities in an OpenSSL context, which has room for one of each kind of key.

use std::sync::Arc;

use openssl::{
    error::ErrorStack,
    pkey::{Id, PKey, Private},
    ssl::SslContextBuilder,
    x509::X509,
};

use super::error;
use crate::{Cause, ConfigError, Identity, Loss, Unhonoured};

/// An identity in OpenSSL's terms, checked: the key is the leaf's. Cheap to clone: OpenSSL counts who has
/// each part.
#[derive(Clone)]
pub(crate) struct Certified {
    leaf: X509,
    issuers: Vec<X509>,
    key: PKey<Private>,
}

impl Certified {
    /// Read once for each identity.
    pub(super) fn of(identity: &Identity) -> Result<Self, ConfigError> {
        identity.openssl.get(|| Self::read(identity)).cloned()
    }

    fn read(identity: &Identity) -> Result<Self, ConfigError> {
        let origin = identity.origin();
        let refused = |e: ErrorStack| ConfigError::Identity { origin, reason: error::line(&e) };
        let key = PKey::private_key_from_der(identity.key().secret_der()).map_err(refused)?;
        let mut chain = Vec::with_capacity(identity.chain().len());
        for certificate in identity.chain() {
            chain.push(X509::from_der(certificate.der()).map_err(refused)?);
        }
        let leaf = chain.remove(0);
        if !leaf.public_key().map_err(refused)?.public_eq(&key) {
            return Err(ConfigError::KeyMismatch { origin });
        }
        Ok(Self { leaf, issuers: chain, key })
    }

    /// Puts the leaf and its key in place. The issuers are another matter.
    fn apply(&self, context: &mut SslContextBuilder) -> Result<(), ErrorStack> {
        context.set_certificate(&self.leaf)?;
        context.set_private_key(&self.key)?;
        context.check_private_key()
    }

    pub(super) fn apply_whole(&self, context: &mut SslContextBuilder) -> Result<(), ErrorStack> {
        self.apply(context)?;
        self.issuers.iter().try_for_each(|issuer| context.add_extra_chain_cert(issuer.clone()))
    }
}

/// Puts the first identity of each kind of key into the context, and reports the others.
///
/// The issuers in a context go with every leaf that has none of its own, and the binding gives none to a
/// leaf but in a connection, to the one that was put in last. What is returned is to be added there.
pub(super) fn apply_all(
    context: &mut SslContextBuilder,
    identities: &[Arc<Identity>],
    unhonoured: &mut Vec<Unhonoured>,
) -> Result<Vec<X509>, ConfigError> {
    let mut used: Vec<(&Identity, Certified)> = Vec::new();
    for identity in identities {
        let certified = Certified::of(identity)?;
        let known: Vec<Id> = used.iter().map(|(_, other)| other.key.id()).collect();
        let reason = if known.contains(&certified.key.id()) {
            "OpenSSL has room for one certificate of each kind of key, and another one goes before"
        } else if known.len() == 2 {
            "OpenSSL's binding has room for the issuers of two certificates, and two others go before"
        } else {
            used.push((identity, certified));
            continue;
        };
        unhonoured.push(Unhonoured {
            origin: identity.origin(),
            setting: "identity",
            loss: Loss::Whole,
            cause: Cause::Library,
            reason: reason.to_owned(),
        });
    }
    // The one without issuers, where there is one, must not be the last: it would be given the other's.
    used.sort_by_key(|(_, certified)| !certified.issuers.is_empty());
    let mut last = Vec::new();
    let count = used.len();
    for (n, (identity, mut certified)) in used.into_iter().enumerate() {
        let origin = identity.origin();
        let refused = |e: ErrorStack| ConfigError::Identity { origin, reason: error::line(&e) };
        if n == 0 {
            certified.apply_whole(context).map_err(refused)?;
        } else {
            certified.apply(context).map_err(refused)?;
        }
        if n > 0 && n + 1 == count {
            last = std::mem::take(&mut certified.issuers);
        }
    }
    Ok(last)
}

#[cfg(test)]
mod tests {
    use smtp_testkit::pki::{Authority, Key, Validity};

    use super::*;
    use crate::{OriginId, pem_sections};

    #[test]
    fn a_key_is_read_once_for_all_who_have_the_identity_and_a_wrong_one_never_kept() {
        let root = Authority::root("Root");
        let identity = || {
            let leaf = root.issue_as(&["mx.example"], Key::Ecdsa, Validity::Now);
            let sections = pem_sections(leaf.chain_and_key().as_bytes()).unwrap();
            Identity::from_pem_sections(&sections).unwrap()
        };
        let (first, other) = (identity(), identity());
        Certified::of(&first).unwrap();
        let again = || -> Result<Certified, ()> { panic!("it was read before") };
        let second = first.clone().with_origin(OriginId(2));
        assert!(second.openssl.get(again).is_ok());

        let mixed = Identity::new(other.leaf().clone(), Vec::new(), first.key().clone());
        for origin in [OriginId(3), OriginId(4)] {
            let refused = Certified::of(&mixed.clone().with_origin(origin)).err();
            assert_eq!(refused, Some(ConfigError::KeyMismatch { origin: Some(origin) }));
        }
    }
}
