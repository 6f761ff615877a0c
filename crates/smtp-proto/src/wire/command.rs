//! One command line as a value.
//!
//! Does: read a whole line, without its line end, and print it back. Values borrow from the line
//! and nothing is allocated. Does not: find the line ([`super::line`] does), or know whether the
//! command is allowed now. Fails: [`CommandError`], typed so that a session can choose the reply.
//!
//! Named tolerances, all harmless: spaces at the end of any line (RFC 5321, 4.1.1), and one space
//! between `FROM:` or `TO:` and the path. Nothing else that the grammar does not have is taken.

use core::fmt;

use nom::Parser;
use nom::bytes::complete::tag_no_case;
use nom::character::complete::{alpha1, char};
use nom::combinator::opt;
use thiserror::Error;

use super::address::{self, AddressError, ClientName, ForwardPath, ReversePath};
use super::extension::{Extension, Extensions};
use super::grammar::{self, Cause, Parsed, expect};
use super::param::{ListError, MailParameters, RcptParameters};
use super::verb::Verb;

/// A command, with values that borrow from its line. Prints as its line, without the line end.
///
/// ```
/// use smtp_proto::wire::{BodyType, Command};
///
/// let command = Command::parse(b"mail from:<a@example.org> body=8bitmime")?;
/// let Command::Mail(mail) = command else { panic!() };
/// assert_eq!(mail.parameters.body, Some(BodyType::EightBitMime));
/// assert_eq!(command.to_string(), "MAIL FROM:<a@example.org> BODY=8BITMIME");
/// # Ok::<(), smtp_proto::wire::CommandError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command<'a> {
    /// Opens a session with extensions.
    Ehlo(ClientName<'a>),
    /// Opens a session without extensions.
    Helo(ClientName<'a>),
    /// Opens a transaction.
    Mail(Mail<'a>),
    /// Adds a recipient.
    Rcpt(Rcpt<'a>),
    /// Announces the message text.
    Data,
    /// Gives the transaction up.
    Rset,
    /// Does nothing. Its argument is not kept (RFC 5321, 4.1.1.9).
    Noop,
    /// Ends the session.
    Quit,
    /// Asks whether a mailbox exists.
    Vrfy(Text<'a>),
    /// Asks for help, perhaps about something.
    Help(Option<Text<'a>>),
    /// Asks for TLS.
    StartTls,
}

/// The arguments of MAIL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mail<'a> {
    /// Where failures are reported.
    pub reverse_path: ReversePath<'a>,
    /// What else is said of the transaction.
    pub parameters: MailParameters<'a>,
}

/// The arguments of RCPT.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rcpt<'a> {
    /// The recipient.
    pub forward_path: ForwardPath<'a>,
    /// What else is said of the recipient.
    pub parameters: RcptParameters<'a>,
}

/// A free argument: printable ASCII, not empty, no space at its ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Text<'a>(&'a str);

impl<'a> Text<'a> {
    /// `None` when the text is empty, has a space at an end or an octet outside printable ASCII.
    #[must_use]
    pub fn parse(text: &'a str) -> Option<Self> {
        let printable = grammar::not_printable(text.as_bytes()).is_none();
        (printable && !text.is_empty() && text.trim() == text).then_some(Self(text))
    }

    /// The text.
    #[must_use]
    pub const fn as_str(&self) -> &'a str {
        self.0
    }
}

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// Why a line is no command. Offsets are octets from the start of the line.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum CommandError {
    /// A control character (NUL and CR are), or an octet over 126.
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
            | Self::UnknownParameter { verb, .. }
            | Self::DuplicateParameter { verb, .. }
            | Self::InvalidParameter { verb, .. } => Some(verb),
        }
    }
}

impl Command<'_> {
    /// Reads one line, given without its line end.
    ///
    /// # Errors
    /// The line is no command that this crate implements; see [`CommandError`].
    pub fn parse(line: &[u8]) -> Result<Command<'_>, CommandError> {
        if let Some(at) = grammar::not_printable(line) {
            return Err(CommandError::NotPrintableAscii { at });
        }
        let line = core::str::from_utf8(line)
            .map_err(|error| CommandError::NotPrintableAscii { at: error.valid_up_to() })?
            .trim_end_matches(' ');
        let (verb, argument) = verb(line).ok_or(CommandError::Unrecognised)?;
        let cursor = Cursor { verb, line };
        match verb {
            Verb::Ehlo => cursor.client_name(argument).map(Command::Ehlo),
            Verb::Helo => cursor.client_name(argument).map(Command::Helo),
            Verb::Mail => cursor.mail(argument).map(Command::Mail),
            Verb::Rcpt => cursor.rcpt(argument).map(Command::Rcpt),
            Verb::Data => cursor.alone(argument, Command::Data),
            Verb::Rset => cursor.alone(argument, Command::Rset),
            Verb::Quit => cursor.alone(argument, Command::Quit),
            Verb::StartTls => cursor.alone(argument, Command::StartTls),
            Verb::Noop => Ok(Command::Noop),
            Verb::Vrfy => cursor.text(argument).map(Command::Vrfy),
            Verb::Help if argument.is_none() => Ok(Command::Help(None)),
            Verb::Help => cursor.text(argument).map(|text| Command::Help(Some(text))),
            verb => Err(CommandError::NotImplemented(verb)),
        }
    }

    /// The command's verb.
    #[must_use]
    pub const fn verb(&self) -> Verb {
        match self {
            Self::Ehlo(_) => Verb::Ehlo,
            Self::Helo(_) => Verb::Helo,
            Self::Mail(_) => Verb::Mail,
            Self::Rcpt(_) => Verb::Rcpt,
            Self::Data => Verb::Data,
            Self::Rset => Verb::Rset,
            Self::Noop => Verb::Noop,
            Self::Quit => Verb::Quit,
            Self::Vrfy(_) => Verb::Vrfy,
            Self::Help(_) => Verb::Help,
            Self::StartTls => Verb::StartTls,
        }
    }
}

