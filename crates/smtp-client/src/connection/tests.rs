//! What no server can show from outside: what waits to be written, and how a connection is left.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::thread;
use std::time::Duration;

use smtp_proto::wire::{ClientName, ForwardPath, ReversePath};
use socket2::SockRef;
use tokio::time::Instant;

use super::*;

/// The two ends of a TCP connection, with buffers as small as the system makes them.
async fn narrow() -> (TcpStream, std::net::TcpStream) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    SockRef::from(&listener).set_recv_buffer_size(1).unwrap();
    let near = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    SockRef::from(&near).set_send_buffer_size(1).unwrap();
    (near, listener.accept().unwrap().0)
}

fn config() -> Config {
    Config::new(ClientName::parse("client.example.org").unwrap())
}

/// A server that answers each read with the next reply, and then waits for the end.
fn lock_step(
    mut far: std::net::TcpStream,
    replies: &'static [&'static str],
) -> thread::JoinHandle<()> {
    thread::spawn(move || {
        let mut octets = [0; 4096];
        for (at, reply) in replies.iter().enumerate() {
            if at > 0 && far.read(&mut octets).unwrap() == 0 {
                return;
            }
            far.write_all(reply.as_bytes()).unwrap();
        }
        while matches!(far.read(&mut octets), Ok(octets) if octets > 0) {}
    })
}

fn envelope() -> Envelope {
    Envelope::new(&ReversePath::parse("a@example.org").unwrap())
        .to(&ForwardPath::parse("b@example.org").unwrap())
}

#[tokio::test]
async fn a_message_given_up_on_its_way_ends_the_connections_use() {
    let (near, far) = narrow().await;
    // The last reply is missing: the message waits for it.
    let server = lock_step(far, &["220 mx\r\n", "250 mx\r\n", "250 a\r\n"]);
    let open = Connection::open(near, "mx", &config(), ClientPolicy::plaintext(), None, None).await;
    let Ok(mut connection) = open else { panic!("the connection is not open") };
    assert!(connection.is_open());
    let message = Message::from_bytes("one\n");
    let given_up = timeout(Duration::from_millis(50), connection.send(envelope(), &message));
    assert!(given_up.await.is_err());
    assert!(!connection.is_open());
    let outcomes = connection.send(envelope(), &message).await;
    assert_eq!(
        outcomes[0].to_string(),
        "deferred 451 4.3.0 an earlier message was given up while it was sent"
    );
    connection.quit().await;
    server.join().unwrap();
}

#[tokio::test]
async fn a_time_without_end_is_a_long_time() {
    let (near, far) = narrow().await;
    let server = lock_step(far, &["220 mx\r\n", "250 mx\r\n"]);
    let mut config = config();
    config.timeouts.remote = Some(Duration::MAX);
    config.timeouts.handshake = Duration::MAX;
    let open = Connection::open(near, "mx", &config, ClientPolicy::plaintext(), None, None).await;
    assert!(open.is_ok_and(|connection| connection.is_open()));
    server.join().unwrap();
}

#[tokio::test]
async fn a_220_that_comes_before_starttls_is_written_is_not_believed() {
    let (near, far) = narrow().await;
    let server = lock_step(far, &["220 mx\r\n", "250-mx\r\n250 STARTTLS\r\n", "220 go\r\n"]);
    let policy = ClientPolicy::required();
    let mut connection = Connection::new(near, &config(), policy);
    assert!(matches!(connection.advance().await, Stop::StartTls));
    connection.link.pending.extend_from_slice(b"STARTTLS\r\n");
    let secured = connection.secure("mx", None).await;
    let Err(Attempt::Failed(error)) = secured else { panic!("it went on") };
    assert!(matches!(&error.reason, Reason::Session(failure) if *failure == injected()));
    drop(connection);
    server.join().unwrap();
}

