//! What goes to and fro behind AUTH (RFC 4954): its base64, and the messages of some mechanisms.
//!
//! Does: read and write the lines of an exchange, strictly and within
//! [`limits::AUTH_LINE`], and the messages of PLAIN, LOGIN, EXTERNAL, XOAUTH2 and OAUTHBEARER. What
//! may be secret is kept in memory that is wiped when it is dropped, and no [`Debug`] shows it. Does
//! not: know who may do what, or when AUTH is allowed. Fails: [`SaslError`], which holds nothing
//! of the message.
//!
//! ```
//! use smtp_proto::wire::sasl::{self, Plain};
//!
//! let message = Plain::new("", "tim", "tanstaaftanstaaf")?.encode();
//! let line = sasl::initial_response(message.as_octets());
//! assert_eq!(line.as_str(), "AHRpbQB0YW5zdGFhZnRhbnN0YWFm");
//!
//! let octets = sasl::decode_initial_response(&line)?;
//! let plain = Plain::decode(octets.as_octets())?;
//! assert_eq!((plain.authentication_id(), plain.password()), ("tim", "tanstaaftanstaaf"));
//! # Ok::<(), sasl::SaslError>(())
//! ```

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use thiserror::Error;
use zeroize::{Zeroize as _, Zeroizing};

use super::reply::Reply;
use crate::limits;

mod oauth;
mod password;

pub use oauth::{OAuthBearer, XOAuth2};
pub use password::{External, Login, Plain};

/// Why a line or a message of an exchange is none.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SaslError {
    /// The line is over [`limits::AUTH_LINE`] (RFC 4954, 6: 500 5.5.6).
    #[error("the line of the exchange is too long")]
    TooLong,
    /// The line is no base64, or not in the one form that an encoder writes (RFC 4954, 4: 501
    /// 5.5.2).
    #[error("the line of the exchange is not base64")]
    NotBase64,
    /// The message is not of its mechanism's form.
    #[error("{0} expected in the message")]
    Malformed(&'static str),
}

/// Octets that may be secret: wiped when they are dropped, and not shown by [`Debug`].
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Zeroizing<Vec<u8>>);

impl Secret {
    /// The octets.
    #[must_use]
    pub fn as_octets(&self) -> &[u8] {
        &self.0
    }
}

impl From<Vec<u8>> for Secret {
    fn from(octets: Vec<u8>) -> Self {
        Self(Zeroizing::new(octets))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// What the client says in an exchange, decoded. [`Debug`] does not show it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Exchange<'a> {
    /// The exchange begins.
    Begin {
        /// The mechanism's name, as the client wrote it.
        mechanism: &'a str,
        /// The first message, where it came with AUTH; it may be empty.
        initial_response: Option<&'a [u8]>,
    },
    /// The answer to a challenge.
    Response(&'a [u8]),
}

impl fmt::Debug for Exchange<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Begin { mechanism, initial_response } => f
                .debug_struct("Begin")
                .field("mechanism", mechanism)
                .field("initial_response", &initial_response.map(|_| ".."))
                .finish(),
            Self::Response(_) => f.write_str("Response(..)"),
        }
    }
}

/// The answer to a challenge, as its line says it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Response {
    /// `*`: the client gives the exchange up.
    Cancel,
    /// A message, decoded.
    Message(Secret),
}

/// The line with which a client gives an exchange up, without its line end (RFC 4954, 4).
pub const CANCEL: &str = "*";

/// Octets as base64: what a client writes in answer to a challenge, without the line end.
#[must_use]
pub fn encode(octets: &[u8]) -> Zeroizing<String> {
    Zeroizing::new(STANDARD.encode(octets))
}

/// Octets as they stand behind AUTH and the mechanism: base64, and `=` for none.
#[must_use]
pub fn initial_response(octets: &[u8]) -> Zeroizing<String> {
    match octets {
        [] => Zeroizing::new(String::from("=")),
        _ => encode(octets),
    }
}

/// `initial-response = base64 / "="` (RFC 4954, 8).
///
/// # Errors
/// The text is neither, or too long.
pub fn decode_initial_response(text: &str) -> Result<Secret, SaslError> {
    match text {
        "=" => Ok(Secret::from(Vec::new())),
        "" => Err(SaslError::NotBase64),
        _ => decode(text.as_bytes()),
    }
}

/// `[base64] / cancel-response`, `cancel-response = "*"` (RFC 4954, 8): the answer to a challenge,
/// given without its line end.
///
/// # Errors
/// The line is neither, or too long.
pub fn decode_response(line: &[u8]) -> Result<Response, SaslError> {
    if line == CANCEL.as_bytes() {
        return Ok(Response::Cancel);
    }
    decode(line).map(Response::Message)
}

/// The challenge of a 334 reply.
///
/// # Errors
/// The reply's text is no base64, or too long.
pub fn decode_challenge(reply: &Reply) -> Result<Secret, SaslError> {
    decode(reply.text().as_bytes())
}

/// `continue-req = "334" SP [base64] CRLF` (RFC 4954, 8): appends the line with a challenge. It is
/// one line however long it is, and has its space even where the challenge is empty, as
/// [`Reply::write_to`](Reply::write_to) would not write it.
pub fn write_challenge(challenge: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(b"334 ");
    out.extend_from_slice(encode(challenge).as_bytes());
    out.extend_from_slice(b"\r\n");
}

/// `base64 = base64-terminal / ( 1*(4base64-char) [base64-terminal] )`, and nothing for nothing
/// (RFC 4954, 8), with the padding and the unused bits that an encoder writes.
fn decode(text: &[u8]) -> Result<Secret, SaslError> {
    if text.len() + "\r\n".len() > limits::AUTH_LINE {
        return Err(SaslError::TooLong);
    }
    // The buffer never grows, so no copy of a secret is left behind.
    let mut octets = Zeroizing::new(alloc::vec![0; text.len() / 4 * 3 + 3]);
    match STANDARD.decode_slice(text, &mut octets) {
        Ok(length) => {
            octets[length..].zeroize();
            octets.truncate(length);
            Ok(Secret(octets))
        }
        Err(_) => Err(SaslError::NotBase64),
    }
}
