//! Replies: the code, the enhanced status code and the text.
//!
//! Does: hold a reply so that it cannot be malformed, and print it ([`ReplyParser`] reads). The class
//! of an enhanced code is never stored: it is the code's own. What is printed holds printable
//! ASCII and its own CRLFs alone, whatever text was given. Does not: choose texts.

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use core::hash::{Hash, Hasher};

use crate::limits;

mod parser;

pub use parser::{ReplyError, ReplyParser, ReplyStatus};

/// What the first digit of a reply code says (RFC 5321, 4.2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Class {
    /// 2yz: done.
    Positive,
    /// 3yz: go on.
    Intermediate,
    /// 4yz: not now.
    Transient,
    /// 5yz: not ever.
    Permanent,
}

/// A reply code: 200 to 599.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Code(u16);

impl Code {
    /// 211: system status.
    pub const SYSTEM_STATUS: Self = Self(211);
    /// 214: help.
    pub const HELP: Self = Self(214);
    /// 220: ready.
    pub const READY: Self = Self(220);
    /// 221: closing, as asked.
    pub const CLOSING: Self = Self(221);
    /// 250: done.
    pub const OK: Self = Self(250);
    /// 252: cannot verify, but will try.
    pub const CANNOT_VERIFY: Self = Self(252);
    /// 354: send the message text.
    pub const START_MAIL_INPUT: Self = Self(354);
    /// 421: closing.
    pub const SERVICE_NOT_AVAILABLE: Self = Self(421);
    /// 450: the mailbox is not available now.
    pub const MAILBOX_BUSY: Self = Self(450);
    /// 451: a local error.
    pub const LOCAL_ERROR: Self = Self(451);
    /// 452: no storage now, or too many recipients.
    pub const INSUFFICIENT_STORAGE: Self = Self(452);
    /// 454: no TLS now (RFC 3207).
    pub const TLS_NOT_AVAILABLE: Self = Self(454);
    /// 500: unknown command, or one too long.
    pub const UNRECOGNISED: Self = Self(500);
    /// 501: a wrong argument.
    pub const ARGUMENT_SYNTAX: Self = Self(501);
    /// 502: a known command, not implemented.
    pub const NOT_IMPLEMENTED: Self = Self(502);
    /// 503: not now, in this order.
    pub const BAD_SEQUENCE: Self = Self(503);
    /// 530: TLS or authentication first (RFC 3207, RFC 4954).
    pub const REQUIRED_FIRST: Self = Self(530);
    /// 550: no such mailbox, or refused.
    pub const MAILBOX_UNAVAILABLE: Self = Self(550);
    /// 552: too large.
    pub const EXCEEDED_STORAGE: Self = Self(552);
    /// 553: the mailbox's name is not allowed.
    pub const MAILBOX_NAME: Self = Self(553);
    /// 554: the transaction failed.
    pub const TRANSACTION_FAILED: Self = Self(554);
    /// 555: a parameter of MAIL or RCPT is not known.
    pub const PARAMETER_NOT_RECOGNISED: Self = Self(555);

    /// `None` outside 200 to 599.
    #[must_use]
    pub const fn new(code: u16) -> Option<Self> {
        if code >= 200 && code <= 599 { Some(Self(code)) } else { None }
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> u16 {
        self.0
    }

    /// The class: what the first digit says.
    #[must_use]
    pub const fn class(self) -> Class {
        match self.0 / 100 {
            2 => Class::Positive,
            3 => Class::Intermediate,
            4 => Class::Transient,
            _ => Class::Permanent,
        }
    }

    fn first_digit(self) -> u16 {
        self.0 / 100
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:03}", self.0)
    }
}

/// The subject and the detail of an enhanced status code (RFC 3463); its class is the reply
/// code's, so the two cannot disagree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Detail {
    subject: u16,
    detail: u16,
}

