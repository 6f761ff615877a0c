//! rustls's errors, by whose fault.

use std::io;

use rustls::{CertificateError, Error, InvalidMessage, OtherError};

use super::words::{one_line, words};
use crate::{Alert, CertificateProblem, ClientCertificateProblem, HandshakeError};

/// Who is at the other end, and what its certificate was checked for.
#[derive(Clone, Copy)]
pub(super) enum Peer<'a> {
    /// A server that must be this one.
    Verified(&'a str),
    /// Any server: there a key that did not make the handshake's signature is no matter of trust, but a
    /// broken protocol.
    Unverified,
    /// Any client.
    Client,
}

/// A failed handshake, as tokio-rustls reports it.
pub(super) fn handshake(error: io::Error, peer: Peer<'_>) -> HandshakeError {
    match error.get_ref().and_then(|inner| inner.downcast_ref::<Error>()) {
        Some(inner) => classify(inner, peer),
        None if error.kind() == io::ErrorKind::UnexpectedEof => HandshakeError::PeerClosed,
        None => HandshakeError::Io(error),
    }
}

fn classify(error: &Error, peer: Peer<'_>) -> HandshakeError {
    match error {
        Error::AlertReceived(alert) => match u8::from(*alert) {
            0 => HandshakeError::PeerClosed,
            number => HandshakeError::Alert(Alert(number)),
        },
        Error::InvalidMessage(
            InvalidMessage::InvalidContentType | InvalidMessage::UnknownProtocolVersion,
        ) => HandshakeError::NotTls,
        Error::PeerIncompatible(_) => HandshakeError::NoSharedParameters(line(error)),
        Error::InvalidCertificate(problem) => match peer {
            Peer::Verified(host) => certificate(problem, host),
            Peer::Unverified => HandshakeError::Protocol(line(error)),
            Peer::Client => client_certificate(problem),
        },
        Error::General(_)
        | Error::Other(_)
        | Error::EncryptError
        | Error::FailedToGetCurrentTime
        | Error::FailedToGetRandomBytes
        | Error::HandshakeNotComplete
        | Error::InconsistentKeys(_) => HandshakeError::Library(line(error)),
        _ => HandshakeError::Protocol(line(error)),
    }
}

/// What [`AnyClient`](super::clients::AnyClient) says of a client's certificate.
fn client_certificate(problem: &CertificateError) -> HandshakeError {
    let problem = match problem {
        CertificateError::Other(OtherError(other)) => {
            match other.downcast_ref::<ClientCertificateProblem>() {
                Some(problem) => *problem,
                None => return HandshakeError::Protocol(words(problem)),
            }
        }
        CertificateError::BadEncoding => ClientCertificateProblem::Malformed,
        CertificateError::InvalidPurpose => ClientCertificateProblem::Key,
        CertificateError::BadSignature => ClientCertificateProblem::NotProven,
        other => return HandshakeError::Protocol(words(other)),
    };
    HandshakeError::ClientCertificate { problem }
}

fn certificate(problem: &CertificateError, host: &str) -> HandshakeError {
    let problem = match problem {
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            return HandshakeError::NameMismatch { expected: host.to_owned() };
        }
        CertificateError::UnknownIssuer => CertificateProblem::UnknownIssuer,
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            CertificateProblem::Expired
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            CertificateProblem::NotYetValid
        }
        CertificateError::Revoked => CertificateProblem::Revoked,
        CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
            CertificateProblem::Purpose
        }
        CertificateError::BadEncoding => CertificateProblem::Malformed,
        other => CertificateProblem::Other(words(other)),
    };
    HandshakeError::CertificateNotTrusted { problem }
}

/// The library's words, in one line.
pub(super) fn line(error: &Error) -> String {
    one_line(&error.to_string())
}
