//! What is offered in a handshake, as data: for a program that says what a peer will negotiate.

use crate::cipher::Suite;

/// What an [`Acceptor`](crate#backends) offers, the preferred one first: the server's order decides.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServerOffer {
    /// The suites of TLS 1.3. Empty where that version is not offered.
    pub tls13: Vec<&'static Suite>,
    /// The suites of TLS 1.2 that fit the keys of the policy's identity and its alternatives. Empty where
    /// that version is not offered.
    ///
    /// OpenSSL's binding lists no suites: under OpenSSL these are computed from the cipher string and
    /// the security level in force, for a library built with the usual suites.
    pub tls12: Vec<&'static Suite>,
    /// The groups of the key exchange, by their IANA names. A client's key share for another one of
    /// them than the first may be taken as it is, which saves a round trip.
    pub groups: Vec<&'static str>,
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
    /// in force, for a library built with the usual suites.
    pub tls12: Vec<&'static Suite>,
    /// The groups of the key exchange, by their IANA names. The first one's key share is sent at once.
    pub groups: Vec<&'static str>,
}
