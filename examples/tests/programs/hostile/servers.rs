//! Servers that inject, strip, stall, leave and never end, against `hvmail-send`: one line for each
//! recipient, the right code, in time, and never a second try in clear.

use std::thread;
use std::time::{Duration, Instant};

use smtp_testkit::peer::{Listener, Peer};
use smtp_testkit::process::Finished;

use super::wire::{Secured, Wire, pause};
use crate::support::{BACKENDS, Host};

const MESSAGE: &str = "Subject: secret\n\nsecret\n";
const RECIPIENTS: [&str; 2] = ["b@example.org", "c@example.net"];

/// How long a delivery may take, with every timeout at one second.
const SOON: Duration = Duration::from_secs(20);

/// A host whose outgoing rules are these, with every timeout at one second.
fn host(rules: &str) -> Host {
    let host = Host::new();
    host.write("greenarrow.conf", &format!("general {{\n{rules}\n}}\n"))
        .write("timeoutconnect", "1\n")
        .write("timeoutremote", "1\n");
    host
}

/// Sends to both recipients by a server of one connection, and checks what holds whatever it does:
/// the program ends in time with a line for each recipient, and comes but once.
fn against<T: Send>(
    host: &Host,
    backend: &str,
    message: &str,
    serve: impl FnOnce(Peer) -> T + Send,
) -> (Finished, T) {
    let listener = Listener::new();
    thread::scope(|scope| {
        let server = scope.spawn(|| serve(listener.accept()));
        let start = Instant::now();
        let mut arguments = vec!["--tls", backend, "--from", "a@example.org"];
        arguments.extend(RECIPIENTS.iter().flat_map(|to| ["--to", to]));
        let sent = host.send(listener.address().port(), &arguments, message);
        assert!(start.elapsed() < SOON, "{:?}: {sent:?}", start.elapsed());
        let served = server.join().unwrap();
        listener.expect_nobody();
        assert_eq!(sent.stdout.len(), RECIPIENTS.len(), "{sent:?}");
        for (line, to) in sent.stdout.iter().zip(RECIPIENTS) {
            assert_eq!(line.split(' ').nth(1), Some(to), "{sent:?}");
            assert!(line.bytes().all(|octet| matches!(octet, b' '..=b'~')), "{sent:?}");
        }
        assert!(!sent.stderr.iter().any(|line| line.contains("panicked")), "{sent:?}");
        (sent, served)
    })
}

fn assert_all(sent: &Finished, exit: i32, begin: &str, end: &str) {
    assert_eq!(sent.code, Some(exit), "{sent:?}");
    for line in &sent.stdout {
        let (word, rest) = line.split_once(' ').unwrap();
        let said = format!("{word} {}", rest.split_once(' ').unwrap().1);
        assert!(said.starts_with(begin) && said.ends_with(end), "{begin}…{end}: {sent:?}");
    }
}

/// All that the client still sends; its goodbye is answered.
fn rest(mut peer: Peer) -> Vec<u8> {
    let mut rest = Vec::new();
    while let Some(line) = peer.read_line() {
        if line == b"QUIT\r\n" {
            let _ = peer.try_send("221 bye\r\n");
        }
        rest.extend(line);
    }
    rest
}

/// Nothing of the message or its envelope went over the wire in clear.
fn assert_no_mail(octets: &[u8]) {
    let text = String::from_utf8_lossy(octets);
    for word in ["MAIL", "RCPT", "DATA", "secret", "example.org"] {
        assert!(!text.contains(word), "{word}: {text}");
    }
}

const CAPABILITIES: &str = "250-mx\r\n250-PIPELINING\r\n250 STARTTLS\r\n";

/// Greets, offers STARTTLS, and hears it.
fn until_starttls(peer: &mut Peer) {
    peer.line("220 mx");
    peer.expect("EHLO ");
    peer.send(CAPABILITIES);
    peer.expect("STARTTLS");
}

const TRANSACTION: &str = "250 mx\r\n250 ok\r\n250 ok\r\n250 ok\r\n354 go\r\n250 taken\r\n";

/// Behind the 220, in one segment, cut in two, as a fragment, or a moment later: the recipients are
/// deferred, and nothing is tried again in clear.
#[test]
fn replies_behind_starttls_are_never_used() {
    let hosts = [host("starttls_use yes"), host("starttls_require yes")];
    thread::scope(|scope| {
        for &backend in BACKENDS {
            for host in &hosts {
                for behind in ["250 STARTTLS\r\n", TRANSACTION, "25", "\r\n", "\0"] {
                    scope.spawn(move || {
                        for cut in [None, Some(2), Some(8)] {
                            inject(host, backend, behind, cut, false);
                            inject(host, backend, behind, cut, true);
                        }
                    });
                }
            }
        }
    });
}

