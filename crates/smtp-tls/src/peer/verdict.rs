//! What a judge says of a client's certificates, as data.

use thiserror::Error;

use super::address::{ClientAddress, UnusableAddress};
use crate::{KeyAlgorithm, OriginId};

/// What became of the certificates that a client showed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientVerdict {
    /// The client may relay: this address of its certificate is listed.
    Relay(ClientAddress),
    /// It showed none, or was asked for none.
    NotShown,
    /// It may not.
    Refused(ClientRefusal),
}

/// Why a client's certificates do not open the relay.
///
/// The text is for a log; what a client is told is [`reply_text`](Self::reply_text).
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ClientRefusal {
    /// A certificate of the chain is past its time.
    #[error("a certificate of the chain expired at {not_after} (seconds since 1970)")]
    Expired {
        /// Its last second.
        not_after: u64,
    },
    /// A certificate of the chain is before its time.
    #[error("a certificate of the chain is valid from {not_before} on (seconds since 1970)")]
    NotYetValid {
        /// Its first second.
        not_before: u64,
    },
    /// No authority issued it, as far as the client's chain leads.
    #[error("the chain leads to none of the authorities")]
    UnknownIssuer {
        /// The client's own certificate came alone.
        alone: bool,
    },
    /// It signed itself, and is none of the authorities.
    #[error("the certificate signs itself, and is none of the authorities")]
    SelfSigned,
    /// The chain ends in a certificate that signs itself and is none of the authorities.
    #[error("the chain ends in a certificate that signs itself and is none of the authorities")]
    SelfSignedInChain,
    /// The signature of a certificate is not its issuer's.
    #[error("a signature of the chain is not its issuer's")]
    Signature,
    /// The certificate, or one that issued it, is for other purposes than TLS clients (RFC 5280
    /// sections 4.2.1.3 and 4.2.1.12).
    #[error("the certificate is not for TLS clients")]
    Purpose,
    /// A certificate of the chain issued another and may not.
    #[error("a certificate of the chain may issue none, and did")]
    NotAnAuthority,
    /// The client's own certificate is an authority's, of another authority.
    #[error("the client's certificate is an authority's")]
    AuthorityAsClient,
    /// More authorities follow each other than one of them allows.
    #[error("the chain is longer than an authority of it allows")]
    PathLength,
    /// A name in the chain is outside of what an authority may name.
    #[error("the chain has a name that an authority of it may not give")]
    NameConstraints,
    /// A certificate of the chain is on its issuer's revocation list.
    #[error("a certificate of the chain is revoked")]
    Revoked,
    /// There is no revocation list of an issuer in the chain.
    #[error("there is no revocation list of {issuer}")]
    CrlMissing {
        /// The issuer's distinguished name (RFC 4514).
        issuer: String,
    },
    /// The revocation list of an issuer is past its time: nobody knows what was revoked since.
    #[error(
        "the revocation list of {issuer} was to be replaced at {next_update} (seconds since 1970)"
    )]
    CrlExpired {
        /// The issuer's distinguished name.
        issuer: String,
        /// When the next one was due.
        next_update: u64,
        /// Where the list came from.
        origin: Option<OriginId>,
    },
    /// The revocation list of an issuer is before its time, and there is no other.
    #[error(
        "the revocation list of {issuer} is of {this_update} (seconds since 1970), which is still to come"
    )]
    CrlNotYetValid {
        /// The issuer's distinguished name.
        issuer: String,
        /// When it was made.
        this_update: u64,
        /// Where the list came from.
        origin: Option<OriginId>,
    },
    /// The signature of a revocation list is not its issuer's.
    #[error("the signature of the revocation list of {issuer} is not the issuer's")]
    CrlSignature {
        /// The issuer's distinguished name.
        issuer: String,
        /// Where the list came from.
        origin: Option<OriginId>,
    },
    /// A revocation list that is needed cannot be used.
    #[error("a revocation list cannot be used: {reason}")]
    CrlUnusable {
        /// Why.
        reason: String,
        /// Where the list came from, where it is known which one it is.
        origin: Option<OriginId>,
    },
    /// An issuer in the chain may not sign revocation lists (RFC 5280 section 4.2.1.3).
    #[error("an issuer of the chain may not sign revocation lists")]
    CrlSigner,
    /// The certificate has no mail address.
    #[error("the certificate has no mail address")]
    NoAddress,
    /// The certificate's address is none that could be listed.
    #[error("the mail address of the certificate cannot be used: {0}")]
    AddressUnusable(#[from] UnusableAddress),
    /// The certificate's address is not listed.
    #[error("{0} is not among the addresses that may relay")]
    NotListed(ClientAddress),
    /// A certificate of the chain is none, or has something that is not understood.
    #[error("a certificate of the chain cannot be read: {0}")]
    Malformed(String),
    /// A certificate of the chain is neither of version 3 nor a client's of version 1.
    #[error("a certificate of the chain is of a version that is not taken")]
    Version,
    /// A signature of the chain is by an algorithm or a key that is not taken.
    #[error(
        "a signature of the chain is of a kind that is not taken: SHA-1, RSA below 2048 bits, DSA and \
         rare curves are not"
    )]
    Algorithm,
    /// The certificate's key is too weak to prove anything, or of a kind that not every TLS library knows.
    #[error(
        "the certificate's key is {0}: RSA from 2048 bits on, ECDSA on P-256, P-384 and P-521, and \
         Ed25519 are taken"
    )]
    Key(KeyAlgorithm),
    /// To search the chain would take too long.
    #[error("the chain is too long or too tangled")]
    TooComplex,
}

