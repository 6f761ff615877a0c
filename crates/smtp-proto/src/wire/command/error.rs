//! Why a line is no command.

use thiserror::Error;

use crate::wire::address::AddressError;
use crate::wire::verb::Verb;

/// Why a line is no command. Offsets are octets from the start of the line.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum CommandError {
    /// A control character (NUL and CR are), or an octet over 126 where none may stand.
    #[error("an octet outside printable ASCII at offset {at}")]
    NotPrintableAscii {
        /// Where it stands.
        at: usize,
    },
    /// The first word is no known verb.
    #[error("unknown command")]
    Unrecognised,
    /// The verb is known, but not implemented.
    #[error("{0} is not implemented")]
    NotImplemented(Verb),
    /// The verb takes no argument, and has one.
    #[error("{0} takes no argument")]
    ParametersNotAllowed(Verb),
    /// The line leaves the verb's grammar.
    #[error("{verb}: {expected} expected at offset {at}")]
    Syntax {
        /// The command.
        verb: Verb,
        /// Where the line leaves the grammar.
        at: usize,
        /// What could have stood there.
        expected: &'static str,
    },
    /// The path between the brackets is no address.
    #[error("{verb}: {error}")]
    Address {
        /// The command.
        verb: Verb,
        /// What is wrong with it; its offset counts from the start of the line.
        error: AddressError,
    },
    /// Letters outside ASCII in a command without the SMTPUTF8 parameter that announces them
    /// (RFC 6531, 3.4). RCPT has no such parameter: there the session knows what MAIL announced.
    #[error("{verb}: letters outside ASCII without SMTPUTF8")]
    Utf8NotDeclared {
        /// The command.
        verb: Verb,
    },
    /// A parameter that is not known.
    #[error("{verb}: unknown parameter at offset {at}")]
    UnknownParameter {
        /// The command.
        verb: Verb,
        /// Where its keyword starts.
        at: usize,
    },
    /// A parameter that stands there twice.
    #[error("{verb}: repeated parameter at offset {at}")]
    DuplicateParameter {
        /// The command.
        verb: Verb,
        /// Where its keyword starts the second time.
        at: usize,
    },
    /// A known parameter whose value is missing or wrong.
    #[error("{verb}: {expected} expected for the parameter at offset {at}")]
    InvalidParameter {
        /// The command.
        verb: Verb,
        /// Where its keyword starts.
        at: usize,
        /// What its value can be.
        expected: &'static str,
    },
}

impl CommandError {
    /// The verb, where one was recognised.
    #[must_use]
    pub const fn verb(self) -> Option<Verb> {
        match self {
            Self::NotPrintableAscii { .. } | Self::Unrecognised => None,
            Self::NotImplemented(verb)
            | Self::ParametersNotAllowed(verb)
            | Self::Syntax { verb, .. }
            | Self::Address { verb, .. }
            | Self::Utf8NotDeclared { verb }
            | Self::UnknownParameter { verb, .. }
            | Self::DuplicateParameter { verb, .. }
            | Self::InvalidParameter { verb, .. } => Some(verb),
        }
    }
}
