//! Parameters of MAIL and RCPT (RFC 5321, 4.1.2), each as its type.
//!
//! Does: read the list of `keyword=value`, check every value as its RFC says, and print the list
//! back. What is borrowed is borrowed from the line. Does not: know what a session does with a
//! parameter. Fails: `ListError`, which the command's parser makes a
//! [`CommandError`](super::CommandError) of.
//!
//! All of these values can only be made by parsing or by checked constructors, so none can put a
//! line end or another parameter on the wire.

use core::fmt;

use super::extension::{Extension, Extensions};
use super::grammar::is_word;

mod dsn;
mod message;
mod other;
mod plain;
mod submitter;
mod time;

pub use dsn::{EnvelopeId, Notify, OriginalAddress, OriginalRecipient, Ret};
pub(super) use message::size_value;
pub use message::{BodyType, Priority};
pub use other::OtherParameters;
use other::Parameter;
pub use submitter::{Submitter, SubmitterMailbox};
pub use time::{DeliverBy, DeliverByMode, Hold, Interval, NoSupportAction, Rrvs, Timestamp};

/// The parameters of MAIL. [`Default`] is none; printed, each stands behind a space.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MailParameters<'a> {
    /// SIZE: the message's size in octets, as the client counts it (RFC 1870).
    pub size: Option<u64>,
    /// BODY: what the message text holds (RFC 6152, RFC 3030).
    pub body: Option<BodyType>,
    /// SMTPUTF8: an address or a header of the message may be outside ASCII (RFC 6531).
    pub smtputf8: bool,
    /// RET: how much of the message a notification holds (RFC 3461).
    pub ret: Option<Ret>,
    /// ENVID: what the sender calls this transaction (RFC 3461).
    pub envid: Option<EnvelopeId<'a>>,
    /// AUTH: who submitted the message (RFC 4954).
    pub auth: Option<Submitter<'a>>,
    /// REQUIRETLS: the message may go over verified TLS only (RFC 8689).
    pub requiretls: bool,
    /// MT-PRIORITY: how much before others the message is to go (RFC 6710).
    pub mt_priority: Option<Priority>,
    /// HOLDFOR or HOLDUNTIL: the message is to be held (RFC 4865).
    pub hold: Option<Hold<'a>>,
    /// BY: within which time the message is to be delivered (RFC 2852).
    pub by: Option<DeliverBy>,
    /// Those that are not known, where the session keeps them.
    pub other: OtherParameters<'a>,
}

/// The parameters of RCPT. [`Default`] is none; printed, each stands behind a space.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RcptParameters<'a> {
    /// NOTIFY: of what the sender wants to be notified (RFC 3461).
    pub notify: Option<Notify>,
    /// ORCPT: the recipient as the sender gave it (RFC 3461).
    pub orcpt: Option<OriginalRecipient<'a>>,
    /// RRVS: since when the recipient must have held the mailbox (RFC 7293).
    pub rrvs: Option<Rrvs<'a>>,
    /// Those that are not known, where the session keeps them.
    pub other: OtherParameters<'a>,
}

/// Why a text is no list of parameters. `left` counts the octets from where it went wrong, or
/// from the parameter's keyword, to the end of the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ListError {
    /// The list leaves its grammar.
    Syntax { left: usize, expected: &'static str },
    /// The parameter is not known, or is one of an extension that is not allowed.
    Unknown { left: usize },
    /// The parameter stands there twice, or excludes one that stands there.
    Duplicate { left: usize },
    /// The parameter's value is missing, or wrong.
    Invalid { left: usize, expected: &'static str },
}

/// A parameter as the list's parser met it.
struct Met<'a> {
    keyword: &'a str,
    value: Option<&'a str>,
    left: usize,
}

impl<'a> Met<'a> {
    /// Whether the keyword is `known`, and an extension allows it.
    #[inline(always)]
    fn is(
        &self,
        known: &str,
        extension: Extension,
        allowed: Extensions,
    ) -> Result<bool, ListError> {
        match is_word(self.keyword, known) {
            false => Ok(false),
            true if allowed.contains(extension) => Ok(true),
            true => Err(ListError::Unknown { left: self.left }),
        }
    }

