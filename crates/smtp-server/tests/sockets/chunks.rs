//! BDAT over a socket: whole messages are kept as they came, and of others nothing.

use std::sync::atomic::Ordering;
use std::time::Duration;

use smtp_proto::server::Config;
use smtp_proto::wire::Capability;
use smtp_server::ConnectionPolicy;

use super::common::{Running, Wishes, config, start_with};
use super::open;

fn chunking(config: &mut Config) {
    config.capabilities.insert(Capability::Chunking);
    config.capabilities.insert(Capability::BinaryMime);
}

fn start(change: impl FnOnce(&mut Config)) -> Running {
    let mut config = config();
    chunking(&mut config);
    change(&mut config);
    let policy = ConnectionPolicy::new(config.into());
    start_with(policy, 100, Duration::from_secs(20), Wishes::default())
}

const GROUP: &str = "MAIL FROM:<s@a.example>\r\nRCPT TO:<r@b.example>\r\n";

fn own_lines(running: &Running) -> Vec<String> {
    let body = |message: String| {
        let at = message.find(" -0000\n").expect("a date");
        message[at + 7..].to_owned()
    };
    running.messages().into_iter().map(body).collect()
}

#[test]
fn chunks_are_one_message_with_its_dots() {
    let running = start(|_| ());
    let mut peer = running.greeted();
    peer.send(format!("{GROUP}BDAT 9\r\n.\r\n..\r\nx\rBDAT 0\r\nBDAT 4 LAST\r\n\n.\r\nQUIT\r\n"));
    for code in ["250", "250", "250", "250", "250 2.0.0 ok", "221"] {
        peer.expect_reply(code);
    }
    assert_eq!(own_lines(&running), [".\n..\nx\n.\n"]);
}

#[test]
fn a_last_line_without_its_end_stays_without() {
    let running = start(|_| ());
    for body in ["", "Subject: x\r\n\r\nopen", "open\r", "\r\n"] {
        let mut peer = running.greeted();
        peer.send(format!("{GROUP}BDAT {}\r\n{body}BDAT 0 LAST\r\n", body.len()));
        for _ in 0..4 {
            peer.expect_reply("250");
        }
    }
    let mut kept = own_lines(&running);
    kept.sort_unstable();
    assert_eq!(kept, ["", "\n", "Subject: x\n\nopen", "open\r"]);
}

/// Cut anywhere, the message is nowhere; its sink is dropped.
#[test]
fn a_message_cut_in_or_between_chunks_is_not_kept() {
    let large = "many lines\r\n".repeat(20_000);
    let (first, whole) = (format!("BDAT {}\r\n{large}", large.len()), "BDAT 5 LAST\r\ntext");
    for (count, cut) in
        ["BDAT 5 LAST\r\n", "BDAT 5 LAST\r\ntext", "BDAT 5\r\ntext\n", "BDAT 9 L", &first, whole]
            .into_iter()
            .enumerate()
    {
        for reset in [false, true] {
            let running = start(|_| ());
            let mut peer = running.greeted();
            peer.send(format!("{GROUP}{}{cut}", if count == 5 { &first } else { "" }));
            peer.expect_reply("250");
            peer.expect_reply("250");
            if reset {
                peer.reset();
            } else {
                drop(peer);
            }
            // Where BDAT was not read yet, there is no sink to drop.
            if count != 3 {
                running.until("the sink is dropped", |running| {
                    running.wishes.dropped.load(Ordering::SeqCst) == 1
                });
            }
            running.nothing_is_kept();
        }
    }
}

/// What is refused is read to its end all the same, and what stands behind it is read as commands.
#[test]
fn octets_of_refused_chunks_are_no_commands() {
    let running = start(|config| config.max_message_size = Some(100));
    let mut peer = running.greeted();
    // Without a transaction, over the limit, and with a bare LF.
    peer.send("BDAT 6\r\nQUIT\r\nNOOP\r\n");
    peer.expect_reply("503");
    peer.expect_reply("250");
    peer.send(format!("{GROUP}BDAT 200 LAST\r\n{}NOOP\r\n", "QUIT\r\n  ".repeat(25)));
    for code in ["250", "250", "552 5.3.4", "250"] {
        peer.expect_reply(code);
    }
    peer.send(format!("{GROUP}BDAT 9\r\nx\nQUIT\r\n\nNOOP\r\n"));
    for code in ["250", "250", "550 5.5.2", "250"] {
        peer.expect_reply(code);
    }
    running.nothing_is_kept();
}

