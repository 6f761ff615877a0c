//! What a session holds its caller to, and what it promises in return.

use std::sync::Arc;
use std::time::Duration;

use smtp_proto::ask::Ask;
use smtp_proto::error::ApiMisuse;
use smtp_proto::limits;
use smtp_proto::server::{
    AuthVerdict, Commit, Config, Event, Output, Phase, Session, Tls, Verdict, question,
};
use smtp_proto::wire::capability::Mechanisms;
use smtp_proto::wire::sasl::Exchange;
use smtp_proto::wire::{Capability, Verb};

fn session(tls: Tls) -> Session {
    let mut config = Config::new("mx.example");
    config.tls = tls;
    Session::new(Arc::new(config))
}

/// Takes outputs to the next [`Output::Wait`], and all that was transmitted.
fn to_wait(session: &mut Session) -> (Phase, Vec<u8>) {
    let mut transmitted = Vec::new();
    loop {
        match session.poll_output() {
            Output::Wait(phase) => return (phase, transmitted),
            Output::Transmit(octets) => transmitted.extend_from_slice(octets),
            Output::Hello(_) | Output::Note(_) => {}
            other => panic!("{other:?}"),
        }
    }
}

fn feed(session: &mut Session, octets: &[u8]) {
    let space = session.input();
    space[..octets.len()].copy_from_slice(octets);
    session.received(octets.len()).unwrap();
}

fn to_mail(session: &mut Session) -> Ask<question::Mail> {
    to_wait(session);
    feed(session, b"EHLO a.example\r\nMAIL FROM:<s@a.example>\r\n");
    loop {
        match session.poll_output() {
            Output::Mail(ask, _) => return ask,
            Output::Transmit(_) | Output::Hello(_) | Output::Note(_) => {}
            other => panic!("{other:?}"),
        }
    }
}

