//! Every text that a server session says of its own.
//!
//! Does: hold the replies, in qmail's wording, with the enhanced status code in front (RFC 2034)
//! wherever one belongs: not in the greeting, EHLO, HELO and 354. Does not: repeat anything that
//! the client wrote. Fails: nothing here fails.

use alloc::vec::Vec;
use core::fmt::{self, Write};

use super::config::Config;
use super::state::Courtesy;
use crate::error::PeerMisbehaved;
use crate::wire::{Capability, Code, Detail, Extension, Extensions, Reply, Verb};

/// For a connection over the limit of its service, before any session: a whole reply, with its
/// line end.
pub const TOO_MANY_CONNECTIONS: &str =
    "421 4.3.2 too many connections, try again later (#4.3.2)\r\n";

pub(super) const READY_FOR_TLS: &str = "220 2.0.0 ready for tls";
pub(super) const FLUSHED: &str = "250 2.0.0 flushed";
pub(super) const SENDER_OK: &str = "250 2.1.0 ok";
pub(super) const RECIPIENT_OK: &str = "250 2.1.5 ok";
pub(super) const GO_AHEAD: &str = "354 go ahead";
pub(super) const MESSAGE_OK: &str = "250 2.0.0 ok";
pub(super) const CHUNK_OK: &str = "250 2.0.0 ok, go on";
pub(super) const AUTHENTICATED: &str = "235 2.7.0 ok";
pub(super) const TIMED_OUT: &str = "421 4.4.2 timeout (#4.4.2)";
pub(super) const SHUTTING_DOWN: &str = "421 4.3.2 shutting down, try again later (#4.3.2)";
pub(super) const NO_ANSWER: &str = "451 4.3.0 temporary problem, try again later (#4.3.0)";

pub(super) const fn courtesy(courtesy: Courtesy) -> &'static str {
    match courtesy {
        Courtesy::Noop => "250 2.0.0 ok",
        Courtesy::Help => "214 2.0.0 see RFC 5321",
        Courtesy::Vrfy => "252 2.0.0 send some mail, i'll try my best",
    }
}

/// What a session says to a command that the handler could be asked to answer, and is not: 252 to
/// VRFY, 214 to HELP, 502 to any other.
#[must_use]
pub fn of_session(verb: Verb) -> Reply {
    let line = match verb {
        Verb::Vrfy => courtesy(Courtesy::Vrfy),
        Verb::Help => courtesy(Courtesy::Help),
        _ => fault(PeerMisbehaved::NotImplemented),
    };
    let (enhanced, text) = (&line.as_bytes()["250 ".len()..], &line["250 2.0.0 ".len()..]);
    let code = line.get(..3).and_then(|code| Code::new(code.parse().ok()?));
    let detail = Detail::new(enhanced[2] - b'0', enhanced[4] - b'0');
    Reply::new_static(code.expect("it begins with one"), Some(detail), text)
}

