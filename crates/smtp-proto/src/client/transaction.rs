//! One transaction: its commands in order, their replies, and one outcome per recipient.
//!
//! Does: write the next commands that the pipeline admits, pair each reply with its command, and
//! conclude. Does not: read input, or know the session around it. Fails: a reply that ends the
//! connection is a [`Failure`]; [`Transaction::conclude`] then gives the undecided recipients
//! theirs.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Write as _;

use super::error::ServerMisbehaved;
use super::event::Phase;
use super::outcome::{Cause, Failure, Outcome, Rejection};
use super::pipeline::Pipeline;
use super::state::{Meaning, meaning};
use crate::wire::{ForwardPath, MessageFault, Reply, ReversePath};

/// Who sends to whom: one transaction's addresses.
///
/// It is made of parsed paths, so no address can carry a line end or a parameter of its own.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Envelope {
    reverse_path: String,
    forward_paths: Vec<String>,
}

impl Envelope {
    /// An envelope without recipients yet.
    pub fn new(reverse_path: &ReversePath<'_>) -> Self {
        let mut text = String::new();
        // Writing to a String never fails.
        let _ = write!(text, "{reverse_path}");
        Self { reverse_path: text, forward_paths: Vec::new() }
    }

    /// Adds a recipient; outcomes come in the order of the additions. A path that is added twice
    /// has two outcomes.
    pub fn add(&mut self, forward_path: &ForwardPath<'_>) {
        let mut text = String::new();
        let _ = write!(text, "{forward_path}");
        self.forward_paths.push(text);
    }

    /// As [`add`](Self::add), by value.
    #[must_use]
    pub fn to(mut self, forward_path: &ForwardPath<'_>) -> Self {
        self.add(forward_path);
        self
    }

    /// How many recipients there are.
    pub fn recipients(&self) -> usize {
        self.forward_paths.len()
    }
}

/// What is known of a message before its first octet is sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MessageFacts {
    /// Its size in octets with CRLF line ends, without dot-stuffing and without the final dot
    /// (RFC 1870, 5); `None` where it is not known.
    pub size: Option<u64>,
    /// Whether it holds an octet above 127.
    pub eight_bit: bool,
}

/// What is settled for a recipient so far.
#[derive(Debug)]
enum Fate {
    Undecided,
    Accepted,
    Decided(Outcome),
}

/// The command that is next in the order of the transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    Rset,
    Mail,
    Rcpt(usize),
    Data,
    Nothing,
}

/// Where the transaction stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// Commands go out and are answered.
    Commands,
    /// The server took DATA: the message goes out.
    Body,
    /// The server spoke before the message was over, and its reply is not complete: the final dot
    /// is held back until it is.
    Interrupted,
    /// The final dot is written; its reply decides.
    FinalDot,
    /// No recipient was accepted and yet DATA was: a lone dot is written (RFC 2920, 3.1).
    LoneDot,
    /// Every reply has come.
    Done,
}

#[derive(Debug)]
pub(super) struct Transaction {
    envelope: Envelope,
    parameters: String,
    pipelining: bool,
    pipeline: Pipeline,
    next: Next,
    answered: usize,
    taken: usize,
    mail_refused: bool,
    fates: Vec<Fate>,
    stage: Stage,
    dot_given: bool,
    open_at_server: bool,
}

impl Transaction {
    /// `parameters` follow the reverse-path as they are: empty, or each behind a space.
    pub(super) fn new(
        envelope: Envelope,
        parameters: String,
        pipelining: bool,
        reset_first: bool,
    ) -> Self {
        let fates = envelope.forward_paths.iter().map(|_| Fate::Undecided).collect();
        Self {
            envelope,
            parameters,
            pipelining,
            pipeline: Pipeline::default(),
            next: if reset_first { Next::Rset } else { Next::Mail },
            answered: 0,
            taken: 0,
            mail_refused: false,
            fates,
            stage: Stage::Commands,
            dot_given: false,
            open_at_server: false,
        }
    }

