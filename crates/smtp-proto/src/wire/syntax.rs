//! What a session lets stand in a command.
//!
//! Does: name the extensions whose words are read, and the tolerances, each by its switch. Does
//! not: say which command may come now; the session's state does.

use super::extension::{Extension, Extensions};

/// What is taken in a command. [`Default`] is strict: RFC 5321 with SIZE and 8BITMIME.
///
/// ```
/// use smtp_proto::wire::{Command, CommandError, Extension, Syntax, Verb};
///
/// let line = "VRFY jos\u{e9}@example.org SMTPUTF8".as_bytes();
/// assert_eq!(Command::parse(line), Err(CommandError::NotPrintableAscii { at: 8 }));
///
/// let mut syntax = Syntax::default();
/// syntax.extensions = syntax.extensions.with(Extension::SmtpUtf8);
/// assert_eq!(Command::parse_with(line, &syntax)?.verb(), Verb::Vrfy);
/// # Ok::<(), CommandError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Syntax {
    /// Extensions whose parameters are read, and whose values are checked. A parameter of another
    /// is unknown, even where its value is wrong (RFC 5321, 4.1.1.11: 555).
    pub extensions: Extensions,
    /// What is done with parameters that are not known.
    pub unknown_parameters: UnknownParameters,
    /// What a client may call itself.
    pub client_names: ClientNames,
}

impl Syntax {
    /// The default, as a constant.
    pub const STRICT: Self = Self {
        extensions: Extensions::EMPTY.with(Extension::Size).with(Extension::EightBitMime),
        unknown_parameters: UnknownParameters::Refuse,
        client_names: ClientNames::Strict,
    };

    /// Whether letters outside ASCII may stand in addresses (RFC 6531).
    #[must_use]
    pub const fn takes_utf8(&self) -> bool {
        self.extensions.contains(Extension::SmtpUtf8)
    }
}

impl Default for Syntax {
    fn default() -> Self {
        Self::STRICT
    }
}

/// What is done with a parameter of MAIL or RCPT that is not known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum UnknownParameters {
    /// The command is refused.
    #[default]
    Refuse,
    /// It is kept as it was written, for the handler.
    Keep,
}

/// What a client may call itself in EHLO, HELO and LHLO.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum ClientNames {
    /// A domain, with underscores tolerated, or an address literal.
    #[default]
    Strict,
    /// Any word in UTF-8 without a control character or a space: names with a dot at their end,
    /// with letters outside ASCII, and broken literals too. The length is bounded all the same.
    Lenient,
}
