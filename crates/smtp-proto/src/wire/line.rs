//! Finds one complete line in a growing buffer.
//!
//! Does: find the next LF, say whether a CR stands before it, and bound the line's length. It
//! remembers how far it looked, so a peer that sends one octet at a time costs O(n), not O(n²).
//! Does not: keep octets, or judge them. Fails: [`Line::TooLong`], after which the line can be
//! passed over with [`octets_to_line_end`].

use memchr::{memchr, memchr_iter};

use super::scan::pass_without_bare_lf;

/// How a line ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LineEnd {
    /// CR LF: the only line end of SMTP (RFC 5321, 2.3.8).
    CrLf,
    /// LF without a CR before it.
    BareLf,
}

impl LineEnd {
    /// The line end's own length, in octets.
    #[must_use]
    #[inline]
    pub const fn octets(self) -> usize {
        match self {
            Self::CrLf => 2,
            Self::BareLf => 1,
        }
    }
}

/// What a buffer starts with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Line {
    /// A whole line.
    Complete {
        /// The line's length in octets, its line end included.
        len: usize,
        /// How it ends; the text before it is `len - end.octets()` octets.
        end: LineEnd,
    },
    /// A part of a line: more input is needed.
    Incomplete,
    /// No line end within the limit.
    TooLong,
}

/// Looks for line ends, and remembers how far it looked.
///
/// A bare CR never ends a line. A bare LF does, so that whoever reads the line can refuse it.
///
/// ```
/// use smtp_proto::wire::{Line, LineEnd, LineScanner};
///
/// let mut scanner = LineScanner::new(512);
/// assert_eq!(scanner.scan(b"NOO"), Line::Incomplete);
/// assert_eq!(scanner.scan(b"NOOP\r\nQUIT\r\n"), Line::Complete { len: 6, end: LineEnd::CrLf });
/// ```
#[derive(Clone, Debug)]
pub struct LineScanner {
    limit: usize,
    searched: usize,
}

impl LineScanner {
    /// A scanner for lines of at most `limit` octets, line end included.
    #[must_use]
    pub const fn new(limit: usize) -> Self {
        Self { limit, searched: 0 }
    }

    /// Looks at a buffer that starts with the current line.
    ///
    /// After `Incomplete` the next call takes the same octets with more behind them. After
    /// `Complete` and `TooLong` the search starts afresh.
    #[inline]
    pub fn scan(&mut self, buffer: &[u8]) -> Line {
        let end = buffer.len().min(self.limit);
        let start = self.searched.min(end);
        if let Some(offset) = find_lf(&buffer[start..end]) {
            self.searched = 0;
            let lf = start + offset;
            let bare = lf == 0 || buffer[lf - 1] != b'\r';
            let end = if bare { LineEnd::BareLf } else { LineEnd::CrLf };
            return Line::Complete { len: lf + 1, end };
        }
        if buffer.len() >= self.limit {
            self.searched = 0;
            return Line::TooLong;
        }
        self.searched = end;
        Line::Incomplete
    }

    /// Forgets how far it looked: the next buffer starts with another line.
    pub fn reset(&mut self) {
        self.searched = 0;
    }
}

/// Where the first LF stands. The first octets are looked at in short blocks, since most lines are
/// short.
#[inline]
fn find_lf(text: &[u8]) -> Option<usize> {
    const BLOCK: usize = 16;
    const SHORT: usize = 8 * BLOCK;
    let mut at = 0;
    while at < SHORT {
        let Some(block) = text.get(at..).and_then(<[u8]>::first_chunk::<BLOCK>) else { break };
        // The compiler makes one comparison of the loop.
        if block.iter().fold(false, |found, octet| found | (*octet == b'\n')) {
            return first_lf(block).map(|lf| at + lf);
        }
        at += BLOCK;
    }
    let rest = text.get(at..)?;
    let lf = match rest.len() {
        // To begin a search in vectors takes longer than this.
        ..BLOCK => rest.iter().position(|octet| *octet == b'\n'),
        _ => memchr(b'\n', rest),
    };
    lf.map(|lf| at + lf)
}

/// Where the first LF stands in a block.
#[inline(always)]
fn first_lf(block: &[u8; 16]) -> Option<usize> {
    const EACH: u128 = u128::MAX / 0xff;
    // An octet is 0 where an LF stood. The lowest high bit that is set marks the first of these;
    // others above it may be wrong.
    let word = u128::from_le_bytes(*block) ^ (EACH * b'\n' as u128);
    let found = word.wrapping_sub(EACH) & !word & (0x80 * EACH);
    (found != 0).then(|| found.trailing_zeros() as usize / 8)
}

/// How many octets lead to the end of the line that the buffer starts in, its LF included; `None`
/// when the line goes on behind the buffer. For passing over a line that was too long.
#[must_use]
pub fn octets_to_line_end(buffer: &[u8]) -> Option<usize> {
    memchr(b'\n', buffer).map(|lf| lf + 1)
}

/// Where the first LF stands that has no CR before it. `behind_cr`: the octet before the text was
/// a CR.
pub(super) fn find_bare_lf(text: &[u8], behind_cr: bool) -> Option<usize> {
    if !behind_cr && text.first() == Some(&b'\n') {
        return Some(0);
    }
    let passed = pass_without_bare_lf(text).max(1);
    memchr_iter(b'\n', text.get(passed..)?).map(|lf| passed + lf).find(|&lf| text[lf - 1] != b'\r')
}

