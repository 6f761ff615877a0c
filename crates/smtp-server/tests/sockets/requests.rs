//! Commands that the handler answers, and those that it leaves to the session.

use smtp_proto::server::Requests;
use smtp_server::auth::Passwords;

use super::common;
use super::open;

fn all() -> Requests {
    Requests { vrfy: true, expn: true, help: true, etrn: true, xclient: true, xforward: true }
}

#[test]
fn the_default_is_the_session_s_own_answer() {
    let mut config = common::config();
    let without = common::start(smtp_server::ConnectionPolicy::new(config.clone().into()));
    config.requests = all();
    let with = common::start(smtp_server::ConnectionPolicy::new(config.into()));
    for line in ["VRFY a", "EXPN a", "HELP", "ETRN a.example", "XCLIENT NAME=a", "XFORWARD NAME=a"]
    {
        let [one, two] = [&with, &without].map(|running| running.greeted().ask(line, ""));
        assert_eq!(one, two, "{line}");
    }
}

/// Who came through the proxy is somebody else: what the proxy said before is forgotten.
#[test]
fn xclient_makes_the_client_another() {
    let running = open::start_with(|config| {
        config.requests = all();
        config.capabilities.insert(Passwords::CAPABILITY);
        config.auth_in_clear = true;
    });
    let mut peer = running.greeted();
    peer.ask("VRFY me", "250 2.0.0 <nobody>");
    peer.ask("AUTH PLAIN AHRpbQB0YW5zdGFhZg==", "235");
    peer.ask("VRFY me", "250 2.0.0 <tim>");
    peer.ask("XCLIENT ADDR=192.0.2.1", "220 mx.example again");
    peer.ask("MAIL FROM:<s@a.example>", "503 5.5.1 EHLO first");
    peer.ask("EHLO b.example", "250");
    peer.ask("VRFY me", "250 2.0.0 <nobody>");
    peer.ask("MAIL FROM:<s@a.example>", "250");
    peer.ask("RCPT TO:<r@elsewhere.example>", "550");
}
