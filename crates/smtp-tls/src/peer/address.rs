//! A mail address that stood in a certificate, and which octets may be one.
//!
//! Does: keep to octets that can be shown and compared. Does not: know whether it is an address, or
//! whose. Fails: by a typed reason.

use std::fmt;

use thiserror::Error;

/// The octets of an address at most: a local part of 64, `@`, and a domain of 255 (RFC 5321 section
/// 4.5.3.1).
const LENGTH: usize = 320;

/// A mail address that stood in a certificate: printable ASCII without a space, 1 to 320 octets.
///
/// It cannot end a line, and nothing is hidden in it; whether it is an address is another question.
/// Two that differ only in case are two: [`ClientTrust::addresses`](crate::ClientTrust::addresses) are compared
/// without regard to it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ClientAddress(String);

impl ClientAddress {
    /// Takes octets that may be shown.
    ///
    /// # Errors
    /// [`UnusableAddress`] for all others.
    pub fn from_octets(octets: &[u8]) -> Result<Self, UnusableAddress> {
        if octets.is_empty() {
            return Err(UnusableAddress::Empty);
        }
        if octets.len() > LENGTH {
            return Err(UnusableAddress::TooLong { octets: octets.len() });
        }
        if let Some(at) = octets.iter().position(|octet| !octet.is_ascii_graphic()) {
            return Err(UnusableAddress::Octet { octet: octets[at], at });
        }
        Ok(Self(octets.iter().copied().map(char::from).collect()))
    }

    /// The address as it stood there.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ClientAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why octets are no address that may be compared or shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
#[non_exhaustive]
pub enum UnusableAddress {
    /// There are none.
    #[error("it is empty")]
    Empty,
    /// More than 320.
    #[error("it has {octets} octets, and {LENGTH} are possible")]
    TooLong {
        /// How many there are.
        octets: usize,
    },
    /// A control, a space, or an octet outside ASCII.
    #[error("octet {octet:#04x} at {at}")]
    Octet {
        /// The first such octet.
        octet: u8,
        /// How many stand before it.
        at: usize,
    },
    /// The value is none of IA5String, UTF8String and PrintableString.
    #[error("it is no string of octets (ASN.1 tag {tag:#04x})")]
    StringType {
        /// The tag's octet in DER.
        tag: u8,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_printable_ascii() {
        let ok = |octets: &[u8]| ClientAddress::from_octets(octets).unwrap().to_string();
        assert_eq!(ok(b"Tim@a.example"), "Tim@a.example");
        assert_eq!(ok(b"bob"), "bob");
        assert_eq!(ok(&[b'x'; LENGTH]).len(), LENGTH);
        for octet in (0..=b' ').chain(0x7f..=0xff) {
            let octets = [b"a@a.example", &[octet][..], b"x"].concat();
            let refused = UnusableAddress::Octet { octet, at: 11 };
            assert_eq!(ClientAddress::from_octets(&octets), Err(refused));
        }
        assert_eq!(ClientAddress::from_octets(b""), Err(UnusableAddress::Empty));
        assert_eq!(
            ClientAddress::from_octets(&[b'x'; LENGTH + 1]),
            Err(UnusableAddress::TooLong { octets: LENGTH + 1 })
        );
    }
}
