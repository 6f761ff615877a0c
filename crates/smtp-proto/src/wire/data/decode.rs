//! Message text off the wire: its one true end, and the stuffed dots (RFC 5321, 4.5.2).
//!
//! Does: find CRLF.CRLF, take the stuffed dots out in place, and find bare LFs, at any cut. Does
//! not: hold the message, bound it, or look into it. Fails: a bare LF under [`BareLf::Reject`].

use memchr::memchr;

use crate::wire::line::{BARE_LF_RUN, bare_lf_run};
use crate::wire::scan::{BLOCK, pass_plain_lines};

/// What becomes of an LF without a CR before it, in what a peer sends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum BareLf {
    /// It is refused.
    #[default]
    Reject,
    /// It is taken as CRLF, but never ends a message: a line with a dot alone that has a bare LF
    /// at either side is dropped.
    Normalize,
}

/// What [`DataDecoder::decode`] did with a buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decoded {
    /// Octets of the buffer that were read. All of them under [`DataStatus::More`].
    pub consumed: usize,
    /// Octets of message text that stand at the front of the buffer now.
    pub body: usize,
    /// What comes next.
    pub status: DataStatus,
}

/// How a decoding goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DataStatus {
    /// The buffer is used up: more input is needed.
    More,
    /// Behind the body, these octets belong to the message, for which the buffer has no room: the
    /// CRLFs for a run of bare LFs, or a CR that came in another buffer. Decoding goes on with the
    /// rest of the buffer.
    Insert(&'static [u8]),
    /// The message is complete. What follows in the buffer is the next command.
    EndOfData,
    /// A bare LF, under [`BareLf::Reject`]: the message is refused. The decoder passes over the
    /// rest of it by itself, with empty bodies, until [`DataStatus::EndOfData`].
    BareLf {
        /// Where the LF stands in the buffer.
        at: usize,
    },
}

/// Takes message text off the wire, in place. It starts behind DATA's line end, so `.` CRLF at
/// once is an empty message.
///
/// ```
/// use smtp_proto::wire::{BareLf, DataDecoder, DataStatus};
///
/// let mut decoder = DataDecoder::new(BareLf::Reject);
/// let mut buffer = *b"a\r\n..b\r\n.\r\nQUIT\r\n";
/// let decoded = decoder.decode(&mut buffer);
/// assert_eq!(&buffer[..decoded.body], b"a\r\n.b\r\n");
/// assert_eq!(decoded.status, DataStatus::EndOfData);
/// assert_eq!(&buffer[decoded.consumed..], b"QUIT\r\n");
/// ```
#[derive(Clone, Debug)]
pub struct DataDecoder {
    bare_lf: BareLf,
    state: State,
    skipping: bool,
}

/// Where in a line the decoder stands. `after_bare`: the line before ended in a bare LF.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    LineStart {
        after_bare: bool,
    },
    /// A dot at the start of a line was taken out.
    Dot {
        after_bare: bool,
    },
    /// Then a CR was read, and is held back: it may be the end's.
    DotCr {
        after_bare: bool,
    },
    Text,
    /// In the text, behind a CR.
    TextCr,
    End,
}

impl State {
    /// Behind an octet of a line that is as it should be.
    const fn behind(octet: u8) -> Self {
        match octet {
            b'\n' => Self::LineStart { after_bare: false },
            b'\r' => Self::TextCr,
            _ => Self::Text,
        }
    }
}

impl DataDecoder {
    /// A decoder at the start of a message.
    #[must_use]
    pub const fn new(bare_lf: BareLf) -> Self {
        Self { bare_lf, state: State::LineStart { after_bare: false }, skipping: false }
    }

    /// From now on, passes over the message: bodies are empty, and only its end is reported. For
    /// a message that is refused on the way.
    pub fn skip(&mut self) {
        self.skipping = true;
    }

    /// Whether the message is passed over.
    #[must_use]
    pub const fn is_skipping(&self) -> bool {
        self.skipping
    }