    /// Fills a slot with what `parse` makes of the value.
    fn fill<T>(
        &self,
        slot: &mut Option<T>,
        expected: &'static str,
        parse: impl FnOnce(&'a str) -> Option<T>,
    ) -> Result<(), ListError> {
        let value = self.value.and_then(parse);
        let value = value.ok_or(ListError::Invalid { left: self.left, expected })?;
        match slot.replace(value) {
            None => Ok(()),
            Some(_) => Err(ListError::Duplicate { left: self.left }),
        }
    }

    /// Sets a flag of a parameter that takes no value.
    fn flag(&self, flag: &mut bool) -> Result<(), ListError> {
        if self.value.is_some() {
            return Err(ListError::Invalid { left: self.left, expected: "no value" });
        }
        match core::mem::replace(flag, true) {
            false => Ok(()),
            true => Err(ListError::Duplicate { left: self.left }),
        }
    }
}

impl<'a> MailParameters<'a> {
    /// Adds those of a list: empty, or each parameter behind a space. `keep_unknown` where parameters
    /// that are not known are kept.
    #[inline]
    pub(super) fn read(
        &mut self,
        list: &'a str,
        allowed: Extensions,
        keep_unknown: bool,
    ) -> Result<(), ListError> {
        match while_taken(list, |list| self.take_plain(list, allowed)) {
            "" => Ok(()),
            rest => self.read_any(rest, allowed, keep_unknown),
        }
    }

    /// As [`read`](Self::read), by the whole grammar.
    pub(super) fn read_any(
        &mut self,
        list: &'a str,
        allowed: Extensions,
        keep_unknown: bool,
    ) -> Result<(), ListError> {
        if !each(list, allowed, keep_unknown, |met| self.take(met, allowed))? {
            self.other = OtherParameters::of_mail(list);
        }
        Ok(())
    }

    /// Takes one parameter; `false` when it is not known.
    fn take(&mut self, met: &Met<'a>, allowed: Extensions) -> Result<bool, ListError> {
        use Extension as E;
        match met.keyword.len() {
            2 if met.is("BY", E::DeliverBy, allowed)? => {
                met.fill(&mut self.by, "seconds;R or seconds;N", DeliverBy::parse)?;
            }
            3 if met.is("RET", E::Dsn, allowed)? => {
                met.fill(&mut self.ret, "FULL or HDRS", Ret::parse)?;
            }
            4 if met.is("SIZE", E::Size, allowed)? => {
                met.fill(&mut self.size, "a number of at most 20 digits", size_value)?;
            }
            4 if is_word(met.keyword, "BODY") => self.take_body(met, allowed)?,
            4 if met.is("AUTH", E::Auth, allowed)? => {
                let utf8 = allowed.contains(E::SmtpUtf8);
                let parse = if utf8 { Submitter::parse_utf8 } else { Submitter::parse };
                met.fill(&mut self.auth, "a mailbox in xtext, or <>", parse)?;
            }
            5 if met.is("ENVID", E::Dsn, allowed)? => {
                let expected = "xtext of at most 100 printable characters";
                met.fill(&mut self.envid, expected, EnvelopeId::parse)?;
            }
            7 if met.is("HOLDFOR", E::FutureRelease, allowed)? => {
                let hold = |value| Interval::parse(value).map(Hold::For);
                met.fill(&mut self.hold, "1 to 999999999 seconds", hold)?;
            }
            8 if met.is("SMTPUTF8", E::SmtpUtf8, allowed)? => met.flag(&mut self.smtputf8)?,
            9 if met.is("HOLDUNTIL", E::FutureRelease, allowed)? => {
                let hold = |value| Timestamp::parse(value).map(Hold::Until);
                met.fill(&mut self.hold, "a date and time", hold)?;
            }
            10 if met.is("REQUIRETLS", E::RequireTls, allowed)? => {
                met.flag(&mut self.requiretls)?
            }
            11 if met.is("MT-PRIORITY", E::MtPriority, allowed)? => {
                met.fill(&mut self.mt_priority, "a number, -9 to 9", Priority::parse)?;
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// BODY comes with either of two extensions, each with its values.
    fn take_body(&mut self, met: &Met<'a>, allowed: Extensions) -> Result<(), ListError> {
        let lines = allowed.contains(Extension::EightBitMime);
        let binary = allowed.contains(Extension::BinaryMime);
        let expected = match (lines, binary) {
            (false, false) => return Err(ListError::Unknown { left: met.left }),
            (true, false) => "7BIT or 8BITMIME",
            (false, true) => "7BIT or BINARYMIME",
            (true, true) => "7BIT, 8BITMIME or BINARYMIME",
        };
        met.fill(&mut self.body, expected, |value| {
            BodyType::parse(value).filter(|body| match body {
                BodyType::SevenBit => true,
                BodyType::EightBitMime => lines,
                BodyType::BinaryMime => binary,
            })
        })
    }

    /// Whether all of them are in ASCII, as they are written. The mailbox of AUTH always is: xtext
    /// encodes what is not, as RFC 6533 has it for ORCPT.
    #[must_use]
    pub fn is_ascii(&self) -> bool {
        self.other.is_ascii()
    }
}

/// Prints the known parameters in one order, then the others in theirs.
impl fmt::Display for MailParameters<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        print(f, "SIZE", self.size)?;
        print(f, "BODY", self.body)?;
        if self.smtputf8 {
            f.write_str(" SMTPUTF8")?;
        }
        print(f, "RET", self.ret)?;
        print(f, "ENVID", self.envid)?;
        print(f, "AUTH", self.auth)?;
        if self.requiretls {
            f.write_str(" REQUIRETLS")?;
        }
        print(f, "MT-PRIORITY", self.mt_priority)?;
        if let Some(hold) = self.hold {
            write!(f, " {hold}")?;
        }
        print(f, "BY", self.by)?;
        self.other.fmt(f)
    }
}

impl<'a> RcptParameters<'a> {
    /// As [`MailParameters::read`].
    #[inline]
    pub(super) fn read(
        &mut self,
        list: &'a str,
        allowed: Extensions,
        keep_unknown: bool,
    ) -> Result<(), ListError> {
        match while_taken(list, |list| self.take_plain(list, allowed)) {
            "" => Ok(()),
            rest => self.read_any(rest, allowed, keep_unknown),
        }
    }

