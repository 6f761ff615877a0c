//! AUTH, chunks, DSN and LMTP from `hvmail-send` to servers that this project did not write.

use std::fs;
use std::path::Path;

use smtp_testkit::pki::Authority;
use smtp_testkit::process::{Finished, require_peer};

use super::receiver::{Receiver, ca_file, delivered};
use super::smtp_sink::Sink;
use super::{ENVELOPE, after, messages, send, whole_lines, with_crlf};
use crate::support::{BACKENDS, Host};

const MESSAGE: &[u8] = b"Subject: hello\n\nhello\n";

fn password_file(host: &Host, content: &str) -> String {
    let path = host.control().join("password");
    fs::write(&path, content).unwrap();
    path.into_os_string().into_string().unwrap()
}

fn authenticating(python: &Path, leaf: &smtp_testkit::pki::Leaf, offer: &str) -> Receiver {
    let more = ["--offer", offer, "--user", "tim", "--password", "tan sta\u{e4}f"];
    Receiver::starttls(python, leaf, &more)
}

/// The password reaches the server over TLS, and nothing else that the programs say has it.
#[test]
fn python_knows_who_sends() {
    let Some(python) = require_peer("python3") else { return };
    let host = Host::new();
    let authority = Authority::root("root");
    let leaf = authority.issue(&["mx.example.net"]);
    let ca = ca_file(&host, &authority);
    let verify = ["--verify", "--ca", &ca, "--name", "mx.example.net"];
    for (offer, mechanism) in [("AUTH PLAIN LOGIN", "PLAIN"), ("AUTH LOGIN", "LOGIN")] {
        let receiver = authenticating(&python, &leaf, offer);
        for backend in BACKENDS {
            let with = |password: &str| {
                let file = password_file(&host, password);
                let auth = ["--auth-user", "tim", "--auth-password-file", &file];
                let arguments = [&ENVELOPE[..], &verify, &auth, &["--tls", backend]].concat();
                let sent = send(&host, &receiver.route, &arguments, MESSAGE);
                let said = format!("{sent:?}");
                assert!(!said.contains("tan sta") && !said.contains("dGFuI"), "{said}");
                (sent, receiver.next_connection())
            };
            for password in ["tan sta\u{e4}f", "tan sta\u{e4}f\n", "tan sta\u{e4}f\r\nanother\n"] {
                let (sent, saw) = with(password);
                assert_eq!(sent.code, Some(0), "{sent:#?}");
                assert_eq!(after(&saw, "auth "), format!("{mechanism} tim good"));
                assert!(receiver.take() == with_crlf(MESSAGE));
            }
            let (sent, saw) = with("tan sta");
            assert_eq!(sent.code, Some(75), "{sent:#?}");
            let said = "deferred b@example.org 535 5.7.8 authentication credentials invalid tls=";
            assert!(sent.stdout[0].starts_with(said), "{sent:#?}");
            // Wrong once is enough, and nobody's message goes.
            assert_eq!(after(&saw, "auth "), format!("{mechanism} tim bad"));
            assert_eq!(saw.iter().filter(|line| line.starts_with("auth")).count(), 1, "{saw:#?}");
            assert!(!saw.iter().any(|line| line.starts_with("MAIL")), "{saw:#?}");
        }
    }
}

/// Without TLS, or without AUTH behind it, the message waits.
#[test]
fn credentials_go_to_nobody_in_clear() {
    let Some(python) = require_peer("python3") else { return };
    let leaf = Authority::root("root").issue(&["mx.example.net"]);
    let host = Host::new();
    let file = password_file(&host, "tanstaaf");
    let auth = ["--auth-user", "tim", "--auth-password-file", &file];
    let arguments = [&ENVELOPE[..], &auth].concat();
    let is_deferred = |sent: &Finished, said: &str| {
        assert_eq!(sent.code, Some(75), "{sent:#?}");
        for (line, to) in sent.stdout.iter().zip(["b", "c"]) {
            assert!(line.starts_with(&format!("deferred {to}@example.org {said}")), "{line}");
        }
    };
    let port = smtp_testkit::process::free_port();
    let more = ["--mode", "none", "--offer", "AUTH PLAIN"];
    let receiver = Receiver::start(&python, "127.0.0.1", port, &leaf, &more);
    let sent = send(&host, &receiver.route, &arguments, MESSAGE);
    is_deferred(&sent, "451 4.7.11 credentials are not sent in clear tls=none/not-offered");
    let saw = receiver.next_connection();
    assert_eq!(saw.last().unwrap(), "quit");
    assert!(!saw.iter().any(|line| line.starts_with("auth")), "{saw:#?}");

    let receiver = Receiver::starttls(&python, &leaf, &[]);
    let sent = send(&host, &receiver.route, &arguments, MESSAGE);
    is_deferred(&sent, "451 4.7.4 the server offers no AUTH mechanism");
    assert!(!receiver.next_connection().iter().any(|line| line.starts_with("MAIL")));
}

