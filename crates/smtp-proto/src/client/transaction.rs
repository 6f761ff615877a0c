//! One transaction: its commands in order, their replies, and one outcome per recipient.
//!
//! Does: write the next commands that the pipeline admits, pair each reply with its command, and
//! conclude. Does not: read input, or know the session around it. Fails: a reply that ends the
//! connection is a [`Failure`]; [`Transaction::conclude`] then gives the undecided recipients
//! theirs.
//!
//! A message goes behind DATA, once every reply before it was read, or in chunks. Chunks follow
//! when every recipient is answered; a message that fits one chunk may go in the group of its
//! recipients (RFC 3030, 4.2). Behind a refused chunk no other is sent, and RSET goes before the
//! next transaction (RFC 3030, 2).

use alloc::vec::Vec;

use super::envelope::Envelope;
use super::error::ServerMisbehaved;
use super::event::Phase;
use super::message::{Message, Transfer};
use super::outcome::{Cause, Failure, Outcome, Rejection};
use super::pipeline::Pipeline;
use super::state::{Meaning, meaning};
use super::terms::{Terms, parameters_of};
use crate::wire::Reply;

/// What is settled for a recipient so far.
#[derive(Debug)]
enum Fate {
    Undecided,
    Accepted,
    Decided {
        outcome: Outcome,
        /// Its RCPT was taken, whatever else was refused.
        taken: bool,
    },
    /// It is not sent.
    NotSent(Outcome),
}

/// The command that is next in the order of the transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    Rset,
    Mail,
    Rcpt(usize),
    Data,
    Chunk,
    Nothing,
}

/// Where the transaction stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// Commands, and chunks, go out and are answered.
    Commands,
    /// The server took DATA: the message goes out.
    Body,
    /// The server spoke before the message was over, and its reply is not complete: the final dot
    /// is held back until it is.
    Interrupted,
    /// The end of the message is written, the final dot or the last chunk; the reply decides.
    End,
    /// No recipient was accepted and yet DATA was: a lone dot is written (RFC 2920, 3.1).
    LoneDot,
    /// Every reply has come.
    Done,
}

#[derive(Debug)]
pub(super) struct Transaction {
    envelope: Envelope,
    terms: Terms,
    message: Message,
    pipeline: Pipeline,
    next: Next,
    /// The recipient that the next reply to RCPT is about.
    answered: usize,
    /// A RCPT was taken.
    taken: bool,
    mail_refused: bool,
    chunk_refused: bool,
    fates: Vec<Fate>,
    stage: Stage,
    end_given: bool,
    open_at_server: bool,
}

