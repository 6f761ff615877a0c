//! What an answer does to its session.
//!
//! Does: turn each verdict into a reply and the next state. Does not: check that the answer was
//! asked for; the session's desk does. Fails: nothing here fails.

use super::conversation::{Conversation, Reading, Stage};
use super::event::{Commit, Verdict, question};
use super::replies;
use super::state::{self, Asked, Settled, State};
use crate::ask::Question;
use crate::wire::{Class, Verb};

impl Conversation {
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
            Verdict::Refuse(refusal) => {
                self.close_behind(refusal);
                self.count_refusal(Some(match asked {
                    Asked::Mail => Verb::Mail,
                    Asked::Rcpt => Verb::Rcpt,
                    Asked::Data => Verb::Data,
                }));
            }
            Verdict::Accept => {}
        }
    }

    fn settle_message(&mut self, commit: &Commit) {
        match commit {
            Commit::Accepted(reply) => {
                self.counts.forgive();
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
            self.count_refusal(Some(Verb::Data));
        }
    }
}

/// A question that a server session puts.
pub trait Answerable: Question + Settle {}

impl<Q: Question + Settle> Answerable for Q {}

/// Sealed: only the questions of [`question`] are put.
pub trait Settle: Question {
    fn settle(conversation: &mut Conversation, verdict: Self::Verdict);
}

impl Settle for question::Mail {
    fn settle(conversation: &mut Conversation, verdict: Verdict) {
        conversation.settle_command(&verdict);
    }
}

impl Settle for question::Rcpt {
    fn settle(conversation: &mut Conversation, verdict: Verdict) {
        conversation.settle_command(&verdict);
    }
}

impl Settle for question::Data {
    fn settle(conversation: &mut Conversation, verdict: Verdict) {
        conversation.settle_command(&verdict);
    }
}

impl Settle for question::EndOfMessage {
    fn settle(conversation: &mut Conversation, commit: Commit) {
        conversation.settle_message(&commit);
    }
}
