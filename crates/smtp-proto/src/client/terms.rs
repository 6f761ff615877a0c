//! What one transaction is sent with: the caller's wishes against what the server offers.
//!
//! Does: choose how the message goes, leave out what promises nothing, and refuse what would be
//! broken without a word. Does not: send. Fails: [`ServerIncompatible`], for all recipients or for
//! one, before anything is sent.
//!
//! | parameter | where its extension is not offered |
//! |---|---|
//! | SIZE, BODY=8BITMIME | left out; 8-bit text is [`EightBit`]'s |
//! | RET, ENVID, NOTIFY, ORCPT | left out, with a note (RFC 3461, 5.2.2) |
//! | MT-PRIORITY, AUTH | left out, with a note; AUTH also where the session is not authenticated (RFC 4954, 5) |
//! | BODY=BINARYMIME, REQUIRETLS, SMTPUTF8 where it is needed, HOLDFOR, HOLDUNTIL, BY | the message is rejected |
//! | RRVS, an address outside ASCII | the recipient is rejected |
//! | one that this crate does not know | rejected: nobody can say what it needs |

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Write as _;

use super::Session;
use super::config::{Chunking, EightBit, Utf8Header};
use super::envelope::{Envelope, MessageFacts, Parameter, Party};
use super::error::ServerIncompatible;
use super::event::Phase;
use super::message::Transfer;
use super::outcome::{Cause, Failure, Outcome, Rejection};
use crate::limits::BODY_CHUNK;
use crate::wire::{BodyType, Extension, Extensions, MessagePolicy};

/// What was settled before a transaction begins.
#[derive(Debug)]
pub(super) struct Terms {
    /// What follows the reverse-path: empty, or each parameter behind a space.
    pub(super) mail_parameters: String,
    /// Parameters of these go with RCPT.
    pub(super) offered: Extensions,
    /// Some parameters of these are left out.
    pub(super) left_out: Extensions,
    pub(super) transfer: Transfer,
    pub(super) policy: MessagePolicy,
    /// SMTPUTF8 is declared.
    pub(super) utf8: bool,
    /// Octets above 127 were not declared, and are not sent.
    pub(super) seven_bit: bool,
    pub(super) pipelining: bool,
    /// Each accepted recipient has a reply of its own to the end of the message (RFC 2033, 4.2).
    pub(super) lmtp: bool,
    /// The message fits one chunk, which may go before the recipients are answered.
    pub(super) in_one_group: bool,
    pub(super) reset_first: bool,
    /// The recipients that are not sent, and what becomes of them.
    pub(super) not_sent: Vec<(usize, Outcome)>,
}

impl Session {
    /// How many recipients the server takes in one transaction (RFC 9422, 4.2): what
    /// [`begin`](Self::begin) is given beyond them is deferred and not sent. `None`: it does not
    /// say.
    pub fn recipients_per_transaction(&self) -> Option<u32> {
        self.capabilities.limits().rcpt_max
    }

    /// How a message goes, if it can.
    pub(super) fn terms(
        &self,
        envelope: &Envelope,
        message: MessageFacts,
    ) -> Result<Terms, ServerIncompatible> {
        let offered = self.usable();
        let size = self.size(message)?;
        let body = self.body_type(envelope, message)?;
        let mut left_out = Extensions::EMPTY;
        left_out_of(&envelope.sender, offered, &mut left_out)?;
        let not_sent = self.not_sent(envelope, offered, &mut left_out);
        let utf8 = self.needs_utf8(envelope, message, &not_sent)?;

        let mut mail_parameters = String::new();
        // Writing to a String never fails.
        if let Some(size) = size {
            let _ = write!(mail_parameters, " SIZE={size}");
        }
        if let Some(body) = body {
            let _ = write!(mail_parameters, " BODY={body}");
        }
        if utf8 {
            mail_parameters.push_str(" SMTPUTF8");
        }
        for parameter in parameters_of(&envelope.sender, offered) {
            mail_parameters.push_str(&parameter.text);
        }
        let pipelining = offered.contains(Extension::Pipelining);
        let lmtp = self.config.lmtp;
        let fits_a_chunk = message.size.is_some_and(|size| size < BODY_CHUNK as u64);
        Ok(Terms {
            mail_parameters,
            offered,
            left_out,
            transfer: match body {
                Some(BodyType::BinaryMime) => Transfer::BinaryChunks,
                _ if self.sends_chunks() => Transfer::Chunks,
                _ => Transfer::Data,
            },
            policy: self.config.message,
            utf8,
            seven_bit: body.is_none() && self.config.eight_bit == EightBit::Refuse,
            pipelining,
            lmtp,
            in_one_group: pipelining && !lmtp && fits_a_chunk,
            reset_first: self.reset_first,
            not_sent,
        })
    }

