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
//! A read of no octets is the end of input, and [`Session::end_of_input`] says so. `received(0)`
//! does not: it is no error, and the session goes on to wait.
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
//!             match n {
//!                 0 => session.end_of_input(),
//!                 n => session.received(n)?,
//!             }
//!         }
//!         Output::Close => break,
//!         Output::Hello(_) | Output::Abort | Output::Note(_) => {}
//!         Output::StartTls | Output::Auth(..) | Output::Request(..) => {
//!             unreachable!("it was not offered")
//!         }
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
//! it knows neither the client's name, nor who authenticated, nor a transaction of before.
//!
//! # Chunks
//!
//! BDAT asks [`Output::Data`] once for a message, at its first chunk; [`Output::Body`] and
//! [`Output::EndOfMessage`] follow as behind DATA. The octets behind a BDAT that is refused are
//! read and dropped before the reply, where it was not offered too: they are never read as
//! commands. A refused chunk ends the transaction. Where nobody knows how many octets follow, or
//! they are more than [`Config::max_refused_octets`] lets the session read for nobody, the refusal
//! ends the session.
//!
//! # AUTH
//!
//! [`Output::Auth`] hands out what the client says, decoded, until the answer is no
//! [`AuthVerdict::Challenge`]; its lines are wiped from the input once they are read. Where AUTH
//! was not offered it is refused at once, and what a client sends behind it without waiting is read
//! as commands: it is base64, and no verb has that form, except by a chance that is the client's
//! own.
//!
//! # Limits
//!
//! Each protocol error counts against [`Config::max_errors`], each refusal that is none (by the
//! handler, or met in good faith) against [`Config::max_refusals`], and each command that moves no
//! message against [`Config::max_junk`]; an accepted message forgives all three.

mod answer;
mod auth;
mod body;
mod command;
mod config;
mod conversation;
mod counts;
mod event;
mod foreign;
mod greeting;
mod input;
mod queue;
pub mod replies;
pub mod state;
mod transaction;

use alloc::sync::Arc;
use core::ops::Range;

pub use self::answer::Answerable;
pub use self::config::{Config, ExtensionsAfterHelo, ImproperPipelining, Requests, Tls};
pub use self::event::{AuthVerdict, Commit, Event, Hello, Output, Phase, Verdict, question};

use self::command::{Line, verb_of};
use self::conversation::{Conversation, End, Request, Stage};
use self::input::Input;
use self::queue::Notice;
use self::state::{Admit, Asked, State};
use self::transaction::Transaction;
use crate::ask::Ask;
use crate::error::ApiMisuse;
use crate::limits;
use crate::wire::{Command, Extension};

/// One SMTP session, seen from the server.
#[derive(Debug)]
pub struct Session {
    input: Input,
    line: Line,
    talk: Conversation,
    waiting: bool,
}