impl Detail {
    /// `x.subject.detail`
    #[must_use]
    pub const fn new(subject: u8, detail: u8) -> Self {
        Self { subject: subject as u16, detail: detail as u16 }
    }
}

/// An enhanced status code as a reply carries it: `5.7.1` (RFC 3463, RFC 2034).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct EnhancedCode {
    /// The reply code's class; never [`Class::Intermediate`].
    pub class: Class,
    /// What it is about, 0 to 999: 1 addressing, 2 mailbox, 3 mail system, 4 network, 5 protocol,
    /// 6 content, 7 policy.
    pub subject: u16,
    /// What exactly, 0 to 999.
    pub detail: u16,
}

impl fmt::Display for EnhancedCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let class = match self.class {
            Class::Positive => 2,
            Class::Intermediate => 3,
            Class::Transient => 4,
            Class::Permanent => 5,
        };
        write!(f, "{class}.{}.{}", self.subject, self.detail)
    }
}

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
    /// A reply with a fixed text, which allocates nothing. A line feed in the text, or CR LF,
    /// starts a new line of the reply. Codes of class 3 carry no enhanced code: theirs is dropped.
    #[must_use]
    pub const fn new_static(code: Code, detail: Option<Detail>, text: &'static str) -> Self {
        let detail = if matches!(code.class(), Class::Intermediate) { None } else { detail };
        Self { code, detail, text: Text::Fixed(text) }
    }

    /// A reply with a text of the caller's. A line feed in it, or CR LF, starts a new line of the
    /// reply; any other character outside printable ASCII is printed as a question mark, a tab as
    /// a space.
    #[must_use]
    pub fn new(code: Code, detail: Option<Detail>, text: impl Into<String>) -> Self {
        let detail = detail.filter(|_| code.class() != Class::Intermediate);
        Self { code, detail, text: Text::Shared(text.into().into()) }
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

    /// Appends the reply as it goes on the wire. Text that is too long for one line
    /// ([`limits::REPLY_LINE`]) goes on in a further one.
    pub fn write_to(&self, out: &mut Vec<u8>) {
        let mut pieces = self.lines().flat_map(Pieces::new).peekable();
        while let Some(piece) = pieces.next() {
            let last = pieces.peek().is_none();
            self.write_line(piece, last, out);
        }
    }

    fn write_line(&self, text: &str, last: bool, out: &mut Vec<u8>) {
        push_number(self.code.0, out);
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
        out.extend(text.chars().map(printable));
        out.extend_from_slice(b"\r\n");
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
                write!(f, "{}", char::from(printable(c)))?;
            }
        }
        Ok(())
    }
}

/// What stands on the wire for a character of a text.
fn printable(c: char) -> u8 {
    match c {
        ' '..='~' => c as u8,
        '\t' => b' ',
        _ => b'?',
    }
}

fn push_number(number: u16, out: &mut Vec<u8>) {
    // At most three digits: codes are below 600, subjects and details below 1000.
    let digits = [number / 100, number / 10 % 10, number % 10].map(|digit| b'0' + digit as u8);
    let leading = digits.iter().take(2).take_while(|digit| **digit == b'0').count();
    out.extend_from_slice(&digits[leading..]);
}

/// Longest text of one line, in characters: the line less its code, separator, the longest
/// enhanced code with its space, and CRLF.
pub(super) const TEXT: usize =
    limits::REPLY_LINE - "250-".len() - "2.999.999 ".len() - "\r\n".len();

/// One line's text in pieces of at most [`TEXT`] characters, cut at a space where there is one.
struct Pieces<'a> {
    rest: Option<&'a str>,
}

impl<'a> Pieces<'a> {
    fn new(line: &'a str) -> Self {
        Self { rest: Some(line) }
    }
}

impl<'a> Iterator for Pieces<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        let rest = self.rest.take()?;
        let Some((limit, _)) = rest.char_indices().nth(TEXT) else {
            return Some(rest);
        };
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
