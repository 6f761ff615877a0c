//! Servers that stall, leave, talk nonsense or answer out of turn, over sockets in clear.
#![allow(clippy::unwrap_used)]

mod common;

use std::time::{Duration, Instant};

use common::{
    SHORT, STEPS, config, deliver, deliver_by, hear, is_deferred, part, patient, play, server,
};
use smtp_client::session::{Envelope, Rejection};
use smtp_client::tls::{ClientPolicy, OriginId};
use smtp_client::wire::{ForwardPath, LineEnds, ReversePath};
use smtp_client::{Client, Message, Outcome, Reason, Recipient, Route, TlsRecord, WhyClear};
use smtp_testkit::peer::Peer;

/// What a server does instead of its reply.
type Misdeed = fn(Peer);

fn stall(mut peer: Peer) {
    peer.expect_end();
}

fn leave(peer: Peer) {
    drop(peer);
}

fn reset(peer: Peer) {
    peer.reset();
}

fn fragment(mut peer: Peer) {
    peer.send("25");
}

fn garbage(mut peer: Peer) {
    let _ = peer.try_send("HTTP/1.1 400 Bad Request\r\n\r\n");
    peer.expect_end();
}

fn binary(mut peer: Peer) {
    let _ = peer.try_send([0x16, 0x03, 0x01, 0x00, 0x0a]);
    let _ = peer.try_send([0xff; 100_000]);
    peer.expect_end();
}

fn endless(mut peer: Peer) {
    while peer.try_send("250-and another thing\r\n".repeat(100)).is_ok() {}
}

fn trickle(mut peer: Peer) {
    while peer.try_send("2").is_ok() {
        std::thread::sleep(SHORT / 8);
    }
}

/// Runs a server that keeps to the first `good` steps, hears the next command, and misbehaves.
async fn after(good: usize, misdeed: Misdeed) -> (Outcome, Duration) {
    let (route, server) = server(move |listener| {
        let mut peer = listener.accept();
        play(&mut peer, &STEPS[..good]);
        let command = STEPS.get(good).map_or("QUIT", |(command, _)| command);
        assert!(hear(&mut peer, command));
        misdeed(peer);
    });
    let start = Instant::now();
    let mut report = deliver(config(), &route, ClientPolicy::plaintext()).await;
    let time = start.elapsed();
    server.join().unwrap();
    assert_eq!(report.recipients.len(), 1);
    (report.recipients.remove(0).outcome, time)
}

async fn in_every_phase(misdeed: Misdeed) {
    for good in 0..=STEPS.len() {
        let (outcome, time) = after(good, misdeed).await;
        // Behind the reply to the final dot only the goodbye is left, and the message is delivered.
        if good == STEPS.len() {
            assert!(outcome.is_delivered(), "{outcome}");
        } else {
            let after_the_dot = good == STEPS.len() - 1;
            assert!(is_deferred(&outcome, after_the_dot), "phase {good}: {outcome:?}");
            let text = outcome.text();
            assert_eq!(text.contains("may already have accepted"), after_the_dot, "{text}");
        }
        assert!(time < SHORT * 10, "phase {good} took {time:?}");
    }
}

#[tokio::test]
async fn a_stall_in_every_phase() {
    in_every_phase(stall).await;
}

#[tokio::test]
async fn a_disconnect_in_every_phase() {
    in_every_phase(leave).await;
}

#[tokio::test]
async fn a_reset_in_every_phase() {
    in_every_phase(reset).await;
}

#[tokio::test]
async fn half_a_reply_in_every_phase() {
    in_every_phase(fragment).await;
}

#[tokio::test]
async fn garbage_in_every_phase() {
    in_every_phase(garbage).await;
}

#[tokio::test]
async fn binary_garbage_in_every_phase() {
    in_every_phase(binary).await;
}

#[tokio::test]
async fn an_endless_reply_in_every_phase() {
    in_every_phase(endless).await;
}

#[tokio::test]
async fn a_reply_that_comes_octet_by_octet_for_ever_in_every_phase() {
    in_every_phase(trickle).await;
}

fn large() -> Message {
    Message::from_bytes(b"a line of text that is repeated very often\n".repeat(1 << 20))
}

