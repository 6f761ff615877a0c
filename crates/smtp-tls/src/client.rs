//! The TLS policy of an outgoing connection, and the decisions that follow from it.
//!
//! The decisions are pure functions over every state that a connection can be in. None of them lets
//! a policy of [`Level::Required`] or above go on in clear, and none does so under implicit TLS.
//!
//! What is not here: an attack seen on the wire (bytes behind the server's 220, say) is the session's
//! to end; it never asks for a fallback then.

use std::{
    hash::{Hash, Hasher},
    sync::Arc,
};

use thiserror::Error;

use crate::{Certificate, HandshakeError, Identity, Level, OriginId, Version};

/// What may follow a failed TLS handshake at [`Level::Opportunistic`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Fallback {
    /// The attempt fails: try another host, or later.
    #[default]
    Never,
    /// One more connection, in clear. Anyone who can break a handshake can then read the mail. Not
    /// every failure is followed by it: see [`ClientPolicy::after_handshake_failed`].
    RetryClear,
}

/// Which certification authorities a [`Level::Verified`] policy trusts.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Roots {
    /// Those of the operating system.
    System,
    /// These alone.
    Pem(Vec<Certificate>),
}

/// What an outgoing connection needs of TLS.
///
/// Plain data. Recipients whose policies differ never share a connection. Two policies are equal when
/// they ask for the same TLS: which rule asked for it ([`origin`](Self::origin)) takes no part in
/// equality.
///
/// New settings may come: make a policy by one of the constructors, and change it field by field or by
/// `..` update.
#[derive(Clone, Debug)]
pub struct ClientPolicy {
    /// How much TLS is needed.
    pub level: Level,
    /// TLS from the first byte, before the greeting (RFC 8314 section 3), as on port 465. Such a connection is
    /// encrypted whatever the level says; the level then decides about the certificate alone.
    pub implicit: bool,
    /// What may follow a failed handshake.
    pub fallback: Fallback,
    /// The name sent as SNI and, at [`Level::Verified`], looked for in the certificate. `None`: the
    /// host connected to.
    pub server_name: Option<String>,
    /// Who is trusted. Read only at [`Level::Verified`].
    pub roots: Roots,
    /// What is shown to a server that asks for a certificate. `None`: nothing is.
    pub identity: Option<Arc<Identity>>,
    /// The lowest and the highest version spoken.
    pub versions: (Version, Version),
    /// The rule that decided the level.
    pub origin: Option<OriginId>,
}

impl PartialEq for ClientPolicy {
    fn eq(&self, other: &Self) -> bool {
        let Self { level, implicit, fallback, server_name, roots, identity, versions, origin: _ } =
            self;
        (level, implicit, fallback, versions)
            == (&other.level, &other.implicit, &other.fallback, &other.versions)
            && *server_name == other.server_name
            && *roots == other.roots
            && *identity == other.identity
    }
}

impl Eq for ClientPolicy {}

impl Hash for ClientPolicy {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let Self { level, implicit, fallback, server_name, roots, identity, versions, origin: _ } =
            self;
        (level, implicit, fallback, server_name, roots, identity, versions).hash(state);
    }
}

impl ClientPolicy {
    const fn at(level: Level) -> Self {
        Self {
            level,
            implicit: false,
            fallback: Fallback::Never,
            server_name: None,
            roots: Roots::System,
            identity: None,
            versions: (Version::Tls12, Version::Tls13),
            origin: None,
        }
    }

    /// No TLS, even where it is offered.
    #[must_use]
    pub const fn plaintext() -> Self {
        Self::at(Level::None)
    }

    /// TLS where it is offered, with any certificate.
    #[must_use]
    pub const fn opportunistic() -> Self {
        Self::at(Level::Opportunistic)
    }

    /// TLS or nothing, with any certificate.
    #[must_use]
    pub const fn required() -> Self {
        Self::at(Level::Required)
    }

    /// TLS or nothing, with a certificate that `roots` vouch for and that names the host.
    #[must_use]
    pub fn verified(roots: Roots) -> Self {
        Self { roots, ..Self::at(Level::Verified) }
    }

    /// The same policy with TLS from the first byte.
    #[must_use]
    pub fn with_implicit_tls(self) -> Self {
        Self { implicit: true, ..self }
    }

    /// Whether any connection under this policy may use TLS, so that a connector is needed.
    #[must_use]
    pub fn uses_tls(&self) -> bool {
        self.implicit || self.level != Level::None
    }

