//! Two sessions, two pipes between them, and somebody who decides what happens next.

use std::collections::VecDeque;
use std::sync::Arc;

use smtp_proto::client::{self, AfterHello, AfterRefusal, Outcome};
use smtp_proto::server::{self, AuthVerdict, Commit, Verdict};
use smtp_proto::wire::{
    Capability, ClientName, Detail, Extension, ForwardPath, Mechanism, Refusal, ReversePath,
};

use crate::script::{Answer, Mail, Script};

/// What became of one message, on both sides.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Story {
    /// The client's outcomes; none where the transaction never began.
    pub(crate) outcomes: Vec<Outcome>,
    /// For which recipients the handler took the message.
    pub(crate) taken_for: Vec<usize>,
    /// What it took.
    pub(crate) body: Option<Vec<u8>>,
    /// Whether MAIL came under TLS.
    pub(crate) under_tls: bool,
}

/// Octets on their way; each remembers whether it was sent under TLS.
#[derive(Default)]
pub(crate) struct Pipe {
    octets: VecDeque<(u8, bool)>,
    pub(crate) passed: usize,
    /// Nothing more passes, and the reader may be told that it is the end.
    pub(crate) dead: bool,
}

impl Pipe {
    fn send(&mut self, octets: &[u8], under_tls: bool) {
        if !self.dead {
            self.octets.extend(octets.iter().map(|&octet| (octet, under_tls)));
        }
    }

    fn deliver(&mut self, space: &mut [u8], most: usize, under_tls: bool) -> usize {
        let mut moved = 0;
        while moved < space.len().min(most)
            && let Some((octet, sent_under_tls)) = self.octets.pop_front()
        {
            assert_eq!(sent_under_tls, under_tls, "an octet crossed the handshake");
            space[moved] = octet;
            moved += 1;
        }
        self.passed += moved;
        moved
    }

    pub(crate) fn cut(&mut self) {
        self.dead = true;
        self.octets.clear();
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.octets.is_empty()
    }
}

/// What a side is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    /// It has something to do without input.
    Works,
    Reads,
    Handshakes,
    Closed,
}

pub(crate) struct World<'s> {
    script: &'s Script,
    pub(crate) server: server::Session,
    pub(crate) client: client::Session,
    pub(crate) server_turn: Turn,
    pub(crate) client_turn: Turn,
    pub(crate) up: Pipe,
    pub(crate) down: Pipe,
    pub(crate) stories: Vec<Story>,
    /// Whether the client was given the whole of each message to send.
    pub(crate) end_said: Vec<bool>,
    /// The client has yet to authenticate.
    credentials: bool,
    begun: usize,
    unsent: &'s [u8],
    /// Which message the server's transaction is, which recipients it accepted, and its text.
    open: Option<usize>,
    accepted: Vec<usize>,
    body: Vec<u8>,
}

impl<'s> World<'s> {
    pub(crate) fn new(script: &'s Script) -> Self {
        let mut config = server::Config::new("b.example");
        if script.starttls {
            config.tls = server::Tls::StartTls;
        }
        if script.chunking {
            config.capabilities.insert(Capability::parse("CHUNKING").unwrap());
        }
        if script.auth {
            config.capabilities.insert(Capability::parse("AUTH PLAIN").unwrap());
            config.auth_required = true;
        }
        config.lmtp = script.lmtp;
        let mut wants = client::Config::new(ClientName::parse("a.example").unwrap());
        wants.lmtp = script.lmtp;
        Self {
            script,
            server: server::Session::new(Arc::new(config)),
            client: client::Session::new(Arc::new(wants)),
            server_turn: Turn::Works,
            client_turn: Turn::Works,
            up: Pipe::default(),
            down: Pipe::default(),
            stories: vec![Story::default(); script.mails.len()],
            end_said: vec![false; script.mails.len()],
            credentials: script.auth,
            begun: 0,
            unsent: &[],
            open: None,
            accepted: Vec::new(),
            body: Vec::new(),
        }
    }

    pub(crate) fn is_over(&self) -> bool {
        self.server_turn == Turn::Closed && self.client_turn == Turn::Closed
    }

    /// Both sides wait for their handshake: it is made.
    pub(crate) fn handshake(&mut self) -> bool {
        if (self.server_turn, self.client_turn) != (Turn::Handshakes, Turn::Handshakes) {
            return false;
        }
        assert!(self.up.is_empty() && self.down.is_empty(), "octets lie before the handshake");
        self.server.tls_established().unwrap();
        self.client.tls_established().unwrap();
        (self.server_turn, self.client_turn) = (Turn::Works, Turn::Works);
        true
    }

