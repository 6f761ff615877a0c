//! What MAIL and RCPT say of delivery status notifications: RET, ENVID, NOTIFY and ORCPT (RFC 3461).

use core::fmt;

use crate::limits;
use crate::wire::grammar::{Class, is_word, starts_with};
use crate::wire::xtext::{Utf8Address, Xtext};

/// How much of the message a notification of failure holds (RFC 3461, 4.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Ret {
    /// The whole message.
    Full,
    /// Its header alone.
    Headers,
}

impl Ret {
    /// The value as it stands behind `RET=`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Full => "FULL",
            Self::Headers => "HDRS",
        }
    }

    /// `ret-value = "FULL" / "HDRS"`, in any case.
    #[must_use]
    pub fn parse(value: &str) -> Option<Self> {
        [Self::Full, Self::Headers].into_iter().find(|ret| ret.as_str().eq_ignore_ascii_case(value))
    }
}

impl fmt::Display for Ret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What the sender calls this transaction, for its own use (RFC 3461, 4.4): printable ASCII,
/// spaces and tabs, at most [`limits::ENVELOPE_ID`] octets once decoded, and never empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct EnvelopeId<'a>(Xtext<'a>);

impl<'a> EnvelopeId<'a> {
    /// `envid-parameter = "ENVID=" xtext`: the part behind the equals sign.
    #[must_use]
    pub fn parse(value: &'a str) -> Option<Self> {
        let text = Xtext::parse_as(value, is_printable)?;
        let fits = (1..=limits::ENVELOPE_ID).contains(&text.decode().count());
        fits.then_some(Self(text))
    }

    /// The identifier, as xtext.
    #[must_use]
    pub const fn xtext(self) -> Xtext<'a> {
        self.0
    }
}

impl fmt::Display for EnvelopeId<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// "Printable (graphic and white space) characters" of US-ASCII (RFC 3461, 4.2 and 4.4).
const fn is_printable(octet: u8) -> bool {
    matches!(octet, b' '..=b'~' | b'\t')
}

/// Of what the sender wants to be notified (RFC 3461, 4.1): of nothing, or of at least one event.
///
/// ```
/// use smtp_proto::wire::Notify;
///
/// let notify = Notify::parse("delay,failure").unwrap();
/// assert!(notify.failure() && notify.delay() && !notify.success());
/// assert_eq!(notify.to_string(), "FAILURE,DELAY");
/// assert_eq!(Notify::parse("NEVER"), Some(Notify::NEVER));
/// assert_eq!(Notify::parse("NEVER,DELAY"), None);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Notify {
    success: bool,
    failure: bool,
    delay: bool,
}

impl Notify {
    /// Of nothing at all.
    pub const NEVER: Self = Self { success: false, failure: false, delay: false };

    /// Of these events; `None` when it is none of them.
    #[must_use]
    pub const fn of(success: bool, failure: bool, delay: bool) -> Option<Self> {
        if success || failure || delay { Some(Self { success, failure, delay }) } else { None }
    }

    /// `notify-esmtp-value = "NEVER" / 1#notify-list-element`,
    /// `notify-list-element = "SUCCESS" / "FAILURE" / "DELAY"`, in any case. Empty elements, which
    /// the list rule of RFC 822 has, are refused.
    #[must_use]
    pub fn parse(value: &str) -> Option<Self> {
        if is_word(value, "NEVER") {
            return Some(Self::NEVER);
        }
        let (mut notify, mut rest) = (Self::NEVER, value);
        loop {
            let (element, behind) = rest.split_at(Class::LET_DIG.run(rest.as_bytes(), 0));
            match element.len() {
                7 if is_word(element, "SUCCESS") => notify.success = true,
                7 if is_word(element, "FAILURE") => notify.failure = true,
                5 if is_word(element, "DELAY") => notify.delay = true,
                _ => return None,
            }
            if behind.is_empty() {
                return Some(notify);
            }
            rest = behind.strip_prefix(',')?;
        }
    }

