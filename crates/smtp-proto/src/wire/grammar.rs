//! What the grammars share: the error of a parser, the classes of octets, and the search for the
//! end of a run of them.
//!
//! All parsers read whole lines, so they never ask for more, and fit nom's complete ones. The hot
//! ones look octets up in one table instead of asking character by character.

use nom::IResult;
use nom::error::{ErrorKind, ParseError};

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

/// Stops all alternatives `left` octets before the end of the input.
#[cold]
pub(super) fn stop<'a, T>(left: usize, cause: Cause) -> Parsed<'a, T> {
    Err(nom::Err::Failure(Miss { left, cause }))
}

/// Stops all alternatives at `rest`, where something else was wanted.
#[cold]
pub(super) fn expected<'a, T>(rest: &str, what: &'static str) -> Parsed<'a, T> {
    stop(rest.len(), Cause::Expected(what))
}

/// The value of a parser that must take the whole text.
pub(super) fn whole<'a, T>(
    text: &'a str,
    parser: impl FnOnce(&'a str) -> Parsed<'a, T>,
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
    if is_printable(text) {
        return None;
    }
    text.iter().position(|octet| !(0x20..=0x7e).contains(octet))
}

/// The first control character (%d0-31 / %d127).
pub(super) fn control(text: &[u8]) -> Option<usize> {
    text.iter().position(u8::is_ascii_control)
}

/// Whether all octets are printable ASCII (%d32-126), eight at a time.
#[inline]
pub(super) fn is_printable(text: &[u8]) -> bool {
    /// In each octet of the result the high bit is set where the word's octet is over 126, or
    /// under 32. Carries and borrows come from such octets only, so a clear word has none.
    const fn outside(word: u64) -> u64 {
        const EACH: u64 = 0x0101_0101_0101_0101;
        (word | word.wrapping_add(EACH) | word.wrapping_sub(0x20 * EACH)) & (0x80 * EACH)
    }
    let Some((last, _)) = text.split_last_chunk::<8>().map(|(_, last)| (last, ())) else {
        return text.iter().all(|octet| (0x20..=0x7e).contains(octet));
    };
    let (words, _) = text.as_chunks::<8>();
    // The last eight octets may overlap the word before: to look twice is harmless.
    let all = words.iter().fold(outside(u64::from_ne_bytes(*last)), |bad, word| {
        bad | outside(u64::from_ne_bytes(*word))
    });
    all == 0
}

/// Whether a text is the word, given in capitals, in any case.
///
/// As [`str::eq_ignore_ascii_case`], but made to be inlined where the word is a constant.
#[inline(always)]
pub(super) fn is_word(text: &str, word: &str) -> bool {
    let (text, word) = (text.as_bytes(), word.as_bytes());
    text.len() == word.len()
        && text.iter().zip(word).fold(0, |other, (octet, letter)| {
            let case = if letter.is_ascii_alphabetic() { 0x20 } else { 0 };
            other | ((octet ^ letter) & !case)
        }) == 0
}

/// Whether a text starts with the word, given in capitals, in any case.
///
/// Made for words of 4 to 8 octets that are constants: two comparisons of 4 octets each.
#[inline(always)]
pub(super) fn starts_with<const N: usize>(text: &[u8], word: &[u8; N]) -> bool {
    const { assert!(4 <= N && N <= 8) };
    let (Some(start), Some(word_start)) = (text.first_chunk::<N>(), word.first_chunk::<4>()) else {
        return false;
    };
    let (Some(head), Some(tail), Some(word_end)) =
        (start.first_chunk::<4>(), start.last_chunk::<4>(), word.last_chunk::<4>())
    else {
        return false;
    };
    are_letters(*head, *word_start) && are_letters(*tail, *word_end)
}

/// Whether four octets are those of a word in capitals, in any case.
#[inline(always)]
fn are_letters(octets: [u8; 4], word: [u8; 4]) -> bool {
    // Without that bit an octet is a capital if it was the letter, in either case.
    let letters = u32::from_le_bytes(word.map(|octet| match octet {
        b'A'..=b'Z' => 0xdf,
        _ => 0xff,
    }));
    u32::from_le_bytes(octets) & letters == u32::from_le_bytes(word)
}

/// A set of classes of octets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Class(u16);

impl Class {
    /// `atext` of RFC 5322, 3.2.3.
    pub(super) const ATEXT: Self = Self(1);
    /// `qtextSMTP = %d32-33 / %d35-91 / %d93-126`
    pub(super) const QTEXT: Self = Self(2);
    /// `Let-dig = ALPHA / DIGIT`
    pub(super) const LET_DIG: Self = Self(4);
    /// `"-"`
    pub(super) const HYPHEN: Self = Self(8);
    /// `"_"`
    pub(super) const UNDERSCORE: Self = Self(16);
    /// `dcontent = %d33-90 / %d94-126`
    pub(super) const DCONTENT: Self = Self(32);
    /// An octet of `UTF8-non-ascii` (RFC 6531, 3.3), in a text that is UTF-8.
    pub(super) const NON_ASCII: Self = Self(64);

    /// `xchar = %d33-42 / %d44-60 / %d62-126` (RFC 3461, 4)
    pub(super) const XCHAR: Self = Self(128);
    /// `"+"`
    pub(super) const PLUS: Self = Self(256);
    /// `esmtp-value = 1*(%d33-60 / %d62-126)`
    pub(super) const VALUE: Self = Self::XCHAR.or(Self::PLUS);

