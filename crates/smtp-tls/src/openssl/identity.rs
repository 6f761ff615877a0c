//! Identities in an OpenSSL context, which has room for one of each kind of key.

use std::sync::Arc;

use openssl::{
    error::ErrorStack,
    pkey::{Id, PKey, Private},
    ssl::SslContextBuilder,
    x509::X509,
};

use super::{
    error,
    keys::{self, Usable},
};
use crate::{
    Cause, ConfigError, Identity, Loss, Unhonoured, Version,
    cipher::{Release, SuiteB},
};

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

/// An identity that a context has room and use for.
pub(super) struct InUse<'a> {
    pub(super) identity: &'a Identity,
    certified: Certified,
    pub(super) usable: Usable,
}

/// What there is to choose identities by.
#[derive(Clone, Copy)]
pub(super) struct Choice {
    pub(super) versions: (Version, Version),
    pub(super) suite_b: Option<SuiteB>,
    pub(super) release: Release,
}

impl Choice {
    /// The first identity of each kind of key that a handshake can be had with; the others are reported,
    /// and what limits one that is used.
    ///
    /// Of no identity at all: the first one's fault. But for Suite B's, which is the cipher string's where TLS
    /// 1.2 is offered.
    pub(super) fn among<'a>(
        &self,
        identities: &[&'a Arc<Identity>],
        unhonoured: &mut Vec<Unhonoured>,
    ) -> Result<Vec<InUse<'a>>, ConfigError> {
        let mut used: Vec<InUse<'a>> = Vec::new();
        let mut useless = None;
        for &identity in identities {
            let origin = identity.origin();
            let certified = Certified::of(identity)?;
            let refused = |e: ErrorStack| ConfigError::Identity { origin, reason: error::line(&e) };
            let Certified { leaf, key, .. } = &certified;
            let usable = keys::judge(leaf, key, self.suite_b, self.release).map_err(refused)?;
            let known: Vec<Id> = used.iter().map(|other| other.certified.key.id()).collect();
            let (loss, reason) = if !usable.in_any(self.versions) {
                let reason = usable.limit.unwrap_or_default();
                useless.get_or_insert_with(|| (origin, reason.clone()));
                (Loss::Whole, reason)
            } else if known.contains(&key.id()) {
                let reason = "OpenSSL has room for one certificate of each kind of key, and another one \
                              goes before";
                (Loss::Whole, reason.to_owned())
            } else if known.len() == 2 {
                let reason = "OpenSSL's binding has room for the issuers of two certificates, and two \
                              others go before";
                (Loss::Whole, reason.to_owned())
            } else {
                let limit = usable.limit.clone();
                let limited = !usable.in_all(self.versions) || usable.rare;
                used.push(InUse { identity, certified, usable });
                match limit {
                    Some(limit) if limited => (Loss::Partial, limit),
                    _ => continue,
                }
            };
            let (setting, cause) = ("identity", Cause::Library);
            unhonoured.push(Unhonoured { origin, setting, loss, cause, reason });
        }
        let is_strings = self.suite_b.is_some() && self.versions.0 == Version::Tls12;
        match useless {
            Some((origin, reason)) if used.is_empty() && !is_strings => {
                let reason =
                    format!("OpenSSL can use it in no handshake that is offered: {reason}");
                Err(ConfigError::Identity { origin, reason })
            }
            _ => Ok(used),
        }
    }
}

/// Puts identities into the context.
///
/// The issuers in a context go with every leaf that has none of its own, and the binding gives none to a
/// leaf but in a connection, to the one that was put in last. What is returned is to be added there.
pub(super) fn apply_all(
    context: &mut SslContextBuilder,
    mut used: Vec<InUse<'_>>,
) -> Result<Vec<X509>, ConfigError> {
    // The one without issuers, where there is one, must not be the last: it would be given the other's.
    used.sort_by_key(|used| !used.certified.issuers.is_empty());
    let mut last = Vec::new();
    let count = used.len();
    for (n, InUse { identity, mut certified, .. }) in used.into_iter().enumerate() {
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
