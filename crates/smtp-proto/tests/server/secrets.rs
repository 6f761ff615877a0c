//! What AUTH says does not stay in the input buffer.

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
