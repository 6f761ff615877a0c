//! What a message must be to be sent, and what becomes of one that is not.
//!
//! Does: name each rule, its switch and its default. Does not: look at a message; the encoders do.
//! Fails: with a [`MessageFault`], the caller's own fault.
//!
//! Octets above 127 are no matter of these rules: whether they can be sent depends on what the
//! server offers (RFC 6152), so the session decides.

use core::fmt;

use thiserror::Error;

/// What becomes of a message that is not as RFC 5321 and RFC 5322 want it. The default changes line
/// ends, and nothing else; whatever is chosen, no CR and no LF leaves outside a CRLF.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct MessagePolicy {
    /// A CR or an LF alone (RFC 5321, 2.3.8).
    pub line_ends: LineEnds,
    /// A NUL (RFC 5322, 3.5 has none in a text, nor has RFC 2045, 2.7 and 2.8).
    pub nul: Nul,
    /// A line of more than 998 octets without its CRLF (RFC 5321, 4.5.3.1.6; RFC 5322, 2.1.1).
    pub long_lines: LongLines,
}

impl From<LineEnds> for MessagePolicy {
    fn from(line_ends: LineEnds) -> Self {
        Self { line_ends, ..Self::default() }
    }
}

/// What becomes of line ends other than CRLF, in what is sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum LineEnds {
    /// LF → CRLF: files have it. CR → SP: it ends no line, whatever stands behind it.
    #[default]
    Normalize,
    /// They are an error.
    Refuse,
}

/// What becomes of a NUL, in what is sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Nul {
    /// It is an error: what stands behind it is lost to whoever takes it for the end of a text, so
    /// that two readers see two messages.
    #[default]
    Refuse,
    /// It is sent like any other octet.
    SendAsIs,
}

/// What becomes of a line of more than 998 octets, in what is sent.
///
/// RFC 5321, 4.5.3.1 lets a client try to send what is larger than its limits, if it is prepared
/// for a server's refusal; RFC 5322, 2.1.1 forbids whoever writes a message to write such lines. The
/// default is made for passing on what others wrote; who writes messages does well to refuse.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum LongLines {
    /// It is sent as it is, and the server's answer decides: nothing signed is broken, and nothing
    /// is refused that would have arrived.
    #[default]
    SendAsIs,
    /// It is an error.
    Refuse,
    /// It is broken after 998 octets at most by CRLF SP, not within a character of UTF-8. A header
    /// field means the same then (RFC 5322, 2.2.3), but a space is put into its text; a body is
    /// altered, and a signature over it (RFC 6376) does not hold any more.
    Fold,
}

/// A rule of [`MessagePolicy`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MessageRule {
    /// An LF without a CR before it, under [`LineEnds::Refuse`].
    BareLf,
    /// A CR without an LF behind it, under [`LineEnds::Refuse`].
    BareCr,
    /// A NUL, under [`Nul::Refuse`].
    Nul,
    /// The first octet behind the 998 of a line, under [`LongLines::Refuse`].
    LongLine,
}

impl fmt::Display for MessageRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::BareLf => "an LF without a CR before it",
            Self::BareCr => "a CR without an LF behind it",
            Self::Nul => "a NUL",
            Self::LongLine => "a line longer than 998 octets",
        })
    }
}

/// The first place of a message that a [`MessagePolicy`] refuses.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("{rule} at offset {at} of the message")]
pub struct MessageFault {
    /// The rule that it breaks.
    pub rule: MessageRule,
    /// Octets of the message, as it was given, before the octet that breaks the rule.
    pub at: u64,
}
