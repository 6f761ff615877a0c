//! LIMITS, and a server that says it by refusing: further transactions, further connections, and one
//! outcome for each recipient all the same.

use std::sync::mpsc;
use std::thread::JoinHandle;

use smtp_client::tls::ClientPolicy;
use smtp_client::{Client, Recipient, Report, Route};
use smtp_testkit::peer::Listener;

use crate::common::{deliver_by, hear, message, patient, server};

/// What a server heard on one connection: the recipients that it took, in each transaction.
type Heard = Vec<Vec<String>>;

/// A server that offers this, and refuses a RCPT where `refuse` says so of the recipients that it has
/// in this transaction; it serves connections until it is told that the client is done.
fn limited(
    offer: &'static str,
    refuse: fn(&Heard, &[String]) -> Option<&'static str>,
) -> (Route, JoinHandle<()>, mpsc::Receiver<Heard>) {
    let (tell, told) = mpsc::channel();
    let (route, server) = server(move |listener: Listener| {
        loop {
            let mut peer = listener.accept();
            peer.line("220 mx");
            let (mut heard, mut open) = (Heard::new(), Vec::new());
            let ended = loop {
                let Some(line) = peer.read_line() else { break false };
                let line = String::from_utf8(line).unwrap().trim_end().to_owned();
                let verb = line.split([' ', ':']).next().unwrap();
                let reply = match verb {
                    "EHLO" => format!("250-mx\r\n250 {offer}"),
                    "RCPT" => match refuse(&heard, &open) {
                        Some(refusal) => refusal.to_owned(),
                        None => {
                            open.push(line["RCPT TO:<".len()..line.len() - 1].to_owned());
                            "250 ok".to_owned()
                        }
                    },
                    "DATA" => {
                        peer.line("354 go");
                        hear(&mut peer, ".");
                        heard.push(std::mem::take(&mut open));
                        "250 taken".to_owned()
                    }
                    "QUIT" => {
                        let _ = peer.try_send("221 bye\r\n");
                        break false;
                    }
                    "STOP" => break true,
                    _ => "250 ok".to_owned(),
                };
                peer.line(&reply);
            };
            if ended {
                return;
            }
            tell.send(heard).unwrap();
        }
    });
    (route, server, told)
}

async fn to(
    addresses: &[&str],
    offer: &'static str,
    refuse: fn(&Heard, &[String]) -> Option<&'static str>,
) -> (Report, Vec<Heard>) {
    let (route, server, told) = limited(offer, refuse);
    let recipients: Vec<_> = addresses
        .iter()
        .map(|to| Recipient::new(to, route.clone(), ClientPolicy::plaintext()).unwrap())
        .collect();
    let report = deliver_by(&Client::new(patient()), &recipients, &message()).await;
    let mut stop = std::net::TcpStream::connect((route.host.as_str(), route.port)).unwrap();
    std::io::Write::write_all(&mut stop, b"STOP\r\n").unwrap();
    server.join().unwrap();
    (report, told.iter().collect())
}

fn never(_: &Heard, _: &[String]) -> Option<&'static str> {
    None
}

const FIVE: [&str; 5] = ["a@x.example", "b@x.example", "c@y.example", "d@z.example", "e@X.example"];

#[tokio::test]
async fn a_transaction_has_as_many_recipients_as_the_server_takes() {
    let (report, heard) = to(&FIVE, "LIMITS RCPTMAX=2", never).await;
    assert!(report.all_delivered(), "{report:?}");
    assert_eq!(
        heard,
        [[vec!["a@x.example", "b@x.example"], vec!["c@y.example", "d@z.example"], vec![FIVE[4]]]]
    );
}

#[tokio::test]
async fn a_session_has_as_many_messages_as_the_server_takes() {
    let (report, heard) = to(&FIVE, "LIMITS RCPTMAX=1 MAILMAX=2", never).await;
    assert!(report.all_delivered(), "{report:?}");
    assert_eq!(heard.iter().map(Vec::len).collect::<Vec<_>>(), [2, 2, 1]);
}

#[tokio::test]
async fn a_session_has_as_many_domains_as_the_server_takes() {
    let (report, heard) = to(&FIVE, "LIMITS RCPTDOMAINMAX=1", never).await;
    assert!(report.all_delivered(), "{report:?}");
    assert_eq!(heard, [[vec![FIVE[0], FIVE[1], FIVE[4]]], [vec![FIVE[2]]], [vec![FIVE[3]]]]);
    let (report, heard) = to(&FIVE, "LIMITS RCPTDOMAINMAX=2 RCPTMAX=2", never).await;
    assert!(report.all_delivered(), "{report:?}");
    let all: Vec<_> = heard.concat().concat();
    assert_eq!(all.len(), 5, "{heard:?}");
    assert!(heard.iter().flatten().all(|transaction| transaction.len() <= 2), "{heard:?}");
}

