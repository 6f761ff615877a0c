//! Clients that inject, stall, leave, or were never let in.

use std::thread;
use std::time::{Duration, Instant};

use smtp_testkit::peer::Peer;
use smtp_testkit::process::Program;
use smtp_tls::{ClientPolicy, Version};

use super::wire::{Secured, Wire, at, pause};
use crate::support::{BACKENDS, Host, eventually};

/// A client that was greeted and said EHLO.
fn greeted(host: &Host) -> Peer {
    let mut peer = Peer::connect(at(host.starttls));
    peer.expect_reply("220");
    peer.ask("EHLO client.example.net", "250");
    peer
}

/// A client inside TLS that said EHLO there.
fn secured(host: &Host, backend: &str) -> Secured {
    let mut peer = greeted(host);
    peer.ask("STARTTLS", "220");
    let mut secured = Secured::connect(peer, backend, &ClientPolicy::required()).unwrap();
    assert_eq!(secured.info.version, Version::Tls13);
    secured.ask("EHLO client.example.net", "250");
    secured
}

/// A message is taken, and of the others nothing is there: neither in `new` nor in `tmp`.
fn assert_serves_the_next(host: &Host, messages: usize) {
    let sent = host.send(
        host.starttls,
        &["--from", "a@example.org", "--to", "b@example.org"],
        "Subject: next\n\ntext\n",
    );
    assert_eq!(sent.code, Some(0), "{sent:?}");
    assert_eq!(host.messages().len(), messages);
    eventually("nothing is left in tmp", || host.leftovers().is_empty());
}

/// What comes until the end is no reply: nothing, or a TLS alert, which begins with 21.
fn assert_no_reply(mut peer: Peer) {
    let mut rest = Vec::new();
    while let Some(line) = peer.read_line() {
        rest.extend(line);
    }
    assert!(matches!(rest.first(), None | Some(21)), "{:?}", String::from_utf8_lossy(&rest));
    assert!(rest.len() < 100, "{rest:?}");
}

const BEHIND: [&str; 6] = [
    "NOOP\r\n",
    "RSET\r\nQUIT\r\n",
    "MAIL FROM:<x@example.org>\r\nRCPT TO:<b@example.org>\r\nDATA\r\nSubject: x\r\n\r\n.\r\n",
    "NOO",
    "\r\n",
    "\0",
];

/// One segment, cut in two anywhere near the line end, or as a fragment: the commands behind
/// STARTTLS are not answered, and there is no handshake after them.
#[test]
fn commands_behind_starttls_are_never_answered() {
    for &backend in BACKENDS {
        let host = Host::new();
        let _server = host.serve(&["--tls", backend]);
        for behind in BEHIND {
            for cut in [None, Some(4), Some(9)] {
                let mut peer = greeted(&host);
                let all = format!("STARTTLS\r\n{behind}");
                match cut {
                    None => {
                        peer.send(&all);
                    }
                    Some(cut) => {
                        peer.send(&all[..cut]);
                        pause();
                        peer.send(&all[cut..]);
                    }
                }
                let refusal = peer.expect_reply("554");
                assert_eq!(refusal, ["554 5.5.0 protocol synchronization error (#5.5.0)"]);
                peer.expect_end();
            }
        }
        assert_serves_the_next(&host, 1);
    }
}

/// Behind the 220, before the ClientHello: they end the handshake, and a client that shakes hands
/// all the same gets none.
#[test]
fn commands_before_the_handshake_end_it() {
    for &backend in BACKENDS {
        let host = Host::new();
        let _server = host.serve(&["--tls", backend]);
        for behind in BEHIND {
            for shake in [false, true] {
                let mut peer = greeted(&host);
                peer.ask("STARTTLS", "220");
                peer.send(behind);
                if shake {
                    let failed = Secured::connect(peer, backend, &ClientPolicy::required());
                    assert!(failed.is_err(), "{behind:?}");
                } else {
                    peer.half_close();
                    assert_no_reply(peer);
                }
            }
        }
        assert_serves_the_next(&host, 1);
    }
}

