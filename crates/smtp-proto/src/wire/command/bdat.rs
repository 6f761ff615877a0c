//! The argument of BDAT.

use core::fmt;

/// A chunk of the message that follows the command's line at once (RFC 3030).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Bdat {
    /// The octets that follow.
    pub size: u64,
    /// Whether the message ends with them.
    pub last: bool,
}

impl Bdat {
    /// `chunk-size [SP end-marker]`, `chunk-size = 1*DIGIT`, `end-marker = "LAST"` (RFC 3030, 2).
    ///
    /// What was expected is the error, with the text from where it was. A size over [`u64::MAX`]
    /// is refused: nobody could say where the chunk ends.
    pub(super) fn parse(argument: &str) -> Result<Self, (&str, &'static str)> {
        let digits = argument.bytes().take_while(u8::is_ascii_digit).count();
        let (size, rest) = argument.split_at(digits);
        let size = size.parse().map_err(|_| (argument, "a chunk's size, under 2^64"))?;
        match rest.strip_prefix(' ') {
            None if rest.is_empty() => Ok(Self { size, last: false }),
            Some(marker) if marker.eq_ignore_ascii_case("LAST") => Ok(Self { size, last: true }),
            Some(marker) => Err((marker, "LAST")),
            None => Err((rest, "a digit or a space")),
        }
    }
}

impl fmt::Display for Bdat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.size, if self.last { " LAST" } else { "" })
    }
}
