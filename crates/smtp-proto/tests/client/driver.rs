//! A caller of the session that does what a transcript's settings say.
//!
//! | setting | means |
//! |---|---|
//! | `tls: none\|opportunistic\|required\|implicit` | the answers to the session's questions; default `none` |
//! | `from: ADDRESS [PARAMETERS]` | default `a@example.org` |
//! | `to: ADDRESS [PARAMETERS]` | one recipient each; default `b@example.org` |
//! | `body: TEXT` | the message; `\n` and `\r` are line ends, each character is one octet |
//! | `messages: N` | how many times it is sent; default 1 |
//! | `size: unknown` | its size is not told to the session |
//! | `eight-bit: send` | it is sent as it is where 8BITMIME is not offered |
//! | `eight-bit: undeclared` | nothing is said of octets above 127 |
//! | `utf8-header: yes\|no\|send` | what is known of the header; sent as it is |
//! | `line-ends: refuse` | bare line ends are refused |
//! | `long-lines: refuse` | lines over 998 octets are refused |
//! | `auth: MECHANISM [TEXT]` | before the first message, with the first message of the mechanism; `\x` there is an `x` 400 times |
//! | `auth-in-clear: yes` | also without TLS |
//! | `response: TEXT` | the answers to challenges, in their order; `*` cancels |
//! | `lmtp: yes` | LMTP is spoken |
//! | `chunking: never` | CHUNKING is not used where it is offered |
//! | `replies: lf` | replies may end in a bare LF |

use std::collections::VecDeque;
use std::sync::Arc;

use smtp_proto::client::{
    AfterHello, AfterRefusal, AuthResponse, Chunking, Config, EightBit, Envelope, Event,
    MessageFacts, Outcome, Output, Session, Utf8Header,
};
use smtp_proto::wire::{
    BareLf, ClientName, Command, Extension, LineEnds, LongLines, Mechanism, MessagePolicy, Syntax,
    UnknownParameters,
};
use smtp_testkit::transcript::{Side, Transcript};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tls {
    None,
    Opportunistic,
    Required,
    Implicit,
}

#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) tls: Tls,
    pub(crate) from: String,
    pub(crate) to: Vec<String>,
    pub(crate) body: Vec<u8>,
    /// The most octets of the message that are given at once.
    pub(crate) piece: usize,
    pub(crate) messages: usize,
    pub(crate) size_known: bool,
    pub(crate) eight_bit: EightBit,
    pub(crate) eight_bit_known: bool,
    /// The message is said to have no octet above 127, whatever it has.
    pub(crate) eight_bit_denied: bool,
    pub(crate) utf8_header: Option<bool>,
    pub(crate) utf8_sent_as_is: Utf8Header,
    pub(crate) message: MessagePolicy,
    pub(crate) auth: Option<String>,
    pub(crate) auth_in_clear: bool,
    pub(crate) responses: VecDeque<String>,
    pub(crate) lmtp: bool,
    pub(crate) chunking: Chunking,
    pub(crate) bare_lf: BareLf,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            tls: Tls::None,
            from: "a@example.org".into(),
            to: vec!["b@example.org".into()],
            body: b"hi\n".to_vec(),
            piece: usize::MAX,
            messages: 1,
            size_known: true,
            eight_bit: EightBit::Refuse,
            eight_bit_known: true,
            eight_bit_denied: false,
            utf8_header: None,
            utf8_sent_as_is: Utf8Header::Refuse,
            message: MessagePolicy::default(),
            auth: None,
            auth_in_clear: false,
            responses: VecDeque::new(),
            lmtp: false,
            chunking: Chunking::WhenOffered,
            bare_lf: BareLf::Reject,
        }
    }
}

/// Drives one session; what it says is kept.
pub(crate) struct Driver {
    plan: Plan,
    session: Session,
    output: Vec<u8>,
    events: Vec<String>,
    pub(crate) outcomes: Vec<Vec<Outcome>>,
    pub(crate) begun: usize,
    given: usize,
    wants_tls: bool,
    closed: bool,
}

impl Driver {
    pub(crate) fn new(plan: Plan) -> Self {
        let mut config = Config::new(ClientName::parse("client.example.org").unwrap());
        config.implicit_tls = plan.tls == Tls::Implicit;
        config.eight_bit = plan.eight_bit;
        config.message = plan.message;
        config.utf8_header = plan.utf8_sent_as_is;
        config.lmtp = plan.lmtp;
        config.auth_in_clear = plan.auth_in_clear;
        config.chunking = plan.chunking;
        config.bare_lf = plan.bare_lf;
        let mut driver = Self {
            plan,
            session: Session::new(Arc::new(config)),
            output: Vec::new(),
            events: Vec::new(),
            outcomes: Vec::new(),
            begun: 0,
            given: 0,
            wants_tls: false,
            closed: false,
        };
        driver.run();
        driver
    }

