//! The server's half of SMTP as a state machine without IO.
//!
//! Does: turn what a client sends into questions, message pieces and replies, in order. Does not:
//! read a clock or a socket, know TLS, or keep a message. Fails: what a client does wrong is a
//! reply; only a caller that breaks the loop's contract gets an [`ApiMisuse`].
//!
//! # The loop
//!
//! Drain, then feed: take outputs until [`Output::Wait`], and only then give input. A question is
//! answered before the next output is taken; one that is dropped tells the peer 451 and ends the
//! session. The session ends with [`Output::Close`], which is then all that it says.
//!
//! ```
//! use smtp_proto::server::{Commit, Config, Output, Session, Verdict};
//!
//! let mut client: &[u8] = b"EHLO a.example\r\nMAIL FROM:<a@a.example>\r\n\
//!     RCPT TO:<b@b.example>\r\nDATA\r\nHello\r\n.\r\nQUIT\r\n";
//! let mut session = Session::new(Config::new("b.example").into());
//! let (mut replies, mut message) = (Vec::new(), Vec::new());
//! loop {
//!     match session.poll_output() {
//!         Output::Transmit(octets) => replies.extend_from_slice(octets),
//!         Output::Mail(ask, _) => session.answer(ask, Verdict::Accept)?,
//!         Output::Rcpt(ask, _) => session.answer(ask, Verdict::Accept)?,
//!         Output::Data(ask) => session.answer(ask, Verdict::Accept)?,
//!         Output::Body(octets) => message.extend_from_slice(octets),
//!         Output::EndOfMessage(ask) => session.answer(ask, Commit::Accepted(None))?,
//!         Output::Wait(_) => {
//!             let space = session.input();
//!             let n = space.len().min(client.len());
//!             space[..n].copy_from_slice(&client[..n]);
//!             client = &client[n..];
//!             session.received(n)?;
//!         }
//!         Output::Close => break,
//!         Output::Hello(_) | Output::Abort | Output::Note(_) => {}
//!         Output::StartTls => unreachable!("it was not offered"),
//!     }
//! }
//! assert_eq!(message, b"Hello\r\n");
//! assert!(replies.ends_with(b"354 go ahead\r\n250 2.0.0 ok\r\n221 2.0.0 b.example\r\n"));
//! # Ok::<(), smtp_proto::error::ApiMisuse>(())
//! ```
//!
//! # STARTTLS
//!
//! It is a state. Octets that are already behind the command when it is read end the session;
//! from the 220 to [`Session::tls_established`] the session takes no input; behind the handshake
//! it knows neither the client's name nor a transaction of before.

mod body;
mod command;
mod config;
mod event;
mod input;
mod queue;
pub mod replies;
pub mod state;
mod transaction;

use alloc::string::String;
use alloc::sync::Arc;
use core::ops::Range;

pub use self::config::{Config, Tls};
pub use self::event::{Commit, Event, Hello, Output, Phase, Verdict, question};

use self::body::Body;
use self::command::Line;
use self::input::Input;
use self::queue::{Notice, Queue};
use self::state::{Asked, Settled, State};
use self::transaction::Transaction;
use crate::ask::{Ask, Desk, Question};
use crate::error::{ApiMisuse, PeerMisbehaved};
use crate::limits;
use crate::wire::{Class, Code, Command, Refusal, Verb};

/// One SMTP session, seen from the server.
#[derive(Debug)]
pub struct Session {
    config: Arc<Config>,
    stage: Stage,
    under_tls: bool,
    /// The client's name; whether it is one is `extended`'s to say.
    hello: String,
    /// `None` before EHLO or HELO, then whether it was EHLO.
    extended: Option<bool>,
    transaction: Transaction,
    input: Input,
    line: Line,
    body: Body,
    queue: Queue,
    desk: Desk,
    errors: u32,
    waiting: bool,
    end: Option<End>,
    stopping: bool,
}

/// What a session is busy with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Reads commands.
    Commands(State),
    /// Put a question at a command, and waits for its answer.
    Asking(State, Asked),
    /// Reads a message, for somebody or for nobody.
    Message(Reading),
    /// Has a whole message, and asks for its fate.
    MessageEnded,
    /// Put that question, and waits for its answer.
    Committing,
    /// Has to hand out [`Output::StartTls`]; nothing is read.
    BeforeHandshake(Handshake),
    /// Handed it out, and waits for the result; nothing is read.
    Handshake(Handshake),
    /// Has last replies to hand out; nothing is read or done any more.
    Closing,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reading {
    Taken,
    /// Consumed to its end, and then refused.
    Refused(PeerMisbehaved),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Handshake {
    /// Implicit TLS: the greeting comes behind it.
    First,
    /// STARTTLS.
    Upgrade,
}

/// Why no more input comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    PeerClosed,
    TimedOut,
}

