//! What an answer does to its session.
//!
//! Does: turn each verdict into a reply and the next state. Does not: check that the answer was
//! asked for; the session's desk does. Fails: nothing here fails.

use super::conversation::{Conversation, Reading, Stage};
use super::event::{AuthVerdict, Commit, Event, Verdict, question};
use super::replies;
use super::state::{self, Asked, Settled, State};
use super::transaction::Transaction;
use crate::ask::Question;
use crate::error::PeerMisbehaved;
use crate::wire::{Class, Code, Reply, Verb, sasl};

impl Conversation {
    fn open_question(&self) -> (State, Asked) {
        let Stage::Asking(state, asked) = self.stage else {
            unreachable!("a question is open only in this stage")
        };
        (state, asked)
    }

    fn settle_command(&mut self, verdict: Verdict) {
        let (state, asked) = self.open_question();
        let accepted = matches!(verdict, Verdict::Accept);
        let (verb, yes) = match asked {
            Asked::Mail => (Verb::Mail, Some(replies::SENDER_OK)),
            Asked::Rcpt => (Verb::Rcpt, Some(replies::RECIPIENT_OK)),
            Asked::Data => (Verb::Data, Some(replies::GO_AHEAD)),
            Asked::Chunks | Asked::Auth | Asked::Request => (Verb::Bdat, None),
        };
        match asked {
            Asked::Mail if !accepted => self.transaction = Transaction::refused(),
            Asked::Rcpt => self.transaction.recipient(accepted),
            _ => {}
        }
        match state::settle(state, asked, accepted) {
            Settled::Commands(state) => self.stage = Stage::Commands(state),
            Settled::Message => {
                self.body.begin();
                self.stage = Stage::Message(Reading::Taken);
            }
            Settled::Chunk => {
                self.body.begin_chunks(self.transaction.is_binary());
                self.take_chunk(self.first_chunk);
            }
            Settled::Discard => return self.refuse_chunks(state, verdict),
        }
        match verdict {
            Verdict::Accept => yes.map_or((), |line| self.say(line)),
            Verdict::RefuseAndClose(refusal) => {
                self.say_refusal(&refusal);
                self.close();
            }
            Verdict::Refuse(refusal) => {
                self.say_refusal(&refusal);
                if ends_the_session(refusal.reply()) {
                    self.close();
                }
                self.count_refusal(Some(verb));
            }
        }
    }

    /// The handler does not take the message, whose first chunk follows all the same.
    fn refuse_chunks(&mut self, state: State, verdict: Verdict) {
        match verdict {
            Verdict::Accept => unreachable!("it is refused"),
            Verdict::Refuse(refusal)
                if !ends_the_session(refusal.reply())
                    && self.counts.may_refuse(self.first_chunk.size, &self.config) =>
            {
                self.refusal = Some(refusal);
                self.discard_chunk(state, self.first_chunk, Reading::RefusedByHandler);
            }
            Verdict::Refuse(refusal) | Verdict::RefuseAndClose(refusal) => {
                self.say_refusal(&refusal);
                self.close();
            }
        }
    }

    fn settle_auth(&mut self, verdict: AuthVerdict) {
        let (state, _) = self.open_question();
        self.secret = None;
        self.stage = Stage::Commands(state);
        match verdict {
            AuthVerdict::Challenge(challenge) => {
                sasl::write_challenge(&challenge, self.queue.reply());
                self.stage = Stage::Authenticating(state);
            }
            AuthVerdict::Accept => {
                self.authenticated = true;
                self.say(replies::AUTHENTICATED);
            }
            AuthVerdict::Refuse(refusal) => {
                self.say_refusal(&refusal);
                if ends_the_session(refusal.reply()) {
                    self.close();
                }
                if !self.counts.error(&self.config) && self.stage != Stage::Closing {
                    self.expel(Some(Verb::Auth), PeerMisbehaved::TooManyErrors);
                }
            }
        }
    }

