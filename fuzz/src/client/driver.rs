//! One session under a script.

use std::collections::VecDeque;
use std::sync::Arc;

use smtp_proto::client::{
    AfterHello, AfterRefusal, AuthResponse, Envelope, Event, MessageFacts, Outcome, Output, Phase,
    Rejection, Session,
};
use smtp_proto::error::ApiMisuse;
use smtp_proto::wire::sasl::Secret;
use smtp_proto::wire::{
    Capabilities, ClientNames, Command, Extension, Mechanism, Reply, Syntax, UnknownParameters,
    Verb,
};

use super::view::{Sent, View};
use super::{Plan, Tls};
use crate::choices::Choices;
use crate::memory;
use crate::oracle;
use crate::script::{self, Step};

/// Octets that a session may hold beside what it was told: input space, and one block of the
/// message on its way out.
const MEMORY: usize = 128 * 1024;

#[derive(Debug, Default)]
pub(super) struct Trace {
    pub(super) facts: Vec<String>,
    pub(super) transmitted: Vec<u8>,
}

/// Something sent that awaits its reply.
#[derive(Debug)]
struct Awaited {
    what: Sent,
    /// Octets that had come when it was sent: its reply begins behind them.
    came: usize,
}

/// One transaction, as the oracle has it.
#[derive(Debug, Default)]
struct Transaction {
    /// The code of the reply to MAIL.
    mail: Option<u16>,
    /// The forward-paths and codes of the replies to RCPT, in order.
    recipients: Vec<(String, u16)>,
    /// A chunk was refused.
    chunk_refused: bool,
    /// The codes of the replies to the end of the message: one, or under LMTP one for each
    /// accepted recipient.
    ends: Vec<u16>,
    /// Octets of the message that were given, and whether that was all.
    given: usize,
    ended: bool,
    /// The end of the message was handed out to be sent.
    end_sent: bool,
    /// The server said 421.
    closing: bool,
    /// BODY=BINARYMIME was sent.
    binary: bool,
}

impl Transaction {
    fn accepted(&self) -> impl Iterator<Item = &str> {
        let mail = self.mail.is_some_and(positive);
        self.recipients.iter().filter(move |(_, code)| mail && positive(*code)).map(|(to, _)| &**to)
    }

    /// The code that says what became of the message for a recipient.
    fn end(&self, to: &str, lmtp: bool) -> Option<u16> {
        let number = self.accepted().position(|accepted| accepted == to)?;
        self.ends.get(if lmtp { number } else { 0 }).copied()
    }
}

fn positive(code: u16) -> bool {
    code / 100 == 2
}

pub(super) struct Driver<'c> {
    plan: &'c Plan,
    session: Session,
    pieces: Choices<'c>,
    trace: Trace,
    view: View,
    /// What came since the connection or the handshake began, and how much of it was paired.
    came: Vec<u8>,
    paired: usize,
    awaited: VecDeque<Awaited>,
    /// A reply came that no command asked for, or something that is no reply: from here on, no
    /// reply means anything.
    broken: bool,
    transaction: Option<Transaction>,
    begun: usize,
    concluded: usize,
    delivered: usize,
    under_tls: bool,
    asked_auth: bool,
    authenticated: bool,
    /// Transactions, since the server said what it takes.
    transactions: u32,
    drop_next: bool,
    handshake_fails: bool,
    wants_tls: bool,
    closed: bool,
    outputs: usize,
    calls: usize,
}

impl<'c> Driver<'c> {
    pub(super) fn new(plan: &'c Plan, pieces: Choices<'c>) -> Self {
        let implicit = plan.config.implicit_tls;
        let connection = Awaited { what: Sent::Connection, came: 0 };
        Self {
            plan,
            session: Session::new(Arc::new(plan.config.clone())),
            pieces,
            trace: Trace::default(),
            view: View::new(),
            came: Vec::new(),
            paired: 0,
            awaited: if implicit { VecDeque::new() } else { VecDeque::from([connection]) },
            broken: false,
            transaction: None,
            begun: 0,
            concluded: 0,
            delivered: 0,
            under_tls: false,
            asked_auth: false,
            authenticated: false,
            transactions: 0,
            drop_next: false,
            handshake_fails: false,
            wants_tls: false,
            closed: false,
            outputs: 0,
            calls: 0,
        }
    }

