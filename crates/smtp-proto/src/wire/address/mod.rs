//! Reverse-paths, forward-paths, mailboxes and domains (RFC 5321, 4.1.2 and 4.1.3).
//!
//! Does: read what stands on the wire and what a caller passes, and keep it as it was written,
//! so it prints back unchanged. All of these values can only be made by parsing, so none can put
//! a line end, a control character or a parameter on the wire. Does not: resolve, compare or
//! rewrite addresses. Fails: [`AddressError`], with the offset.
//!
//! Letters outside ASCII (RFC 6531) are read only by `parse_utf8`, and in a command where its
//! [`Syntax`](super::Syntax) takes them. Limits count octets.
//!
//! Stricter than the grammar: an IPv4 literal has no leading zeros. Source routes are taken and
//! dropped, as RFC 5321 asks (appendix C).

mod client_name;
mod domain;
pub(super) mod plain;

use core::fmt;

use thiserror::Error;

pub use self::client_name::ClientName;
pub(super) use self::client_name::{client_name, client_name_with};
pub use self::domain::{AddressLiteral, Domain};

use self::domain::{domain, domain_name, label};
use super::grammar::{self, Cause, Class, Miss, Parsed, expected, stop};
use crate::limits;

/// Why a text is no address. Offsets are octets from the start of the text that was parsed.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum AddressError {
    /// An octet outside printable ASCII.
    #[error("an octet outside printable ASCII at offset {at}")]
    NotPrintableAscii {
        /// Where it stands.
        at: usize,
    },
    /// The grammar wants something else here.
    #[error("{expected} expected at offset {at}")]
    Syntax {
        /// Where the text leaves the grammar.
        at: usize,
        /// What could have stood there.
        expected: &'static str,
    },
    /// The local-part is over [`limits::LOCAL_PART`].
    #[error("the local-part at offset {at} is too long")]
    LocalPartTooLong {
        /// Where it starts.
        at: usize,
    },
    /// The domain is over [`limits::DOMAIN`], or a label of it over [`limits::DOMAIN_LABEL`].
    #[error("the domain at offset {at} is too long")]
    DomainTooLong {
        /// Where it starts.
        at: usize,
    },
    /// The path is over [`limits::PATH`].
    #[error("the path at offset {at} is too long")]
    PathTooLong {
        /// Where it starts.
        at: usize,
    },
}

impl AddressError {
    /// The offset, in octets.
    #[must_use]
    pub const fn at(self) -> usize {
        match self {
            Self::NotPrintableAscii { at }
            | Self::Syntax { at, .. }
            | Self::LocalPartTooLong { at }
            | Self::DomainTooLong { at }
            | Self::PathTooLong { at } => at,
        }
    }

    /// What a parser's error means in a text of `whole` octets.
    pub(super) fn from_miss(miss: Miss, whole: usize) -> Self {
        let at = miss.at(whole);
        match miss.cause {
            Cause::Expected(expected) => Self::Syntax { at, expected },
            Cause::LocalPartTooLong => Self::LocalPartTooLong { at },
            Cause::DomainTooLong => Self::DomainTooLong { at },
            Cause::PathTooLong => Self::PathTooLong { at },
        }
    }
}

/// `local-part@domain`, as it was written, without a source route.
///
/// ```
/// use smtp_proto::wire::{Domain, Mailbox};
///
/// let mailbox = Mailbox::parse("\"a b\"@example.org")?;
/// assert_eq!(mailbox.local_part(), "\"a b\"");
/// assert_eq!(mailbox.domain(), Domain::Name("example.org"));
/// assert!(Mailbox::parse("a@example.org> SIZE=1").is_err());
/// # Ok::<(), smtp_proto::wire::AddressError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Mailbox<'a> {
    text: &'a str,
    /// The octets of the local-part: at most [`limits::LOCAL_PART`].
    local_part: u8,
}

impl<'a> Mailbox<'a> {
    /// Reads `local-part@domain`, without brackets.
    ///
    /// # Errors
    /// The text is no mailbox, or is over a limit (254 octets: a path less its brackets).
    pub fn parse(text: &'a str) -> Result<Self, AddressError> {
        ascii(text)?;
        Self::parse_utf8(text)
    }

    /// As [`Mailbox::parse`], with letters outside ASCII taken (RFC 6531, 3.3).
    ///
    /// # Errors
    /// As [`Mailbox::parse`].
    pub fn parse_utf8(text: &'a str) -> Result<Self, AddressError> {
        if text.len() + 2 > limits::PATH {
            return Err(AddressError::PathTooLong { at: 0 });
        }
        whole(text, |input| mailbox(input, true))
    }

    /// The mailbox as it was written.
    #[must_use]
    pub const fn as_str(&self) -> &'a str {
        self.text
    }

    /// The local-part as it was written, with its quotes.
    #[must_use]
    #[inline]
    pub fn local_part(&self) -> &'a str {
        &self.text[..usize::from(self.local_part)]
    }

    /// The domain.
    #[must_use]
    #[inline]
    pub fn domain(&self) -> Domain<'a> {
        Domain::of(&self.text[usize::from(self.local_part) + 1..])
    }

    /// Whether it may stand in a command without SMTPUTF8.
    #[must_use]
    pub const fn is_ascii(&self) -> bool {
        self.text.is_ascii()
    }
}

