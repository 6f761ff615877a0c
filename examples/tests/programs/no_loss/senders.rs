//! Senders that keep a server busy until it is gone, and note how far they came.

use std::net::TcpStream;
use std::thread;
use std::time::Duration;

use smtp_client::session::Envelope;
use smtp_client::tls::ClientPolicy;
use smtp_client::wire::{ClientName, ForwardPath, ReversePath};
use smtp_client::{Client, Config, Message, Outcome, Route};
use smtp_testkit::peer::Peer;

use super::ledger::{Ledger, Progress, Random, on_the_wire};

pub(super) const GROUP: &str = "MAIL FROM:<a@example.org>\r\nRCPT TO:<b@example.org>\r\nDATA\r\n";

/// The server has gone, or says goodbye.
#[derive(Debug)]
pub(super) struct Gone;

/// Connects and says EHLO.
pub(super) fn greeted(port: u16) -> Result<Peer, Gone> {
    let stream = TcpStream::connect(("127.0.0.1", port)).map_err(|_| Gone)?;
    let mut peer = Peer::from_stream(stream);
    hear(&mut peer, "220")?;
    send(&mut peer, b"EHLO client.example.net\r\n")?;
    hear(&mut peer, "250")?;
    Ok(peer)
}

pub(super) fn send(peer: &mut Peer, octets: &[u8]) -> Result<(), Gone> {
    peer.try_send(octets).map_err(|_| Gone)
}

/// Reads one whole reply with this code; 421 is a goodbye, and another code fails the test.
pub(super) fn hear(peer: &mut Peer, code: &str) -> Result<(), Gone> {
    loop {
        let line = peer.read_line().ok_or(Gone)?;
        // Half a line is no answer.
        let Some(line) = line.strip_suffix(b"\r\n") else { return Err(Gone) };
        if line.starts_with(b"421") {
            return Err(Gone);
        }
        let shown = String::from_utf8_lossy(line);
        assert!(line.starts_with(code.as_bytes()), "expected {code}, got {shown:?}");
        if line.get(3) != Some(&b'-') {
            return Ok(());
        }
    }
}

/// Sends message after message over connections in clear, until the server is gone.
pub(super) fn in_clear(port: u16, name: &str, mut random: Random, ledger: &Ledger) {
    let mut number = 0;
    while let Ok(mut peer) = greeted(port) {
        if one_connection(&mut peer, name, &mut number, &mut random, ledger).is_err() {
            return;
        }
    }
}

fn one_connection(
    peer: &mut Peer,
    name: &str,
    number: &mut usize,
    random: &mut Random,
    ledger: &Ledger,
) -> Result<(), Gone> {
    let messages = 1 + random.below(8);
    send(peer, GROUP.as_bytes())?;
    for left in (0..messages).rev() {
        for code in ["250", "250", "354"] {
            hear(peer, code)?;
        }
        let id = format!("{name}.{number}");
        *number += 1;
        let mut octets = on_the_wire(&ledger.begin(&id, random.size()));
        let next = if left > 0 { GROUP } else { "QUIT\r\n" };
        // The next group stands behind the final dot, in one segment with it, or comes later.
        let together = random.once_in(2);
        if together {
            octets.extend_from_slice(next.as_bytes());
        }
        // In pieces; the last one begins before the final dot.
        let last = octets.len() - octets.len().min(1 + random.below(2_000) + 3 + next.len());
        for piece in octets[..last].chunks(1 + random.below(100_000)) {
            send(peer, piece)?;
            if random.once_in(4) {
                thread::sleep(Duration::from_micros(random.number() % 3_000));
            }
        }
        ledger.note(&id, Progress::InDoubt);
        send(peer, &octets[last..])?;
        hear(peer, "250")?;
        ledger.note(&id, Progress::Accepted);
        if !together {
            send(peer, next.as_bytes())?;
        }
    }
    hear(peer, "221")
}

/// The same through the client library, under TLS.
pub(super) fn under_tls(
    port: u16,
    implicit: bool,
    backend: &str,
    name: &str,
    mut random: Random,
    ledger: &Ledger,
) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut config = Config::new(ClientName::parse("client.example.net").unwrap());
    config.backend = Some(backend.parse().unwrap());
    let client = Client::new(config);
    let policy = ClientPolicy { implicit, ..ClientPolicy::required() };
    let route = Route::new("127.0.0.1", port);
    let envelope = Envelope::new(&ReversePath::parse("a@example.org").unwrap())
        .to(&ForwardPath::parse("b@example.org").unwrap());
    let mut number = 0;
    runtime.block_on(async {
        while let Ok(mut connection) = client.open(&route, &policy).await {
            for _ in 0..=random.below(8) {
                let id = format!("{name}.{number}");
                number += 1;
                let message = Message::from_bytes(ledger.begin(&id, random.size()).into_bytes());
                let outcome = connection.send(envelope.clone(), &message).await.remove(0);
                ledger.note(
                    &id,
                    match outcome {
                        Outcome::Delivered { .. } => Progress::Accepted,
                        Outcome::Deferred { may_have_been_accepted: true, .. } => Progress::InDoubt,
                        Outcome::Deferred { .. } => Progress::Open,
                        Outcome::Rejected(_) => panic!("{id}: {outcome}"),
                    },
                );
                if !connection.is_open() {
                    return;
                }
            }
            connection.quit().await;
        }
    });
}
