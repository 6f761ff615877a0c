//! The ways in which one stream of octets can arrive.

use std::fmt;

/// How a stream of octets is cut into reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Schedule {
    /// As one piece.
    Whole,
    /// One octet at a time.
    Bytes,
    /// As two pieces, the second of which begins at this offset.
    CutAt(usize),
}

impl Schedule {
    /// Whether the stream is cut before the octet at `offset`.
    pub fn cuts_at(self, offset: usize) -> bool {
        match self {
            Self::Whole => false,
            Self::Bytes => true,
            Self::CutAt(cut) => cut == offset,
        }
    }

    /// The pieces of `bytes`, in order; none is empty.
    pub fn chunks(self, bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
        self.chunks_from(0, bytes, &[])
    }

    /// The pieces of `bytes`, which stand at `start` of the stream; never cut at a glued offset.
    pub(crate) fn chunks_from<'a>(
        self,
        start: usize,
        bytes: &'a [u8],
        glued: &'a [usize],
    ) -> impl Iterator<Item = &'a [u8]> {
        let mut from = 0;
        std::iter::from_fn(move || {
            if from == bytes.len() {
                return None;
            }
            let to = (from + 1..bytes.len())
                .find(|&at| self.cuts_at(start + at) && !glued.contains(&(start + at)))
                .unwrap_or(bytes.len());
            let chunk = &bytes[from..to];
            from = to;
            Some(chunk)
        })
    }
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Whole => f.write_str("whole"),
            Self::Bytes => f.write_str("byte by byte"),
            Self::CutAt(offset) => write!(f, "cut at input octet {offset}"),
        }
    }
}

/// Every schedule for a stream of `len` octets: whole, byte by byte, and cut at every offset.
///
/// ```
/// use smtp_testkit::transcript::schedules;
/// let pieces: Vec<Vec<&[u8]>> = schedules(3).map(|s| s.chunks(b"abc").collect()).collect();
/// let expected: [&[&[u8]]; 4] = [&[b"abc"], &[b"a", b"b", b"c"], &[b"a", b"bc"], &[b"ab", b"c"]];
/// assert_eq!(pieces, expected);
/// ```
pub fn schedules(len: usize) -> impl Iterator<Item = Schedule> {
    [Schedule::Whole, Schedule::Bytes].into_iter().chain((1..len).map(Schedule::CutAt))
}
