//! The main job, whole: a control directory, the server over it, a message that crosses TLS.

use std::process::Command;
use std::time::Duration;

use crate::support::{self, BACKENDS, Host, SEND, SMTPD, split_trace};
use smtp_testkit::peer::Peer;
use smtp_testkit::process::{self, Program};

const MESSAGE: &str = "Subject: hello\n\nOver TLS.\n.leading dot\n";

/// Every door of the server × every pair of TLS libraries: delivered, durable, and encrypted.
#[test]
fn a_message_crosses_tls_and_is_in_the_maildir() {
    for server in BACKENDS {
        for client in BACKENDS {
            let host = Host::new();
            let mut program = host.serve(&["--tls", server]);
            for (count, port) in [host.starttls, host.submission].into_iter().enumerate() {
                let sent = host.send(
                    port,
                    &["--tls", client, "--from", "a@example.org", "--to", "b@example.org"],
                    MESSAGE,
                );
                assert_eq!(sent.code, Some(0), "{server} × {client}: {sent:?}");
                assert!(sent.stdout[0].starts_with("delivered b@example.org 250 "), "{sent:?}");
                assert!(sent.stdout[0].contains(" tls=TLSv1.3"), "{sent:?}");

                let messages = host.messages();
                assert_eq!(messages.len(), count + 1);
                for message in messages {
                    let (trace, own) = split_trace(&message, "Subject: ");
                    assert_eq!(own, MESSAGE);
                    let lines: Vec<_> = trace.lines().collect();
                    assert_eq!(lines[0], "Return-Path: <a@example.org>");
                    assert_eq!(lines[1], "Delivered-To: b@example.org");
                    assert!(lines[2].starts_with("Received: from "), "{trace}");
                    assert!(trace.contains(" with ESMTPS (TLS_AES_"), "{trace}");
                    assert!(trace.contains(" encrypted); "), "{trace}");
                }
                assert!(host.leftovers().is_empty());
            }
            program.signal("TERM");
            assert_eq!(program.wait(Duration::from_secs(10)).code(), Some(0));
        }
    }
}

/// `--verify` raises the rules: the right name passes, a wrong one or an unknown authority defers.
#[test]
fn verification_is_by_the_name_and_authority_that_are_given() {
    for backend in BACKENDS {
        let host = Host::new();
        let _program = host.serve(&["--tls", backend]);
        let ca = host.ca_file();
        let ca = ca.to_str().unwrap();
        let envelope = ["--tls", backend, "--from", "a@example.org", "--to", "b@example.org"];
        let with =
            |more: &[&str]| host.send(host.starttls, &[&envelope[..], more].concat(), MESSAGE);

        let named = with(&["--verify", "--ca", ca, "--name", "mx.example.org"]);
        assert_eq!(named.code, Some(0), "{named:?}");
        let by_address = with(&["--verify", "--ca", ca]);
        assert_eq!(by_address.code, Some(0), "{by_address:?}");

        let wrong_name = with(&["--verify", "--ca", ca, "--name", "other.example.org"]);
        assert_eq!(wrong_name.code, Some(75), "{wrong_name:?}");
        assert!(wrong_name.stdout[0].starts_with("deferred b@example.org "), "{wrong_name:?}");
        let unknown_authority = with(&["--verify"]);
        assert_eq!(unknown_authority.code, Some(75), "{unknown_authority:?}");
        assert_eq!(host.messages().len(), 2);
    }
}

/// `starttls_require` holds against a server without TLS: nothing is sent in clear.
#[test]
fn a_rule_that_requires_tls_never_sends_in_clear() {
    let host = Host::new();
    host.write("smtp.starttls", "0\n")
        .write("greenarrow.conf", "general {\n  starttls_require yes\n}\n")
        .write("smtp2", "ENABLED=0\n")
        .write("smtp3", "ENABLED=0\n");
    let program = host.start(&[]);
    let line = program.wait_for_stderr("listening service=smtp ");
    assert!(line.ends_with(" tls=none"), "{line}");
    let sent =
        host.send(host.starttls, &["--from", "a@example.org", "--to", "b@example.org"], MESSAGE);
    assert_eq!(sent.code, Some(75), "{sent:?}");
    assert!(sent.stdout[0].starts_with("deferred b@example.org "), "{sent:?}");
    assert!(host.messages().is_empty());
}

