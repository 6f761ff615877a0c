//! Messages in chunks, beyond what one chunk holds; LMTP, wherever it ends.

use smtp_proto::client::{Cause, Outcome, Rejection};
use smtp_proto::limits::{BODY_CHUNK, PIPELINE_CHUNKS};
use smtp_testkit::transcript::Side;

use crate::driver::{Driver, Plan};

const GREETING: &[u8] = b"220 mx\r\n";
const LOCK_STEP: &[u8] = b"250-mx\r\n250 CHUNKING\r\n";
const PIPELINING: &[u8] = b"250-mx\r\n250-CHUNKING\r\n250 PIPELINING\r\n";

/// Lines with dots, of `octets` octets with CRLF.
fn message(octets: usize) -> Vec<u8> {
    b".a line of text and .\r\n..\r\n.\r\n"
        .iter()
        .copied()
        .cycle()
        .take(octets - 2)
        .chain(*b"\r\n")
        .collect()
}

/// A driver that has said MAIL, and RCPT with it under PIPELINING.
fn begun(offer: &[u8], plan: Plan) -> Driver {
    let mut driver = Driver::new(plan);
    driver.feed(GREETING);
    driver.take_output();
    driver.feed(offer);
    driver
}

/// What a server reads: whole commands, and with BDAT its octets.
#[derive(Debug, PartialEq, Eq)]
enum Said {
    Line(String),
    Chunk { octets: Vec<u8>, last: bool },
}

fn read(mut octets: &[u8]) -> Vec<Said> {
    let mut said = Vec::new();
    while !octets.is_empty() {
        let end = octets.windows(2).position(|two| two == b"\r\n").expect("a whole line");
        let line = String::from_utf8(octets[..end].to_vec()).unwrap();
        octets = &octets[end + 2..];
        match line.strip_prefix("BDAT ") {
            None => said.push(Said::Line(line)),
            Some(argument) => {
                let last = argument.ends_with(" LAST");
                let size: usize = argument.trim_end_matches(" LAST").parse().unwrap();
                said.push(Said::Chunk { octets: octets[..size].to_vec(), last });
                octets = &octets[size..];
            }
        }
    }
    said
}

#[test]
fn a_message_of_any_size_arrives_whole_whatever_the_pieces() {
    for size in [2, BODY_CHUNK - 1, BODY_CHUNK, BODY_CHUNK + 1, 5 * BODY_CHUNK + 7] {
        for piece in [1000, BODY_CHUNK - 1, BODY_CHUNK, usize::MAX] {
            for offer in [LOCK_STEP, PIPELINING] {
                let text = message(size);
                let mut driver =
                    begun(offer, Plan { body: text.clone(), piece, ..Plan::default() });
                let (mut arrived, mut ended) = (Vec::new(), false);
                while driver.outcomes.is_empty() {
                    let said = read(&driver.take_output());
                    assert!(!said.is_empty(), "neither side says anything");
                    if offer == LOCK_STEP {
                        assert_eq!(said.len(), 1, "{size} {piece}");
                    }
                    for command in said {
                        if let Said::Chunk { octets, last } = command {
                            assert!(!ended, "{size} {piece}");
                            assert!(last || octets.len() >= BODY_CHUNK, "{size} {piece}");
                            arrived.extend(octets);
                            ended = last;
                        }
                        driver.feed(b"250 ok\r\n");
                    }
                }
                assert!(ended && arrived == text, "{size} {piece}");
                assert!(matches!(driver.outcomes[0][0], Outcome::Delivered { .. }));
            }
        }
    }
}

#[test]
fn a_small_message_goes_with_its_recipients_and_a_large_one_waits_for_them() {
    let small = Plan { body: message(BODY_CHUNK - 1), ..Plan::default() };
    let said = read(&begun(PIPELINING, small).take_output());
    assert!(matches!(said.last(), Some(Said::Chunk { last: true, .. })));
    let large = Plan { body: message(BODY_CHUNK), ..Plan::default() };
    let said = read(&begun(PIPELINING, large).take_output());
    assert_eq!(said.len(), 2);
    assert!(said.iter().all(|said| matches!(said, Said::Line(_))));
}

