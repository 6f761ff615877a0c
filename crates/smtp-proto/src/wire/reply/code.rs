//! Reply codes and enhanced status codes.

use core::fmt;

/// What the first digit of a reply code says (RFC 5321, 4.2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Class {
    /// 2yz: done.
    Positive,
    /// 3yz: go on.
    Intermediate,
    /// 4yz: not now.
    Transient,
    /// 5yz: not ever.
    Permanent,
}

/// A reply code: 200 to 599.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Code(u16);

impl Code {
    /// 211: system status.
    pub const SYSTEM_STATUS: Self = Self(211);
    /// 214: help.
    pub const HELP: Self = Self(214);
    /// 220: ready.
    pub const READY: Self = Self(220);
    /// 221: closing, as asked.
    pub const CLOSING: Self = Self(221);
    /// 235: authenticated (RFC 4954).
    pub const AUTHENTICATED: Self = Self(235);
    /// 250: done.
    pub const OK: Self = Self(250);
    /// 251: not here, but the message goes on.
    pub const WILL_FORWARD: Self = Self(251);
    /// 252: cannot verify, but will try.
    pub const CANNOT_VERIFY: Self = Self(252);
    /// 334: a challenge: go on with the exchange of AUTH (RFC 4954).
    pub const CHALLENGE: Self = Self(334);
    /// 354: send the message text.
    pub const START_MAIL_INPUT: Self = Self(354);
    /// 421: closing.
    pub const SERVICE_NOT_AVAILABLE: Self = Self(421);
    /// 432: the password must be given once by another mechanism (RFC 4954).
    pub const PASSWORD_TRANSITION_NEEDED: Self = Self(432);
    /// 450: the mailbox is not available now.
    pub const MAILBOX_BUSY: Self = Self(450);
    /// 451: a local error.
    pub const LOCAL_ERROR: Self = Self(451);
    /// 452: no storage now, or too many recipients.
    pub const INSUFFICIENT_STORAGE: Self = Self(452);
    /// 454: no TLS now (RFC 3207).
    pub const TLS_NOT_AVAILABLE: Self = Self(454);
    /// 455: the parameters cannot be honoured now.
    pub const PARAMETERS_NOT_ACCOMMODATED: Self = Self(455);
    /// 500: unknown command, or one too long.
    pub const UNRECOGNISED: Self = Self(500);
    /// 501: a wrong argument.
    pub const ARGUMENT_SYNTAX: Self = Self(501);
    /// 502: a known command, not implemented.
    pub const NOT_IMPLEMENTED: Self = Self(502);
    /// 503: not now, in this order.
    pub const BAD_SEQUENCE: Self = Self(503);
    /// 504: a known parameter, not implemented.
    pub const PARAMETER_NOT_IMPLEMENTED: Self = Self(504);
    /// 521: this host takes no mail at all (RFC 7504).
    pub const HOST_TAKES_NO_MAIL: Self = Self(521);
    /// 530: TLS or authentication first (RFC 3207, RFC 4954).
    pub const REQUIRED_FIRST: Self = Self(530);
    /// 534: the mechanism is too weak (RFC 4954).
    pub const MECHANISM_TOO_WEAK: Self = Self(534);
    /// 535: wrong credentials (RFC 4954).
    pub const CREDENTIALS_INVALID: Self = Self(535);
    /// 538: the mechanism needs TLS (RFC 4954).
    pub const ENCRYPTION_REQUIRED: Self = Self(538);
    /// 550: no such mailbox, or refused.
    pub const MAILBOX_UNAVAILABLE: Self = Self(550);
    /// 551: not here; try the address in the text.
    pub const USER_NOT_LOCAL: Self = Self(551);
    /// 552: too large.
    pub const EXCEEDED_STORAGE: Self = Self(552);
    /// 553: the mailbox's name is not allowed.
    pub const MAILBOX_NAME: Self = Self(553);
    /// 554: the transaction failed.
    pub const TRANSACTION_FAILED: Self = Self(554);
    /// 555: a parameter of MAIL or RCPT is not known.
    pub const PARAMETER_NOT_RECOGNISED: Self = Self(555);
    /// 556: the recipient's domain takes no mail at all (RFC 7504).
    pub const DOMAIN_TAKES_NO_MAIL: Self = Self(556);

