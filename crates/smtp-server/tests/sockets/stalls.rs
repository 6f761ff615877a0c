//! Peers that fall silent, in each phase: they are let go in time, and told so where they can be.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use smtp_server::ConnectionPolicy;
use smtp_testkit::peer::Peer;
use tokio::sync::Semaphore;

use super::common::{Wishes, clear, config, start, start_with};

const IDLE: Duration = Duration::from_millis(400);

fn hasty() -> ConnectionPolicy {
    clear().with_idle_timeout(IDLE)
}

/// The server waits for at least the time it was given, and not for much longer.
fn told_in_time(peer: &mut Peer, since: Instant) {
    peer.expect_reply("421 4.4.2");
    peer.half_close();
    peer.expect_end();
    let took = since.elapsed();
    assert!(took >= IDLE / 2 && took < IDLE * 20, "{took:?}");
}

#[test]
fn before_the_first_command() {
    let running = start(hasty());
    let since = Instant::now();
    let mut peer = running.connect();
    peer.expect_reply("220");
    told_in_time(&mut peer, since);
}

#[test]
fn in_a_command_and_octets_that_trickle_buy_no_time() {
    let idle = Duration::from_secs(1);
    let running = start(clear().with_idle_timeout(idle));
    let mut peer = running.greeted();
    let since = Instant::now();
    while since.elapsed() < idle * 2 {
        // It may be closed already: that is what is waited for.
        let _ = peer.try_send("x");
        std::thread::sleep(idle / 20);
    }
    peer.expect_reply("421 4.4.2");
    assert!(since.elapsed() < idle * 5 / 2, "each octet bought time: {:?}", since.elapsed());
}

#[test]
fn in_a_transaction() {
    let running = start(hasty());
    let mut peer = running.greeted();
    let since = Instant::now();
    peer.ask("MAIL FROM:<s@a.example>", "250");
    told_in_time(&mut peer, since);
    assert_eq!(running.wishes.resets.load(Ordering::SeqCst), 1);
}

#[test]
fn in_a_message() {
    let running = start(hasty());
    let mut peer = running.in_data();
    let since = Instant::now();
    peer.send("text\r\n");
    told_in_time(&mut peer, since);
    running.nothing_is_kept();
    assert_eq!(running.wishes.dropped.load(Ordering::SeqCst), 1);
}

#[test]
fn a_message_that_moves_on_is_not_cut() {
    let running = start(hasty());
    let mut peer = running.in_data();
    for _ in 0..6 {
        std::thread::sleep(IDLE / 2);
        peer.line("text");
    }
    peer.ask(".", "250");
}

#[test]
fn a_slow_sink_is_not_the_peer_s_silence() {
    let wishes = Wishes { commits: Semaphore::new(0), ..Wishes::default() };
    let running = start_with(hasty(), 100, Duration::from_secs(20), wishes);
    let mut peer = running.in_data();
    peer.line("text").line(".");
    peer.expect_silence(IDLE * 2);
    running.wishes.commits.add_permits(1);
    peer.expect_reply("250");
}

#[test]
fn a_peer_that_reads_nothing_is_let_go() {
    let mut patient = config();
    patient.max_junk = u32::MAX;
    let policy = ConnectionPolicy::new(Arc::new(patient)).with_idle_timeout(IDLE);
    let running = start_with(policy, 1, Duration::from_secs(20), Wishes::default());
    let mut deaf = running.connect();
    // Far more replies than the sockets' buffers hold.
    let group = "NOOP\r\n".repeat(10_000);
    let since = Instant::now();
    while since.elapsed() < Duration::from_secs(15) && deaf.try_send(&group).is_ok() {}
    assert!(since.elapsed() < Duration::from_secs(15), "it was never let go");
    running.until("its place is free", |running| {
        running.connect().read_line().is_some_and(|line| line.starts_with(b"220"))
    });
}