    /// Moves at most so many octets to the server; says whether any moved.
    pub(crate) fn read_server(&mut self, most: usize) -> bool {
        if self.server_turn != Turn::Reads {
            return false;
        }
        let tls = self.server.under_tls();
        let moved = self.up.deliver(self.server.input(), most, tls);
        if moved > 0 {
            self.server.received(moved).unwrap();
            self.server_turn = Turn::Works;
        }
        moved > 0
    }

    /// The same to the client, which reads while it sends its message too.
    pub(crate) fn read_client(&mut self, most: usize) -> bool {
        if matches!(self.client_turn, Turn::Closed | Turn::Handshakes) {
            return false;
        }
        let tls = self.client.under_tls();
        let moved = self.down.deliver(self.client.input(), most, tls);
        if moved > 0 {
            self.client.received(moved).unwrap();
            self.client_turn = Turn::Works;
        }
        moved > 0
    }

    /// One output of the server; says whether there was one that did anything.
    pub(crate) fn step_server(&mut self) -> bool {
        use server::Output;
        if self.server_turn != Turn::Works {
            return false;
        }
        let under_tls = self.server.under_tls();
        match self.server.poll_output() {
            Output::Transmit(octets) => self.down.send(octets, under_tls),
            Output::Mail(ask, mail) => {
                let number = mail.reverse_path.as_str().strip_prefix('m').unwrap();
                let number: usize = number.split('@').next().unwrap().parse().unwrap();
                let script = self.script.mails.get(number).unwrap();
                self.open = (script.mail == Answer::Yes).then_some(number);
                self.accepted.clear();
                self.stories[number].under_tls = under_tls;
                self.server.answer(ask, verdict(script.mail)).unwrap();
            }
            Output::Rcpt(ask, rcpt) => {
                let number = rcpt.forward_path.as_str().strip_prefix('r').unwrap();
                let number: usize = number.split('@').next().unwrap().parse().unwrap();
                let script = &self.script.mails[self.open.expect("RCPT is in a transaction")];
                if script.recipients[number] == Answer::Yes {
                    self.accepted.push(number);
                }
                self.server.answer(ask, verdict(script.recipients[number])).unwrap();
            }
            Output::Auth(ask, _) => {
                assert!(under_tls, "credentials came in clear");
                self.server.answer(ask, AuthVerdict::Accept).unwrap();
            }
            Output::Request(..) => unreachable!("it was not offered"),
            Output::Data(ask) => {
                self.body.clear();
                let script = &self.script.mails[self.open.expect("DATA is in a transaction")];
                self.server.answer(ask, verdict(script.data)).unwrap();
            }
            Output::Body(octets) => self.body.extend_from_slice(octets),
            Output::EndOfMessage(ask) => {
                let number = self.open.take().expect("a message is in a transaction");
                let mail = &self.script.mails[number];
                let accepted = std::mem::take(&mut self.accepted);
                let story = &mut self.stories[number];
                let mut commits = Vec::new();
                for (nth, recipient) in accepted.into_iter().enumerate() {
                    let answer = mail.commit(self.script.lmtp, nth);
                    if answer == Answer::Yes {
                        story.taken_for.push(recipient);
                    }
                    commits.push(commit(answer));
                }
                if !story.taken_for.is_empty() {
                    assert!(story.body.is_none(), "one message became two");
                    story.body = Some(std::mem::take(&mut self.body));
                }
                let commit = match self.script.lmtp {
                    true => Commit::PerRecipient(commits),
                    false => commits.remove(0),
                };
                self.server.answer(ask, commit).unwrap();
            }
            Output::Abort => {
                self.open = None;
            }
            Output::StartTls => self.server_turn = Turn::Handshakes,
            Output::Wait(_) => self.server_turn = Turn::Reads,
            Output::Close => self.server_turn = Turn::Closed,
            Output::Hello(_) | Output::Note(_) => {}
        }
        true
    }

