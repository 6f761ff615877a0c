//! What a server says it can do, in its reply to EHLO (RFC 5321, 4.1.1.1).
//!
//! Does: read and print the lines of an EHLO reply, each with its values; keywords that are not
//! known are kept, in bounded memory. Does not: decide what to use. Fails: a line that is no
//! capability is [`None`], and one whose values are wrong is kept as it is, as one that is not known.

use core::fmt;

use super::extension::Extension;
use super::grammar::{self, is_let_dig};
use super::param::{Interval, Timestamp, size_value};

mod set;
mod values;

pub use set::Capabilities;
pub use values::{Limits, Mechanisms};

/// One line of an EHLO reply behind the first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Capability<'a> {
    /// Commands may be sent in groups (RFC 2920).
    Pipelining,
    /// MAIL takes SIZE; the largest message in octets, where one is given that is not 0 (RFC 1870).
    Size(Option<u64>),
    /// MAIL takes BODY=8BITMIME (RFC 6152).
    EightBitMime,
    /// Replies carry enhanced status codes (RFC 2034).
    EnhancedStatusCodes,
    /// STARTTLS is taken (RFC 3207).
    StartTls,
    /// BDAT is taken (RFC 3030).
    Chunking,
    /// MAIL takes BODY=BINARYMIME (RFC 3030).
    BinaryMime,
    /// Addresses may be outside ASCII, and MAIL takes SMTPUTF8 (RFC 6531).
    SmtpUtf8,
    /// MAIL takes RET and ENVID, RCPT takes NOTIFY and ORCPT (RFC 3461).
    Dsn,
    /// AUTH is taken, with these mechanisms (RFC 4954).
    Auth(Mechanisms<'a>),
    /// MAIL takes REQUIRETLS (RFC 8689).
    RequireTls,
    /// MAIL takes MT-PRIORITY; by which policy priorities are given, where it says so (RFC 6710).
    MtPriority(Option<&'a str>),
    /// MAIL takes HOLDFOR and HOLDUNTIL (RFC 4865).
    FutureRelease {
        /// The most of HOLDFOR.
        interval: Interval,
        /// The latest of HOLDUNTIL.
        until: Timestamp<'a>,
    },
    /// MAIL takes BY; the fewest seconds that are taken with `R`, where it says so (RFC 2852).
    DeliverBy(Option<u32>),
    /// RCPT takes RRVS (RFC 7293).
    Rrvs,
    /// How much the server takes (RFC 9422).
    Limits(Limits),
    /// ETRN is taken (RFC 1985).
    Etrn,
    /// XCLIENT is taken, with these attributes; names with a space between them.
    Xclient(&'a str),
    /// XFORWARD is taken, with these attributes; names with a space between them.
    Xforward(&'a str),
    /// VRFY does something (RFC 5321, 3.5.2).
    Vrfy,
    /// EXPN is taken (RFC 5321, 3.5.2).
    Expn,
    /// HELP is taken (RFC 5321, 4.1.1.1).
    Help,
    /// Another keyword, with its parameters; or a known one whose parameters are wrong.
    Other(&'a str),
}

impl<'a> Capability<'a> {
    /// Reads one line, without its code; `None` when it does not start with a keyword.
    ///
    /// `ehlo-line = ehlo-keyword *( SP ehlo-param )`,
    /// `ehlo-keyword = (ALPHA / DIGIT) *(ALPHA / DIGIT / "-")`, `ehlo-param = 1*(%d33-126)`
    /// (RFC 5321, 4.1.1.1).
    ///
    /// Named tolerances: more spaces than one, parameters of a keyword that takes none, and
    /// `AUTH=` with mechanisms behind it, which servers still write for old clients.
    #[must_use]
    pub fn parse(line: &'a str) -> Option<Self> {
        let line = line.trim_matches(' ');
        if grammar::not_printable(line.as_bytes()).is_some() {
            return None;
        }
        if let Some((_, mechanisms)) =
            line.split_at_checked(5).filter(|(keyword, _)| keyword.eq_ignore_ascii_case("AUTH="))
        {
            return Some(Self::Auth(Mechanisms::new(mechanisms)));
        }
        let (keyword, parameters) = line.split_once(' ').unwrap_or((line, ""));
        if !is_keyword(keyword) {
            return None;
        }
        let known = Extension::from_keyword(keyword)
            .and_then(|extension| Self::of(extension, parameters.trim_start_matches(' ')));
        Some(known.unwrap_or(Self::Other(line)))
    }

    /// The capability of an extension with its parameters; `None` when they are wrong.
    fn of(extension: Extension, parameters: &'a str) -> Option<Self> {
        let mut words = parameters.split(' ').filter(|word| !word.is_empty());
        Some(match extension {
            Extension::Pipelining => Self::Pipelining,
            Extension::Size => match (words.next(), words.next()) {
                (None, _) => Self::Size(None),
                (Some(limit), None) => Self::Size(size_value(limit).map(Some)?).canonical(),
                (Some(_), Some(_)) => return None,
            },
            Extension::EightBitMime => Self::EightBitMime,
            Extension::EnhancedStatusCodes => Self::EnhancedStatusCodes,
            Extension::StartTls => Self::StartTls,
            Extension::Chunking => Self::Chunking,
            Extension::BinaryMime => Self::BinaryMime,
            Extension::SmtpUtf8 => Self::SmtpUtf8,
            Extension::Dsn => Self::Dsn,
            Extension::Auth => Self::Auth(Mechanisms::new(parameters)),
            Extension::RequireTls => Self::RequireTls,
            Extension::MtPriority => match (words.next(), words.next()) {
                (policy, None) => Self::MtPriority(policy),
                _ => return None,
            },
            Extension::FutureRelease => {
                let interval = Interval::parse(words.next()?)?;
                let until = Timestamp::parse(words.next()?)?;
                words.next().is_none().then_some(Self::FutureRelease { interval, until })?
            }
            Extension::DeliverBy => match (words.next(), words.next()) {
                (None, _) => Self::DeliverBy(None),
                (Some(options), None) => Self::DeliverBy(values::min_by_time(options)?),
                (Some(_), Some(_)) => return None,
            },
            Extension::Rrvs => Self::Rrvs,
            Extension::Limits => Self::Limits(Limits::parse(parameters)?),
            Extension::Etrn => Self::Etrn,
            Extension::Xclient => Self::Xclient(parameters),
            Extension::Xforward => Self::Xforward(parameters),
            Extension::Vrfy => Self::Vrfy,
            Extension::Expn => Self::Expn,
            Extension::Help => Self::Help,
        })
    }

    /// The extension; `None` for [`Capability::Other`].
    #[must_use]
    pub const fn extension(&self) -> Option<Extension> {
        Some(match self {
            Self::Pipelining => Extension::Pipelining,
            Self::Size(_) => Extension::Size,
            Self::EightBitMime => Extension::EightBitMime,
            Self::EnhancedStatusCodes => Extension::EnhancedStatusCodes,
            Self::StartTls => Extension::StartTls,
            Self::Chunking => Extension::Chunking,
            Self::BinaryMime => Extension::BinaryMime,
            Self::SmtpUtf8 => Extension::SmtpUtf8,
            Self::Dsn => Extension::Dsn,
            Self::Auth(_) => Extension::Auth,
            Self::RequireTls => Extension::RequireTls,
            Self::MtPriority(_) => Extension::MtPriority,
            Self::FutureRelease { .. } => Extension::FutureRelease,
            Self::DeliverBy(_) => Extension::DeliverBy,
            Self::Rrvs => Extension::Rrvs,
            Self::Limits(_) => Extension::Limits,
            Self::Etrn => Extension::Etrn,
            Self::Xclient(_) => Extension::Xclient,
            Self::Xforward(_) => Extension::Xforward,
            Self::Vrfy => Extension::Vrfy,
            Self::Expn => Extension::Expn,
            Self::Help => Extension::Help,
            Self::Other(_) => return None,
        })
    }

    /// A size of 0 says that there is no limit, as no size does (RFC 1870, 4).
    const fn canonical(self) -> Self {
        match self {
            Self::Size(Some(0)) => Self::Size(None),
            _ => self,
        }
    }
}

/// Prints the line, without its code.
impl fmt::Display for Capability<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(extension) = self.extension() {
            f.write_str(extension.keyword())?;
        }
        match self.canonical() {
            Self::Other(line) => f.write_str(line),
            Self::Size(Some(limit)) => write!(f, " {limit}"),
            Self::Auth(mechanisms) => mechanisms.iter().try_for_each(|name| write!(f, " {name}")),
            Self::FutureRelease { interval, until } => write!(f, " {interval} {until}"),
            Self::DeliverBy(Some(seconds)) => write!(f, " {seconds}"),
            Self::Limits(limits) => limits.print(f),
            Self::MtPriority(Some(text)) | Self::Xclient(text) | Self::Xforward(text) => {
                let mut words = text.split(' ').filter(|word| !word.is_empty());
                words.try_for_each(|word| write!(f, " {word}"))
            }
            _ => Ok(()),
        }
    }
}

/// `ehlo-keyword = (ALPHA / DIGIT) *(ALPHA / DIGIT / "-")`
fn is_keyword(word: &str) -> bool {
    word.starts_with(is_let_dig) && word.chars().all(|c| is_let_dig(c) || c == '-')
}