/// CRLFs for a run of bare LFs.
pub(super) const BARE_LF_RUN: &[u8] = {
    const LINE_ENDS: &[[u8; 2]] = &[*b"\r\n"; 64];
    LINE_ENDS.as_flattened()
};

/// How many LFs the text starts with, as far as [`BARE_LF_RUN`] has a CRLF for each.
pub(super) fn bare_lf_run(text: &[u8]) -> usize {
    text.iter().take(BARE_LF_RUN.len() / 2).take_while(|octet| **octet == b'\n').count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;
    use proptest::prelude::*;

    #[test]
    fn names_the_line_end() {
        let cases: &[(&[u8], Line)] = &[
            (b"", Line::Incomplete),
            (b"\r", Line::Incomplete),
            (b"\n", Line::Complete { len: 1, end: LineEnd::BareLf }),
            (b"\r\n", Line::Complete { len: 2, end: LineEnd::CrLf }),
            (b"a\rb\r\n", Line::Complete { len: 5, end: LineEnd::CrLf }),
            (b"a\nb\r\n", Line::Complete { len: 2, end: LineEnd::BareLf }),
            (b"1234567\n", Line::Complete { len: 8, end: LineEnd::BareLf }),
            (b"123456\r\n", Line::Complete { len: 8, end: LineEnd::CrLf }),
            (b"1234567\r", Line::TooLong),
            (b"1234567\r\n", Line::TooLong),
            (b"12345678", Line::TooLong),
        ];
        for (input, expected) in cases {
            assert_eq!(LineScanner::new(8).scan(input), *expected, "{input:?}");
        }
    }

    #[test]
    fn passes_over_the_rest_of_a_line() {
        assert_eq!(octets_to_line_end(b"abc\r\nd"), Some(5));
        assert_eq!(octets_to_line_end(b"abc"), None);
    }

    /// A scanner without memory, octet by octet.
    fn by_octet(text: &[u8], limit: usize) -> Line {
        let mut before = b' ';
        for (at, octet) in text.iter().take(limit).enumerate() {
            if *octet == b'\n' {
                let end = if before == b'\r' { LineEnd::CrLf } else { LineEnd::BareLf };
                return Line::Complete { len: at + 1, end };
            }
            before = *octet;
        }
        if text.len() < limit { Line::Incomplete } else { Line::TooLong }
    }

    /// What one scanner answers in the end, with so many octets more at each call.
    fn in_steps(text: &[u8], limit: usize, step: usize) -> Line {
        let mut scanner = LineScanner::new(limit);
        let mut seen = 0;
        loop {
            let answer = scanner.scan(&text[..seen]);
            if answer != Line::Incomplete || seen == text.len() {
                return answer;
            }
            seen = (seen + step).min(text.len());
        }
    }

    fn assert_found(text: &[u8], limit: usize) {
        let expected = by_octet(text, limit);
        assert_eq!(LineScanner::new(limit).scan(text), expected, "{limit}: {text:?}");
        for step in [1, 5, 16, 127] {
            assert_eq!(in_steps(text, limit, step), expected, "{limit}, {step}: {text:?}");
        }
    }

    #[test]
    fn a_line_end_is_found_at_every_place_around_the_blocks() {
        let lengths: &[usize] = match cfg!(miri) {
            true => &[15, 17, 129],
            false => &[14, 15, 16, 17, 18, 31, 32, 33, 127, 128, 129, 130, 143, 144, 145, 160],
        };
        // Octets that differ from an LF in one bit, or that a sum over more than one could mistake.
        let fillers = *b"x\r\x0b\x09\x8a\0\xff";
        for (count, len) in lengths.iter().copied().enumerate() {
            for place in 0..len {
                if cfg!(miri) && place % 29 != 0 {
                    continue;
                }
                let mut text: Vec<u8> = core::iter::repeat_n(fillers[place % 7], len).collect();
                text[place] = b'\n';
                // Another line end behind it is of another line.
                for behind in [place + 1, place + 2, place + 9].into_iter().take(count % 4) {
                    if let Some(octet) = text.get_mut(behind) {
                        *octet = b'\n';
                    }
                }
                for limit in [place, place + 1, len - 1, len, len + 1] {
                    assert_found(&text, limit.max(1));
                }
            }
            for filler in fillers {
                let text: Vec<u8> = core::iter::repeat_n(filler, len).collect();
                for limit in [len - 1, len, len + 1] {
                    assert_found(&text, limit);
                }
            }
        }
    }

    proptest! {
        #[test]
        fn whole_and_in_a_trickle_a_line_is_what_octet_by_octet_it_is(
            input in proptest::collection::vec(
                prop_oneof![1 => Just(b'\r'), 1 => Just(b'\n'), 60 => any::<u8>()],
                0..150,
            ),
            limit in prop_oneof![1..24_usize, 120..150_usize],
            step in 1..40_usize,
        ) {
            let expected = by_octet(&input, limit);
            prop_assert_eq!(LineScanner::new(limit).scan(&input), expected);
            prop_assert_eq!(in_steps(&input, limit, step), expected);
        }
    }
}
