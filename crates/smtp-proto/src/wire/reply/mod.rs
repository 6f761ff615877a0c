//! Replies: the code, the enhanced status code and the text.
//!
//! Does: hold a reply so that it cannot be malformed, and print it ([`ReplyParser`] reads). The class
//! of an enhanced code is never stored: it is the code's own. What is printed holds printable
//! ASCII (on request, UTF-8) and its own CRLFs alone, whatever text was given. A reply whose lines
//! need no cutting and are printable without a CR reads back as itself. Does not: choose texts.

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt::{self, Write as _};
use core::hash::{Hash, Hasher};

use crate::limits;

mod code;
mod parser;

pub use code::{Class, Code, Detail, EnhancedCode};
pub use parser::{ReplyError, ReplyParser, ReplyStatus};

/// A reply: one line or several. Its clones share the text.
///
/// ```
/// use smtp_proto::wire::{Code, Detail, Reply};
///
/// const REFUSED: Reply =
///     Reply::new_static(Code::MAILBOX_UNAVAILABLE, Some(Detail::new(1, 1)), "no such mailbox");
/// let mut out = Vec::new();
/// REFUSED.write_to(&mut out);
/// assert_eq!(out, b"550 5.1.1 no such mailbox\r\n");
///
/// let mut out = Vec::new();
/// Reply::new(Code::OK, None, "one\ntwo\0three").write_to(&mut out);
/// assert_eq!(out, b"250-one\r\n250 two?three\r\n");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Reply {
    code: Code,
    detail: Option<Detail>,
    text: Text,
}

/// A text that costs nothing to clone.
#[derive(Clone)]
enum Text {
    Fixed(&'static str),
    Shared(Arc<str>),
}

impl Text {
    fn as_str(&self) -> &str {
        match self {
            Self::Fixed(text) => text,
            Self::Shared(text) => text,
        }
    }
}

impl PartialEq for Text {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for Text {}

impl Hash for Text {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_str().hash(state);
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_str().fmt(f)
    }
}

impl Reply {
    /// A reply with a fixed text, which allocates nothing. Otherwise as [`new`](Self::new).
    #[must_use]
    pub const fn new_static(code: Code, detail: Option<Detail>, text: &'static str) -> Self {
        let (detail, text) = match (code.class(), detail, code::leading(code, text.as_bytes())) {
            (Class::Intermediate, ..) => (None, text),
            (_, None, Some((detail, end))) => (Some(detail), text.split_at(end).1),
            (_, detail, _) => (detail, text),
        };
        Self { code, detail, text: Text::Fixed(text) }
    }

    /// A reply with a text of the caller's. A line feed in it, or CR LF, starts a new line of the
    /// reply; any other character outside printable ASCII is printed as a question mark, a tab as
    /// a space.
    ///
    /// Codes of class 3 carry no enhanced code: theirs is dropped. A text whose first line begins
    /// with an enhanced code of the code's class has that one where none is given: on the wire
    /// nothing could tell them apart.
    #[must_use]
    pub fn new(code: Code, detail: Option<Detail>, text: impl Into<String>) -> Self {
        let mut text = text.into();
        let detail = match (code.class(), detail) {
            (Class::Intermediate, _) => None,
            (_, Some(detail)) => Some(detail),
            (_, None) => code::leading(code, text.as_bytes()).map(|(detail, end)| {
                text.drain(..end);
                detail
            }),
        };
        Self { code, detail, text: Text::Shared(text.into()) }
    }

    /// A reply of the given lines, at least one: without any, it has an empty one. A line feed
    /// within a line does not start another.
    #[must_use]
    pub fn multiline<S: AsRef<str>>(
        code: Code,
        detail: Option<Detail>,
        lines: impl IntoIterator<Item = S>,
    ) -> Self {
        let mut text = String::new();
        for (index, line) in lines.into_iter().enumerate() {
            if index > 0 {
                text.push('\n');
            }
            text.extend(line.as_ref().chars().map(|c| if c == '\n' { ' ' } else { c }));
        }
        Self::new(code, detail, text)
    }

    /// The code.
    #[must_use]
    pub const fn code(&self) -> Code {
        self.code
    }

    /// The enhanced status code.
    #[must_use]
    pub fn enhanced(&self) -> Option<EnhancedCode> {
        self.detail.map(|Detail { subject, detail }| EnhancedCode {
            class: self.code.class(),
            subject,
            detail,
        })
    }

    /// The reply with this enhanced code, where it has none and its class carries them.
    #[must_use]
    pub fn or_detail(mut self, detail: Detail) -> Self {
        if self.code.class() != Class::Intermediate {
            self.detail.get_or_insert(detail);
        }
        self
    }

    /// The whole text, without codes, its lines separated by line feeds.
    #[must_use]
    pub fn text(&self) -> &str {
        self.text.as_str()
    }

    /// The text's lines, without codes: at least one.
    pub fn lines(&self) -> impl Iterator<Item = &str> {
        self.text().split('\n').map(|line| line.strip_suffix('\r').unwrap_or(line))
    }

    /// The reply with at most so many octets of its text. Where some are cut off, `...` stands
    /// behind the rest.
    #[must_use]
    pub fn abridged(self, octets: usize) -> Self {
        let text = self.text();
        if text.len() <= octets {
            return self;
        }
        let mut end = octets;
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        let text = Text::Shared([&text[..end], "..."].concat().into());
        Self { text, ..self }
    }

    /// Appends the reply as it goes on the wire, in ASCII. Text that is too long for one line
    /// ([`limits::REPLY_LINE`]) goes on in a further one.
    pub fn write_to(&self, out: &mut Vec<u8>) {
        self.write(Charset::Ascii, out);
    }

