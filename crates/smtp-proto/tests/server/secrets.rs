//! What AUTH says does not stay in the input buffer, and what a session holds is not shown.

use std::sync::Arc;

use smtp_proto::server::{AuthVerdict, Config, Output, Session};
use smtp_proto::wire::Capability;
use smtp_proto::wire::capability::Mechanisms;

/// Gives the session `input` in reads of `cut` octets at the most, refuses to authenticate, and
/// returns all of the buffer that the session then reads into.
fn buffer_behind(auth_in_clear: bool, input: &[u8], cut: usize) -> Vec<u8> {
    let mut config = Config::new("mx.example");
    let mechanisms = Mechanisms::new("PLAIN LOGIN");
    config.capabilities.insert(Capability::Auth(mechanisms));
    config.auth_in_clear = auth_in_clear;
    let mut session = Session::new(Arc::new(config));
    let mut left = input;
    loop {
        match session.poll_output() {
            Output::Wait(_) if left.is_empty() => return session.input().to_vec(),
            Output::Wait(_) => {
                let space = session.input();
                let n = space.len().min(left.len()).min(cut);
                space[..n].copy_from_slice(&left[..n]);
                session.received(n).unwrap();
                left = &left[n..];
            }
            Output::Auth(ask, _) => {
                session.answer(ask, AuthVerdict::Challenge(Vec::new())).unwrap();
            }
            Output::Close => panic!("the session goes on"),
            _ => {}
        }
    }
}

#[test]
fn no_octet_of_a_secret_stays_in_the_buffer() {
    // A letter that no verb, name or argument here has.
    for length in [4, 64, 1020, 1024, 2048, 8000, 16_000] {
        let secret = "S".repeat(length);
        let lines = [
            format!("AUTH PLAIN {secret}\r\n"),
            format!("AUTH PLAIN {secret}=\r\n"),
            format!("AUTH NO {secret}\r\n"),
            format!("AUTH PLAIN\r\n{secret}\r\n"),
            format!("AUTH PLAIN\r\n{secret}=\r\n"),
            format!("AUTH PLAIN\r\n{secret}\r\n{secret}\r\n"),
        ];
        for (line, in_clear) in lines.iter().flat_map(|line| [(line, true), (line, false)]) {
            // Where AUTH is not offered, a response is a command, and nobody knows that it is secret.
            if !in_clear && line.starts_with("AUTH PLAIN\r\n") {
                continue;
            }
            for cut in [1, 7, 1000, usize::MAX] {
                let input = format!("EHLO a.example\r\n{line}");
                let buffer = buffer_behind(in_clear, input.as_bytes(), cut);
                let left = buffer.iter().filter(|octet| **octet == b'S').count();
                assert_eq!(left, 0, "{length} {in_clear} {cut} {}", &line[..20]);
            }
        }
    }
}

/// The texts in which `{:?}` would show `octets`: as numbers, as a string, as escapes.
fn forms(octets: &str) -> [String; 4] {
    let bytes = octets.as_bytes();
    let list = format!("{bytes:?}");
    let hexadecimal = format!("{bytes:02x?}");
    [
        octets.to_owned(),
        list.trim_matches(['[', ']']).to_owned(),
        hexadecimal.trim_matches(['[', ']']).to_owned(),
        bytes.escape_ascii().to_string(),
    ]
}

fn assert_not_shown(session: &Session, octets: &str) {
    let one_line = format!("{session:?}");
    let lines = format!("{session:#?}").replace(char::is_whitespace, "");
    for form in forms(octets) {
        assert!(!one_line.contains(&form), "{form} in {one_line}");
        let form = form.replace(char::is_whitespace, "");
        assert!(!lines.contains(&form), "{form} in {lines}");
    }
}

fn feed(session: &mut Session, octets: &str) {
    session.input()[..octets.len()].copy_from_slice(octets.as_bytes());
    session.received(octets.len()).unwrap();
}

#[test]
fn debug_shows_no_octet_of_what_came_or_goes() {
    let mut config = Config::new("mx.example");
    config.capabilities.insert(Capability::Auth(Mechanisms::new("PLAIN LOGIN")));
    config.auth_in_clear = true;
    let mut session = Session::new(Arc::new(config));
    while !matches!(session.poll_output(), Output::Wait(_)) {}
    feed(&mut session, "EHLO a.example\r\nAUTH PLAIN AGEAaHVudG");
    assert_not_shown(&session, "AGEAaHVudG");
    while !matches!(session.poll_output(), Output::Wait(_)) {}
    assert_not_shown(&session, "AGEAaHVudG");
    feed(&mut session, "VyMg==\r\nNOOP\r\n");
    loop {
        match session.poll_output() {
            Output::Auth(ask, _) => {
                session.answer(ask, AuthVerdict::Challenge(b"word".to_vec())).unwrap();
                break;
            }
            Output::Wait(_) => panic!("AUTH is put to the handler"),
            _ => {}
        }
    }
    assert_not_shown(&session, "hunter2");
    assert_not_shown(&session, "AGEAaHVudGVyMg==");
    // The challenge is queued, and then handed out.
    assert_not_shown(&session, "334 d29yZA==");
    assert!(matches!(session.poll_output(), Output::Transmit(b"334 d29yZA==\r\n")));
    assert_not_shown(&session, "334 d29yZA==");
}
