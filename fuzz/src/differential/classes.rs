//! The classes of differences. Each stands in `DIFFERENCES.md` with an example.

use smtp_proto::wire::{AddressError, Command, CommandError, Verb};

use super::grammar;
use super::peers::{Meaning, Peer};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    AddressSyntax,
    AnyText,
    ArgumentNotAllowed,
    AuthArgument,
    BdatArgument,
    ClientName,
    ControlOctet,
    EmptyInitialResponse,
    EmptyLocalPart,
    EmptyString,
    Hyphens,
    Length,
    Literal,
    Mechanism,
    NoSuchCommand,
    NumberOverflow,
    OriginalRecipient,
    ParameterFrame,
    ParameterValue,
    PathFrame,
    QuotedPair,
    RepeatedParameter,
    TextArgument,
    Time,
    TrailingSpace,
    Underscore,
    UnknownParameter,
    Unquoted,
    VerbFrame,
}

impl Class {
    /// The peer takes what this crate refuses.
    pub(super) fn of_refusal_by_us(line: &str, error: CommandError) -> Option<Self> {
        let line = line.trim_end_matches(' ');
        let of_parameter = matches!(
            error,
            CommandError::UnknownParameter { .. }
                | CommandError::DuplicateParameter { .. }
                | CommandError::InvalidParameter { verb: Verb::Mail | Verb::Rcpt, .. }
        );
        if of_parameter && grammar::keywords(line).is_none() {
            return Some(Self::ParameterFrame);
        }
        let (class, holds) = match error {
            CommandError::NotPrintableAscii { .. } => {
                (Self::ControlOctet, line.contains(|c: char| c.is_ascii_control()))
            }
            CommandError::Unrecognised => (Self::VerbFrame, !grammar::begins_with_verb(line)),
            CommandError::NotImplemented(_) => (Self::VerbFrame, true),
            CommandError::ParametersNotAllowed(_) => (Self::ArgumentNotAllowed, line.contains(' ')),
            CommandError::UnknownParameter { verb, .. } => {
                let known = |keyword: &str| grammar::knows(verb, keyword);
                let mut keywords = grammar::keywords(line)?;
                (Self::UnknownParameter, keywords.any(|keyword| !known(keyword)))
            }
            CommandError::DuplicateParameter { .. } => {
                let mut keywords: Vec<String> =
                    grammar::keywords(line)?.map(str::to_ascii_uppercase).collect();
                let count = keywords.len();
                // HOLDFOR and HOLDUNTIL are two words for one thing.
                keywords.iter_mut().for_each(|word| {
                    if word == "HOLDUNTIL" {
                        *word = "HOLDFOR".into();
                    }
                });
                keywords.sort();
                keywords.dedup();
                (Self::RepeatedParameter, keywords.len() < count)
            }
            CommandError::InvalidParameter { verb, .. } => {
                let mut keywords = grammar::keywords(line)?;
                (Self::ParameterValue, keywords.any(|keyword| grammar::knows(verb, keyword)))
            }
            CommandError::Address { verb, error } => match error {
                AddressError::Syntax { .. } => {
                    (Self::AddressSyntax, grammar::behind_path(verb, line).is_none())
                }
                AddressError::LocalPartTooLong { .. }
                | AddressError::DomainTooLong { .. }
                | AddressError::PathTooLong { .. } => (Self::Length, grammar::is_long(line)),
                _ => return None,
            },
            CommandError::Syntax { verb, .. } => match verb {
                Verb::Ehlo | Verb::Helo | Verb::Lhlo => {
                    let name = line.get(5..).unwrap_or_default();
                    let long = grammar::is_long(name);
                    (Self::ClientName, long || !grammar::is_client_name(name))
                }
                Verb::Mail | Verb::Rcpt if grammar::path_start(verb, line).is_none() => {
                    (Self::PathFrame, true)
                }
                Verb::Mail | Verb::Rcpt => {
                    (Self::ParameterFrame, grammar::keywords(line).is_none())
                }
                Verb::Bdat => (Self::BdatArgument, !grammar::is_bdat(line)),
                Verb::Auth => (Self::AuthArgument, true),
                Verb::Vrfy | Verb::Expn | Verb::Help | Verb::Etrn => (Self::TextArgument, true),
                _ => return None,
            },
            _ => return None,
        };
        holds.then_some(class)
    }

