//! The arguments of AUTH.

use core::fmt;
use core::hash::{Hash, Hasher};

use crate::limits;

/// A request to authenticate (RFC 4954).
///
/// [`Debug`] does not show the initial response, which may be a password; [`Display`](fmt::Display)
/// prints what goes on the wire.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Auth<'a> {
    /// The SASL mechanism.
    pub mechanism: Mechanism<'a>,
    /// The client's first message in base64, as it was written; `=` is the empty message.
    pub initial_response: Option<InitialResponse<'a>>,
}

impl<'a> Auth<'a> {
    /// `auth-command = "AUTH" SP sasl-mech [SP initial-response]` (RFC 4954, 8), from behind the
    /// verb's space. What was expected is the error, with the text from where it was.
    pub(super) fn parse(argument: &'a str) -> Result<Self, (&'a str, &'static str)> {
        let (name, rest) = match argument.split_once(' ') {
            Some((name, rest)) => (name, Some(rest)),
            None => (argument, None),
        };
        let mechanism = Mechanism::parse(name).ok_or((argument, "the name of a SASL mechanism"))?;
        let initial_response = rest
            .map(|rest| InitialResponse::parse(rest).ok_or((rest, "base64 or \"=\"")))
            .transpose()?;
        Ok(Self { mechanism, initial_response })
    }
}

impl fmt::Debug for Auth<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Auth")
            .field("mechanism", &self.mechanism)
            .field("initial_response", &self.initial_response)
            .finish()
    }
}

impl fmt::Display for Auth<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.mechanism.fmt(f)?;
        match self.initial_response {
            Some(response) => write!(f, " {}", response.as_str()),
            None => Ok(()),
        }
    }
}

/// The name of a SASL mechanism (RFC 4422, 3.1). Compares in any case, and prints in capitals.
///
/// ```
/// use smtp_proto::wire::Mechanism;
///
/// assert_eq!(Mechanism::parse("scram-sha-256"), Mechanism::parse("SCRAM-SHA-256"));
/// assert_eq!(Mechanism::parse("PLAIN ="), None);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Mechanism<'a>(&'a str);

impl<'a> Mechanism<'a> {
    /// `sasl-mech = 1*20mech-char`, `mech-char = UPPER-ALPHA / DIGIT / HYPHEN / UNDERSCORE`, in
    /// any case; `None` when the text is none.
    #[must_use]
    pub fn parse(name: &'a str) -> Option<Self> {
        let is_char = |octet: u8| octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'_');
        let fits = (1..=limits::SASL_MECHANISM).contains(&name.len());
        (fits && name.bytes().all(is_char)).then_some(Self(name))
    }

    /// The name as it was written.
    #[must_use]
    pub const fn as_str(&self) -> &'a str {
        self.0
    }

    /// Whether it has this name, in any case.
    #[must_use]
    pub fn is(&self, name: &str) -> bool {
        self.0.eq_ignore_ascii_case(name)
    }
}

impl PartialEq for Mechanism<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.is(other.0)
    }
}

impl Eq for Mechanism<'_> {}

impl Hash for Mechanism<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        for octet in self.0.bytes() {
            state.write_u8(octet.to_ascii_uppercase());
        }
        state.write_u8(0xff);
    }
}

impl fmt::Display for Mechanism<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use fmt::Write;
        self.0.chars().try_for_each(|c| f.write_char(c.to_ascii_uppercase()))
    }
}

/// A client's first message in base64, or `=` for the empty one. [`Debug`](fmt::Debug) hides it:
/// it may be a password.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct InitialResponse<'a>(&'a str);

impl<'a> InitialResponse<'a> {
    /// `initial-response = base64 / "="`, `base64 = base64-terminal / ( 1*(4base64-char)
    /// [base64-terminal] )`, `base64-terminal = (2base64-char "==") / (3base64-char "=")`,
    /// `base64-char = ALPHA / DIGIT / "+" / "/"` (RFC 4954, 8); `None` when the text is none.
    #[must_use]
    pub fn parse(text: &'a str) -> Option<Self> {
        if text == "=" {
            return Some(Self(text));
        }
        let is_char = |octet: u8| octet.is_ascii_alphanumeric() || matches!(octet, b'+' | b'/');
        let padding = text.bytes().rev().take_while(|octet| *octet == b'=').count();
        let (digits, _) = text.split_at(text.len() - padding);
        let whole = !digits.is_empty() && text.len().is_multiple_of(4) && padding <= 2;
        (whole && digits.bytes().all(is_char)).then_some(Self(text))
    }

    /// The message in base64; `=` for the empty one.
    #[must_use]
    pub const fn as_str(&self) -> &'a str {
        self.0
    }
}

impl fmt::Debug for InitialResponse<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("InitialResponse(..)")
    }
}