#[tokio::test]
async fn what_a_slow_server_has_not_read_is_not_piled_up() {
    let (near, mut far) = narrow().await;
    let server = thread::spawn(move || {
        far.write_all(b"220 mx\r\n").unwrap();
        let mut octets = [0; 4096];
        for reply in ["250 mx\r\n", "250 a\r\n", "250 b\r\n", "354 go\r\n"] {
            assert!(far.read(&mut octets).unwrap() > 0);
            far.write_all(reply.as_bytes()).unwrap();
        }
        let mut last = Vec::new();
        while !last.ends_with(b"\r\n.\r\n") {
            let read = far.read(&mut octets).unwrap();
            last.drain(..last.len().saturating_sub(4));
            last.extend_from_slice(&octets[..read]);
        }
        far.write_all(b"250 taken\r\n").unwrap();
    });
    let open = Connection::open(near, "mx", &config(), ClientPolicy::plaintext(), None, None).await;
    let Ok(mut connection) = open else { panic!("the connection is not open") };
    let message = Message::from_bytes(vec![b'x'; 4 * 1024 * 1024]);
    let outcomes = connection.send(envelope(), &message).await;
    assert!(outcomes[0].is_delivered(), "{}", outcomes[0]);
    server.join().unwrap();
    // A Vec never shrinks by itself: what it has room for is the most that waited in it.
    let peak = connection.link.pending.capacity();
    assert!(peak <= 4 * HIGH_WATER, "{peak} octets waited");
}

#[tokio::test]
async fn octets_behind_a_220_that_was_read_are_seen_though_the_runtime_knows_of_none() {
    let (near, mut far) = narrow().await;
    let server = lock_step(
        far.try_clone().unwrap(),
        &["220 mx\r\n", "250-mx\r\n250 STARTTLS\r\n", "220 go\r\n"],
    );
    let mut connection = Connection::new(near, &config(), ClientPolicy::required());
    assert!(matches!(connection.advance().await, Stop::StartTls));
    assert!(!connection.link.transport.has_octets());
    far.write_all(b"2").unwrap();
    // The runtime is kept from looking at the socket, which may take its time on a busy machine.
    let deadline = Instant::now() + Duration::from_secs(10);
    while !connection.link.transport.has_octets() {
        assert!(Instant::now() < deadline, "the octet is not seen");
        thread::sleep(Duration::from_millis(1));
    }
    let secured = connection.secure("mx", None).await;
    let Err(Attempt::Failed(error)) = secured else { panic!("it went on") };
    assert!(matches!(&error.reason, Reason::Session(failure) if *failure == injected()));
    drop(connection);
    server.join().unwrap();
}

#[test]
fn recipients_that_fail_together_share_one_reason() {
    let failure = |phase| Failure { phase, cause: Cause::TimedOut, reply: None };
    let deferred = |phase| client::Outcome::Deferred {
        failure: failure(phase),
        may_have_been_accepted: false,
    };
    let outcomes = [Phase::Rcpt, Phase::FinalDot, Phase::FinalDot].map(deferred);
    let reasons: Vec<_> = report(outcomes.into(), None)
        .into_iter()
        .map(|outcome| match outcome {
            Outcome::Deferred { reason, .. } => reason,
            other => panic!("{other}"),
        })
        .collect();
    assert!(matches!(&*reasons[0], Reason::Session(same) if *same == failure(Phase::Rcpt)));
    assert!(matches!(&*reasons[1], Reason::Session(same) if *same == failure(Phase::FinalDot)));
    assert!(Arc::ptr_eq(&reasons[1], &reasons[2]));
}

/// A message that fits one chunk, waits whole with its end, and is more than narrow sockets hold.
const WIDE: usize = 30 * 1024;

/// What a server hears that speaks too early.
struct Early {
    outcomes: Vec<Outcome>,
    open: bool,
    heard: Vec<u8>,
}

/// Sends a message to a server that reads little of it before it says `early`, and all of it before
/// it says `late`, if the client sends it.
async fn spoken_early(offer: &'static str, early: &'static str, late: &'static str) -> Early {
    let (near, mut far) = narrow().await;
    let chunked = offer.contains("CHUNKING");
    let server = thread::spawn(move || {
        let mut octets = [0; 1024];
        far.write_all(b"220 mx\r\n").unwrap();
        let mut say = |reply: &str| {
            let read = far.read(&mut octets).unwrap();
            far.write_all(reply.as_bytes()).unwrap();
            octets[..read].to_vec()
        };
        say(offer);
        let mut heard = Vec::new();
        if chunked {
            heard.extend(say(early));
        } else {
            say("250 a\r\n");
            say("250 b\r\n");
            say("354 go\r\n");
            heard.extend(say(early));
        }
        // The client is to have read what was said by now.
        thread::sleep(Duration::from_millis(100));
        let mut last = [0; 4096];
        let is_end = |heard: &[u8]| match chunked {
            true => heard.len() > WIDE && heard.ends_with(b"x\r\n"),
            false => heard.ends_with(b"\r\n.\r\n"),
        };
        while !is_end(&heard) {
            match far.read(&mut last) {
                Ok(0) | Err(_) => return heard,
                Ok(read) => heard.extend_from_slice(&last[..read]),
            }
        }
        let _ = far.write_all(late.as_bytes());
        while matches!(far.read(&mut last), Ok(read) if read > 0) {}
        heard
    });
    let mut config = config();
    config.timeouts.remote = Some(Duration::from_secs(20));
    let open = Connection::open(near, "mx", &config, ClientPolicy::plaintext(), None, None).await;
    let Ok(mut connection) = open else { panic!("the connection is not open") };
    let message = Message::from_bytes(vec![b'x'; WIDE]);
    let outcomes = connection.send(envelope(), &message).await;
    let open = connection.is_open();
    drop(connection);
    Early { outcomes, open, heard: server.join().unwrap() }
}