/// A driver with as many chunks under way as it may have, of a message that has more.
fn full_window(messages: usize) -> Driver {
    // Whole lines fill a chunk: no CR is held back at its end.
    let line = b"a line of thirty-two octets...\r\n";
    assert_eq!(BODY_CHUNK % line.len(), 0);
    let body = line.repeat((PIPELINE_CHUNKS + 4) * BODY_CHUNK / line.len());
    let mut driver = begun(PIPELINING, Plan { body, messages, ..Plan::default() });
    assert_eq!(read(&driver.take_output()).len(), 2);
    driver.feed(b"250 ok\r\n250 ok\r\n");
    let said = read(&driver.take_output());
    assert_eq!(said.len(), PIPELINE_CHUNKS);
    assert!(said.iter().all(|said| matches!(said, Said::Chunk { last: false, .. })));
    driver
}

#[test]
fn unanswered_chunks_are_bounded_and_each_answer_lets_one_more_go() {
    let mut driver = full_window(1);
    for _ in 0..4 {
        driver.feed(b"250 ok\r\n");
        assert_eq!(read(&driver.take_output()).len(), 1);
    }
    driver.feed(b"250 ok\r\n");
    let said = read(&driver.take_output());
    assert!(matches!(&said[..], [Said::Chunk { last: true, .. }]), "{said:?}");
}

#[test]
fn behind_a_refused_chunk_no_other_is_sent_and_reset_goes_before_the_next_message() {
    let mut driver = full_window(2);
    driver.feed(b"452 4.3.1 full\r\n");
    assert!(driver.take_output().is_empty());
    for at in 1..PIPELINE_CHUNKS {
        assert!(driver.outcomes.is_empty(), "{at}");
        // Those that were under way are answered as the server likes.
        driver.feed(if at % 2 == 0 { b"250 ok\r\n" } else { b"503 5.5.1 bad sequence\r\n" });
    }
    let Outcome::Deferred { failure, may_have_been_accepted: false } = &driver.outcomes[0][0]
    else {
        panic!("{:?}", driver.outcomes);
    };
    assert_eq!(failure.reply.as_ref().unwrap().code().get(), 452);
    let said = read(&driver.take_output());
    assert_eq!(said[0], Said::Line("RSET".into()));
    assert!(matches!(&said[1], Said::Line(mail) if mail.starts_with("MAIL FROM:")));
}

#[test]
fn a_message_that_is_taken_behind_a_refused_chunk_of_it_is_neither_delivered_nor_rejected() {
    let line = b"a line of thirty-two octets...\r\n";
    let body = line.repeat(3 * BODY_CHUNK / line.len());
    let mut driver = begun(PIPELINING, Plan { body, ..Plan::default() });
    driver.feed(b"250 ok\r\n250 ok\r\n");
    let said = read(&driver.take_output());
    assert!(matches!(said.last(), Some(Said::Chunk { last: true, .. })), "{said:?}");
    driver.feed(b"250 ok\r\n554 5.6.0 what a chunk\r\n250 ok\r\n250 2.0.0 queued\r\n");
    assert!(driver.closed());
    let outcome = &driver.outcomes[0][0];
    assert!(
        matches!(outcome, Outcome::Deferred { may_have_been_accepted: true, .. }),
        "{outcome:?}"
    );
}

#[test]
fn a_server_that_closes_between_chunks_has_nothing() {
    let mut driver = full_window(1);
    driver.feed(b"250 ok\r\n");
    driver.take_output();
    driver.feed(b"421 4.3.2 stopping\r\n");
    assert!(driver.closed());
    assert!(driver.take_output().is_empty());
    let Outcome::Deferred { failure, may_have_been_accepted: false } = &driver.outcomes[0][0]
    else {
        panic!("{:?}", driver.outcomes);
    };
    assert_eq!(failure.cause, Cause::ServiceClosing);
}

#[test]
fn success_that_was_said_before_the_last_chunk_is_no_success() {
    // In the place of the reply to the first chunk, which was sent, come two: the second answers
    // nothing, and must not be kept for the last chunk.
    for behind in ["250 2.0.0 queued\r\n", "2", "354 go\r\n", "250-"] {
        let body = message(BODY_CHUNK + 100);
        let mut driver = begun(LOCK_STEP, Plan { body, ..Plan::default() });
        driver.feed(b"250 ok\r\n");
        driver.feed(b"250 ok\r\n");
        let said = read(&driver.take_output());
        assert!(matches!(said.last(), Some(Said::Chunk { last: false, .. })), "{said:?}");
        driver.feed(&[b"250 ok\r\n", behind.as_bytes()].concat());
        assert!(driver.closed(), "{behind:?}");
        assert!(driver.take_output().is_empty(), "{behind:?}");
        let outcome = &driver.outcomes[0][0];
        assert!(
            matches!(outcome, Outcome::Deferred { may_have_been_accepted: false, .. }),
            "{behind:?}: {outcome:?}"
        );
    }
}