    /// The peer refuses what this crate takes.
    pub(super) fn of_refusal_by(peer: Peer, line: &str, command: &Command<'_>) -> Option<Self> {
        let argument = line.split_once(' ').map_or("", |(_, argument)| argument);
        let word = argument.trim_end_matches(' ');
        let underscore = || word.contains('_').then_some(Self::Underscore);
        match (peer, command) {
            (_, Command::Xclient(_) | Command::Xforward(_)) => Some(Self::NoSuchCommand),
            (Peer::SmtpCodec, Command::Lhlo(_) | Command::Bdat(_) | Command::Etrn(_)) => {
                Some(Self::NoSuchCommand)
            }
            (_, Command::Auth(auth)) => {
                let known = ["PLAIN", "LOGIN", "XOAUTH2", "EXTERNAL"];
                let known = if peer == Peer::SmtpCodec { &known[..2] } else { &known };
                let name = auth.mechanism.as_str();
                if !known.iter().any(|known| known.eq_ignore_ascii_case(name)) {
                    Some(Self::Mechanism)
                } else if auth.initial_response.is_some_and(|first| first.as_str() == "=") {
                    Some(Self::EmptyInitialResponse)
                } else {
                    line.ends_with(' ').then_some(Self::TrailingSpace)
                }
            }
            (Peer::SmtpCodec, _) if line.ends_with(' ') => Some(Self::TrailingSpace),
            (Peer::SmtpCodec, Command::Ehlo(_) | Command::Helo(_)) => {
                if word.starts_with('[') {
                    Some(Self::Literal)
                } else {
                    underscore()
                }
            }
            (
                Peer::SmtpCodec,
                Command::Noop | Command::Help(_) | Command::Vrfy(_) | Command::Expn(_),
            ) => {
                if !grammar::is_string(argument) {
                    Some(Self::AnyText)
                } else {
                    word.contains('\\').then_some(Self::QuotedPair)
                }
            }
            (Peer::SmtpProto, Command::Vrfy(_) | Command::Expn(_) | Command::Etrn(_)) => {
                let empty = word.chars().all(|c| matches!(c, '"' | '\\' | ' '));
                if empty {
                    Some(Self::EmptyString)
                } else {
                    (word.len() > 256).then_some(Self::Length)
                }
            }
            (Peer::SmtpProto, Command::Bdat(bdat)) => {
                (bdat.size > u64::MAX / 20).then_some(Self::NumberOverflow)
            }
            (_, Command::Mail(_) | Command::Rcpt(_)) => {
                let rest = grammar::behind_path(command.verb(), line)?;
                let path = &line[..line.len() - rest.len()];
                let parameters = rest.to_ascii_uppercase();
                if path.contains('[') {
                    Some(Self::Literal)
                } else if path.contains('\\') && peer == Peer::SmtpCodec {
                    Some(Self::QuotedPair)
                } else if path.contains("\"\"@") {
                    Some(Self::EmptyLocalPart)
                } else if peer == Peer::SmtpCodec {
                    path.contains("--").then_some(Self::Hyphens)
                } else if parameters.contains("ORCPT=") {
                    Some(Self::OriginalRecipient)
                } else if parameters.contains("HOLDUNTIL=") || parameters.contains("RRVS=") {
                    Some(Self::Time)
                } else {
                    grammar::has_long_number(&parameters).then_some(Self::NumberOverflow)
                }
            }
            _ => None,
        }
    }

    /// Both take it, for something else.
    pub(super) fn of_meanings(
        peer: Peer,
        line: &str,
        ours: &Meaning,
        theirs: &Meaning,
    ) -> Option<Self> {
        if ours.verb != theirs.verb || peer != Peer::SmtpProto {
            return None;
        }
        if ours.address != theirs.address {
            return line.contains('"').then_some(Self::Unquoted);
        }
        let numbers = ours.size != theirs.size || ours.bdat != theirs.bdat;
        (numbers && grammar::has_long_number(line)).then_some(Self::NumberOverflow)
    }
}