/// What was said before the handshake is not known behind it.
#[test]
fn a_transaction_from_before_the_handshake_is_gone() {
    for &backend in BACKENDS {
        let host = Host::new();
        let _server = host.serve(&["--tls", backend]);
        let mut peer = greeted(&host);
        peer.ask("MAIL FROM:<x@example.org>", "250");
        peer.ask("RCPT TO:<b@example.org>", "250");
        peer.ask("STARTTLS", "220");
        let mut secured = Secured::connect(peer, backend, &ClientPolicy::required()).unwrap();
        for command in ["MAIL FROM:<x@example.org>", "RCPT TO:<b@example.org>", "DATA"] {
            assert_eq!(&secured.ask(command, "503")[..9], "503 5.5.1");
        }
        assert_eq!(&secured.ask("STARTTLS", "502")[..9], "502 5.5.1");
        secured.ask("QUIT", "221");
        secured.expect_end();
        assert_serves_the_next(&host, 1);
    }
}

#[test]
fn what_is_no_handshake_gets_no_word_in_clear() {
    let hello = [0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0x01, 0xfc, 0x03, 0x03];
    let mut oversize = vec![0x16, 0x03, 0x03, 0xff, 0xff];
    oversize.extend([0; 0xffff]);
    let noise: Vec<u8> =
        (0..4096_u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    let instead: [&[u8]; 8] = [
        b"EHLO client.example.net\r\n",
        b"GET / HTTP/1.1\r\nHost: mx.example.org\r\n\r\n",
        b"\x80\x2e\x01\x00\x02\x00\x15\x00\x00\x00\x10",
        &hello,
        &oversize,
        &noise,
        b"\x15\x03\x01\x00\x02\x02\x28",
        b"",
    ];
    for &backend in BACKENDS {
        let host = Host::new();
        let _server = host.serve(&["--tls", backend]);
        for octets in instead {
            let mut upgraded = greeted(&host);
            upgraded.ask("STARTTLS", "220");
            for mut peer in [upgraded, Peer::connect(at(host.smtps))] {
                // The other end may have gone before it has taken all.
                let _ = peer.try_send(octets);
                peer.half_close();
                assert_no_reply(peer);
            }
        }
        assert_serves_the_next(&host, 1);
    }
}

/// How long a stalled client may stay, with `timeoutsmtpd` at one second.
const SOON: Duration = Duration::from_secs(5);

/// One that says nothing more, in each phase, is told 421 where that is possible, and closed.
#[test]
fn a_client_that_stalls_is_closed_in_time() {
    for &backend in BACKENDS {
        let host = Host::new();
        host.write("timeoutsmtpd", "1\n");
        let server = host.serve(&["--tls", backend]);
        let start = Instant::now();
        thread::scope(|scope| {
            for steps in CLEAR_PHASES.iter().chain(&MESSAGE_PHASES) {
                let host = &host;
                scope.spawn(move || assert_timed_out(played_in_clear(host, steps), steps));
                scope.spawn(move || {
                    if let Some(inside) = played_inside(host, backend, steps) {
                        assert_timed_out(inside, steps);
                    }
                });
            }
            // In the handshake: nothing, a fragment of it, and an octet now and then.
            for octets in [0, 1, 5, 40] {
                let mut upgraded = greeted(&host);
                upgraded.ask("STARTTLS", "220");
                for mut peer in [upgraded, Peer::connect(at(host.smtps))] {
                    scope.spawn(move || {
                        for octet in &BEGUN_HELLO[..octets] {
                            if peer.try_send([*octet]).is_err() {
                                break;
                            }
                            thread::sleep(Duration::from_millis(60));
                        }
                        assert_no_reply(peer);
                    });
                }
            }
        });
        assert!(start.elapsed() < SOON * 2, "{:?}", start.elapsed());
        assert_serves_the_next(&host, 1);
        assert_quiet(&server);
    }
}

const BEGUN_HELLO: [u8; 40] = {
    let mut hello = [0; 40];
    let head = [0x16, 0x03, 0x01, 0x01, 0x00, 0x01, 0x00, 0x00, 0xfc, 0x03, 0x03];
    let mut at = 0;
    while at < head.len() {
        hello[at] = head[at];
        at += 1;
    }
    hello
};

const EHLO: &str = "EHLO client.example.net\r\n";
const MAIL: &str = "MAIL FROM:<a@example.org>\r\n";
const RCPT: &str = "RCPT TO:<b@example.org>\r\n";

/// What is said, and the reply that is waited for, if one is.
type Step = (&'static str, &'static str);

const CLEAR_PHASES: [&[Step]; 4] =
    [&[], &[("EH", "")], &[(EHLO, "250"), ("STARTT", "")], &[("\r", "")]];

const MESSAGE_PHASES: [&[Step]; 7] = [
    &[(EHLO, "250")],
    &[(EHLO, "250"), (MAIL, "250")],
    &[(EHLO, "250"), (MAIL, "250"), (RCPT, "250")],
    &[(EHLO, "250"), (MAIL, "250"), (RCPT, "250"), ("DATA\r\n", "354")],
    &[(EHLO, "250"), (MAIL, "250"), (RCPT, "250"), ("DATA\r\n", "354"), ("Subject: x\r\n", "")],
    &[(EHLO, "250"), (MAIL, "250"), (RCPT, "250"), ("DATA\r\n", "354"), ("x\r\n.\r", "")],
    &[(EHLO, "250"), (MAIL, "250"), (RCPT, "250"), ("DATA\r\n", "354"), ("x", LARGE)],
];

/// Stands for a body that is larger than what is kept in memory, so that there is a file of it.
const LARGE: &str = "large";

fn play(wire: &mut dyn Wire, steps: &[Step]) {
    for (said, answer) in steps {
        if !said.is_empty() {
            wire.send(said);
        }
        match *answer {
            "" => {}
            LARGE => wire.send(&"a line of the message\r\n".repeat(10_000)),
            code => drop(wire.expect_reply(code)),
        }
    }
}

fn played_in_clear(host: &Host, steps: &[Step]) -> Box<dyn Wire> {
    let mut clear = Peer::connect(at(host.starttls));
    clear.expect_reply("220");
    play(&mut clear, steps);
    Box::new(clear)
}

/// The same inside TLS, where the steps come so far.
fn played_inside(host: &Host, backend: &str, steps: &[Step]) -> Option<Box<dyn Wire>> {
    let [(EHLO, _), steps @ ..] = steps else { return None };
    let mut inside = secured(host, backend);
    play(&mut inside, steps);
    Some(Box::new(inside))
}

fn assert_timed_out(mut wire: Box<dyn Wire>, steps: &[Step]) {
    let start = Instant::now();
    assert_eq!(&wire.expect_reply("421")[..9], "421 4.4.2", "{steps:?}");
    wire.expect_end();
    assert!(start.elapsed() < SOON, "{steps:?}");
}

/// Nothing in the log is an accident.
fn assert_quiet(server: &Program) {
    let said = server.stderr();
    assert!(!said.iter().any(|line| line.contains("panick") || line.contains("ERROR")), "{said:?}");
}

/// By FIN and by RST, in clear and inside TLS: nothing of the message stays, and the next is served.
#[test]
fn a_client_that_leaves_early_leaves_nothing_behind() {
    for &backend in BACKENDS {
        let host = Host::new();
        let server = host.serve(&["--tls", backend]);
        for leave in [<dyn Wire>::leave as fn(Box<dyn Wire>), <dyn Wire>::reset] {
            for steps in CLEAR_PHASES.iter().chain(&MESSAGE_PHASES) {
                let clear = played_in_clear(&host, steps);
                let inside = played_inside(&host, backend, steps);
                if steps.last().is_some_and(|(_, answer)| *answer == LARGE) {
                    eventually("both messages have a file", || host.leftovers().len() == 2);
                }
                leave(clear);
                if let Some(inside) = inside {
                    leave(inside);
                }
            }
            // In the handshake, and before it where it comes first.
            let mut upgraded = greeted(&host);
            upgraded.ask("STARTTLS", "220");
            upgraded.send(&BEGUN_HELLO[..20]);
            leave(Box::new(upgraded));
            leave(Box::new(Peer::connect(at(host.smtps))));
        }
        assert_serves_the_next(&host, 1);
        assert_quiet(&server);
    }
}

/// `smtp.concurrency` at one: the second is told so and closed, and the third has the place of the
/// first. Each service counts its own.
#[test]
fn a_connection_over_the_limit_is_told_so() {
    let host = Host::new();
    host.write("smtp.concurrency", "1\n").write(
        "smtp3",
        &format!(
            "ENABLED=1\nIPADDR=127.0.0.1\nPORT={}\nCONCURRENCY=1\nSMTPS=1\nexport SMTPS\n",
            host.smtps
        ),
    );
    let _server = host.serve(&[]);
    let first = greeted(&host);
    for _ in 0..3 {
        let mut second = Peer::connect(at(host.starttls));
        second.expect("421 4.3.2 ");
        second.expect_end();
    }
    Peer::connect(at(host.submission)).expect_reply("220");
    // Where TLS comes first there is no word in clear.
    let waiting = Peer::connect(at(host.smtps));
    Peer::connect(at(host.smtps)).expect_end();

    drop((first, waiting));
    eventually("the place is free", || {
        let greeting = Peer::connect(at(host.starttls)).read_line();
        greeting.is_some_and(|line| line.starts_with(b"220 "))
    });
}

#[test]
fn a_client_that_the_rules_deny_is_closed_without_a_word() {
    let host = Host::new();
    host.write("smtp.tcp", "127.0.0.2:deny\n127.0.0.:allow,RELAYCLIENT=\"\"\n:deny\n");
    let server = host.serve(&[]);
    for port in [host.starttls, host.submission, host.smtps] {
        let mut denied = Peer::connect_from([127, 0, 0, 2], at(port));
        let _ = denied.try_send("EHLO client.example.net\r\n");
        denied.expect_end();
    }
    let mut allowed = Peer::connect_from([127, 0, 0, 3], at(host.starttls));
    allowed.expect_reply("220");
    eventually("each is logged with its rule", || {
        let denied =
            |line: &&String| line.contains("connection denied") && line.contains("smtp.tcp:1:1");
        server.stderr().iter().filter(denied).count() == 3
    });
    assert_serves_the_next(&host, 1);
}

/// TLSCIPHERS of a rule in `smtp.tcp` is for the clients of that rule alone.
#[cfg(feature = "openssl")]
#[test]
fn a_rule_gives_one_client_other_cipher_suites() {
    const OWN: &str = "ECDHE-ECDSA-AES128-GCM-SHA256";
    const OTHERS: &str = "ECDHE-ECDSA-CHACHA20-POLY1305";
    let host = Host::new();
    host.write("tls.tlsserverciphers", &format!("{OTHERS}\n"))
        .write("smtp.tcp", &format!("127.0.0.2:allow,TLSCIPHERS=\"{OWN}\"\n:allow\n"));
    let _server = host.serve(&["--tls", "openssl"]);
    let policy =
        ClientPolicy { versions: (Version::Tls12, Version::Tls12), ..ClientPolicy::required() };
    for (source, suite) in
        [([127, 0, 0, 1], OTHERS), ([127, 0, 0, 2], OWN), ([127, 0, 0, 3], OTHERS)]
    {
        for &client in BACKENDS {
            let mut upgraded = Peer::connect_from(source, at(host.starttls));
            upgraded.expect_reply("220");
            upgraded.ask("EHLO client.example.net", "250");
            upgraded.ask("STARTTLS", "220");
            for peer in [upgraded, Peer::connect_from(source, at(host.smtps))] {
                let secured = Secured::connect(peer, client, &policy).unwrap();
                assert_eq!(secured.info.suite, suite, "{source:?}");
            }
        }
    }
}