impl Transaction {
    pub(super) fn new(envelope: Envelope, mut terms: Terms) -> Self {
        let mut fates: Vec<Fate> = envelope.recipients.iter().map(|_| Fate::Undecided).collect();
        for (at, outcome) in terms.not_sent.drain(..) {
            fates[at] = Fate::NotSent(outcome);
        }
        let message = Message::new(terms.transfer, terms.policy);
        let mut transaction = Self {
            envelope,
            message,
            pipeline: Pipeline::default(),
            next: if terms.reset_first { Next::Rset } else { Next::Mail },
            terms,
            answered: 0,
            taken: false,
            mail_refused: false,
            chunk_refused: false,
            fates,
            stage: Stage::Commands,
            end_given: false,
            open_at_server: false,
        };
        transaction.answered = transaction.recipient_from(0);
        transaction
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

    /// What a reply would interrupt that no command awaits.
    pub(super) fn phase(&self) -> Phase {
        self.awaited().unwrap_or(match self.next {
            Next::Chunk => Phase::Bdat,
            _ => Phase::Mail,
        })
    }

    /// Whether the caller is to give more of the message now.
    pub(super) fn wants_body(&self) -> bool {
        match self.stage {
            Stage::Body => true,
            Stage::Commands => {
                self.next == Next::Chunk && self.may_send_chunks() && self.message.has_room()
            }
            _ => false,
        }
    }

    fn may_send_chunks(&self) -> bool {
        self.terms.in_one_group || self.all_answered()
    }

    fn all_answered(&self) -> bool {
        self.answered == self.fates.len()
    }

    /// The first recipient, from there on, that is sent.
    fn recipient_from(&self, at: usize) -> usize {
        let rest = self.fates[at..].iter();
        at + rest.take_while(|fate| matches!(fate, Fate::NotSent(_))).count()
    }

    /// Writes every command that may go now behind `out`, and finds out whether all is said.
    pub(super) fn pump(&mut self, out: &mut Vec<u8>) {
        if self.stage != Stage::Commands {
            return;
        }
        loop {
            match self.next {
                Next::Mail | Next::Rcpt(_) | Next::Data | Next::Chunk if self.mail_refused => {
                    self.next = Next::Nothing;
                }
                Next::Data | Next::Chunk if self.all_answered() && !self.taken => {
                    self.next = Next::Nothing;
                }
                _ => {}
            }
            if self.next == Next::Chunk {
                if !self.pump_chunk(out) {
                    break;
                }
                continue;
            }
            let start = out.len();
            let (phase, following) = self.write_next(out);
            let Some(phase) = phase else { break };
            let octets = out.len() - start;
            if !self.pipeline.admits(self.terms.pipelining, octets) {
                out.truncate(start);
                break;
            }
            self.pipeline.push(phase, octets);
            self.next = following;
        }
        if self.stage == Stage::Commands
            && self.next == Next::Nothing
            && self.pipeline.front().is_none()
        {
            self.stage = Stage::Done;
        }
    }

    /// Writes a chunk, if one is there and may go; says whether.
    fn pump_chunk(&mut self, out: &mut Vec<u8>) -> bool {
        // Under LMTP the replies to the last chunk are counted: nothing else must be open then.
        let alone = !self.terms.pipelining || self.terms.lmtp && self.message.is_ended();
        let admitted = match alone {
            true => self.pipeline.front().is_none(),
            false => self.pipeline.admits_chunk(),
        };
        if !(self.may_send_chunks() && self.message.has_chunk() && admitted) {
            return false;
        }
        if self.message.is_ended() {
            self.pipeline.push(Phase::BdatLast, 0);
            self.next = Next::Nothing;
            self.stage = Stage::End;
        } else {
            self.pipeline.push(Phase::Bdat, 0);
        }
        self.message.write_chunk(out);
        true
    }

    fn write_next(&self, out: &mut Vec<u8>) -> (Option<Phase>, Next) {
        let rcpt_or_message = |at: usize| match self.recipient_from(at) {
            at if at < self.fates.len() => Next::Rcpt(at),
            _ if self.terms.transfer.is_chunked() => Next::Chunk,
            _ => Next::Data,
        };
        match self.next {
            Next::Rset => {
                out.extend_from_slice(b"RSET\r\n");
                (Some(Phase::Rset), Next::Mail)
            }
            Next::Mail => {
                let Terms { mail_parameters, .. } = &self.terms;
                for part in ["MAIL FROM:", &self.envelope.sender.path, mail_parameters, "\r\n"] {
                    out.extend_from_slice(part.as_bytes());
                }
                (Some(Phase::Mail), rcpt_or_message(0))
            }
            Next::Rcpt(at) => {
                let recipient = &self.envelope.recipients[at];
                out.extend_from_slice(b"RCPT TO:");
                out.extend_from_slice(recipient.path.as_bytes());
                for parameter in parameters_of(recipient, self.terms.offered) {
                    out.extend_from_slice(parameter.text.as_bytes());
                }
                out.extend_from_slice(b"\r\n");
                (Some(Phase::Rcpt), rcpt_or_message(at + 1))
            }
            Next::Data => {
                out.extend_from_slice(b"DATA\r\n");
                (Some(Phase::Data), Next::Nothing)
            }
            Next::Chunk | Next::Nothing => (None, Next::Nothing),
        }
    }

    /// Pairs a reply with the oldest command that awaits one.
    ///
    /// An error ends the connection. `early`: it began before all that was said had been sent. `out`
    /// takes a lone dot where one is due.
    pub(super) fn reply(
        &mut self,
        reply: Reply,
        early: bool,
        out: &mut Vec<u8>,
    ) -> Result<(), Failure> {
        let Some(phase) = self.awaited() else {
            return Err(misbehaved(Phase::Rset, ServerMisbehaved::UnsolicitedReply, Some(reply)));
        };
        let meaning = meaning(phase, &reply);
        match meaning {
            Meaning::Closing => return Err(self.closing(phase, reply)),
            Meaning::Misplaced | Meaning::Challenge => {
                return Err(misbehaved(phase, ServerMisbehaved::MisplacedReply, Some(reply)));
            }
            Meaning::GoOn | Meaning::Defer | Meaning::Reject | Meaning::TryHelo => {}
        }
        let refused = meaning != Meaning::GoOn;
        match phase {
            Phase::FinalDot | Phase::BdatLast => {
                return self.end_answered(phase, meaning, reply, early);
            }
            _ => self.pipeline.pop(),
        }
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
                self.taken |= !refused;
                match &mut self.fates[self.answered] {
                    fate @ Fate::Undecided if refused => {
                        let outcome = refusal(phase, meaning, reply);
                        *fate = Fate::Decided { outcome, taken: false };
                    }
                    fate @ Fate::Undecided => *fate = Fate::Accepted,
                    Fate::Decided { taken, .. } => *taken = !refused,
                    Fate::Accepted | Fate::NotSent(_) => {}
                }
                self.answered = self.recipient_from(self.answered + 1);
            }
            Phase::Data if refused => self.decide_rest(&refusal(phase, meaning, reply)),
            Phase::Data => match (self.taken, self.mail_refused) {
                // No reply would come to a dot, as none comes without a recipient (RFC 2033, 4.2).
                (false, _) if self.terms.lmtp => {
                    return Err(misbehaved(phase, ServerMisbehaved::MisplacedReply, Some(reply)));
                }
                (false, _) => {
                    out.extend_from_slice(b".\r\n");
                    self.pipeline.push(Phase::FinalDot, 3);
                    self.stage = Stage::LoneDot;
                }
                // MAIL was refused: whatever a dot ended here would go out without a sender.
                (true, true) => {
                    return Err(misbehaved(phase, ServerMisbehaved::MisplacedReply, Some(reply)));
                }
                (true, false) => self.stage = Stage::Body,
            },
            Phase::Bdat if refused => {
                self.decide_rest(&refusal(phase, meaning, reply));
                self.chunk_refused = true;
                self.next = Next::Nothing;
            }
            // The message is not over, so the server holds none; only a new connection has both
            // sides agree on where a command begins.
            Phase::Body => {
                self.decide_rest(&refusal(phase, meaning, reply.clone()));
                return Err(Failure { phase, cause: Cause::Refused, reply: Some(reply) });
            }
            _ => {}
        }
        Ok(())
    }

    /// The end of the message is answered: for all, or for the next recipient under LMTP.
    fn end_answered(
        &mut self,
        phase: Phase,
        how: Meaning,
        reply: Reply,
        early: bool,
    ) -> Result<(), Failure> {
        let refused = how != Meaning::GoOn;
        let is_bdat = phase == Phase::BdatLast;
        if is_bdat && !refused && self.taken && (self.mail_refused || self.chunk_refused) {
            self.doubt(&reply);
            return Err(misbehaved(phase, ServerMisbehaved::MisplacedReply, Some(reply)));
        }
        if early && !refused {
            return Err(misbehaved(phase, ServerMisbehaved::PrematureReply, Some(reply)));
        }
        // A chunk's octets are read whatever its command was answered (RFC 3030, 2). Lines may be
        // taken for commands behind a refusal that came before the dot: nothing more is sent.
        let cut_off = (early && !is_bdat).then(|| Failure {
            phase,
            cause: Cause::Refused,
            reply: Some(reply.clone()),
        });
        // A failed BDAT leaves the server in no certain state (RFC 3030, 2).
        self.open_at_server = is_bdat && !self.terms.lmtp && (refused || !self.taken);
        if self.stage == Stage::End {
            let outcome = match refused {
                true => refusal(phase, how, reply),
                false => Outcome::Delivered { reply },
            };
            if self.terms.lmtp {
                self.decide_next(outcome);
                if cut_off.is_none() && self.fates.iter().any(|fate| matches!(fate, Fate::Accepted))
                {
                    return Ok(());
                }
            } else {
                self.decide_rest(&outcome);
            }
        }
        if let Some(failure) = cut_off {
            return Err(failure);
        }
        self.pipeline.pop();
        self.stage = Stage::Done;
        Ok(())
    }

    /// The server closes: by an answer to `phase`, so it took nothing with it. Nor should it read
    /// what came behind that; one that does may take a message for whom it had accepted.
    fn closing(&mut self, phase: Phase, reply: Reply) -> Failure {
        let failure = Failure { phase, cause: Cause::ServiceClosing, reply: Some(reply) };
        let at_end = matches!(phase, Phase::FinalDot | Phase::BdatLast);
        if self.terms.lmtp && at_end {
            // What it says of one recipient it does not say of those behind.
            let failure = failure.clone();
            self.decide_next(Outcome::Deferred { failure, may_have_been_accepted: false });
        } else if at_end || !self.taken {
            self.end_given = false;
        }
        failure
    }

    /// The message is over: its end is written, or held back where the server has begun to speak.
    pub(super) fn end_of_body(
        &mut self,
        interrupted: bool,
        out: &mut Vec<u8>,
    ) -> Result<(), Rejection> {
        if self.terms.transfer == Transfer::Data && interrupted {
            self.stage = Stage::Interrupted;
            return Ok(());
        }
        self.message.end(out)?;
        if self.terms.transfer == Transfer::Data {
            self.pipeline.push(Phase::FinalDot, 3);
            self.stage = Stage::End;
        }
        Ok(())
    }

    /// Takes a part of the message.
    pub(super) fn body(&mut self, octets: &[u8], out: &mut Vec<u8>) -> Result<(), Rejection> {
        if self.terms.seven_bit && !octets.is_ascii() {
            return Err(Rejection::EightBitNotDeclared);
        }
        Ok(self.message.take(octets, out)?)
    }

    /// The octets in the outbox are handed to the caller: from now on they may be sent.
    pub(super) fn given(&mut self) {
        self.end_given |= self.stage == Stage::End;
    }

    /// The message is not sent to its end: nobody gets it. Says whether the connection goes on.
    ///
    /// Behind DATA only its end brings the server back to commands, and with it the message.
    /// Chunks without a last one are forgotten at RSET.
    pub(super) fn withdraw(&mut self, rejection: Rejection) -> bool {
        self.decide_rest(&Outcome::Rejected(rejection));
        self.next = Next::Nothing;
        self.terms.transfer.is_chunked()
    }

    /// One outcome per recipient; what is undecided is deferred for `failure`.
    pub(super) fn conclude(self, failure: &Failure) -> Vec<Outcome> {
        let end_given = self.end_given;
        self.fates
            .into_iter()
            .map(|fate| match fate {
                Fate::Decided { outcome, .. } | Fate::NotSent(outcome) => outcome,
                Fate::Undecided | Fate::Accepted => Outcome::Deferred {
                    failure: failure.clone(),
                    may_have_been_accepted: end_given,
                },
            })
            .collect()
    }

    /// One outcome for all that are not decided, refused recipients keep theirs.
    fn decide_rest(&mut self, outcome: &Outcome) {
        for fate in &mut self.fates {
            if let Fate::Undecided | Fate::Accepted = fate {
                let taken = matches!(fate, Fate::Accepted);
                *fate = Fate::Decided { outcome: outcome.clone(), taken };
            }
        }
    }

    /// The server says that it has a message of which it refused a part: it may have it for those
    /// whose RCPT it took.
    fn doubt(&mut self, reply: &Reply) {
        for fate in &mut self.fates {
            if let Fate::Decided { outcome, taken: true } = fate {
                let how = ServerMisbehaved::MisplacedReply;
                let failure = misbehaved(Phase::BdatLast, how, Some(reply.clone()));
                *outcome = Outcome::Deferred { failure, may_have_been_accepted: true };
            }
        }
    }

    /// The outcome of the first accepted recipient that has none (RFC 2033, 4.2: replies come in
    /// the order of the RCPTs).
    fn decide_next(&mut self, outcome: Outcome) {
        if let Some(fate) = self.fates.iter_mut().find(|fate| matches!(fate, Fate::Accepted)) {
            *fate = Fate::Decided { outcome, taken: true };
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
