//! The connection ends after every octet; octets come too early; what was offered is forgotten.

use smtp_proto::client::{Outcome, Rejection};
use smtp_testkit::transcript::Side;

use crate::driver::{Driver, Plan, Tls};

const CLEAR: &[&str] = &[
    "220 mx\r\n",
    "250-mx\r\n250-PIPELINING\r\n250 SIZE 1000\r\n",
    "250 sender\r\n250 first\r\n550 5.1.1 second\r\n354 go\r\n",
    "250 2.0.0 queued\r\n",
    "221 bye\r\n",
];
const LOCK_STEP: &[&str] = &[
    "220 mx\r\n",
    "250 mx\r\n",
    "250 sender\r\n",
    "250 first\r\n",
    "550 5.1.1 second\r\n",
    "354 go\r\n",
    "250 2.0.0 queued\r\n",
    "221 bye\r\n",
];

const CHUNKS: &[&str] = &[
    "220 mx\r\n",
    "250-mx\r\n250-CHUNKING\r\n250 PIPELINING\r\n",
    "250 sender\r\n250 first\r\n550 5.1.1 second\r\n",
    "250 2.0.0 queued\r\n",
    "221 bye\r\n",
];
const CHUNKS_IN_LOCK_STEP: &[&str] = &[
    "220 mx\r\n",
    "250-mx\r\n250 CHUNKING\r\n",
    "250 sender\r\n",
    "250 first\r\n",
    "550 5.1.1 second\r\n",
    "250 2.0.0 queued\r\n",
    "221 bye\r\n",
];

fn plan() -> Plan {
    Plan { to: vec!["b@example.org".into(), "c@example.org".into()], ..Plan::default() }
}

/// Feeds `octets` octets of the server's side, then ends the session by `end`.
fn cut(server: &[&str], octets: usize, end: fn(&mut Driver)) -> Driver {
    let mut driver = Driver::new(plan());
    let mut left = octets;
    for part in server {
        let part = &part.as_bytes()[..part.len().min(left)];
        driver.feed(part);
        left -= part.len();
    }
    end(&mut driver);
    driver
}

#[test]
fn a_connection_that_ends_anywhere_leaves_one_outcome_for_each_recipient() {
    let ends: [fn(&mut Driver); 3] = [Side::end_of_input, Side::timed_out, Side::shut_down];
    for server in [CLEAR, LOCK_STEP, CHUNKS, CHUNKS_IN_LOCK_STEP] {
        let whole: usize = server.iter().map(|part| part.len()).sum();
        let goodbye = server.last().unwrap().len();
        for octets in 0..=whole {
            for end in ends {
                let driver = cut(server, octets, end);
                assert!(driver.closed(), "cut at {octets}");
                if driver.begun == 0 {
                    assert!(driver.outcomes.is_empty());
                    continue;
                }
                let [outcomes] = driver.outcomes.as_slice() else {
                    panic!("cut at {octets}: {:?}", driver.outcomes);
                };
                assert_eq!(outcomes.len(), 2, "cut at {octets}");
                let delivered = matches!(outcomes[0], Outcome::Delivered { .. });
                assert_eq!(delivered, octets >= whole - goodbye, "cut at {octets}");
                assert!(!matches!(outcomes[1], Outcome::Delivered { .. }), "cut at {octets}");
            }
        }
    }
}

#[test]
fn a_refused_recipient_stays_refused_and_the_final_dot_makes_the_rest_doubtful() {
    let upto = |parts: usize| CLEAR[..parts].iter().map(|part| part.len()).sum::<usize>();
    // Behind the replies to the group: the message and its dot are out, nothing has come.
    let driver = cut(CLEAR, upto(3), Side::end_of_input);
    let [first, second] = driver.outcomes[0].as_slice() else { panic!() };
    assert!(matches!(first, Outcome::Deferred { may_have_been_accepted: true, .. }), "{first:?}");
    let Outcome::Rejected(Rejection::ByServer { reply, .. }) = second else { panic!("{second:?}") };
    assert_eq!(reply.code().get(), 550);
    // One octet less: 354 is not whole, so no octet of the message was sent.
    let driver = cut(CLEAR, upto(3) - 1, Side::end_of_input);
    let [first, second] = driver.outcomes[0].as_slice() else { panic!() };
    assert!(matches!(first, Outcome::Deferred { may_have_been_accepted: false, .. }), "{first:?}");
    assert!(matches!(second, Outcome::Rejected(_)), "{second:?}");
}

const TO_STARTTLS: &[u8] = b"220 mx\r\n";
const OFFER: &[u8] = b"250-mx\r\n250-SIZE 1\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 STARTTLS\r\n";

#[test]
fn any_octet_behind_220_in_the_same_read_ends_the_session_before_the_handshake() {
    let injected: [&[u8]; 5] = [
        b"250-evil\r\n250 AUTH PLAIN\r\n",
        b"250 x\r\n250 x\r\n354 go\r\n250 queued\r\n",
        b"25",
        b"\0",
        b"\r\n",
    ];
    for extra in injected {
        let mut driver = Driver::new(Plan { tls: Tls::Opportunistic, ..Plan::default() });
        driver.feed(TO_STARTTLS);
        driver.feed(OFFER);
        assert!(driver.take_output().ends_with(b"STARTTLS\r\n"));
        driver.feed(&[b"220 go\r\n", extra].concat());
        assert!(!driver.wants_tls(), "{extra:?}");
        assert!(driver.closed(), "{extra:?}");
        assert!(driver.take_output().is_empty(), "{extra:?}");
        let events = driver.take_events();
        assert!(events[0].contains("octets came behind the reply to STARTTLS"), "{events:?}");
    }
}

