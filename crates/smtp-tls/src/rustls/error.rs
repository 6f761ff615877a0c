//! rustls's errors, by whose fault.

use std::io;

use rustls::{CertificateError, Error, InvalidMessage};

use crate::{Alert, CertificateProblem, HandshakeError};

/// A failed handshake, as tokio-rustls reports it.
pub(super) fn handshake(error: io::Error, host: &str) -> HandshakeError {
    match error.get_ref().and_then(|inner| inner.downcast_ref::<Error>()) {
        Some(inner) => classify(inner, host),
        None if error.kind() == io::ErrorKind::UnexpectedEof => HandshakeError::PeerClosed,
        None => HandshakeError::Io(error),
    }
}

fn classify(error: &Error, host: &str) -> HandshakeError {
    match error {
        Error::AlertReceived(alert) => match u8::from(*alert) {
            0 => HandshakeError::PeerClosed,
            number => HandshakeError::Alert(Alert(number)),
        },
        Error::InvalidMessage(
            InvalidMessage::InvalidContentType | InvalidMessage::UnknownProtocolVersion,
        ) => HandshakeError::NotTls,
        Error::PeerIncompatible(_) => HandshakeError::NoSharedParameters(line(error)),
        Error::InvalidCertificate(problem) => certificate(problem, host),
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
        other => CertificateProblem::Other(one_line(&other.to_string())),
    };
    HandshakeError::CertificateNotTrusted { problem }
}

/// The library's words, in one line.
pub(super) fn line(error: &Error) -> String {
    one_line(&error.to_string())
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