    /// As [`write_to`](Self::write_to), with the characters outside ASCII as they are, in UTF-8. A
    /// server may do so in two places only (RFC 6531, 3.7.4): for the address of a 251 or 551 reply,
    /// where MAIL had the SMTPUTF8 parameter, and in the reply to a VRFY or EXPN that had it.
    ///
    /// No character is cut in two where a line is full.
    pub fn write_utf8_to(&self, out: &mut Vec<u8>) {
        self.write(Charset::Utf8, out);
    }

    fn write(&self, charset: Charset, out: &mut Vec<u8>) {
        let mut pieces = self.lines().flat_map(|line| Pieces::new(line, charset)).peekable();
        while let Some(piece) = pieces.next() {
            let last = pieces.peek().is_none();
            self.write_line(piece, last, charset, out);
        }
    }

    fn write_line(&self, text: &str, last: bool, charset: Charset, out: &mut Vec<u8>) {
        push_number(self.code.get(), out);
        let codes_only = text.is_empty() && self.detail.is_none();
        match (last, codes_only) {
            (false, _) => out.push(b'-'),
            (true, false) => out.push(b' '),
            (true, true) => {}
        }
        if let Some(Detail { subject, detail }) = self.detail {
            push_number(self.code.first_digit(), out);
            out.push(b'.');
            push_number(subject, out);
            out.push(b'.');
            push_number(detail, out);
            if !text.is_empty() {
                out.push(b' ');
            }
        }
        for character in text.chars() {
            let mut octets = [0; 4];
            out.extend_from_slice(charset.printed(character).encode_utf8(&mut octets).as_bytes());
        }
        out.extend_from_slice(b"\r\n");
    }
}

/// What a text may hold on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Charset {
    Ascii,
    Utf8,
}

impl Charset {
    /// What stands on the wire for a character of a text.
    fn printed(self, character: char) -> char {
        match character {
            ' '..='~' => character,
            '\t' => ' ',
            _ if self == Self::Ascii || character.is_ascii() || character.is_control() => '?',
            _ => character,
        }
    }
}

/// Prints the codes and the text, without line ends: several lines are joined with ` / `.
impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.code)?;
        if let Some(enhanced) = self.enhanced() {
            write!(f, " {enhanced}")?;
        }
        for (index, line) in self.lines().enumerate() {
            f.write_str(if index > 0 {
                " / "
            } else if line.is_empty() {
                ""
            } else {
                " "
            })?;
            for c in line.chars() {
                f.write_char(Charset::Ascii.printed(c))?;
            }
        }
        Ok(())
    }
}

fn push_number(number: u16, out: &mut Vec<u8>) {
    // At most three digits: codes are below 600, subjects and details below 1000.
    let digits = [number / 100, number / 10 % 10, number % 10].map(|digit| b'0' + digit as u8);
    let leading = digits.iter().take(2).take_while(|digit| **digit == b'0').count();
    out.extend_from_slice(&digits[leading..]);
}

/// Longest text of one line, in octets: the line less its code, separator, the longest enhanced
/// code with its space, and CRLF.
pub(super) const TEXT: usize =
    limits::REPLY_LINE - "250-".len() - "2.999.999 ".len() - "\r\n".len();

/// One line's text in pieces that print as at most [`TEXT`] octets, cut at a space where there is
/// one, and never within a character.
struct Pieces<'a> {
    rest: Option<&'a str>,
    charset: Charset,
}

impl<'a> Pieces<'a> {
    const fn new(line: &'a str, charset: Charset) -> Self {
        Self { rest: Some(line), charset }
    }

    /// Where a text is too long: the offset up to which it is not.
    fn full(&self, text: &str) -> Option<usize> {
        if text.len() <= TEXT {
            return None;
        }
        let mut octets = 0;
        let mut offsets = text.char_indices();
        offsets.find_map(|(offset, character)| {
            octets += self.charset.printed(character).len_utf8();
            (octets > TEXT).then_some(offset)
        })
    }
}

impl<'a> Iterator for Pieces<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        let rest = self.rest.take()?;
        let Some(limit) = self.full(rest) else { return Some(rest) };
        let cut = rest[..limit].rfind(' ').filter(|space| *space > 0).unwrap_or(limit);
        let (piece, rest) = rest.split_at(cut);
        self.rest = Some(rest.strip_prefix(' ').unwrap_or(rest));
        Some(piece)
    }
}

/// A reply that refuses: its code is 4yz or 5yz.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Refusal(Reply);

impl Refusal {
    /// `None` when the reply does not refuse.
    #[must_use]
    pub fn new(reply: Reply) -> Option<Self> {
        matches!(reply.code.class(), Class::Transient | Class::Permanent).then_some(Self(reply))
    }

    /// 451 with an enhanced code and a text: not now.
    #[must_use]
    pub fn transient(detail: Detail, text: impl Into<String>) -> Self {
        Self(Reply::new(Code::LOCAL_ERROR, Some(detail), text))
    }

    /// 550 with an enhanced code and a text: not ever.
    #[must_use]
    pub fn permanent(detail: Detail, text: impl Into<String>) -> Self {
        Self(Reply::new(Code::MAILBOX_UNAVAILABLE, Some(detail), text))
    }

    /// The reply.
    #[must_use]
    pub const fn reply(&self) -> &Reply {
        &self.0
    }

    /// Whether it is final: 5yz.
    #[must_use]
    pub fn is_permanent(&self) -> bool {
        self.0.code.class() == Class::Permanent
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
