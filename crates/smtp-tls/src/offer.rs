//! What is offered in a handshake, as data: for a program that says what a peer will negotiate.

use crate::cipher::Suite;

/// What an [`Acceptor`](crate#backends) offers, the preferred one first: the server's order decides.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServerOffer {
    /// The suites of TLS 1.3. Empty where that version is not offered, or no key of the policy's identity
    /// and its alternatives can be used with it.
    pub tls13: Vec<&'static Suite>,
    /// The suites of TLS 1.2 that fit the keys of the policy's identity and its alternatives. Empty where
    /// that version is not offered.
    ///
    /// OpenSSL's binding lists no suites: under OpenSSL these are computed from the cipher string and
    /// the security level in force, for a library built with the usual suites and given no others by the
    /// host (openssl.cnf).
    pub tls12: Vec<&'static Suite>,
    /// The groups of the key exchange, by their IANA names. A client's key share for another one of
    /// them than the first may be taken as it is, which saves a round trip.
    pub groups: Vec<&'static str>,
    /// The group of the suites with DHE. `None`: none of them is offered.
    pub dhe: Option<DheGroup>,
}

/// The group that finite-field Diffie-Hellman is done in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct DheGroup {
    /// The size of its modulus.
    pub bits: usize,
    /// Where it stands in [`ServerPolicy::dh`](crate::ServerPolicy::dh). `None`: it is one of RFC 7919.
    pub of_policy: Option<usize>,
}

/// What a [`Connector`](crate#backends) offers in its first message (RFC 8446 section 4.1.2), the preferred
/// one first. The server decides: one without an order of its own takes the first that it has too. A suite
/// of a version that is not offered is none of these, whether the message names it or not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ClientOffer {
    /// The suites of TLS 1.3. Empty where that version is not offered.
    pub tls13: Vec<&'static Suite>,
    /// The suites of TLS 1.2. Empty where that version is not offered.
    ///
    /// OpenSSL's binding lists no suites: under OpenSSL these are what `DEFAULT` means at the security level
    /// in force, for a library built with the usual suites and given no others by the host (openssl.cnf).
    pub tls12: Vec<&'static Suite>,
    /// The groups of the key exchange, by their IANA names. The first one's key share is sent at once.
    pub groups: Vec<&'static str>,
}
