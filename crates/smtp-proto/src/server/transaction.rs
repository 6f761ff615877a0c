//! What a session remembers of the transaction that is open.
//!
//! Does: count recipients and octets against the limits. Does not: keep addresses; the handler
//! was given them. Fails: nothing here fails.

use crate::wire::{BodyType, MailParameters};

/// One mail transaction, from an accepted MAIL to its end (RFC 5321 section 3.3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Transaction {
    begun: bool,
    mail_refused: bool,
    accepted: usize,
    refused: bool,
    octets: u64,
    utf8: bool,
    binary: bool,
}

impl Transaction {
    /// A transaction that MAIL asks for.
    pub(super) fn asked(parameters: &MailParameters<'_>) -> Self {
        Self {
            begun: true,
            utf8: parameters.smtputf8,
            binary: parameters.body == Some(BodyType::BinaryMime),
            ..Self::default()
        }
    }

    /// None, because MAIL was refused.
    pub(super) fn refused() -> Self {
        Self { begun: true, mail_refused: true, ..Self::default() }
    }

    /// None, because a chunk of the message was refused; the replies to it and to the chunks behind
    /// it still are in its words, and for its recipients.
    pub(super) fn given_up(self) -> Self {
        let Self { utf8, accepted, refused, .. } = self;
        Self { utf8, accepted, refused, ..Self::refused() }
    }

    /// MAIL came, accepted or not, and the end of the message did not come yet.
    pub(super) const fn has_begun(self) -> bool {
        self.begun
    }

    /// The client said SMTPUTF8.
    pub(super) const fn is_utf8(self) -> bool {
        self.utf8
    }

    /// The client said BODY=BINARYMIME.
    pub(super) const fn is_binary(self) -> bool {
        self.binary
    }

    pub(super) const fn recipients(self) -> usize {
        self.accepted
    }

    /// Whether so many octets more still fit.
    pub(super) fn has_room(self, octets: u64, limit: Option<u64>) -> bool {
        limit.is_none_or(|limit| self.octets.saturating_add(octets) <= limit)
    }

    /// There is no transaction, and what was pipelined comes without fault of the client.
    pub(super) const fn mail_was_refused(self) -> bool {
        self.mail_refused
    }

    pub(super) const fn is_full(self, limit: usize) -> bool {
        self.accepted >= limit
    }

    pub(super) const fn recipient_was_refused(self) -> bool {
        self.refused
    }

    pub(super) fn recipient(&mut self, accepted: bool) {
        if accepted {
            self.accepted += 1;
        } else {
            self.refused = true;
        }
    }

    /// Counts a piece of the message; `false` once it is over the limit.
    pub(super) fn grows(&mut self, octets: usize, limit: Option<u64>) -> bool {
        self.octets = self.octets.saturating_add(octets as u64);
        limit.is_none_or(|limit| self.octets <= limit)
    }
}

#[cfg(test)]
mod tests {
    use super::Transaction;

    #[test]
    fn a_message_of_exactly_the_limit_fits() {
        let mut transaction = Transaction::default();
        assert!(transaction.grows(6, Some(10)));
        assert!(transaction.grows(4, Some(10)));
        assert!(!transaction.grows(1, Some(10)));
        assert!(Transaction::default().grows(usize::MAX, None));
    }

    #[test]
    fn only_accepted_recipients_fill_a_transaction() {
        let mut transaction = Transaction::default();
        transaction.recipient(false);
        assert!(!transaction.is_full(1));
        assert!(transaction.recipient_was_refused());
        transaction.recipient(true);
        assert!(transaction.is_full(1));
    }
}
