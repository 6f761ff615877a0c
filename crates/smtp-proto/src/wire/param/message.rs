//! What MAIL says of the message itself: SIZE, BODY and MT-PRIORITY.

use core::fmt;

use crate::limits;
use crate::wire::grammar::is_word;

/// What the message text holds (RFC 6152, RFC 3030).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BodyType {
    /// Octets below 128 only.
    SevenBit,
    /// Any octets, in lines.
    EightBitMime,
    /// Any octets, without lines: only BDAT carries it.
    BinaryMime,
}

impl BodyType {
    /// The value as it stands behind `BODY=`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SevenBit => "7BIT",
            Self::EightBitMime => "8BITMIME",
            Self::BinaryMime => "BINARYMIME",
        }
    }

    /// `body-value = "7BIT" / "8BITMIME" / "BINARYMIME"`, in any case.
    #[must_use]
    pub fn parse(value: &str) -> Option<Self> {
        match value.len() {
            4 if is_word(value, "7BIT") => Some(Self::SevenBit),
            8 if is_word(value, "8BITMIME") => Some(Self::EightBitMime),
            10 if is_word(value, "BINARYMIME") => Some(Self::BinaryMime),
            _ => None,
        }
    }
}

impl fmt::Display for BodyType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// `size-value = 1*20DIGIT` (RFC 1870, 3). A number over `u64::MAX` is taken as `u64::MAX`: it
/// is over every limit just the same.
pub(in crate::wire) fn size_value(value: &str) -> Option<u64> {
    let digits = !value.is_empty() && value.bytes().all(|octet| octet.is_ascii_digit());
    (digits && value.len() <= limits::SIZE_DIGITS).then(|| value.parse().unwrap_or(u64::MAX))
}

/// The number at the start of a list of parameters, where it fits, and the list behind it.
#[inline(always)]
pub(super) fn split_plain_size(list: &str) -> Option<(u64, &str)> {
    let (mut size, mut len) = (0_u64, 0);
    for octet in list.as_bytes() {
        let digit = octet.wrapping_sub(b'0');
        if digit > 9 {
            break;
        }
        // It wraps in numbers alone that are not taken here: of so many digits that they need not fit.
        size = size.wrapping_mul(10).wrapping_add(u64::from(digit));
        len += 1;
    }
    let behind = list.get(len..)?;
    (1..limits::SIZE_DIGITS).contains(&len).then_some((size, behind))
}

/// How much before others a message is to go: -9 to 9, 0 where nothing is said (RFC 6710).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Priority(i8);

impl Priority {
    /// `None` outside -9 to 9.
    #[must_use]
    pub const fn new(priority: i8) -> Option<Self> {
        if priority >= -9 && priority <= 9 { Some(Self(priority)) } else { None }
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> i8 {
        self.0
    }

    /// `priority-value = (["-"] NZDIGIT) / "0"`, `NZDIGIT = %x31-39`
    #[must_use]
    pub fn parse(value: &str) -> Option<Self> {
        match value.as_bytes() {
            b"0" => Some(Self(0)),
            [digit @ b'1'..=b'9'] => Some(Self((digit - b'0') as i8)),
            [b'-', digit @ b'1'..=b'9'] => Some(Self(-((digit - b'0') as i8))),
            _ => None,
        }
    }
}

impl fmt::Display for Priority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
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