/// With `shake`, the server goes on as one that knows nothing of what was put behind its 220.
fn inject(host: &Host, backend: &str, behind: &str, cut: Option<usize>, shake: bool) {
    let (sent, ()) = against(host, backend, MESSAGE, |mut peer| {
        until_starttls(&mut peer);
        let all = format!("220 go\r\n{behind}");
        let cut = cut.unwrap_or(all.len());
        peer.send(&all[..cut]);
        if cut < all.len() {
            pause();
            let _ = peer.try_send(&all[cut..]);
        }
        if shake {
            assert!(Secured::accept(peer, &host.certificate).is_err(), "{behind:?} {cut}");
        } else {
            assert_no_mail(&rest(peer));
        }
    });
    assert_all(&sent, 75, "deferred 451 4.7.5 ", " tls=unsettled");
    if cut != Some(8) {
        // It was here before the handshake began, and is named.
        let named = "octets came behind the reply to STARTTLS";
        assert!(sent.stdout.iter().all(|line| line.contains(named)), "{sent:?}");
    }
}

/// What was offered in clear does not count inside TLS.
#[test]
fn capabilities_from_before_the_handshake_are_forgotten() {
    for &backend in BACKENDS {
        let host = host("starttls_require yes");
        let (sent, ()) = against(&host, backend, MESSAGE, |mut peer| {
            peer.line("220 mx");
            peer.expect("EHLO ");
            peer.send("250-mx\r\n250-SIZE 1\r\n250-8BITMIME\r\n250 STARTTLS\r\n");
            peer.expect("STARTTLS");
            peer.line("220 go");
            let mut peer = Secured::accept(peer, &host.certificate).unwrap();
            assert_eq!(peer.read_line().as_deref(), Some(&b"EHLO mx.example.org\r\n"[..]));
            peer.line("250 mx");
            assert_eq!(peer.read_line().as_deref(), Some(&b"MAIL FROM:<a@example.org>\r\n"[..]));
            peer.line("550 5.7.1 no");
            peer.expect_reply("QUIT");
            peer.line("221 bye");
        });
        assert_all(&sent, 69, "rejected 550 5.7.1 no", " tls=TLSv1.3/TLS_AES_256_GCM_SHA384");
    }
}

#[test]
fn starttls_that_is_refused_or_stripped_defers_where_it_is_required() {
    let host = host("starttls_require yes");
    let refused = |reply: &'static str| {
        move |mut peer: Peer| {
            until_starttls(&mut peer);
            peer.line(reply);
            rest(peer)
        }
    };
    for (reply, begin) in [
        ("454 4.7.0 not now", "deferred 451 4.7.4 "),
        ("502 no", "deferred 451 4.7.4 "),
        ("500 what", "deferred 451 4.7.4 "),
        ("530 first", "deferred 451 4.7.4 "),
        ("554 no", "deferred 451 4.7.4 "),
        ("421 busy", "deferred 421 "),
        ("250 ok", "deferred 451 4.5.0 "),
        ("354 go", "deferred 451 4.5.0 "),
    ] {
        let (sent, rest) = against(&host, BACKENDS[0], MESSAGE, refused(reply));
        assert_all(&sent, 75, begin, " tls=unsettled");
        assert_no_mail(&rest);
    }
    for (greeting, ehlo) in [
        ("220 mx", "250 mx\r\n"),
        ("220 mx", "250-mx\r\n250-XXXXXXXA\r\n250 SIZE\r\n"),
        ("220-mx\r\n220 STARTTLS", "250 mx\r\n"),
        ("220 mx", "250-mx STARTTLS\r\n250 X-STARTTLS\r\n"),
        ("220 mx", "502 no EHLO here\r\n"),
    ] {
        let (sent, rest) = against(&host, BACKENDS[0], MESSAGE, |mut peer| {
            peer.line(greeting);
            peer.expect("EHLO ");
            peer.send(ehlo);
            if ehlo.starts_with("502") {
                peer.expect("HELO ");
                peer.line("250 mx");
            }
            rest(peer)
        });
        assert_all(&sent, 75, "deferred 451 4.7.4 ", "");
        assert_no_mail(&rest);
    }
}

/// No handshake behind the 220, or one that fails: the rule is to use TLS, and nothing goes in clear.
#[test]
fn a_handshake_that_fails_is_not_followed_by_clear_text() {
    for &backend in BACKENDS {
        let host = host("starttls_use yes");
        for answer in [
            &b"\x15\x03\x03\x00\x02\x02\x28"[..],
            b"\x16\x03\x03\x00\x04\x02\x00\x00\x00",
            b"\x16\x03\x03\xff\xff\x02",
            b"454 4.7.0 no\r\n",
            b"",
        ] {
            let (sent, rest) = against(&host, backend, MESSAGE, |mut peer| {
                until_starttls(&mut peer);
                peer.line("220 go");
                peer.read_exact(5);
                let _ = peer.try_send(answer);
                peer.half_close();
                rest(peer)
            });
            assert_all(&sent, 75, "deferred 451 4.7.5 ", " tls=unsettled");
            assert_no_mail(&rest);
        }
    }
}