    /// What the server offers, as far as it holds now: REQUIRETLS means nothing in clear
    /// (RFC 8689, 2), and AUTH= is for a server that the client has authenticated to.
    fn usable(&self) -> Extensions {
        let mut offered = self.capabilities.extensions();
        if !self.under_tls {
            offered = offered.without(Extension::RequireTls);
        }
        if !self.authenticated {
            offered = offered.without(Extension::Auth);
        }
        offered
    }

    fn sends_chunks(&self) -> bool {
        self.config.chunking == Chunking::WhenOffered && self.capabilities.has(Extension::Chunking)
    }

    fn size(&self, message: MessageFacts) -> Result<Option<u64>, ServerIncompatible> {
        match (message.size, self.capabilities.size_limit()) {
            (Some(size), Some(limit)) if size > limit => {
                Err(ServerIncompatible::MessageTooLarge { size, limit })
            }
            (size, _) => Ok(size.filter(|_| self.capabilities.has(Extension::Size))),
        }
    }

    fn body_type(
        &self,
        envelope: &Envelope,
        message: MessageFacts,
    ) -> Result<Option<BodyType>, ServerIncompatible> {
        if envelope.body == Some(BodyType::BinaryMime) {
            // Without BDAT there is no way to send it (RFC 3030, 3).
            return match self.capabilities.has(Extension::BinaryMime) && self.sends_chunks() {
                true => Ok(Some(BodyType::BinaryMime)),
                false => Err(ServerIncompatible::NotOffered(Extension::BinaryMime)),
            };
        }
        // What is known of the message counts, and then what was declared of it.
        let eight_bit = match (message.eight_bit, envelope.body) {
            (Some(true), _) | (_, Some(BodyType::EightBitMime)) => Some(true),
            (Some(false), _) | (None, Some(_)) => Some(false),
            (None, None) => None,
        };
        match (self.capabilities.has(Extension::EightBitMime), eight_bit) {
            // Whoever takes 8BITMIME takes a message that turns out to have none of it.
            (true, Some(true) | None) => Ok(Some(BodyType::EightBitMime)),
            (false, Some(true)) if self.config.eight_bit == EightBit::Refuse => {
                Err(ServerIncompatible::EightBitNotOffered)
            }
            (true, Some(false)) | (false, _) => Ok(None),
        }
    }

    /// Whether SMTPUTF8 is declared; an error where it is needed and not offered.
    fn needs_utf8(
        &self,
        envelope: &Envelope,
        message: MessageFacts,
        not_sent: &[(usize, Outcome)],
    ) -> Result<bool, ServerIncompatible> {
        let offered = self.capabilities.has(Extension::SmtpUtf8);
        // What is known of the header counts before what was declared of it (RFC 6531, 3.4).
        let header = match message.utf8_header {
            Some(true) => offered || self.config.utf8_header == Utf8Header::Refuse,
            Some(false) => false,
            None => envelope.smtputf8,
        };
        let sender = !envelope.sender.path.is_ascii();
        let mut recipients = envelope.recipients.iter().enumerate();
        let recipient = offered
            && recipients.any(|(at, recipient)| {
                needs_utf8(recipient, self.capabilities.extensions())
                    && !not_sent.iter().any(|(left_out, _)| *left_out == at)
            });
        match header || sender || recipient {
            true if !offered => Err(ServerIncompatible::NotOffered(Extension::SmtpUtf8)),
            needed => Ok(needed),
        }
    }