/// An output before it borrows anything.
enum Step {
    Transmit,
    Mail(Ask<question::Mail>, Range<usize>),
    Rcpt(Ask<question::Rcpt>, Range<usize>),
    Data(Ask<question::Data>),
    Body(Range<usize>),
    Insert(&'static [u8]),
    EndOfMessage(Ask<question::EndOfMessage>),
    Notice(Notice),
    StartTls,
    Wait(Phase),
    Close,
}

impl Session {
    /// A new connection. The greeting is queued; under [`Tls::Implicit`] the handshake comes
    /// first.
    #[must_use]
    pub fn new(config: Arc<Config>) -> Self {
        let mut session = Self {
            stage: Stage::Commands(State::Connected),
            under_tls: false,
            hello: String::new(),
            extended: None,
            transaction: Transaction::default(),
            input: Input::default(),
            line: Line::new(config.max_command_line),
            body: Body::new(config.bare_lf),
            queue: Queue::default(),
            desk: Desk::new(),
            errors: 0,
            waiting: false,
            end: None,
            stopping: false,
            config,
        };
        match session.config.tls {
            Tls::Implicit => session.stage = Stage::BeforeHandshake(Handshake::First),
            Tls::Unavailable | Tls::StartTls => session.greet(),
        }
        session
    }

    /// The next thing to do.
    pub fn poll_output(&mut self) -> Output<'_> {
        self.waiting = false;
        self.queue.begin_output(limits::SERVER_IDLE_REPLIES);
        self.give_up_what_was_dropped();
        let step = loop {
            if let Some(step) = self.step() {
                break step;
            }
        };
        match step {
            Step::Transmit => {
                self.queue.mark_handed_out();
                Output::Transmit(self.queue.replies())
            }
            Step::Mail(ask, line) => match Command::parse(self.input.at(line)) {
                Ok(Command::Mail(mail)) => Output::Mail(ask, mail),
                _ => unreachable!("the same line was MAIL in the step before"),
            },
            Step::Rcpt(ask, line) => match Command::parse(self.input.at(line)) {
                Ok(Command::Rcpt(rcpt)) => Output::Rcpt(ask, rcpt),
                _ => unreachable!("the same line was RCPT in the step before"),
            },
            Step::Data(ask) => Output::Data(ask),
            Step::Body(range) => Output::Body(self.input.at(range)),
            Step::Insert(octets) => Output::Body(octets),
            Step::EndOfMessage(ask) => Output::EndOfMessage(ask),
            Step::Notice(Notice::Note(event)) => Output::Note(event),
            Step::Notice(Notice::Abort) => Output::Abort,
            Step::Notice(Notice::Hello) => {
                Output::Hello(self.hello().expect("it is set where the notice is queued"))
            }
            Step::StartTls => Output::StartTls,
            Step::Wait(phase) => {
                self.waiting = true;
                Output::Wait(phase)
            }
            Step::Close => Output::Close,
        }
    }

    /// Where to read into. It is empty unless the last output was [`Output::Wait`].
    pub fn input(&mut self) -> &mut [u8] {
        if self.waiting { self.input.space() } else { &mut [] }
    }

    /// `n` octets were read into [`Session::input`].
    ///
    /// # Errors
    /// [`ApiMisuse::InputBeforeDrain`] if the last output was not [`Output::Wait`], and
    /// [`ApiMisuse::InputOverrun`] if `n` is more than the space; nothing is taken then.
    pub fn received(&mut self, n: usize) -> Result<(), ApiMisuse> {
        if !self.waiting {
            return Err(ApiMisuse::InputBeforeDrain);
        }
        if !self.input.filled(n) {
            return Err(ApiMisuse::InputOverrun);
        }
        self.waiting = false;
        Ok(())
    }

    /// No more input comes. What is already here is still worked on.
    pub fn end_of_input(&mut self) {
        self.end.get_or_insert(End::PeerClosed);
    }

    /// The time of the [`Phase`] is over: the peer is told 421, and the session ends.
    pub fn timed_out(&mut self) {
        self.end.get_or_insert(End::TimedOut);
    }

    /// The server stops: the peer is told 421 instead of an answer to its next command, and the
    /// session ends. A message that is on its way is still taken.
    pub fn shut_down(&mut self) {
        self.stopping = true;
    }