/// The one function from a peer's fault to the reply that names it.
pub(super) const fn fault(fault: PeerMisbehaved) -> &'static str {
    use PeerMisbehaved as Fault;
    match fault {
        Fault::Unrecognised => "500 5.5.1 unrecognised command (#5.5.1)",
        Fault::NotImplemented => "502 5.5.1 unimplemented (#5.5.1)",
        Fault::NotAscii => "500 5.5.2 syntax error (#5.5.2)",
        Fault::Syntax => "501 5.5.4 syntax error (#5.5.4)",
        Fault::UnknownParameter => "555 5.5.4 syntax error (#5.5.4)",
        Fault::HeldTooLong => "501 5.5.4 the message may not be held so long (#5.5.4)",
        Fault::DeliverByTooSoon => "555 5.5.4 there is not so little time (#5.5.4)",
        Fault::ParametersNotAllowed => "501 5.5.4 Syntax error (no parameters allowed) (#5.5.4)",
        Fault::HelloFirst => "503 5.5.1 EHLO first (#5.5.1)",
        Fault::LhloFirst => "503 5.5.1 LHLO first (#5.5.1)",
        Fault::MailFirst => "503 5.5.1 MAIL first (#5.5.1)",
        Fault::RcptFirst => "503 5.5.1 RCPT first (#5.5.1)",
        Fault::NoValidRecipients => "554 5.5.1 no valid recipients (#5.5.1)",
        Fault::NestedMail => "503 5.5.1 MAIL already given (#5.5.1)",
        Fault::ChunksBegun => "503 5.5.1 the message came with BDAT (#5.5.1)",
        Fault::BinaryNeedsBdat => "503 5.5.1 a binary message comes with BDAT (#5.5.1)",
        Fault::InTransaction => "503 5.5.1 not within a transaction (#5.5.1)",
        Fault::SenderNeedsUtf8 => "550 5.6.7 an address outside ASCII needs SMTPUTF8 (#5.6.7)",
        Fault::AddressNeedsUtf8 => "553 5.6.7 an address outside ASCII needs SMTPUTF8 (#5.6.7)",
        Fault::TooManyRecipients => "452 4.5.3 sorry, too many recipients (#4.5.3)",
        Fault::MessageTooBig => {
            "552 5.3.4 sorry, that message size exceeds my databytes limit (#5.3.4)"
        }
        Fault::LineTooLong => "500 5.5.2 line too long (#5.5.2)",
        Fault::BareLf => "550 5.5.2 bare LF received (#5.5.2)",
        Fault::InputBehindStartTls => "554 5.5.0 protocol synchronization error (#5.5.0)",
        Fault::ImproperPipelining => "554 5.5.0 improper command pipelining (#5.5.0)",
        Fault::EarlyTalker => "554 5.5.0 you spoke before the greeting (#5.5.0)",
        Fault::HttpRequest | Fault::HeaderField => "554 5.5.0 this is an SMTP server (#5.5.0)",
        Fault::TlsRequired => "530 5.7.0 must issue a STARTTLS command first (#5.7.0)",
        Fault::AuthRequired => "530 5.7.0 authentication required (#5.7.0)",
        Fault::AuthNeedsTls => "504 5.5.4 authentication needs STARTTLS first (#5.5.4)",
        Fault::MechanismUnknown => "504 5.5.4 unrecognised authentication mechanism (#5.5.4)",
        Fault::AlreadyAuthenticated => "503 5.5.1 already authenticated (#5.5.1)",
        Fault::AuthCancelled => "501 5.7.0 authentication cancelled (#5.7.0)",
        Fault::NotBase64 => "501 5.5.2 malformed auth input (#5.5.2)",
        Fault::AuthLineTooLong => "500 5.5.6 authentication exchange line is too long (#5.5.6)",
        Fault::TooManyErrors => "421 4.7.0 too many errors (#4.7.0)",
        Fault::TooMuchJunk => "421 4.7.0 too many commands without a message (#4.7.0)",
        Fault::TooManyRefusals => "421 4.7.0 too many refusals (#4.7.0)",
        Fault::TooManyMessages => "421 4.7.0 too many messages, connect again (#4.7.0)",
        Fault::TooManyRefusedOctets => "552 5.3.4 too much refused mail data (#5.3.4)",
    }
}

pub(super) fn line(out: &mut Vec<u8>, text: &'static str) {
    out.extend_from_slice(text.as_bytes());
    out.extend_from_slice(b"\r\n");
}

pub(super) fn greeting(out: &mut Vec<u8>, config: &Config) {
    configured(out, format_args!("220 {}", config.greeting));
}

pub(super) fn helo(out: &mut Vec<u8>, config: &Config) {
    configured(out, format_args!("250 {}", config.host_name));
}

/// The reply to EHLO and LHLO: what is offered now, with the limits that hold.
pub(super) fn ehlo(out: &mut Vec<u8>, config: &Config, offered: Extensions) {
    let mut last = out.len();
    configured(out, format_args!("250-{}", config.host_name));
    let mut offer = |capability: fmt::Arguments<'_>| {
        last = out.len();
        configured(out, format_args!("250-{capability}"));
    };
    for extension in offered.iter() {
        match extension {
            // SIZE 0 says that there is no fixed limit (RFC 1870 section 4).
            Extension::Size => {
                offer(format_args!("SIZE {}", config.max_message_size.unwrap_or(0)));
            }
            Extension::Limits => offer(format_args!("{}", Capability::Limits(config.limits()))),
            Extension::StartTls => offer(format_args!("{}", Capability::StartTls)),
            _ => {
                if let Some(capability) = config.capabilities.get(extension) {
                    offer(format_args!("{capability}"));
                }
            }
        }
    }
    config.capabilities.other().for_each(|other| offer(format_args!("{other}")));
    out[last + "250".len()] = b' ';
}

pub(super) fn goodbye(out: &mut Vec<u8>, config: &Config) {
    configured(out, format_args!("221 2.0.0 {}", config.host_name));
}