#[test]
fn garbage_and_endless_replies_defer() {
    let host = host("starttls_use no");
    let long = "x".repeat(1 << 20);
    for greeting in [
        "HTTP/1.1 400 Bad Request\r\n\r\n",
        "\u{1b}[31m\0\u{7f}\r\n",
        "22\r\n",
        "\r\n",
        "220\u{e4}\r\n",
        "999 mx\r\n",
        "000 mx\r\n",
        "220-mx\r\n250 mx\r\n",
        &long,
        &format!("220 {long}\r\n"),
    ] {
        let (sent, _) = against(&host, BACKENDS[0], MESSAGE, |mut peer| {
            let _ = peer.try_send(greeting);
            rest(peer)
        });
        assert_all(&sent, 75, "deferred 4", " tls=unsettled");
    }
    // A reply that decides is shown as it is, except for what a terminal would obey.
    let (sent, ()) = against(&host, BACKENDS[0], MESSAGE, |mut peer| {
        peer.line("220 mx");
        peer.expect("EHLO ");
        peer.line("250 mx");
        peer.expect("MAIL ");
        peer.line("550-5.7.1 \u{1b}[31mred\u{7}\r\n550 5.7.1 delivered\rx");
        rest(peer);
    });
    assert_all(&sent, 69, "rejected 550 5.7.1 ?[31mred? delivered?x", "tls=none/policy");

    for (said, endless) in [
        ("", "220-and another thing\r\n"),
        ("220 mx\r\n", "250-and another thing\r\n"),
        ("220 mx\r\n", "250"),
        ("220 mx\r\n250-mx\r\n", "250 ok\r\n"),
    ] {
        let (sent, ()) = against(&host, BACKENDS[0], MESSAGE, |mut peer| {
            let _ = peer.try_send(said);
            while peer.try_send(endless.repeat(1000)).is_ok() {}
        });
        assert_all(&sent, 75, "deferred 451 4.5.0 ", "");
    }
    // One line of it now and then buys no time.
    let (sent, ()) = against(&host, BACKENDS[0], MESSAGE, |mut peer| {
        while peer.try_send("220-wait\r\n").is_ok() {
            thread::sleep(Duration::from_millis(100));
        }
    });
    assert_all(&sent, 75, "deferred 451 4.4.2 ", " tls=unsettled");
}

/// The client's commands up to each point, with the replies to them; the last has none.
const STEPS: [(&str, &str); 7] = [
    ("EHLO ", "250 mx"),
    ("MAIL ", "250 ok"),
    ("RCPT ", "250 ok"),
    ("RCPT ", "250 ok"),
    ("DATA", "354 go"),
    (".", "250 2.0.0 taken"),
    ("QUIT", "221 bye"),
];

/// Keeps to the dialogue for so many steps, and hears the next command.
fn play(wire: &mut dyn Wire, good: usize) {
    for (index, (command, reply)) in STEPS[..=good].iter().enumerate() {
        loop {
            let line = wire.read_line().unwrap_or_else(|| panic!("{command} expected at the end"));
            if line.starts_with(command.as_bytes()) {
                break;
            }
            assert_eq!(*command, ".", "{:?}", String::from_utf8_lossy(&line));
        }
        if index < good {
            wire.line(reply);
        }
    }
}

type Misdeed = fn(Box<dyn Wire>);

const MISDEEDS: [Misdeed; 4] = [
    // Stalls until the client has gone.
    |mut wire| while wire.read_line().is_some() {},
    // Says half of a reply, and stalls.
    |mut wire| {
        let _ = wire.try_send(b"2");
        while wire.read_line().is_some() {}
    },
    <dyn Wire>::leave,
    <dyn Wire>::reset,
];

/// In clear and inside TLS, in every phase.
#[test]
fn a_server_that_stalls_or_leaves_costs_no_more_than_its_time() {
    let clear = host("starttls_use no");
    let inside = host("starttls_require yes");
    thread::scope(|scope| {
        for misdeed in MISDEEDS {
            for good in 0..STEPS.len() {
                let (clear, inside) = (&clear, &inside);
                scope.spawn(move || {
                    let (sent, ()) = against(clear, BACKENDS[0], MESSAGE, |mut peer| {
                        peer.line("220 mx");
                        play(&mut peer, good);
                        misdeed(Box::new(peer));
                    });
                    assert_phase(&sent, good, "none/policy");
                });
                let backend = BACKENDS[good % BACKENDS.len()];
                scope.spawn(move || {
                    let (sent, ()) = against(inside, backend, MESSAGE, |mut peer| {
                        until_starttls(&mut peer);
                        peer.line("220 go");
                        let mut peer = Secured::accept(peer, &inside.certificate).unwrap();
                        play(&mut peer, good);
                        misdeed(Box::new(peer));
                    });
                    assert_phase(&sent, good, "TLSv1.3/TLS_AES_256_GCM_SHA384");
                });
            }
        }
    });
}