    /// The handshake that [`Output::StartTls`] asked for is done; from here on all octets are
    /// the ones inside TLS.
    ///
    /// # Errors
    /// [`ApiMisuse::TlsNotAsked`] if it was not asked for.
    pub fn tls_established(&mut self) -> Result<(), ApiMisuse> {
        let Stage::Handshake(handshake) = self.stage else { return Err(ApiMisuse::TlsNotAsked) };
        self.under_tls = true;
        self.extended = None;
        self.hello.clear();
        self.transaction = Transaction::default();
        self.input.clear();
        self.line.reset();
        self.stage = Stage::Commands(State::Connected);
        match handshake {
            Handshake::First => self.greet(),
            Handshake::Upgrade => {}
        }
        Ok(())
    }

    /// The handshake that [`Output::StartTls`] asked for failed: the session ends, and says
    /// nothing in clear.
    ///
    /// # Errors
    /// [`ApiMisuse::TlsNotAsked`] if it was not asked for.
    pub fn tls_failed(&mut self) -> Result<(), ApiMisuse> {
        let Stage::Handshake(_) = self.stage else { return Err(ApiMisuse::TlsNotAsked) };
        self.note(Event::TlsFailed);
        self.stage = Stage::Closing;
        Ok(())
    }

    /// Answers a question.
    ///
    /// # Errors
    /// [`ApiMisuse::AnswerToAnotherSession`] and [`ApiMisuse::AnswerTooLate`] say what they say;
    /// the session is as if the call had not been made.
    pub fn answer<Q: Answerable>(
        &mut self,
        ask: Ask<Q>,
        verdict: Q::Verdict,
    ) -> Result<(), ApiMisuse> {
        self.desk.take(ask)?;
        Q::settle(self, verdict);
        Ok(())
    }

