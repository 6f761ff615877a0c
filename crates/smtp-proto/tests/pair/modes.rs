//! Both sessions, joined in memory: every TLS mode, every wish of the client, every cut.

use std::collections::VecDeque;
use std::sync::Arc;

use smtp_proto::client::{self, AfterHello, AfterRefusal, Cause, Outcome, Rejection};
use smtp_proto::server::{self, Commit, Tls, Verdict};
use smtp_proto::wire::{ClientName, Detail, Extension, ForwardPath, Refusal, ReversePath};
use smtp_testkit::transcript::{Schedule, schedules};

/// What the client's caller wants of TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wish {
    Clear,
    IfOffered,
    Always,
    FromTheFirstOctet,
}

/// One direction of the connection. Each octet remembers whether it was sent under TLS.
#[derive(Default)]
struct Pipe {
    octets: VecDeque<(u8, bool)>,
    passed: usize,
}

impl Pipe {
    fn send(&mut self, octets: &[u8], under_tls: bool) {
        self.octets.extend(octets.iter().map(|&octet| (octet, under_tls)));
    }

    /// Moves octets up to the next cut; an octet from the other side of the handshake is a fault.
    fn deliver(&mut self, space: &mut [u8], schedule: Schedule, under_tls: bool) -> usize {
        let mut moved = 0;
        while moved < space.len()
            && (moved == 0 || !schedule.cuts_at(self.passed))
            && let Some((octet, sent_under_tls)) = self.octets.pop_front()
        {
            assert_eq!(sent_under_tls, under_tls, "an octet crossed the handshake");
            space[moved] = octet;
            moved += 1;
            self.passed += 1;
        }
        moved
    }
}

/// What a run showed, the same for every cut.
#[derive(Debug, PartialEq, Eq)]
struct Story {
    outcomes: Vec<Outcome>,
    /// Whether the recipients and the message went under TLS; `None` when no MAIL came.
    transaction_under_tls: Option<bool>,
    message: Option<Vec<u8>>,
    client_failure: Option<Cause>,
    to_server: usize,
    to_client: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Turn {
    Reads,
    Handshakes,
    Closed,
}

struct Pair<'m> {
    server: server::Session,
    client: client::Session,
    wish: Wish,
    unsent: Option<&'m [u8]>,
    begun: bool,
    to_server: Pipe,
    to_client: Pipe,
    message: Vec<u8>,
    story: Story,
}

const RECIPIENTS: [&str; 3] = ["<one@b.example>", "<nobody@b.example>", "<two@b.example>"];

impl<'m> Pair<'m> {
    fn new(tls: Tls, wish: Wish, message: &'m [u8]) -> Self {
        let mut config = server::Config::new("b.example");
        config.tls = tls;
        let name = ClientName::parse("a.example").expect("it is a name");
        let mut wants = client::Config::new(name);
        wants.implicit_tls = wish == Wish::FromTheFirstOctet;
        Self {
            server: server::Session::new(Arc::new(config)),
            client: client::Session::new(Arc::new(wants)),
            wish,
            unsent: Some(message),
            begun: false,
            to_server: Pipe::default(),
            to_client: Pipe::default(),
            message: Vec::new(),
            story: Story {
                outcomes: Vec::new(),
                transaction_under_tls: None,
                message: None,
                client_failure: None,
                to_server: 0,
                to_client: 0,
            },
        }
    }

    /// Runs to the end; `up` cuts what goes to the server, `down` what goes to the client.
    fn run(mut self, up: Schedule, down: Schedule) -> Story {
        let (mut server, mut client) = (Turn::Reads, Turn::Reads);
        loop {
            // A side that waits for its handshake is not asked again: that would give it up.
            if server != Turn::Handshakes {
                server = self.drive_server();
            }
            if client != Turn::Handshakes {
                client = self.drive_client();
            }
            match (server, client) {
                (Turn::Handshakes, Turn::Handshakes) => {
                    assert!(self.to_server.octets.is_empty() && self.to_client.octets.is_empty());
                    self.server.tls_established().expect("the server asked for it");
                    self.client.tls_established().expect("the client asked for it");
                    (server, client) = (Turn::Reads, Turn::Reads);
                    continue;
                }
                (Turn::Closed, Turn::Closed) => break,
                _ => {}
            }
            let mut moved = false;
            if server == Turn::Reads {
                let tls = self.server.under_tls();
                let octets = self.to_server.deliver(self.server.input(), up, tls);
                if octets > 0 {
                    self.server.received(octets).expect("the server waits");
                    moved = true;
                }
            }
            if client == Turn::Reads {
                let tls = self.client.under_tls();
                let octets = self.to_client.deliver(self.client.input(), down, tls);
                if octets > 0 {
                    self.client.received(octets).expect("the client waits");
                    moved = true;
                }
            }
            if moved {
                continue;
            }
            match (server, client) {
                (Turn::Reads, Turn::Closed) => self.server.end_of_input(),
                (Turn::Closed, Turn::Reads) => self.client.end_of_input(),
                _ => panic!("both sides wait, and nothing is on its way"),
            }
        }
        self.story.client_failure = self.client.failure().map(|failure| failure.cause.clone());
        self.story.to_server = self.to_server.passed;
        self.story.to_client = self.to_client.passed;
        self.story
    }