    /// Whether nothing but the dialogue up to STARTTLS may travel in clear.
    #[must_use]
    pub const fn forbids_clear(&self) -> bool {
        self.implicit || self.level.required()
    }

    /// What to do after an EHLO reply that was read in clear (a HELO reply offers nothing).
    #[must_use]
    pub fn after_ehlo(&self, starttls_offered: bool) -> AfterEhlo {
        if self.implicit {
            return AfterEhlo::Stop(TlsRefusal::ClearOnImplicit);
        }
        match (self.level, starttls_offered) {
            (Level::None, _) | (Level::Opportunistic, false) => AfterEhlo::Continue,
            (Level::Opportunistic | Level::Required | Level::Verified, true) => AfterEhlo::StartTls,
            (Level::Required | Level::Verified, false) => AfterEhlo::Stop(TlsRefusal::NotOffered),
        }
    }

    /// What to do when the server answered STARTTLS with anything but 220. The connection is still
    /// in clear and in order (RFC 3207 section 4).
    #[must_use]
    pub fn after_starttls_refused(&self) -> AfterRefusal {
        if self.forbids_clear() {
            AfterRefusal::Stop(TlsRefusal::Refused)
        } else {
            AfterRefusal::Continue
        }
    }

    /// What to do when the handshake failed. The connection is unusable in every case.
    ///
    /// Whatever the policy says, no clear text follows a failure of this side's own
    /// ([`Fault::Local`](crate::Fault::Local)), octets that are no TLS
    /// ([`NotTls`](HandshakeError::NotTls)), or a certificate that was checked and refused
    /// ([`Fault::Trust`](crate::Fault::Trust)).
    #[must_use]
    pub fn after_handshake_failed(&self, error: &HandshakeError) -> AfterFailure {
        let allowed = self.fallback == Fallback::RetryClear && self.level == Level::Opportunistic;
        if allowed && !self.forbids_clear() && error.permits_clear() {
            AfterFailure::RetryClear
        } else {
            AfterFailure::Stop(TlsRefusal::HandshakeFailed)
        }
    }
}

/// The next step after an EHLO reply read in clear.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AfterEhlo {
    /// Send STARTTLS.
    StartTls,
    /// Go on in clear.
    Continue,
    /// QUIT: nothing may be sent over this connection.
    Stop(TlsRefusal),
}

/// The next step after STARTTLS was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AfterRefusal {
    /// Go on in clear, on the same connection.
    Continue,
    /// QUIT: nothing may be sent over this connection.
    Stop(TlsRefusal),
}

/// The next step after a failed handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AfterFailure {
    /// Make a new connection to the same host and use no TLS on it.
    RetryClear,
    /// This host is not used in this attempt.
    Stop(TlsRefusal),
}

