//! When a message is to go, and until when: HOLDFOR and HOLDUNTIL (RFC 4865), BY (RFC 2852) and
//! RRVS (RFC 7293).

use core::fmt;

use crate::limits;

/// Some seconds, 1 to 999 999 999 (RFC 4865, 3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Interval(u32);

impl Interval {
    /// `None` for 0, and over 999 999 999.
    #[must_use]
    pub const fn new(seconds: u32) -> Option<Self> {
        if seconds > 0 && seconds <= limits::SECONDS { Some(Self(seconds)) } else { None }
    }

    /// The seconds.
    #[must_use]
    pub const fn seconds(self) -> u32 {
        self.0
    }

    /// `future-release-integer = %x31-39 *8DIGIT`
    #[must_use]
    pub fn parse(value: &str) -> Option<Self> {
        if value.starts_with('0') {
            return None;
        }
        nine_digits(value).and_then(Self::new)
    }
}

impl fmt::Display for Interval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// `1*9DIGIT`
fn nine_digits(text: &str) -> Option<u32> {
    let digits = matches!(text.len(), 1..=9) && text.bytes().all(|octet| octet.is_ascii_digit());
    if digits { text.parse().ok() } else { None }
}

/// A date and a time of day with its offset from UTC, as written (RFC 3339).
///
/// ```
/// use smtp_proto::wire::Timestamp;
///
/// let time = Timestamp::parse("2007-05-01T12:00:00+02:00").unwrap();
/// assert_eq!(time.unix_seconds(), 1_178_013_600);
/// assert!(Timestamp::parse("2007-02-29T12:00:00Z").is_none());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Timestamp<'a> {
    text: &'a str,
    unix_seconds: i64,
}

impl<'a> Timestamp<'a> {
    /// `date-time = full-date "T" full-time`, `full-date = 4DIGIT "-" 2DIGIT "-" 2DIGIT`,
    /// `full-time = 2DIGIT ":" 2DIGIT ":" 2DIGIT ["." 1*DIGIT] ("Z" / ("+" / "-") 2DIGIT ":"
    /// 2DIGIT)` (RFC 3339, 5.6), with days that the month has and hours below 24. Second 60 is taken
    /// wherever it stands: which minutes have one is not known here.
    #[must_use]
    pub fn parse(text: &'a str) -> Option<Self> {
        let octets = text.as_bytes();
        let (date_time, rest) = octets.split_at_checked(19)?;
        let [y0, y1, y2, y3, b'-', m0, m1, b'-', d0, d1, b'T' | b't', time @ ..] = date_time else {
            return None;
        };
        let [h0, h1, b':', n0, n1, b':', s0, s1] = time else { return None };
        let year = number(*y0, *y1)? * 100 + number(*y2, *y3)?;
        let month = number(*m0, *m1).filter(|month| (1..=12).contains(month))?;
        let day = number(*d0, *d1).filter(|day| (1..=days_of(year, month)).contains(day))?;
        let hour = number(*h0, *h1).filter(|hour| *hour < 24)?;
        let minute = number(*n0, *n1).filter(|minute| *minute < 60)?;
        let second = number(*s0, *s1).filter(|second| *second <= 60)?;
        let offset = match fraction(rest)? {
            [b'Z' | b'z'] => 0,
            [sign @ (b'+' | b'-'), h0, h1, b':', m0, m1] => {
                let hours = number(*h0, *h1).filter(|hours| *hours < 24)?;
                let minutes = number(*m0, *m1).filter(|minutes| *minutes < 60)?;
                let seconds = hours * 3600 + minutes * 60;
                if *sign == b'+' { seconds } else { -seconds }
            }
            _ => return None,
        };
        let of_day = hour * 3600 + minute * 60 + second;
        let unix_seconds = days_since_epoch(year, month, day) * 86_400 + of_day - offset;
        Some(Self { text, unix_seconds })
    }

    /// The timestamp as it was written.
    #[must_use]
    pub const fn as_str(self) -> &'a str {
        self.text
    }

    /// Seconds since 1970-01-01T00:00:00Z, without the fraction; second 60 is the first of the next
    /// minute.
    #[must_use]
    pub const fn unix_seconds(self) -> i64 {
        self.unix_seconds
    }

    /// Whether it has a fraction of a second.
    fn has_fraction(self) -> bool {
        self.text.as_bytes().get(19) == Some(&b'.')
    }
}

impl fmt::Display for Timestamp<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text)
    }
}

/// Two digits.
fn number(tens: u8, ones: u8) -> Option<i64> {
    let digits = tens.is_ascii_digit() && ones.is_ascii_digit();
    digits.then(|| i64::from(tens - b'0') * 10 + i64::from(ones - b'0'))
}

/// What stands behind `["." 1*DIGIT]`.
fn fraction(octets: &[u8]) -> Option<&[u8]> {
    let [b'.', digits @ ..] = octets else { return Some(octets) };
    let count = digits.iter().take_while(|octet| octet.is_ascii_digit()).count();
    (count > 0).then(|| &digits[count..])
}

const fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