/// `--demo` makes its directory, serves it, and does the same again on the second start.
#[test]
fn the_demo_directory_is_made_once_and_served() {
    let folder = process::temp_dir();
    let demo = folder.path().join("demo");
    let ports: Vec<u16> = (0..3).map(|_| process::free_port()).collect();
    // What is there already is kept: that moves the demo off its fixed ports, which another
    // test run on this machine may hold.
    std::fs::create_dir_all(&demo).unwrap();
    std::fs::write(demo.join("smtp.port"), format!("{}\n", ports[0])).unwrap();
    std::fs::write(demo.join("smtp2"), format!("ENABLED=1\nIPADDR=127.0.0.1\nPORT={}\n", ports[1]))
        .unwrap();
    std::fs::write(
        demo.join("smtp3"),
        format!("ENABLED=1\nIPADDR=127.0.0.1\nPORT={}\nSMTPS=1\nexport SMTPS\n", ports[2]),
    )
    .unwrap();

    let mut fingerprints = Vec::new();
    for _ in 0..2 {
        let mut program = Program::spawn(Command::new(SMTPD).arg("--demo").arg(&demo));
        for (service, port, tls) in [
            ("smtp", ports[0], "starttls"),
            ("smtp2", ports[1], "starttls"),
            ("smtp3", ports[2], "smtps"),
        ] {
            assert_eq!(
                program.wait_for_stderr(&format!("listening service={service} ")),
                format!("listening service={service} addr=127.0.0.1:{port} tls={tls}")
            );
        }
        let sent = process::run(
            Command::new(SEND)
                .arg("--control")
                .arg(&demo)
                .args(["--route", &format!("127.0.0.1:{}", ports[0])])
                .args(["--from", "me@demo.example", "--to", "you@demo.example"]),
            MESSAGE.as_bytes(),
        );
        assert_eq!(sent.code, Some(0), "{sent:?}");
        fingerprints.push(std::fs::read(demo.join("greenarrow.conf")).unwrap());
        program.signal("TERM");
        assert_eq!(program.wait(Duration::from_secs(10)).code(), Some(0));
    }
    assert_eq!(fingerprints[0], fingerprints[1]);
    assert_eq!(std::fs::read_dir(demo.join("Maildir/new")).unwrap().count(), 2);
}

/// A control directory that `--demo` did not make gets nothing from it.
#[test]
fn the_demo_is_not_made_in_a_control_directory_of_somebody_else() {
    for name in ["me", "greenarrow.conf"] {
        let folder = process::temp_dir();
        std::fs::write(folder.path().join(name), "").unwrap();
        let refused = process::run(Command::new(SMTPD).arg("--demo").arg(folder.path()), b"");
        assert_eq!(refused.code, Some(64), "{refused:?}");
        assert!(refused.stderr[0].contains("is a control directory already"), "{refused:?}");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}

/// A recipient of another domain needs RELAYCLIENT; the refusal has qmail's text.
#[test]
fn relaying_is_for_those_the_rules_name() {
    let host = Host::new();
    host.write("smtp.tcp", "127.0.0.1:allow\n");
    let _program = host.serve(&[]);
    let mut peer = Peer::connect(("127.0.0.1", host.starttls));
    peer.expect_reply("220");
    peer.ask("EHLO client.example.net", "250");
    peer.ask("MAIL FROM:<a@example.net>", "250");
    assert_eq!(
        peer.ask("RCPT TO:<b@elsewhere.example>", "553"),
        ["553 5.7.1 sorry, that domain isn't in my list of allowed rcpthosts (#5.7.1)"]
    );
    peer.ask("RCPT TO:<b@example.org>", "250");
    peer.ask("RCPT TO:<postmaster>", "250");
    peer.ask("QUIT", "221");
}

/// SIGTERM: no new connection, the message under way is finished, exit 0.
#[test]
fn a_message_under_way_is_finished_before_the_end() {
    let host = Host::new();
    let mut program = host.serve(&[]);
    let mut peer = host.in_data();
    peer.line("Subject: hello");
    program.signal("TERM");
    support::eventually("the listener closes", || {
        std::net::TcpStream::connect(("127.0.0.1", host.starttls)).is_err()
    });
    peer.line("").line("late").line(".");
    peer.expect_reply("250");
    peer.expect_reply("421");
    peer.expect_end();
    assert_eq!(program.wait(Duration::from_secs(10)).code(), Some(0));
    assert_eq!(host.messages().len(), 1);
}

/// Port 465 is TLS from the first byte, whatever the STARTTLS rules say.
#[test]
fn port_465_is_tls_from_the_first_byte() {
    let address = ("127.0.0.1", 465);
    if let Err(error) = std::net::TcpListener::bind(address) {
        eprintln!("skipped: port_465_is_tls_from_the_first_byte: cannot bind port 465: {error}");
        return;
    }
    for server in BACKENDS {
        for client in BACKENDS {
            let host = Host::with_smtps_on(465);
            host.write(
                "greenarrow.conf",
                "general {\n  tls_certificate_files tls.chain.pem tls.key.pem\n  starttls_use no\n}\n",
            );
            let _program = host.serve(&["--tls", server]);
            let sent = host.send(
                465,
                &["--tls", client, "--from", "a@example.org", "--to", "b@example.org"],
                MESSAGE,
            );
            assert_eq!(sent.code, Some(0), "{server} × {client}: {sent:?}");
            assert!(sent.stdout[0].contains(" tls=TLSv1.3"), "{sent:?}");
            assert!(host.messages()[0].contains(" with ESMTPS (TLS_AES_"));
        }
    }
}