impl fmt::Display for Command<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.verb().as_str())?;
        match self {
            Self::Ehlo(name) | Self::Helo(name) => write!(f, " {name}"),
            Self::Mail(mail) => write!(f, " {mail}"),
            Self::Rcpt(rcpt) => write!(f, " {rcpt}"),
            Self::Vrfy(text) | Self::Help(Some(text)) => write!(f, " {text}"),
            Self::Data
            | Self::Rset
            | Self::Noop
            | Self::Quit
            | Self::Help(None)
            | Self::StartTls => Ok(()),
        }
    }
}

impl fmt::Display for Mail<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FROM:{}{}", self.reverse_path, self.parameters)
    }
}

impl fmt::Display for Rcpt<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TO:{}{}", self.forward_path, self.parameters)
    }
}

/// `verb [SP argument]`; `None` when the first word is no verb.
fn verb(line: &str) -> Option<(Verb, Option<&str>)> {
    let (rest, word) = alpha1::<_, grammar::Miss>(line).ok()?;
    let verb = Verb::from_word(word)?;
    match rest.strip_prefix(' ') {
        Some(argument) => Some((verb, Some(argument))),
        None if rest.is_empty() => Some((verb, None)),
        None => None,
    }
}

/// The extensions whose parameters are read.
const ALLOWED: Extensions = Extensions::EMPTY.with(Extension::Size).with(Extension::EightBitMime);

/// The line that is read, for offsets in errors.
#[derive(Clone, Copy)]
struct Cursor<'a> {
    verb: Verb,
    line: &'a str,
}

impl<'a> Cursor<'a> {
    fn at(self, rest: &str) -> usize {
        self.line.len() - rest.len()
    }

    fn syntax(self, rest: &str, expected: &'static str) -> CommandError {
        CommandError::Syntax { verb: self.verb, at: self.at(rest), expected }
    }

    fn address(self, error: &nom::Err<grammar::Miss>) -> CommandError {
        let error = AddressError::from_miss(grammar::miss(error), self.line.len());
        CommandError::Address { verb: self.verb, error }
    }

    fn alone(
        self,
        argument: Option<&str>,
        command: Command<'a>,
    ) -> Result<Command<'a>, CommandError> {
        match argument {
            None => Ok(command),
            Some(_) => Err(CommandError::ParametersNotAllowed(self.verb)),
        }
    }

    fn text(self, argument: Option<&'a str>) -> Result<Text<'a>, CommandError> {
        let text = argument.unwrap_or_default();
        Text::parse(text).ok_or_else(|| self.syntax(text, "a text"))
    }

    /// `ehlo = "EHLO" SP ( Domain / address-literal ) CRLF`, `helo = "HELO" SP Domain CRLF`
    fn client_name(self, argument: Option<&'a str>) -> Result<ClientName<'a>, CommandError> {
        let text = argument.unwrap_or_default();
        grammar::whole(text, address::client_name).map_err(|miss| {
            let at = miss.at(self.line.len());
            let expected = match miss.cause {
                Cause::Expected(expected) => expected,
                _ => "a shorter name",
            };
            CommandError::Syntax { verb: self.verb, at, expected }
        })
    }

    /// `mail = "MAIL FROM:" Reverse-path [SP Mail-parameters] CRLF`
    fn mail(self, argument: Option<&'a str>) -> Result<Mail<'a>, CommandError> {
        let (rest, reverse_path) = self.path(argument, "FROM:", address::reverse_path)?;
        let parameters = MailParameters::parse(rest, ALLOWED, false);
        Ok(Mail { reverse_path, parameters: parameters.map_err(|error| self.list(error))? })
    }

    /// `rcpt = "RCPT TO:" ( "<Postmaster@" Domain ">" / "<Postmaster>" / Forward-path )
    /// [SP Rcpt-parameters] CRLF`
    fn rcpt(self, argument: Option<&'a str>) -> Result<Rcpt<'a>, CommandError> {
        let (rest, forward_path) = self.path(argument, "TO:", address::forward_path)?;
        let parameters = RcptParameters::parse(rest, ALLOWED, false);
        Ok(Rcpt { forward_path, parameters: parameters.map_err(|error| self.list(error))? })
    }

    /// What is wrong with the parameters at the end of the line.
    fn list(self, error: ListError) -> CommandError {
        let Self { verb, line } = self;
        let at = |left| line.len() - left;
        match error {
            ListError::Syntax { left, expected } => {
                CommandError::Syntax { verb, at: at(left), expected }
            }
            ListError::Unknown { left } => CommandError::UnknownParameter { verb, at: at(left) },
            ListError::Duplicate { left } => {
                CommandError::DuplicateParameter { verb, at: at(left) }
            }
            ListError::Invalid { left, expected } => {
                CommandError::InvalidParameter { verb, at: at(left), expected }
            }
        }
    }

    /// The word with its colon, the space that is tolerated behind it, and the path.
    fn path<T>(
        self,
        argument: Option<&'a str>,
        word: &'static str,
        path: impl FnOnce(&'a str) -> Parsed<'a, T>,
    ) -> Result<(&'a str, T), CommandError> {
        let argument = argument.unwrap_or_default();
        let (rest, _) = (expect(word, tag_no_case(word)), opt(char(' ')))
            .parse(argument)
            .map_err(|_| self.syntax(argument, word))?;
        if !rest.starts_with('<') {
            return Err(self.syntax(rest, "\"<\""));
        }
        path(rest).map_err(|error| self.address(&error))
    }
}
