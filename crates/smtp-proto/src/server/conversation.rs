//! What a session knows and has to say, beside its unread input.
//!
//! Does: hold the state of the session apart from its input, so that an output may borrow from a
//! line while the session moves on; reply, note, count, and end the session. Does not: read
//! octets. Fails: nothing here fails.

use alloc::string::String;
use alloc::sync::Arc;

use super::body::Body;
use super::config::{Config, Tls};
use super::counts::Counts;
use super::event::{Event, Hello, Output, Phase, question};
use super::queue::{Notice, Queue};
use super::replies;
use super::state::{Asked, State};
use super::transaction::Transaction;
use crate::ask::{Desk, Question};
use crate::error::PeerMisbehaved;
use crate::wire::sasl::Secret;
use crate::wire::{Bdat, Detail, Extension, Extensions, Refusal, Reply, Verb};

#[derive(Debug)]
pub struct Conversation {
    pub(super) config: Arc<Config>,
    pub(super) stage: Stage,
    pub(super) under_tls: bool,
    /// The client's name; whether it is one is `extended`'s to say.
    pub(super) hello: String,
    /// `None` before EHLO or HELO, then whether it was EHLO.
    pub(super) extended: Option<bool>,
    /// A line began with a known verb since the session began or TLS was established.
    pub(super) spoke_smtp: bool,
    /// [`Event::ImproperPipelining`] was said.
    pub(super) noted_pipelining: bool,
    /// What is offered now.
    pub(super) offered: Extensions,
    pub(super) authenticated: bool,
    /// The client's last message of an authentication exchange.
    pub(super) secret: Option<Secret>,
    /// The handler's no to a message whose chunk is still to be read.
    pub(super) refusal: Option<Refusal>,
    /// The chunk behind the BDAT about which the handler is asked.
    pub(super) first_chunk: Bdat,
    /// The command that the handler is asked to answer.
    pub(super) request: Request,
    pub(super) transaction: Transaction,
    pub(super) body: Body,
    pub(super) counts: Counts,
    pub(super) queue: Queue,
    pub(super) desk: Desk,
    pub(super) end: Option<End>,
    pub(super) stopping: bool,
}

/// What a session is busy with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// Holds the greeting back.
    Greeting,
    /// Reads commands.
    Commands(State),
    /// Put a question at a command, and waits for its answer.
    Asking(State, Asked),
    /// Reads a message, for somebody or for nobody.
    Message(Reading),
    /// Reads a chunk of a message, for somebody or for nobody.
    Chunk(Chunk),
    /// Reads the client's answer to a challenge.
    Authenticating(State),
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
pub(super) enum Reading {
    Taken,
    /// Consumed to its end, and then refused.
    Refused(PeerMisbehaved),
    /// Consumed to its end, and then refused with what the handler said.
    RefusedByHandler,
}

/// A command that the handler answers.
#[derive(Clone, Copy, Debug)]
pub(super) struct Request {
    pub(super) verb: Verb,
    /// Its reply may hold letters outside ASCII (RFC 6531 section 3.7.4.2).
    pub(super) utf8: bool,
}

/// A chunk that is being read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Chunk {
    pub(super) reading: Reading,
    pub(super) last: bool,
    /// Where its reply leads, unless the whole message leads elsewhere.
    pub(super) then: State,
    /// How often a refusal is said.
    pub(super) replies: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Handshake {
    /// Implicit TLS: the greeting comes behind it.
    First,
    /// STARTTLS.
    Upgrade,
}

/// Why no more input comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    PeerClosed,
    TimedOut,
}

impl Conversation {
    pub(super) fn new(config: Arc<Config>) -> Self {
        let mut conversation = Self {
            stage: Stage::Commands(State::Connected),
            under_tls: false,
            hello: String::new(),
            extended: None,
            spoke_smtp: false,
            noted_pipelining: false,
            offered: config.offered(false),
            authenticated: false,
            secret: None,
            refusal: None,
            first_chunk: Bdat { size: 0, last: false },
            request: Request { verb: Verb::Noop, utf8: false },
            transaction: Transaction::default(),
            body: Body::new(config.bare_lf),
            counts: Counts::default(),
            queue: Queue::default(),
            desk: Desk::new(),
            end: None,
            stopping: false,
            config,
        };
        match conversation.config.tls {
            Tls::Implicit => conversation.stage = Stage::BeforeHandshake(Handshake::First),
            Tls::Unavailable | Tls::StartTls => conversation.begin(),
        }
        conversation
    }

    /// TLS is established: nothing that the client said before stands, and what it did in vain
    /// still counts.
    pub(super) fn begin_under_tls(&mut self, handshake: Handshake) {
        self.under_tls = true;
        self.offered = self.config.offered(true);
        self.spoke_smtp = false;
        self.forget_client();
        match handshake {
            Handshake::First => self.begin(),
            Handshake::Upgrade => {}
        }
    }

    /// Who the client is, and what it wants, is not known any more.
    pub(super) fn forget_client(&mut self) {
        self.extended = None;
        self.hello.clear();
        self.authenticated = false;
        self.secret = None;
        self.transaction = Transaction::default();
        self.stage = Stage::Commands(State::Connected);
    }

    fn begin(&mut self) {
        match self.config.greeting_delay {
            Some(_) => self.stage = Stage::Greeting,
            None => self.greet(),
        }
    }

    pub(super) fn greet(&mut self) {
        self.stage = Stage::Commands(State::Connected);
        replies::greeting(self.queue.reply(), &self.config);
    }