    pub(super) fn stage(&self) -> Stage {
        self.stage
    }

    /// Whether the server may still hold this transaction open, so that RSET must go before the
    /// next MAIL.
    pub(super) fn open_at_server(&self) -> bool {
        self.open_at_server
    }

    /// What the next reply answers.
    pub(super) fn awaited(&self) -> Option<Phase> {
        match self.stage {
            Stage::Body | Stage::Interrupted => Some(Phase::Body),
            _ => self.pipeline.front(),
        }
    }

    /// Writes every command that may go now behind `out`, and finds out whether all is said.
    pub(super) fn pump(&mut self, out: &mut Vec<u8>) {
        if self.stage != Stage::Commands {
            return;
        }
        loop {
            let all_answered = self.answered == self.fates.len();
            match self.next {
                Next::Mail | Next::Rcpt(_) | Next::Data if self.mail_refused => {
                    self.next = Next::Nothing;
                }
                Next::Data if all_answered && self.taken == 0 => self.next = Next::Nothing,
                _ => {}
            }
            let start = out.len();
            let (phase, following) = self.write_next(out);
            let Some(phase) = phase else { break };
            let octets = out.len() - start;
            if !self.pipeline.admits(self.pipelining, octets) {
                out.truncate(start);
                break;
            }
            self.pipeline.push(phase, octets);
            self.next = following;
        }
        if self.next == Next::Nothing && self.pipeline.front().is_none() {
            self.stage = Stage::Done;
        }
    }

    fn write_next(&self, out: &mut Vec<u8>) -> (Option<Phase>, Next) {
        let rcpt_or_data =
            |at: usize| if at < self.fates.len() { Next::Rcpt(at) } else { Next::Data };
        match self.next {
            Next::Rset => {
                out.extend_from_slice(b"RSET\r\n");
                (Some(Phase::Rset), Next::Mail)
            }
            Next::Mail => {
                for part in ["MAIL FROM:", &self.envelope.reverse_path, &self.parameters, "\r\n"] {
                    out.extend_from_slice(part.as_bytes());
                }
                (Some(Phase::Mail), rcpt_or_data(0))
            }
            Next::Rcpt(at) => {
                for part in ["RCPT TO:", &self.envelope.forward_paths[at], "\r\n"] {
                    out.extend_from_slice(part.as_bytes());
                }
                (Some(Phase::Rcpt), rcpt_or_data(at + 1))
            }
            Next::Data => {
                out.extend_from_slice(b"DATA\r\n");
                (Some(Phase::Data), Next::Nothing)
            }
            Next::Nothing => (None, Next::Nothing),
        }
    }

