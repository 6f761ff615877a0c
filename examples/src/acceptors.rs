//! One TLS acceptor for each policy, whoever is served under it.
//!
//! Does: share an acceptor among equal policies, over services, clients and reloads, so that sessions
//! are resumed across all of them. Does not: keep one that the last reading has no use for. Fails:
//! where the TLS library does not take a policy.

use std::collections::HashMap;

use smtp_server::Acceptor;
use smtp_tls::{
    Backend, ConfigError, DhParameters, OriginId, Resumption, RevocationList, ServerPolicy,
    Unhonoured,
};

/// The acceptors of one reading of the control directory.
#[derive(Debug)]
pub(crate) struct Acceptors {
    backend: Backend,
    of_policy: HashMap<ServerPolicy, Acceptor>,
    made: usize,
}

impl Acceptors {
    pub(crate) fn new(backend: Backend) -> Self {
        Self { backend, of_policy: HashMap::new(), made: 0 }
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.of_policy.len()
    }

    /// How many of them no earlier reading had.
    pub(crate) fn made(&self) -> usize {
        self.made
    }

    /// The acceptor of a policy: the one that an equal policy has, or had `before`, or a new one.
    /// With it goes what the library does not honour, each with its place in this policy.
    pub(crate) fn get(
        &mut self,
        before: Option<&Self>,
        policy: &ServerPolicy,
    ) -> Result<(Acceptor, Vec<Unhonoured>), ConfigError> {
        if !self.of_policy.contains_key(policy) {
            let known = before.and_then(|before| before.of_policy.get_key_value(policy));
            let (made_for, acceptor) = match known {
                Some((made_for, acceptor)) => (made_for.clone(), acceptor.clone()),
                None => {
                    let acceptor = Acceptor::new(self.backend, policy)?;
                    self.made += 1;
                    (policy.clone(), acceptor)
                }
            };
            self.of_policy.insert(made_for, acceptor);
        }
        let (made_for, acceptor) =
            self.of_policy.get_key_value(policy).expect("it is there, or was put there just now");
        Ok((acceptor.clone(), moved(acceptor.unhonoured(), made_for, policy)))
    }
}

/// What an acceptor does not honour of the policy that it was made for, as said of an equal one.
fn moved(said: &[Unhonoured], made_for: &ServerPolicy, policy: &ServerPolicy) -> Vec<Unhonoured> {
    let places: HashMap<_, _> = origins(made_for).into_iter().zip(origins(policy)).collect();
    let mut said = said.to_vec();
    for Unhonoured { origin, .. } in &mut said {
        *origin = places.get(origin).copied().unwrap_or_default();
    }
    said
}

/// Every place that a policy names. Equal policies name as many, in the same order.
fn origins(policy: &ServerPolicy) -> Vec<Option<OriginId>> {
    let ServerPolicy {
        identity,
        alternatives,
        named,
        versions: _,
        ciphers,
        dh,
        clients,
        resumption,
    } = policy;
    let named = named.iter().flat_map(|(_, identities)| identities);
    let identities = [identity].into_iter().chain(alternatives).chain(named);
    let mut origins: Vec<_> = identities.map(|identity| identity.origin()).collect();
    origins.extend(ciphers.as_ref().map(|ciphers| ciphers.origin));
    origins.extend(dh.iter().map(DhParameters::origin));
    if let Some(trust) = clients {
        origins.push(trust.origin);
        origins.extend(trust.revoked.iter().flatten().map(RevocationList::origin));
    }
    if let Resumption::Shared(keys) = resumption {
        origins.push(keys.origin());
    }
    origins
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use smtp_tls::{CipherString, Identity, OriginId, pem_sections, self_signed};

    use super::*;

    fn identity() -> Identity {
        let made = self_signed(&["mx.example.org".to_owned()]).unwrap();
        let sections = pem_sections(format!("{}{}", made.certificate_pem, made.key_pem).as_bytes());
        Identity::from_pem_sections(&sections.unwrap()).unwrap()
    }

    /// The same settings, written at other places.
    fn policy(identity: &Identity, ciphers: &str, place: u32) -> ServerPolicy {
        let origin = Some(OriginId(place));
        ServerPolicy {
            ciphers: Some(CipherString { text: ciphers.to_owned(), origin }),
            dh: vec![DhParameters::ffdhe2048().with_origin(OriginId(place + 1))],
            ..ServerPolicy::new(Arc::new(identity.clone().with_origin(OriginId(place + 2))))
        }
    }

    #[test]
    fn equal_policies_have_one_acceptor_over_readings() {
        for &backend in Backend::available() {
            let identity = identity();
            let texts = ["ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384", "HIGH"];
            let mut first = Acceptors::new(backend);
            for place in 0..1000 {
                for text in texts {
                    first.get(None, &policy(&identity, text, 3 * place)).unwrap();
                }
            }
            assert_eq!((first.count(), first.made()), (3, 3));

            let mut second = Acceptors::new(backend);
            for text in [texts[0], texts[0], "ECDHE+AESGCM"] {
                second.get(Some(&first), &policy(&identity, text, 7000)).unwrap();
            }
            assert_eq!((second.count(), second.made()), (2, 1));

            // What the second had no use for is gone.
            let mut third = Acceptors::new(backend);
            third.get(Some(&second), &policy(&identity, texts[1], 0)).unwrap();
            assert_eq!((third.count(), third.made()), (1, 1));
        }
    }

    #[test]
    fn what_is_not_honoured_is_named_where_it_stands_now() {
        for &backend in Backend::available() {
            let identity = identity();
            // No library of today has one of these; and DHE has no use in either policy.
            let text = "ECDHE-ECDSA-AES128-GCM-SHA256:NO-SUCH-SUITE";
            let (first, second) = (policy(&identity, text, 10), policy(&identity, text, 20));
            let mut acceptors = Acceptors::new(backend);
            let places = |said: Vec<Unhonoured>| -> Vec<_> {
                said.into_iter().map(|said| (said.setting, said.origin.unwrap().0)).collect()
            };
            let said = places(acceptors.get(None, &first).unwrap().1);
            assert!(said.contains(&("dh", 11)), "{said:?}");
            let moved: Vec<_> = said.iter().map(|(setting, n)| (*setting, n + 10)).collect();
            assert_eq!(places(acceptors.get(None, &second).unwrap().1), moved);
            let mut later = Acceptors::new(backend);
            let third = policy(&identity, text, 30);
            let again = places(later.get(Some(&acceptors), &third).unwrap().1);
            assert!(again.iter().all(|(_, place)| (30..33).contains(place)), "{again:?}");
            assert_eq!(again.len(), said.len());
        }
    }

    #[test]
    fn a_policy_that_is_not_taken_leaves_nothing() {
        for &backend in Backend::available() {
            let mut refused = policy(&identity(), "HIGH", 0);
            refused.versions = (smtp_tls::Version::Tls13, smtp_tls::Version::Tls12);
            let mut acceptors = Acceptors::new(backend);
            assert!(acceptors.get(None, &refused).is_err());
            assert_eq!((acceptors.count(), acceptors.made()), (0, 0));
        }
    }
}
