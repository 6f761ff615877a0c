//! A client session as a vector's settings want it: its caller sends the message where it may.

use std::mem;
use std::sync::Arc;

use smtp_proto::client::{
    AfterHello, AfterRefusal, Config, EightBit, Envelope, MessageFacts, Outcome, Output, Session,
};
use smtp_proto::wire::{ClientName, Extension, ForwardPath, LineEnds, Mechanism, ReversePath};
use smtp_testkit::transcript::Side;
use smtp_testkit::vector::{Inside, Subject, Vector};

/// What the caller wants of TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tls {
    None,
    Opportunistic,
    Required,
    Implicit,
}

pub(crate) struct Driver {
    session: Session,
    tls: Tls,
    from: String,
    to: Vec<String>,
    message: Vec<u8>,
    messages: usize,
    credentials: Option<String>,
    begun: usize,
    unsent: usize,
    output: Vec<u8>,
    outcomes: Vec<String>,
    wants_tls: bool,
    closed: bool,
}

impl Driver {
    pub(crate) fn new(vector: &Vector, policy: &str) -> Self {
        let tls = match vector.setting("tls") {
            None | Some("none") => Tls::None,
            Some("opportunistic") => Tls::Opportunistic,
            Some("required") => Tls::Required,
            Some("implicit") => Tls::Implicit,
            Some(other) => panic!("{}: tls: {other}", vector.name),
        };
        let mut config = Config::new(ClientName::parse("client.example").unwrap());
        config.implicit_tls = tls == Tls::Implicit;
        config.eight_bit = EightBit::SendAsIs;
        config.message.line_ends = match policy {
            "normalize" => LineEnds::Normalize,
            "refuse" => LineEnds::Refuse,
            other => panic!("no policy: {other}"),
        };
        let mut to: Vec<String> = vector.settings("to").map(str::to_owned).collect();
        if to.is_empty() {
            to.push("b@b.example".to_owned());
        }
        let mut driver = Self {
            session: Session::new(Arc::new(config)),
            tls,
            from: vector.setting("from").unwrap_or("a@a.example").to_owned(),
            to,
            message: vector.octets("message").unwrap_or(b"Subject: x\r\n\r\ntext\r\n".to_vec()),
            messages: vector.setting("messages").map_or(1, |count| count.parse().unwrap()),
            credentials: vector.setting("credentials").map(str::to_owned),
            begun: 0,
            unsent: 0,
            output: Vec::new(),
            outcomes: Vec::new(),
            wants_tls: false,
            closed: false,
        };
        driver.drain();
        driver
    }

    /// Authenticates first, where it has credentials and may.
    fn ready(&mut self) {
        let Some(credentials) = self.credentials.take() else { return self.begin() };
        let (user, secret) = credentials.split_once(' ').unwrap();
        let message = format!("\0{user}\0{secret}");
        let plain = Mechanism::parse("PLAIN").unwrap();
        if self.session.authenticate(plain, Some(message.as_bytes())).is_err() {
            self.begin();
        }
    }

    fn begin(&mut self) {
        if self.begun == self.messages {
            self.session.quit().unwrap();
            return;
        }
        self.begun += 1;
        self.unsent = self.message.len();
        let mut envelope = Envelope::new(&ReversePath::parse(&self.from).unwrap());
        for to in &self.to {
            envelope.add(&ForwardPath::parse(to).unwrap());
        }
        let facts = MessageFacts {
            size: Some(self.message.len() as u64),
            eight_bit: Some(self.message.iter().any(|octet| *octet > 127)),
            utf8_header: None,
        };
        self.session.begin(envelope, facts).unwrap();
    }

    fn drain(&mut self) {
        while !self.wants_tls && !self.closed {
            match self.session.poll_output() {
                Output::Transmit(octets) => self.output.extend_from_slice(octets),
                Output::Ehlo(ask, capabilities) => {
                    let verdict = match self.tls {
                        Tls::None => AfterHello::Proceed,
                        Tls::Implicit => panic!("asked under TLS"),
                        _ if capabilities.has(Extension::StartTls) => AfterHello::StartTls,
                        Tls::Opportunistic => AfterHello::Proceed,
                        Tls::Required => AfterHello::Quit,
                    };
                    self.session.answer(ask, verdict).unwrap();
                }
                Output::AuthChallenge(..) => panic!("PLAIN has one message"),
                Output::StartTlsRefused(ask, _) => {
                    let verdict = match self.tls {
                        Tls::Required => AfterRefusal::Quit,
                        _ => AfterRefusal::Proceed,
                    };
                    self.session.answer(ask, verdict).unwrap();
                }
                Output::StartTls => self.wants_tls = true,
                Output::Ready => self.ready(),
                Output::Body if self.unsent == 0 => self.session.end_of_body().unwrap(),
                Output::Body => {
                    let unsent = &self.message[self.message.len() - self.unsent..];
                    // In pieces, so that line ends and dots fall on every border.
                    let piece = &unsent[..unsent.len().min(3)];
                    self.unsent -= self.session.body(piece).unwrap();
                }
                Output::Outcomes(outcomes) => {
                    self.outcomes.extend(outcomes.iter().map(|outcome| word(outcome).to_owned()));
                }
                Output::Note(_) => {}
                Output::Wait(_) => return,
                Output::Close => self.closed = true,
            }
        }
    }
}

fn word(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Delivered { .. } => "delivered",
        Outcome::Deferred { may_have_been_accepted: false, .. } => "deferred",
        Outcome::Deferred { may_have_been_accepted: true, .. } => "doubtful",
        Outcome::Rejected(_) => "rejected",
    }
}

impl Side for Driver {
    fn feed(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() && !self.closed {
            if self.wants_tls {
                // The rest of the read is no handshake.
                return self.tls_failed();
            }
            let space = self.session.input();
            let n = space.len().min(bytes.len());
            assert!(n > 0, "a session that waits has space");
            space[..n].copy_from_slice(&bytes[..n]);
            self.session.received(n).unwrap();
            bytes = &bytes[n..];
            self.drain();
        }
    }

    fn take_output(&mut self) -> Vec<u8> {
        mem::take(&mut self.output)
    }

    fn wants_tls(&self) -> bool {
        self.wants_tls
    }

    fn tls_established(&mut self) {
        self.wants_tls = false;
        self.session.tls_established().unwrap();
        self.drain();
    }

    fn tls_failed(&mut self) {
        self.wants_tls = false;
        self.session.tls_failed().unwrap();
        self.drain();
    }

    fn end_of_input(&mut self) {
        self.session.end_of_input();
        self.drain();
    }

    fn timed_out(&mut self) {
        self.session.timed_out();
        self.drain();
    }

    fn shut_down(&mut self) {
        self.session.shut_down();
        self.drain();
    }

    fn closed(&self) -> bool {
        self.closed
    }
}

impl Subject for Driver {
    fn inside(&self) -> Inside {
        Inside { messages: None, outcomes: Some(self.outcomes.clone()) }
    }
}
