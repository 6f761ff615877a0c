//! OpenSSL's errors, by whose fault.

use std::io;

use openssl::{
    error::ErrorStack,
    ssl::{Error, ErrorCode, SslRef},
};

use crate::{Alert, CertificateProblem, ClientCertificateProblem, HandshakeError};

/// ERR_LIB_SSL.
const LIBRARY_SSL: i32 = 20;
/// SSL_AD_REASON_OFFSET: an alert received is this plus its number.
const ALERTS: i32 = 1000;

/// Reasons of the SSL library (openssl/sslerr.h).
mod reason {
    /// ERR_R_ASN1_LIB: that library's error, met by this one.
    pub(super) const ASN1_LIBRARY: i32 = 13 | 1 << 19;
    pub(super) const NO_SUITABLE_KEY_SHARE: i32 = 101;
    pub(super) const NO_SUITABLE_SIGNATURE_ALGORITHM: i32 = 118;
    pub(super) const BAD_SIGNATURE: i32 = 123;
    pub(super) const CERTIFICATE_VERIFY_FAILED: i32 = 134;
    pub(super) const HTTPS_PROXY_REQUEST: i32 = 155;
    pub(super) const HTTP_REQUEST: i32 = 156;
    pub(super) const NO_CIPHERS_AVAILABLE: i32 = 181;
    pub(super) const NO_SHARED_CIPHER: i32 = 193;
    pub(super) const UNKNOWN_CERTIFICATE_TYPE: i32 = 247;
    pub(super) const UNSUPPORTED_PROTOCOL: i32 = 258;
    pub(super) const WRONG_VERSION_NUMBER: i32 = 267;
    pub(super) const UNEXPECTED_EOF_WHILE_READING: i32 = 294;
    pub(super) const NO_SUITABLE_GROUPS: i32 = 295;
    pub(super) const VERSION_TOO_LOW: i32 = 396;
    pub(super) const NO_SHARED_GROUPS: i32 = 410;
}

/// Results of a verification (openssl/x509_vfy.h).
mod verdict {
    pub(super) const OK: i32 = 0;
    pub(super) const NOT_YET_VALID: i32 = 9;
    pub(super) const HAS_EXPIRED: i32 = 10;
    pub(super) const DEPTH_ZERO_SELF_SIGNED: i32 = 18;
    pub(super) const SELF_SIGNED_IN_CHAIN: i32 = 19;
    pub(super) const NO_LOCAL_ISSUER: i32 = 20;
    pub(super) const NO_LEAF_SIGNATURE: i32 = 21;
    pub(super) const REVOKED: i32 = 23;
    pub(super) const INVALID_PURPOSE: i32 = 26;
    pub(super) const HOSTNAME_MISMATCH: i32 = 62;
    pub(super) const IP_ADDRESS_MISMATCH: i32 = 64;
}

/// Who is at the other end.
#[derive(Clone, Copy)]
pub(super) enum Peer<'a> {
    /// The server of this name.
    Server(&'a str),
    /// Any client.
    Client,
}

/// A failed handshake.
pub(super) fn handshake(error: Error, ssl: &SslRef, peer: Peer<'_>) -> HandshakeError {
    if error.code() == ErrorCode::SYSCALL {
        return match error.into_io_error() {
            Ok(error) if error.kind() == io::ErrorKind::UnexpectedEof => HandshakeError::PeerClosed,
            Ok(error) => HandshakeError::Io(error),
            Err(_) => HandshakeError::PeerClosed,
        };
    }
    if error.code() == ErrorCode::ZERO_RETURN {
        return HandshakeError::PeerClosed;
    }
    let Some(stack) = error.ssl_error() else {
        return HandshakeError::Library(error.to_string());
    };
    let text = line(stack);
    let Some(code) = ssl_reason(stack) else { return HandshakeError::Library(text) };
    let host = match (peer, client_certificate(code)) {
        (Peer::Server(host), _) => host,
        (Peer::Client, None) => "",
        (Peer::Client, Some(problem)) => return HandshakeError::ClientCertificate { problem },
    };
    match code {
        reason::UNEXPECTED_EOF_WHILE_READING => HandshakeError::PeerClosed,
        reason::CERTIFICATE_VERIFY_FAILED => certificate(ssl, host),
        reason::WRONG_VERSION_NUMBER | reason::HTTP_REQUEST | reason::HTTPS_PROXY_REQUEST => {
            HandshakeError::NotTls
        }
        reason::NO_SUITABLE_KEY_SHARE
        | reason::NO_SUITABLE_SIGNATURE_ALGORITHM
        | reason::NO_CIPHERS_AVAILABLE
        | reason::NO_SHARED_CIPHER
        | reason::UNSUPPORTED_PROTOCOL
        | reason::NO_SUITABLE_GROUPS
        | reason::VERSION_TOO_LOW
        | reason::NO_SHARED_GROUPS => HandshakeError::NoSharedParameters(text),
        code => match u8::try_from(code - ALERTS) {
            Ok(0) => HandshakeError::PeerClosed,
            Ok(number) => HandshakeError::Alert(Alert(number)),
            Err(_) => HandshakeError::Protocol(text),
        },
    }
}

