//! AUTH, where no transcript can tell it: what is said out of turn, what is said to the caller, and
//! where secrets must not show.

use std::sync::Arc;

use proptest::prelude::*;
use smtp_proto::client::{AfterHello, AuthError, AuthResponse, Config, Event, Output, Session};
use smtp_proto::error::ApiMisuse;
use smtp_proto::limits::AUTH_CHALLENGES;
use smtp_proto::wire::{ClientName, Mechanism};
use smtp_testkit::transcript::Side;

use crate::driver::{Driver, Plan};

const OFFER: &[u8] = b"250-mx\r\n250 AUTH PLAIN LOGIN\r\n";

fn plan(auth: &str, responses: &[&str]) -> Plan {
    Plan {
        auth: Some(auth.into()),
        auth_in_clear: true,
        responses: responses.iter().map(|text| (*text).into()).collect(),
        ..Plan::default()
    }
}

/// A driver that has said AUTH.
fn begun(auth: &str, responses: &[&str]) -> Driver {
    let mut driver = Driver::new(plan(auth, responses));
    driver.feed(b"220 mx\r\n");
    driver.take_output();
    driver.feed(OFFER);
    assert!(driver.take_output().starts_with(b"AUTH "));
    driver
}

#[test]
fn nothing_behind_a_challenge_or_a_success_is_taken_for_an_answer_to_what_follows() {
    for said in ["334 YWJj\r\n", "235 in\r\n", "535 no\r\n"] {
        for behind in ["2", "235 in\r\n", "334 \r\n", "\0"] {
            let mut driver = begun("LOGIN", &["a response"]);
            driver.feed(&[said, behind].concat().into_bytes());
            assert!(driver.closed(), "{said:?} {behind:?}");
            assert!(driver.take_output().is_empty(), "{said:?} {behind:?}");
            let events = driver.take_events();
            assert!(events.iter().all(|event| !event.starts_with("authenticated")), "{events:?}");
        }
    }
}

/// Drives a session to where it is ready.
fn ready(config: Config, offer: &[u8]) -> Session {
    let mut session = Session::new(Arc::new(config));
    let mut replies = vec![b"220 mx\r\n", offer];
    loop {
        match session.poll_output() {
            Output::Ready => return session,
            Output::Ehlo(ask, _) => session.answer(ask, AfterHello::Proceed).unwrap(),
            Output::Wait(_) => give(&mut session, replies.remove(0)),
            _ => {}
        }
    }
}

fn give(session: &mut Session, octets: &[u8]) {
    session.input()[..octets.len()].copy_from_slice(octets);
    session.received(octets.len()).unwrap();
}

fn config() -> Config {
    let mut config = Config::new(ClientName::parse("client.example.org").unwrap());
    config.auth_in_clear = true;
    config
}

fn mechanism(name: &str) -> Mechanism<'_> {
    Mechanism::parse(name).unwrap()
}

#[test]
fn a_success_that_came_before_auth_authenticates_nobody() {
    let mut session = ready(config(), OFFER);
    give(&mut session, b"235 in\r\n");
    session.authenticate(mechanism("PLAIN"), Some(b"secret")).unwrap();
    loop {
        match session.poll_output() {
            Output::Transmit(octets) => panic!("{octets:?}"),
            Output::Note(Event::Authenticated(_)) => panic!("authenticated"),
            Output::Close => break,
            _ => {}
        }
    }
    assert!(!session.is_authenticated());
}

#[test]
fn it_is_refused_out_of_turn_in_clear_and_twice() {
    let mut early = Session::new(Arc::new(config()));
    let refused = early.authenticate(mechanism("PLAIN"), None);
    assert_eq!(refused, Err(AuthError::Misuse(ApiMisuse::NotReady)));

    let mut clear = config();
    clear.auth_in_clear = false;
    let mut session = ready(clear, OFFER);
    let refused = session.authenticate(mechanism("PLAIN"), Some(b"secret"));
    assert_eq!(refused, Err(AuthError::InClear));
    assert!(matches!(session.poll_output(), Output::Ready));

    let mut session = ready(config(), OFFER);
    assert_eq!(session.authenticate(mechanism("PLAI"), None), Err(AuthError::NotOffered));
    session.authenticate(mechanism("plain"), Some(b"")).unwrap();
    assert!(matches!(session.poll_output(), Output::Transmit(b"AUTH plain =\r\n")));
    assert!(matches!(session.poll_output(), Output::Wait(_)));
    give(&mut session, b"235 in\r\n");
    assert!(matches!(session.poll_output(), Output::Note(Event::Authenticated(_))));
    assert!(matches!(session.poll_output(), Output::Ready));
    let refused = session.authenticate(mechanism("LOGIN"), None);
    assert_eq!(refused, Err(AuthError::AlreadyAuthenticated));
}

