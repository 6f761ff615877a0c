//! Values of capabilities: the mechanisms of AUTH, the limits of LIMITS, the time of DELIVERBY.

use core::fmt;

use crate::limits;

/// The mechanisms of AUTH, in the server's order of preference or none (RFC 4954, 3).
///
/// Two are equal when they hold the same names in one order.
#[derive(Clone, Copy, Default)]
pub struct Mechanisms<'a>(&'a str);

impl<'a> Mechanisms<'a> {
    /// The names in a text, with spaces between them. What is no name is passed over:
    /// `sasl-mech = 1*20mech-char`, `mech-char = UPPER-ALPHA / DIGIT / "-" / "_"` (RFC 4422, 3.1),
    /// in any case.
    #[must_use]
    pub const fn new(text: &'a str) -> Self {
        Self(text)
    }

    /// The names, as written.
    pub fn iter(self) -> impl Iterator<Item = &'a str> {
        self.0.split(' ').filter(|word| is_mechanism(word))
    }

    /// Whether a name is among them, in any case.
    #[must_use]
    pub fn has(self, name: &str) -> bool {
        self.iter().any(|mechanism| mechanism.eq_ignore_ascii_case(name))
    }
}

impl PartialEq for Mechanisms<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for Mechanisms<'_> {}

impl fmt::Debug for Mechanisms<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

/// `sasl-mech = 1*20mech-char`, in any case.
fn is_mechanism(word: &str) -> bool {
    let of_name = |octet: u8| octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'_');
    (1..=limits::SASL_MECHANISM).contains(&word.len()) && word.bytes().all(of_name)
}

/// How much a server takes (RFC 9422, 4). [`Default`] is as much as one likes.
///
/// A limit is 1 to 999 999; LIMITS cannot say another, and leaves it out when it is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Limits {
    /// MAILMAX: MAIL commands in one session.
    pub mail_max: Option<u32>,
    /// RCPTMAX: RCPT commands in one transaction.
    pub rcpt_max: Option<u32>,
    /// RCPTDOMAINMAX: domains of recipients in one session.
    pub rcpt_domain_max: Option<u32>,
}

impl Limits {
    /// `limits-param = limit-name-value 0*[SP limit-name-value]`,
    /// `limit-name-value = limit-name ["=" limit-value]`,
    /// `limit-name = 1*(ALPHA / DIGIT / "-" / "_")`, `limit-value = 1*(%x21-3A / %x3C-7E)`
    /// (RFC 9422, 3); the value of these three is `%x31-39 0*5DIGIT` (4).
    ///
    /// `None` when the list is none: it is as if there were no LIMITS. An item that is not known, or
    /// whose value is wrong, is passed over (3.7). Of an item that stands there twice the lower counts.
    pub(super) fn parse(parameters: &str) -> Option<Self> {
        let mut limits = Self::default();
        let mut items = parameters.split(' ').filter(|item| !item.is_empty()).peekable();
        items.peek()?;
        for item in items {
            let (name, value) = match item.split_once('=') {
                Some((name, value)) => (name, Some(value)),
                None => (item, None),
            };
            let of_name = |octet: u8| octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'_');
            let of_value = |octet| matches!(octet, b'!'..=b':' | b'<'..=b'~');
            let well_formed = !name.is_empty()
                && name.bytes().all(of_name)
                && value.is_none_or(|value| !value.is_empty() && value.bytes().all(of_value));
            if !well_formed {
                return None;
            }
            let slot = if name.eq_ignore_ascii_case("MAILMAX") {
                &mut limits.mail_max
            } else if name.eq_ignore_ascii_case("RCPTMAX") {
                &mut limits.rcpt_max
            } else if name.eq_ignore_ascii_case("RCPTDOMAINMAX") {
                &mut limits.rcpt_domain_max
            } else {
                continue;
            };
            let limit = value.and_then(limit_value);
            *slot = [*slot, limit].into_iter().flatten().min();
        }
        Some(limits)
    }

    /// Prints each behind a space.
    pub(super) fn print(self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.items().try_for_each(|(name, limit)| write!(f, " {name}={limit}"))
    }

    /// Whether there is a limit that LIMITS can say.
    pub(super) fn has_any(self) -> bool {
        self.items().next().is_some()
    }

    fn items(self) -> impl Iterator<Item = (&'static str, u32)> {
        [
            ("MAILMAX", self.mail_max),
            ("RCPTMAX", self.rcpt_max),
            ("RCPTDOMAINMAX", self.rcpt_domain_max),
        ]
        .into_iter()
        .filter_map(|(name, limit)| Some((name, limit?)))
        .filter(|(_, limit)| (1..=limits::LIMIT).contains(limit))
    }
}

/// `%x31-39 0*5DIGIT`
fn limit_value(value: &str) -> Option<u32> {
    let digits = value.len() <= 6 && value.bytes().all(|octet| octet.is_ascii_digit());
    if digits && !value.starts_with('0') { value.parse().ok() } else { None }
}

/// `deliverby-param = min-by-time *( "," extension-token )`, `min-by-time = [1*9DIGIT]`,
/// `extension-token = 1*<any CHAR excluding SP, COMMA and all control characters>` (RFC 2852, 2).
pub(super) fn min_by_time(parameter: &str) -> Option<Option<u32>> {
    let mut options = parameter.split(',');
    let time = options.next().unwrap_or_default();
    if options.any(str::is_empty) {
        return None;
    }
    let digits = time.len() <= 9 && time.bytes().all(|octet| octet.is_ascii_digit());
    digits.then(|| time.parse().ok())
}