/// An output before it borrows anything.
enum Step {
    Transmit,
    /// A line whose question borrows from it: MAIL, RCPT or a request, not read yet.
    Question(State, Range<usize>),
    /// AUTH, not read yet.
    Auth(State, Range<usize>),
    AuthResponse(Ask<question::Auth>),
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
        Self {
            input: Input::default(),
            line: Line::new(line_limit(&config)),
            talk: Conversation::new(config),
            waiting: false,
        }
    }

    /// The next thing to do.
    pub fn poll_output(&mut self) -> Output<'_> {
        self.waiting = false;
        self.talk.queue.begin_output(limits::SERVER_IDLE_REPLIES);
        self.talk.give_up_what_was_dropped();
        let step = loop {
            if let Some(step) = self.step() {
                break step;
            }
        };
        match step {
            Step::Transmit => {
                self.talk.queue.mark_handed_out();
                Output::Transmit(self.talk.queue.replies())
            }
            Step::Question(state, line) => self.question(state, line),
            Step::Auth(state, line) => self.auth(state, line),
            Step::AuthResponse(ask) => self.auth_response(ask),
            Step::Data(ask) => Output::Data(ask),
            Step::Body(range) => Output::Body(self.input.at(range)),
            Step::Insert(octets) => Output::Body(octets),
            Step::EndOfMessage(ask) => Output::EndOfMessage(ask),
            Step::Notice(notice) => self.talk.output(notice),
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

    /// The wait may be a long one: gives back what is not needed for it. [`Session::input`] is as before
    /// when it is asked for again. A server whose clients mostly do nothing holds so much less memory;
    /// what is read at once needs none of this.
    pub fn idle(&mut self) {
        if self.waiting {
            self.input.give_back();
            self.talk.queue.give_back();
        }
    }

    /// `n` octets were read into [`Session::input`]. None is no end of input: the session waits on.
    /// A driver whose read found the end says [`Session::end_of_input`].
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

    /// No more input comes, and none is taken. What is already here is still worked on.
    pub fn end_of_input(&mut self) {
        self.waiting = false;
        self.talk.end.get_or_insert(End::PeerClosed);
    }

    /// The time of the [`Phase`] is over: the peer is told 421, and the session ends; in
    /// [`Phase::Greeting`] it is greeted.
    pub fn timed_out(&mut self) {
        self.waiting = false;
        if self.talk.stage == Stage::Greeting {
            if self.input.len() == 0 && self.talk.end.is_none() && !self.talk.stopping {
                self.talk.greet();
            }
            return;
        }
        self.talk.end.get_or_insert(End::TimedOut);
    }

    /// The server stops: the peer is told 421 instead of an answer to its next command, and the
    /// session ends. A message that is on its way is still taken.
    pub fn shut_down(&mut self) {
        self.talk.stopping = true;
    }

    /// The handshake that [`Output::StartTls`] asked for is done; from here on all octets are
    /// the ones inside TLS.
    ///
    /// # Errors
    /// [`ApiMisuse::TlsNotAsked`] if it was not asked for.
    pub fn tls_established(&mut self) -> Result<(), ApiMisuse> {
        let Stage::Handshake(handshake) = self.talk.stage else {
            return Err(ApiMisuse::TlsNotAsked);
        };
        self.input.clear();
        self.line.reset();
        self.talk.begin_under_tls(handshake);
        Ok(())
    }

    /// The handshake that [`Output::StartTls`] asked for failed: the session ends, and says
    /// nothing in clear.
    ///
    /// # Errors
    /// [`ApiMisuse::TlsNotAsked`] if it was not asked for.
    pub fn tls_failed(&mut self) -> Result<(), ApiMisuse> {
        let Stage::Handshake(_) = self.talk.stage else { return Err(ApiMisuse::TlsNotAsked) };
        self.talk.note(Event::TlsFailed);
        self.talk.stage = Stage::Closing;
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
        self.talk.desk.take(ask)?;
        Q::settle(&mut self.talk, verdict);
        Ok(())
    }

    /// The client's name, once it gave one since the session began or TLS was established.
    #[must_use]
    pub fn hello(&self) -> Option<Hello<'_>> {
        self.talk.hello()
    }

    /// Whether the session runs inside TLS.
    #[must_use]
    pub const fn under_tls(&self) -> bool {
        self.talk.under_tls
    }

    /// Whether AUTH succeeded since the session began or TLS was established.
    #[must_use]
    pub const fn authenticated(&self) -> bool {
        self.talk.authenticated
    }

    /// One step of work: an output, or `None` where it only moved on.
    fn step(&mut self) -> Option<Step> {
        if let Some(notice) = self.talk.queue.next_notice() {
            return Some(Step::Notice(notice));
        }
        let commands = matches!(self.talk.stage, Stage::Commands(_));
        let most = if commands { limits::SERVER_HELD_REPLIES } else { 0 };
        if self.talk.queue.is_due() || self.talk.queue.held() > most {
            return Some(Step::Transmit);
        }
        match self.talk.stage {
            Stage::Greeting => self.step_greeting(),
            Stage::Commands(state) => self.step_commands(state),
            Stage::Message(reading) => self.step_message(reading),
            Stage::Chunk(chunk) => self.step_chunk(chunk),
            Stage::Authenticating(state) => self.step_exchange(state),
            Stage::MessageEnded => {
                self.talk.stage = Stage::Committing;
                Some(Step::EndOfMessage(self.talk.desk.ask()))
            }
            Stage::BeforeHandshake(handshake) => {
                self.talk.stage = Stage::Handshake(handshake);
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

    /// Reads a line whose question borrows from it, and puts the question; otherwise notes what
    /// is wrong with it.
    fn question(&mut self, state: State, line: Range<usize>) -> Output<'_> {
        let behind = self.input.len();
        let text = self.input.at(line);
        let talk = &mut self.talk;
        let parsed = Command::parse_with(text, &talk.syntax());
        let admit = talk.admit(state, text, &parsed, behind);
        match (admit, parsed) {
            (Admit::Ask(asked @ Asked::Mail), Ok(Command::Mail(mail))) => {
                talk.transaction = Transaction::asked(&mail.parameters);
                Output::Mail(talk.ask(state, asked), mail)
            }
            (Admit::Ask(asked @ Asked::Rcpt), Ok(Command::Rcpt(rcpt))) => {
                Output::Rcpt(talk.ask(state, asked), rcpt)
            }
            (Admit::Ask(asked @ Asked::Request), Ok(command)) => {
                let utf8 = match &command {
                    Command::Vrfy(query) | Command::Expn(query) => query.smtputf8(),
                    _ => false,
                };
                talk.request = Request { verb: command.verb(), utf8 };
                Output::Request(talk.ask(state, asked), command)
            }
            (admit, parsed) => {
                talk.refuse_question(state, admit, verb_of(text, &parsed), &parsed, behind)
            }
        }
    }
}

/// Lines of an authentication exchange may be longer than others.
fn line_limit(config: &Config) -> usize {
    if config.capabilities.has(Extension::Auth) {
        config.max_command_line.max(limits::AUTH_LINE)
    } else {
        config.max_command_line
    }
}