    fn drive_server(&mut self) -> Turn {
        use server::Output;
        let under_tls = self.server.under_tls();
        loop {
            match self.server.poll_output() {
                Output::Transmit(octets) => self.to_client.send(octets, under_tls),
                Output::Mail(ask, mail) => {
                    assert_eq!(mail.reverse_path.to_string(), "<a@a.example>");
                    self.story.transaction_under_tls = Some(under_tls);
                    self.server.answer(ask, Verdict::Accept).expect("it is open");
                }
                Output::Rcpt(ask, rcpt) => {
                    let verdict = match rcpt.forward_path.as_str().starts_with("nobody") {
                        true => {
                            Verdict::Refuse(Refusal::permanent(Detail::new(1, 1), "no such user"))
                        }
                        false => Verdict::Accept,
                    };
                    self.server.answer(ask, verdict).expect("it is open");
                }
                Output::Auth(..) | Output::Request(..) => unreachable!("it was not offered"),
                Output::Data(ask) => {
                    self.server.answer(ask, Verdict::Accept).expect("it is open");
                }
                Output::Body(octets) => self.message.extend_from_slice(octets),
                Output::EndOfMessage(ask) => {
                    assert!(self.story.message.is_none(), "one message became two");
                    self.story.message = Some(std::mem::take(&mut self.message));
                    self.server.answer(ask, Commit::Accepted(None)).expect("it is open");
                }
                Output::Abort => panic!("a transaction was given up"),
                Output::StartTls => return Turn::Handshakes,
                Output::Wait(_) => return Turn::Reads,
                Output::Close => return Turn::Closed,
                Output::Hello(hello) => assert_eq!(hello.name, "a.example"),
                Output::Note(_) => {}
            }
        }
    }

    fn drive_client(&mut self) -> Turn {
        use client::Output;
        let under_tls = self.client.under_tls();
        loop {
            match self.client.poll_output() {
                Output::Transmit(octets) => self.to_server.send(octets, under_tls),
                Output::Ehlo(ask, capabilities) => {
                    let verdict = match (self.wish, capabilities.has(Extension::StartTls)) {
                        (Wish::IfOffered | Wish::Always, true) => AfterHello::StartTls,
                        (Wish::Always, false) => AfterHello::Quit,
                        _ => AfterHello::Proceed,
                    };
                    self.client.answer(ask, verdict).expect("it is open");
                }
                Output::AuthChallenge(..) => panic!("no authentication was begun"),
                Output::StartTlsRefused(ask, _) => {
                    self.client.answer(ask, AfterRefusal::Quit).expect("it is open");
                }
                Output::StartTls => return Turn::Handshakes,
                Output::Ready if self.begun => self.client.quit().expect("it is ready"),
                Output::Ready => {
                    self.begun = true;
                    let from = ReversePath::parse("<a@a.example>").expect("it is a path");
                    let mut envelope = client::Envelope::new(&from);
                    for recipient in RECIPIENTS {
                        envelope.add(&ForwardPath::parse(recipient).expect("it is a path"));
                    }
                    let facts =
                        client::MessageFacts { eight_bit: Some(true), ..Default::default() };
                    self.client.begin(envelope, facts).expect("it is ready");
                }
                Output::Body => match self.unsent {
                    Some([]) | None => {
                        self.unsent = None;
                        self.client.end_of_body().expect("it wants the message");
                    }
                    Some(octets) => {
                        // In pieces, so that line ends and dots fall on every border.
                        let piece = &octets[..octets.len().min(7)];
                        let taken = self.client.body(piece).expect("it wants the message");
                        self.unsent = Some(&octets[taken..]);
                    }
                },
                Output::Outcomes(outcomes) => {
                    assert!(self.story.outcomes.is_empty(), "outcomes come once");
                    self.story.outcomes = outcomes;
                }
                Output::Wait(_) => return Turn::Reads,
                Output::Close => return Turn::Closed,
                Output::Note(_) => {}
            }
        }
    }
}