    /// The recipients that the server's limits or extensions exclude.
    fn not_sent(
        &self,
        envelope: &Envelope,
        offered: Extensions,
        left_out: &mut Extensions,
    ) -> Vec<(usize, Outcome)> {
        let limits = self.capabilities.limits();
        let most = limits.rcpt_max.map_or(usize::MAX, |most| most as usize);
        let most_domains = limits.rcpt_domain_max.map_or(usize::MAX, |most| most as usize);
        let mut domains = Vec::new();
        if limits.rcpt_domain_max.is_some() {
            domains.extend(self.domains.iter().map(String::as_str));
        }
        let mut not_sent = Vec::new();
        let mut sent = 0;
        for (at, recipient) in envelope.recipients.iter().enumerate() {
            if let Err(misfit) = recipient_fits(recipient, offered, left_out) {
                not_sent.push((at, Outcome::Rejected(Rejection::Incompatible(misfit))));
                continue;
            }
            let new_domain = match limits.rcpt_domain_max {
                Some(_) => new_domain(recipient, &domains),
                None => None,
            };
            if sent == most || new_domain.is_some() && domains.len() >= most_domains {
                let failure =
                    Failure { phase: Phase::Rcpt, cause: Cause::LimitReached, reply: None };
                not_sent.push((at, Outcome::Deferred { failure, may_have_been_accepted: false }));
                continue;
            }
            sent += 1;
            domains.extend(new_domain);
        }
        not_sent
    }

    /// Counts the domains of the recipients that are sent now, where the server does.
    pub(super) fn count_domains(&mut self, envelope: &Envelope, terms: &Terms) {
        if self.capabilities.limits().rcpt_domain_max.is_none() {
            return;
        }
        for (at, recipient) in envelope.recipients.iter().enumerate() {
            let sent = !terms.not_sent.iter().any(|(left_out, _)| *left_out == at);
            let known: Vec<&str> = self.domains.iter().map(String::as_str).collect();
            if let Some(domain) = new_domain(recipient, &known).filter(|_| sent) {
                let domain = domain.into();
                self.domains.push(domain);
            }
        }
    }
}

/// The recipient's domain, unless it is one of those.
fn new_domain<'a>(recipient: &'a Party, known: &[&str]) -> Option<&'a str> {
    // A domain holds no `@`; `<postmaster>` has no domain.
    let (_, domain) = recipient.path.trim_end_matches('>').rsplit_once('@')?;
    (!known.iter().any(|known| known.eq_ignore_ascii_case(domain))).then_some(domain)
}

fn recipient_fits(
    recipient: &Party,
    offered: Extensions,
    left_out: &mut Extensions,
) -> Result<(), ServerIncompatible> {
    left_out_of(recipient, offered, left_out)?;
    match needs_utf8(recipient, offered) && !offered.contains(Extension::SmtpUtf8) {
        true => Err(ServerIncompatible::NotOffered(Extension::SmtpUtf8)),
        false => Ok(()),
    }
}

fn needs_utf8(party: &Party, offered: Extensions) -> bool {
    !party.path.is_ascii() || parameters_of(party, offered).any(|each| !each.text.is_ascii())
}

/// The parameters that are sent: those of extensions that are offered.
pub(super) fn parameters_of(
    party: &Party,
    offered: Extensions,
) -> impl Iterator<Item = &Parameter> {
    party
        .parameters
        .iter()
        .filter(move |parameter| parameter.extension.is_some_and(|needed| offered.contains(needed)))
}

/// Finds what is not offered: an error where it cannot be left out.
fn left_out_of(
    party: &Party,
    offered: Extensions,
    left_out: &mut Extensions,
) -> Result<(), ServerIncompatible> {
    for Parameter { extension, .. } in &party.parameters {
        match *extension {
            None => return Err(ServerIncompatible::UnknownParameter),
            Some(extension) if offered.contains(extension) => {}
            Some(extension @ (Extension::Dsn | Extension::Auth | Extension::MtPriority)) => {
                *left_out = left_out.with(extension);
            }
            Some(extension) => return Err(ServerIncompatible::NotOffered(extension)),
        }
    }
    Ok(())
}