/// A server that takes DATA and then does what `script` says, without reading the message.
async fn during_data(
    config: smtp_client::Config,
    script: impl FnOnce(Peer) + Send + 'static,
) -> Outcome {
    let (route, server) = server(move |listener| {
        let mut peer = listener.accept();
        play(&mut peer, &STEPS[..5]);
        script(peer);
    });
    let to = Recipient::new("b@example.com", route, ClientPolicy::plaintext()).unwrap();
    let mut report = deliver_by(&Client::new(config), &[to], &large()).await;
    server.join().unwrap();
    report.recipients.remove(0).outcome
}

fn is_552(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Rejected(Rejection::ByServer { .. })) && outcome.code() == 552
}

#[tokio::test]
async fn a_refusal_during_the_message_is_heard_while_nobody_reads_it() {
    let (tell, told) = std::sync::mpsc::channel::<()>();
    let (route, server) = server(move |listener| {
        let mut peer = listener.accept();
        play(&mut peer, &STEPS[..5]);
        peer.line("552 5.3.4 too big");
        // Open, and not read, until the client has its outcome.
        told.recv().unwrap();
    });
    let to = Recipient::new("b@example.com", route, ClientPolicy::plaintext()).unwrap();
    let start = Instant::now();
    let report = deliver_by(&Client::new(patient()), &[to], &large()).await;
    assert!(is_552(&report.recipients[0].outcome), "{}", report.recipients[0].outcome);
    assert!(start.elapsed() < Duration::from_secs(10));
    tell.send(()).unwrap();
    server.join().unwrap();
}

#[tokio::test]
async fn a_refusal_and_a_close_during_the_message_are_heard() {
    let outcome = during_data(patient(), |mut peer| {
        peer.read_exact(100_000);
        peer.line("552 5.3.4 too big");
    })
    .await;
    assert!(is_552(&outcome), "{outcome}");
}

#[tokio::test]
async fn a_close_during_the_message_leaves_no_doubt() {
    let outcome = during_data(patient(), |mut peer| {
        peer.read_exact(100_000);
    })
    .await;
    assert!(is_deferred(&outcome, false), "{outcome:?}");
}

#[tokio::test]
async fn success_said_during_the_message_is_no_success() {
    let outcome = during_data(patient(), |mut peer| {
        peer.line("250 2.0.0 taken");
        while peer.read_line().is_some() {}
    })
    .await;
    assert!(is_deferred(&outcome, false), "{outcome:?}");
}

#[tokio::test]
async fn a_server_that_takes_nothing_of_the_message_times_out() {
    let (tell, told) = std::sync::mpsc::channel::<()>();
    let (route, server) = server(move |listener| {
        let mut peer = listener.accept();
        play(&mut peer, &STEPS[..5]);
        told.recv().unwrap();
    });
    let to = Recipient::new("b@example.com", route, ClientPolicy::plaintext()).unwrap();
    let report = deliver_by(&Client::new(config()), &[to], &large()).await;
    assert!(is_deferred(&report.recipients[0].outcome, false), "{:?}", report.recipients);
    tell.send(()).unwrap();
    server.join().unwrap();
}

#[tokio::test]
async fn a_message_larger_than_every_buffer_arrives_whole() {
    let (route, server) = server(|listener| {
        let mut peer = listener.accept();
        play(&mut peer, &STEPS[..5]);
        let mut octets = 0;
        loop {
            let line = peer.read_line().unwrap();
            if line == b".\r\n" {
                break;
            }
            octets += line.len();
        }
        assert_eq!(octets as u64, large().wire_size());
        peer.line("250 2.0.0 taken");
        part(&mut peer);
    });
    let to = Recipient::new("b@example.com", route, ClientPolicy::plaintext()).unwrap();
    let report = deliver_by(&Client::new(patient()), &[to], &large()).await;
    assert!(report.all_delivered(), "{:?}", report.recipients);
    server.join().unwrap();
}

