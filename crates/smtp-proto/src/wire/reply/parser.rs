//! Reads a reply, line by line.
//!
//! Does: take whole lines from the front of a buffer until the reply is complete, in bounded
//! memory, and not one octet behind it: what follows a reply is the caller's to judge. Does not:
//! pair replies with commands. Fails: [`ReplyError`], which stays.
//!
//! Read but not printed: a code without text (RFC 5321, 4.2), text outside printable ASCII (each
//! octet becomes a question mark, unless UTF-8 is [kept](ReplyParser::keep_utf8)), second digits
//! above 5, lines without the enhanced code that the first has. An enhanced code that the first
//! line has not is text.

use alloc::string::String;

use thiserror::Error;

use super::{Charset, Code, Detail, Reply, Text, code};
use crate::limits;
use crate::wire::data::BareLf;
use crate::wire::grammar;
use crate::wire::line::{Line, LineEnd, LineScanner};

/// How far a reply has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReplyStatus {
    /// The reply is whole.
    Complete {
        /// The reply.
        reply: Reply,
        /// Octets to take from the front of the buffer.
        consumed: usize,
    },
    /// More input is needed.
    Incomplete {
        /// Octets to take from the front of the buffer: the whole lines in it.
        consumed: usize,
    },
}

/// Why what was read is no reply. Always the peer's fault.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReplyError {
    /// A line without a code of three digits, 200 to 599, or with something else than a space or
    /// a hyphen behind it.
    #[error("a line of the reply does not start with a reply code")]
    NoCode,
    /// The lines of one reply have different codes.
    #[error("the reply goes from code {first} to code {other}")]
    CodeChanged {
        /// The first line's code.
        first: u16,
        /// The other code.
        other: u16,
    },
    /// A line ends in LF without CR.
    #[error("a line of the reply ends in a bare LF")]
    BareLf,
    /// A line is over [`limits::REPLY_LINE_READ`].
    #[error("a line of the reply is too long")]
    LineTooLong,
    /// The reply is over [`limits::REPLY_LINES_READ`] or [`limits::REPLY_OCTETS_READ`].
    #[error("the reply is too long")]
    TooLong,
}

/// Reads replies, one after the other.
///
/// ```
/// use smtp_proto::wire::{Code, ReplyParser, ReplyStatus};
///
/// let mut parser = ReplyParser::new();
/// let input = b"250-mx.example.org\r\n250 SIZE 1000\r\nleft";
/// let Ok(ReplyStatus::Complete { reply, consumed }) = parser.feed(input) else { panic!() };
/// assert_eq!(reply.code(), Code::OK);
/// assert_eq!(reply.lines().collect::<Vec<_>>(), ["mx.example.org", "SIZE 1000"]);
/// assert_eq!(&input[consumed..], b"left");
/// ```
#[derive(Clone, Debug)]
pub struct ReplyParser {
    bare_lf: BareLf,
    utf8: bool,
    scanner: LineScanner,
    code: Option<Code>,
    detail: Option<Detail>,
    text: String,
    lines: usize,
    octets: usize,
    failed: Option<ReplyError>,
}

impl Default for ReplyParser {
    fn default() -> Self {
        Self::new()
    }
}

impl ReplyParser {
    /// A parser that refuses lines that end in a bare LF.
    #[must_use]
    pub const fn new() -> Self {
        Self::with_bare_lf(BareLf::Reject)
    }

    /// A parser that refuses a bare LF, or takes it as a line end.
    #[must_use]
    pub const fn with_bare_lf(bare_lf: BareLf) -> Self {
        Self {
            bare_lf,
            utf8: false,
            scanner: LineScanner::new(limits::REPLY_LINE_READ),
            code: None,
            detail: None,
            text: String::new(),
            lines: 0,
            octets: 0,
            failed: None,
        }
    }

    /// Whether text in UTF-8 is kept from now on. A client that used the SMTPUTF8 parameter must be
    /// able to read it (RFC 6531, 3.7.4). Without, each octet outside ASCII becomes a question mark.
    pub const fn keep_utf8(&mut self, keep: bool) {
        self.utf8 = keep;
    }

