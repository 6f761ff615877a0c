//! AUTH over a socket: who the client is reaches the handler and the message, and is forgotten where
//! it must be.

use smtp_proto::wire::{Capability, Mechanisms};
use smtp_server::auth::Passwords;

use super::common;
use super::open;

const PLAIN: &str = "AHRpbQB0YW5zdGFhZg=="; // "\0tim\0tanstaaf"
const WRONG: &str = "AHRpbQBvdGhlcg=="; // "\0tim\0other"

fn in_clear() -> common::Running {
    open::start_with(|config| {
        config.capabilities.insert(Passwords::CAPABILITY);
        config.auth_in_clear = true;
    })
}

#[test]
fn who_is_authenticated_may_more_and_received_says_so() {
    let running = in_clear();
    let mut peer = running.connect();
    peer.expect_reply("220");
    let offer = peer.ask("EHLO a.example", "250");
    assert!(offer.iter().any(|line| &line[4..] == "AUTH PLAIN LOGIN"), "{offer:?}");
    peer.ask("MAIL FROM:<s@a.example>", "250");
    peer.ask("RCPT TO:<r@elsewhere.example>", "550 5.7.1 not for you");
    peer.ask("RSET", "250");
    peer.ask(&format!("AUTH PLAIN {PLAIN}"), "235 2.7.0");
    peer.ask("AUTH PLAIN", "503");
    peer.ask("MAIL FROM:<s@a.example>", "250");
    peer.ask("RCPT TO:<r@elsewhere.example>", "250");
    peer.ask("DATA", "354");
    peer.ask(".", "250");
    let message = running.messages().remove(0);
    assert!(message.contains("\n  by mx.example with ESMTPA; "), "{message}");
}

#[test]
fn every_way_through_plain_and_login() {
    let running = in_clear();
    for (lines, last) in [
        (&[("AUTH PLAIN", "334 "), (PLAIN, "235")][..], "235"),
        (
            &[
                ("AUTH LOGIN", "334 VXNlcm5hbWU6"),
                ("dGlt", "334 UGFzc3dvcmQ6"),
                ("dGFuc3RhYWY=", "235"),
            ],
            "235",
        ),
        (&[("auth login dGlt", "334 UGFzc3dvcmQ6"), ("dGFuc3RhYWY=", "235")], "235"),
        (&[("AUTH LOGIN", "334"), ("dGlt", "334"), ("bm8=", "535 5.7.8")], "535"),
        (&[("AUTH PLAIN", "334"), ("*", "501")], "501"),
        (&[("AUTH PLAIN =", "501")], "501"),
        (&[("AUTH XOAUTH2 dGlt", "504")], "504"),
    ] {
        let mut peer = running.greeted();
        for (line, reply) in lines {
            peer.ask(line, reply);
        }
        peer.ask("MAIL FROM:<s@a.example>", "250");
        let may = if last == "235" { "250" } else { "550" };
        peer.ask("RCPT TO:<r@elsewhere.example>", may);
    }
}

/// Guessing ends with the session: the last error is told by 421.
#[test]
fn a_flood_of_guesses_ends() {
    let running = in_clear();
    let mut peer = running.greeted();
    peer.send(format!("AUTH PLAIN {WRONG}\r\n").repeat(1000));
    for _ in 1..common::config().max_errors {
        peer.expect_reply("535 5.7.8");
    }
    peer.expect_reply("535 5.7.8");
    peer.expect_reply("421 4.7.0");
    peer.expect_end();
}

/// Exchanges that are begun and given up are no way around that; lines without end are none either.
#[test]
fn a_flood_of_exchanges_ends() {
    let running = in_clear();
    let mut peer = running.greeted();
    let long = "A".repeat(1 << 20);
    for count in 1..=common::config().max_errors {
        let last = count == common::config().max_errors;
        peer.ask("AUTH LOGIN", "334");
        let (line, reply) = [("*", "501"), (&long, "500 5.5.6")][count as usize % 2];
        peer.ask(line, if last { "421 4.7.0" } else { reply });
    }
    peer.expect_end();
}

/// A handler that says nothing of AUTH refuses, whatever was offered.
#[test]
fn nobody_is_authenticated_by_default() {
    let mut config = common::config();
    config.capabilities.insert(Capability::Auth(Mechanisms::new("PLAIN")));
    config.auth_in_clear = true;
    let running = common::start(smtp_server::ConnectionPolicy::new(config.into()));
    let mut peer = running.greeted();
    peer.ask(&format!("AUTH PLAIN {PLAIN}"), "454 4.7.0");
    peer.ask("NOOP", "250");
}

/// It is not offered where others read along, and not taken either.
#[test]
fn not_in_clear() {
    let running = open::start_with(|config| {
        config.capabilities.insert(Passwords::CAPABILITY);
    });
    let mut peer = running.connect();
    peer.expect_reply("220");
    let offer = peer.ask("EHLO a.example", "250");
    assert!(!offer.iter().any(|line| line.contains("AUTH")), "{offer:?}");
    peer.ask(&format!("AUTH PLAIN {PLAIN}"), "5");
    peer.ask("MAIL FROM:<s@a.example>", "250");
    peer.ask("RCPT TO:<r@elsewhere.example>", "550");
}