#[test]
fn a_server_that_asks_without_end_is_answered_so_many_times_and_no_more() {
    let mut driver = begun("LOGIN", &["a response"; AUTH_CHALLENGES as usize]);
    for _ in 0..AUTH_CHALLENGES {
        driver.feed(b"334 YWJj\r\n");
        assert_eq!(driver.take_output(), b"YSByZXNwb25zZQ==\r\n");
    }
    driver.feed(b"334 YWJj\r\n");
    assert_eq!(driver.take_output(), b"*\r\n");
    driver.feed(b"334 YWJj\r\n");
    assert!(driver.closed());
}

#[test]
fn a_challenge_that_is_not_answered_ends_the_session() {
    let mut session = ready(config(), OFFER);
    session.authenticate(mechanism("LOGIN"), None).unwrap();
    while !matches!(session.poll_output(), Output::Wait(_)) {}
    give(&mut session, b"334 YWJj\r\n");
    let Output::AuthChallenge(ask, b"abc") = session.poll_output() else { panic!() };
    assert!(matches!(session.poll_output(), Output::Note(Event::Failed(_))));
    assert!(matches!(session.poll_output(), Output::Close));
    let late = session.answer(ask, AuthResponse::Response(b"secret".to_vec().into()));
    assert_eq!(late, Err(ApiMisuse::AnswerTooLate));
}

#[test]
fn no_secret_shows_while_it_is_on_its_way() {
    let mut session = ready(config(), OFFER);
    session.authenticate(mechanism("PLAIN"), Some(b"\0user\0secret")).unwrap();
    let shown = format!("{session:?} {:?}", AuthResponse::Response(b"secret".to_vec().into()));
    let wire = "AHVzZXIAc2VjcmV0";
    let Output::Transmit(line) = session.poll_output() else { panic!() };
    assert!(String::from_utf8_lossy(line).contains(wire));
    assert!(!shown.contains("secret") && !shown.contains(wire), "{shown}");
    for octets in [&b"secret"[..], wire.as_bytes()] {
        assert!(!shown.contains(&format!("{octets:?}").replace(['[', ']'], "")), "{shown}");
    }
}

proptest! {
    /// Whatever a mechanism says goes out as one line of base64, and is cut nowhere.
    #[test]
    fn one_line_goes_out_for_each_message(
        first in proptest::option::of(proptest::collection::vec(any::<u8>(), 0..1000)),
        then in proptest::collection::vec(any::<u8>(), 0..3000),
    ) {
        let mut session = ready(config(), OFFER);
        session.authenticate(mechanism("LOGIN"), first.as_deref()).unwrap();
        let mut lines = Vec::new();
        loop {
            match session.poll_output() {
                Output::Transmit(octets) => lines.push(octets.to_vec()),
                Output::Wait(_) if lines.len() < 3 => give(&mut session, b"334 \r\n"),
                Output::Wait(_) => break,
                Output::AuthChallenge(ask, b"") => {
                    session.answer(ask, AuthResponse::Response(then.clone().into())).unwrap();
                }
                _ => {}
            }
        }
        prop_assert!(lines[0].len() <= 512);
        for line in &lines {
            prop_assert!(line.ends_with(b"\r\n"));
            prop_assert!(line[..line.len() - 2].iter().all(|c| matches!(c, b' '..=b'~')));
        }
        let said = |line: &[u8]| smtp_proto::wire::sasl::decode_response(&line[..line.len() - 2]);
        let expected = smtp_proto::wire::sasl::Response::Message(then.into());
        prop_assert_eq!(said(&lines[2]), Ok(expected));
        if lines[0] == b"AUTH LOGIN\r\n" && let Some(first) = first {
            let first = smtp_proto::wire::sasl::Response::Message(first.into());
            prop_assert_eq!(said(&lines[1]), Ok(first));
        }
    }
}