/// Sizes that no memory holds: nothing is reserved for them, and the session ends where they could
/// not be read to their end.
#[test]
fn sizes_beyond_reason() {
    for size in ["18446744073709551615", "9223372036854775808", "99999999999"] {
        let running = start(|config| config.max_message_size = Some(1_000_000));
        for (group, last) in [("", ""), (GROUP, ""), (GROUP, " LAST")] {
            let mut peer = running.greeted();
            peer.send(format!("{group}BDAT {size}{last}\r\nQUIT\r\n"));
            if !group.is_empty() {
                peer.expect_reply("250");
                peer.expect_reply("250");
            }
            peer.expect_reply(if group.is_empty() { "503" } else { "552" });
            peer.expect_end();
        }
        running.nothing_is_kept();
    }
    let running = start(|_| ());
    let mut peer = running.greeted();
    // Without a limit on messages the largest chunk is begun like any other.
    peer.send(format!("{GROUP}BDAT 18446744073709551615\r\ntext"));
    peer.expect_reply("250");
    peer.expect_reply("250");
    peer.expect_silence(Duration::from_millis(100));
    drop(peer);
    running.until("it is dropped", |it| it.wishes.dropped.load(Ordering::SeqCst) == 1);
    // Where a chunk ends that has no size, nobody knows.
    for size in ["18446744073709551616", "-1", "1e3", "", "1 FIRST"] {
        let mut peer = running.greeted();
        peer.ask(&format!("BDAT {size}"), "501");
        peer.expect_end();
    }
    running.nothing_is_kept();
}

/// A message that never comes is not waited for without end.
#[test]
fn chunks_of_nothing_are_no_way_to_stay() {
    let running = start(|_| ());
    let mut peer = running.greeted();
    peer.send(format!("{GROUP}{}", "BDAT 0\r\n".repeat(1000)));
    let mut replies = 0;
    let last = loop {
        let line = peer.read_line().expect("a last word");
        if !line.starts_with(b"250") {
            break line;
        }
        replies += 1;
    };
    assert!(last.starts_with(b"421 4.7.0") && replies < 200, "{replies} {last:?}");
    running.nothing_is_kept();
}

#[test]
fn without_chunking_there_is_no_chunk() {
    let running = open::start_with(|_| ());
    let mut peer = running.greeted();
    peer.ask("MAIL FROM:<s@a.example> BODY=BINARYMIME", "5");
    peer.ask("MAIL FROM:<s@a.example>", "250");
    peer.ask("RCPT TO:<r@b.example>", "250");
    peer.send("BDAT 6 LAST\r\nNOOP\r\n");
    peer.expect_reply("502");
    assert!(running.messages().is_empty());
}

/// A Maildir has lines: a message that has none in particular is refused at its end, for good.
#[test]
fn a_binary_message_has_no_place_in_a_maildir() {
    let running = open::start_with(chunking);
    let mut peer = running.greeted();
    for chunks in ["BDAT 4 LAST\r\na\n\0\r", "BDAT 2\r\na\nBDAT 0 LAST\r\n"] {
        peer.send(format!(
            "MAIL FROM:<s@a.example> BODY=BINARYMIME\r\nRCPT TO:<r@b.example>\r\n{chunks}"
        ));
        peer.expect_reply("250");
        peer.expect_reply("250");
        if chunks.contains("BDAT 0") {
            peer.expect_reply("250");
        }
        peer.expect_reply("554 5.6.3");
    }
    // And the next one is not binary any more.
    peer.send(format!("{GROUP}BDAT 3 LAST\r\na\r\n"));
    for _ in 0..3 {
        peer.expect_reply("250");
    }
    assert_eq!(own_lines(&running), ["a\n"]);
}
