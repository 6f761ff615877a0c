//! Peers that leave early, in each phase: nothing of a message stays, and the server goes on.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use smtp_proto::server::Verdict;
use smtp_proto::wire::{Rcpt, Refusal};
use smtp_server::discard::{Discard, DiscardSink};
use smtp_server::{Admission, ConnectionPolicy, Context, Handler, HandlerSession, Peer};

use super::common::{Running, clear, config, start};

/// A handler for servers that nobody talks to.
pub(crate) struct Nobody;

impl Handler for Nobody {
    type Session = Self;

    fn connect(&self, _: &Peer<'_>) -> Admission<Self> {
        Admission::Refuse
    }
}

impl HandlerSession for Nobody {
    type Sink = DiscardSink;

    async fn rcpt(&mut self, _: &Context<'_>, _: Rcpt<'_>) -> Verdict {
        Verdict::Accept
    }

    async fn data(&mut self, _: &Context<'_>) -> Result<DiscardSink, Refusal> {
        Ok(Discard::default().sink())
    }
}

fn still_serves(running: &Running) {
    running.greeted().ask("QUIT", "221");
}

#[test]
fn before_and_between_commands() {
    let running = start(clear());
    drop(running.connect());
    running.connect().reset();
    let mut peer = running.greeted();
    peer.half_close();
    peer.expect_end();
    let mut peer = running.greeted();
    peer.send("MAIL FR").half_close();
    peer.expect_end();
    running.greeted().reset();
    still_serves(&running);
}

#[test]
fn what_was_sent_before_the_end_is_still_answered() {
    let running = start(clear());
    let mut peer = running.connect();
    peer.expect_reply("220");
    peer.send("EHLO a.example\r\nNOOP\r\nQUIT\r\n").half_close();
    for code in ["250", "250", "221"] {
        peer.expect_reply(code);
    }
    peer.expect_end();
}

#[test]
fn in_a_transaction_the_handler_is_told() {
    let running = start(clear());
    let mut peer = running.greeted();
    peer.ask("MAIL FROM:<s@a.example>", "250");
    drop(peer);
    running.until("reset", |running| running.wishes.resets.load(Ordering::SeqCst) == 1);
    still_serves(&running);
}

#[test]
fn in_a_message_at_every_octet_of_its_end() {
    let running = start(clear());
    let ends = ["", "text", "text\r", "text\r\n", "text\r\n.", "text\r\n.\r"];
    for (n, end) in ends.into_iter().enumerate() {
        let mut peer = running.in_data();
        peer.send(end).half_close();
        peer.expect_end();
        running.until("the sink is dropped", |running| {
            running.wishes.dropped.load(Ordering::SeqCst) == n + 1
        });
    }
    running.in_data().reset();
    let mut peer = running.in_data();
    peer.send("x\r\n".repeat(100_000));
    peer.reset();
    running.until("all sinks are dropped", |running| {
        running.wishes.dropped.load(Ordering::SeqCst) == ends.len() + 2
    });
    running.nothing_is_kept();
    still_serves(&running);
}

#[test]
fn a_peer_that_leaves_behind_the_final_dot_left_its_message() {
    let running = start(clear());
    let mut peer = running.in_data();
    peer.send("text\r\n.\r\n");
    drop(peer);
    running.until("the message is kept", |running| running.messages().len() == 1);
}

#[test]
fn a_panic_of_the_handler_ends_one_connection() {
    let running = start(clear());
    let mut peer = running.greeted();
    peer.ask("MAIL FROM:<s@a.example>", "250");
    peer.line("RCPT TO:<panic@b.example>");
    peer.expect_end();
    still_serves(&running);
}

#[test]
fn a_refusal_is_read_although_more_was_sent_than_is_taken() {
    // A peer in the middle of a large write must find the reason, and no reset before it.
    let running = start(clear());
    let mut peer = running.greeted();
    peer.send(format!("NOOP\n{}", "x".repeat(20_000)));
    for _ in 0..5 {
        std::thread::sleep(Duration::from_millis(50));
        peer.send("x".repeat(1000));
    }
    peer.expect_reply("550 5.5.2");
    peer.half_close();
    peer.expect_end();
}

#[test]
fn a_message_beyond_what_is_read_of_it_finds_the_reason() {
    // All that was under way when the session ended, and a peer's buffers hold megabytes.
    let mut smtp = config();
    smtp.max_message_size = Some(1000);
    smtp.max_refused_octets = Some(100_000);
    let running = start(ConnectionPolicy::new(Arc::new(smtp)));
    let mut peer = running.in_data();
    let piece = "x".repeat(70).repeat(15_000);
    for _ in 0..8 {
        peer.send(&piece);
        std::thread::sleep(Duration::from_millis(20));
    }
    peer.expect_reply("552 5.3.4");
    peer.half_close();
    peer.expect_end();
    running.nothing_is_kept();
}
