//! What the session promises a caller who calls out of turn: an error, and nothing is lost by it.

use std::sync::Arc;

use smtp_proto::client::{
    AfterHello, Cause, Config, Envelope, Failure, MessageFacts, Outcome, Output, Rejection, Session,
};
use smtp_proto::error::ApiMisuse;
use smtp_proto::limits::REPLY_TEXT_KEPT;
use smtp_proto::wire::{ClientName, ForwardPath, ReversePath};
use smtp_testkit::transcript::Side;

use crate::driver::{Driver, Plan};

/// Drives the session up to the next output that `stop` takes; gives what was transmitted.
fn run(session: &mut Session, replies: &mut Vec<&str>, stop: fn(&Output<'_>) -> bool) -> Vec<u8> {
    let mut sent = Vec::new();
    loop {
        match session.poll_output() {
            output if stop(&output) => {
                if let Output::Transmit(octets) = output {
                    sent.extend_from_slice(octets);
                }
                return sent;
            }
            Output::Transmit(octets) => sent.extend_from_slice(octets),
            Output::Ehlo(ask, _) => session.answer(ask, AfterHello::Proceed).unwrap(),
            Output::Ready => {
                let envelope = Envelope::new(&ReversePath::parse("a@example.org").unwrap())
                    .to(&ForwardPath::parse("b@example.org").unwrap());
                session.begin(envelope, MessageFacts::default()).unwrap();
            }
            Output::Wait(_) => {
                let reply = replies.remove(0);
                session.input()[..reply.len()].copy_from_slice(reply.as_bytes());
                session.received(reply.len()).unwrap();
            }
            Output::Note(_) => {}
            other => panic!("{other:?}"),
        }
    }
}

fn is_body(output: &Output<'_>) -> bool {
    matches!(output, Output::Body)
}

fn is_transmit(output: &Output<'_>) -> bool {
    matches!(output, Output::Transmit(_))
}

fn is_outcomes(output: &Output<'_>) -> bool {
    matches!(output, Output::Outcomes(_))
}

/// A session that asks for the message.
fn asked_for_body() -> Session {
    let config = Config::new(ClientName::parse("client.example.org").unwrap());
    let mut session = Session::new(Arc::new(config));
    let mut replies = vec!["220 mx\r\n", "250 mx\r\n", "250 a\r\n", "250 b\r\n", "354 go\r\n"];
    run(&mut session, &mut replies, is_body);
    assert!(replies.is_empty());
    session
}

#[test]
fn no_octet_is_taken_behind_those_that_were_handed_out() {
    let mut session = asked_for_body();
    assert_eq!(session.body(b"one\n"), Ok(4));
    // Not handed out yet, and handed out: the session has not asked again in either case.
    assert_eq!(session.body(b"two\n"), Err(ApiMisuse::BodyNotAsked));
    assert_eq!(session.end_of_body(), Err(ApiMisuse::BodyNotAsked));
    let mut sent = run(&mut session, &mut Vec::new(), is_transmit);
    assert_eq!(session.body(b"two\n"), Err(ApiMisuse::BodyNotAsked));
    assert_eq!(session.end_of_body(), Err(ApiMisuse::BodyNotAsked));

    sent.extend(run(&mut session, &mut Vec::new(), is_body));
    assert_eq!(session.body(b"two\n"), Ok(4));
    sent.extend(run(&mut session, &mut Vec::new(), is_body));
    assert_eq!(session.end_of_body(), Ok(()));
    assert_eq!(session.body(b"three\n"), Err(ApiMisuse::BodyNotAsked));
    sent.extend(run(&mut session, &mut vec!["250 taken\r\n"], is_outcomes));
    assert_eq!(sent, b"one\r\ntwo\r\n.\r\n");
}

#[test]
fn no_input_is_taken_while_octets_wait_to_be_handed_out() {
    let refuses = |session: &mut Session| {
        assert!(session.input().is_empty());
        assert_eq!(session.received(1), Err(ApiMisuse::InputBeforeDrain));
    };
    let mut session = asked_for_body();
    assert!(!session.input().is_empty(), "a server may answer early");
    session.body(b"one\n").unwrap();
    refuses(&mut session);
    run(&mut session, &mut Vec::new(), is_body);
    session.end_of_body().unwrap();
    // A reply that was read here would have come before the final dot left.
    refuses(&mut session);
    assert!(is_transmit(&session.poll_output()));
    assert!(!session.input().is_empty());
    run(&mut session, &mut vec!["250 taken\r\n"], is_outcomes);
    session.quit().unwrap();
    refuses(&mut session);
}

#[test]
fn an_end_of_the_message_that_was_not_asked_for_changes_no_outcome() {
    let mut session = asked_for_body();
    session.body(b"one\n").unwrap();
    run(&mut session, &mut Vec::new(), is_transmit);
    assert_eq!(session.end_of_body(), Err(ApiMisuse::BodyNotAsked));
    session.end_of_input();
    loop {
        match session.poll_output() {
            Output::Outcomes(outcomes) => {
                // No dot went out, so nobody can have the message.
                let [Outcome::Deferred { may_have_been_accepted: false, .. }] = &outcomes[..]
                else {
                    panic!("{outcomes:?}")
                };
                return;
            }
            Output::Note(_) => {}
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_reply_of_any_length_leaves_little_behind_for_each_recipient() {
    let long = "x".repeat(4000);
    let lines =
        |code: &str| format!("{}{code} {long}\r\n", format!("{code}-{long}\r\n").repeat(14));
    let mut driver = Driver::new(Plan {
        to: (0..4).map(|n| format!("b{n}@example.org")).collect(),
        ..Plan::default()
    });
    // The second recipient is refused by a reply of its own, the others as the message is.
    for reply in ["220 mx\r\n", "250-mx\r\n250 PIPELINING\r\n", "250 a\r\n", "250 b\r\n"] {
        driver.feed(reply.as_bytes());
    }
    for code in ["550", "250", "250", "354", "451"] {
        driver.feed(lines(code).as_bytes());
    }
    let [outcomes] = driver.outcomes.as_slice() else { panic!("{:?}", driver.outcomes) };
    let texts: Vec<&str> = outcomes
        .iter()
        .map(|outcome| match outcome {
            Outcome::Rejected(Rejection::ByServer { reply, .. })
            | Outcome::Deferred { failure: Failure { reply: Some(reply), .. }, .. } => reply.text(),
            other => panic!("{other:?}"),
        })
        .collect();
    assert!(texts.iter().all(|text| text.len() <= REPLY_TEXT_KEPT + 3), "{:?}", texts[0].len());
    assert!(texts.iter().all(|text| text.starts_with("xxx") && text.ends_with("...")));
    // Those whose outcome is one reply share its text.
    assert!(core::ptr::eq(texts[0], texts[2]) && core::ptr::eq(texts[2], texts[3]));
}

#[test]
fn replies_are_read_in_utf8_where_the_message_declared_it_and_nowhere_else() {
    let offer = b"250-mx\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250 CHUNKING\r\n";
    let declares = [("b\u{fc}cher@example.org", true), ("b@example.org", false)];
    for (to, declared) in declares {
        let mut driver = Driver::new(Plan { to: vec![to.into()], messages: 2, ..Plan::default() });
        driver.feed(b"220 mx\r\n");
        driver.feed(offer);
        for _ in 0..2 {
            driver.feed(b"250 ok\r\n");
            // The reply to RCPT, cut within a character.
            let reply = "551 5.1.6 try <b\u{fc}ro@example.com>\r\n".as_bytes();
            let within = reply.iter().position(|octet| *octet > 127).unwrap() + 1;
            driver.feed(&reply[..within]);
            driver.feed(&reply[within..]);
            // The transaction is open at the server: RSET goes before the next.
            driver.feed("250 r\u{e9}initialis\u{e9}\r\n".as_bytes());
        }
        let [first, second] = driver.outcomes.as_slice() else { panic!("{:?}", driver.outcomes) };
        for outcome in [&first[0], &second[0]] {
            let Outcome::Rejected(Rejection::ByServer { reply, .. }) = outcome else {
                panic!("{outcome:?}");
            };
            let address = if declared { "b\u{fc}ro@example.com" } else { "b??ro@example.com" };
            assert_eq!(reply.text(), format!("try <{address}>"), "{to}");
        }
    }
}

#[test]
fn the_reply_behind_a_message_that_declared_utf8_is_ascii_again() {
    let mut session = connected("250-mx\r\n250-8BITMIME\r\n250 SMTPUTF8\r\n");
    session.begin(envelope("b\u{fc}cher@example.org"), MessageFacts::default()).unwrap();
    while !matches!(session.poll_output(), Output::Wait(_)) {}
    answered(&mut session, "550 no\r\n");
    session.begin(envelope("b@example.org"), MessageFacts::default()).unwrap();
    while !matches!(session.poll_output(), Output::Wait(_)) {}
    let reply = "550 b\u{fc}cher\r\n";
    session.input()[..reply.len()].copy_from_slice(reply.as_bytes());
    session.received(reply.len()).unwrap();
    loop {
        match session.poll_output() {
            Output::Outcomes(outcomes) => {
                let Outcome::Rejected(Rejection::ByServer { reply, .. }) = &outcomes[0] else {
                    panic!("{outcomes:?}")
                };
                assert_eq!(reply.text(), "b??cher");
                return;
            }
            Output::Transmit(_) => {}
            other => panic!("{other:?}"),
        }
    }
}

/// Feeds one reply, and drives the session up to where it waits again.
fn answered(session: &mut Session, reply: &str) -> Vec<u8> {
    session.input()[..reply.len()].copy_from_slice(reply.as_bytes());
    session.received(reply.len()).unwrap();
    let mut sent = Vec::new();
    loop {
        match session.poll_output() {
            Output::Transmit(octets) => sent.extend_from_slice(octets),
            Output::Ehlo(ask, _) => session.answer(ask, AfterHello::Proceed).unwrap(),
            Output::Outcomes(_) | Output::Note(_) => {}
            _ => return sent,
        }
    }
}

fn envelope(to: &str) -> Envelope {
    Envelope::new(&ReversePath::parse("a@example.org").unwrap())
        .to(&ForwardPath::parse_utf8(to).unwrap())
}

fn connected(offer: &str) -> Session {
    let config = Config::new(ClientName::parse("client.example.org").unwrap());
    let mut session = Session::new(Arc::new(config));
    answered(&mut session, "220 mx\r\n");
    answered(&mut session, offer);
    assert!(session.is_ready());
    session
}

#[test]
fn what_was_asked_for_before_a_reply_came_is_not_asked_for_behind_it() {
    let mut session = connected("250-mx\r\n250-PIPELINING\r\n250 CHUNKING\r\n");
    let facts = MessageFacts { size: Some(4), ..MessageFacts::default() };
    session.begin(envelope("b@example.org"), facts).unwrap();
    while !is_body(&session.poll_output()) {}
    let reply = "550 5.7.1 not you\r\n";
    session.input()[..reply.len()].copy_from_slice(reply.as_bytes());
    session.received(reply.len()).unwrap();
    assert!(matches!(session.poll_output(), Output::Wait(_)));
    assert_eq!(session.body(b"hi\r\n"), Err(ApiMisuse::BodyNotAsked));
    assert_eq!(session.end_of_body(), Err(ApiMisuse::BodyNotAsked));
}

#[test]
fn the_domains_of_earlier_messages_count_in_the_session() {
    let mut session = connected("250-mx\r\n250 LIMITS RCPTDOMAINMAX=1 RCPTMAX=7\r\n");
    assert_eq!(session.recipients_per_transaction(), Some(7));
    session.begin(envelope("b@one.example"), MessageFacts::default()).unwrap();
    while !matches!(session.poll_output(), Output::Wait(_)) {}
    answered(&mut session, "550 no\r\n");
    assert!(session.is_ready());
    session.begin(envelope("b@two.example"), MessageFacts::default()).unwrap();
    let Output::Outcomes(outcomes) = session.poll_output() else { panic!() };
    let [Outcome::Deferred { failure, .. }] = &outcomes[..] else { panic!("{outcomes:?}") };
    assert_eq!(failure.cause, Cause::LimitReached);
    session.begin(envelope("c@ONE.example"), MessageFacts::default()).unwrap();
    assert!(is_transmit(&session.poll_output()));
}
