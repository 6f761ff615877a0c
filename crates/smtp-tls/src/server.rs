//! The TLS policy of a listener, as plain data.

use std::{
    hash::{Hash, Hasher},
    sync::Arc,
};

use crate::{ClientTrust, DhParameters, Identity, OriginId, ServerNames, TicketKeys, Version};

/// An OpenSSL cipher string as somebody wrote it. It governs TLS 1.2 and older only, as in OpenSSL; but
/// for its `@SECLEVEL=`, which takes weak suites of TLS 1.3 out, too. [`cipher`](crate::cipher) reads it.
///
/// Equal strings are equal wherever they were written.
#[derive(Clone, Debug)]
pub struct CipherString {
    /// The string, unread.
    pub text: String,
    /// Where it was written.
    pub origin: Option<OriginId>,
}

impl CipherString {
    /// The longest string that a policy is taken with, in octets: a longer one is refused unread. OpenSSL's
    /// own longest default is a few hundred.
    pub const MAX_LENGTH: usize = 16 * 1024;
}

impl PartialEq for CipherString {
    fn eq(&self, other: &Self) -> bool {
        let Self { text, origin: _ } = self;
        *text == other.text
    }
}

impl Eq for CipherString {}

impl Hash for CipherString {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.text.hash(state);
    }
}

/// Whether a client may resume a session instead of making another whole handshake.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub enum Resumption {
    /// Never.
    Off,
    /// With the acceptor that it was made with, and its clones: the keys never leave it. OpenSSL's stay the
    /// same as long as it lives: where that is long, make a new one from time to time.
    #[default]
    Local,
    /// With every acceptor that has these keys and the same certificates to ask clients for, on
    /// whichever host.
    Shared(TicketKeys),
}

/// What a server offers under TLS.
///
/// Two policies are equal when they offer the same, wherever they were written: no
/// [`OriginId`](crate::OriginId) takes part in equality. New settings may come: make a policy by
/// [`new`](Self::new), and change it field by field or by `..` update.
///
/// Plain data: equal policies may share one [`Acceptor`](crate#backends). Nothing here is checked until
/// a backend takes it.
///
/// ```
/// use std::sync::Arc;
/// use smtp_tls::{
///     CipherString, ClientTrust, DhParameters, Identity, Resumption, ServerPolicy, TicketKeys,
///     pem_sections,
/// };
///
/// # fn policy(certificate: &str, key: &str, authority: &str, ticket_keys: &[u8])
/// #     -> Result<ServerPolicy, Box<dyn std::error::Error>> {
/// let sections = [pem_sections(certificate.as_bytes())?, pem_sections(key.as_bytes())?].concat();
/// let identity = Identity::from_pem_sections(&sections)?;
/// let authority = smtp_tls::Certificate::from_der(pem_sections(authority.as_bytes())?[0].der.clone());
/// let policy = ServerPolicy {
///     ciphers: Some(CipherString { text: "ECDHE+AESGCM:DHE+AESGCM".to_owned(), origin: None }),
///     dh: vec![DhParameters::ffdhe3072()],
///     clients: Some(Arc::new(ClientTrust::new(vec![authority], ["tim@example.org"]))),
///     resumption: Resumption::Shared(TicketKeys::from_octets(ticket_keys)?),
///     ..ServerPolicy::new(Arc::new(identity))
/// };
/// # Ok(policy)
/// # }
/// # let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/material");
/// # let read = |name| std::fs::read_to_string(format!("{folder}/{name}")).unwrap();
/// # let (certificate, key) = (read("ec-certificate.pem"), read("ec-pkcs8.pem"));
/// # policy(&certificate, &key, &certificate, &(0..80).collect::<Vec<_>>()).unwrap();
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ServerPolicy {
    /// The certificate chain and its key, for clients that ask for no name or for none in `named`.
    pub identity: Arc<Identity>,
    /// Further identities beside `identity`, with keys of other kinds, in order of preference: for the
    /// clients that cannot use those before.
    pub alternatives: Vec<Arc<Identity>>,
    /// What is shown to clients that ask for one of these names.
    pub named: ServerNames,
    /// The lowest and the highest version offered.
    pub versions: (Version, Version),
    /// Which suites are offered under TLS 1.2. `None`: those of `DEFAULT`, in OpenSSL's order, and what the
    /// library lacks of them is nobody's loss: it is not reported.
    ///
    /// Where `versions` has TLS 1.3 alone, a string has no say but for its `@SECLEVEL=`, is reported, and is
    /// never refused.
    pub ciphers: Option<CipherString>,
    /// The groups for DHE, of any sizes. Where a library has DHE it takes the largest that its security
    /// level allows, and where there is none the smallest of RFC 7919, so that no DHE suite is without.
    pub dh: Vec<DhParameters>,
    /// Whose client certificates open the relay. `None`: clients are asked for none.
    ///
    /// Clients are asked in the first handshake, and whatever they show or do not show, the session is
    /// had, but for a [`ClientCertificateProblem`](crate::ClientCertificateProblem); what they showed is
    /// in [`TlsInfo::client_chain`](crate::TlsInfo::client_chain).
    pub clients: Option<Arc<ClientTrust>>,
    /// Whether sessions may be resumed.
    pub resumption: Resumption,
}