#[test]
fn nothing_that_was_offered_in_clear_is_used_under_tls() {
    let mut driver = Driver::new(Plan {
        tls: Tls::Required,
        body: b"a message of more than one octet\n".to_vec(),
        ..Plan::default()
    });
    driver.feed(TO_STARTTLS);
    driver.feed(OFFER);
    driver.feed(b"220-go\r\n220 on\r\n");
    assert!(driver.wants_tls());
    driver.take_output();
    driver.tls_established();
    assert_eq!(driver.take_output(), b"EHLO client.example.org\r\n");
    driver.feed(b"250 mx\r\n");
    // SIZE 1 would have refused the message; PIPELINING would have sent more than MAIL.
    assert_eq!(driver.take_output(), b"MAIL FROM:<a@example.org>\r\n");
}

/// Up to the replies that DATA's is the last of, with `behind` in the same read.
fn interrupted(behind: &[u8]) -> Driver {
    let mut driver = Driver::new(Plan::default());
    driver.feed(b"220 mx\r\n");
    driver.feed(b"250-mx\r\n250 PIPELINING\r\n");
    driver.take_output();
    driver.feed(&[b"250 ok\r\n250 ok\r\n354 go\r\n", behind].concat());
    driver
}

#[test]
fn a_refusal_before_the_message_is_over_decides_and_the_final_dot_is_not_sent() {
    let refusal = b"552-5.3.4 too\r\n552 5.3.4 big\r\n";
    for cut in 1..=refusal.len() {
        let mut driver = interrupted(&refusal[..cut]);
        driver.feed(&refusal[cut..]);
        assert!(driver.closed(), "cut at {cut}");
        let output = driver.take_output();
        assert!(!output.ends_with(b".\r\n"), "cut at {cut}: {output:?}");
        let Outcome::Rejected(Rejection::ByServer { reply, .. }) = &driver.outcomes[0][0] else {
            panic!("cut at {cut}: {:?}", driver.outcomes);
        };
        assert_eq!(reply.code().get(), 552);
    }
}

#[test]
fn success_before_the_message_is_over_is_no_success() {
    let success = b"250 2.0.0 queued\r\n";
    for cut in 1..=success.len() {
        let mut driver = interrupted(&success[..cut]);
        driver.feed(&success[cut..]);
        assert!(driver.closed(), "cut at {cut}");
        let outcome = &driver.outcomes[0][0];
        assert!(
            matches!(outcome, Outcome::Deferred { may_have_been_accepted: false, .. }),
            "cut at {cut}: {outcome:?}"
        );
    }
}

#[test]
fn a_reply_too_many_changes_no_outcome_and_answers_no_other_command() {
    for lmtp in [false, true] {
        for behind in
            ["2", "250 and more\r\n", "421 4.3.2 stopping\r\n", "221 bye\r\n", "noise\r\n"]
        {
            let mut driver = Driver::new(Plan { lmtp, messages: 2, ..Plan::default() });
            driver.feed(b"220 mx\r\n");
            driver.feed(b"250-mx\r\n250 PIPELINING\r\n");
            driver.feed(b"250 ok\r\n250 ok\r\n354 go\r\n");
            assert!(driver.take_output().ends_with(b"\r\n.\r\n"));
            driver.feed(&[b"250 2.0.0 queued\r\n", behind.as_bytes()].concat());
            assert!(driver.closed(), "{behind:?}");
            assert!(driver.take_output().is_empty(), "{behind:?}");
            // The second message was not begun.
            let [outcomes] = driver.outcomes.as_slice() else { panic!("{:?}", driver.outcomes) };
            let [Outcome::Delivered { reply }] = outcomes.as_slice() else {
                panic!("{outcomes:?}")
            };
            assert_eq!(reply.text(), "queued");
        }
    }
}

#[test]
fn a_recipient_taken_without_a_sender_is_sent_nothing() {
    let mut driver = Driver::new(Plan::default());
    driver.feed(b"220 mx\r\n");
    driver.feed(b"250-mx\r\n250 PIPELINING\r\n");
    driver.take_output();
    driver.feed(b"550 5.7.1 not you\r\n250 ok\r\n354 go\r\n");
    assert!(driver.closed());
    assert!(driver.take_output().is_empty());
    assert!(matches!(driver.outcomes[0][0], Outcome::Rejected(_)));
}

#[test]
fn the_octets_and_the_commands_under_way_are_bounded() {
    // So long that the octets run out before the commands do.
    let name = "recipient".repeat(6);
    let to: Vec<String> = (0..500).map(|n| format!("{name}-{n}@mx.example.org")).collect();
    let mut driver = Driver::new(Plan { to: to.clone(), ..Plan::default() });
    driver.feed(b"220 mx\r\n");
    driver.take_output();
    driver.feed(b"250-mx\r\n250 PIPELINING\r\n");
    let mut answered = 0;
    while driver.outcomes.is_empty() {
        let output = driver.take_output();
        assert!(output.len() <= smtp_proto::limits::PIPELINE_OCTETS, "{}", output.len());
        let text = String::from_utf8(output).unwrap();
        for line in text.lines().filter(|line| *line != "hi") {
            answered += 1;
            driver.feed(match line {
                "DATA" => b"354 go\r\n",
                _ => b"250 ok\r\n",
            });
        }
    }
    // MAIL, the recipients, DATA and the dot.
    assert_eq!(answered, 1 + to.len() + 1 + 1);
    assert!(driver.outcomes[0].iter().all(|outcome| matches!(outcome, Outcome::Delivered { .. })));
}
