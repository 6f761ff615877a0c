//! Free arguments: those of HELP, VRFY and EXPN.

use core::fmt;

use crate::wire::grammar;

/// A free argument: printable, not empty, no space at its ends. One that was read with
/// [`Text::parse`] is ASCII.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Text<'a>(&'a str);

impl<'a> Text<'a> {
    /// `None` when the text is empty, has a space at an end or an octet outside printable ASCII.
    #[must_use]
    pub fn parse(text: &'a str) -> Option<Self> {
        if text.is_ascii() { Self::parse_utf8(text) } else { None }
    }

    /// As [`Text::parse`], with letters outside ASCII taken (RFC 6531).
    #[must_use]
    pub fn parse_utf8(text: &'a str) -> Option<Self> {
        let whole = !text.is_empty() && !text.starts_with(' ') && !text.ends_with(' ');
        (whole && grammar::control(text.as_bytes()).is_none()).then_some(Self(text))
    }

    /// The text.
    #[must_use]
    pub const fn as_str(&self) -> &'a str {
        self.0
    }
}

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// What VRFY and EXPN ask about: a user, a mailbox or a mailing list, as it was written.
///
/// `vrfy = "VRFY" SP String [SP "SMTPUTF8"] CRLF` and the same for EXPN (RFC 5321, 4.1.1.6 and
/// 4.1.1.7; RFC 6531, 3.7.4.2). More is taken than a `String`: `<a@b>` is what people send.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Query<'a> {
    text: Text<'a>,
    smtputf8: bool,
}

impl<'a> Query<'a> {
    /// A question; `smtputf8` lets the answer hold letters outside ASCII. `None` when the text
    /// has such letters and `smtputf8` is not set.
    #[must_use]
    pub fn new(text: Text<'a>, smtputf8: bool) -> Option<Self> {
        (smtputf8 || text.as_str().is_ascii()).then_some(Self { text, smtputf8 })
    }

    /// What is asked about.
    #[must_use]
    pub const fn text(&self) -> Text<'a> {
        self.text
    }

    /// Whether the answer may hold letters outside ASCII.
    #[must_use]
    pub const fn smtputf8(&self) -> bool {
        self.smtputf8
    }
}

impl fmt::Display for Query<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.text, if self.smtputf8 { " SMTPUTF8" } else { "" })
    }
}