#[test]
fn python_has_every_message_in_chunks() {
    let Some(python) = require_peer("python3") else { return };
    let host = Host::new();
    let leaf = Authority::root("root").issue(&["mx.example.net"]);
    let receiver = Receiver::starttls(&python, &leaf, &["--offer", "CHUNKING"]);
    for backend in BACKENDS {
        for (name, message) in messages() {
            let arguments = [&ENVELOPE[..], &["--tls", backend]].concat();
            let sent = send(&host, &receiver.route, &arguments, &message);
            assert_eq!(sent.code, Some(0), "{backend} {name}: {sent:#?}");
            assert!(receiver.take() == with_crlf(&whole_lines(&message)), "changed: {name}");
            let saw = receiver.next_connection();
            assert_eq!(sent.stdout, delivered(after(&saw, "tls ")));
            let chunks: Vec<_> = saw.iter().filter(|line| line.starts_with("BDAT ")).collect();
            let last = chunks.iter().filter(|line| line.ends_with(" LAST")).count();
            assert_eq!((last, chunks.len() > 1), (1, name == "large" || name == "long lines"));
        }
    }
}

/// A notification is asked for where the server can be asked, and stderr says where it was not.
#[test]
fn notifications_are_asked_for_of_who_can_be_asked() {
    let Some(python) = require_peer("python3") else { return };
    let host = Host::new();
    let leaf = Authority::root("root").issue(&["mx.example.net"]);
    let dsn = ["--ret", "hdrs", "--envid", "id 1+1", "--notify", "success,failure"];
    let arguments = [&ENVELOPE[..], &dsn].concat();

    let receiver = Receiver::starttls(&python, &leaf, &["--offer", "DSN"]);
    let sent = send(&host, &receiver.route, &arguments, MESSAGE);
    assert_eq!(sent.code, Some(0), "{sent:#?}");
    assert_eq!(sent.stderr, [""; 0]);
    let saw = receiver.next_connection();
    assert_eq!(after(&saw, "MAIL FROM:<a@example.org> "), "RET=HDRS ENVID=id+201+2B1");
    assert_eq!(after(&saw, "RCPT TO:<c@example.org> "), "NOTIFY=SUCCESS,FAILURE");

    let receiver = Receiver::starttls(&python, &leaf, &[]);
    let sent = send(&host, &receiver.route, &arguments, MESSAGE);
    assert_eq!(sent.code, Some(0), "{sent:#?}");
    let said =
        |to| format!("hvmail-send: {to}@example.org: the server does not offer DSN: sent without");
    assert_eq!(sent.stderr, ["b", "c"].map(said));
    assert!(receiver.next_connection().contains(&"MAIL FROM:<a@example.org>".to_owned()));
}

#[test]
fn a_message_that_requires_tls_goes_to_whom_it_can() {
    let Some(python) = require_peer("python3") else { return };
    let host = Host::new();
    let authority = Authority::root("root");
    let leaf = authority.issue(&["mx.example.net"]);
    let ca = ca_file(&host, &authority);
    let verify = ["--requiretls", "--verify", "--ca", &ca, "--name", "mx.example.net"];
    let arguments = [&ENVELOPE[..], &verify].concat();
    let receiver = Receiver::starttls(&python, &leaf, &["--offer", "REQUIRETLS"]);
    let sent = send(&host, &receiver.route, &arguments, MESSAGE);
    assert_eq!(sent.code, Some(0), "{sent:#?}");
    assert_eq!(after(&receiver.next_connection(), "MAIL FROM:<a@example.org> "), "REQUIRETLS");
    let receiver = Receiver::starttls(&python, &leaf, &[]);
    let sent = send(&host, &receiver.route, &arguments, MESSAGE);
    assert_eq!(sent.code, Some(69), "{sent:#?}");
    let said = "rejected b@example.org 554 5.7.30 the server does not offer REQUIRETLS tls=TLSv1.";
    assert!(sent.stdout[0].starts_with(said), "{sent:#?}");
    assert!(receiver.messages().is_empty());
}

#[test]
fn an_address_in_utf8_is_said_in_utf8() {
    let Some(python) = require_peer("python3") else { return };
    let host = Host::new();
    let leaf = Authority::root("root").issue(&["mx.example.net"]);
    let arguments = ["--from", "j\u{f6}rg@example.org", "--to", "\u{7528}@example.org"];
    let receiver = Receiver::starttls(&python, &leaf, &["--offer", "SMTPUTF8"]);
    let sent = send(&host, &receiver.route, &arguments, MESSAGE);
    assert_eq!(sent.code, Some(0), "{sent:#?}");
    assert!(sent.stdout[0].starts_with("delivered \u{7528}@example.org 250 "), "{sent:#?}");
    let saw = receiver.next_connection();
    assert_eq!(after(&saw, "MAIL FROM:<j\u{f6}rg@example.org> "), "SMTPUTF8");
    assert_eq!(after(&saw, "RCPT TO:"), "<\u{7528}@example.org>");
}

/// smtp-sink answers each recipient of LMTP by itself.
#[test]
fn smtp_sink_has_a_message_by_lmtp() {
    let Some(path) = require_peer("smtp-sink") else { return };
    let host = Host::new();
    let sink = Sink::start(&path, &["-L", "-d", "message."]);
    let arguments = [&ENVELOPE[..], &["--lmtp"]].concat();
    for (name, message) in messages() {
        let sent = send(&host, &sink.route, &arguments, &message);
        assert_eq!(sent.code, Some(0), "{name}: {sent:#?}");
        let (envelope, own) = sink.take();
        assert!(own == whole_lines(&message), "changed: {name}");
        assert_eq!(envelope[1], "X-Client-Proto: LMTP");
    }
    // To a server of SMTP it does not speak SMTP.
    let sink = Sink::start(&path, &[]);
    let sent = send(&host, &sink.route, &arguments, MESSAGE);
    assert_eq!(sent.code, Some(75), "{sent:#?}");
}
