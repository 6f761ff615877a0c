//! BDAT (RFC 3030): the message arrives octet by octet as it is, and a server that refuses, stalls or
//! leaves within it has one outcome for each recipient.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use smtp_client::session::Chunking;
use smtp_client::tls::ClientPolicy;
use smtp_client::wire::{BodyType, MailParameters};
use smtp_client::{Client, Config, Message, Outcome, Recipient, Route, Sender};
use smtp_testkit::peer::Peer;

use crate::common::{config, hear, is_deferred, part, patient, server};

fn one(route: &Route) -> [Recipient; 1] {
    [Recipient::new("b@example.com", route.clone(), ClientPolicy::plaintext()).unwrap()]
}

/// A server that offers this and answers MAIL and RCPT, and then does what `script` says.
async fn chunked<T: Send + 'static>(
    config: Config,
    offer: &'static str,
    sender: Sender,
    message: &Message,
    script: impl FnOnce(&mut Peer) -> T + Send + 'static,
) -> (Outcome, T) {
    let (route, server) = server(move |listener| {
        let mut peer = listener.accept();
        peer.line("220 mx");
        peer.expect("EHLO");
        peer.send(format!("250-mx\r\n{offer}250 CHUNKING\r\n"));
        for command in ["MAIL", "RCPT"] {
            peer.expect(command);
            peer.line("250 ok");
        }
        script(&mut peer)
    });
    let report = Client::new(config).deliver(&sender, &one(&route), message).await;
    let told = server.join().unwrap();
    assert_eq!(report.recipients.len(), 1);
    (report.recipients.into_iter().next().unwrap().outcome, told)
}

fn sender() -> Sender {
    Sender::parse("a@example.org").unwrap()
}

/// Reads one chunk: its octets, and whether it is the last; `None` when the client has gone.
fn chunk(peer: &mut Peer) -> Option<(Vec<u8>, bool)> {
    let line = String::from_utf8(peer.read_line()?).unwrap();
    let size = line.strip_prefix("BDAT ").unwrap_or_else(|| panic!("{line}")).trim_end();
    let last = size.ends_with(" LAST");
    let octets = size.trim_end_matches(" LAST").parse().unwrap();
    Some((peer.read_exact(octets), last))
}

/// Takes every chunk with 250.
fn take_all(peer: &mut Peer) -> Vec<u8> {
    let mut all = Vec::new();
    loop {
        let (octets, last) = chunk(peer).unwrap();
        all.extend(octets);
        peer.line("250 ok");
        if last {
            part(peer);
            return all;
        }
    }
}

fn large() -> Message {
    static LARGE: OnceLock<Message> = OnceLock::new();
    let line = b".a line of text that is repeated very often\n";
    LARGE.get_or_init(|| Message::from_bytes(line.repeat(1 << 18))).clone()
}

#[tokio::test]
async fn a_message_arrives_whole_in_chunks_without_dots() {
    let texts = [&b""[..], b".", b"a\r\n.\r\nb\n..\n", b"Subject: x\n\nno end"];
    let wire = ["", ".\r\n", "a\r\n.\r\nb\r\n..\r\n", "Subject: x\r\n\r\nno end\r\n"];
    for (offer, (text, wire)) in ["", "250-PIPELINING\r\n"]
        .into_iter()
        .flat_map(|offer| texts.into_iter().zip(wire).map(move |both| (offer, both)))
    {
        let message = Message::from_bytes(text);
        let (outcome, octets) = chunked(patient(), offer, sender(), &message, take_all).await;
        assert!(outcome.is_delivered(), "{outcome}");
        assert_eq!(String::from_utf8(octets).unwrap(), wire);
    }
    for offer in ["", "250-PIPELINING\r\n"] {
        let (outcome, octets) = chunked(patient(), offer, sender(), &large(), take_all).await;
        assert!(outcome.is_delivered(), "{outcome}");
        assert!(octets == b".a line of text that is repeated very often\r\n".repeat(1 << 18));
    }
}

#[tokio::test]
async fn data_is_used_where_chunks_are_not_wanted() {
    let mut config = patient();
    config.session.chunking = Chunking::Never;
    let (outcome, ()) = chunked(config, "", sender(), &Message::from_bytes("x"), |peer| {
        peer.expect("DATA");
        peer.line("354 go");
        hear(peer, ".");
        peer.line("250 ok");
        part(peer);
    })
    .await;
    assert!(outcome.is_delivered(), "{outcome}");
}

