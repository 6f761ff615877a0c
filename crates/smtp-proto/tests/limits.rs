//! The numbers of `limits.rs` that no other test holds: defaults, times, and the words of an RFC
//! beside the octets that it allows for them.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use smtp_proto::client::{self, AfterHello, Envelope, MessageFacts};
use smtp_proto::limits;
use smtp_proto::server::{self, Commit, Verdict};
use smtp_proto::wire::{ClientName, ForwardPath, Mechanism, ReversePath};

#[test]
fn a_server_session_has_these_limits_unless_told_otherwise() {
    let config = server::Config::new("mx.example");
    assert_eq!(config.max_recipients, limits::SERVER_RECIPIENTS);
    const { assert!(limits::SERVER_RECIPIENTS >= limits::RECIPIENTS) };
    assert_eq!(config.max_command_line, limits::SERVER_COMMAND_LINE);
    assert_eq!(config.max_errors, limits::SERVER_ERRORS);
    assert_eq!(config.max_junk, limits::SERVER_JUNK);
    assert_eq!(config.max_refusals, limits::SERVER_REFUSALS);
    // Each of one message's recipients can be refused with an answer of its own.
    const { assert!(limits::SERVER_REFUSALS as usize > limits::SERVER_RECIPIENTS) };
    assert_eq!(config.max_refused_octets, Some(limits::SERVER_REFUSED_OCTETS));
    assert_eq!((config.max_message_size, config.max_messages), (None, None));
    assert_eq!(config.greeting_delay, None);
}

#[test]
fn a_phase_takes_the_time_that_the_rfc_gives_it() {
    use client::Phase::{
        Auth, Bdat, BdatLast, Body, Data, Ehlo, FinalDot, Greeting, Helo, Lhlo, Mail, Quit, Rcpt,
        Rset, StartTls,
    };
    // RFC 5321, 4.5.3.2.1 to 4.5.3.2.6, in seconds; those that it does not name are in `event.rs`.
    let times = [
        (300, &[Greeting, Ehlo, Helo, Lhlo, StartTls, Auth, Rset, Mail, Rcpt][..]),
        (120, &[Data]),
        (180, &[Body, Bdat]),
        (600, &[FinalDot, BdatLast]),
        (10, &[Quit]),
    ];
    for (seconds, phases) in times {
        for phase in phases {
            assert_eq!(phase.timeout().as_secs(), seconds, "{phase}");
        }
    }
    for phase in [server::Phase::Command, server::Phase::Body] {
        assert_eq!(phase.timeout(), limits::WAIT_COMMAND);
        assert!(phase.timeout().as_secs() >= 300, "RFC 5321, 4.5.3.2.7");
    }
}

#[test]
fn an_extension_adds_to_a_line_what_its_longest_words_need() {
    let words = [
        (" SIZE=99999999999999999999", limits::MAIL_LINE_SIZE),
        (" BODY=BINARYMIME", limits::MAIL_LINE_BODY),
        // RFC 6531, 3.1 says ten octets for these nine.
        (" SMTPUTF8 ", limits::MAIL_LINE_SMTPUTF8),
        (" REQUIRETLS", limits::MAIL_LINE_REQUIRETLS),
        (" MT-PRIORITY=-9", limits::MAIL_LINE_MT_PRIORITY),
        (" HOLDUNTIL=2030-01-01T00:00:00.00Z", limits::MAIL_LINE_HOLD),
        (" BY=-999999999;NT", limits::MAIL_LINE_BY),
        (" RRVS=2014-04-03T23:01:00-08:00;C", limits::RCPT_LINE_RRVS),
    ];
    for (longest, octets) in words {
        assert_eq!(longest.len(), octets, "{longest}");
    }
    assert_eq!(limits::SIZE_DIGITS, u64::MAX.to_string().len());
    const { assert!(limits::COMMAND_LINE_EXTENDED >= limits::MAIL_LINE) };
    const { assert!(limits::COMMAND_LINE_EXTENDED >= limits::RCPT_LINE) };
}

#[test]
fn a_mechanism_has_a_bounded_name() {
    let longest = "M".repeat(limits::SASL_MECHANISM);
    assert!(Mechanism::parse(&longest).is_some());
    assert!(Mechanism::parse(&(longest + "M")).is_none());
}

/// A client session that has greeted a server with PIPELINING, and so many short recipients.
fn begun(recipients: usize) -> client::Session {
    let config = client::Config::new(ClientName::parse("a.example").unwrap());
    let mut session = client::Session::new(Arc::new(config));
    let mut envelope = Envelope::new(&ReversePath::parse("a@a").unwrap());
    for _ in 0..recipients {
        envelope.add(&ForwardPath::parse("b@b").unwrap());
    }
    let mut envelope = Some(envelope);
    let mut replies = [&b"220 b\r\n"[..], b"250-b\r\n250 PIPELINING\r\n"].into_iter();
    loop {
        match session.poll_output() {
            client::Output::Ehlo(ask, _) => session.answer(ask, AfterHello::Proceed).unwrap(),
            client::Output::Ready => {
                session.begin(envelope.take().unwrap(), MessageFacts::default()).unwrap();
                return session;
            }
            client::Output::Wait(_) => {
                let reply = replies.next().unwrap();
                session.input()[..reply.len()].copy_from_slice(reply);
                session.received(reply.len()).unwrap();
            }
            client::Output::Transmit(_) | client::Output::Note(_) => {}
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn no_more_commands_are_under_way_than_any_socket_buffers_replies_to() {
    let mut session = begun(10 * limits::PIPELINE_COMMANDS);
    let mut sent = Vec::new();
    loop {
        match session.poll_output() {
            client::Output::Transmit(octets) => sent.extend_from_slice(octets),
            client::Output::Wait(_) => break,
            other => panic!("{other:?}"),
        }
    }
    let commands = sent.iter().filter(|octet| **octet == b'\n').count();
    // The octets would have allowed more.
    assert!(sent.len() < limits::PIPELINE_OCTETS / 2, "{}", sent.len());
    assert_eq!(commands, limits::PIPELINE_COMMANDS);
}

#[test]
fn a_message_begins_in_a_buffer_of_its_own_size() {
    let mut session = server::Session::new(Arc::new(server::Config::new("b")));
    let mut input: &[u8] = b"HELO a\r\nMAIL FROM:<>\r\nRCPT TO:<b@b>\r\nDATA\r\n";
    loop {
        match session.poll_output() {
            server::Output::Mail(ask, _) => session.answer(ask, Verdict::Accept).unwrap(),
            server::Output::Rcpt(ask, _) => session.answer(ask, Verdict::Accept).unwrap(),
            server::Output::Data(ask) => session.answer(ask, Verdict::Accept).unwrap(),
            server::Output::EndOfMessage(ask) => {
                session.answer(ask, Commit::Accepted(None)).unwrap();
            }
            server::Output::Wait(server::Phase::Body) => break,
            server::Output::Wait(_) => {
                let space = session.input();
                let n = space.len().min(input.len());
                space[..n].copy_from_slice(&input[..n]);
                input = &input[n..];
                session.received(n).unwrap();
            }
            server::Output::Transmit(_) | server::Output::Hello(_) | server::Output::Note(_) => {}
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(session.input().len(), limits::SERVER_FIRST_BODY_BUFFER);
}