    /// The events at the start of a list of parameters, and the list behind them.
    #[inline(always)]
    pub(super) fn split_plain(list: &str) -> Option<(Self, &str)> {
        let (mut notify, mut at) = (Self::NEVER, 0);
        let octets = list.as_bytes();
        loop {
            let element = octets.get(at..)?;
            at += match element.first()? {
                b'S' | b's' if starts_with(element, b"SUCCESS") => {
                    notify.success = true;
                    7
                }
                b'F' | b'f' if starts_with(element, b"FAILURE") => {
                    notify.failure = true;
                    7
                }
                b'D' | b'd' if starts_with(element, b"DELAY") => {
                    notify.delay = true;
                    5
                }
                _ => return None,
            };
            match octets.get(at) {
                Some(b',') => at += 1,
                _ => return Some((notify, list.get(at..)?)),
            }
        }
    }

    /// Whether it is of nothing.
    #[must_use]
    pub fn is_never(self) -> bool {
        self == Self::NEVER
    }

    /// Whether of delivery.
    #[must_use]
    pub const fn success(self) -> bool {
        self.success
    }

    /// Whether of failure.
    #[must_use]
    pub const fn failure(self) -> bool {
        self.failure
    }

    /// Whether of delay.
    #[must_use]
    pub const fn delay(self) -> bool {
        self.delay
    }
}

impl fmt::Display for Notify {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let elements =
            [(self.success, "SUCCESS"), (self.failure, "FAILURE"), (self.delay, "DELAY")];
        let mut elements = elements.iter().filter(|(wanted, _)| *wanted).map(|(_, name)| *name);
        f.write_str(elements.next().unwrap_or("NEVER"))?;
        elements.try_for_each(|name| write!(f, ",{name}"))
    }
}

/// The recipient as the sender gave it (RFC 3461, 4.2). It need not be an address of its kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct OriginalRecipient<'a> {
    kind: &'a str,
    address: OriginalAddress<'a>,
}

/// The address of an [`OriginalRecipient`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OriginalAddress<'a> {
    /// Printable ASCII, as xtext.
    Xtext(Xtext<'a>),
    /// An address that may be outside ASCII: its kind is `utf-8` (RFC 6533).
    Utf8(Utf8Address<'a>),
}

impl<'a> OriginalRecipient<'a> {
    /// `original-recipient-address = addr-type ";" xtext`, `addr-type = atom` (RFC 3461, 4.2), or
    /// `"utf-8;" utf-8-enc-addr` (RFC 6533, 3). At most [`limits::ORIGINAL_RECIPIENT`] octets.
    #[must_use]
    pub fn parse(value: &'a str) -> Option<Self> {
        let (kind, rest) = value.split_at(Class::ATEXT.run(value.as_bytes(), 0));
        let address = rest.strip_prefix(';')?;
        if kind.is_empty() || address.is_empty() || value.len() > limits::ORIGINAL_RECIPIENT {
            return None;
        }
        let address = if is_word(kind, "UTF-8") {
            OriginalAddress::Utf8(Utf8Address::parse(address)?)
        } else {
            OriginalAddress::Xtext(Xtext::parse_as(address, is_printable)?)
        };
        Some(Self { kind, address })
    }

    /// The one at the start of a list of parameters, where its kind is of letters, digits and
    /// hyphens, and nothing in it is encoded; and the list behind it.
    #[inline(always)]
    pub(super) fn split_plain(list: &'a str) -> Option<(Self, &'a str)> {
        // An atom may hold an equals sign, and the value of a parameter may not.
        let (kind, rest) = list.split_at_checked(Class::LABEL.run(list.as_bytes(), 0))?;
        let (text, behind) = Xtext::split_plain(rest.strip_prefix(';')?)?;
        let address = text.as_str();
        let len = kind.len() + ";".len() + address.len();
        if kind.is_empty() || address.is_empty() || len > limits::ORIGINAL_RECIPIENT {
            return None;
        }
        if is_word(kind, "UTF-8") {
            return None;
        }
        Some((Self { kind, address: OriginalAddress::Xtext(text) }, behind))
    }

    /// The kind of address, as written: `rfc822`, `utf-8`, …
    #[must_use]
    pub const fn kind(self) -> &'a str {
        self.kind
    }

    /// The address.
    #[must_use]
    pub const fn address(self) -> OriginalAddress<'a> {
        self.address
    }
}

impl fmt::Display for OriginalRecipient<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{};", self.kind)?;
        match self.address {
            OriginalAddress::Xtext(text) => text.fmt(f),
            OriginalAddress::Utf8(address) => address.fmt(f),
        }
    }
}