    /// Pairs a reply with the oldest command that awaits one.
    ///
    /// An error ends the connection. `out` takes a lone dot where one is due.
    pub(super) fn reply(&mut self, reply: Reply, out: &mut Vec<u8>) -> Result<(), Failure> {
        let Some(phase) = self.awaited() else {
            return Err(misbehaved(Phase::Rset, ServerMisbehaved::UnsolicitedReply, Some(reply)));
        };
        let meaning = meaning(phase, &reply);
        match meaning {
            Meaning::Closing => {
                self.dot_given = false;
                return Err(Failure { phase, cause: Cause::ServiceClosing, reply: Some(reply) });
            }
            Meaning::Misplaced => {
                return Err(misbehaved(phase, ServerMisbehaved::MisplacedReply, Some(reply)));
            }
            Meaning::GoOn | Meaning::Defer | Meaning::Reject | Meaning::TryHelo => {}
        }
        let refused = meaning != Meaning::GoOn;
        self.pipeline.pop();
        match phase {
            Phase::Rset if refused => {
                return Err(Failure { phase, cause: Cause::Refused, reply: Some(reply) });
            }
            Phase::Mail => {
                self.open_at_server = !refused;
                if refused {
                    self.mail_refused = true;
                    self.decide_rest(&refusal(phase, meaning, reply));
                }
            }
            Phase::Rcpt => {
                let fate = &mut self.fates[self.answered];
                self.answered += 1;
                if !refused {
                    self.taken += 1;
                }
                if matches!(fate, Fate::Undecided) {
                    *fate = match refused {
                        true => Fate::Decided(refusal(phase, meaning, reply)),
                        false => Fate::Accepted,
                    };
                }
            }
            Phase::Data if refused => self.decide_rest(&refusal(phase, meaning, reply)),
            Phase::Data => match (self.taken, self.mail_refused) {
                (0, _) => {
                    out.extend_from_slice(b".\r\n");
                    self.pipeline.push(Phase::FinalDot, 3);
                    self.stage = Stage::LoneDot;
                }
                // MAIL was refused: whatever a dot ended here would go out without a sender.
                (_, true) => {
                    return Err(misbehaved(phase, ServerMisbehaved::MisplacedReply, Some(reply)));
                }
                (_, false) => self.stage = Stage::Body,
            },
            // The message is not over, so the server holds none; only a new connection has both
            // sides agree on where a command begins.
            Phase::Body => {
                self.decide_rest(&refusal(phase, meaning, reply.clone()));
                return Err(Failure { phase, cause: Cause::Refused, reply: Some(reply) });
            }
            Phase::FinalDot => {
                if self.stage == Stage::FinalDot {
                    let outcome = match refused {
                        true => refusal(phase, meaning, reply),
                        false => Outcome::Delivered { reply },
                    };
                    self.decide_rest(&outcome);
                }
                self.open_at_server = false;
                self.stage = Stage::Done;
            }
            Phase::Rset
            | Phase::Greeting
            | Phase::Ehlo
            | Phase::Helo
            | Phase::StartTls
            | Phase::Quit => {}
        }
        Ok(())
    }

    /// The message is whole: its end is written. `interrupted` where the server has begun to speak.
    pub(super) fn end_of_body(&mut self, interrupted: bool) {
        if interrupted {
            self.stage = Stage::Interrupted;
        } else {
            self.pipeline.push(Phase::FinalDot, 3);
            self.stage = Stage::FinalDot;
        }
    }

    /// The octets that hold the final dot are handed to the caller: from now on it may be sent.
    pub(super) fn given(&mut self) {
        self.dot_given |= self.stage == Stage::FinalDot;
    }

    /// The message is not sent to its end: nobody gets it.
    pub(super) fn withdraw(&mut self, error: MessageFault) {
        self.decide_rest(&Outcome::Rejected(Rejection::Message(error)));
    }

    /// One outcome per recipient; what is undecided is deferred for `failure`.
    pub(super) fn conclude(self, failure: &Failure) -> Vec<Outcome> {
        let dot_given = self.dot_given;
        self.fates
            .into_iter()
            .map(|fate| match fate {
                Fate::Decided(outcome) => outcome,
                Fate::Undecided => {
                    Outcome::Deferred { failure: failure.clone(), may_have_been_accepted: false }
                }
                Fate::Accepted => Outcome::Deferred {
                    failure: failure.clone(),
                    may_have_been_accepted: dot_given,
                },
            })
            .collect()
    }

    /// One outcome for all that are not decided, refused recipients keep theirs.
    fn decide_rest(&mut self, outcome: &Outcome) {
        for fate in &mut self.fates {
            if !matches!(fate, Fate::Decided(_)) {
                *fate = Fate::Decided(outcome.clone());
            }
        }
    }
}

fn refusal(phase: Phase, meaning: Meaning, reply: Reply) -> Outcome {
    match meaning {
        Meaning::Reject => Outcome::Rejected(Rejection::ByServer { phase, reply }),
        _ => Outcome::Deferred {
            failure: Failure { phase, cause: Cause::Refused, reply: Some(reply) },
            may_have_been_accepted: false,
        },
    }
}

fn misbehaved(phase: Phase, how: ServerMisbehaved, reply: Option<Reply>) -> Failure {
    Failure { phase, cause: Cause::Misbehaved(how), reply }
}
