//! One command line as a value.
//!
//! Does: read a whole line, without its line end, and print it back. Values borrow from the line
//! and nothing is allocated. Does not: find the line ([`super::line`] does), or know whether the
//! command is allowed now. Fails: [`CommandError`], typed so that a session can choose the reply.
//!
//! Named tolerances, all harmless: spaces at the end of any line (RFC 5321, 4.1.1), and one space
//! between `FROM:` or `TO:` and the path. Nothing else that the grammar does not have is taken,
//! unless [`Syntax`] names it.

mod attributes;
mod auth;
mod bdat;
mod error;
mod etrn;
mod plain;
mod text;
mod transaction;

use core::fmt;

pub use self::attributes::{AttributeValue, Attributes};
pub use self::auth::{Auth, InitialResponse, Mechanism};
pub use self::bdat::Bdat;
pub use self::error::CommandError;
pub use self::etrn::{EtrnKind, EtrnNode};
pub use self::text::{Query, Text};
pub use self::transaction::{Mail, Rcpt};

use self::attributes::AttributesError;
use super::address::{self, AddressError, ClientName};
use super::grammar::{self, Cause};
use super::param::ListError;
use super::syntax::{ClientNames, Syntax, UnknownParameters};
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
#[non_exhaustive]
pub enum Command<'a> {
    /// Opens a session with extensions.
    Ehlo(ClientName<'a>),
    /// Opens a session without extensions.
    Helo(ClientName<'a>),
    /// Opens an LMTP session (RFC 2033).
    Lhlo(ClientName<'a>),
    /// Opens a transaction.
    Mail(Mail<'a>),
    /// Adds a recipient.
    Rcpt(Rcpt<'a>),
    /// Announces the message text.
    Data,
    /// Comes with a chunk of the message (RFC 3030).
    Bdat(Bdat),
    /// Asks to be authenticated (RFC 4954).
    Auth(Auth<'a>),
    /// Asks for TLS (RFC 3207).
    StartTls,
    /// Gives the transaction up.
    Rset,
    /// Does nothing. Its argument is not kept (RFC 5321, 4.1.1.9).
    Noop,
    /// Asks whether a mailbox exists.
    Vrfy(Query<'a>),
    /// Asks who is on a mailing list.
    Expn(Query<'a>),
    /// Asks for help, perhaps about something.
    Help(Option<Text<'a>>),
    /// Ends the session.
    Quit,
    /// Asks for the mail that waits for a host (RFC 1985).
    Etrn(EtrnNode<'a>),
    /// Tells what a proxy knows of the client; from then on it counts as the client's own.
    Xclient(Attributes<'a>),
    /// Tells what a filter's front end knows of the client, for the log.
    Xforward(Attributes<'a>),
}

impl<'a> Command<'a> {
    /// Reads one line, given without its line end, under the [default](Syntax::STRICT) syntax.
    ///
    /// # Errors
    /// The line is no command that this crate implements; see [`CommandError`].
    pub fn parse(line: &'a [u8]) -> Result<Self, CommandError> {
        Self::parse_with(line, &Syntax::STRICT)
    }

    /// Reads one line, given without its line end.
    ///
    /// # Errors
    /// The line is no command that this crate implements, or that `syntax` takes; see
    /// [`CommandError`].
    pub fn parse_with(line: &'a [u8], syntax: &Syntax) -> Result<Self, CommandError> {
        if let Some(command) = plain::command(line, syntax) {
            return Ok(command);
        }
        Self::parse_any(line, syntax)
    }

    /// Reads one line by the whole grammar.
    #[inline(never)]
    fn parse_any(line: &'a [u8], syntax: &Syntax) -> Result<Self, CommandError> {
        let line = text(line, syntax)?;
        let (verb, argument) = verb(line).ok_or(CommandError::Unrecognised)?;
        let cursor = Cursor { verb, line, syntax };
        match verb {
            Verb::Ehlo => cursor.client_name(argument).map(Self::Ehlo),
            Verb::Helo => cursor.client_name(argument).map(Self::Helo),
            Verb::Lhlo => cursor.client_name(argument).map(Self::Lhlo),
            Verb::Mail => cursor.mail(argument).map(Self::Mail),
            Verb::Rcpt => cursor.rcpt(argument).map(Self::Rcpt),
            Verb::Data => cursor.alone(argument, Self::Data),
            Verb::Rset => cursor.alone(argument, Self::Rset),
            Verb::Quit => cursor.alone(argument, Self::Quit),
            Verb::StartTls => cursor.alone(argument, Self::StartTls),
            Verb::Noop => Ok(Self::Noop),
            Verb::Vrfy => cursor.query(argument).map(Self::Vrfy),
            Verb::Expn => cursor.query(argument).map(Self::Expn),
            Verb::Help if argument.is_none() => Ok(Self::Help(None)),
            Verb::Help => cursor.text(argument).map(|text| Self::Help(Some(text))),
            Verb::Bdat => cursor.argument(argument, Bdat::parse).map(Self::Bdat),
            Verb::Auth => cursor.argument(argument, Auth::parse).map(Self::Auth),
            Verb::Etrn => cursor
                .argument(argument, |text| EtrnNode::parse(text).ok_or((text, "a node")))
                .map(Self::Etrn),
            Verb::Xclient => cursor.attributes(argument).map(Self::Xclient),
            Verb::Xforward => cursor.attributes(argument).map(Self::Xforward),
            Verb::Atrn | Verb::Turn | Verb::Send | Verb::Soml | Verb::Saml => {
                Err(CommandError::NotImplemented(verb))
            }
        }
    }

    /// The command's verb.
    #[must_use]
    pub const fn verb(&self) -> Verb {
        match self {
            Self::Ehlo(_) => Verb::Ehlo,
            Self::Helo(_) => Verb::Helo,
            Self::Lhlo(_) => Verb::Lhlo,
            Self::Mail(_) => Verb::Mail,
            Self::Rcpt(_) => Verb::Rcpt,
            Self::Data => Verb::Data,
            Self::Bdat(_) => Verb::Bdat,
            Self::Auth(_) => Verb::Auth,
            Self::StartTls => Verb::StartTls,
            Self::Rset => Verb::Rset,
            Self::Noop => Verb::Noop,
            Self::Vrfy(_) => Verb::Vrfy,
            Self::Expn(_) => Verb::Expn,
            Self::Help(_) => Verb::Help,
            Self::Quit => Verb::Quit,
            Self::Etrn(_) => Verb::Etrn,
            Self::Xclient(_) => Verb::Xclient,
            Self::Xforward(_) => Verb::Xforward,
        }
    }
}

impl fmt::Display for Command<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.verb().as_str())?;
        match self {
            Self::Ehlo(name) | Self::Helo(name) | Self::Lhlo(name) => write!(f, " {name}"),
            Self::Mail(mail) => write!(f, " {mail}"),
            Self::Rcpt(rcpt) => write!(f, " {rcpt}"),
            Self::Bdat(bdat) => write!(f, " {bdat}"),
            Self::Auth(auth) => write!(f, " {auth}"),
            Self::Vrfy(query) | Self::Expn(query) => write!(f, " {query}"),
            Self::Help(Some(text)) => write!(f, " {text}"),
            Self::Etrn(node) => write!(f, " {node}"),
            Self::Xclient(attributes) | Self::Xforward(attributes) => write!(f, " {attributes}"),
            Self::Data
            | Self::StartTls
            | Self::Rset
            | Self::Noop
            | Self::Help(None)
            | Self::Quit => Ok(()),
        }
    }
}

/// The line as text, without the spaces at its end: printable ASCII, and letters outside it where
/// the verb and the syntax take them.
#[inline]
fn text<'a>(line: &'a [u8], syntax: &Syntax) -> Result<&'a str, CommandError> {
    if !grammar::is_printable(line) {
        return text_outside_ascii(line, syntax);
    }
    let text = core::str::from_utf8(line).expect("printable ASCII is UTF-8");
    Ok(trim(text))
}

#[cold]
fn text_outside_ascii<'a>(line: &'a [u8], syntax: &Syntax) -> Result<&'a str, CommandError> {
    let at = grammar::not_printable(line).unwrap_or_default();
    let refused = Err(CommandError::NotPrintableAscii { at });
    let Ok(text) = core::str::from_utf8(line) else {
        return refused;
    };
    if let Some(at) = grammar::control(line) {
        return Err(CommandError::NotPrintableAscii { at });
    }
    let taken = match verb(text).map(|(verb, _)| verb) {
        Some(Verb::Ehlo | Verb::Helo | Verb::Lhlo) => syntax.client_names == ClientNames::Lenient,
        Some(Verb::Mail | Verb::Rcpt | Verb::Vrfy | Verb::Expn) => syntax.takes_utf8(),
        _ => false,
    };
    if taken { Ok(trim(text)) } else { refused }
}

#[inline]
fn trim(mut text: &str) -> &str {
    while let Some(shorter) = text.strip_suffix(' ') {
        text = shorter;
    }
    text
}

/// `verb [SP argument]`; `None` when the first word is no verb.
#[inline]
fn verb(line: &str) -> Option<(Verb, Option<&str>)> {
    let letters = match line.as_bytes() {
        [_, _, _, _] | [_, _, _, _, b' ', ..] => 4,
        octets => octets.iter().take_while(|octet| octet.is_ascii_alphabetic()).count(),
    };
    let (word, rest) = line.split_at_checked(letters)?;
    let verb = Verb::from_word(word)?;
    match rest.strip_prefix(' ') {
        Some(argument) => Some((verb, Some(argument))),
        None if rest.is_empty() => Some((verb, None)),
        None => None,
    }
}

/// The line that is read, for offsets in errors.
#[derive(Clone, Copy)]
struct Cursor<'a, 's> {
    verb: Verb,
    line: &'a str,
    syntax: &'s Syntax,
}

impl<'a> Cursor<'a, '_> {
    fn at(self, rest: &str) -> usize {
        self.line.len() - rest.len()
    }

    fn syntax(self, rest: &str, expected: &'static str) -> CommandError {
        CommandError::Syntax { verb: self.verb, at: self.at(rest), expected }
    }

    /// What a parser's error on the line's rest means.
    fn missed(self, miss: grammar::Miss, otherwise: &'static str) -> CommandError {
        let expected = match miss.cause {
            Cause::Expected(expected) => expected,
            _ => otherwise,
        };
        CommandError::Syntax { verb: self.verb, at: miss.at(self.line.len()), expected }
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

    fn argument<T>(
        self,
        argument: Option<&'a str>,
        parse: impl FnOnce(&'a str) -> Result<T, (&'a str, &'static str)>,
    ) -> Result<T, CommandError> {
        parse(argument.unwrap_or_default()).map_err(|(rest, expected)| self.syntax(rest, expected))
    }

    fn text(self, argument: Option<&'a str>) -> Result<Text<'a>, CommandError> {
        self.argument(argument, |text| Text::parse(text).ok_or((text, "a text")))
    }

    fn query(self, argument: Option<&'a str>) -> Result<Query<'a>, CommandError> {
        let argument = argument.unwrap_or_default();
        let (mut text, mut smtputf8) = (argument, false);
        if self.syntax.takes_utf8()
            && let Some((before, word)) = text.rsplit_once(' ')
            && word.eq_ignore_ascii_case("SMTPUTF8")
        {
            (text, smtputf8) = (before, true);
        }
        let text = Text::parse_utf8(text).ok_or_else(|| self.syntax(argument, "a text"))?;
        Query::new(text, smtputf8).ok_or(CommandError::Utf8NotDeclared { verb: self.verb })
    }

    fn attributes(self, argument: Option<&'a str>) -> Result<Attributes<'a>, CommandError> {
        let verb = self.verb;
        Attributes::read(argument.unwrap_or_default()).map_err(|error| match error {
            AttributesError::Name(rest) => self.syntax(rest, "an attribute with its value"),
            AttributesError::Value(rest) => {
                CommandError::InvalidParameter { verb, at: self.at(rest), expected: "xtext" }
            }
            AttributesError::Repeated(rest) => {
                CommandError::DuplicateParameter { verb, at: self.at(rest) }
            }
        })
    }

    /// `ehlo = "EHLO" SP ( Domain / address-literal ) CRLF`, `helo = "HELO" SP Domain CRLF`
    fn client_name(self, argument: Option<&'a str>) -> Result<ClientName<'a>, CommandError> {
        let text = argument.unwrap_or_default();
        address::client_name_with(text, self.syntax.client_names)
            .map_err(|miss| self.missed(miss, "a shorter name"))
    }

    /// `mail = "MAIL FROM:" Reverse-path [SP Mail-parameters] CRLF`
    #[inline(always)]
    fn mail(self, argument: Option<&'a str>) -> Result<Mail<'a>, CommandError> {
        let rest = self.word(argument, "FROM:")?;
        let (rest, reverse_path) = address::reverse_path(rest, self.syntax.takes_utf8())
            .map_err(|error| self.address(&error))?;
        let mut mail = Mail::new(reverse_path);
        if !rest.is_empty() {
            let Syntax { extensions, .. } = *self.syntax;
            mail.parameters
                .read_any(rest, extensions, self.keeps_unknown())
                .map_err(|error| self.list(error))?;
        }
        if !mail.declares_what_it_needs(self.syntax) {
            return Err(CommandError::Utf8NotDeclared { verb: self.verb });
        }
        Ok(mail)
    }

    /// `rcpt = "RCPT TO:" ( "<Postmaster@" Domain ">" / "<Postmaster>" / Forward-path )
    /// [SP Rcpt-parameters] CRLF`
    #[inline(always)]
    fn rcpt(self, argument: Option<&'a str>) -> Result<Rcpt<'a>, CommandError> {
        let rest = self.word(argument, "TO:")?;
        let (rest, forward_path) = address::forward_path(rest, self.syntax.takes_utf8())
            .map_err(|error| self.address(&error))?;
        let mut rcpt = Rcpt::new(forward_path);
        if !rest.is_empty() {
            let Syntax { extensions, .. } = *self.syntax;
            rcpt.parameters
                .read_any(rest, extensions, self.keeps_unknown())
                .map_err(|error| self.list(error))?;
        }
        Ok(rcpt)
    }

    fn keeps_unknown(self) -> bool {
        self.syntax.unknown_parameters == UnknownParameters::Keep
    }

    /// What is wrong with the parameters at the end of the line.
    fn list(self, error: ListError) -> CommandError {
        let verb = self.verb;
        let at = |left| self.line.len() - left;
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

    /// The word with its colon, and the space that is tolerated behind it: what is left starts
    /// with a bracket.
    #[inline(always)]
    fn word(self, argument: Option<&'a str>, word: &'static str) -> Result<&'a str, CommandError> {
        let argument = argument.unwrap_or_default();
        let rest = match argument.split_at_checked(word.len()) {
            Some((start, rest)) if grammar::is_word(start, word) => rest,
            _ => return Err(self.syntax(argument, word)),
        };
        let rest = rest.strip_prefix(' ').unwrap_or(rest);
        if !rest.starts_with('<') {
            return Err(self.syntax(rest, "\"<\""));
        }
        Ok(rest)
    }
}
