//! Message text for the wire: line ends, stuffed dots, the end (RFC 5321, 4.5.2).
//!
//! Does: apply a [`MessagePolicy`] to a message that comes in parts, cut anywhere. Does not: hold
//! or bound the message. Fails: with the first [`MessageFault`].
//!
//! What is as it should be is copied in long runs, and lines that lack a CR alone one by one; the
//! rest is looked at octet by octet.

use alloc::vec::Vec;
use core::mem;
use core::ops::ControlFlow;

use memchr::{memchr3, memrchr};

use super::policy::{LineEnds, LongLines, MessageFault, MessagePolicy, MessageRule, Nul};
use crate::limits::TEXT_LINE;
use crate::wire::scan::{BLOCK, each_lone_lf, pass_sendable};

/// Puts message text on the wire: dots stuffed, lines ended with CRLF, no other CR or LF, CRLF.CRLF
/// at the end.
///
/// ```
/// use smtp_proto::wire::{DataEncoder, MessagePolicy};
///
/// let mut encoder = DataEncoder::new(MessagePolicy::default());
/// let mut out = Vec::new();
/// encoder.encode(b"a\n.b\nc", &mut out)?;
/// encoder.finish(&mut out)?;
/// assert_eq!(out, b"a\r\n..b\r\nc\r\n.\r\n");
/// # Ok::<(), smtp_proto::wire::MessageFault>(())
/// ```
#[derive(Clone, Debug)]
pub struct DataEncoder(TextEncoder<true>);

impl DataEncoder {
    /// An encoder at the start of a message.
    #[must_use]
    pub const fn new(policy: MessagePolicy) -> Self {
        Self(TextEncoder::new(policy))
    }

    /// Appends a part of the message, cut anywhere. It grows by at most one octet for each, and by
    /// three at each place where a line is folded.
    ///
    /// # Errors
    /// What the policy refuses. What was appended must not be followed by the final dot: the
    /// transaction is to be given up.
    pub fn encode(&mut self, part: &[u8], out: &mut Vec<u8>) -> Result<(), MessageFault> {
        self.0.encode(part, out)
    }

    /// Ends the message: the last line's CRLF where it is missing, then a dot and CRLF.
    ///
    /// # Errors
    /// The last octet is a CR that the policy refuses.
    pub fn finish(mut self, out: &mut Vec<u8>) -> Result<(), MessageFault> {
        self.0.finish(out)?;
        out.extend_from_slice(b".\r\n");
        Ok(())
    }
}

/// Most octets of a line, without its CRLF.
const LINE_TEXT: usize = TEXT_LINE - b"\r\n".len();

/// Octets of a line that is neither refused nor folded, whatever character is begun behind them.
const SHORT_LINE: usize = LINE_TEXT - 3;

/// Octets that are looked through before a long line among them is looked for.
const NEAR: usize = 16 * 1024;

/// Applies a policy, and stuffs dots where `DOTS`.
#[derive(Clone, Debug)]
pub(in crate::wire) struct TextEncoder<const DOTS: bool> {
    policy: MessagePolicy,
    /// Octets of the message that were read.
    at: u64,
    line_start: bool,
    /// Octets of the line that were sent, where the policy bounds them.
    column: usize,
    /// A CR was the last octet: the next one says what it is.
    cr: bool,
}

impl<const DOTS: bool> TextEncoder<DOTS> {
    pub(in crate::wire) const fn new(policy: MessagePolicy) -> Self {
        Self { policy, at: 0, line_start: true, column: 0, cr: false }
    }

    pub(in crate::wire) fn encode(
        &mut self,
        part: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), MessageFault> {
        let mut rest = part;
        let mut look_closely_to = 0;
        while let Some(&first) = rest.first() {
            let taken = if mem::take(&mut self.cr) {
                let crlf = first == b'\n';
                if crlf {
                    self.end_line(out);
                } else {
                    self.bare_cr(out)?;
                }
                usize::from(crlf)
            } else if part.len() - rest.len() < look_closely_to {
                self.text(rest, out)?
            } else {
                let taken = match self.sendable(rest) {
                    0 => self.lines(rest, out),
                    sendable => self.copy(&rest[..sendable], out),
                };
                if taken < BLOCK {
                    look_closely_to = part.len() - rest.len() + BLOCK;
                }
                taken
            };
            self.at += taken as u64;
            rest = &rest[taken..];
        }
        Ok(())
    }

    pub(in crate::wire) fn finish(&mut self, out: &mut Vec<u8>) -> Result<(), MessageFault> {
        if mem::take(&mut self.cr) {
            self.bare_cr(out)?;
        }
        if !self.line_start {
            self.end_line(out);
        }
        Ok(())
    }

    /// How many octets can be sent as they stand: whole blocks of them, none that ends in a CR.
    fn sendable(&self, rest: &[u8]) -> usize {
        if matches!(rest, [0 | b'\n', ..]) || DOTS && self.line_start && rest.first() == Some(&b'.')
        {
            return 0;
        }
        let bounded = self.policy.long_lines != LongLines::SendAsIs;
        let near = if bounded { &rest[..rest.len().min(NEAR)] } else { rest };
        let passed = pass_sendable::<DOTS>(near);
        let passed = passed - usize::from(near[..passed].ends_with(b"\r"));
        if bounded { short_lines(&near[..passed], self.column) } else { passed }
    }

    /// Sends octets as they stand.
    fn copy(&mut self, sendable: &[u8], out: &mut Vec<u8>) -> usize {
        let Some(last) = sendable.last() else { return 0 };
        out.extend_from_slice(sendable);
        self.line_start = *last == b'\n';
        if self.policy.long_lines != LongLines::SendAsIs {
            self.column = match memrchr(b'\n', sendable) {
                Some(lf) => sendable.len() - (lf + 1),
                None => self.column + sendable.len(),
            };
        }
        sendable.len()
    }