#[tokio::test]
async fn each_recipient_has_the_outcome_of_its_own_reply() {
    let (route, server) = server(|listener| {
        let mut peer = listener.accept();
        peer.line("220 mx");
        peer.expect("EHLO");
        peer.line("250-mx").line("250 PIPELINING");
        peer.expect("MAIL");
        for _ in 0..4 {
            peer.expect("RCPT");
        }
        peer.expect("DATA");
        for reply in ["250 ok", "250 ok", "550 5.1.1 no", "450 4.2.0 later", "251 on", "354 go"] {
            peer.line(reply);
        }
        hear(&mut peer, ".");
        peer.line("250 2.0.0 queued");
        part(&mut peer);
    });
    let to: Vec<_> = (1..=4)
        .map(|n| {
            let policy = ClientPolicy { origin: Some(OriginId(n)), ..ClientPolicy::plaintext() };
            Recipient::new(&format!("r{n}@example.com"), route.clone(), policy).unwrap()
        })
        .collect();
    let report = deliver_by(&Client::new(patient()), &to, &common::message()).await;
    server.join().unwrap();
    let words: Vec<_> = report.recipients.iter().map(|entry| entry.outcome.to_string()).collect();
    assert_eq!(
        words,
        [
            "delivered 250 2.0.0 queued",
            "rejected 550 5.1.1 no",
            "deferred 450 4.2.0 later",
            "delivered 250 2.0.0 queued"
        ]
    );
    for (entry, n) in report.recipients.iter().zip(1..) {
        assert_eq!(entry.origin, Some(OriginId(n)));
        assert_eq!(entry.tls, TlsRecord::Clear(WhyClear::Policy));
    }
}

#[tokio::test]
async fn a_refused_recipient_stays_refused_when_the_connection_is_lost() {
    let (route, server) = server(|listener| {
        let mut peer = listener.accept();
        peer.line("220 mx");
        peer.expect("EHLO");
        peer.line("250-mx").line("250 PIPELINING");
        peer.expect("MAIL");
        peer.send("250 ok\r\n550 5.1.1 no\r\n250 ok\r\n354 go\r\n");
        hear(&mut peer, ".");
    });
    let to = ["b@example.com", "c@example.com"]
        .map(|address| Recipient::new(address, route.clone(), ClientPolicy::plaintext()).unwrap());
    let report = deliver_by(&Client::new(patient()), &to, &common::message()).await;
    server.join().unwrap();
    assert_eq!(report.recipients[0].outcome.to_string(), "rejected 550 5.1.1 no");
    assert!(is_deferred(&report.recipients[1].outcome, true), "{:?}", report.recipients);
    assert!(report.any_deferred() && !report.all_delivered());
}

#[tokio::test]
async fn a_connection_serves_one_route_and_policy_and_as_many_transactions_as_it_takes() {
    // One connection for the plaintext recipients, in three transactions; one for the other.
    let (route, server) = server(|listener| {
        let mut transactions = Vec::new();
        for _ in 0..2 {
            let mut peer = listener.accept();
            play(&mut peer, &STEPS[..2]);
            let mut mails = 0;
            loop {
                let line = peer.expect("");
                match &line[..4] {
                    "MAIL" => mails += 1,
                    "DATA" => {
                        peer.line("354 go");
                        hear(&mut peer, ".");
                    }
                    "QUIT" => break,
                    _ => {}
                }
                peer.line("250 ok");
            }
            peer.line("221 bye");
            transactions.push(mails);
        }
        assert_eq!(transactions, [3, 1]);
    });
    let mut config = patient();
    config.recipients_per_transaction = 2;
    let mut to: Vec<_> = (0..5)
        .map(|n| {
            let address = format!("r{n}@example.com");
            Recipient::new(&address, route.clone(), ClientPolicy::plaintext()).unwrap()
        })
        .collect();
    let other =
        ClientPolicy { server_name: Some("other.example".into()), ..ClientPolicy::plaintext() };
    to.insert(2, Recipient::new("x@example.com", route.clone(), other).unwrap());
    let report = deliver_by(&Client::new(config), &to, &common::message()).await;
    server.join().unwrap();
    assert!(report.all_delivered(), "{:?}", report.recipients);
}

