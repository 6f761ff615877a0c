//! A client with short times, and servers that are scripted line by line.
#![allow(dead_code)]

use std::thread::{self, JoinHandle};
use std::time::Duration;

use smtp_client::tls::ClientPolicy;
use smtp_client::wire::ClientName;
use smtp_client::{Client, Config, Message, Outcome, Recipient, Report, Route, Sender};
use smtp_testkit::peer::{Listener, Peer};

/// How long a phase may take in these tests.
pub(crate) const SHORT: Duration = Duration::from_millis(400);

pub(crate) fn config() -> Config {
    let mut config = Config::new(ClientName::parse("client.example.org").unwrap());
    config.timeouts.connect = Duration::from_secs(5);
    config.timeouts.handshake = SHORT;
    config.timeouts.remote = Some(SHORT);
    config
}

/// As [`config`], with time enough for a busy machine.
pub(crate) fn patient() -> Config {
    let mut config = config();
    config.timeouts.handshake = Duration::from_secs(20);
    config.timeouts.remote = Some(Duration::from_secs(20));
    config
}

/// A server on a thread of its own, and the route to it.
pub(crate) fn server<T: Send + 'static>(
    script: impl FnOnce(Listener) -> T + Send + 'static,
) -> (Route, JoinHandle<T>) {
    let listener = Listener::new();
    let address = listener.address();
    let route = Route::new(address.ip().to_string(), address.port());
    (route, thread::spawn(move || script(listener)))
}

/// Command and reply of a transaction in lock-step; the message is read up to its end.
pub(crate) const STEPS: [(&str, &str); 6] = [
    ("", "220 mx.example.com"),
    ("EHLO", "250 mx.example.com"),
    ("MAIL FROM:<a@example.org>", "250 2.1.0 ok"),
    ("RCPT TO:<b@example.com>", "250 2.1.5 ok"),
    ("DATA", "354 go"),
    (".", "250 2.0.0 taken"),
];

/// Hears the command of one step; `false` when the client has gone.
pub(crate) fn hear(peer: &mut Peer, command: &str) -> bool {
    match command {
        "" => true,
        "." => loop {
            match peer.read_line() {
                Some(line) if line == b".\r\n" => return true,
                Some(_) => {}
                None => return false,
            }
        },
        _ => {
            peer.expect(command);
            true
        }
    }
}

pub(crate) fn play(peer: &mut Peer, steps: &[(&str, &str)]) {
    for (command, reply) in steps {
        assert!(hear(peer, command), "the client has gone before {command}");
        peer.line(reply);
    }
}

/// Says goodbye, if the client does.
pub(crate) fn part(peer: &mut Peer) {
    if peer.read_line().is_some_and(|line| line == b"QUIT\r\n") {
        let _ = peer.try_send("221 bye\r\n");
    }
}

pub(crate) fn message() -> Message {
    Message::from_bytes(&b"Subject: hello\n\n.Hello.\n"[..])
}

pub(crate) async fn deliver_by(client: &Client, to: &[Recipient], message: &Message) -> Report {
    let sender = Sender::parse("a@example.org").unwrap();
    let report = client.deliver(&sender, to, message).await;
    let addresses: Vec<_> = report.recipients.iter().map(|entry| entry.address.as_str()).collect();
    assert_eq!(addresses, to.iter().map(Recipient::address).collect::<Vec<_>>());
    report
}

/// Delivers to one recipient.
pub(crate) async fn deliver(config: Config, route: &Route, policy: ClientPolicy) -> Report {
    let to = Recipient::new("b@example.com", route.clone(), policy).unwrap();
    deliver_by(&Client::new(config), &[to], &message()).await
}

pub(crate) fn is_deferred(outcome: &Outcome, maybe_accepted: bool) -> bool {
    matches!(outcome, Outcome::Deferred { may_have_been_accepted, .. }
        if *may_have_been_accepted == maybe_accepted)
}
