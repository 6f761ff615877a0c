//! Servers that are gone at some octet around the final dot, over sockets: delivered is what was
//! answered with a whole 2yz, and nothing else; the rest says whether it may come twice.
#![allow(clippy::unwrap_used)]

mod common;

use common::{STEPS, deliver, hear, is_deferred, message, patient, play, server};
use smtp_client::Outcome;
use smtp_client::tls::ClientPolicy;
use smtp_testkit::peer::Peer;

const IN_DOUBT: &str = "; the server may already have accepted the message";

/// What the octets of the test message are on the wire, with the final dot.
const WIRE: &[u8] = b"Subject: hello\r\n\r\n..Hello.\r\n.\r\n";

/// A way to be gone.
type Way = fn(Peer);

const WAYS: [(&str, Way); 3] = [
    ("close", |peer| drop(peer)),
    ("reset", |peer| peer.reset()),
    ("half-close", |mut peer| {
        peer.half_close();
        while peer.read_line().is_some() {}
    }),
];

/// The outcome at a server that says 354, and then what `script` says.
async fn behind_data(script: impl FnOnce(Peer) + Send + 'static) -> Outcome {
    let (route, server) = server(move |listener| {
        let mut peer = listener.accept();
        play(&mut peer, &STEPS[..5]);
        script(peer);
    });
    let mut report = deliver(patient(), &route, ClientPolicy::plaintext()).await;
    server.join().unwrap();
    assert_eq!(report.recipients.len(), 1);
    report.recipients.remove(0).outcome
}

fn assert_in_doubt(outcome: &Outcome, what: &str) {
    assert!(is_deferred(outcome, true), "{what}: {outcome:?}");
    assert!(outcome.text().ends_with(IN_DOUBT), "{what}: {outcome}");
    assert_eq!(outcome.to_string().matches(IN_DOUBT).count(), 1, "{what}: {outcome}");
}

/// The server may have read any part of the message; the client has sent all of it.
#[tokio::test]
async fn a_server_that_is_gone_at_any_octet_up_to_the_final_dot_leaves_doubt() {
    assert_eq!(message().wire_size() + 4, WIRE.len() as u64, "with one dot doubled");
    for octets in WIRE.len() - 8..=WIRE.len() {
        for (name, way) in WAYS {
            let outcome = behind_data(move |mut peer| {
                assert_eq!(peer.read_exact(octets), &WIRE[..octets]);
                way(peer);
            })
            .await;
            assert_in_doubt(&outcome, &format!("{name} behind {octets} octets"));
        }
    }
}

/// Behind the 354, before anything was read: the client may not have sent its dot yet. Whether it
/// has or not, the message is deferred.
#[tokio::test]
async fn a_server_that_is_gone_before_the_message_defers_it() {
    for (name, way) in WAYS {
        let outcome = behind_data(way).await;
        assert!(matches!(outcome, Outcome::Deferred { .. }), "{name}: {outcome:?}");
    }
}

#[tokio::test]
async fn an_answer_to_the_final_dot_counts_from_its_last_octet_on() {
    for reply in ["250 2.0.0 taken\r\n", "250-2.0.0 taken\r\n250 2.0.0 by me\r\n"] {
        for octets in 0..=reply.len() {
            for (name, way) in WAYS {
                let outcome = behind_data(move |mut peer| {
                    assert!(hear(&mut peer, "."));
                    peer.send(&reply[..octets]);
                    way(peer);
                })
                .await;
                let what = format!("{name} behind {:?}", &reply[..octets]);
                // A reset may take with it what was said before.
                let whole = octets == reply.len() && (name != "reset" || outcome.is_delivered());
                if whole {
                    assert!(outcome.is_delivered(), "{what}: {outcome:?}");
                } else {
                    assert_in_doubt(&outcome, &what);
                }
            }
        }
    }
}

/// A refusal is an answer: there is no doubt about it, however the connection ends behind it.
#[tokio::test]
async fn a_refusal_of_the_message_leaves_no_doubt() {
    for (reply, word) in [("452 4.3.1 full", "deferred"), ("554 5.6.0 no", "rejected")] {
        let outcome = behind_data(move |mut peer| {
            assert!(hear(&mut peer, "."));
            peer.line(reply);
        })
        .await;
        assert_eq!(outcome.to_string(), format!("{word} {reply}"));
        assert!(!is_deferred(&outcome, true), "{outcome:?}");
    }
}