    fn settle_request(&mut self, reply: &Reply) {
        let (state, _) = self.open_question();
        self.stage = Stage::Commands(state);
        // The client would send on what such a reply asks for, and not its next command.
        if reply.code().class() == Class::Intermediate {
            self.say(replies::NO_ANSWER);
            return self.count_refusal(Some(self.request.verb));
        }
        if self.request.verb == Verb::Xclient && reply.code().class() == Class::Positive {
            // It is the greeting of another session, which has no enhanced code (RFC 2034 section 4).
            self.print(reply, self.request.utf8);
            return self.forget_client();
        }
        self.say_reply(reply, self.request.utf8);
        if ends_the_session(reply) {
            self.close();
        } else if reply.code().class() != Class::Positive {
            self.count_refusal(Some(self.request.verb));
        }
    }

    fn settle_message(&mut self, commit: &Commit) {
        self.stage = Stage::Commands(State::Greeted);
        let recipients = self.transaction.recipients();
        let mut said = Said::default();
        match commit {
            Commit::PerRecipient(commits) => {
                if commits.len() != recipients {
                    let verdicts = commits.len();
                    self.note(Event::WrongNumberOfVerdicts { recipients, verdicts });
                }
                if self.config.lmtp {
                    for at in 0..recipients {
                        self.say_commit(commits.get(at), &mut said);
                    }
                } else {
                    let accepts = |commit: &&Commit| matches!(commit, Commit::Accepted(_));
                    let one = commits.iter().find(accepts).or(commits.first());
                    self.say_commit(one, &mut said);
                }
            }
            one => {
                for _ in 0..self.replies_due() {
                    self.say_commit(Some(one), &mut said);
                }
            }
        }
        self.transaction = Transaction::default();
        if said.accepted {
            self.counts.forgive();
        }
        if said.ends_the_session {
            self.close();
        }
        if said.refused {
            self.count_refusal(Some(self.body.verb));
        }
    }

    /// One reply to a message; to be tried later where there is no verdict.
    fn say_commit(&mut self, commit: Option<&Commit>, said: &mut Said) {
        match commit {
            Some(Commit::Accepted(reply)) => {
                said.accepted = true;
                match reply {
                    Some(reply) if reply.code().class() == Class::Positive => {
                        self.say_reply(reply, self.transaction.is_utf8());
                    }
                    _ => self.say(replies::MESSAGE_OK),
                }
            }
            Some(Commit::Refused(refusal)) => {
                said.refused = true;
                said.ends_the_session |= ends_the_session(refusal.reply());
                self.say_refusal(refusal);
            }
            Some(Commit::PerRecipient(_)) | None => {
                said.refused = true;
                self.say(replies::NO_ANSWER);
            }
        }
    }
}

/// What a message's replies were.
#[derive(Default)]
struct Said {
    accepted: bool,
    refused: bool,
    ends_the_session: bool,
}

/// 421 says that the session ends (RFC 5321 section 3.8), whoever says it.
fn ends_the_session(reply: &Reply) -> bool {
    reply.code() == Code::SERVICE_NOT_AVAILABLE
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
        conversation.settle_command(verdict);
    }
}

impl Settle for question::Rcpt {
    fn settle(conversation: &mut Conversation, verdict: Verdict) {
        conversation.settle_command(verdict);
    }
}

impl Settle for question::Data {
    fn settle(conversation: &mut Conversation, verdict: Verdict) {
        conversation.settle_command(verdict);
    }
}

impl Settle for question::EndOfMessage {
    fn settle(conversation: &mut Conversation, commit: Commit) {
        conversation.settle_message(&commit);
    }
}

impl Settle for question::Auth {
    fn settle(conversation: &mut Conversation, verdict: AuthVerdict) {
        conversation.settle_auth(verdict);
    }
}

impl Settle for question::Request {
    fn settle(conversation: &mut Conversation, reply: Reply) {
        conversation.settle_request(&reply);
    }
}