/// Octets that no policy of lines would let pass go as they are, where they are declared.
#[tokio::test]
async fn a_binary_message_is_sent_as_it_is_where_it_is_declared() {
    let octets: Vec<u8> = (0..=255).cycle().take(100_000).collect();
    let message = Message::from_bytes(octets.clone());
    let binary = MailParameters { body: Some(BodyType::BinaryMime), ..MailParameters::default() };
    let offer = "250-BINARYMIME\r\n250-SIZE 100000\r\n";
    let declared = sender().with(binary);
    let (outcome, heard) = chunked(patient(), offer, declared, &message, take_all).await;
    assert!(outcome.is_delivered(), "{outcome}");
    assert!(heard == octets);
    // Undeclared it is text, and has a NUL.
    let report = Client::new(patient())
        .deliver(&sender(), &one(&Route::new("nowhere.invalid", 25)), &message)
        .await;
    let shown = "rejected 554 5.6.0 a NUL at offset 0 of the message";
    assert_eq!(report.recipients[0].outcome.to_string(), shown);
}

/// A refusal while the message is being sent is heard, though nobody reads what is sent.
#[tokio::test]
async fn a_refused_chunk_is_heard_while_the_next_ones_are_written() {
    let start = Instant::now();
    let (outcome, ()) = chunked(patient(), "250-PIPELINING\r\n", sender(), &large(), |peer| {
        let (_, last) = chunk(peer).unwrap();
        assert!(!last);
        peer.line("552 5.3.4 too big");
        // Chunks that were on their way come still, and no LAST behind them.
        while let Some(line) = peer.read_line() {
            let line = String::from_utf8(line).unwrap();
            match line.strip_prefix("BDAT ") {
                Some(size) => {
                    let octets = size.trim_end().parse().expect("no LAST");
                    peer.read_exact(octets);
                    peer.line("503 5.5.1 refused before");
                }
                None if line == "QUIT\r\n" => peer.line("221 bye").half_close(),
                None => panic!("{line:?}"),
            }
        }
    })
    .await;
    assert_eq!(outcome.to_string(), "rejected 552 5.3.4 too big");
    assert!(start.elapsed() < Duration::from_secs(10));
}

/// A server that is gone within a chunk, or between two, or behind the last one.
#[tokio::test]
async fn a_server_that_leaves_within_chunks_leaves_doubt_behind_the_last_one_alone() {
    let ways: [fn(&mut Peer); 5] = [
        |peer| drop(peer.expect("BDAT")),
        |peer| {
            peer.expect("BDAT");
            peer.read_exact(1000);
        },
        |peer| drop(chunk(peer)),
        |peer| {
            chunk(peer);
            peer.line("250 ok");
        },
        |peer| {
            chunk(peer);
            peer.line("421 4.3.2 bye");
        },
    ];
    for way in ways {
        let (outcome, ()) = chunked(patient(), "", sender(), &large(), way).await;
        assert!(is_deferred(&outcome, false), "{outcome}");
    }
    for half_a_reply in ["", "25", "250 ok"] {
        let (outcome, ()) =
            chunked(patient(), "", sender(), &Message::from_bytes("x\n"), move |peer| {
                let (_, last) = chunk(peer).unwrap();
                assert!(last);
                peer.send(half_a_reply);
            })
            .await;
        assert!(is_deferred(&outcome, true), "{half_a_reply:?}: {outcome}");
    }
}

#[tokio::test]
async fn a_server_that_takes_nothing_of_a_chunk_times_out() {
    let (tell, told) = std::sync::mpsc::channel::<()>();
    let (route, server) = server(move |listener| {
        let mut peer = listener.accept();
        peer.line("220 mx");
        peer.expect("EHLO");
        peer.send("250-mx\r\n250-PIPELINING\r\n250 CHUNKING\r\n");
        peer.expect("MAIL");
        peer.expect("RCPT");
        peer.send("250 ok\r\n250 ok\r\n");
        told.recv().unwrap();
    });
    let report = Client::new(config()).deliver(&sender(), &one(&route), &large()).await;
    assert!(is_deferred(&report.recipients[0].outcome, false), "{report:?}");
    tell.send(()).unwrap();
    server.join().unwrap();
}

/// Success that is said of a chunk before it is complete is success of nothing.
#[tokio::test]
async fn success_said_before_the_last_chunk_is_no_success() {
    for early in
        ["250 ok\r\n250 taken\r\n", "354 go\r\n", "250 ok\r\n250 ok\r\n250 ok\r\n250 ok\r\n"]
    {
        let (outcome, ()) = chunked(patient(), "", sender(), &large(), move |peer| {
            peer.expect("BDAT");
            let _ = peer.try_send(early);
            while peer.read_line().is_some() {}
        })
        .await;
        assert!(!outcome.is_delivered(), "{early:?}: {outcome}");
    }
}
