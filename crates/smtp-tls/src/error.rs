//! Errors, by whose fault they are. Each prints as one line.

use std::io;

use thiserror::Error;

use crate::{Alert, Backend, OriginId, Version};

/// A policy that a backend cannot take. Nothing was sent or received.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The backend's feature was off when this crate was compiled.
    #[error("TLS library {backend} is not compiled in")]
    NotCompiledIn {
        /// The one that was asked for.
        backend: Backend,
    },
    /// A client policy that never uses TLS needs no connector.
    #[error("the policy uses no TLS")]
    NoTls,
    /// The private key belongs to another certificate.
    #[error("the private key does not match the certificate")]
    KeyMismatch {
        /// The identity's origin.
        origin: Option<OriginId>,
    },
    /// The library refuses the certificate chain or the key.
    #[error("certificate or key unusable: {reason}")]
    Identity {
        /// The identity's origin.
        origin: Option<OriginId>,
        /// The library's words, in one line.
        reason: String,
    },
    /// The library refuses the cipher string as a whole.
    #[error("cipher string {text:?} refused: {reason}")]
    Ciphers {
        /// Where the string was written.
        origin: Option<OriginId>,
        /// The string.
        text: String,
        /// The library's words, in one line.
        reason: String,
    },
    /// The lowest version is above the highest.
    #[error("no TLS version is left between {lowest} and {highest}")]
    Versions {
        /// The lowest that was asked for.
        lowest: Version,
        /// The highest that was asked for.
        highest: Version,
    },
    /// The policy's server name is neither a DNS name nor an IP address.
    #[error("{name:?} is not a server name: neither a DNS name nor an IP address")]
    ServerName {
        /// The policy's origin.
        origin: Option<OriginId>,
        /// What was given.
        name: String,
    },
    /// There is no usable certification authority to verify a certificate with.
    #[error("no usable trusted certificate: {reason}")]
    Roots {
        /// The policy's origin.
        origin: Option<OriginId>,
        /// Why, in one line.
        reason: String,
    },
    /// The library failed by itself.
    #[error("{backend} failed: {reason}")]
    Library {
        /// Which one.
        backend: Backend,
        /// The library's words, in one line.
        reason: String,
    },
}

impl ConfigError {
    /// Where the setting at fault came from, if the policy knew.
    #[must_use]
    pub const fn origin(&self) -> Option<OriginId> {
        match self {
            Self::KeyMismatch { origin }
            | Self::Identity { origin, .. }
            | Self::Ciphers { origin, .. }
            | Self::ServerName { origin, .. }
            | Self::Roots { origin, .. } => *origin,
            Self::NotCompiledIn { .. }
            | Self::NoTls
            | Self::Versions { .. }
            | Self::Library { .. } => None,
        }
    }
}

/// Who has to act for a handshake to succeed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fault {
    /// The transport: the connection broke or was closed.
    Network,
    /// The peer: it is not speaking TLS as we do, or refused.
    Peer,
    /// The peer's certificate does not satisfy our policy.
    Trust,
    /// This side.
    Local,
}

/// What is wrong with a certificate chain.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum CertificateProblem {
    /// No trusted authority vouches for it; self-signed certificates are among these.
    #[error("it is not issued by a trusted authority")]
    UnknownIssuer,
    /// Its validity is over, or that of a certificate above it.
    #[error("it has expired")]
    Expired,
    /// Its validity has not begun.
    #[error("it is not valid yet")]
    NotYetValid,
    /// Its issuer has revoked it.
    #[error("it has been revoked")]
    Revoked,
    /// It is not meant for servers.
    #[error("it is not meant for this purpose")]
    Purpose,
    /// It cannot be read.
    #[error("it is malformed")]
    Malformed,
    /// Anything else, in the library's words.
    #[error("{0}")]
    Other(String),
}

/// Why a client's certificate ends the handshake. None of these is a matter of trust: a certificate that
/// is expired, revoked or of another authority ends nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ClientCertificateProblem {
    /// The chain has more than 10 certificates or 32 KiB.
    #[error("the chain is too large")]
    TooLarge,
    /// It is no X.509 certificate.
    #[error("it is malformed")]
    Malformed,
    /// No signature can be checked with its key: one of RSA under 2048 bits under rustls, or of a kind
    /// that the library does not know.
    #[error("its key is of a kind or size that no signature is checked with")]
    Key,
    /// The signature of the handshake was not made with its key.
    #[error("the client did not prove that it has its key")]
    NotProven,
}