fn assert_phase(sent: &Finished, good: usize, tls: &str) {
    let tls = if good == 0 && tls.starts_with("none") { "unsettled" } else { tls };
    let tls = format!(" tls={tls}");
    if good == STEPS.len() - 1 {
        // Only the goodbye is missing.
        assert_all(sent, 0, "delivered 250 2.0.0 taken", &tls);
        return;
    }
    assert_all(sent, 75, "deferred 451 4.4.2 ", &tls);
    let may = good == STEPS.len() - 2;
    for line in &sent.stdout {
        assert_eq!(line.contains("may already have accepted"), may, "{good}: {line}");
    }
}

/// Before the dialogue: no greeting, and no handshake.
#[test]
fn a_server_that_stalls_before_it_speaks_costs_no_more_than_its_time() {
    let host = host("starttls_use yes");
    thread::scope(|scope| {
        for misdeed in MISDEEDS {
            let host = &host;
            scope.spawn(move || {
                let (sent, ()) =
                    against(host, BACKENDS[0], MESSAGE, |peer| misdeed(Box::new(peer)));
                assert_all(&sent, 75, "deferred 451 4.4.2 ", " tls=unsettled");
            });
        }
        for &backend in BACKENDS {
            for misdeed in [MISDEEDS[0], MISDEEDS[2], MISDEEDS[3]] {
                let host = &host;
                scope.spawn(move || {
                    let (sent, ()) = against(host, backend, MESSAGE, |mut peer| {
                        until_starttls(&mut peer);
                        peer.line("220 go");
                        peer.read_exact(5);
                        misdeed(Box::new(peer));
                    });
                    assert_all(&sent, 75, "deferred 451 4.7.5 ", " tls=unsettled");
                });
            }
        }
    });
}

/// A host that takes no connection: its queue is full, so that it neither answers nor refuses.
#[test]
fn a_host_that_takes_no_connection_costs_no_more_than_its_time() {
    let host = host("starttls_use yes");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let _inside = runtime.enter();
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind(([127, 0, 0, 1], 0).into()).unwrap();
    let full = socket.listen(0).unwrap();
    let address = full.local_addr().unwrap();
    let mut waiting = Vec::new();
    while let Ok(stream) =
        std::net::TcpStream::connect_timeout(&address, Duration::from_millis(200))
    {
        waiting.push(stream);
        assert!(waiting.len() < 100, "the queue has no end");
    }
    let start = Instant::now();
    let sent = host.send(
        address.port(),
        &["--from", "a@example.org", "--to", "b@example.org", "--to", "c@example.net"],
        MESSAGE,
    );
    assert_all(&sent, 75, "deferred 451 4.4.1 ", " tls=unsettled");
    assert!(start.elapsed() < SOON, "{:?}", start.elapsed());
}

/// A refusal in the middle of a large message is heard, though nothing more is taken of it.
#[test]
fn a_refusal_in_the_middle_of_a_message_is_heard() {
    let clear = host("starttls_use no");
    let inside = host("starttls_require yes");
    let large = "a line of text that is repeated very often\n".repeat(1 << 19);
    let refuse = |mut wire: Box<dyn Wire>, close: bool| {
        play(&mut *wire, 4);
        wire.line("354 go");
        for _ in 0..10 {
            assert!(wire.read_line().is_some());
        }
        wire.line("552 5.3.4 too much");
        // Some close at once, on what is still on its way; others take it to its end.
        while !close && wire.read_line().is_some_and(|line| line != b".\r\n") {}
        wire.leave();
    };
    for close in [false, true] {
        let (sent, ()) = against(&clear, BACKENDS[0], &large, |mut peer| {
            peer.line("220 mx");
            refuse(Box::new(peer), close);
        });
        assert_all(&sent, 69, "rejected 552 5.3.4 too much", " tls=none/policy");
        for &backend in BACKENDS {
            let (sent, ()) = against(&inside, backend, &large, |mut peer| {
                until_starttls(&mut peer);
                peer.line("220 go");
                let peer = Secured::accept(peer, &inside.certificate).unwrap();
                refuse(Box::new(peer), close);
            });
            let tls = " tls=TLSv1.3/TLS_AES_256_GCM_SHA384";
            assert_all(&sent, 69, "rejected 552 5.3.4 too much", tls);
        }
    }
}