/// One reply line with a configured text. That cannot end it early: whatever is not printable
/// ASCII becomes a space.
fn configured(out: &mut Vec<u8>, text: fmt::Arguments<'_>) {
    struct Line<'a>(&'a mut Vec<u8>);
    impl Write for Line<'_> {
        fn write_str(&mut self, text: &str) -> fmt::Result {
            self.0.extend_from_slice(text.as_bytes());
            Ok(())
        }
    }
    let start = out.len();
    let wrote = Line(out).write_fmt(text);
    debug_assert!(wrote.is_ok(), "writing to memory does not fail");
    // Each is written, whatever it is: so many can be done at a time.
    for octet in &mut out[start..] {
        *octet = if (b' '..=b'~').contains(octet) { *octet } else { b' ' };
    }
    out.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{ReplyParser, ReplyStatus};
    use alloc::string::{String, ToString};

    /// Code, enhanced code and whether qmail's code at the end is the enhanced one.
    fn parts(line: &str) -> (String, String, bool) {
        let mut octets = Vec::from(line.as_bytes());
        if !line.ends_with("\r\n") {
            octets.extend_from_slice(b"\r\n");
        }
        let Ok(ReplyStatus::Complete { reply, consumed }) = ReplyParser::new().feed(&octets) else {
            panic!("{line} is no reply")
        };
        assert_eq!(consumed, octets.len(), "{line}");
        let enhanced = reply.enhanced().expect(line).to_string();
        let agrees = match line.split_once("(#") {
            Some((_, code)) => code.trim_end().trim_end_matches(')') == enhanced,
            None => true,
        };
        (reply.code().to_string(), enhanced, agrees)
    }

    #[test]
    fn the_session_s_answer_to_a_request_is_its_line() {
        for (verb, line) in [
            (Verb::Vrfy, courtesy(Courtesy::Vrfy)),
            (Verb::Help, courtesy(Courtesy::Help)),
            (Verb::Etrn, fault(PeerMisbehaved::NotImplemented)),
        ] {
            let mut octets = Vec::new();
            of_session(verb).write_to(&mut octets);
            assert_eq!(octets, [line.as_bytes(), b"\r\n"].concat());
        }
    }

    #[test]
    fn codes_agree_with_each_other() {
        use PeerMisbehaved as Fault;
        let faults = [
            Fault::Unrecognised,
            Fault::NotImplemented,
            Fault::NotAscii,
            Fault::Syntax,
            Fault::UnknownParameter,
            Fault::HeldTooLong,
            Fault::DeliverByTooSoon,
            Fault::ParametersNotAllowed,
            Fault::HelloFirst,
            Fault::MailFirst,
            Fault::RcptFirst,
            Fault::NoValidRecipients,
            Fault::NestedMail,
            Fault::TooManyRecipients,
            Fault::MessageTooBig,
            Fault::LineTooLong,
            Fault::BareLf,
            Fault::InputBehindStartTls,
            Fault::ImproperPipelining,
            Fault::EarlyTalker,
            Fault::HttpRequest,
            Fault::HeaderField,
            Fault::TlsRequired,
            Fault::LhloFirst,
            Fault::ChunksBegun,
            Fault::BinaryNeedsBdat,
            Fault::InTransaction,
            Fault::SenderNeedsUtf8,
            Fault::AddressNeedsUtf8,
            Fault::AuthRequired,
            Fault::AuthNeedsTls,
            Fault::MechanismUnknown,
            Fault::AlreadyAuthenticated,
            Fault::AuthCancelled,
            Fault::NotBase64,
            Fault::AuthLineTooLong,
            Fault::TooManyErrors,
            Fault::TooMuchJunk,
            Fault::TooManyRefusals,
            Fault::TooManyMessages,
            Fault::TooManyRefusedOctets,
        ];
        let others = [
            TOO_MANY_CONNECTIONS,
            READY_FOR_TLS,
            FLUSHED,
            SENDER_OK,
            RECIPIENT_OK,
            MESSAGE_OK,
            CHUNK_OK,
            AUTHENTICATED,
            TIMED_OUT,
            SHUTTING_DOWN,
            NO_ANSWER,
            courtesy(Courtesy::Noop),
            courtesy(Courtesy::Help),
            courtesy(Courtesy::Vrfy),
        ];
        for line in faults.map(fault).into_iter().chain(others) {
            let (code, enhanced, agrees) = parts(line);
            assert_eq!(code[..1], enhanced[..1], "{line}");
            assert!(agrees, "{line}");
            assert!(line.is_ascii() && line.len() < crate::limits::REPLY_LINE, "{line}");
        }
    }
}
