//! The other parsers, and what they say in words that can be compared.

use peer_smtp_codec::parse::command::command as codec_command;
use peer_smtp_codec::types;
use peer_smtp_proto::{
    MAIL_BODY_8BITMIME, MAIL_BODY_BINARYMIME, MAIL_REQUIRETLS, MAIL_SMTPUTF8, Request,
};
use smtp_proto::wire::{BodyType, Command, ForwardPath};

/// A crate of the registry, in the version that `Cargo.toml` names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Peer {
    SmtpProto,
    SmtpCodec,
}

/// What a line means, as far as both sides say it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Meaning {
    pub(super) verb: &'static str,
    /// The mailbox, without its brackets and its route.
    pub(super) address: Option<String>,
    pub(super) size: Option<u64>,
    pub(super) body: Option<BodyType>,
    pub(super) smtputf8: bool,
    pub(super) requiretls: bool,
    pub(super) bdat: Option<(u64, bool)>,
}

impl Meaning {
    fn verb(verb: &'static str) -> Self {
        Self {
            verb,
            address: None,
            size: None,
            body: None,
            smtputf8: false,
            requiretls: false,
            bdat: None,
        }
    }

    /// What this crate says, in so far as the peer says it as well.
    pub(super) fn of(command: &Command<'_>, peer: Peer) -> Self {
        let mut meaning = Self::verb(command.verb().as_str());
        match command {
            Command::Mail(mail) => {
                meaning.address = Some(mail.reverse_path.as_str().to_owned());
                if peer == Peer::SmtpProto {
                    let parameters = mail.parameters;
                    meaning.size = parameters.size.filter(|size| *size > 0);
                    meaning.body = parameters.body.filter(|body| *body != BodyType::SevenBit);
                    meaning.smtputf8 = parameters.smtputf8;
                    meaning.requiretls = parameters.requiretls;
                }
            }
            Command::Rcpt(rcpt) => {
                let path = rcpt.forward_path;
                meaning.address = Some(match path {
                    ForwardPath::Postmaster if peer == Peer::SmtpProto => String::new(),
                    path => path.as_str().to_owned(),
                });
            }
            Command::Bdat(bdat) if peer == Peer::SmtpProto => {
                meaning.bdat = Some((bdat.size, bdat.last));
            }
            _ => {}
        }
        meaning
    }
}

impl Peer {
    /// What the peer makes of a line; `None` where it refuses it.
    pub(super) fn reads(self, line: &[u8]) -> Option<Meaning> {
        let line = [line, b"\r\n"].concat();
        match self {
            Self::SmtpProto => Request::parse(&mut line.iter()).ok().map(|request| proto(&request)),
            Self::SmtpCodec => match codec_command(&line) {
                Ok((rest, command)) if rest.is_empty() => Some(codec(&command)),
                _ => None,
            },
        }
    }
}

fn proto(request: &Request<std::borrow::Cow<'_, str>>) -> Meaning {
    let verb = match request {
        Request::Ehlo { .. } => "EHLO",
        Request::Lhlo { .. } => "LHLO",
        Request::Helo { .. } => "HELO",
        Request::Mail { .. } => "MAIL",
        Request::Rcpt { .. } => "RCPT",
        Request::Bdat { .. } => "BDAT",
        Request::Auth { .. } => "AUTH",
        Request::Noop { .. } => "NOOP",
        Request::Vrfy { .. } => "VRFY",
        Request::Expn { .. } => "EXPN",
        Request::Help { .. } => "HELP",
        Request::Etrn { .. } => "ETRN",
        Request::Atrn { .. } => "ATRN",
        Request::Burl { .. } => "BURL",
        Request::StartTls => "STARTTLS",
        Request::Data => "DATA",
        Request::Rset => "RSET",
        Request::Quit => "QUIT",
    };
    let mut meaning = Meaning::verb(verb);
    match request {
        Request::Mail { from } => {
            meaning.address = Some(from.address.to_string());
            meaning.size = Some(from.size as u64).filter(|size| *size > 0);
            meaning.body = if from.flags & MAIL_BODY_BINARYMIME != 0 {
                Some(BodyType::BinaryMime)
            } else if from.flags & MAIL_BODY_8BITMIME != 0 {
                Some(BodyType::EightBitMime)
            } else {
                None
            };
            meaning.smtputf8 = from.flags & MAIL_SMTPUTF8 != 0;
            meaning.requiretls = from.flags & MAIL_REQUIRETLS != 0;
        }
        Request::Rcpt { to } => meaning.address = Some(to.address.to_string()),
        Request::Bdat { chunk_size, is_last } => {
            meaning.bdat = Some((*chunk_size as u64, *is_last));
        }
        _ => {}
    }
    meaning
}

fn codec(command: &types::Command) -> Meaning {
    use types::Command as C;
    let verb = match command {
        C::AuthLogin(_) | C::AuthPlain(_) => "AUTH",
        command => command.name(),
    };
    let mut meaning = Meaning::verb(verb);
    match command {
        C::Mail { reverse_path: path, .. } | C::Rcpt { forward_path: path, .. } => {
            // Its path still has the source route, and of a postmaster the brackets.
            let path = path.trim_start_matches('<').trim_end_matches('>');
            let mailbox = match path.strip_prefix('@') {
                Some(routed) => routed.split_once(':').map_or(path, |(_, mailbox)| mailbox),
                None => path,
            };
            meaning.address = Some(match mailbox {
                name if name.eq_ignore_ascii_case("postmaster") => "postmaster".to_owned(),
                mailbox => mailbox.to_owned(),
            });
        }
        _ => {}
    }
    meaning
}