impl fmt::Display for Mailbox<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text)
    }
}

/// Where failures of a message are reported: MAIL's argument. Prints with its brackets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ReversePath<'a> {
    /// `<>`: nowhere (RFC 5321, 4.5.5).
    Null,
    /// `<mailbox>`
    Mailbox(Mailbox<'a>),
}

impl<'a> ReversePath<'a> {
    /// Reads a mailbox with or without brackets, or `<>`. The empty text is refused: a caller
    /// who means the null path writes it.
    ///
    /// # Errors
    /// The text is no reverse-path, or is over a limit.
    pub fn parse(text: &'a str) -> Result<Self, AddressError> {
        ascii(text)?;
        Self::parse_utf8(text)
    }

    /// As [`ReversePath::parse`], with letters outside ASCII taken (RFC 6531, 3.3).
    ///
    /// # Errors
    /// As [`ReversePath::parse`].
    pub fn parse_utf8(text: &'a str) -> Result<Self, AddressError> {
        if text.starts_with('<') {
            whole(text, |input| reverse_path(input, true))
        } else {
            Mailbox::parse_utf8(text).map(Self::Mailbox)
        }
    }

    /// Whether it may stand in a command without SMTPUTF8.
    #[must_use]
    pub const fn is_ascii(&self) -> bool {
        self.as_str().is_ascii()
    }

    /// The mailbox; `None` for the null path.
    #[must_use]
    pub const fn mailbox(self) -> Option<Mailbox<'a>> {
        match self {
            Self::Null => None,
            Self::Mailbox(mailbox) => Some(mailbox),
        }
    }

    /// The text between the brackets: empty for the null path.
    #[must_use]
    pub const fn as_str(&self) -> &'a str {
        match self {
            Self::Null => "",
            Self::Mailbox(mailbox) => mailbox.as_str(),
        }
    }
}

impl fmt::Display for ReversePath<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<{}>", self.as_str())
    }
}

/// A recipient: RCPT's argument. Prints with its brackets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ForwardPath<'a> {
    /// `<Postmaster>` without a domain, in any case (RFC 5321, 4.5.1). Prints as `<postmaster>`.
    Postmaster,
    /// `<mailbox>`
    Mailbox(Mailbox<'a>),
}

impl<'a> ForwardPath<'a> {
    /// Reads a mailbox or `postmaster`, with or without brackets.
    ///
    /// # Errors
    /// The text is no forward-path, or is over a limit.
    pub fn parse(text: &'a str) -> Result<Self, AddressError> {
        ascii(text)?;
        Self::parse_utf8(text)
    }

    /// As [`ForwardPath::parse`], with letters outside ASCII taken (RFC 6531, 3.3).
    ///
    /// # Errors
    /// As [`ForwardPath::parse`].
    pub fn parse_utf8(text: &'a str) -> Result<Self, AddressError> {
        if text.starts_with('<') {
            whole(text, |input| forward_path(input, true))
        } else if text.eq_ignore_ascii_case("postmaster") {
            Ok(Self::Postmaster)
        } else {
            Mailbox::parse_utf8(text).map(Self::Mailbox)
        }
    }

    /// Whether it may stand in a command without SMTPUTF8.
    #[must_use]
    pub const fn is_ascii(&self) -> bool {
        self.as_str().is_ascii()
    }

    /// The mailbox; `None` for the postmaster without a domain.
    #[must_use]
    pub const fn mailbox(self) -> Option<Mailbox<'a>> {
        match self {
            Self::Postmaster => None,
            Self::Mailbox(mailbox) => Some(mailbox),
        }
    }

    /// The text between the brackets.
    #[must_use]
    pub const fn as_str(&self) -> &'a str {
        match self {
            Self::Postmaster => "postmaster",
            Self::Mailbox(mailbox) => mailbox.as_str(),
        }
    }
}

impl fmt::Display for ForwardPath<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<{}>", self.as_str())
    }
}

fn ascii(text: &str) -> Result<(), AddressError> {
    match grammar::not_printable(text.as_bytes()) {
        Some(at) => Err(AddressError::NotPrintableAscii { at }),
        None => Ok(()),
    }
}

fn whole<'a, T>(
    text: &'a str,
    parser: impl FnOnce(&'a str) -> Parsed<'a, T>,
) -> Result<T, AddressError> {
    if let Some(at) = grammar::control(text.as_bytes()) {
        return Err(AddressError::NotPrintableAscii { at });
    }
    grammar::whole(text, parser).map_err(|miss| AddressError::from_miss(miss, text.len()))
}

/// `Reverse-path = Path / "<>"`
#[inline]
pub(super) fn reverse_path(input: &str, utf8: bool) -> Parsed<'_, ReversePath<'_>> {
    if let Some(rest) = input.strip_prefix("<>") {
        return Ok((rest, ReversePath::Null));
    }
    let (rest, mailbox) = path(input, utf8)?;
    Ok((rest, ReversePath::Mailbox(mailbox)))
}