    /// `None` outside 200 to 599.
    #[must_use]
    pub const fn new(code: u16) -> Option<Self> {
        if code >= 200 && code <= 599 { Some(Self(code)) } else { None }
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> u16 {
        self.0
    }

    /// The class: what the first digit says.
    #[must_use]
    pub const fn class(self) -> Class {
        match self.0 / 100 {
            2 => Class::Positive,
            3 => Class::Intermediate,
            4 => Class::Transient,
            _ => Class::Permanent,
        }
    }

    pub(super) const fn first_digit(self) -> u16 {
        self.0 / 100
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:03}", self.0)
    }
}

/// The subject and the detail of an enhanced status code (RFC 3463); its class is the reply
/// code's, so the two cannot disagree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Detail {
    pub(super) subject: u16,
    pub(super) detail: u16,
}

impl Detail {
    /// `x.subject.detail`
    #[must_use]
    pub const fn new(subject: u8, detail: u8) -> Self {
        Self { subject: subject as u16, detail: detail as u16 }
    }
}

/// An enhanced status code as a reply carries it: `5.7.1` (RFC 3463, RFC 2034).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct EnhancedCode {
    /// The reply code's class; never [`Class::Intermediate`].
    pub class: Class,
    /// What it is about, 0 to 999: 1 addressing, 2 mailbox, 3 mail system, 4 network, 5 protocol,
    /// 6 content, 7 policy.
    pub subject: u16,
    /// What exactly, 0 to 999.
    pub detail: u16,
}

impl fmt::Display for EnhancedCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let class = match self.class {
            Class::Positive => 2,
            Class::Intermediate => 3,
            Class::Transient => 4,
            Class::Permanent => 5,
        };
        write!(f, "{class}.{}.{}", self.subject, self.detail)
    }
}

/// An enhanced status code at the start of a reply's first line, which is what it is on the wire,
/// and the octets up to the text behind it. The class must be the code's own.
///
/// `status-code = class "." subject "." detail`, `subject = 1*3digit`, `detail = 1*3digit`, both
/// without leading zeros (RFC 3463, 2), then a space or the end of the line (RFC 2034, 4).
pub(super) const fn leading(code: Code, text: &[u8]) -> Option<(Detail, usize)> {
    if matches!(code.class(), Class::Intermediate)
        || text.len() < "2.0.0".len()
        || text[0] != b'0' + code.first_digit() as u8
        || text[1] != b'.'
    {
        return None;
    }
    let Some((subject, dot)) = number(text, 2) else { return None };
    if dot >= text.len() || text[dot] != b'.' {
        return None;
    }
    let Some((detail, end)) = number(text, dot + 1) else { return None };
    let behind = if end == text.len() {
        end
    } else {
        match text[end] {
            // A tab is printed as a space.
            b' ' | b'\t' => end + 1,
            b'\n' => end,
            b'\r' if end + 1 == text.len() || text[end + 1] == b'\n' => end,
            _ => return None,
        }
    };
    Some((Detail { subject, detail }, behind))
}

/// `1*3digit` without leading zeros at an offset, and the offset behind it.
const fn number(text: &[u8], start: usize) -> Option<(u16, usize)> {
    let (mut number, mut at) = (0, start);
    while at < text.len() && at < start + 3 && text[at].is_ascii_digit() {
        number = number * 10 + (text[at] - b'0') as u16;
        at += 1;
    }
    if at == start || (at > start + 1 && text[start] == b'0') { None } else { Some((number, at)) }
}