#[test]
fn nothing_is_read_ahead_of_a_sink() {
    let wishes = Wishes { writes: Semaphore::new(0), ..Wishes::default() };
    let running = start_with(clear(), 100, Duration::from_secs(20), wishes);
    let mut peer = running.in_data();
    let stream = {
        peer.send("x\r\n");
        peer.into_stream()
    };
    // The sink takes nothing: the socket's buffers fill up, and then the peer has to wait.
    stream.set_write_timeout(Some(Duration::from_secs(1))).unwrap();
    let block = [b'x'; 64 * 1024];
    let mut sent = 0_usize;
    while let Ok(n) = std::io::Write::write(&mut &stream, &block) {
        sent += n;
        assert!(sent < 64 * 1024 * 1024, "the server reads although its sink does not");
    }
    assert_eq!(running.wishes.written.load(Ordering::SeqCst), 0);
}

/// What a peer may keep the server waiting in all is one sum, whatever it waits for.
const PATIENCE: Duration = Duration::from_secs(1);

fn tired() -> ConnectionPolicy {
    let mut config = config();
    config.max_message_size = Some(10);
    config.capabilities.insert(smtp_proto::wire::Capability::Chunking);
    ConnectionPolicy::new(Arc::new(config)).with_idle_timeout(PATIENCE).with_patience(PATIENCE)
}

/// Sends `text` again and again, never idle for long, until it is told to leave.
fn dawdle(mut peer: Peer, text: &str) {
    let since = Instant::now();
    while since.elapsed() < PATIENCE * 3 / 2 && peer.try_send(text).is_ok() {
        std::thread::sleep(PATIENCE / 10);
    }
    let took = loop {
        let line = peer.read_line().expect("421 before the end");
        if line.starts_with(b"421 4.4.2") {
            break since.elapsed();
        }
        assert!(line.starts_with(b"2"), "{}", String::from_utf8_lossy(&line));
    };
    // Silence alone would be told later: by a whole idle timeout behind the last octet.
    assert!(took >= PATIENCE && took < PATIENCE * 23 / 10, "{took:?}");
}

#[test]
fn a_refused_message_that_trickles_ends_in_time() {
    let running = start(tired());
    let mut data = running.in_data();
    data.send("far more than ten octets\r\n");
    let mut chunk = running.greeted();
    chunk.send("BDAT 1000000 LAST\r\n");
    std::thread::scope(|scope| {
        scope.spawn(|| dawdle(data, "x\r\n"));
        scope.spawn(|| dawdle(chunk, "x"));
    });
    running.nothing_is_kept();
}

#[test]
fn commands_that_move_nothing_end_in_time() {
    let running = start(tired());
    let (idle, mut chunks) = (running.greeted(), running.greeted());
    chunks.ask("MAIL FROM:<s@a.example>", "250");
    chunks.ask("RCPT TO:<s@a.example>", "250");
    std::thread::scope(|scope| {
        scope.spawn(|| dawdle(idle, "NOOP\r\n"));
        scope.spawn(|| dawdle(chunks, "BDAT 0\r\n"));
    });
    assert_eq!(running.wishes.dropped.load(Ordering::SeqCst), 1);
}

/// A message that is taken has its own time, and one that was accepted gives all of it back.
#[test]
fn messages_that_are_taken_tire_nobody() {
    let policy = clear().with_idle_timeout(PATIENCE / 2).with_patience(PATIENCE);
    let running = start(policy);
    let mut peer = running.greeted();
    for lines in [12, 0, 0, 0] {
        std::thread::sleep(PATIENCE * 3 / 10);
        peer.ask("MAIL FROM:<s@a.example>", "250");
        peer.ask("RCPT TO:<r@b.example>", "250");
        peer.ask("DATA", "354");
        for _ in 0..lines {
            std::thread::sleep(PATIENCE / 10);
            peer.line("text");
        }
        peer.ask(".", "250");
    }
    peer.ask("QUIT", "221");
}
