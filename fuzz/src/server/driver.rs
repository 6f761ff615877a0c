//! One session under a script.

use std::collections::HashSet;
use std::sync::Arc;

use smtp_proto::ask::{Ask, Question};
use smtp_proto::error::{ApiMisuse, PeerMisbehaved};
use smtp_proto::limits::AUTH_LINE;
use smtp_proto::server::{
    Answerable, AuthVerdict, Commit, Config, Event, Output, Phase, Session, Verdict, question,
};
use smtp_proto::wire::sasl::Exchange;
use smtp_proto::wire::{
    BareLf, Bdat, BodyType, Class, Code, Command, Detail, Extension, Refusal, Reply, Verb,
};

use super::order::Order;
use crate::choices::Choices;
use crate::memory;
use crate::oracle;
use crate::script::{self, Step};

/// Octets that a session may hold while it waits for a command, beside the longest one.
const COMMAND_MEMORY: usize = 12 * 1024;
/// Octets that a session may hold while it waits for message text.
const BODY_MEMORY: usize = 80 * 1024;

/// What a session did, as far as no cut may change it.
#[derive(Debug, Default)]
pub(super) struct Trace {
    pub(super) facts: Vec<Fact>,
    pub(super) transmitted: Vec<u8>,
    /// Where reads end made a difference, as it must.
    pub(super) cut_mattered: bool,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Fact {
    Hello(String, bool),
    Mail(String),
    Rcpt(String),
    Data,
    Auth(String),
    Request(String),
    Message(Vec<u8>),
    Abort,
    StartTls,
    Note(Event),
    Close,
}

/// What the octets are that come next, as an oracle sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    /// None may come yet.
    Greeting,
    Commands,
    /// Message text, which began so far into what was fed.
    Text(usize),
    /// So many octets of a chunk, the last one of its message.
    Chunk(u64, bool),
}

pub(super) struct Driver<'c> {
    session: Session,
    bare_lf: BareLf,
    max_size: Option<u64>,
    max_line: usize,
    /// What the mode is behind a handshake under which the session begins, or at once.
    first: Mode,
    bounds_refused: bool,
    chunking: bool,
    lmtp: bool,
    /// The body was declared as BINARYMIME.
    binary: bool,
    /// The chunks of the message that is on its way.
    chunks: Option<Vec<u8>>,
    /// The next line belongs to an authentication exchange.
    exchange: bool,
    answers: Choices<'c>,
    order: Order,
    trace: Trace,
    asked: HashSet<String>,
    drop_next: bool,
    handshake_fails: bool,
    message: Vec<u8>,
    mode: Mode,
    fed: Vec<u8>,
    /// Where the line that is read began in it.
    line_start: usize,
    /// Commits that were asked for, and messages that came to their end.
    commits: usize,
    ends: usize,
    kept: Option<Vec<u8>>,
    stopping: bool,
    /// The end of the input, or of the time, has come.
    interrupted: bool,
    /// A question was dropped, which ends the session.
    drop_happened: bool,
    outputs: usize,
    calls: usize,
    phase: Option<Phase>,
    wants_tls: bool,
}

impl<'c> Driver<'c> {
    pub(super) fn new(config: &Config, answers: Choices<'c>) -> Self {
        let first = match config.greeting_delay {
            Some(_) => Mode::Greeting,
            None => Mode::Commands,
        };
        Self {
            first,
            chunking: config.capabilities.has(Extension::Chunking),
            lmtp: config.lmtp,
            binary: false,
            chunks: None,
            exchange: false,
            bounds_refused: config.max_refused_octets.is_some_and(|most| most < 1000),
            session: Session::new(Arc::new(config.clone())),
            bare_lf: config.bare_lf,
            max_size: config.max_message_size,
            max_line: config.max_command_line,
            answers,
            order: Order { auth_in_clear: config.auth_in_clear, ..Order::default() },
            trace: Trace::default(),
            asked: HashSet::new(),
            drop_next: false,
            handshake_fails: false,
            message: Vec::new(),
            mode: first,
            fed: Vec::new(),
            line_start: 0,
            commits: 0,
            ends: 0,
            kept: None,
            stopping: false,
            interrupted: false,
            drop_happened: false,
            outputs: 0,
            calls: 0,
            phase: None,
            wants_tls: false,
        }
    }

