//! What the grammars share: the error of a parser, and the character classes of RFC 5321.
//!
//! All parsers read whole lines, so they are nom's complete ones and never ask for more.

use nom::error::{ErrorKind, ParseError};
use nom::{IResult, Parser};

pub(super) type Parsed<'a, T> = IResult<&'a str, T, Miss>;

/// Where a parser stopped, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Miss {
    /// Octets that were left, counted from the end: the offset once the whole length is known.
    left: usize,
    pub(super) cause: Cause,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cause {
    Expected(&'static str),
    LocalPartTooLong,
    DomainTooLong,
    PathTooLong,
}

impl Miss {
    /// The offset in a text of `whole` octets.
    pub(super) fn at(self, whole: usize) -> usize {
        whole.saturating_sub(self.left)
    }
}

impl ParseError<&str> for Miss {
    fn from_error_kind(input: &str, _: ErrorKind) -> Self {
        Self { left: input.len(), cause: Cause::Expected("another character") }
    }

    fn append(_: &str, _: ErrorKind, other: Self) -> Self {
        other
    }
}

/// The parser's error, with what it had wanted to see where it began.
pub(super) fn expect<'a, O>(
    what: &'static str,
    mut parser: impl Parser<&'a str, Output = O, Error = Miss>,
) -> impl FnMut(&'a str) -> Parsed<'a, O> {
    move |input| {
        parser.parse(input).map_err(|error| {
            error.map(|_| Miss { left: input.len(), cause: Cause::Expected(what) })
        })
    }
}

/// Stops all alternatives at `input`.
pub(super) fn fail<T>(input: &str, cause: Cause) -> Parsed<'_, T> {
    Err(nom::Err::Failure(Miss { left: input.len(), cause }))
}

/// The value of a parser that must take the whole text.
pub(super) fn whole<'a, T>(
    text: &'a str,
    mut parser: impl FnMut(&'a str) -> Parsed<'a, T>,
) -> Result<T, Miss> {
    match parser(text) {
        Ok(("", value)) => Ok(value),
        Ok((rest, _)) => {
            Err(Miss { left: rest.len(), cause: Cause::Expected("the end of the text") })
        }
        Err(error) => Err(miss(&error)),
    }
}

/// The error without nom's wrapping. A complete parser never gives `Incomplete`.
pub(super) fn miss(error: &nom::Err<Miss>) -> Miss {
    match error {
        nom::Err::Error(miss) | nom::Err::Failure(miss) => *miss,
        nom::Err::Incomplete(_) => Miss { left: 0, cause: Cause::Expected("more text") },
    }
}

/// The first octet that is not printable ASCII (%d32-126).
pub(super) fn not_printable(text: &[u8]) -> Option<usize> {
    text.iter().position(|octet| !(0x20..=0x7e).contains(octet))
}

/// The first control character (%d0-31 / %d127).
pub(super) fn control(text: &[u8]) -> Option<usize> {
    text.iter().position(u8::is_ascii_control)
}

/// `Let-dig = ALPHA / DIGIT`
pub(super) fn is_let_dig(c: char) -> bool {
    c.is_ascii_alphanumeric()
}

/// `atext` of RFC 5322, 3.2.3.
pub(super) fn is_atext(c: char) -> bool {
    is_let_dig(c)
        || matches!(c, '!' | '#'..='\'' | '*' | '+' | '-' | '/' | '=' | '?' | '^'..='`' | '{'..='~')
}

/// `qtextSMTP = %d32-33 / %d35-91 / %d93-126`
pub(super) fn is_qtext(c: char) -> bool {
    matches!(c, ' '..='~') && c != '"' && c != '\\'
}

/// `dcontent = %d33-90 / %d94-126`
pub(super) fn is_dcontent(c: char) -> bool {
    matches!(c, '!'..='Z' | '^'..='~')
}

/// `esmtp-value = 1*(%d33-60 / %d62-126)`
pub(super) fn is_esmtp_value(c: char) -> bool {
    matches!(c, '!'..='<' | '>'..='~')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_classes_are_those_of_the_rfc() {
        for c in '\0'..='\u{ff}' {
            let atext = "!#$%&'*+-/=?^_`{|}~".contains(c) || c.is_ascii_alphanumeric();
            assert_eq!(is_atext(c), atext, "{c:?}");
            let code = u32::from(c);
            assert_eq!(is_qtext(c), matches!(code, 32..=33 | 35..=91 | 93..=126), "{c:?}");
            assert_eq!(is_dcontent(c), matches!(code, 33..=90 | 94..=126), "{c:?}");
            assert_eq!(is_esmtp_value(c), matches!(code, 33..=60 | 62..=126), "{c:?}");
        }
    }
}