    /// Sends lines that end in LF alone, up to a CR, a NUL or a long line; how many octets of them.
    fn lines(&mut self, rest: &[u8], out: &mut Vec<u8>) -> usize {
        if self.policy.line_ends == LineEnds::Refuse {
            return 0;
        }
        let mut start = 0;
        each_lone_lf(
            rest,
            #[inline(always)]
            |lf| {
                let line = lf - start;
                if self.policy.long_lines != LongLines::SendAsIs && self.column + line > SHORT_LINE
                {
                    return ControlFlow::Break(());
                }
                if DOTS && self.line_start && rest[start] == b'.' {
                    out.push(b'.');
                }
                append(&rest[start..], line, out);
                self.end_line(out);
                start = lf + 1;
                ControlFlow::Continue(())
            },
        );
        start
    }

    /// Takes text to the next octet that is to be judged, and that octet.
    fn text(&mut self, rest: &[u8], out: &mut Vec<u8>) -> Result<usize, MessageFault> {
        let special = memchr3(b'\r', b'\n', 0, rest);
        let text = &rest[..special.unwrap_or(rest.len())];
        if DOTS && self.line_start && text.first() == Some(&b'.') {
            out.push(b'.');
        }
        self.line_text(text, 0, out)?;
        let Some(place) = special else { return Ok(text.len()) };
        match rest[place] {
            b'\r' => self.cr = true,
            b'\n' => {
                self.refuse_if(
                    self.policy.line_ends == LineEnds::Refuse,
                    MessageRule::BareLf,
                    place,
                )?;
                self.end_line(out);
            }
            nul => {
                self.refuse_if(self.policy.nul == Nul::Refuse, MessageRule::Nul, place)?;
                self.line_text(&[nul], place, out)?;
            }
        }
        Ok(place + 1)
    }

    /// Sends octets of a line, which stand `ahead` of what was read.
    fn line_text(
        &mut self,
        mut text: &[u8],
        mut ahead: usize,
        out: &mut Vec<u8>,
    ) -> Result<(), MessageFault> {
        if text.is_empty() {
            return Ok(());
        }
        self.line_start = false;
        if self.policy.long_lines != LongLines::SendAsIs {
            while let Some(room) = self.room(text) {
                self.refuse_if(
                    self.policy.long_lines == LongLines::Refuse,
                    MessageRule::LongLine,
                    ahead + room,
                )?;
                out.extend_from_slice(&text[..room]);
                out.extend_from_slice(b"\r\n ");
                self.column = 1;
                ahead += room;
                text = &text[room..];
            }
            self.column += text.len();
        }
        out.extend_from_slice(text);
        Ok(())
    }

    /// How many octets of the text have room in the line, unless all have.
    fn room(&self, text: &[u8]) -> Option<usize> {
        let room = LINE_TEXT - self.column;
        if self.policy.long_lines == LongLines::Fold {
            // A character that has no room is not begun.
            let place = (room.saturating_sub(3)..room.min(text.len()))
                .find(|&place| place + utf8_octets(text[place]) > room);
            if place.is_some() {
                return place;
            }
        }
        (text.len() > room).then_some(room)
    }

    fn end_line(&mut self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"\r\n");
        self.line_start = true;
        self.column = 0;
    }

    /// The octet before was a CR, and no LF follows it.
    fn bare_cr(&mut self, out: &mut Vec<u8>) -> Result<(), MessageFault> {
        self.at -= 1;
        self.refuse_if(self.policy.line_ends == LineEnds::Refuse, MessageRule::BareCr, 0)?;
        self.line_text(b" ", 0, out)?;
        self.at += 1;
        Ok(())
    }

    fn refuse_if(
        &self,
        refused: bool,
        rule: MessageRule,
        ahead: usize,
    ) -> Result<(), MessageFault> {
        if refused { Err(MessageFault { rule, at: self.at + ahead as u64 }) } else { Ok(()) }
    }
}

/// Appends so many octets from the start of a text. Where there is room, what stands behind them is
/// copied too and cut off again: to copy whole arrays takes less than to copy a length.
#[inline(always)]
fn append(text: &[u8], len: usize, out: &mut Vec<u8>) {
    const ARRAY: usize = 32;
    let end = out.len() + len;
    if out.capacity() - out.len() < len + ARRAY || text.len() < len + ARRAY {
        out.extend_from_slice(&text[..len]);
        return;
    }
    for array in text.as_chunks::<ARRAY>().0 {
        out.extend_from_slice(array);
        if out.len() >= end {
            break;
        }
    }
    out.truncate(end);
}

/// How many octets of a text, which goes on at a column, are in lines that have room for the longest
/// character besides: such a line is neither refused nor folded. The text ends in no CR.
fn short_lines(text: &[u8], column: usize) -> usize {
    let mut start = 0;
    let mut room = SHORT_LINE.saturating_sub(column);
    while text.len() - start > room {
        let longest = text.len().min(start + room + b"\r\n".len());
        match memrchr(b'\n', &text[start..longest]) {
            Some(lf) => start += lf + 1,
            None => return start,
        }
        room = SHORT_LINE;
    }
    text.len()
}

/// How many octets a character of UTF-8 has that begins with this one; 1 for what begins none.
const fn utf8_octets(first: u8) -> usize {
    match first {
        0xC2..=0xDF => 2,
        0xE0..=0xEF => 3,
        0xF0..=0xF4 => 4,
        _ => 1,
    }
}