#[test]
fn a_fault_behind_the_first_chunk_leaves_nothing_at_the_server() {
    let mut body = message(2 * BODY_CHUNK);
    body.extend_from_slice(b"a\0b\r\n");
    for offer in [LOCK_STEP, PIPELINING] {
        let plan = Plan { body: body.clone(), messages: 2, ..Plan::default() };
        let mut driver = begun(offer, plan);
        let mut said = Vec::new();
        while driver.outcomes.is_empty() {
            let commands = read(&driver.take_output());
            assert!(!commands.is_empty());
            for command in commands {
                said.push(command);
                driver.feed(b"250 ok\r\n");
            }
        }
        assert!(matches!(driver.outcomes[0][0], Outcome::Rejected(Rejection::Message(_))));
        assert!(said.iter().any(|said| matches!(said, Said::Chunk { .. })));
        assert!(!said.iter().any(|said| matches!(said, Said::Chunk { last: true, .. })));
        assert_eq!(read(&driver.take_output())[0], Said::Line("RSET".into()));
    }
}

#[test]
fn under_lmtp_the_last_chunk_waits_until_nothing_else_is_open() {
    let body = message(BODY_CHUNK + 100);
    let mut driver = begun(PIPELINING, Plan { lmtp: true, body, ..Plan::default() });
    driver.take_output();
    driver.feed(b"250 ok\r\n250 ok\r\n");
    let said = read(&driver.take_output());
    assert!(matches!(&said[..], [Said::Chunk { last: false, .. }]), "{said:?}");
    driver.feed(b"250 ok\r\n");
    let said = read(&driver.take_output());
    assert!(matches!(&said[..], [Said::Chunk { last: true, .. }]), "{said:?}");
}

const LMTP: &[&str] = &[
    "220 mx\r\n",
    "250-mx\r\n250 PIPELINING\r\n",
    "250 sender\r\n250 first\r\n550 5.1.1 second\r\n250 third\r\n354 go\r\n",
    "250 2.0.0 first has it\r\n",
    "250 2.0.0 third has it\r\n",
    "221 bye\r\n",
];
const LMTP_CHUNKS: &[&str] = &[
    "220 mx\r\n",
    "250-mx\r\n250-CHUNKING\r\n250 PIPELINING\r\n",
    "250 sender\r\n250 first\r\n550 5.1.1 second\r\n250 third\r\n",
    "250 2.0.0 first has it\r\n",
    "250 2.0.0 third has it\r\n",
    "221 bye\r\n",
];

#[test]
fn under_lmtp_each_recipient_is_delivered_by_its_own_reply_alone() {
    let to = ["b@example.org", "c@example.org", "d@example.org"].map(String::from).to_vec();
    for server in [LMTP, LMTP_CHUNKS] {
        let upto = |parts: usize| server[..parts].iter().map(|part| part.len()).sum::<usize>();
        for octets in 0..=upto(server.len()) {
            let mut driver = Driver::new(Plan { lmtp: true, to: to.clone(), ..Plan::default() });
            let mut left = octets;
            for part in server {
                let part = &part.as_bytes()[..part.len().min(left)];
                driver.feed(part);
                left -= part.len();
            }
            driver.end_of_input();
            assert!(driver.closed(), "cut at {octets}");
            let Some(outcomes) = driver.outcomes.first() else {
                assert_eq!(driver.begun, 0, "cut at {octets}");
                continue;
            };
            let delivered = |at: usize| matches!(outcomes[at], Outcome::Delivered { .. });
            assert_eq!(driver.outcomes.len(), 1, "cut at {octets}");
            assert_eq!(outcomes.len(), 3, "cut at {octets}");
            assert_eq!(delivered(0), octets >= upto(4), "cut at {octets}");
            assert!(!delivered(1), "cut at {octets}");
            assert_eq!(delivered(2), octets >= upto(5), "cut at {octets}");
            if octets >= upto(3) && !delivered(2) {
                let doubtful = &outcomes[2];
                assert!(
                    matches!(doubtful, Outcome::Deferred { may_have_been_accepted: true, .. }),
                    "cut at {octets}: {doubtful:?}"
                );
            }
        }
    }
}