    /// Reads a buffer and leaves the message text at its front. The octets behind `consumed` stay
    /// as they were; those between `body` and `consumed` are of no use.
    pub fn decode(&mut self, buffer: &mut [u8]) -> Decoded {
        let mut run = Run::new();
        let mut at = 0;
        let mut look_closely_to = 0;
        let status = loop {
            if self.state == State::End {
                break DataStatus::EndOfData;
            }
            let Some(&octet) = buffer.get(at) else { break DataStatus::More };
            match self.state {
                State::LineStart { after_bare } if octet == b'.' => {
                    run.drop_range(buffer, at, at + 1);
                    at += 1;
                    self.state = State::Dot { after_bare };
                }
                State::LineStart { .. } => self.state = State::Text,
                State::Dot { after_bare } if octet == b'\r' => match buffer.get(at + 1) {
                    None => {
                        run.drop_range(buffer, at, at + 1);
                        at += 1;
                        self.state = State::DotCr { after_bare };
                    }
                    Some(b'\n') => {
                        run.drop_range(buffer, at, at + 2);
                        at += 2;
                        self.end_of_dot_line(after_bare);
                    }
                    Some(_) => self.state = State::Text,
                },
                State::Dot { .. } if octet == b'\n' && self.takes_bare_lf() => {
                    run.drop_range(buffer, at, at + 1);
                    at += 1;
                    self.state = State::LineStart { after_bare: true };
                }
                State::Dot { .. } => self.state = State::Text,
                State::DotCr { after_bare } if octet == b'\n' => {
                    run.drop_range(buffer, at, at + 1);
                    at += 1;
                    self.end_of_dot_line(after_bare);
                }
                State::DotCr { .. } => {
                    self.state = State::Text;
                    if !self.skipping {
                        break DataStatus::Insert(b"\r");
                    }
                }
                State::Text | State::TextCr => {
                    let rest = &buffer[at..];
                    if at >= look_closely_to {
                        let plain = if octet == b'\n' { 0 } else { pass_plain_lines(rest) };
                        if plain > 0 {
                            self.state = State::behind(rest[plain - 1]);
                            at += plain;
                            continue;
                        }
                        look_closely_to = at + BLOCK;
                    }
                    let Some(lf) = memchr(b'\n', rest) else {
                        self.state = State::behind(rest[rest.len() - 1]);
                        at = buffer.len();
                        continue;
                    };
                    let behind_cr =
                        if lf > 0 { rest[lf - 1] == b'\r' } else { self.state == State::TextCr };
                    at += lf;
                    if behind_cr {
                        at += 1;
                        self.state = State::LineStart { after_bare: false };
                    } else if self.takes_bare_lf() {
                        let lines = bare_lf_run(&buffer[at..]);
                        self.state = State::LineStart { after_bare: true };
                        if !self.skipping {
                            run.drop_range(buffer, at, at + lines);
                        }
                        at += lines;
                        if !self.skipping {
                            break DataStatus::Insert(&BARE_LF_RUN[..2 * lines]);
                        }
                    } else {
                        self.state = State::Text;
                        let passed_over = self.skipping;
                        if !passed_over {
                            run.drop_range(buffer, at, at + 1);
                        }
                        at += 1;
                        if !passed_over {
                            break DataStatus::BareLf { at: at - 1 };
                        }
                    }
                }
                State::End => break DataStatus::EndOfData,
            }
        };
        let body = if self.skipping { 0 } else { run.finish(buffer, at) };
        if let DataStatus::BareLf { .. } = status {
            self.skipping = true;
        }
        Decoded { consumed: at, body, status }
    }

    fn takes_bare_lf(&self) -> bool {
        self.bare_lf == BareLf::Normalize
    }

    /// A line with a dot alone has ended in CRLF: the message's end, or, behind a bare LF, nothing.
    fn end_of_dot_line(&mut self, after_bare: bool) {
        self.state = if after_bare { State::LineStart { after_bare: false } } else { State::End };
    }
}

/// The text that is kept, moved to the front run by run: once for each octet, and not at all
/// before the first octet that is dropped.
struct Run {
    start: usize,
    written: usize,
}

impl Run {
    const fn new() -> Self {
        Self { start: 0, written: 0 }
    }

    /// Keeps the octets from the run's start to `from`, and drops those up to `to`.
    fn drop_range(&mut self, buffer: &mut [u8], from: usize, to: usize) {
        self.keep(buffer, from);
        self.start = to;
    }

    fn finish(mut self, buffer: &mut [u8], end: usize) -> usize {
        self.keep(buffer, end);
        self.written
    }

    fn keep(&mut self, buffer: &mut [u8], end: usize) {
        // Empty when the octet before was dropped too.
        let end = end.max(self.start);
        if self.written != self.start {
            buffer.copy_within(self.start..end, self.written);
        }
        self.written += end - self.start;
        self.start = end;
    }
}