    /// Drives the whole script. Cuts are made within a reply alone: what comes behind one in the
    /// same read was sent before its command, and must be seen so.
    pub(super) fn run(mut self, steps: &[Step<'_>], mut cuts: Option<Choices<'_>>) -> Trace {
        let mut steps = steps.iter();
        loop {
            let waits = self.drain(&mut steps);
            if self.closed {
                break;
            }
            if self.wants_tls {
                // The next step is a part of the handshake only where it says how that ends.
                if steps.as_slice().first() == Some(&Step::Event(script::TLS_FAILED)) {
                    steps.next();
                    self.handshake_fails = true;
                }
                self.handshake();
                continue;
            }
            assert!(waits);
            match steps.next() {
                Some(Step::Read(octets)) => self.feed(octets, cuts.as_mut()),
                Some(Step::Event(event)) => self.event(*event),
                None => self.session.end_of_input(),
            }
        }
        self.finish()
    }

    fn finish(mut self) -> Trace {
        assert_eq!(self.concluded, self.begun, "each transaction has its outcomes once");
        let allowed = 256 + 16 * (self.calls + self.plan.recipients * self.plan.messages);
        assert!(self.outputs <= allowed, "{} outputs in {} calls", self.outputs, self.calls);
        for _ in 0..3 {
            assert!(matches!(self.session.poll_output(), Output::Close));
            assert!(self.session.input().is_empty());
            assert!(self.session.received(1).is_err());
            assert!(self.session.quit().is_err());
        }
        let held = memory::held_by(self.session);
        let most = MEMORY + 4 * self.came.len();
        assert!(held <= most, "{held} octets held");
        self.trace
    }

    fn event(&mut self, event: u8) {
        self.calls += 1;
        match event {
            script::END_OF_INPUT => self.session.end_of_input(),
            script::TIMED_OUT => self.session.timed_out(),
            script::SHUT_DOWN => self.session.shut_down(),
            script::TLS_FAILED => self.handshake_fails = true,
            script::DROP => self.drop_next = true,
            script::MISUSE => {
                assert_eq!(self.session.tls_established(), Err(ApiMisuse::TlsNotAsked));
                assert_eq!(self.session.tls_failed(), Err(ApiMisuse::TlsNotAsked));
                assert!(self.session.quit().is_err() && self.session.end_of_body().is_err());
                let space = self.session.input().len();
                assert!(self.session.received(space + 1).is_err());
            }
            _ => {}
        }
    }

    /// Gives a read to the session; with cuts, in pieces up to the end of its first reply.
    fn feed(&mut self, octets: &[u8], cuts: Option<&mut Choices<'_>>) {
        let mut octets = octets;
        if let Some(cuts) = cuts {
            let so_far = self.came.len();
            let all = [&self.came[self.paired..], octets].concat();
            let first = match oracle::reply::first(&all) {
                Ok(Some(reply)) => reply.octets.saturating_sub(so_far - self.paired),
                Ok(None) => octets.len(),
                // Where it stops being a reply is not known here.
                Err(_) => 0,
            };
            let mut within = first.saturating_sub(1);
            while within > 0 && !octets.is_empty() {
                let len = cuts.cut(within);
                let taken = self.give(&octets[..len]);
                let waits = self.drain(&mut [].iter());
                assert!(waits, "a part of a reply is no reply");
                octets = &octets[taken..];
                within -= taken;
            }
        }
        while !octets.is_empty() {
            let taken = self.give(octets);
            octets = &octets[taken..];
            if !octets.is_empty() && !self.drain(&mut [].iter()) {
                return;
            }
        }
    }

    /// Gives as much as there is space for.
    fn give(&mut self, octets: &[u8]) -> usize {
        let under_tls = self.under_tls;
        let space = self.session.input();
        let n = space.len().min(octets.len());
        assert!(n > 0, "a session that waits has space");
        for (to, octet) in space.iter_mut().zip(&octets[..n]) {
            *to = script::voice(*octet, under_tls);
        }
        self.came.extend(octets[..n].iter().map(|octet| script::voice(*octet, under_tls)));
        self.session.received(n).expect("it waits");
        self.calls += n;
        self.pair();
        n
    }

    /// Pairs each whole reply with the oldest command that was sent before it came.
    fn pair(&mut self) {
        while !self.broken {
            let reply = match oracle::reply::first(&self.came[self.paired..]) {
                Ok(Some(reply)) => reply,
                Ok(None) => return,
                Err(_) => {
                    self.broken = true;
                    return;
                }
            };
            let due = self.awaited.front().is_some_and(|awaited| awaited.came <= self.paired);
            if !due {
                self.broken = true;
                return;
            }
            let Some(awaited) = self.awaited.pop_front() else { return };
            self.paired += reply.octets;
            self.broken |= reply.code == 421;
            if awaited.what == Sent::Line(Verb::Auth) {
                self.authenticated |= positive(reply.code);
                if reply.code == 334 {
                    self.view.is_challenged();
                }
            }
            let Some(transaction) = &mut self.transaction else { continue };
            transaction.closing |= reply.code == 421;
            match &awaited.what {
                Sent::Line(Verb::Mail) => transaction.mail = Some(reply.code),
                Sent::Rcpt(to) => transaction.recipients.push((to.clone(), reply.code)),
                Sent::Line(Verb::Data) if reply.code == 354 => self.view.text_begins(),
                Sent::Line(Verb::Bdat) => transaction.chunk_refused |= !positive(reply.code),
                Sent::EndOfMessage => {
                    transaction.ends.push(reply.code);
                    let more = transaction.ends.len() < transaction.accepted().count();
                    if self.plan.config.lmtp && more {
                        self.awaited.push_front(awaited);
                    }
                }
                _ => {}
            }
        }
    }

    fn handshake(&mut self) {
        self.wants_tls = false;
        self.calls += 1;
        assert!(self.session.input().is_empty(), "input before the handshake");
        assert!(self.session.received(1).is_err());
        assert!(self.view.is_between_commands());
        if std::mem::take(&mut self.handshake_fails) {
            self.session.tls_failed().expect("it was asked for");
            return;
        }
        self.session.tls_established().expect("it was asked for");
        assert_eq!(self.session.tls_established(), Err(ApiMisuse::TlsNotAsked));
        assert_eq!(self.session.capabilities(), &Capabilities::default());
        assert!(self.session.under_tls());
        self.under_tls = true;
        self.came.clear();
        self.paired = 0;
        self.awaited.clear();
        self.transactions = 0;
        if self.plan.config.implicit_tls {
            self.awaited.push_back(Awaited { what: Sent::Connection, came: 0 });
        }
    }

    /// Takes outputs until the session waits; `false` where it does not, but is closed or wants
    /// TLS. Steps that are reads may come while the message is asked for.
    fn drain(&mut self, steps: &mut std::slice::Iter<'_, Step<'_>>) -> bool {
        loop {
            if self.closed || self.wants_tls {
                return false;
            }
            self.outputs += 1;
            match self.session.poll_output() {
                Output::Transmit(octets) => {
                    assert!(!octets.is_empty());
                    self.trace.transmitted.extend(octets);
                    let came = self.came.len();
                    for what in self.view.read(octets) {
                        if let (Sent::EndOfMessage, Some(transaction)) =
                            (&what, &mut self.transaction)
                        {
                            transaction.end_sent = true;
                        }
                        self.awaited.push_back(Awaited { what, came });
                    }
                    self.judge_sent();
                }
                Output::Ehlo(ask, capabilities) => {
                    assert!(!self.under_tls);
                    let offered = capabilities.to_reply("").text().contains("STARTTLS");
                    let verdict = match self.plan.tls {
                        Tls::Always => AfterHello::StartTls,
                        Tls::WhenOffered | Tls::Required if offered => AfterHello::StartTls,
                        Tls::Required => AfterHello::Quit,
                        Tls::Never | Tls::WhenOffered => AfterHello::Proceed,
                    };
                    if !std::mem::take(&mut self.drop_next) {
                        self.session.answer(ask, verdict).expect("it is open");
                    }
                }
                Output::StartTlsRefused(ask, reply) => {
                    assert!(!self.under_tls && reply.code().get() != 220);
                    let verdict = match self.plan.tls {
                        Tls::Required | Tls::Always => AfterRefusal::Quit,
                        _ => AfterRefusal::Proceed,
                    };
                    if !std::mem::take(&mut self.drop_next) {
                        self.session.answer(ask, verdict).expect("it is open");
                    }
                }
                Output::StartTls => {
                    assert!(!self.under_tls);
                    self.trace.facts.push("StartTls".into());
                    self.wants_tls = true;
                }
                Output::Ready => self.begin(),
                Output::AuthChallenge(ask, _) => {
                    let verdict = match self.pieces.below(4) {
                        0 => AuthResponse::Cancel,
                        length => AuthResponse::Response(Secret::from(vec![b's'; length.into()])),
                    };
                    if !std::mem::take(&mut self.drop_next) {
                        self.session.answer(ask, verdict).expect("it is open");
                    }
                }
                Output::Body => {
                    if self.plan.reads_in_body
                        && let Some(Step::Read(octets)) = steps.as_slice().first()
                    {
                        steps.next();
                        if self.session.input().len() >= octets.len() {
                            self.give(octets);
                            continue;
                        }
                    }
                    self.body();
                }
                Output::Outcomes(outcomes) => self.judge(&outcomes),
                Output::Wait(_) => return true,
                Output::Note(event) => self.note(event),
                Output::Close => self.closed = true,
            }
        }
    }

    fn begin(&mut self) {
        assert!(self.transaction.is_none() && self.view.is_between_commands());
        assert!(self.under_tls || !matches!(self.plan.tls, Tls::Required | Tls::Always));
        for other in self.session.capabilities().other() {
            assert!(!self.under_tls || !script::said_in_clear(other), "{other}");
        }
        if self.begun == self.plan.messages {
            self.session.quit().expect("it is ready");
            return;
        }
        if let Some(first) = self.plan.auth.filter(|_| !self.asked_auth) {
            self.asked_auth = true;
            let mechanism = Mechanism::parse("PLAIN").expect("a mechanism");
            let allowed = self.under_tls || self.plan.config.auth_in_clear;
            let begun = self.session.authenticate(mechanism, first);
            assert!(begun.is_err() || allowed, "credentials in clear");
            if begun.is_ok() {
                return;
            }
        }
        self.begun += 1;
        let wide = Syntax {
            extensions: Extension::ALL.iter().copied().collect(),
            unknown_parameters: UnknownParameters::Keep,
            client_names: ClientNames::Strict,
        };
        let mail = Command::parse_with(self.plan.mail.as_bytes(), &wide);
        let Ok(Command::Mail(mail)) = mail else { panic!("{mail:?}") };
        let mut envelope = Envelope::from_mail(&mail);
        for number in 0..self.plan.recipients {
            let rcpt = self.plan.rcpt(number);
            let rcpt = Command::parse_with(rcpt.as_bytes(), &wide);
            let Ok(Command::Rcpt(rcpt)) = rcpt else { panic!("{rcpt:?}") };
            envelope.add_rcpt(&rcpt);
        }
        let facts = MessageFacts {
            size: self.plan.size_known.then_some(self.plan.body.len() as u64),
            eight_bit: Some(self.plan.body.iter().any(|octet| *octet > 127)),
            ..MessageFacts::default()
        };
        self.session.begin(envelope, facts).expect("it is ready");
        assert_eq!(self.session.quit(), Err(ApiMisuse::NotReady));
        self.transaction = Some(Transaction::default());
    }

    fn body(&mut self) {
        let transaction = self.transaction.as_mut().expect("a message of no transaction");
        let unanswered = self.awaited.iter().any(|awaited| matches!(awaited.what, Sent::Rcpt(_)));
        assert!(unanswered || transaction.accepted().next().is_some(), "nobody to send it to");
        assert!(!transaction.ended, "the message is asked for again");
        self.calls += 1;
        let rest = &self.plan.body[transaction.given..];
        if rest.is_empty() {
            transaction.ended = true;
            self.session.end_of_body().expect("it is asked for");
        } else {
            let piece = match usize::from(self.pieces.octet()) {
                0 => rest,
                side => &rest[..rest.len().min(side * side)],
            };
            let taken = self.session.body(piece).expect("it is asked for");
            assert!(0 < taken && taken <= piece.len());
            transaction.given += taken;
        }
    }

    /// What was sent so far: a message only whole, and no parameter that was not offered.
    fn judge_sent(&mut self) {
        let came = self.came.to_ascii_uppercase();
        let offered =
            |keyword: &str| came.windows(keyword.len()).any(|at| at == keyword.as_bytes());
        for parameters in self.view.parameters.drain(..) {
            for parameter in parameters.split_ascii_whitespace() {
                let keyword = match parameter.split('=').next().unwrap_or_default() {
                    "BODY" if parameter.ends_with("BINARYMIME") => "BINARYMIME",
                    "BODY" => "8BITMIME",
                    "RET" | "ENVID" | "NOTIFY" | "ORCPT" => "DSN",
                    "HOLDFOR" | "HOLDUNTIL" => "FUTURERELEASE",
                    "BY" => "DELIVERBY",
                    keyword => keyword,
                };
                assert!(offered(keyword), "{parameter} was not offered");
                assert!(keyword != "AUTH" || self.authenticated, "AUTH= to a stranger");
                assert!(keyword != "REQUIRETLS" || self.under_tls, "REQUIRETLS in clear");
                if let Some(transaction) = &mut self.transaction {
                    transaction.binary |= keyword == "BINARYMIME";
                }
            }
        }
        for message in self.view.messages.drain(..) {
            let transaction = self.transaction.as_ref().expect("a message of no transaction");
            if !message.in_chunks && transaction.accepted().next().is_none() {
                // DATA was accepted for nobody, and is ended at once.
                assert!(message.text.is_empty() && transaction.given == 0);
                continue;
            }
            assert!(transaction.ended, "the end is sent before the message is over");
            if transaction.binary {
                assert!(message.in_chunks);
                assert_eq!(message.text, self.plan.body);
                continue;
            }
            let expected = oracle::data::sent(&self.plan.body, self.plan.config.message);
            assert_eq!(Ok(message.text), expected);
        }
    }

    /// One outcome each; and delivered is who was accepted, when the end of the message was.
    fn judge(&mut self, outcomes: &[Outcome]) {
        self.concluded += 1;
        let transaction = self.transaction.take().expect("outcomes of no transaction");
        assert_eq!(outcomes.len(), self.plan.recipients);
        let limits = self.session.capabilities().limits();
        let sent = u32::try_from(transaction.recipients.len()).expect("a few");
        assert!(limits.rcpt_max.is_none_or(|most| sent <= most), "{sent} recipients");
        self.transactions += u32::from(transaction.mail.is_some());
        let transactions = self.transactions;
        assert!(limits.mail_max.is_none_or(|most| transactions <= most), "{transactions} MAILs");
        for (number, outcome) in outcomes.iter().enumerate() {
            self.trace.facts.push(format!("{outcome:?}"));
            let to = self.plan.recipient(number);
            let accepted = transaction.accepted().any(|accepted| accepted == to);
            let end = transaction.end(&to, self.plan.config.lmtp);
            let taken = end.is_some_and(positive) && !transaction.chunk_refused;
            match outcome {
                Outcome::Delivered { reply } => {
                    assert!(accepted && taken, "delivered by none: {transaction:?}");
                    assert!(transaction.ended && transaction.end_sent);
                    assert_eq!(Some(reply.code().get()), end);
                    self.delivered += 1;
                    self.heard(reply);
                }
                Outcome::Deferred { failure, may_have_been_accepted } => {
                    // A refused RSET, and a reply that has no place, end the session; what stood
                    // behind them in their group is in doubt.
                    let unread = *may_have_been_accepted
                        && !matches!(failure.phase, Phase::FinalDot | Phase::BdatLast);
                    assert!(!(accepted && taken) || unread, "the server has it: {transaction:?}");
                    assert!(!may_have_been_accepted || transaction.end_sent);
                    let in_doubt = transaction.end_sent && accepted && end.is_none();
                    assert!(
                        *may_have_been_accepted || !in_doubt || transaction.closing,
                        "the server may have it: {transaction:?}"
                    );
                    if let Some(reply) = &failure.reply {
                        self.heard(reply);
                    }
                }
                Outcome::Rejected(rejection) => {
                    assert!(!(accepted && taken), "the server has it: {transaction:?}");
                    if let Rejection::ByServer { reply, .. } = rejection {
                        assert_eq!(reply.code().get() / 100, 5);
                        self.heard(reply);
                    }
                }
            }
        }
    }

    fn note(&mut self, event: Event) {
        self.trace.facts.push(format!("{event:?}"));
        match &event {
            Event::Greeted(reply) | Event::EhloRefused(reply) => self.heard(reply),
            Event::Failed(failure) => {
                if let Some(reply) = &failure.reply {
                    self.heard(reply);
                }
            }
            _ => {}
        }
    }

    /// Under TLS, nothing that was said in clear is told.
    fn heard(&self, reply: &Reply) {
        assert!(!self.under_tls || !script::said_in_clear(reply.text()), "{reply}");
    }
}