    pub(super) fn hello(&self) -> Option<Hello<'_>> {
        self.extended.map(|extended| Hello { name: &self.hello, extended })
    }

    pub(super) fn output(&self, notice: Notice) -> Output<'_> {
        match notice {
            Notice::Note(event) => Output::Note(event),
            Notice::Abort => Output::Abort,
            Notice::Hello => {
                Output::Hello(self.hello().expect("it is set where the notice is queued"))
            }
        }
    }

    pub(super) fn note(&mut self, event: Event) {
        self.queue.notice(Notice::Note(event));
    }

    pub(super) fn say(&mut self, line: &'static str) {
        replies::line(self.queue.reply(), line);
    }

    /// Whoever takes the next output without an answer to the last one has dropped it.
    pub(super) fn give_up_what_was_dropped(&mut self) {
        let question = match self.stage {
            Stage::Asking(_, Asked::Mail) => question::Mail::NAME,
            Stage::Asking(_, Asked::Rcpt) => question::Rcpt::NAME,
            Stage::Asking(_, Asked::Data | Asked::Chunks) => question::Data::NAME,
            Stage::Asking(_, Asked::Auth) => question::Auth::NAME,
            Stage::Asking(_, Asked::Request) => question::Request::NAME,
            Stage::Committing => question::EndOfMessage::NAME,
            Stage::Handshake(_) => {
                self.note(Event::TlsFailed);
                self.stage = Stage::Closing;
                return;
            }
            Stage::Greeting
            | Stage::Commands(_)
            | Stage::Message(_)
            | Stage::Chunk(_)
            | Stage::Authenticating(_)
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
    pub(super) fn close(&mut self) {
        let open = match self.stage {
            Stage::Commands(state) | Stage::Asking(state, _) => state.in_transaction(),
            Stage::Message(reading) | Stage::Chunk(Chunk { reading, .. }) => {
                reading == Reading::Taken
            }
            Stage::MessageEnded | Stage::Committing => true,
            Stage::Greeting
            | Stage::Authenticating(_)
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
    pub(super) fn close_at_end(&mut self, end: End, phase: Phase, midway: bool) {
        match end {
            End::PeerClosed => self.note(Event::PeerClosed { midway }),
            End::TimedOut => {
                self.note(Event::TimedOut(phase));
                self.say(replies::TIMED_OUT);
            }
        }
        self.close();
    }

    /// Ends the session because the server stops.
    pub(super) fn close_for_shutdown(&mut self) {
        self.note(Event::ShutDown);
        self.say(replies::SHUTTING_DOWN);
        self.close();
    }

    /// Replies to a fault that lets the session go on, unless it was one too many.
    pub(super) fn refuse(&mut self, verb: Option<Verb>, fault: PeerMisbehaved) {
        self.refuse_times(verb, fault, 1);
    }

    /// Refuses with so many replies.
    pub(super) fn refuse_times(&mut self, verb: Option<Verb>, fault: PeerMisbehaved, times: usize) {
        self.note(Event::Refused { verb, fault });
        let in_good_faith = match fault {
            PeerMisbehaved::MailFirst => self.transaction.mail_was_refused(),
            PeerMisbehaved::RcptFirst => self.transaction.recipient_was_refused(),
            _ => !fault.counts(),
        };
        if !in_good_faith && !self.counts.error(&self.config) {
            return self.expel(verb, PeerMisbehaved::TooManyErrors);
        }
        for _ in 0..times {
            self.say(replies::fault(fault));
        }
        if in_good_faith {
            self.count_refusal(verb);
        }
    }

    /// Counts a refusal that was said, and ends the session behind the last that it may have.
    pub(super) fn count_refusal(&mut self, verb: Option<Verb>) {
        if !self.counts.refusal(&self.config) && self.stage != Stage::Closing {
            self.expel(verb, PeerMisbehaved::TooManyRefusals);
        }
    }

    /// How many replies the end of the message gets: in LMTP one for each accepted recipient, and
    /// none where there is none (RFC 2033 sections 4.2 and 4.3).
    pub(super) fn replies_due(&self) -> usize {
        match self.config.lmtp && self.transaction.has_begun() {
            true => self.transaction.recipients(),
            false => 1,
        }
    }

    /// Replies to a fault that leaves nothing to go on with.
    pub(super) fn expel(&mut self, verb: Option<Verb>, fault: PeerMisbehaved) {
        self.note(Event::Refused { verb, fault });
        self.say(replies::fault(fault));
        self.close();
    }

    pub(super) fn say_refusal(&mut self, refusal: &Refusal) {
        self.say_reply(refusal.reply(), self.transaction.is_utf8());
    }

    /// Letters outside ASCII only reach a client that said SMTPUTF8. A reply that its giver left
    /// without an enhanced code has the one that says no more than its class, where they are
    /// offered: each has to have one (RFC 2034 section 4).
    pub(super) fn say_reply(&mut self, reply: &Reply, utf8: bool) {
        let offered = self.config.capabilities.has(Extension::EnhancedStatusCodes);
        if offered && reply.enhanced().is_none() {
            return self.print(&reply.clone().or_detail(Detail::new(0, 0)), utf8);
        }
        self.print(reply, utf8);
    }

    /// Says a reply as it is.
    pub(super) fn print(&mut self, reply: &Reply, utf8: bool) {
        if utf8 {
            reply.write_utf8_to(self.queue.reply());
        } else {
            reply.write_to(self.queue.reply());
        }
    }

    pub(super) fn end_transaction(&mut self, state: State) {
        self.transaction = Transaction::default();
        if state.in_transaction() {
            self.queue.notice(Notice::Abort);
        }
    }
}
