//! Who gave the message to the mail system: the AUTH parameter of MAIL (RFC 4954, 5).

use core::fmt;

use crate::limits;
use crate::wire::address::Mailbox;
use crate::wire::xtext::Xtext;

/// The mailbox of whoever submitted the message, as far as the client vouches for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Submitter<'a> {
    /// `<>`: not known, or not vouched for.
    Unknown,
    /// A mailbox.
    Mailbox(SubmitterMailbox<'a>),
}

impl<'a> Submitter<'a> {
    /// `auth-param = "AUTH=" xtext`: the part behind the equals sign, which stands for a mailbox or
    /// for `<>` (RFC 4954, 8).
    #[must_use]
    pub fn parse(value: &'a str) -> Option<Self> {
        Self::read(value, SubmitterMailbox::parse)
    }

    /// As [`parse`](Self::parse), for a mailbox that may be outside ASCII (RFC 6531, 3.2).
    #[must_use]
    pub fn parse_utf8(value: &'a str) -> Option<Self> {
        Self::read(value, SubmitterMailbox::parse_utf8)
    }

    fn read(
        value: &'a str,
        mailbox: impl FnOnce(&'a str) -> Option<SubmitterMailbox<'a>>,
    ) -> Option<Self> {
        match value.starts_with(['<', '+']) && Xtext::parse(value)?.decode().eq(*b"<>") {
            true => Some(Self::Unknown),
            false => mailbox(value).map(Self::Mailbox),
        }
    }
}

impl fmt::Display for Submitter<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown => f.write_str("<>"),
            Self::Mailbox(mailbox) => mailbox.0.fmt(f),
        }
    }
}

/// A mailbox, as xtext.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SubmitterMailbox<'a>(Xtext<'a>);

impl<'a> SubmitterMailbox<'a> {
    /// The xtext of a mailbox.
    #[must_use]
    pub fn parse(value: &'a str) -> Option<Self> {
        Self::read(value, |mailbox| Mailbox::parse(mailbox).is_ok())
    }

    /// The xtext of a mailbox that may be outside ASCII (RFC 6531, 3.2); the xtext never is.
    #[must_use]
    pub fn parse_utf8(value: &'a str) -> Option<Self> {
        Self::read(value, |mailbox| Mailbox::parse_utf8(mailbox).is_ok())
    }

    fn read(value: &'a str, is_mailbox: impl FnOnce(&str) -> bool) -> Option<Self> {
        let text = Xtext::parse(value)?;
        // A mailbox is a path without its brackets; what does not fit is none.
        let mut octets = [0; limits::PATH - 2];
        let mut length = 0;
        for octet in text.decode() {
            *octets.get_mut(length)? = octet;
            length += 1;
        }
        is_mailbox(core::str::from_utf8(&octets[..length]).ok()?).then_some(Self(text))
    }

    /// The mailbox, as xtext.
    #[must_use]
    pub const fn xtext(self) -> Xtext<'a> {
        self.0
    }
}