    /// The octets of a label of a domain in ASCII: `Let-dig / "-"`
    pub(super) const LABEL: Self = Self::LET_DIG.or(Self::HYPHEN);

    /// What is in either.
    pub(super) const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// With letters outside ASCII where a session takes them.
    pub(super) const fn or_utf8(self, utf8: bool) -> Self {
        if utf8 { self.or(Self::NON_ASCII) } else { self }
    }

    /// Whether an octet is of the class.
    #[inline]
    pub(super) const fn has(self, octet: u8) -> bool {
        CLASSES[octet as usize] & self.0 != 0
    }

    /// Where the run of octets of the class that starts at `from` ends.
    #[inline(always)]
    pub(super) fn run(self, octets: &[u8], from: usize) -> usize {
        let mut at = from;
        // The inner loop is one piece without a test of the length.
        while let Some(eight) = octets.get(at..).and_then(<[u8]>::first_chunk::<8>) {
            for (index, octet) in eight.iter().enumerate() {
                if !self.has(*octet) {
                    return at + index;
                }
            }
            at += eight.len();
        }
        while at < octets.len() && self.has(octets[at]) {
            at += 1;
        }
        at
    }
}

/// The classes of every octet.
static CLASSES: [u16; 256] = {
    let mut classes = [0; 256];
    let mut index = 0;
    while index < classes.len() {
        let octet = index as u8;
        let mut class = match octet {
            b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' => Class::LET_DIG.0 | Class::ATEXT.0,
            b'-' => Class::HYPHEN.0 | Class::ATEXT.0,
            b'_' => Class::UNDERSCORE.0 | Class::ATEXT.0,
            b'!' | b'#'..=b'\'' | b'*' | b'+' | b'/' | b'=' | b'?' | b'^' | b'`' => Class::ATEXT.0,
            b'{'..=b'~' => Class::ATEXT.0,
            0x80.. => Class::NON_ASCII.0,
            _ => 0,
        };
        if matches!(octet, b' ' | b'!' | b'#'..=b'[' | b']'..=b'~') {
            class |= Class::QTEXT.0;
        }
        if matches!(octet, b'!'..=b'Z' | b'^'..=b'~') {
            class |= Class::DCONTENT.0;
        }
        if matches!(octet, b'!'..=b'*' | b','..=b'<' | b'>'..=b'~') {
            class |= Class::XCHAR.0;
        }
        if octet == b'+' {
            class |= Class::PLUS.0;
        }
        classes[index] = class;
        index += 1;
    }
    classes
};

/// `Let-dig = ALPHA / DIGIT`
pub(super) fn is_let_dig(c: char) -> bool {
    c.is_ascii_alphanumeric()
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;
    use proptest::prelude::*;

    #[test]
    fn the_classes_are_those_of_the_rfc() {
        for octet in 0..=u8::MAX {
            let c = char::from(octet);
            let let_dig = c.is_ascii_alphanumeric();
            let atext = let_dig || "!#$%&'*+-/=?^_`{|}~".contains(c);
            assert_eq!(Class::ATEXT.has(octet), atext, "{c:?}");
            assert_eq!(Class::LET_DIG.has(octet), let_dig, "{c:?}");
            assert_eq!(Class::HYPHEN.has(octet), c == '-', "{c:?}");
            assert_eq!(Class::UNDERSCORE.has(octet), c == '_', "{c:?}");
            assert_eq!(Class::QTEXT.has(octet), matches!(octet, 32..=33 | 35..=91 | 93..=126));
            assert_eq!(Class::DCONTENT.has(octet), matches!(octet, 33..=90 | 94..=126), "{c:?}");
            assert_eq!(Class::NON_ASCII.has(octet), octet > 127, "{c:?}");
            assert_eq!(Class::VALUE.has(octet), matches!(octet, 33..=60 | 62..=126), "{c:?}");
            assert_eq!(Class::XCHAR.has(octet), matches!(octet, 33..=42 | 44..=60 | 62..=126));
        }
    }

    #[test]
    fn every_octet_is_judged_at_every_place() {
        // Miri takes a thousand times as long for each of them.
        let step = if cfg!(miri) { 31 } else { 1 };
        for len in 0..20 {
            for place in 0..len {
                for octet in (0..=u8::MAX).step_by(step) {
                    let mut text: Vec<u8> = core::iter::repeat_n(b'~', len).collect();
                    text[place] = octet;
                    let printable = (0x20..=0x7e).contains(&octet);
                    assert_eq!(is_printable(&text), printable, "{octet} at {place} of {len}");
                    assert_eq!(not_printable(&text), (!printable).then_some(place));
                }
            }
        }
    }

    proptest! {
        #[test]
        fn words_judge_as_octets_do(text in proptest::collection::vec(any::<u8>(), 0..40)) {
            let one_by_one = text.iter().all(|octet| (0x20..=0x7e).contains(octet));
            prop_assert_eq!(is_printable(&text), one_by_one);
            let clean: Vec<u8> = text.iter().map(|octet| 0x20 + octet % 0x5f).collect();
            prop_assert!(is_printable(&clean));
        }
    }
}
