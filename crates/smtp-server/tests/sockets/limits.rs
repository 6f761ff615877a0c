//! The cap on connections, refused peers, and the drain.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use smtp_server::Drained;
use tokio::sync::Semaphore;

use super::common::{Wishes, clear, start_with};

const LONG: Duration = Duration::from_secs(20);

#[test]
fn one_connection_over_the_cap_is_told_and_closed() {
    let running = start_with(clear(), 2, LONG, Wishes::default());
    let (mut one, two) = (running.greeted(), running.greeted());
    for _ in 0..20 {
        let mut excess = running.connect();
        excess.expect_reply("421 4.3.2");
        excess.expect_end();
    }
    one.ask("NOOP", "250");
    drop(two);
    running.until("the place is free again", |running| {
        running.connect().read_line().is_some_and(|line| line.starts_with(b"220"))
    });
}

#[test]
fn a_refused_peer_hears_nothing() {
    let running = start_with(clear(), 2, LONG, Wishes { refuse: true, ..Wishes::default() });
    for _ in 0..5 {
        running.connect().expect_end();
    }
}

#[test]
fn a_drain_ends_idle_sessions_and_lets_a_message_finish() {
    let mut running = start_with(clear(), 100, LONG, Wishes::default());
    let (mut idle, mut busy) = (running.greeted(), running.in_data());
    busy.line("text");
    running.until("the sink has the text", |running| {
        running.wishes.written.load(Ordering::SeqCst) > 0
    });
    running.tell_to_stop();
    idle.expect_reply("421 4.3.2");
    idle.expect_end();
    // One that comes before the listener is closed may be taken yet.
    let mut late = 0;
    running.until("nothing more is accepted", |running| {
        let refused = std::net::TcpStream::connect(running.address).is_err();
        late += usize::from(!refused);
        refused
    });
    busy.ask(".", "250");
    busy.expect_reply("421 4.3.2");
    busy.expect_end();
    drop((idle, busy));
    let Drained { finished, cut, .. } = running.drained();
    assert!((2..=2 + late).contains(&finished) && cut == 0, "{finished} {cut} {late}");
    assert_eq!(running.messages().len(), 1);
}

#[test]
fn what_is_open_at_the_deadline_is_cut_and_not_kept() {
    let drain = Duration::from_millis(500);
    let mut running = start_with(clear(), 100, drain, Wishes::default());
    let (mut slow, mut stuck) = (running.in_data(), running.greeted());
    // Of one message a part is on the disk when the deadline comes.
    let mut large = running.in_data();
    large.send("many lines\r\n".repeat(20_000));
    running.until("the message has a file", |running| running.files("tmp").len() == 1);
    slow.send("text\r\n");
    stuck.ask("MAIL FROM:<s@a.example>", "250");
    stuck.line("RCPT TO:<stall@b.example>");
    running.until("the sinks have the text, and the handler the question", |running| {
        running.wishes.written.load(Ordering::SeqCst) == 20_000 * 12 + 6
            && running.wishes.stalled.load(Ordering::SeqCst) == 1
    });
    let since = Instant::now();
    running.tell_to_stop();
    assert_eq!(running.drained(), Drained { finished: 0, cut: 3 });
    assert!(since.elapsed() < LONG);
    slow.expect_end();
    large.expect_end();
    stuck.expect_end();
    running.nothing_is_kept();
    assert_eq!(running.wishes.dropped.load(Ordering::SeqCst), 2);
}

#[test]
fn a_commit_that_is_under_way_is_waited_for() {
    let wishes = Wishes { commits: Semaphore::new(0), ..Wishes::default() };
    let mut running = start_with(clear(), 100, LONG, wishes);
    let mut peer = running.in_data();
    peer.line("text").line(".");
    running.until("the sink has the text", |running| {
        running.wishes.written.load(Ordering::SeqCst) > 0
    });
    running.tell_to_stop();
    peer.expect_silence(Duration::from_millis(200));
    running.wishes.commits.add_permits(1);
    peer.expect_reply("250");
    peer.expect_reply("421 4.3.2");
    drop(peer);
    assert_eq!(running.drained(), Drained { finished: 1, cut: 0 });
    assert_eq!(running.messages().len(), 1);
}