const NO_MORE: &str = "250 mx\r\n";
const CHUNKING: &str = "250-mx\r\n250-PIPELINING\r\n250 CHUNKING\r\n";

/// Its first octet decides: the rest may follow the dot.
#[tokio::test]
async fn a_message_is_not_delivered_by_what_was_said_before_its_end_was_sent() {
    for (offer, early, late) in [
        (NO_MORE, "250 taken\r\n", ""),
        (NO_MORE, "2", "50 taken\r\n"),
        (NO_MORE, "250-taken\r\n", "250 by me\r\n"),
        (CHUNKING, "250 a\r\n250 b\r\n250 taken\r\n", ""),
        (CHUNKING, "250 a\r\n250 b\r\n2", "50 taken\r\n"),
    ] {
        let seen = spoken_early(offer, early, late).await;
        let [Outcome::Deferred { reason, may_have_been_accepted: true }] = &seen.outcomes[..]
        else {
            panic!("{early:?}: {:?}", seen.outcomes);
        };
        let Reason::Session(failure) = &**reason else { panic!("{early:?}: {reason:?}") };
        let premature = Cause::Misbehaved(ServerMisbehaved::PrematureReply);
        assert_eq!(failure.cause, premature, "{early:?}");
        assert!(!seen.open, "{early:?}");
        if late.is_empty() {
            assert!(seen.heard.len() < WIDE, "{early:?}: the message went on to its end");
        }
    }
}

#[tokio::test]
async fn a_message_is_delivered_by_what_is_said_when_its_end_was_sent() {
    for (offer, early) in [(NO_MORE, ""), (CHUNKING, "250 a\r\n250 b\r\n")] {
        let seen = spoken_early(offer, early, "250 taken\r\n").await;
        assert!(seen.outcomes[0].is_delivered(), "{early:?}: {:?}", seen.outcomes);
        assert!(seen.open && seen.heard.len() > WIDE);
    }
}

/// A refusal needs no end. Behind one of a chunk the server and the client still agree on where the
/// next command begins; behind one of lines they may not.
#[tokio::test]
async fn a_message_may_be_refused_before_its_end_was_sent() {
    for (offer, early, open) in
        [(NO_MORE, "554 big\r\n", false), (CHUNKING, "250 a\r\n250 b\r\n554 big\r\n", true)]
    {
        let seen = spoken_early(offer, early, "").await;
        assert_eq!(seen.outcomes[0].to_string(), "rejected 554 big");
        assert_eq!(seen.open, open, "{early:?}");
    }
}

/// The room for input is full as long as nobody takes replies from it.
#[tokio::test]
async fn a_server_that_says_more_than_there_is_room_for_has_not_ended() {
    let (near, mut far) = narrow().await;
    let server = thread::spawn(move || {
        // Closing this half or the other would end the input.
        let mut near = far.try_clone().unwrap();
        let flood = thread::spawn(move || near.write_all(&b"250 ok\r\n".repeat(16 * 1024)));
        thread::sleep(Duration::from_millis(100));
        let mut octets = vec![0; WIDE];
        far.read_exact(&mut octets).unwrap();
        (far, flood)
    });
    let mut connection = Connection::new(near, &config(), ClientPolicy::plaintext());
    connection.link.pending = vec![b'x'; WIDE];
    while !connection.link.pending.is_empty() {
        connection.exchange(Phase::Greeting).await;
        assert!(!connection.has_failed(), "{:?}", connection.failure(Phase::Greeting));
    }
    assert!(connection.session.input().is_empty());
    let (far, flood) = server.join().unwrap();
    drop((connection, far));
    let _ = flood.join().unwrap();
}