/// Why a TLS handshake failed.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum HandshakeError {
    /// The transport failed.
    #[error("the connection failed during the TLS handshake: {0}")]
    Io(#[source] io::Error),
    /// The peer closed the connection in the middle of the handshake.
    #[error("the peer closed the connection during the TLS handshake")]
    PeerClosed,
    /// The peer ended the handshake with an alert.
    #[error("the peer refused the TLS handshake: {0}")]
    Alert(Alert),
    /// The peer's first bytes are no TLS record.
    #[error("the peer does not speak TLS")]
    NotTls,
    /// No version, suite, group or signature scheme in common.
    #[error("no TLS parameters in common: {0}")]
    NoSharedParameters(String),
    /// The peer broke the protocol.
    #[error("the peer broke the TLS protocol: {0}")]
    Protocol(String),
    /// The peer's certificate chain is not trusted.
    #[error("the peer's certificate is not trusted: {problem}")]
    CertificateNotTrusted {
        /// What is wrong with it.
        problem: CertificateProblem,
    },
    /// The client showed a certificate with which no session can be had.
    ///
    /// The client is told so by an alert: `certificate_unknown` of a chain too large,
    /// `bad_certificate` of a malformed one, `unsupported_certificate` of a key, and `decrypt_error`
    /// of a proof that fails. OpenSSL has an alert of its own in some of these, or closes.
    #[error("the client's certificate is unusable: {problem}")]
    ClientCertificate {
        /// What is wrong with it.
        problem: ClientCertificateProblem,
    },
    /// The peer's certificate is for other names.
    #[error("the peer's certificate is not valid for {expected}")]
    NameMismatch {
        /// The name that was looked for.
        expected: String,
    },
    /// The host is neither a DNS name nor an IP address, so that no certificate can name it.
    #[error("{name:?} is not a host name that a certificate could be checked against")]
    InvalidServerName {
        /// What was given.
        name: String,
    },
    /// The library failed by itself.
    #[error("the TLS library failed: {0}")]
    Library(String),
}

impl HandshakeError {
    /// Whose fault it is.
    #[must_use]
    pub const fn fault(&self) -> Fault {
        match self {
            Self::Io(_) | Self::PeerClosed => Fault::Network,
            Self::Alert(_)
            | Self::NotTls
            | Self::NoSharedParameters(_)
            | Self::Protocol(_)
            | Self::ClientCertificate { .. } => Fault::Peer,
            Self::CertificateNotTrusted { .. } | Self::NameMismatch { .. } => Fault::Trust,
            Self::InvalidServerName { .. } | Self::Library(_) => Fault::Local,
        }
    }

    /// Whether a failure may be answered by a connection in clear, where a policy allows that at all.
    ///
    /// Not so if this side failed: it would fail with every server, and all mail would go in clear.
    /// Not so if the server's first octets were no TLS: after its 220 somebody may have put them there.
    /// Not so if a certificate was found wanting: somebody asked for it to be checked.
    pub(crate) const fn permits_clear(&self) -> bool {
        match self {
            Self::Io(_)
            | Self::PeerClosed
            | Self::Alert(_)
            | Self::NoSharedParameters(_)
            | Self::Protocol(_) => true,
            Self::NotTls
            | Self::ClientCertificate { .. }
            | Self::CertificateNotTrusted { .. }
            | Self::NameMismatch { .. }
            | Self::InvalidServerName { .. }
            | Self::Library(_) => false,
        }
    }

    #[cfg(test)]
    pub(crate) fn one_of_each() -> Vec<Self> {
        vec![
            Self::Io(io::ErrorKind::ConnectionReset.into()),
            Self::PeerClosed,
            Self::Alert(Alert(40)),
            Self::NotTls,
            Self::NoSharedParameters("no suite".into()),
            Self::Protocol("odd".into()),
            Self::CertificateNotTrusted { problem: CertificateProblem::Expired },
            Self::ClientCertificate { problem: ClientCertificateProblem::Key },
            Self::NameMismatch { expected: "mx.example".into() },
            Self::InvalidServerName { name: "a b".into() },
            Self::Library("out of memory".into()),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_error_is_one_line() {
        for error in HandshakeError::one_of_each() {
            let text = error.to_string();
            assert!(!text.is_empty() && !text.contains(['\n', '\r']), "{text:?}");
        }
        let alert = HandshakeError::Alert(Alert(40)).to_string();
        assert!(alert.ends_with("handshake_failure (40)"), "{alert}");
        assert_eq!(Alert(200).to_string(), "unregistered (200)");
    }
}