/// Runs whole, then with every cut in each direction; every story must be the first one.
fn every_cut(tls: Tls, wish: Wish, message: &[u8]) -> Story {
    let whole = Pair::new(tls, wish, message).run(Schedule::Whole, Schedule::Whole);
    for up in schedules(whole.to_server) {
        let story = Pair::new(tls, wish, message).run(up, Schedule::Whole);
        assert_eq!(story, whole, "{tls:?} {wish:?}, to the server {up}");
    }
    for down in schedules(whole.to_client) {
        let story = Pair::new(tls, wish, message).run(Schedule::Whole, down);
        assert_eq!(story, whole, "{tls:?} {wish:?}, to the client {down}");
    }
    let story = Pair::new(tls, wish, message).run(Schedule::Bytes, Schedule::Bytes);
    assert_eq!(story, whole, "{tls:?} {wish:?}, byte by byte both ways");
    whole
}

#[test]
fn every_mode_and_every_wish_at_every_cut() {
    // (server, client, the transaction under TLS; None: no transaction)
    let table = [
        (Tls::Unavailable, Wish::Clear, Some(false)),
        (Tls::Unavailable, Wish::IfOffered, Some(false)),
        (Tls::Unavailable, Wish::Always, None),
        (Tls::StartTls, Wish::Clear, Some(false)),
        (Tls::StartTls, Wish::IfOffered, Some(true)),
        (Tls::StartTls, Wish::Always, Some(true)),
        (Tls::Implicit, Wish::FromTheFirstOctet, Some(true)),
    ];
    let message = b"Subject: dots\r\n\r\n.\r\n..two\r\n.one\r\nend\r\n";
    for (tls, wish, under_tls) in table {
        let story = every_cut(tls, wish, message);
        assert_eq!(story.transaction_under_tls, under_tls, "{tls:?} {wish:?}");
        if under_tls.is_none() {
            assert_eq!((story.outcomes, story.message), (Vec::new(), None), "{tls:?} {wish:?}");
            assert_eq!(story.client_failure, Some(Cause::Stopped), "{tls:?} {wish:?}");
            continue;
        }
        assert_eq!(story.message.as_deref(), Some(&message[..]), "{tls:?} {wish:?}");
        assert_eq!(story.client_failure, None, "{tls:?} {wish:?}");
        let [Outcome::Delivered { .. }, Outcome::Rejected(refused), Outcome::Delivered { .. }] =
            story.outcomes.as_slice()
        else {
            panic!("{tls:?} {wish:?}: {:?}", story.outcomes);
        };
        let Rejection::ByServer { phase: client::Phase::Rcpt, reply } = refused else {
            panic!("{tls:?} {wish:?}: {refused:?}");
        };
        assert_eq!(reply.code().get(), 550);
    }
}

#[test]
fn every_message_arrives_as_it_left_with_its_line_ends_made_whole() {
    let messages: [(&[u8], &[u8]); 9] = [
        (b"", b""),
        (b".", b".\r\n"),
        (b".\r\n", b".\r\n"),
        (b"\r\n.\r\n\r\n", b"\r\n.\r\n\r\n"),
        (b"no line end", b"no line end\r\n"),
        (b"files\nhave\n.\nLF\n", b"files\r\nhave\r\n.\r\nLF\r\n"),
        (b"\xffeight\x80\x01bits\r\n", b"\xffeight\x80\x01bits\r\n"),
        (b"\r\n\r\n", b"\r\n\r\n"),
        (b"QUIT\r\nRSET\r\n..\r\n", b"QUIT\r\nRSET\r\n..\r\n"),
    ];
    for (sent, received) in messages {
        let story = every_cut(Tls::StartTls, Wish::Always, sent);
        assert_eq!(story.message.as_deref(), Some(received), "{sent:?}");
    }
}