impl ClientRefusal {
    /// The words that qmail's reply has for it: its own, or those of OpenSSL's verification.
    ///
    /// One certificate that came alone and whose issuer is unknown is told as OpenSSL's verification ends
    /// where it is not stopped at its first error, which is how qmail runs it.
    #[must_use]
    pub const fn reply_text(&self) -> &'static str {
        match self {
            Self::Expired { .. } => "certificate has expired",
            Self::NotYetValid { .. } => "certificate is not yet valid",
            Self::UnknownIssuer { alone: true } => "unable to verify the first certificate",
            Self::UnknownIssuer { alone: false } => "unable to get local issuer certificate",
            Self::SelfSigned => "self-signed certificate",
            Self::SelfSignedInChain => "self-signed certificate in certificate chain",
            Self::Signature => "certificate signature failure",
            Self::Purpose => "unsuitable certificate purpose",
            Self::NotAnAuthority => "invalid CA certificate",
            Self::AuthorityAsClient => "unsuitable certificate purpose",
            Self::PathLength => "path length constraint exceeded",
            Self::NameConstraints => "permitted subtree violation",
            Self::Revoked => "certificate revoked",
            Self::CrlMissing { .. } | Self::CrlUnusable { .. } => "unable to get certificate CRL",
            Self::CrlExpired { .. } => "CRL has expired",
            Self::CrlNotYetValid { .. } => "CRL is not yet valid",
            Self::CrlSignature { .. } => "CRL signature failure",
            Self::CrlSigner => "key usage does not include CRL signing",
            Self::NoAddress => "contains no email address",
            Self::AddressUnusable(_) | Self::NotListed(_) => {
                "email address not in my list of tlsclients"
            }
            Self::Malformed(_) => "error in the certificate",
            Self::Version => "unsupported certificate version",
            Self::Algorithm => "certificate signature algorithm not supported",
            Self::Key(_) => "EE certificate key too weak",
            Self::TooComplex => "certificate chain too long",
        }
    }

    /// Where the cause came from: a revocation list, where it is known which one.
    #[must_use]
    pub const fn origin(&self) -> Option<OriginId> {
        match self {
            Self::CrlExpired { origin, .. }
            | Self::CrlNotYetValid { origin, .. }
            | Self::CrlSignature { origin, .. }
            | Self::CrlUnusable { origin, .. } => *origin,
            _ => None,
        }
    }
}
