//! What a session has cost so far, against its limits.
//!
//! Does: count errors, junk, refusals, MAIL commands and the octets of refused messages. Does
//! not: decide what a limit that is met means. Fails: nothing here fails; every count saturates.

use super::config::Config;

#[derive(Debug, Default)]
pub(super) struct Counts {
    errors: u32,
    junk: u32,
    refusals: u32,
    mails: u32,
    refused_octets: u64,
}

impl Counts {
    /// A message was accepted: the client is in earnest. How many messages it sent, and what it
    /// sent in vain, stays.
    pub(super) fn forgive(&mut self) {
        *self = Self { mails: self.mails, refused_octets: self.refused_octets, ..Self::default() };
    }

    /// Counts an error; `false` if it is the last that the session may make.
    pub(super) fn error(&mut self, config: &Config) -> bool {
        self.errors = self.errors.saturating_add(1);
        self.errors < config.max_errors
    }

    /// Counts a refusal that is no error; `false` if it is the last that the session may have.
    pub(super) fn refusal(&mut self, config: &Config) -> bool {
        self.refusals = self.refusals.saturating_add(1);
        self.refusals < config.max_refusals
    }

    pub(super) fn junk(&mut self) {
        self.junk = self.junk.saturating_add(1);
    }

    pub(super) fn junk_is_full(&self, config: &Config) -> bool {
        self.junk >= config.max_junk
    }

    pub(super) fn mail(&mut self) {
        self.mails = self.mails.saturating_add(1);
    }

    pub(super) fn mails_are_full(&self, config: &Config) -> bool {
        config.messages().is_some_and(|most| self.mails >= most)
    }

    /// Counts octets that were read for nobody.
    pub(super) fn refused(&mut self, octets: u64) {
        self.refused_octets = self.refused_octets.saturating_add(octets);
    }

    /// Whether so many octets more may be read for nobody.
    pub(super) fn may_refuse(&self, octets: u64, config: &Config) -> bool {
        config
            .max_refused_octets
            .is_none_or(|most| self.refused_octets.saturating_add(octets) <= most)
    }
}
