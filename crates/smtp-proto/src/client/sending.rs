//! A message from the caller to the server.
//!
//! Does: settle, before anything is sent, how a message goes and what goes with it, and take its
//! octets. Does not: write commands or read replies. Fails: a message that does not fit the server
//! is rejected by outcomes, and nothing of it is sent; one that breaks the policy on its way is
//! withdrawn before its end.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Write as _;
use core::mem;

use super::config::{Chunking, EightBit};
use super::envelope::{Envelope, MessageFacts};
use super::error::ServerIncompatible;
use super::event::Phase;
use super::message::Transfer;
use super::outcome::{Cause, Outcome, Rejection};
use super::transaction::{Terms, Transaction};
use super::{Session, State};
use crate::error::ApiMisuse;
use crate::limits::BODY_CHUNK;
use crate::wire::Extension;

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
        let recipients = envelope.recipients();
        match self.terms(message) {
            Err(misfit) => {
                let outcome = Outcome::Rejected(Rejection::Incompatible(misfit));
                self.outcomes = Some(alloc::vec![outcome; recipients]);
            }
            Ok(_) if recipients == 0 => self.outcomes = Some(Vec::new()),
            Ok(terms) => {
                self.reset_first = false;
                self.transaction = Some(Transaction::new(envelope, terms));
                self.state = State::Transaction;
            }
        }
        Ok(())
    }

    /// Gives octets of the message; says how many were taken: at least one, at most
    /// [`BODY_CHUNK`].
    ///
    /// # Errors
    /// The session did not ask for the message.
    pub fn body(&mut self, octets: &[u8]) -> Result<usize, ApiMisuse> {
        let taken = octets.len().min(BODY_CHUNK);
        let result = self.asked_for_body()?.body(&octets[..taken]);
        if let Err(rejection) = result {
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
        let result = self.asked_for_body()?.end(interrupted);
        if let Err(rejection) = result {
            self.withdraw(rejection);
        }
        Ok(())
    }

    fn asked_for_body(&mut self) -> Result<OnItsWay<'_>, ApiMisuse> {
        match &mut self.transaction {
            Some(transaction) if mem::take(&mut self.body_asked) => {
                Ok(OnItsWay { transaction, out: &mut self.outbox })
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

    /// How a message goes, if it can.
    fn terms(&self, message: MessageFacts) -> Result<Terms, ServerIncompatible> {
        let capabilities = &self.capabilities;
        let mut parameters = String::new();
        if let (true, Some(size)) = (capabilities.has(Extension::Size), message.size) {
            if let Some(limit) = capabilities.size_limit().filter(|limit| size > *limit) {
                return Err(ServerIncompatible::MessageTooLarge { size, limit });
            }
            // Writing to a String never fails.
            let _ = write!(parameters, " SIZE={size}");
        }
        if message.eight_bit {
            match (capabilities.has(Extension::EightBitMime), self.config.eight_bit) {
                (true, _) => parameters.push_str(" BODY=8BITMIME"),
                (false, EightBit::SendAsIs) => {}
                (false, EightBit::Refuse) => return Err(ServerIncompatible::EightBitNotOffered),
            }
        }
        let chunks =
            self.config.chunking == Chunking::WhenOffered && capabilities.has(Extension::Chunking);
        let pipelining = capabilities.has(Extension::Pipelining);
        let lmtp = self.config.lmtp;
        let fits_a_chunk = message.size.is_some_and(|size| size < BODY_CHUNK as u64);
        Ok(Terms {
            mail_parameters: parameters,
            transfer: if chunks { Transfer::Chunks } else { Transfer::Data },
            policy: self.config.message,
            pipelining,
            lmtp,
            in_one_group: pipelining && !lmtp && fits_a_chunk,
            reset_first: self.reset_first,
            left_out: Vec::new(),
        })
    }
}

/// The message that the session has asked for, and where its octets go.
struct OnItsWay<'s> {
    transaction: &'s mut Transaction,
    out: &'s mut Vec<u8>,
}

impl OnItsWay<'_> {
    fn body(self, octets: &[u8]) -> Result<(), Rejection> {
        self.transaction.body(octets, self.out)
    }

    fn end(self, interrupted: bool) -> Result<(), Rejection> {
        self.transaction.end_of_body(interrupted, self.out)
    }
}