    /// The client's name, once it gave one since the session began or TLS was established.
    #[must_use]
    pub fn hello(&self) -> Option<Hello<'_>> {
        self.extended.map(|extended| Hello { name: &self.hello, extended })
    }

    /// Whether the session runs inside TLS.
    #[must_use]
    pub const fn under_tls(&self) -> bool {
        self.under_tls
    }

    fn greet(&mut self) {
        replies::greeting(self.queue.reply(), &self.config);
    }

    fn note(&mut self, event: Event) {
        self.queue.notice(Notice::Note(event));
    }

    fn say(&mut self, line: &'static str) {
        replies::line(self.queue.reply(), line);
    }

    /// One step of work: an output, or `None` where it only moved on.
    fn step(&mut self) -> Option<Step> {
        if let Some(notice) = self.queue.next_notice() {
            return Some(Step::Notice(notice));
        }
        let commands = matches!(self.stage, Stage::Commands(_));
        let most = if commands { limits::SERVER_HELD_REPLIES } else { 0 };
        if self.queue.is_due() || self.queue.held() > most {
            return Some(Step::Transmit);
        }
        match self.stage {
            Stage::Commands(state) => self.step_commands(state),
            Stage::Message(reading) => self.step_message(reading),
            Stage::MessageEnded => {
                self.stage = Stage::Committing;
                Some(Step::EndOfMessage(self.desk.ask()))
            }
            Stage::BeforeHandshake(handshake) => {
                self.stage = Stage::Handshake(handshake);
                Some(Step::StartTls)
            }
            Stage::Closing => {
                self.input.clear();
                Some(Step::Close)
            }
            Stage::Asking(..) | Stage::Committing | Stage::Handshake(_) => {
                unreachable!("given up before the step")
            }
        }
    }

    /// Whoever takes the next output without an answer to the last one has dropped it.
    fn give_up_what_was_dropped(&mut self) {
        let question = match self.stage {
            Stage::Asking(_, Asked::Mail) => question::Mail::NAME,
            Stage::Asking(_, Asked::Rcpt) => question::Rcpt::NAME,
            Stage::Asking(_, Asked::Data) => question::Data::NAME,
            Stage::Committing => question::EndOfMessage::NAME,
            Stage::Handshake(_) => {
                self.note(Event::TlsFailed);
                self.stage = Stage::Closing;
                return;
            }
            Stage::Commands(_)
            | Stage::Message(_)
            | Stage::MessageEnded
            | Stage::BeforeHandshake(_)
            | Stage::Closing => return,
        };
        self.desk.abandon();
        self.note(Event::QuestionDropped { question });
        self.say(replies::NO_ANSWER);
        self.close();
    }

    /// Ends the session behind what is queued. An open transaction is aborted.
    fn close(&mut self) {
        let open = match self.stage {
            Stage::Commands(state) | Stage::Asking(state, _) => state.in_transaction(),
            Stage::Message(Reading::Taken) | Stage::MessageEnded | Stage::Committing => true,
            Stage::Message(Reading::Refused(_))
            | Stage::BeforeHandshake(_)
            | Stage::Handshake(_)
            | Stage::Closing => false,
        };
        if open {
            self.queue.notice(Notice::Abort);
        }
        self.stage = Stage::Closing;
    }

    /// Ends the session because no more input comes.
    fn close_at_end(&mut self, end: End, phase: Phase, midway: bool) {
        match end {
            End::PeerClosed => self.note(Event::PeerClosed { midway }),
            End::TimedOut => {
                self.note(Event::TimedOut(phase));
                self.say(replies::TIMED_OUT);
            }
        }
        self.close();
    }

    /// Replies to a fault that lets the session go on, unless it was one too many.
    fn refuse(&mut self, verb: Option<Verb>, fault: PeerMisbehaved) {
        self.note(Event::Refused { verb, fault });
        let follows_refused_mail =
            fault == PeerMisbehaved::MailFirst && self.transaction.mail_was_refused();
        if fault.counts() && !follows_refused_mail {
            self.errors = self.errors.saturating_add(1);
        }
        if self.errors < self.config.max_errors {
            self.say(replies::fault(fault));
        } else {
            self.note(Event::Refused { verb, fault: PeerMisbehaved::TooManyErrors });
            self.say(replies::fault(PeerMisbehaved::TooManyErrors));
            self.close();
        }
    }

    /// Replies to a fault that leaves nothing to go on with.
    fn expel(&mut self, verb: Option<Verb>, fault: PeerMisbehaved) {
        self.note(Event::Refused { verb, fault });
        self.say(replies::fault(fault));
        self.close();
    }

    fn settle_command(&mut self, verdict: &Verdict) {
        let Stage::Asking(state, asked) = self.stage else {
            unreachable!("a question is open only in this stage")
        };
        let accepted = matches!(verdict, Verdict::Accept);
        match asked {
            Asked::Mail => self.transaction.begin(accepted),
            Asked::Rcpt => self.transaction.recipient(accepted),
            Asked::Data => {}
        }
        match verdict {
            Verdict::Accept => self.say(match asked {
                Asked::Mail => replies::SENDER_OK,
                Asked::Rcpt => replies::RECIPIENT_OK,
                Asked::Data => replies::GO_AHEAD,
            }),
            Verdict::Refuse(refusal) | Verdict::RefuseAndClose(refusal) => {
                self.say_refusal(refusal);
            }
        }
        self.stage = match state::settle(state, asked, accepted) {
            Settled::Commands(state) => Stage::Commands(state),
            Settled::Message => {
                self.body.begin();
                Stage::Message(Reading::Taken)
            }
        };
        match verdict {
            Verdict::RefuseAndClose(_) => self.close(),
            Verdict::Refuse(refusal) => self.close_behind(refusal),
            Verdict::Accept => {}
        }
    }

    fn settle_message(&mut self, commit: &Commit) {
        match commit {
            Commit::Accepted(reply) => {
                self.errors = 0;
                match reply {
                    Some(reply) if reply.code().class() == Class::Positive => {
                        reply.write_to(self.queue.reply())
                    }
                    _ => self.say(replies::MESSAGE_OK),
                }
            }
            Commit::Refused(refusal) => self.say_refusal(refusal),
        }
        self.stage = Stage::Commands(State::Greeted);
        if let Commit::Refused(refusal) = commit {
            self.close_behind(refusal);
        }
    }

    /// 421 says that the session ends (RFC 5321 section 3.8), whoever says it.
    fn close_behind(&mut self, refusal: &Refusal) {
        if refusal.reply().code() == Code::SERVICE_NOT_AVAILABLE {
            self.close();
        }
    }

    fn say_refusal(&mut self, refusal: &Refusal) {
        refusal.reply().write_to(self.queue.reply());
    }
}

/// A question that a server session puts.
pub trait Answerable: Question + sealed::Settle {}

impl<Q: Question + sealed::Settle> Answerable for Q {}

mod sealed {
    use super::{Commit, Session, Verdict, question};
    use crate::ask::Question;

    pub trait Settle: Question {
        fn settle(session: &mut Session, verdict: Self::Verdict);
    }

    impl Settle for question::Mail {
        fn settle(session: &mut Session, verdict: Verdict) {
            session.settle_command(&verdict);
        }
    }

    impl Settle for question::Rcpt {
        fn settle(session: &mut Session, verdict: Verdict) {
            session.settle_command(&verdict);
        }
    }

    impl Settle for question::Data {
        fn settle(session: &mut Session, verdict: Verdict) {
            session.settle_command(&verdict);
        }
    }

    impl Settle for question::EndOfMessage {
        fn settle(session: &mut Session, commit: Commit) {
            session.settle_message(&commit);
        }
    }
}