    /// Takes whole lines from the front of the buffer. The caller removes the `consumed` octets,
    /// and gives the rest again with more behind it; a line is never longer than
    /// [`limits::REPLY_LINE_READ`], so neither is that rest. After a complete reply the parser is
    /// ready for the next.
    ///
    /// # Errors
    /// The peer does not speak SMTP; every later call gives the same error.
    pub fn feed(&mut self, buffer: &[u8]) -> Result<ReplyStatus, ReplyError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        let status = self.advance(buffer);
        self.failed = status.as_ref().err().copied();
        status
    }

    /// Whether a reply has begun and is not complete.
    #[must_use]
    pub fn is_within_reply(&self) -> bool {
        self.lines > 0
    }

    fn advance(&mut self, buffer: &[u8]) -> Result<ReplyStatus, ReplyError> {
        let mut consumed = 0;
        loop {
            let rest = &buffer[consumed..];
            let (len, end) = match self.scanner.scan(rest) {
                Line::Complete { len, end } => (len, end),
                Line::Incomplete => return Ok(ReplyStatus::Incomplete { consumed }),
                Line::TooLong => return Err(ReplyError::LineTooLong),
            };
            if end == LineEnd::BareLf && self.bare_lf == BareLf::Reject {
                return Err(ReplyError::BareLf);
            }
            self.lines += 1;
            self.octets += len;
            if self.lines > limits::REPLY_LINES_READ || self.octets > limits::REPLY_OCTETS_READ {
                return Err(ReplyError::TooLong);
            }
            consumed += len;
            if let Some(reply) = self.line(&rest[..len - end.octets()])? {
                return Ok(ReplyStatus::Complete { reply, consumed });
            }
        }
    }

    /// Takes one line; the reply, when it is the last.
    ///
    /// `Reply-line = *( Reply-code "-" [ textstring ] CRLF ) Reply-code [ SP textstring ] CRLF`
    fn line(&mut self, line: &[u8]) -> Result<Option<Reply>, ReplyError> {
        let (code, rest) = reply_code(line).ok_or(ReplyError::NoCode)?;
        let (more, text) = match rest {
            [] => (false, rest),
            [b' ', text @ ..] => (false, text),
            [b'-', text @ ..] => (true, text),
            _ => return Err(ReplyError::NoCode),
        };
        let enhanced = enhanced(code, text);
        match self.code {
            Some(first) if first != code => {
                return Err(ReplyError::CodeChanged { first: first.get(), other: code.get() });
            }
            Some(_) => self.text.push('\n'),
            None => {
                self.code = Some(code);
                self.detail = enhanced.map(|(detail, _)| detail);
            }
        }
        // The code before the text is cut off where it is the first line's: printing adds it.
        let text = match enhanced {
            Some((detail, text)) if Some(detail) == self.detail => text,
            _ => text,
        };
        push_printable(text, self.utf8, &mut self.text);
        if more {
            return Ok(None);
        }
        let reply =
            Reply { code, detail: self.detail, text: Text::Shared(self.text.as_str().into()) };
        self.text.clear();
        self.text.shrink_to(limits::REPLY_LINE);
        (self.code, self.detail, self.lines, self.octets) = (None, None, 0, 0);
        Ok(Some(reply))
    }
}

/// `Reply-code`, and what stands behind it.
fn reply_code(line: &[u8]) -> Option<(Code, &[u8])> {
    let (digits, rest) = line.split_at_checked(3)?;
    let number = digits.iter().try_fold(0, |number, octet| {
        octet.is_ascii_digit().then(|| number * 10 + u16::from(octet - b'0'))
    })?;
    Some((Code::new(number)?, rest))
}

/// An enhanced status code of the code's own class at the start of a line's text, and the text
/// behind it and its space.
fn enhanced(code: Code, text: &[u8]) -> Option<(Detail, &[u8])> {
    let (detail, end) = code::leading(code, text)?;
    // A CR ends no line: here it is a character of the word.
    let behind = &text[end..];
    let apart = matches!(text[end - 1], b' ' | b'\t');
    (apart || !behind.starts_with(b"\r")).then_some((detail, behind))
}

/// Appends a text; a tab becomes a space. What is not printable ASCII becomes a question mark for
/// each of its octets; with `utf8`, only what is no UTF-8 does, and each control character.
fn push_printable(text: &[u8], utf8: bool, out: &mut String) {
    if grammar::is_printable(text)
        && let Ok(text) = core::str::from_utf8(text)
    {
        out.push_str(text);
        return;
    }
    let charset = if utf8 { Charset::Utf8 } else { Charset::Ascii };
    for chunk in text.utf8_chunks() {
        for character in chunk.valid().chars() {
            let octets = if utf8 { 1 } else { character.len_utf8() };
            out.extend(core::iter::repeat_n(charset.printed(character), octets));
        }
        out.extend(chunk.invalid().iter().map(|_| '?'));
    }
}
