//! The arguments of XCLIENT and XFORWARD: what a trusted peer knows of the client behind it.
//!
//! Neither has an RFC; the grammar is the one that Postfix documents for both.

use core::fmt;

use crate::wire::xtext::Xtext;

/// A list of `name=value`, each name once. Prints as it was written.
///
/// ```
/// use smtp_proto::wire::{AttributeValue, Attributes};
///
/// let attributes = Attributes::parse("NAME=[UNAVAILABLE] addr=192.0.2.1").unwrap();
/// assert_eq!(attributes.get("NAME"), Some(AttributeValue::Unavailable));
/// let Some(AttributeValue::Known(address)) = attributes.get("ADDR") else { panic!() };
/// assert_eq!(&*address.to_octets(), b"192.0.2.1");
/// assert_eq!(Attributes::parse("NAME=a NAME=b"), None);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Attributes<'a>(&'a str);

/// What is said of an attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AttributeValue<'a> {
    /// `[UNAVAILABLE]`: it is not known, and will not be.
    Unavailable,
    /// `[TEMPUNAVAIL]`: it could not be found out now.
    TemporarilyUnavailable,
    /// Its value.
    Known(Xtext<'a>),
}

/// Where a text leaves the grammar: the rest of it, and what is wrong there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AttributesError<'a> {
    Name(&'a str),
    Value(&'a str),
    Repeated(&'a str),
}

impl<'a> Attributes<'a> {
    /// `attribute *( SP attribute )`, `attribute = attribute-name "=" attribute-value`,
    /// `attribute-name = 1*( ALPHA / DIGIT / "-" / "_" )`, `attribute-value = xtext` (RFC 3461, 4);
    /// `None` when the text is no such list, or names an attribute twice.
    #[must_use]
    pub fn parse(text: &'a str) -> Option<Self> {
        Self::read(text).ok()
    }

    pub(super) fn read(text: &'a str) -> Result<Self, AttributesError<'a>> {
        let mut rest = text;
        loop {
            let here = rest;
            let (attribute, behind) = match rest.split_once(' ') {
                Some((attribute, behind)) => (attribute, Some(behind)),
                None => (rest, None),
            };
            let is_char = |octet: u8| octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'_');
            let (name, value) = match attribute.split_once('=') {
                Some((name, value)) if !name.is_empty() && name.bytes().all(is_char) => {
                    (name, value)
                }
                _ => return Err(AttributesError::Name(here)),
            };
            if value.is_empty() || Xtext::parse(value).is_none() {
                return Err(AttributesError::Value(here));
            }
            let before = Self(&text[..text.len() - here.len()]);
            if before.get(name).is_some() {
                return Err(AttributesError::Repeated(here));
            }
            match behind {
                Some(behind) => rest = behind,
                None => return Ok(Self(text)),
            }
        }
    }

    /// The list as it was written.
    #[must_use]
    pub const fn as_str(&self) -> &'a str {
        self.0
    }

    /// The attributes in their order, the names as they were written.
    pub fn iter(self) -> impl Iterator<Item = (&'a str, AttributeValue<'a>)> {
        self.0.split(' ').filter_map(|attribute| {
            let (name, value) = attribute.split_once('=')?;
            Some((name, AttributeValue::of(value)?))
        })
    }

    /// The attribute of a name, in any case.
    #[must_use]
    pub fn get(self, name: &str) -> Option<AttributeValue<'a>> {
        self.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }
}

impl<'a> AttributeValue<'a> {
    fn of(value: &'a str) -> Option<Self> {
        if value.eq_ignore_ascii_case("[UNAVAILABLE]") {
            Some(Self::Unavailable)
        } else if value.eq_ignore_ascii_case("[TEMPUNAVAIL]") {
            Some(Self::TemporarilyUnavailable)
        } else {
            Xtext::parse(value).map(Self::Known)
        }
    }
}

impl fmt::Display for Attributes<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}