/// What is wrong with a client's certificate: nothing else that a server reads has these reasons.
const fn client_certificate(code: i32) -> Option<ClientCertificateProblem> {
    Some(match code {
        reason::ASN1_LIBRARY => ClientCertificateProblem::Malformed,
        // What is found wrong with a client's chain is passed over, but for a key that cannot be read.
        reason::CERTIFICATE_VERIFY_FAILED | reason::UNKNOWN_CERTIFICATE_TYPE => {
            ClientCertificateProblem::Key
        }
        reason::BAD_SIGNATURE => ClientCertificateProblem::NotProven,
        _ => return None,
    })
}

fn certificate(ssl: &SslRef, host: &str) -> HandshakeError {
    let result = ssl.verify_result();
    let problem = match result.as_raw() {
        verdict::HOSTNAME_MISMATCH | verdict::IP_ADDRESS_MISMATCH => {
            return HandshakeError::NameMismatch { expected: host.to_owned() };
        }
        verdict::DEPTH_ZERO_SELF_SIGNED
        | verdict::SELF_SIGNED_IN_CHAIN
        | verdict::NO_LOCAL_ISSUER
        | verdict::NO_LEAF_SIGNATURE => CertificateProblem::UnknownIssuer,
        verdict::HAS_EXPIRED => CertificateProblem::Expired,
        verdict::NOT_YET_VALID => CertificateProblem::NotYetValid,
        verdict::REVOKED => CertificateProblem::Revoked,
        verdict::INVALID_PURPOSE => CertificateProblem::Purpose,
        verdict::OK => CertificateProblem::Malformed,
        _ => CertificateProblem::Other(result.error_string().to_owned()),
    };
    HandshakeError::CertificateNotTrusted { problem }
}

/// An established session's error, as every backend of this crate reports it.
pub(super) fn session(error: io::Error) -> io::Error {
    let Some(inner) = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>()) else {
        return error;
    };
    match inner.ssl_error() {
        Some(stack) if ssl_reason(stack) == Some(reason::UNEXPECTED_EOF_WHILE_READING) => {
            truncated()
        }
        Some(stack) => io::Error::new(io::ErrorKind::InvalidData, line(stack)),
        None => io::Error::new(io::ErrorKind::InvalidData, inner.to_string()),
    }
}

/// The transport ended without close_notify.
pub(super) fn truncated() -> io::Error {
    io::Error::new(
        io::ErrorKind::UnexpectedEof,
        "the peer closed the connection without ending its TLS session",
    )
}

fn ssl_reason(stack: &ErrorStack) -> Option<i32> {
    stack
        .errors()
        .iter()
        .find(|error| error.library_code() == LIBRARY_SSL)
        .map(|error| error.reason_code())
}

/// The library's words, in one line.
pub(super) fn line(stack: &ErrorStack) -> String {
    let words: Vec<_> = stack
        .errors()
        .iter()
        .map(|error| match (error.reason(), error.data()) {
            (Some(reason), Some(data)) if !data.is_empty() => format!("{reason} ({data})"),
            (Some(reason), _) => reason.to_owned(),
            (None, _) => format!("error {:08X}", error.code()),
        })
        .collect();
    if words.is_empty() {
        "no reason given".to_owned()
    } else {
        words.join(", ").split_whitespace().collect::<Vec<_>>().join(" ")
    }
}