    /// One output of the client, with at most `piece` octets of a message.
    pub(crate) fn step_client(&mut self, piece: usize) -> bool {
        use client::Output;
        if self.client_turn != Turn::Works {
            return false;
        }
        let under_tls = self.client.under_tls();
        match self.client.poll_output() {
            Output::Transmit(octets) => self.up.send(octets, under_tls),
            Output::Ehlo(ask, capabilities) => {
                let verdict = match capabilities.has(Extension::StartTls) {
                    true => AfterHello::StartTls,
                    false => AfterHello::Proceed,
                };
                self.client.answer(ask, verdict).unwrap();
            }
            Output::AuthChallenge(..) => panic!("PLAIN has one message"),
            Output::StartTlsRefused(ask, _) => {
                self.client.answer(ask, AfterRefusal::Quit).unwrap();
            }
            Output::StartTls => self.client_turn = Turn::Handshakes,
            Output::Ready if std::mem::take(&mut self.credentials) => {
                let plain = Mechanism::parse("PLAIN").unwrap();
                self.client.authenticate(plain, Some(b"\0user\0secret")).unwrap();
            }
            Output::Ready => match self.script.mails.get(self.begun) {
                None => self.client.quit().unwrap(),
                Some(mail) => {
                    self.begin(mail);
                }
            },
            Output::Body if self.unsent.is_empty() => {
                self.end_said[self.begun - 1] = true;
                self.client.end_of_body().unwrap();
            }
            Output::Body => {
                let piece = &self.unsent[..self.unsent.len().min(piece)];
                self.unsent = &self.unsent[self.client.body(piece).unwrap()..];
            }
            Output::Outcomes(outcomes) => {
                let story = &mut self.stories[self.begun - 1];
                assert!(story.outcomes.is_empty(), "outcomes come once");
                let recipients = self.script.mails[self.begun - 1].recipients.len();
                assert_eq!(outcomes.len(), recipients, "one outcome for each recipient");
                story.outcomes = outcomes;
            }
            Output::Wait(_) => self.client_turn = Turn::Reads,
            Output::Close => self.client_turn = Turn::Closed,
            Output::Note(_) => {}
        }
        true
    }

    fn begin(&mut self, mail: &'s Mail) {
        let from = format!("<m{}@a.example>", self.begun);
        let mut envelope = client::Envelope::new(&ReversePath::parse(&from).unwrap());
        for number in 0..mail.recipients.len() {
            let to = format!("<r{number}@b.example>");
            envelope.add(&ForwardPath::parse(&to).unwrap());
        }
        self.begun += 1;
        self.unsent = &mail.body;
        let size = Some(mail.body.len() as u64);
        let facts = client::MessageFacts { size, ..client::MessageFacts::default() };
        self.client.begin(envelope, facts).unwrap();
    }

    /// How many transactions the client began.
    pub(crate) fn begun(&self) -> usize {
        self.begun
    }

    /// The server hears that no more comes.
    pub(crate) fn end_server(&mut self) {
        match self.server_turn {
            Turn::Handshakes => self.server.tls_failed().unwrap(),
            _ => self.server.end_of_input(),
        }
        self.wake_server();
    }

    pub(crate) fn end_client(&mut self) {
        match self.client_turn {
            Turn::Handshakes => self.client.tls_failed().unwrap(),
            _ => self.client.end_of_input(),
        }
        self.wake_client();
    }

    /// The time of the phase is over.
    pub(crate) fn time_out_server(&mut self) {
        match self.server_turn {
            Turn::Handshakes => self.server.tls_failed().unwrap(),
            _ => self.server.timed_out(),
        }
        self.wake_server();
    }

    pub(crate) fn time_out_client(&mut self) {
        match self.client_turn {
            Turn::Handshakes => self.client.tls_failed().unwrap(),
            _ => self.client.timed_out(),
        }
        self.wake_client();
    }

    fn wake_server(&mut self) {
        if self.server_turn != Turn::Closed {
            self.server_turn = Turn::Works;
        }
    }

    fn wake_client(&mut self) {
        if self.client_turn != Turn::Closed {
            self.client_turn = Turn::Works;
        }
    }
}

fn no() -> Refusal {
    Refusal::permanent(Detail::new(1, 1), "no")
}

fn later() -> Refusal {
    Refusal::transient(Detail::new(3, 0), "later")
}

fn commit(answer: Answer) -> Commit {
    match answer {
        Answer::Yes => Commit::Accepted(None),
        Answer::No => Commit::Refused(no()),
        Answer::Later => Commit::Refused(later()),
    }
}

fn verdict(answer: Answer) -> Verdict {
    match answer {
        Answer::Yes => Verdict::Accept,
        Answer::No => Verdict::Refuse(no()),
        Answer::Later => Verdict::Refuse(later()),
    }
}
