//! A greeting that is held back: who waits for it is served, who does not is not.

use std::sync::Arc;
use std::time::{Duration, Instant};

use smtp_server::{ConnectionPolicy, Drained};

use super::common::{Running, config, start};

const DELAY: Duration = Duration::from_millis(400);

fn slow(delay: Duration) -> Running {
    let mut config = config();
    config.greeting_delay = Some(delay);
    // The silence of a peer is no matter before it was greeted.
    start(ConnectionPolicy::new(Arc::new(config)).with_idle_timeout(DELAY / 2))
}

#[test]
fn who_waits_is_greeted_in_time() {
    let running = slow(DELAY);
    let since = Instant::now();
    let mut peer = running.connect();
    peer.expect_reply("220 mx.example ESMTP");
    assert!(since.elapsed() >= DELAY && since.elapsed() < DELAY * 20, "{:?}", since.elapsed());
    peer.ask("EHLO a.example", "250");
    peer.ask("QUIT", "221");
}

#[test]
fn who_speaks_first_is_refused_at_once() {
    let running = slow(Duration::from_secs(600));
    for early in ["EHLO a.example\r\n", "E", "\r\n"] {
        let mut peer = running.connect();
        peer.send(early);
        peer.expect_reply("554 5.5.0");
        peer.expect_end();
    }
}

#[test]
fn who_leaves_or_is_sent_away_is_not_waited_for() {
    let mut running = slow(Duration::from_secs(600));
    drop(running.connect());
    let mut peer = running.connect();
    peer.expect_silence(DELAY);
    running.tell_to_stop();
    peer.expect_reply("421 4.3.2");
    peer.expect_end();
    assert_eq!(running.drained(), Drained { finished: 1, cut: 0 });
}
