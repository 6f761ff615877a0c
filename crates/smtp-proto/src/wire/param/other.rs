//! One parameter as it was written, and those of a list that are not known.

use core::fmt;

use super::ListError;
use crate::wire::grammar::Class;

/// One parameter, as written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Parameter<'a> {
    pub(super) keyword: &'a str,
    pub(super) value: Option<&'a str>,
}

impl<'a> Parameter<'a> {
    /// The first of a list, and the list behind it.
    ///
    /// `SP esmtp-param`, `esmtp-param = esmtp-keyword ["=" esmtp-value]`,
    /// `esmtp-keyword = (ALPHA / DIGIT) *(ALPHA / DIGIT / "-")`,
    /// `esmtp-value = 1*(%d33-60 / %d62-126)` (RFC 5321, 4.1.2), with `UTF8-non-ascii` where the
    /// session has SMTPUTF8 (RFC 6531, 3.3).
    #[inline(always)]
    pub(super) fn split(list: &'a str, utf8: bool) -> Result<(Self, &'a str), ListError> {
        let syntax = |rest: &str, expected| ListError::Syntax { left: rest.len(), expected };
        let text = list.strip_prefix(' ').ok_or_else(|| syntax(list, "a space"))?;
        let end = Class::LET_DIG.or(Class::HYPHEN).run(text.as_bytes(), 0);
        let (keyword, rest) = text.split_at(end);
        if keyword.is_empty() || keyword.starts_with('-') {
            return Err(syntax(text, "a parameter"));
        }
        let Some(text) = rest.strip_prefix('=') else {
            return Ok((Self { keyword, value: None }, rest));
        };
        let (value, rest) = text.split_at(Class::VALUE.or_utf8(utf8).run(text.as_bytes(), 0));
        if value.is_empty() {
            return Err(syntax(text, "a value"));
        }
        Ok((Self { keyword, value: Some(value) }, rest))
    }
}

/// The parameters of a command that this crate does not know, as they were written.
///
/// Only a session that keeps them has any. They are data: nobody has checked their values, and
/// one that stands there twice is kept twice.
///
/// Two are equal when they hold the same keywords, in any case, with the same values, in one order.
#[derive(Clone, Copy, Default)]
pub struct OtherParameters<'a> {
    /// The list from some parameter on that is not known, or from before it: known ones stand in
    /// it too.
    list: &'a str,
    known: Known,
}

/// The keywords to pass over.
#[derive(Clone, Copy, Debug, Default)]
enum Known {
    #[default]
    Mail,
    Rcpt,
}

impl Known {
    const fn keywords(self) -> &'static [&'static str] {
        match self {
            Self::Mail => &[
                "SIZE",
                "BODY",
                "SMTPUTF8",
                "RET",
                "ENVID",
                "AUTH",
                "REQUIRETLS",
                "MT-PRIORITY",
                "HOLDFOR",
                "HOLDUNTIL",
                "BY",
            ],
            Self::Rcpt => &["NOTIFY", "ORCPT", "RRVS"],
        }
    }

    fn has(self, keyword: &str) -> bool {
        self.keywords().iter().any(|known| known.eq_ignore_ascii_case(keyword))
    }
}

impl<'a> OtherParameters<'a> {
    /// Those of a list of MAIL that was read.
    pub(super) const fn of_mail(list: &'a str) -> Self {
        Self { list, known: Known::Mail }
    }

    /// Those of a list of RCPT that was read.
    pub(super) const fn of_rcpt(list: &'a str) -> Self {
        Self { list, known: Known::Rcpt }
    }

    /// Each keyword, as written, with its value.
    pub fn iter(&self) -> impl Iterator<Item = (&'a str, Option<&'a str>)> + 'a {
        let Self { list: mut rest, known } = *self;
        core::iter::from_fn(move || {
            // The list was read before: it ends at its end alone.
            let (Parameter { keyword, value }, behind) = Parameter::split(rest, true).ok()?;
            rest = behind;
            Some((keyword, value))
        })
        .filter(move |(keyword, _)| !known.has(keyword))
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.iter().next().is_none()
    }

    /// Whether all of them are in ASCII.
    pub(super) fn is_ascii(&self) -> bool {
        self.iter().all(|(_, value)| value.is_none_or(str::is_ascii))
    }
}

/// Prints them as they were written, each behind a space.
impl fmt::Display for OtherParameters<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.iter().try_for_each(|(keyword, value)| match value {
            None => write!(f, " {keyword}"),
            Some(value) => write!(f, " {keyword}={value}"),
        })
    }
}

impl fmt::Debug for OtherParameters<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl PartialEq for OtherParameters<'_> {
    fn eq(&self, other: &Self) -> bool {
        let fold = |(keyword, value): (&str, Option<&str>), (of_other, value_of_other)| {
            keyword.eq_ignore_ascii_case(of_other) && value == value_of_other
        };
        let (mut one, mut two) = (self.iter(), other.iter());
        loop {
            match (one.next(), two.next()) {
                (None, None) => return true,
                (Some(one), Some(two)) if fold(one, two) => {}
                _ => return false,
            }
        }
    }
}

impl Eq for OtherParameters<'_> {}
