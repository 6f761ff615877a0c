//! Parameters of MAIL and RCPT (RFC 5321, 4.1.2).
//!
//! Does: read the list of `keyword=value`, and the values of the extensions that are offered.
//! Does not: know which parameter a session allows.

use core::fmt;

use nom::Parser;
use nom::bytes::complete::take_while1;
use nom::character::complete::char;
use nom::combinator::{opt, recognize, verify};
use nom::sequence::preceded;

use super::grammar::{Parsed, expect, is_esmtp_value, is_let_dig};
use crate::limits;

/// What the message text holds (RFC 6152).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BodyType {
    /// Octets below 128 only.
    SevenBit,
    /// Any octets, in lines.
    EightBitMime,
}

impl BodyType {
    /// The value as it stands behind `BODY=`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SevenBit => "7BIT",
            Self::EightBitMime => "8BITMIME",
        }
    }

    /// `body-value = "7BIT" / "8BITMIME"`, in any case.
    pub(super) fn from_value(value: &str) -> Option<Self> {
        [Self::SevenBit, Self::EightBitMime]
            .into_iter()
            .find(|body| body.as_str().eq_ignore_ascii_case(value))
    }
}

impl fmt::Display for BodyType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One parameter, as written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Parameter<'a> {
    pub(super) keyword: &'a str,
    pub(super) value: Option<&'a str>,
}

/// `SP esmtp-param`, `esmtp-param = esmtp-keyword ["=" esmtp-value]`,
/// `esmtp-keyword = (ALPHA / DIGIT) *(ALPHA / DIGIT / "-")`
pub(super) fn parameter(input: &str) -> Parsed<'_, Parameter<'_>> {
    let keyword = recognize((verify(take_while1(|c| is_let_dig(c) || c == '-'), |k: &str| {
        k.starts_with(is_let_dig)
    }),));
    (
        expect("a space", char(' ')),
        expect("a parameter", keyword),
        opt(preceded(char('='), expect("a value", take_while1(is_esmtp_value)))),
    )
        .map(|(_, keyword, value)| Parameter { keyword, value })
        .parse(input)
}

/// `size-value = 1*20DIGIT` (RFC 1870, 3). A number over `u64::MAX` is taken as `u64::MAX`: it
/// is over every limit just the same.
pub(super) fn size_value(value: &str) -> Option<u64> {
    let digits = !value.is_empty() && value.bytes().all(|octet| octet.is_ascii_digit());
    (digits && value.len() <= limits::SIZE_DIGITS).then(|| value.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn size_values() {
        assert_eq!(size_value("0"), Some(0));
        assert_eq!(size_value("00012"), Some(12));
        assert_eq!(size_value("99999999999999999999"), Some(u64::MAX));
        for bad in ["", "-1", "+1", "1 ", "0x1", "100000000000000000000"] {
            assert_eq!(size_value(bad), None, "{bad}");
        }
    }
}