/// Why a policy keeps a message from a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum TlsRefusal {
    /// TLS is needed and EHLO did not offer STARTTLS.
    #[error("TLS is required, but the server does not offer STARTTLS")]
    NotOffered,
    /// TLS is needed and the server answered STARTTLS with something else than 220.
    #[error("TLS is required, but the server refused STARTTLS")]
    Refused,
    /// The handshake failed and clear text is no choice.
    #[error("the TLS handshake failed")]
    HandshakeFailed,
    /// A connection that needs TLS from its first byte was used in clear.
    #[error("TLS from the first byte is required, but the connection is in clear")]
    ClearOnImplicit,
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::{Fault, KeyKind, PrivateKey};

    const LEVELS: [Level; 4] =
        [Level::None, Level::Opportunistic, Level::Required, Level::Verified];

    fn every_policy() -> impl Iterator<Item = ClientPolicy> {
        LEVELS.into_iter().flat_map(|level| {
            [false, true].into_iter().flat_map(move |implicit| {
                [Fallback::Never, Fallback::RetryClear].into_iter().map(move |fallback| {
                    ClientPolicy { implicit, fallback, ..ClientPolicy::at(level) }
                })
            })
        })
    }

    fn every_failure() -> Vec<HandshakeError> {
        HandshakeError::one_of_each()
    }

    #[test]
    fn after_ehlo_is_this_table() {
        use AfterEhlo::{Continue, StartTls, Stop};
        let table = [
            (Level::None, false, Continue),
            (Level::None, true, Continue),
            (Level::Opportunistic, false, Continue),
            (Level::Opportunistic, true, StartTls),
            (Level::Required, false, Stop(TlsRefusal::NotOffered)),
            (Level::Required, true, StartTls),
            (Level::Verified, false, Stop(TlsRefusal::NotOffered)),
            (Level::Verified, true, StartTls),
        ];
        for (level, offered, expected) in table {
            assert_eq!(ClientPolicy::at(level).after_ehlo(offered), expected, "{level} {offered}");
        }
    }

    #[test]
    fn after_a_refusal_is_this_table() {
        let stop = AfterRefusal::Stop(TlsRefusal::Refused);
        let table = [
            (Level::None, AfterRefusal::Continue),
            (Level::Opportunistic, AfterRefusal::Continue),
            (Level::Required, stop),
            (Level::Verified, stop),
        ];
        for (level, expected) in table {
            assert_eq!(ClientPolicy::at(level).after_starttls_refused(), expected, "{level}");
        }
    }

    #[test]
    fn only_an_opportunistic_policy_that_says_so_retries_in_clear() {
        for policy in every_policy() {
            for error in every_failure() {
                let retries = policy.after_handshake_failed(&error) == AfterFailure::RetryClear;
                let expected = policy.level == Level::Opportunistic
                    && policy.fallback == Fallback::RetryClear
                    && !policy.implicit
                    && !matches!(
                        error,
                        HandshakeError::NotTls | HandshakeError::ClientCertificate { .. }
                    )
                    && matches!(error.fault(), Fault::Network | Fault::Peer);
                assert_eq!(retries, expected, "{policy:?} {error:?}");
            }
        }
    }

    #[test]
    fn what_a_failure_permits_is_this_table() {
        let policy =
            ClientPolicy { fallback: Fallback::RetryClear, ..ClientPolicy::opportunistic() };
        let outcomes: Vec<_> = every_failure()
            .iter()
            .map(|error| policy.after_handshake_failed(error) == AfterFailure::RetryClear)
            .collect();
        let table = [
            ("transport failed", true),
            ("peer closed", true),
            ("alert", true),
            ("not TLS", false),
            ("nothing in common", true),
            ("protocol broken", true),
            ("certificate not trusted", false),
            ("a client's certificate", false),
            ("another name", false),
            ("no host name", false),
            ("library failed", false),
        ];
        assert_eq!(outcomes, table.map(|(_, retries)| retries));
    }

    #[test]
    fn no_policy_that_needs_tls_ever_yields_clear_text() {
        let mut seen = 0;
        for policy in every_policy().filter(|p| p.level >= Level::Required || p.implicit) {
            assert!(policy.forbids_clear() && policy.uses_tls());
            for offered in [false, true] {
                assert_ne!(policy.after_ehlo(offered), AfterEhlo::Continue, "{policy:?}");
            }
            assert_ne!(policy.after_starttls_refused(), AfterRefusal::Continue, "{policy:?}");
            for error in every_failure() {
                let next = policy.after_handshake_failed(&error);
                assert_ne!(next, AfterFailure::RetryClear, "{policy:?}");
            }
            seen += 1;
        }
        assert_eq!(seen, 12);
    }

    #[test]
    fn policies_are_equal_when_they_ask_for_the_same() {
        let certificate = |octet| Certificate::from_der(vec![octet; 40]);
        let identity = |octet| {
            let key = PrivateKey::from_der(KeyKind::Pkcs8, vec![octet]);
            Arc::new(Identity::new(certificate(octet), Vec::new(), key))
        };
        let of = |origin| ClientPolicy {
            origin: Some(OriginId(origin)),
            ..ClientPolicy::verified(Roots::Pem(vec![certificate(1)]))
        };
        let policies: HashSet<_> = (0..5000).map(of).collect();
        assert_eq!(policies.len(), 1);
        let plain = ClientPolicy::required;
        let mut different: HashSet<_> = every_policy().collect();
        let count = different.len();
        different.extend([
            of(1),
            ClientPolicy { roots: Roots::Pem(vec![certificate(2)]), ..of(1) },
            ClientPolicy { server_name: Some("mx.example".into()), ..plain() },
            ClientPolicy { identity: Some(identity(1)), ..plain() },
            ClientPolicy { identity: Some(identity(2)), ..plain() },
            ClientPolicy { versions: (Version::Tls13, Version::Tls13), ..plain() },
        ]);
        assert_eq!(different.len(), count + 6);
    }

    #[test]
    fn the_default_is_never_to_fall_back() {
        assert_eq!(Fallback::default(), Fallback::Never);
        for policy in [
            ClientPolicy::plaintext(),
            ClientPolicy::opportunistic(),
            ClientPolicy::required(),
            ClientPolicy::verified(Roots::System),
        ] {
            assert_eq!(policy.fallback, Fallback::Never);
        }
    }
}
