//! Which client certificates open the relay: whom to trust, what is revoked, and whose address is
//! listed.
//!
//! Plain data, the same for every TLS library. A server that has one of these asks each client for a
//! certificate in the first handshake and demands none; what a client shows is kept with the
//! session, and judged only when somebody wants to know.

mod address;
#[cfg(feature = "client-certificates")]
mod constraints;
#[cfg(feature = "client-certificates")]
mod judge;
#[cfg(feature = "client-certificates")]
mod powers;
#[cfg(feature = "client-certificates")]
mod revocation;
#[cfg(feature = "client-certificates")]
mod signed;
#[cfg(feature = "client-certificates")]
mod subject;
mod verdict;
#[cfg(feature = "client-certificates")]
mod version_1;

use std::{
    collections::BTreeSet,
    hash::{Hash, Hasher},
};

#[cfg(feature = "client-certificates")]
pub use self::judge::ClientJudge;
pub use self::{
    address::{ClientAddress, UnusableAddress},
    verdict::{ClientRefusal, ClientVerdict},
};
use crate::{Certificate, OriginId};

/// A certificate revocation list in DER, unread (RFC 5280 section 5).
#[derive(Clone, Debug)]
pub struct RevocationList {
    der: Vec<u8>,
    origin: Option<OriginId>,
}

impl PartialEq for RevocationList {
    fn eq(&self, other: &Self) -> bool {
        let Self { der, origin: _ } = self;
        *der == other.der
    }
}

impl Eq for RevocationList {}

/// The last octets are of the signature: they differ where lists do.
impl Hash for RevocationList {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.der.last_chunk::<32>().map_or(&self.der[..], |end| end).hash(state);
    }
}

impl RevocationList {
    /// Takes the octets as they are.
    #[must_use]
    pub const fn from_der(der: Vec<u8>) -> Self {
        Self { der, origin: None }
    }

    /// The same list, with where it came from.
    #[must_use]
    pub fn with_origin(self, origin: OriginId) -> Self {
        Self { origin: Some(origin), ..self }
    }

    /// The octets.
    #[must_use]
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// Where it came from, if that was said.
    #[must_use]
    pub const fn origin(&self) -> Option<OriginId> {
        self.origin
    }
}

/// Which addresses of a certificate count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum CertificateAddresses {
    /// The first emailAddress of the subject alone (RFC 2985 section 5.2.1), as qmail has it.
    #[default]
    Subject,
    /// That one, and each rfc822Name of the subject alternative name (RFC 5280 section 4.2.1.6).
    SubjectAndAlternativeNames,
}

/// Whose client certificates open the relay.
///
/// Two are equal when they let the same clients relay: no [`OriginId`] takes part in equality.
#[derive(Clone, Debug)]
pub struct ClientTrust {
    /// Who may issue client certificates. Their names are also what a client is shown, so that it
    /// knows which certificate to choose.
    pub authorities: Vec<Certificate>,
    /// What they have revoked. `None`: nothing is looked up. With lists, even with none in it, every
    /// certificate of a chain but the authority's own needs one that is still current.
    pub revoked: Option<Vec<RevocationList>>,
    /// The mail addresses that may relay, in lower case as to ASCII.
    pub addresses: BTreeSet<String>,
    /// Which addresses of a certificate are looked for among them.
    pub counted: CertificateAddresses,
    /// Where it was asked for.
    pub origin: Option<OriginId>,
}

impl PartialEq for ClientTrust {
    fn eq(&self, other: &Self) -> bool {
        let Self { authorities, revoked, addresses, counted, origin: _ } = self;
        (authorities, revoked, addresses, counted)
            == (&other.authorities, &other.revoked, &other.addresses, &other.counted)
    }
}

impl Eq for ClientTrust {}

/// By the authorities and the number of addresses: a policy is looked up for each connection.
impl Hash for ClientTrust {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.authorities.hash(state);
        self.revoked.hash(state);
        self.addresses.len().hash(state);
    }
}

impl ClientTrust {
    /// Trust in these authorities, for these addresses; nothing is revoked, and the subject's address
    /// counts alone.
    pub fn new(
        authorities: Vec<Certificate>,
        addresses: impl IntoIterator<Item = impl AsRef<str>>,
    ) -> Self {
        Self {
            authorities,
            revoked: None,
            addresses: addresses.into_iter().map(|a| a.as_ref().to_ascii_lowercase()).collect(),
            counted: CertificateAddresses::Subject,
            origin: None,
        }
    }
}