fn ends(session: &mut Session) -> Vec<u8> {
    let mut transmitted = Vec::new();
    loop {
        match session.poll_output() {
            Output::Close => return transmitted,
            Output::Transmit(octets) => transmitted.extend_from_slice(octets),
            Output::Note(_) | Output::Abort => {}
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn input_is_taken_only_while_the_session_waits() {
    let mut session = session(Tls::Unavailable);
    assert!(session.input().is_empty());
    assert_eq!(session.received(0), Err(ApiMisuse::InputBeforeDrain));
    to_wait(&mut session);
    let space = session.input().len();
    assert!(space > 0);
    assert_eq!(session.received(space + 1), Err(ApiMisuse::InputOverrun));
    feed(&mut session, b"NOOP\r\n");
    assert!(session.input().is_empty());
    assert_eq!(session.received(1), Err(ApiMisuse::InputBeforeDrain));
    assert_eq!(to_wait(&mut session).1, b"250 2.0.0 ok\r\n");
}

#[test]
fn an_answer_to_another_session_changes_neither() {
    let (mut one, mut other) = (session(Tls::Unavailable), session(Tls::Unavailable));
    let (ask, others) = (to_mail(&mut one), to_mail(&mut other));
    assert_eq!(other.answer(ask, Verdict::Accept), Err(ApiMisuse::AnswerToAnotherSession));
    assert_eq!(other.answer(others, Verdict::Accept), Ok(()));
    assert!(to_wait(&mut other).1.ends_with(b"250 2.1.0 ok\r\n"));
}

#[test]
fn an_answer_after_the_session_gave_up_is_too_late() {
    let mut session = session(Tls::Unavailable);
    let ask = to_mail(&mut session);
    let Output::Note(Event::QuestionDropped { question: "MAIL" }) = session.poll_output() else {
        panic!("the question was not given up")
    };
    assert_eq!(session.answer(ask, Verdict::Accept), Err(ApiMisuse::AnswerTooLate));
    assert!(ends(&mut session).ends_with(b"(#4.3.0)\r\n"));
}

#[test]
fn a_session_that_idles_loses_nothing_and_has_space_again() {
    let mut session = session(Tls::Unavailable);
    session.idle();
    to_wait(&mut session);
    let space = session.input().len();
    session.input()[..7].copy_from_slice(b"EHLO a.");
    session.received(7).unwrap();
    to_wait(&mut session);
    session.idle();
    feed(&mut session, b"example\r\n");
    assert!(to_wait(&mut session).1.starts_with(b"250-"));
    session.idle();
    session.idle();
    assert_eq!(session.input().len(), space);
    session.idle();
    session.timed_out();
    assert!(ends(&mut session).starts_with(b"421 "));
}

#[test]
fn tls_is_reported_only_when_it_was_asked_for() {
    let mut session = session(Tls::StartTls);
    assert_eq!(session.tls_established(), Err(ApiMisuse::TlsNotAsked));
    assert_eq!(session.tls_failed(), Err(ApiMisuse::TlsNotAsked));
    to_wait(&mut session);
    feed(&mut session, b"STARTTLS\r\n");
    // The 220 is queued, and not yet out: there is nothing to establish.
    assert_eq!(session.tls_established(), Err(ApiMisuse::TlsNotAsked));
    assert!(matches!(session.poll_output(), Output::Transmit(b"220 2.0.0 ready for tls\r\n")));
    assert_eq!(session.tls_established(), Err(ApiMisuse::TlsNotAsked));
    assert!(matches!(session.poll_output(), Output::StartTls));
    assert!(session.input().is_empty());
    assert_eq!(session.received(1), Err(ApiMisuse::InputBeforeDrain));
    assert_eq!(session.tls_established(), Ok(()));
    assert_eq!(session.tls_established(), Err(ApiMisuse::TlsNotAsked));
    assert!(session.under_tls());
    assert_eq!(to_wait(&mut session).1, b"");
}

#[test]
fn a_handshake_without_a_report_has_failed() {
    for tls in [Tls::StartTls, Tls::Implicit] {
        let mut session = session(tls);
        if tls == Tls::StartTls {
            to_wait(&mut session);
            feed(&mut session, b"STARTTLS\r\n");
            assert!(matches!(session.poll_output(), Output::Transmit(_)));
        }
        assert!(matches!(session.poll_output(), Output::StartTls));
        assert!(matches!(session.poll_output(), Output::Note(Event::TlsFailed)));
        assert_eq!(ends(&mut session), b"");
    }
}

#[test]
fn nothing_is_taken_behind_the_end_of_input() {
    let ends: [fn(&mut Session); 2] = [Session::end_of_input, Session::timed_out];
    for end in ends {
        let mut session = session(Tls::Unavailable);
        to_wait(&mut session);
        end(&mut session);
        assert!(session.input().is_empty());
        assert_eq!(session.received(0), Err(ApiMisuse::InputBeforeDrain));
    }
}

#[test]
fn an_ended_session_stays_ended() {
    let mut session = session(Tls::Unavailable);
    to_wait(&mut session);
    feed(&mut session, b"QUIT\r\nNOOP\r\n");
    assert_eq!(ends(&mut session), b"221 2.0.0 mx.example\r\n");
    for _ in 0..3 {
        session.end_of_input();
        session.timed_out();
        session.shut_down();
        assert!(session.input().is_empty());
        assert_eq!(session.received(0), Err(ApiMisuse::InputBeforeDrain));
        assert_eq!(session.tls_established(), Err(ApiMisuse::TlsNotAsked));
        assert!(matches!(session.poll_output(), Output::Close));
    }
}

#[test]
fn a_group_is_answered_in_one_write() {
    let mut session = session(Tls::Unavailable);
    to_wait(&mut session);
    feed(&mut session, b"RSET\r\nRSET\r\nMAIL FROM\r\nRCPT TO:<b@b.example>\r\nNOOP\r\nNOO");
    let mut writes = Vec::new();
    loop {
        match session.poll_output() {
            Output::Transmit(octets) => writes.push(octets.len()),
            Output::Wait(_) => break,
            Output::Hello(_) | Output::Note(_) => {}
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(writes.len(), 1, "{writes:?}");
}

/// RFC 2920 section 3.2: replies to all but RSET, MAIL and RCPT must not wait.
#[test]
fn what_ends_a_group_is_answered_before_the_next_command() {
    for ends in ["EHLO a.example", "HELO a.example", "NOOP", "VRFY x", "HELP", "WHAT", "DATA"] {
        let mut session = session(Tls::Unavailable);
        to_wait(&mut session);
        feed(&mut session, format!("RSET\r\n{ends}\r\nRSET\r\n").as_bytes());
        let mut writes = Vec::new();
        loop {
            match session.poll_output() {
                Output::Transmit(octets) => writes.push(octets.to_vec()),
                Output::Wait(_) => break,
                Output::Hello(_) | Output::Note(_) => {}
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(writes.len(), 2, "{ends}: {writes:?}");
        assert_eq!(writes[1], b"250 2.0.0 flushed\r\n", "{ends}");
    }
}

#[test]
fn replies_are_held_back_within_a_bound() {
    let mut config = Config::new("mx.example");
    config.max_junk = 2000;
    let mut session = Session::new(Arc::new(config));
    let group = b"RSET\r\n".repeat(2000);
    let (mut rest, mut largest, mut total) = (&group[..], 0, 0);
    loop {
        match session.poll_output() {
            Output::Transmit(octets) => {
                largest = largest.max(octets.len());
                total += octets.len();
            }
            Output::Wait(_) if rest.is_empty() => break,
            Output::Wait(_) => {
                let n = session.input().len().min(rest.len());
                feed(&mut session, &rest[..n]);
                rest = &rest[n..];
            }
            Output::Note(Event::ImproperPipelining { verb: Verb::Rset }) => {}
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(total, 2000 * b"250 2.0.0 flushed\r\n".len() + b"220 mx.example ESMTP\r\n".len());
    assert!(largest <= 5000, "{largest}");
}

#[test]
fn a_line_without_end_costs_no_memory() {
    let mut session = session(Tls::Unavailable);
    to_wait(&mut session);
    let mut most = 0;
    for _ in 0..100_000 {
        let space = session.input();
        most = most.max(space.len());
        space.fill(b'x');
        let n = space.len();
        session.received(n).unwrap();
        assert!(matches!(session.poll_output(), Output::Wait(Phase::Command)));
    }
    assert!(most <= 4096, "{most}");
    feed(&mut session, b"\r\nNOOP\r\n");
    let (_, replies) = loop {
        match session.poll_output() {
            Output::Note(_) => {}
            Output::Transmit(octets) => break (Phase::Command, octets.to_vec()),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(replies, b"500 5.5.2 line too long (#5.5.2)\r\n250 2.0.0 ok\r\n");
}

#[test]
fn the_buffer_grows_for_a_message_and_shrinks_behind_it() {
    let mut session = session(Tls::Unavailable);
    let ask = to_mail(&mut session);
    session.answer(ask, Verdict::Accept).unwrap();
    assert_eq!(to_wait(&mut session).0, Phase::Command);
    let idle = session.input().len();
    feed(&mut session, b"RCPT TO:<r@b.example>\r\nDATA\r\n");
    let (mut largest, mut sent) = (0, 0);
    loop {
        match session.poll_output() {
            Output::Rcpt(ask, _) => session.answer(ask, Verdict::Accept).unwrap(),
            Output::Data(ask) => session.answer(ask, Verdict::Accept).unwrap(),
            Output::EndOfMessage(ask) => session.answer(ask, Commit::Accepted(None)).unwrap(),
            Output::Wait(Phase::Body) if sent < 50 => {
                let space = session.input();
                largest = largest.max(space.len());
                space.fill(b'x');
                let n = space.len();
                session.received(n).unwrap();
                sent += 1;
            }
            Output::Wait(Phase::Body) => feed(&mut session, b"\r\n.\r\n"),
            Output::Wait(Phase::Command) => break,
            Output::Transmit(_) | Output::Body(_) | Output::Note(_) => {}
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(largest, 64 * 1024);
    assert!(session.input().len() <= idle.max(1024));
}

#[test]
fn command_time_runs_over_the_whole_line_and_body_time_over_a_read() {
    assert!(!Phase::Command.restarts_with_input());
    assert!(Phase::Body.restarts_with_input());
    assert!(Phase::Command.timeout().as_secs() >= 300);
}

fn waits(config: Config) -> (Session, Phase) {
    let mut session = Session::new(Arc::new(config));
    let (phase, transmitted) = to_wait(&mut session);
    assert_eq!(transmitted, b"", "nothing is said before the greeting's time");
    (session, phase)
}

#[test]
fn a_greeting_that_is_held_back_comes_with_its_time() {
    let delay = Duration::from_secs(7);
    let mut config = Config::new("mx.example");
    config.greeting_delay = Some(delay);
    let (mut session, phase) = waits(config.clone());
    assert_eq!((phase, phase.timeout()), (Phase::Greeting(delay), delay));
    assert!(!phase.restarts_with_input());
    // A read of nothing is no input.
    session.received(0).unwrap();
    assert_eq!(to_wait(&mut session), (Phase::Greeting(delay), Vec::new()));
    session.timed_out();
    assert_eq!(to_wait(&mut session), (Phase::Command, b"220 mx.example ESMTP\r\n".to_vec()));
    session.timed_out();
    assert!(ends(&mut session).starts_with(b"421 4.4.2 "));

    // Whoever spoke is not greeted, though the time was over when it was looked at.
    let (mut session, _) = waits(config);
    feed(&mut session, b"E");
    session.timed_out();
    assert!(ends(&mut session).starts_with(b"554 5.5.0 "));
}

#[test]
fn implicit_tls_is_not_held_back() {
    let mut config = Config::new("mx.example");
    config.greeting_delay = Some(Duration::from_secs(7));
    config.tls = Tls::Implicit;
    let mut session = Session::new(Arc::new(config));
    assert!(matches!(session.poll_output(), Output::StartTls));
    session.tls_established().unwrap();
    assert_eq!(to_wait(&mut session), (Phase::Greeting(Duration::from_secs(7)), Vec::new()));
}

/// With the longest name, and the reply buffer that is kept: all that lies on the heap beside the
/// input buffer and a few notices.
#[test]
fn an_idle_session_is_small() {
    let held = size_of::<Session>() + limits::SERVER_IDLE_REPLIES;
    assert!(held <= 1024, "{held}");
}

fn with_auth() -> Session {
    let mut config = Config::new("mx.example");
    config.capabilities.insert(Capability::Auth(Mechanisms::new("X-ONE")));
    config.auth_in_clear = true;
    let mut session = Session::new(Arc::new(config));
    to_wait(&mut session);
    feed(&mut session, b"EHLO a.example\r\n");
    to_wait(&mut session);
    session
}

/// Feeds octets in reads of the session's choice, up to the first output that is none of the loop's.
fn feed_all(session: &mut Session, mut octets: &[u8]) -> Vec<u8> {
    let mut transmitted = Vec::new();
    while !octets.is_empty() {
        let n = octets.len().min(session.input().len());
        feed(session, &octets[..n]);
        octets = &octets[n..];
        loop {
            match session.poll_output() {
                Output::Wait(_) => break,
                Output::Transmit(said) => transmitted.extend_from_slice(said),
                Output::Note(_) => {}
                Output::Auth(ask, _) => {
                    session.answer(ask, AuthVerdict::Challenge(Vec::new())).unwrap();
                }
                other => panic!("{other:?}"),
            }
        }
    }
    transmitted
}

#[test]
fn lines_of_an_exchange_are_longer_than_commands() {
    let response = |octets: usize| [&b"A".repeat(octets - 2)[..], b"\r\n"].concat();
    let mut session = with_auth();
    let mut line = b"AUTH X-ONE ".to_vec();
    line.extend(response(limits::AUTH_LINE - line.len() - 3));
    assert_eq!(feed_all(&mut session, &line), b"334 \r\n");
    // A multiple of four, with the line end: as long as a line may be, and one over it.
    assert_eq!(feed_all(&mut session, &response(limits::AUTH_LINE - 2)), b"334 \r\n");
    let said = feed_all(&mut session, &response(limits::AUTH_LINE + 2));
    assert!(said.starts_with(b"500 5.5.6 "), "{said:?}");
    // The exchange is over, and commands are bounded as ever.
    let noop = [b"NOOP ", &response(3000)[..]].concat();
    let said = feed_all(&mut session, &noop);
    assert!(said.starts_with(b"500 5.5.2 line too long"), "{said:?}");
    assert_eq!(feed_all(&mut session, b"NOOP\r\n"), b"250 2.0.0 ok\r\n");
    assert!(session.input().len() <= 1024, "the buffer shrinks behind a long line");
}

#[test]
fn who_is_authenticated_is_known() {
    let mut session = with_auth();
    feed(&mut session, b"AUTH X-ONE\r\n");
    let ask = loop {
        match session.poll_output() {
            Output::Auth(ask, Exchange::Begin { mechanism: "X-ONE", initial_response: None }) => {
                break ask;
            }
            Output::Note(_) => {}
            other => panic!("{other:?}"),
        }
    };
    assert!(!session.authenticated());
    session.answer(ask, AuthVerdict::Accept).unwrap();
    assert!(session.authenticated());
    assert_eq!(to_wait(&mut session).1, b"235 2.7.0 ok\r\n");
}

/// However large the chunk says it is, no more is held of it than of any message.
#[test]
fn a_chunk_costs_no_memory() {
    let mut config = Config::new("mx.example");
    config.max_refused_octets = None;
    let mut session = Session::new(Arc::new(config));
    to_wait(&mut session);
    feed(&mut session, b"BDAT 18446744073709551615 LAST\r\n");
    for _ in 0..1000 {
        assert!(matches!(session.poll_output(), Output::Wait(Phase::Body)));
        let space = session.input();
        assert!(space.len() <= 64 * 1024);
        space.fill(b'\n');
        let n = space.len();
        session.received(n).unwrap();
    }
}