    pub(crate) fn from_transcript(transcript: &Transcript) -> Self {
        let mut plan = Plan::default();
        let mut to = Vec::new();
        for name in transcript.setting_names() {
            let value = transcript.setting(name).unwrap();
            match (name, value) {
                ("tls", "none") => plan.tls = Tls::None,
                ("tls", "opportunistic") => plan.tls = Tls::Opportunistic,
                ("tls", "required") => plan.tls = Tls::Required,
                ("tls", "implicit") => plan.tls = Tls::Implicit,
                ("from", from) => plan.from = from.into(),
                ("to", _) => to = transcript.settings("to").map(Into::into).collect(),
                ("body", body) => {
                    plan.body = body
                        .replace("\\n", "\n")
                        .replace("\\0", "\0")
                        .replace("\\r", "\r")
                        .chars()
                        .map(|c| u8::try_from(u32::from(c)).unwrap())
                        .collect();
                }
                ("messages", count) => plan.messages = count.parse().unwrap(),
                ("size", "unknown") => plan.size_known = false,
                ("eight-bit", "send") => plan.eight_bit = EightBit::SendAsIs,
                ("eight-bit", "undeclared") => plan.eight_bit_denied = true,
                ("eight-bit", "unknown") => plan.eight_bit_known = false,
                ("utf8-header", "yes") => plan.utf8_header = Some(true),
                ("utf8-header", "no") => plan.utf8_header = Some(false),
                ("utf8-header", "send") => {
                    plan.utf8_header = Some(true);
                    plan.utf8_sent_as_is = Utf8Header::SendAsIs;
                }
                ("line-ends", "refuse") => plan.message.line_ends = LineEnds::Refuse,
                ("long-lines", "refuse") => plan.message.long_lines = LongLines::Refuse,
                ("lmtp", "yes") => plan.lmtp = true,
                ("auth", auth) => plan.auth = Some(auth.replace("\\x", &"x".repeat(400))),
                ("auth-in-clear", "yes") => plan.auth_in_clear = true,
                ("response", _) => {
                    plan.responses = transcript.settings("response").map(String::from).collect();
                }
                ("chunking", "never") => plan.chunking = Chunking::Never,
                ("replies", "lf") => plan.bare_lf = BareLf::Normalize,
                (name, value) => panic!("{}: unknown setting {name}: {value}", transcript.name),
            }
        }
        if !to.is_empty() {
            plan.to = to;
        }
        Self::new(plan)
    }

    fn ready(&mut self) {
        let Some(auth) = self.plan.auth.take() else { return self.begin() };
        let (name, first) = match auth.split_once(' ') {
            Some((name, "=")) => (name, Some(&b""[..])),
            Some((name, first)) => (name, Some(first.as_bytes())),
            None => (auth.as_str(), None),
        };
        let begun = self.session.authenticate(Mechanism::parse(name).unwrap(), first);
        if let Err(error) = begun {
            self.events.push(format!("no authentication: {error}"));
        }
    }

    fn begin(&mut self) {
        if self.begun == self.plan.messages {
            self.session.quit().unwrap();
            return;
        }
        self.begun += 1;
        self.given = 0;
        let line = |verb: &str, (address, parameters): (&str, &str)| {
            format!("{verb}:<{address}>{parameters}")
        };
        let syntax = Syntax {
            extensions: Extension::ALL.iter().copied().collect(),
            unknown_parameters: UnknownParameters::Keep,
            ..Syntax::default()
        };
        let from = line("MAIL FROM", split(&self.plan.from));
        let Command::Mail(mail) = Command::parse_with(from.as_bytes(), &syntax).unwrap() else {
            panic!("{from}");
        };
        let mut envelope = Envelope::from_mail(&mail);
        for to in &self.plan.to {
            let to = line("RCPT TO", split(to));
            let Command::Rcpt(rcpt) = Command::parse_with(to.as_bytes(), &syntax).unwrap() else {
                panic!("{to}");
            };
            envelope.add_rcpt(&rcpt);
        }
        let facts = MessageFacts {
            size: self.plan.size_known.then_some(self.plan.body.len() as u64),
            eight_bit: self
                .plan
                .eight_bit_known
                .then(|| !self.plan.eight_bit_denied && !self.plan.body.is_ascii()),
            utf8_header: self.plan.utf8_header,
        };
        self.session.begin(envelope, facts).unwrap();
    }