/// `"<Postmaster>" / Forward-path`, `Forward-path = Path`
#[inline]
pub(super) fn forward_path(input: &str, utf8: bool) -> Parsed<'_, ForwardPath<'_>> {
    match path(input, utf8) {
        Ok((rest, mailbox)) => Ok((rest, ForwardPath::Mailbox(mailbox))),
        Err(error) => match input.split_at_checked("<postmaster>".len()) {
            Some((path, rest)) if path.eq_ignore_ascii_case("<postmaster>") => {
                Ok((rest, ForwardPath::Postmaster))
            }
            _ => Err(error),
        },
    }
}

/// `Path = "<" [ A-d-l ":" ] Mailbox ">"`
#[inline]
fn path(input: &str, utf8: bool) -> Parsed<'_, Mailbox<'_>> {
    let Some(mut rest) = input.strip_prefix('<') else {
        return expected(input, "\"<\"");
    };
    if rest.starts_with('@') {
        (rest, _) = source_route(rest, utf8)?;
    }
    let (rest, mailbox) = mailbox(rest, utf8)?;
    let Some(behind) = rest.strip_prefix('>') else {
        return expected(rest, "\">\"");
    };
    if input.len() - behind.len() > limits::PATH {
        return stop(input.len(), Cause::PathTooLong);
    }
    Ok((behind, mailbox))
}

/// `A-d-l ":"`, `A-d-l = At-domain *( "," At-domain )`, `At-domain = "@" Domain`
#[cold]
fn source_route(input: &str, utf8: bool) -> Parsed<'_, ()> {
    let mut rest = input;
    loop {
        let Some(name) = rest.strip_prefix('@') else {
            return expected(rest, "\"@\"");
        };
        (rest, _) = domain_name(name, label(utf8))?;
        if let Some(behind) = rest.strip_prefix(':') {
            return Ok((behind, ()));
        }
        let Some(next) = rest.strip_prefix(',') else {
            return expected(rest, "\",\" or \":\"");
        };
        rest = next;
    }
}

/// `Mailbox = Local-part "@" ( Domain / address-literal )`
#[inline]
fn mailbox(input: &str, utf8: bool) -> Parsed<'_, Mailbox<'_>> {
    let local_part = local_part(input.as_bytes(), utf8);
    if local_part == 0 {
        return expected(input, "a local-part");
    }
    if local_part > limits::LOCAL_PART {
        return stop(input.len(), Cause::LocalPartTooLong);
    }
    let (local, rest) = input.split_at(local_part);
    if utf8 && let Some(at) = local.find(ends_a_line) {
        return expected(&input[at..], "a character that ends no line");
    }
    let Some(rest) = rest.strip_prefix('@') else {
        return expected(rest, "\"@\"");
    };
    let (rest, _) = domain(rest, label(utf8))?;
    let text = &input[..input.len() - rest.len()];
    Ok((rest, Mailbox { text, local_part: local_part as u8 }))
}

/// `UTF8-non-ascii` has them (RFC 6531, 3.3), and no address needs them: what some program takes for
/// a line end, or a terminal for a command, would go on into headers and logs.
fn ends_a_line(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}' | '\u{2029}')
}

/// `Local-part = Dot-string / Quoted-string`: how many octets it has, 0 where there is none.
#[inline]
fn local_part(octets: &[u8], utf8: bool) -> usize {
    if octets.first() == Some(&b'"') {
        quoted_string(octets, utf8)
    } else {
        dot_string(octets, utf8)
    }
}

/// `Dot-string = Atom *("." Atom)`, `Atom = 1*atext` (RFC 5321, 4.1.2), `atext =/ UTF8-non-ascii`
/// (RFC 6531, 3.3)
#[inline]
fn dot_string(octets: &[u8], utf8: bool) -> usize {
    let atext = Class::ATEXT.or_utf8(utf8);
    let mut atom = 0;
    loop {
        let end = atext.run(octets, atom);
        if end == atom {
            // A dot with no atom behind it is not of the local-part.
            return atom.saturating_sub(1);
        }
        match octets.get(end) {
            Some(b'.') => atom = end + 1,
            _ => return end,
        }
    }
}

/// `Quoted-string = DQUOTE *QcontentSMTP DQUOTE`, `QcontentSMTP = qtextSMTP / quoted-pairSMTP`,
/// `quoted-pairSMTP = %d92 %d32-126` (RFC 5321, 4.1.2), `qtextSMTP =/ UTF8-non-ascii` (RFC 6531,
/// 3.3)
#[cold]
fn quoted_string(octets: &[u8], utf8: bool) -> usize {
    let qtext = Class::QTEXT.or_utf8(utf8);
    let mut at = 1;
    loop {
        at = qtext.run(octets, at);
        at = match octets.get(at..) {
            Some([b'"', ..]) => return at + 1,
            Some([b'\\', b' '..=b'~', ..]) => at + 2,
            _ => return 0,
        };
    }
}