    /// As [`read`](Self::read), by the whole grammar.
    pub(super) fn read_any(
        &mut self,
        list: &'a str,
        allowed: Extensions,
        keep_unknown: bool,
    ) -> Result<(), ListError> {
        if !each(list, allowed, keep_unknown, |met| self.take(met, allowed))? {
            self.other = OtherParameters::of_rcpt(list);
        }
        Ok(())
    }

    /// Takes one parameter; `false` when it is not known.
    fn take(&mut self, met: &Met<'a>, allowed: Extensions) -> Result<bool, ListError> {
        use Extension as E;
        match met.keyword.len() {
            4 if met.is("RRVS", E::Rrvs, allowed)? => {
                met.fill(&mut self.rrvs, "a date and time, perhaps with ;R or ;C", Rrvs::parse)?;
            }
            5 if met.is("ORCPT", E::Dsn, allowed)? => {
                met.fill(&mut self.orcpt, "a type;address in xtext", OriginalRecipient::parse)?;
            }
            6 if met.is("NOTIFY", E::Dsn, allowed)? => {
                let expected = "NEVER, or some of SUCCESS, FAILURE and DELAY";
                met.fill(&mut self.notify, expected, Notify::parse)?;
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Whether all of them are in ASCII.
    #[must_use]
    pub fn is_ascii(&self) -> bool {
        let orcpt = self.orcpt.is_none_or(|orcpt| match orcpt.address() {
            OriginalAddress::Xtext(_) => true,
            OriginalAddress::Utf8(address) => address.is_ascii(),
        });
        orcpt && self.other.is_ascii()
    }
}

/// Prints the known parameters in one order, then the others in theirs.
impl fmt::Display for RcptParameters<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        print(f, "NOTIFY", self.notify)?;
        print(f, "ORCPT", self.orcpt)?;
        print(f, "RRVS", self.rrvs)?;
        self.other.fmt(f)
    }
}

fn print(
    f: &mut fmt::Formatter<'_>,
    keyword: &str,
    value: Option<impl fmt::Display>,
) -> fmt::Result {
    value.map_or(Ok(()), |value| write!(f, " {keyword}={value}"))
}

/// What is left of a list, where `take` gives what stands behind each that it takes.
#[inline(always)]
fn while_taken<'a>(mut list: &'a str, mut take: impl FnMut(&'a str) -> Option<&'a str>) -> &'a str {
    while !list.is_empty() {
        match take(list) {
            Some(behind) => list = behind,
            None => break,
        }
    }
    list
}

/// `Mail-parameters = esmtp-param *(SP esmtp-param)`, `Rcpt-parameters` likewise, each with the
/// space before it. Gives each to `take`; whether all were known.
fn each<'a>(
    list: &'a str,
    allowed: Extensions,
    keep_unknown: bool,
    mut take: impl FnMut(&Met<'a>) -> Result<bool, ListError>,
) -> Result<bool, ListError> {
    let utf8 = allowed.contains(Extension::SmtpUtf8);
    let (mut rest, mut all_known) = (list, true);
    while !rest.is_empty() {
        let (Parameter { keyword, value }, behind) = Parameter::split(rest, utf8)?;
        let met = Met { keyword, value, left: rest.len() - 1 };
        if !take(&met)? {
            if !keep_unknown {
                return Err(ListError::Unknown { left: met.left });
            }
            all_known = false;
        }
        rest = behind;
    }
    Ok(all_known)
}
