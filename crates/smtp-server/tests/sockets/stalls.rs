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