const fn days_of(year: i64, month: i64) -> i64 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days from 1970-01-01 to a day of the Gregorian calendar, from the years 0 to 9999.
fn days_since_epoch(year: i64, month: i64, day: i64) -> i64 {
    // Leap days in the years before this one, the year 0 counted.
    let leap_days =
        if year > 0 { (year - 1) / 4 - (year - 1) / 100 + (year - 1) / 400 + 1 } else { 0 };
    let of_year: i64 = (1..month).map(|month| days_of(year, month)).sum();
    // 719 528 days lie between 0000-01-01 and 1970-01-01.
    year * 365 + leap_days + of_year + day - 1 - 719_528
}

/// That a message is to be held, and how long (RFC 4865): one of the two, never both.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Hold<'a> {
    /// HOLDFOR: so long from now.
    For(Interval),
    /// HOLDUNTIL: until then.
    Until(Timestamp<'a>),
}

/// Prints the whole parameter.
impl fmt::Display for Hold<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::For(interval) => write!(f, "HOLDFOR={interval}"),
            Self::Until(time) => write!(f, "HOLDUNTIL={time}"),
        }
    }
}

/// What becomes of a message that is not delivered in time (RFC 2852, 4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DeliverByMode {
    /// It is returned.
    Return,
    /// The sender is notified, and it is tried further.
    Notify,
}

/// Within how many seconds a message is to be delivered (RFC 2852).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct DeliverBy {
    seconds: i32,
    mode: DeliverByMode,
    trace: bool,
}

impl DeliverBy {
    /// `None` over 999 999 999 seconds either way, and where a message that is to be returned has no
    /// second left (RFC 2852, 4).
    #[must_use]
    pub const fn new(seconds: i32, mode: DeliverByMode, trace: bool) -> Option<Self> {
        let in_time = seconds > 0 || matches!(mode, DeliverByMode::Notify);
        if in_time && seconds.unsigned_abs() <= limits::SECONDS {
            Some(Self { seconds, mode, trace })
        } else {
            None
        }
    }

    /// `by-value = by-time ";" by-mode [by-trace]`, `by-time = ["-" / "+"] 1*9DIGIT`,
    /// `by-mode = "N" / "R"`, `by-trace = "T"`, in any case.
    #[must_use]
    pub fn parse(value: &str) -> Option<Self> {
        let (time, mode) = value.split_once(';')?;
        let seconds = match time.strip_prefix('-') {
            Some(time) => -(nine_digits(time)? as i32),
            None => nine_digits(time.strip_prefix('+').unwrap_or(time))? as i32,
        };
        let (mode, trace) = match mode.as_bytes() {
            [mode] => (mode, false),
            [mode, b'T' | b't'] => (mode, true),
            _ => return None,
        };
        let mode = match mode {
            b'R' | b'r' => DeliverByMode::Return,
            b'N' | b'n' => DeliverByMode::Notify,
            _ => return None,
        };
        Self::new(seconds, mode, trace)
    }

    /// The seconds that are left; below 1 where the time is over.
    #[must_use]
    pub const fn seconds(self) -> i32 {
        self.seconds
    }

    /// What becomes of the message then.
    #[must_use]
    pub const fn mode(self) -> DeliverByMode {
        self.mode
    }

    /// Whether the sender wants to know of each relay (RFC 2852, 4.1.4 and 4.1.5).
    #[must_use]
    pub const fn trace(self) -> bool {
        self.trace
    }
}

impl fmt::Display for DeliverBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mode = match self.mode {
            DeliverByMode::Return => "R",
            DeliverByMode::Notify => "N",
        };
        write!(f, "{};{mode}{}", self.seconds, if self.trace { "T" } else { "" })
    }
}

/// What is done where the next server does not know RRVS (RFC 7293, 3.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum NoSupportAction {
    /// The message is rejected. This is meant where nothing is said.
    #[default]
    Reject,
    /// It goes on without the parameter.
    Continue,
}

/// Since when the recipient must have held the mailbox (RFC 7293).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Rrvs<'a> {
    since: Timestamp<'a>,
    action: NoSupportAction,
}

impl<'a> Rrvs<'a> {
    /// `None` where the time has a fraction of a second (RFC 7293, 3.1).
    #[must_use]
    pub fn new(since: Timestamp<'a>, action: NoSupportAction) -> Option<Self> {
        (!since.has_fraction()).then_some(Self { since, action })
    }

    /// `rrvs-param = "RRVS=" date-time [ ";" ( "C" / "R" ) ]`: the part behind the equals sign.
    #[must_use]
    pub fn parse(value: &'a str) -> Option<Self> {
        let (since, action) = match value.split_once(';') {
            None => (value, NoSupportAction::Reject),
            Some((since, "R" | "r")) => (since, NoSupportAction::Reject),
            Some((since, "C" | "c")) => (since, NoSupportAction::Continue),
            Some(_) => return None,
        };
        Self::new(Timestamp::parse(since)?, action)
    }

    /// Since when.
    #[must_use]
    pub const fn since(self) -> Timestamp<'a> {
        self.since
    }

    /// What is done where the next server does not know RRVS.
    #[must_use]
    pub const fn action(self) -> NoSupportAction {
        self.action
    }
}

impl fmt::Display for Rrvs<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let action = match self.action {
            NoSupportAction::Reject => "",
            NoSupportAction::Continue => ";C",
        };
        write!(f, "{}{action}", self.since)
    }
}