    fn run(&mut self) {
        loop {
            match self.session.poll_output() {
                Output::Transmit(octets) => self.output.extend_from_slice(octets),
                Output::Ehlo(ask, capabilities) => {
                    let verdict = match self.plan.tls {
                        Tls::None => AfterHello::Proceed,
                        Tls::Implicit => panic!("asked under TLS"),
                        _ if capabilities.has(Extension::StartTls) => AfterHello::StartTls,
                        Tls::Opportunistic => AfterHello::Proceed,
                        Tls::Required => AfterHello::Quit,
                    };
                    self.session.answer(ask, verdict).unwrap();
                }
                Output::StartTlsRefused(ask, _) => {
                    let verdict = match self.plan.tls {
                        Tls::Required => AfterRefusal::Quit,
                        _ => AfterRefusal::Proceed,
                    };
                    self.session.answer(ask, verdict).unwrap();
                }
                Output::StartTls => {
                    self.wants_tls = true;
                    return;
                }
                Output::Ready => self.ready(),
                Output::AuthChallenge(ask, challenge) => {
                    let challenge = String::from_utf8_lossy(challenge);
                    self.events.push(format!("challenge {challenge:?}"));
                    let response = match self.plan.responses.pop_front().unwrap() {
                        text if text == "*" => AuthResponse::Cancel,
                        text => AuthResponse::Response(text.into_bytes().into()),
                    };
                    self.session.answer(ask, response).unwrap();
                }
                Output::Note(Event::Authenticated(reply)) => {
                    assert!(self.session.is_authenticated());
                    self.events.push(format!("authenticated {reply}"));
                }
                Output::Note(Event::AuthRefused(reply)) => {
                    assert!(!self.session.is_authenticated());
                    self.events.push(format!("not authenticated {reply}"));
                }
                Output::Note(Event::AuthCancelled(reply)) => {
                    assert!(!self.session.is_authenticated());
                    self.events.push(format!("cancelled {reply}"));
                }
                Output::Body => match &self.plan.body[self.given..] {
                    [] => self.session.end_of_body().unwrap(),
                    rest => {
                        let piece = &rest[..rest.len().min(self.plan.piece)];
                        self.given += self.session.body(piece).unwrap();
                    }
                },
                Output::Outcomes(outcomes) => {
                    for (to, outcome) in self.plan.to.iter().zip(&outcomes) {
                        self.events.push(format!("{} {}", split(to).0, describe(outcome)));
                    }
                    self.outcomes.push(outcomes);
                }
                Output::Note(Event::Failed(failure)) => {
                    self.events.push(format!("failed {failure}"));
                }
                Output::Note(Event::LeftOut(extension)) => {
                    self.events.push(format!("left out {extension}"));
                }
                Output::Note(_) => {}
                Output::Wait(_) => return,
                Output::Close => {
                    self.closed = true;
                    return;
                }
            }
        }
    }
}

/// The address, and the parameters behind it with their space.
fn split(setting: &str) -> (&str, &str) {
    let address = setting.find(' ').unwrap_or(setting.len());
    let (address, parameters) = setting.split_at(address);
    (address.trim_matches(['<', '>']), parameters)
}

fn describe(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Delivered { reply } => format!("delivered {reply}"),
        Outcome::Deferred { failure, may_have_been_accepted: false } => {
            format!("deferred {failure}")
        }
        Outcome::Deferred { failure, may_have_been_accepted: true } => {
            format!("deferred, maybe accepted, {failure}")
        }
        Outcome::Rejected(rejection) => format!("rejected {rejection}"),
    }
}

impl Side for Driver {
    fn feed(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() && !self.closed && !self.wants_tls {
            let space = self.session.input();
            let octets = space.len().min(bytes.len());
            assert!(octets > 0, "the session waits and takes nothing");
            space[..octets].copy_from_slice(&bytes[..octets]);
            self.session.received(octets).unwrap();
            bytes = &bytes[octets..];
            self.run();
        }
    }

    fn take_output(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.output)
    }

    fn take_events(&mut self) -> Vec<String> {
        std::mem::take(&mut self.events)
    }

    fn wants_tls(&self) -> bool {
        self.wants_tls
    }

    fn tls_established(&mut self) {
        self.wants_tls = false;
        self.session.tls_established().unwrap();
        self.run();
    }

    fn tls_failed(&mut self) {
        self.wants_tls = false;
        self.session.tls_failed().unwrap();
        self.run();
    }

    fn end_of_input(&mut self) {
        self.session.end_of_input();
        self.run();
    }

    fn timed_out(&mut self) {
        self.session.timed_out();
        self.run();
    }

    fn shut_down(&mut self) {
        self.session.shut_down();
        self.run();
    }

    fn closed(&self) -> bool {
        self.closed
    }
}