    /// Drives the whole script; without cuts, one octet at a time and with the oracle.
    pub(super) fn run(mut self, steps: &[Step<'_>], mut cuts: Option<Choices<'_>>) -> Trace {
        self.drain();
        let greeted = !self.wants_tls && self.first == Mode::Commands;
        assert_eq!(replies(&self.trace.transmitted), usize::from(greeted));
        for step in steps {
            // A handshake takes the connection: what came in the same read is lost to it.
            if self.wants_tls {
                self.handshake();
            }
            match (*step, &mut cuts) {
                (Step::Event(event), _) => self.event(event),
                (Step::Read(octets), Some(cuts)) => {
                    for piece in cuts.pieces(octets) {
                        self.feed(piece);
                    }
                }
                (Step::Read(octets), None) => {
                    for octet in octets {
                        self.feed_one(*octet);
                    }
                }
            }
        }
        if self.wants_tls {
            self.handshake();
        }
        if cuts.is_none() {
            self.judge_partial_message();
        }
        self.finish()
    }

    fn finish(mut self) -> Trace {
        let allowed = 64 + 16 * self.calls;
        assert!(self.outputs <= allowed, "{} outputs in {} calls", self.outputs, self.calls);
        let most = match self.phase {
            Some(Phase::Body) => BODY_MEMORY,
            _ => COMMAND_MEMORY + 2 * self.max_line.max(AUTH_LINE),
        };
        let closed = self.order.closed;
        if closed {
            self.fact(Fact::Close);
        }
        if closed {
            for _ in 0..3 {
                assert!(matches!(self.session.poll_output(), Output::Close));
                assert!(self.session.input().is_empty());
                assert!(self.session.received(1).is_err());
            }
        }
        let held = memory::held_by(self.session);
        assert!(held <= most, "{held} octets held in {:?}", self.phase);
        self.trace
    }

    fn event(&mut self, event: u8) {
        self.calls += 1;
        match event {
            script::END_OF_INPUT => {
                self.interrupted = true;
                self.session.end_of_input();
            }
            script::TIMED_OUT => {
                if self.mode == Mode::Greeting {
                    self.mode = Mode::Commands;
                } else {
                    self.interrupted = true;
                }
                self.session.timed_out();
            }
            script::SHUT_DOWN => {
                self.stopping = true;
                self.session.shut_down();
            }
            script::TLS_FAILED => self.handshake_fails = true,
            script::DROP => self.drop_next = true,
            script::MISUSE => self.misuse(),
            _ => {}
        }
        if matches!(event, script::END_OF_INPUT | script::TIMED_OUT | script::SHUT_DOWN) {
            self.drain();
        }
    }

    /// Calls that have no place here change nothing.
    fn misuse(&mut self) {
        assert_eq!(self.session.tls_established(), Err(ApiMisuse::TlsNotAsked));
        assert_eq!(self.session.tls_failed(), Err(ApiMisuse::TlsNotAsked));
        let space = self.session.input().len();
        assert!(self.session.received(space + 1).is_err());
        let mut other = Session::new(Arc::new(Config::new("other.example")));
        let _ = other.poll_output();
    }

    fn feed(&mut self, mut octets: &[u8]) {
        while !octets.is_empty() && !self.order.closed && !self.wants_tls {
            let under_tls = self.order.under_tls;
            let space = self.session.input();
            let n = space.len().min(octets.len());
            assert!(n > 0, "a session that waits has space");
            for (to, octet) in space.iter_mut().zip(&octets[..n]) {
                *to = script::voice(*octet, under_tls);
            }
            self.fed.extend(octets[..n].iter().map(|octet| script::voice(*octet, under_tls)));
            self.session.received(n).expect("it waits");
            octets = &octets[n..];
            self.calls += n;
            self.drain();
        }
    }

    /// Feeds one octet, and holds what the session does against the oracle.
    fn feed_one(&mut self, octet: u8) {
        if self.order.closed || self.wants_tls {
            return;
        }
        let before = self.trace.transmitted.len();
        let mode = self.mode;
        if mode != Mode::Commands {
            self.line_start = self.fed.len() + 1;
        }
        let exchange = self.exchange;
        if octet == b'\n' {
            self.exchange = false;
        }
        if let (Mode::Chunk(..), Some(chunks)) = (mode, &mut self.chunks) {
            chunks.push(script::voice(octet, self.order.under_tls));
        }
        self.feed(&[octet]);
        let mut replies = replies(&self.trace.transmitted[before..]);
        let shown = || String::from_utf8_lossy(&self.fed).into_owned();
        if replies == 2 && self.order.closed {
            // Behind the reply, 421 says that it was the last.
            replies = 1;
        }
        match mode {
            Mode::Greeting => {
                assert!(replies == 1 && self.order.closed, "who speaks first is not heard");
            }
            // One line, one reply; and none before its end, but to a line that is none of SMTP.
            Mode::Commands if octet == b'\n' => {
                let line = &self.fed[self.line_start.min(self.fed.len())..];
                let bdat = if exchange { None } else { bdat(line) };
                let too_long = line.len() > self.max_line;
                self.line_start = self.fed.len();
                match bdat.filter(|bdat| bdat.size > 0) {
                    Some(Bdat { size, last }) if replies == 0 => {
                        // Who sends one sends its octets, whether it was offered or not.
                        assert!(self.chunking || !self.order.message, "not offered, and taken");
                        self.mode = Mode::Chunk(size, last);
                    }
                    Some(_) => {
                        assert!(self.order.closed || too_long, "{:?}", shown());
                    }
                    None if bdat.is_some_and(|bdat| bdat.last) => {
                        assert!(replies >= 1 || self.lmtp, "{:?}", shown());
                        self.judge_chunks();
                    }
                    None => assert_eq!(replies, 1, "{:?}", shown()),
                }
            }
            Mode::Commands => assert!(replies == 0 || self.order.closed, "{:?}", shown()),
            Mode::Text(start) => {
                if self.fed.ends_with(b".\r\n") {
                    let message = oracle::data::decode(&self.fed[start..], self.bare_lf);
                    if message.end.is_some() {
                        self.judge_message(message, replies);
                        return;
                    }
                }
                let expelled = self.bounds_refused && self.order.closed;
                assert!(replies == 0 || expelled, "{:?}", shown());
            }
            Mode::Chunk(1, last) => {
                self.mode = Mode::Commands;
                // In LMTP one for each accepted recipient, and so none where there is none
                // (RFC 2033, 4.3); how many is held by the transcripts.
                let one = replies == 1 || self.lmtp && last;
                assert!(one || self.stopping && replies == 2, "{:?}", shown());
                if last {
                    self.judge_chunks();
                }
            }
            Mode::Chunk(left, last) => {
                let expelled = self.bounds_refused && self.order.closed;
                assert!(replies == 0 || expelled, "{:?}", shown());
                self.mode = Mode::Chunk(left - 1, last);
            }
        }
    }

    /// The last chunk is whole: its message is kept or refused.
    fn judge_chunks(&mut self) {
        assert!(!self.order.open, "a transaction goes on behind the last chunk");
        let Some(chunks) = self.chunks.take() else {
            assert_eq!(self.kept, None, "a message of no chunks");
            return;
        };
        self.ends += 1;
        assert!(self.commits <= self.ends);
        let message = oracle::data::chunks(&chunks, self.line_ends());
        let kept = message.refused.is_none().then_some(message.body);
        assert_eq!(self.kept.take(), kept);
    }

    /// How the lines of a message in chunks are judged.
    fn line_ends(&self) -> Option<BareLf> {
        (!self.binary).then_some(self.bare_lf)
    }

    /// A transaction ends without its message. In the middle of a chunk there must be a reason.
    fn aborted(&mut self) {
        if self.kept.is_some() {
            // It was handed out whole, and its question dropped.
            return;
        }
        let Some(chunks) = self.chunks.take() else { return };
        if matches!(self.mode, Mode::Chunk(..)) && !self.interrupted {
            let message = oracle::data::chunks(&chunks, self.line_ends());
            let fits = self.max_size.is_none_or(|most| message.body.len() as u64 <= most);
            assert!(message.refused.is_some() || !fits || self.drop_happened, "given up");
        }
    }

    /// The last octet was the end of a message, which is now kept or refused, and answered.
    fn judge_message(&mut self, message: oracle::data::Message, replies: usize) {
        self.mode = Mode::Commands;
        self.ends += 1;
        let due = if self.lmtp { self.order.recipients.max(1) } else { 1 };
        let stopped = replies == due + usize::from(self.stopping);
        assert!(stopped || replies >= 1 && self.order.closed, "{replies} replies, {due} are due");
        assert!(self.commits <= self.ends && !self.order.open);
        let fits = self.max_size.is_none_or(|most| message.body.len() as u64 <= most);
        let kept = (message.refused.is_none() && fits).then_some(message.body);
        assert_eq!(self.kept.take(), kept);
    }

    /// What was handed out of a message that has not ended is what the oracle has of it.
    fn judge_partial_message(&self) {
        if let (Mode::Chunk(..), Some(chunks), true) = (self.mode, &self.chunks, self.order.message)
        {
            assert_eq!(self.message, oracle::data::chunks(chunks, self.line_ends()).body);
        }
        let Mode::Text(start) = self.mode else { return };
        if self.order.message {
            let expected = oracle::data::decode(&self.fed[start..], self.bare_lf);
            assert_eq!(expected.end, None);
            assert_eq!(self.message, expected.body);
        }
    }

    fn handshake(&mut self) {
        self.wants_tls = false;
        self.calls += 1;
        // What the peer said before it is still here to be read, and must not be.
        assert!(self.session.input().is_empty(), "input before the handshake");
        assert_eq!(self.session.received(1), Err(ApiMisuse::InputBeforeDrain));
        if std::mem::take(&mut self.handshake_fails) {
            self.session.tls_failed().expect("it was asked for");
        } else {
            self.session.tls_established().expect("it was asked for");
            assert_eq!(self.session.tls_established(), Err(ApiMisuse::TlsNotAsked));
            assert!(self.session.under_tls() && self.session.hello().is_none());
            assert!(!self.session.authenticated());
            self.exchange = false;
            if self.trace.facts == [Fact::StartTls] && self.trace.transmitted.is_empty() {
                self.mode = self.first;
            }
            self.order.tls_established();
        }
        self.fed.clear();
        self.line_start = 0;
        self.drain();
    }

    fn drain(&mut self) {
        if self.wants_tls {
            return;
        }
        loop {
            self.outputs += 1;
            let output = self.session.poll_output();
            self.order.check(&output);
            self.phase = match &output {
                Output::Wait(phase) => Some(*phase),
                _ => None,
            };
            match output {
                Output::Transmit(octets) => self.trace.transmitted.extend(octets),
                Output::Hello(hello) => {
                    let name = heard(&self.order, hello.name.to_owned());
                    let extended = hello.extended;
                    self.fact(Fact::Hello(name, extended));
                    self.order.greeted = true;
                }
                Output::Auth(ask, exchange) => {
                    let said = match exchange {
                        Exchange::Begin { mechanism, initial_response } => {
                            format!("{mechanism} {initial_response:?}")
                        }
                        Exchange::Response(octets) => format!("{octets:?}"),
                    };
                    self.fact(Fact::Auth(said));
                    self.auth(ask);
                }
                Output::Request(ask, command) => {
                    let text = heard(&self.order, command.to_string());
                    let xclient = command.verb() == Verb::Xclient;
                    self.fact(Fact::Request(text));
                    self.request(ask, xclient);
                }
                Output::Mail(ask, mail) => {
                    self.binary = mail.parameters.body == Some(BodyType::BinaryMime);
                    let text = heard(&self.order, mail.to_string());
                    self.fact(Fact::Mail(text));
                    if self.verdict(ask) {
                        self.order.mail_accepted();
                    }
                }
                Output::Rcpt(ask, rcpt) => {
                    let text = heard(&self.order, rcpt.to_string());
                    self.fact(Fact::Rcpt(text));
                    if self.verdict(ask) {
                        self.order.recipients += 1;
                    }
                }
                Output::Data(ask) => {
                    self.fact(Fact::Data);
                    if self.verdict(ask) {
                        self.order.message = true;
                        self.message.clear();
                        let line = &self.fed[self.line_start.min(self.fed.len())..];
                        if bdat(line).is_some() {
                            self.chunks = Some(Vec::new());
                        } else {
                            self.mode = Mode::Text(self.fed.len());
                        }
                    }
                }
                Output::Body(octets) => {
                    assert!(!self.order.under_tls || !octets.contains(&b'Q'), "in clear");
                    self.message.extend(octets);
                    let octets = self.message.len() as u64;
                    assert!(self.max_size.is_none_or(|most| octets <= most));
                }
                Output::EndOfMessage(ask) => self.end_of_message(ask),
                Output::Abort => {
                    self.fact(Fact::Abort);
                    self.order.transaction_ended();
                    self.aborted();
                }
                Output::StartTls => {
                    self.fact(Fact::StartTls);
                    self.wants_tls = true;
                    return;
                }
                Output::Note(event) => self.note(event),
                Output::Wait(_) => return,
                Output::Close => {
                    self.order.closed = true;
                    return;
                }
            }
        }
    }

    fn note(&mut self, event: Event) {
        match event {
            // How many there are is the cut's.
            Event::InputBehindStartTls { octets } => {
                assert!(octets > 0);
                self.trace.cut_mattered = true;
            }
            Event::ImproperPipelining { .. } => {}
            Event::Refused { fault: PeerMisbehaved::ImproperPipelining, .. } => {
                self.trace.cut_mattered = true;
            }
            event => self.fact(Fact::Note(event)),
        }
    }

    /// Behind the first difference that a cut may make, nothing is to be compared.
    fn fact(&mut self, fact: Fact) {
        if !self.trace.cut_mattered {
            self.trace.facts.push(fact);
        }
    }

    fn end_of_message(&mut self, ask: Ask<question::EndOfMessage>) {
        self.once(&ask);
        self.commits += 1;
        let message = std::mem::take(&mut self.message);
        self.kept = Some(message.clone());
        self.fact(Fact::Message(message));
        if self.dropped() {
            return;
        }
        let reply = |code, text: &str| Reply::new(code, None, text);
        let commit = match self.answers.below(10) {
            0..=3 => Commit::Accepted(None),
            8 | 9 => Commit::PerRecipient(vec![
                Commit::Accepted(None),
                Commit::Refused(Refusal::permanent(Detail::new(6, 0), "no")),
            ]),
            4 => Commit::Accepted(Some(reply(Code::OK, "kept\nas 1"))),
            5 => Commit::Accepted(Some(reply(Code::LOCAL_ERROR, "not a yes"))),
            6 => Commit::Refused(Refusal::permanent(Detail::new(6, 0), "no")),
            _ => Commit::Refused(closing()),
        };
        self.session.answer(ask, commit).expect("it is open");
        self.order.transaction_ended();
    }

    /// Answers a question about a command; whether with yes.
    fn verdict<Q: Question<Verdict = Verdict> + Answerable>(&mut self, ask: Ask<Q>) -> bool {
        self.once(&ask);
        if self.dropped() {
            return false;
        }
        let verdict = match self.answers.below(16) {
            0..=10 => Verdict::Accept,
            11 | 12 => Verdict::Refuse(Refusal::permanent(Detail::new(1, 1), "no")),
            13 => Verdict::Refuse(Refusal::transient(Detail::new(3, 0), "later")),
            14 => Verdict::Refuse(closing()),
            _ => Verdict::RefuseAndClose(Refusal::permanent(Detail::new(7, 1), "never")),
        };
        let accepted = verdict == Verdict::Accept;
        self.session.answer(ask, verdict).expect("it is open");
        accepted
    }

    fn auth(&mut self, ask: Ask<question::Auth>) {
        self.once(&ask);
        if self.dropped() {
            return;
        }
        let verdict = match self.answers.below(8) {
            0..=2 => AuthVerdict::Accept,
            3..=6 => AuthVerdict::Challenge(b"more"[..usize::from(self.answers.below(5))].to_vec()),
            _ => AuthVerdict::Refuse(Refusal::permanent(Detail::new(7, 8), "no")),
        };
        self.exchange = matches!(verdict, AuthVerdict::Challenge(_));
        let accepted = verdict == AuthVerdict::Accept;
        self.session.answer(ask, verdict).expect("it is open");
        self.order.authenticated = accepted;
        assert_eq!(self.session.authenticated(), accepted);
    }

    fn request(&mut self, ask: Ask<question::Request>, xclient: bool) {
        self.once(&ask);
        if self.dropped() {
            return;
        }
        let (code, text) = match self.answers.below(8) {
            0..=4 => (Code::OK, "one\ntwo"),
            5 => (Code::CANNOT_VERIFY, "perhaps"),
            6 => (Code::MAILBOX_UNAVAILABLE, "no"),
            _ => (Code::SERVICE_NOT_AVAILABLE, "bye"),
        };
        self.session.answer(ask, Reply::new(code, None, text)).expect("it is open");
        if xclient && positive(code) {
            self.order.forget_client();
        }
    }

    fn dropped(&mut self) -> bool {
        let dropped = std::mem::take(&mut self.drop_next);
        self.drop_happened |= dropped;
        dropped
    }

    fn once<Q: Question>(&mut self, ask: &Ask<Q>) {
        assert!(self.asked.insert(format!("{ask:?}")), "{ask:?} is asked twice");
    }
}

fn positive(code: Code) -> bool {
    code.class() == Class::Positive
}

/// What BDAT a line is, with its line end.
fn bdat(line: &[u8]) -> Option<Bdat> {
    let line = line.strip_suffix(b"\n")?;
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    match Command::parse(line) {
        Ok(Command::Bdat(bdat)) => Some(bdat),
        _ => None,
    }
}

/// What a handler is told was said where it is told.
fn heard(order: &Order, text: String) -> String {
    assert!(!order.under_tls || !script::said_in_clear(&text), "said in clear: {text}");
    text
}

fn closing() -> Refusal {
    Refusal::new(Reply::new(Code::SERVICE_NOT_AVAILABLE, None, "bye")).expect("421 refuses")
}

/// How many replies these octets are; all of them belong to one.
fn replies(mut octets: &[u8]) -> usize {
    let mut count = 0;
    while !octets.is_empty() {
        let reply = oracle::reply::first(octets).expect("a reply").expect("a whole one");
        for line in octets[..reply.octets].split_inclusive(|octet| *octet == b'\n') {
            assert!(line.len() <= smtp_proto::limits::REPLY_LINE);
        }
        octets = &octets[reply.octets..];
        count += 1;
    }
    count
}