impl ServerPolicy {
    /// The usual policy: TLS 1.2 and 1.3, the suites of `DEFAULT`, resumption on.
    #[must_use]
    pub const fn new(identity: Arc<Identity>) -> Self {
        Self {
            identity,
            alternatives: Vec::new(),
            named: ServerNames::new(),
            versions: (Version::Tls12, Version::Tls13),
            ciphers: None,
            dh: Vec::new(),
            clients: None,
            resumption: Resumption::Local,
        }
    }

    /// Who judges the certificates that clients show under this policy; `None`: they are asked for none.
    ///
    /// What is judged is the chain in [`TlsInfo::client_chain`](crate::TlsInfo::client_chain) of a session of this policy's
    /// acceptor, when somebody wants to know. To make a judge reads the authorities and the lists: policies
    /// with the same `clients` may share one.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use smtp_tls::{
    ///     Certificate, ClientJudge, ClientTrust, ClientVerdict, Identity, ServerPolicy, TlsInfo, pem_sections,
    /// };
    ///
    /// # let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/material");
    /// # let read = |name| std::fs::read(format!("{folder}/{name}")).unwrap();
    /// # let (certificate, key) = (read("ec-certificate.pem"), read("ec-pkcs8.pem"));
    /// # let authority = certificate.clone();
    /// let sections = [pem_sections(&certificate)?, pem_sections(&key)?].concat();
    /// let authority = Certificate::from_der(pem_sections(&authority)?[0].der.clone());
    /// let policy = ServerPolicy {
    ///     clients: Some(Arc::new(ClientTrust::new(vec![authority], ["tim@example.org"]))),
    ///     ..ServerPolicy::new(Arc::new(Identity::from_pem_sections(&sections)?))
    /// };
    /// // With `Acceptor::new(backend, &policy)`, once for all connections.
    /// let judge = policy.judge().expect("the policy asks for certificates");
    ///
    /// // With what a handshake gave.
    /// fn may_relay(judge: &ClientJudge, info: &TlsInfo, now: u64) -> bool {
    ///     match judge.judge(&info.client_chain, now) {
    ///         ClientVerdict::Relay(_address) => true,
    ///         ClientVerdict::Refused(_) | ClientVerdict::NotShown => false,
    ///     }
    /// }
    /// # assert_eq!(judge.judge(&[], 1_767_225_600), ClientVerdict::NotShown);
    /// # let _ = may_relay;
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    #[cfg(feature = "client-certificates")]
    #[must_use]
    pub fn judge(&self) -> Option<crate::ClientJudge> {
        self.clients.as_ref().map(|trust| crate::ClientJudge::new(Arc::clone(trust)))
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::HashSet, sync::Arc};

    use super::*;
    use crate::{Certificate, KeyKind, PrivateKey};

    fn identity(leaf: u8, issuer: u8, key: u8) -> Identity {
        Identity::new(
            Certificate::from_der(vec![leaf; 40]),
            vec![Certificate::from_der(vec![issuer; 40])],
            PrivateKey::from_der(KeyKind::Pkcs8, vec![key; 40]),
        )
    }

    #[test]
    fn what_was_written_in_many_places_is_one_policy() {
        let policy = |n: u32| ServerPolicy {
            ciphers: Some(CipherString { text: "HIGH".into(), origin: Some(OriginId(n)) }),
            ..ServerPolicy::new(Arc::new(identity(1, 2, 3).with_origin(OriginId(n))))
        };
        let policies: HashSet<_> = (0..5000).map(policy).collect();
        assert_eq!(policies.len(), 1);
    }

    #[test]
    fn whatever_is_offered_tells_policies_apart() {
        let new = |identity| ServerPolicy::new(Arc::new(identity));
        let ciphers = |text: &str| Some(CipherString { text: text.into(), origin: None });
        let plain = || new(identity(1, 2, 3));
        let octets = |first: u8| (first..).take(TicketKeys::LENGTH).collect::<Vec<_>>();
        let keys = |first| TicketKeys::from_octets(&octets(first)).unwrap();
        let names = |name| {
            let mut names = ServerNames::new();
            names.insert(name, Arc::new(identity(1, 2, 3))).unwrap();
            names
        };
        let trusts = |addresses: &[&str]| {
            let authority = Certificate::from_der(vec![7; 40]);
            Some(Arc::new(ClientTrust::new(vec![authority], addresses)))
        };
        let policies = [
            plain(),
            new(identity(9, 2, 3)),
            new(identity(1, 9, 3)),
            new(identity(1, 2, 9)),
            ServerPolicy { ciphers: ciphers("HIGH"), ..plain() },
            ServerPolicy { ciphers: ciphers("LOW"), ..plain() },
            ServerPolicy { alternatives: vec![Arc::new(identity(4, 5, 6))], ..plain() },
            ServerPolicy { named: names("a.example"), ..plain() },
            ServerPolicy { named: names("*.a.example"), ..plain() },
            ServerPolicy { resumption: Resumption::Off, ..plain() },
            ServerPolicy { resumption: Resumption::Shared(keys(1)), ..plain() },
            ServerPolicy { resumption: Resumption::Shared(keys(2)), ..plain() },
            ServerPolicy { dh: vec![DhParameters::ffdhe2048()], ..plain() },
            ServerPolicy { clients: trusts(&["a@a.example"]), ..plain() },
            ServerPolicy { clients: trusts(&["b@a.example"]), ..plain() },
            ServerPolicy { versions: (Version::Tls13, Version::Tls13), ..plain() },
        ];
        let count = policies.len();
        assert_eq!(policies.into_iter().collect::<HashSet<_>>().len(), count);
    }
}
