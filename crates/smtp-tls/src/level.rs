//! How much TLS a sender asks for, and which protocol versions are in use.

use std::fmt;

/// How much TLS an outgoing connection needs, from least to most.
///
/// Each level includes what the ones below it promise.
///
/// Where the certificate is not checked, the handshake's signature still is, by the key that the
/// certificate shows. So there is one certificate that the libraries do not take alike: of an RSA key
/// under 2048 bits rustls checks no signature, and the handshake fails as
/// [`Protocol`](crate::HandshakeError::Protocol); OpenSSL takes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// TLS is not used, even where it is offered.
    None,
    /// TLS is used where it is offered; the certificate is not checked.
    Opportunistic,
    /// Nothing is sent in clear; the certificate is not checked.
    Required,
    /// Nothing is sent in clear, and the certificate must be valid for the host.
    Verified,
}

impl Level {
    /// Whether the message must not travel in clear.
    #[must_use]
    pub const fn required(self) -> bool {
        matches!(self, Self::Required | Self::Verified)
    }

    /// Whether the server's certificate must be valid for its name.
    #[must_use]
    pub const fn verified(self) -> bool {
        matches!(self, Self::Verified)
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "none",
            Self::Opportunistic => "opportunistic",
            Self::Required => "required",
            Self::Verified => "verified",
        })
    }
}

/// A TLS protocol version. Older ones are not spoken (RFC 8996).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Version {
    /// TLS 1.2 (RFC 5246).
    Tls12,
    /// TLS 1.3 (RFC 8446).
    Tls13,
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tls12 => "TLSv1.2",
            Self::Tls13 => "TLSv1.3",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_ordered_and_their_promises_follow_the_order() {
        let levels = [Level::None, Level::Opportunistic, Level::Required, Level::Verified];
        assert!(levels.is_sorted());
        for level in levels {
            assert_eq!(level.required(), level >= Level::Required);
            assert_eq!(level.verified(), level >= Level::Verified);
        }
        assert!(Version::Tls12 < Version::Tls13);
    }
}
