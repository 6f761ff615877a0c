//! The message behind DATA.
//!
//! Does: hand out the decoded pieces, count them, and find the true end whatever becomes of the
//! message. Does not: keep any of it. Fails: a message over the limit or with a refused line end
//! is aborted, consumed to its end, and refused there; the session goes on, unless it consumed
//! too much in vain already.

use super::conversation::{Conversation, Reading, Stage};
use super::event::Phase;
use super::queue::Notice;
use super::state::State;
use super::{Session, Step};
use crate::error::PeerMisbehaved;
use crate::limits;
use crate::wire::{BareLf, DataDecoder, DataStatus, Verb};

#[derive(Debug)]
pub(super) struct Body {
    decoder: DataDecoder,
    bare_lf: BareLf,
    /// Octets that belong behind the piece that was handed out last.
    insert: Option<&'static [u8]>,
    /// Octets read of the message, as they came.
    octets: u64,
}

impl Body {
    pub(super) fn new(bare_lf: BareLf) -> Self {
        Self { decoder: DataDecoder::new(bare_lf), bare_lf, insert: None, octets: 0 }
    }

    pub(super) fn begin(&mut self) {
        *self = Self::new(self.bare_lf);
    }
}

impl Session {
    pub(super) fn step_message(&mut self, mut reading: Reading) -> Option<Step> {
        let talk = &mut self.talk;
        if let Some(octets) = talk.body.insert.take() {
            return talk.fits(octets.len()).then_some(Step::Insert(octets));
        }
        if self.input.len() == 0 {
            return self.wait_for_body();
        }
        let decoded = talk.body.decoder.decode(self.input.unused_mut());
        let taken = self.input.take(decoded.consumed);
        talk.body.octets = talk.body.octets.saturating_add(decoded.consumed as u64);
        if reading == Reading::Taken && !talk.fits(decoded.body) {
            reading = Reading::Refused(PeerMisbehaved::MessageTooBig);
        }
        if let Reading::Refused(fault) = reading
            && !talk.counts.may_refuse(talk.body.octets, &talk.config)
        {
            talk.expel_over_refused_octets(fault);
            return None;
        }
        match (decoded.status, reading) {
            (DataStatus::More, _) | (DataStatus::BareLf { .. }, Reading::Refused(_)) => {}
            (DataStatus::Insert(octets), Reading::Taken) => talk.body.insert = Some(octets),
            (DataStatus::Insert(_), Reading::Refused(_)) => {}
            (DataStatus::BareLf { .. }, Reading::Taken) => {
                talk.give_up_message(PeerMisbehaved::BareLf);
                return None;
            }
            (DataStatus::EndOfData, Reading::Taken) => talk.stage = Stage::MessageEnded,
            (DataStatus::EndOfData, Reading::Refused(fault)) => {
                talk.counts.refused(talk.body.octets);
                talk.stage = Stage::Commands(State::Greeted);
                talk.refuse(Some(Verb::Data), fault);
            }
        }
        let body = taken.start..taken.start + decoded.body;
        (reading == Reading::Taken && !body.is_empty()).then_some(Step::Body(body))
    }

    fn wait_for_body(&mut self) -> Option<Step> {
        if let Some(end) = self.talk.end {
            self.talk.close_at_end(end, Phase::Body, true);
            return None;
        }
        self.input.make_space(limits::SERVER_FIRST_BODY_BUFFER, limits::SERVER_BODY_BUFFER);
        Some(Step::Wait(Phase::Body))
    }
}

impl Conversation {
    /// Counts a piece of the message; one too many is the end of it.
    fn fits(&mut self, octets: usize) -> bool {
        let fits = self.transaction.grows(octets, self.config.max_message_size);
        if !fits {
            self.give_up_message(PeerMisbehaved::MessageTooBig);
        }
        fits
    }

    /// From here on the message is only looked through for its end.
    fn give_up_message(&mut self, fault: PeerMisbehaved) {
        self.queue.notice(Notice::Abort);
        self.stage = Stage::Message(Reading::Refused(fault));
        self.body.decoder.skip();
    }

    /// The message is refused for what was wrong with it, and its end is not waited for.
    fn expel_over_refused_octets(&mut self, fault: PeerMisbehaved) {
        self.note(super::Event::Refused { verb: Some(Verb::Data), fault });
        self.note(super::Event::Refused {
            verb: Some(Verb::Data),
            fault: PeerMisbehaved::TooManyRefusedOctets,
        });
        self.say(super::replies::fault(fault));
        self.close();
    }
}