#[tokio::test]
async fn one_connection_takes_many_messages_until_it_is_lost() {
    let (route, server) = server(|listener| {
        let mut peer = listener.accept();
        play(&mut peer, &STEPS[..2]);
        for _ in 0..3 {
            play(&mut peer, &STEPS[2..]);
        }
        peer.expect("MAIL");
    });
    let client = Client::new(patient());
    let mut connection = client.open(&route, &ClientPolicy::plaintext()).await.unwrap();
    let envelope = Envelope::new(&ReversePath::parse("a@example.org").unwrap())
        .to(&ForwardPath::parse("b@example.com").unwrap());
    for _ in 0..3 {
        let outcomes = connection.send(envelope.clone(), &common::message()).await;
        assert!(outcomes[0].is_delivered());
        assert!(connection.is_open());
    }
    for _ in 0..2 {
        let outcomes = connection.send(envelope.clone(), &common::message()).await;
        assert!(is_deferred(&outcomes[0], false), "{outcomes:?}");
        assert!(!connection.is_open());
    }
    connection.quit().await;
    server.join().unwrap();
}

#[tokio::test]
async fn every_address_of_a_host_is_tried() {
    // The server listens on IPv4 alone; localhost is often IPv6 first.
    let (route, server) = server(|listener| {
        let mut peer = listener.accept();
        play(&mut peer, &STEPS);
        part(&mut peer);
    });
    let route = Route::new("localhost", route.port);
    let report = deliver(patient(), &route, ClientPolicy::plaintext()).await;
    server.join().unwrap();
    assert!(report.all_delivered(), "{:?}", report.recipients);
}

#[tokio::test]
async fn a_host_that_cannot_be_reached_is_named() {
    let (route, server) = server(drop);
    server.join().unwrap();
    let report = deliver(patient(), &route, ClientPolicy::plaintext()).await;
    let Outcome::Deferred { reason, may_have_been_accepted: false } = &report.recipients[0].outcome
    else {
        panic!("{:?}", report.recipients);
    };
    assert!(matches!(**reason, Reason::Connect { .. }), "{reason:?}");
    let text = report.recipients[0].outcome.to_string();
    assert!(text.starts_with(&format!("deferred 451 4.4.1 cannot connect to {route}: ")), "{text}");
    assert_eq!(report.recipients[0].tls, TlsRecord::Unsettled);

    let nowhere = Route::new("nowhere.invalid", 25);
    let report = deliver(patient(), &nowhere, ClientPolicy::plaintext()).await;
    let text = report.recipients[0].outcome.to_string();
    assert!(text.starts_with("deferred 451 4.4.3 cannot resolve nowhere.invalid: "), "{text}");
}

#[tokio::test]
async fn bare_line_ends_are_refused_before_anybody_is_connected_to() {
    let mut config = patient();
    config.session.message.line_ends = LineEnds::Refuse;
    let report =
        deliver(config, &Route::new("nowhere.invalid", 25), ClientPolicy::plaintext()).await;
    assert_eq!(report.recipients[0].outcome.code(), 554);
    assert!(matches!(report.recipients[0].outcome, Outcome::Rejected(Rejection::Message(_))));
}

#[tokio::test]
async fn a_message_that_cannot_be_read_is_deferred() {
    for changes_on_its_way in [false, true] {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "Subject: hello\n\n".repeat(100)).unwrap();
        let message = Message::from_file(file.path()).await.unwrap();
        let cut_short = {
            let path = file.path().to_owned();
            move || std::fs::write(path, "Subject: hello\n\n").unwrap()
        };
        let (route, server) = if changes_on_its_way {
            server(|listener| {
                let mut peer = listener.accept();
                play(&mut peer, &STEPS[..4]);
                hear(&mut peer, STEPS[4].0);
                cut_short();
                peer.line(STEPS[4].1);
                assert!(!hear(&mut peer, "."), "the message was cut short and passed for whole");
            })
        } else {
            cut_short();
            server(|listener| {
                let mut peer = listener.accept();
                play(&mut peer, &STEPS[..2]);
                part(&mut peer);
            })
        };
        let to = Recipient::new("b@example.com", route, ClientPolicy::plaintext()).unwrap();
        let report = deliver_by(&Client::new(patient()), &[to], &message).await;
        server.join().unwrap();
        let outcome = &report.recipients[0].outcome;
        let Outcome::Deferred { reason, may_have_been_accepted: false } = outcome else {
            panic!("{outcome:?}");
        };
        assert!(matches!(**reason, Reason::Message(_)), "{reason:?}");
    }
}
