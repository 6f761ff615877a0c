//! LMTP (RFC 2033): an outcome for each recipient from a reply of its own.

use smtp_client::tls::ClientPolicy;
use smtp_client::{Client, Config, Outcome, Recipient, Report};
use smtp_testkit::peer::Peer;

use crate::common::{config, deliver_by, hear, is_deferred, message, part, patient, server};

fn lmtp(mut config: Config) -> Config {
    config.session.lmtp = true;
    config
}

/// Three recipients, the second of whom is refused at RCPT; then what `script` says to the message.
async fn to_three(
    config: Config,
    chunking: bool,
    script: impl FnOnce(&mut Peer) + Send + 'static,
) -> Report {
    let (route, server) = server(move |listener| {
        let mut peer = listener.accept();
        peer.line("220 mx LMTP");
        peer.expect("LHLO client.example.org");
        let offer = if chunking { "250-CHUNKING\r\n" } else { "" };
        peer.send(format!("250-mx\r\n{offer}250 PIPELINING\r\n"));
        for command in ["MAIL", "RCPT", "RCPT", "RCPT"] {
            peer.expect(command);
        }
        peer.send("250 ok\r\n250 ok\r\n550 5.1.1 no\r\n250 ok\r\n");
        if chunking {
            let line = peer.expect("BDAT ");
            let octets = line["BDAT ".len()..].strip_suffix(" LAST").unwrap().parse().unwrap();
            peer.read_exact(octets);
        } else {
            peer.expect("DATA");
            peer.line("354 go");
            hear(&mut peer, ".");
        }
        script(&mut peer);
    });
    let to = ["a@example.com", "b@example.com", "c@example.com"]
        .map(|to| Recipient::new(to, route.clone(), ClientPolicy::plaintext()).unwrap());
    let report = deliver_by(&Client::new(config), &to, &message()).await;
    server.join().unwrap();
    report
}

fn words(report: &Report) -> Vec<String> {
    report.recipients.iter().map(|recipient| recipient.outcome.to_string()).collect()
}

#[tokio::test]
async fn each_recipient_has_an_outcome_of_its_own_behind_the_message() {
    for chunking in [false, true] {
        let report = to_three(lmtp(patient()), chunking, |peer| {
            peer.send("250 2.0.0 a has it\r\n452 4.2.2 c is full\r\n");
            part(peer);
        })
        .await;
        assert_eq!(
            words(&report),
            [
                "delivered 250 2.0.0 a has it",
                "rejected 550 5.1.1 no",
                "deferred 452 4.2.2 c is full"
            ]
        );
    }
}

/// Whoever has an answer keeps it; the others may have the message.
#[tokio::test]
async fn a_server_that_is_gone_between_two_answers_leaves_doubt_about_the_rest() {
    let cuts: [fn(&mut Peer); 3] =
        [|_| (), |peer| peer.half_close(), |peer| drop(peer.try_send("25"))];
    for (chunking, cut) in [false, true].into_iter().flat_map(|c| cuts.map(|cut| (c, cut))) {
        let report = to_three(lmtp(patient()), chunking, move |peer| {
            peer.line("250 2.0.0 a has it");
            cut(peer);
        })
        .await;
        assert_eq!(words(&report)[0], "delivered 250 2.0.0 a has it");
        assert!(is_deferred(&report.recipients[2].outcome, true), "{report:?}");
    }
    let report = to_three(lmtp(config()), false, |peer| {
        peer.line("554 5.6.0 not for a");
        peer.expect_end();
    })
    .await;
    assert!(matches!(report.recipients[0].outcome, Outcome::Rejected(_)), "{report:?}");
    assert!(is_deferred(&report.recipients[2].outcome, true), "{report:?}");
}

/// There is no HELO to fall back to (RFC 2033, 4.1).
#[tokio::test]
async fn a_server_that_knows_no_lhlo_defers() {
    let (route, server) = server(|listener| {
        let mut peer = listener.accept();
        peer.line("220 mx");
        peer.expect("LHLO");
        peer.line("500 5.5.1 what");
        part(&mut peer);
    });
    let to = Recipient::new("b@example.com", route, ClientPolicy::plaintext()).unwrap();
    let report = deliver_by(&Client::new(lmtp(patient())), &[to], &message()).await;
    server.join().unwrap();
    assert_eq!(words(&report), ["deferred 500 5.5.1 what"]);
}
