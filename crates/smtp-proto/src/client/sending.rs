//! A message from the caller to the server.
//!
//! Does: begin a transaction on its terms, and take the message's octets. Does not: settle the
//! terms, write commands or read replies. Fails: a message that does not fit the server
//! is rejected by outcomes, and nothing of it is sent; one that breaks the policy on its way is
//! withdrawn before its end.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::mem;

use super::envelope::{Envelope, MessageFacts};
use super::event::{Event, Phase};
use super::outcome::{Cause, Outcome, Rejection};
use super::transaction::Transaction;
use super::{Session, State};
use crate::error::ApiMisuse;
use crate::limits::BODY_CHUNK;

impl Session {
    /// Begins a transaction.
    ///
    /// Where the message does not fit what the server offers, nothing is sent and the outcomes
    /// say so. Its outcomes come in any case, once.
    ///
    /// # Errors
    /// The session is not [`Ready`](super::Output::Ready).
    pub fn begin(&mut self, envelope: Envelope, message: MessageFacts) -> Result<(), ApiMisuse> {
        self.expect(State::Ready, ApiMisuse::NotReady)?;
        let terms = match self.terms(&envelope, message) {
            Ok(terms) => terms,
            Err(misfit) => {
                let outcome = Outcome::Rejected(Rejection::Incompatible(misfit));
                self.outcomes = Some(alloc::vec![outcome; envelope.recipients()]);
                return Ok(());
            }
        };
        if terms.not_sent.len() == envelope.recipients() {
            let outcomes = terms.not_sent.into_iter().map(|(_, outcome)| outcome);
            self.outcomes = Some(outcomes.collect());
            return Ok(());
        }
        self.notes.extend(terms.left_out.iter().map(Event::LeftOut));
        self.count_domains(&envelope, &terms);
        self.mails += 1;
        // Who declares it is to read it in replies too (RFC 6531, 3.7.4.1).
        self.inbox.keep_utf8(terms.utf8);
        self.transaction = Some(Box::new(Transaction::new(envelope, terms)));
        self.state = State::Transaction;
        Ok(())
    }

    /// Gives octets of the message; says how many were taken: all, or the first [`BODY_CHUNK`].
    ///
    /// # Errors
    /// The session did not ask for the message.
    pub fn body(&mut self, octets: &[u8]) -> Result<usize, ApiMisuse> {
        let taken = octets.len().min(BODY_CHUNK);
        let (transaction, out) = self.asked_for_body()?;
        if let Err(rejection) = transaction.body(&octets[..taken], out) {
            self.withdraw(rejection);
        }
        Ok(taken)
    }

    /// The message is over: its end is sent, the final dot or the last chunk.
    ///
    /// # Errors
    /// The session did not ask for the message.
    pub fn end_of_body(&mut self) -> Result<(), ApiMisuse> {
        // A reply that begins before the dot is no reply to it.
        let interrupted = !self.inbox.is_empty();
        let (transaction, out) = self.asked_for_body()?;
        if let Err(rejection) = transaction.end_of_body(interrupted, out) {
            self.withdraw(rejection);
        }
        Ok(())
    }

    /// The transaction whose message the session has asked for, and where its octets go.
    fn asked_for_body(&mut self) -> Result<(&mut Transaction, &mut Vec<u8>), ApiMisuse> {
        match &mut self.transaction {
            Some(transaction) if mem::take(&mut self.body_asked) => {
                Ok((transaction, &mut self.outbox))
            }
            _ => Err(ApiMisuse::BodyNotAsked),
        }
    }

    /// The message breaks a rule on its way. Without its end the server holds nothing.
    fn withdraw(&mut self, rejection: Rejection) {
        let goes_on = match &mut self.transaction {
            Some(transaction) => transaction.withdraw(rejection),
            None => true,
        };
        if !goes_on {
            self.fail(Phase::Body, Cause::Stopped, None);
        }
    }
}