/// Limits without sense are none, and those with little are kept to.
#[tokio::test]
async fn limits_without_sense_lose_nobody() {
    for offer in [
        "LIMITS RCPTMAX=0 MAILMAX=0 RCPTDOMAINMAX=0",
        "LIMITS RCPTMAX=-1",
        "LIMITS RCPTMAX=99999999999999999999",
        "LIMITS",
        "LIMITS RCPTMAX",
        "LIMITS =",
        "LIMITS MAILMAX=999999 RCPTMAX=999999",
        "LIMITS RCPTMAX=1 MAILMAX=1 RCPTDOMAINMAX=1",
    ] {
        let (report, heard) = to(&FIVE, offer, never).await;
        assert!(report.all_delivered(), "{offer}: {report:?}");
        let mut all = heard.concat().concat();
        all.sort();
        assert_eq!(all, ["a@x.example", "b@x.example", "c@y.example", "d@z.example", FIVE[4]]);
    }
}

/// A server that says by 452 how many it takes has the rest in another transaction; one that takes
/// nobody is not asked again.
#[tokio::test]
async fn who_is_one_too_many_goes_in_another_transaction() {
    let full = |_: &Heard, open: &[String]| (open.len() == 2).then_some("452 4.5.3 too many");
    let (report, heard) = to(&FIVE, "HELP", full).await;
    assert!(report.all_delivered(), "{report:?}");
    assert_eq!(heard, [[vec![FIVE[0], FIVE[1]], vec![FIVE[2], FIVE[3]], vec![FIVE[4]]]]);
    let bare = |_: &Heard, open: &[String]| (open.len() == 3).then_some("452 too many");
    assert!(to(&FIVE, "HELP", bare).await.0.all_delivered());

    let nobody = |_: &Heard, _: &[String]| Some("452 4.5.3 too many");
    let (report, heard) = to(&FIVE, "HELP", nobody).await;
    let outcomes: Vec<_> = report.recipients.iter().map(|r| r.outcome.to_string()).collect();
    assert_eq!(outcomes, ["deferred 452 4.5.3 too many"; 5]);
    assert_eq!(heard, [Heard::new()]);

    // Nor is one that takes nobody any more.
    let two = |heard: &Heard, open: &[String]| {
        (!heard.is_empty() || open.len() == 2).then_some("452 4.5.3 too many")
    };
    let (report, heard) = to(&FIVE, "HELP", two).await;
    assert_eq!(heard, [[vec![FIVE[0], FIVE[1]]]]);
    let outcomes: Vec<_> = report.recipients.iter().map(|r| r.outcome.to_string()).collect();
    assert_eq!(outcomes[2..], ["deferred 452 4.5.3 too many"; 3]);

    // A 452 about something else is the recipient's own.
    let storage = |_: &Heard, open: &[String]| (open.len() == 2).then_some("452 4.3.1 full");
    let (report, heard) = to(&FIVE, "HELP", storage).await;
    assert_eq!(heard, [[vec![FIVE[0], FIVE[1]]]]);
    assert_eq!(report.recipients[2].outcome.to_string(), "deferred 452 4.3.1 full");
}

/// The connection that the rest needs is not to be had: they are deferred, the others are not.
#[tokio::test]
async fn a_server_that_takes_one_message_and_no_further_connection_defers_the_rest() {
    let (route, server) = server(|listener| {
        let mut peer = listener.accept();
        peer.line("220 mx");
        peer.expect("EHLO");
        peer.send("250-mx\r\n250 LIMITS MAILMAX=1 RCPTMAX=1\r\n");
        drop(listener);
        for reply in ["250 ok", "250 ok"] {
            peer.expect("");
            peer.line(reply);
        }
        peer.expect("DATA");
        peer.line("354 go");
        hear(&mut peer, ".");
        peer.line("250 taken");
        peer.expect("QUIT");
        peer.line("221 bye");
    });
    let recipients = ["a@example.com", "b@example.com", "c@example.com"]
        .map(|to| Recipient::new(to, route.clone(), ClientPolicy::plaintext()).unwrap());
    let report = deliver_by(&Client::new(patient()), &recipients, &message()).await;
    server.join().unwrap();
    let outcomes: Vec<_> = report.recipients.iter().map(|r| r.outcome.to_string()).collect();
    assert_eq!(outcomes[0], "delivered 250 taken");
    for outcome in &outcomes[1..] {
        assert!(outcome.starts_with("deferred 451 4.4.1 cannot connect"), "{outcome}");
    }
}
