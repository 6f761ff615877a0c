//! The message behind DATA and BDAT.
//!
//! Does: hand out the decoded pieces, count them, and find the true end whatever becomes of the
//! message. Does not: keep any of it. Fails: a message over the limit or with a refused line end
//! is aborted, consumed to the end of its text or chunk, and refused there; the session goes on,
//! unless it consumed too much in vain already.

use super::conversation::{Chunk, Conversation, Reading, Stage};
use super::event::{Event, Phase};
use super::queue::Notice;
use super::state::State;
use super::transaction::Transaction;
use super::{Session, Step, replies};
use crate::error::PeerMisbehaved;
use crate::limits;
use crate::wire::{BareLf, Bdat, ChunkDecoder, ChunkStatus, DataDecoder, DataStatus, Verb};

/// A message on its way.
#[derive(Debug)]
pub(super) struct Body {
    text: DataDecoder,
    chunks: ChunkDecoder,
    bare_lf: BareLf,
    /// Octets that belong behind the piece that was handed out last.
    insert: Option<&'static [u8]>,
    /// Octets read of the message, or announced with BDAT, as they came.
    octets: u64,
    /// What began it.
    pub(super) verb: Verb,
}

impl Body {
    pub(super) const fn new(bare_lf: BareLf) -> Self {
        Self {
            text: DataDecoder::new(bare_lf),
            chunks: ChunkDecoder::text(bare_lf),
            bare_lf,
            insert: None,
            octets: 0,
            verb: Verb::Data,
        }
    }

    /// A message behind DATA.
    pub(super) fn begin(&mut self) {
        *self = Self::new(self.bare_lf);
    }

    /// A message in chunks, of which the first is announced.
    pub(super) fn begin_chunks(&mut self, binary: bool) {
        self.begin();
        self.verb = Verb::Bdat;
        if binary {
            self.chunks = ChunkDecoder::binary();
        }
    }

    pub(super) fn announce(&mut self, bdat: Bdat) {
        self.octets = self.octets.saturating_add(bdat.size);
        self.chunks.begin(bdat.size);
    }

    /// The announced chunk is read for nobody.
    pub(super) fn pass_over(&mut self) {
        self.chunks.skip();
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
        let decoded = talk.body.text.decode(self.input.unused_mut());
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
            (DataStatus::More, _) => {}
            (DataStatus::Insert(octets), Reading::Taken) => talk.body.insert = Some(octets),
            (DataStatus::BareLf { .. }, Reading::Taken) => {
                talk.give_up_message(PeerMisbehaved::BareLf);
                return None;
            }
            (DataStatus::Insert(_) | DataStatus::BareLf { .. }, _) => {}
            (DataStatus::EndOfData, Reading::Taken) => talk.stage = Stage::MessageEnded,
            (DataStatus::EndOfData, Reading::Refused(fault)) => {
                talk.counts.refused(talk.body.octets);
                talk.stage = Stage::Commands(State::Greeted);
                talk.refuse_times(Some(Verb::Data), fault, talk.replies_due());
                talk.transaction = Transaction::default();
            }
            (DataStatus::EndOfData, Reading::RefusedByHandler) => {
                unreachable!("what the handler refuses is not read behind DATA")
            }
        }
        let body = taken.start..taken.start + decoded.body;
        (reading == Reading::Taken && !body.is_empty()).then_some(Step::Body(body))
    }

    pub(super) fn step_chunk(&mut self, chunk: Chunk) -> Option<Step> {
        let talk = &mut self.talk;
        if let Some(octets) = talk.body.insert.take() {
            return talk.fits(octets.len()).then_some(Step::Insert(octets));
        }
        if self.input.len() == 0 && talk.body.chunks.remaining() > 0 {
            return self.wait_for_body();
        }
        let decoded = talk.body.chunks.decode(self.input.unused());
        let taken = self.input.take(decoded.consumed);
        let is_taken = chunk.reading == Reading::Taken;
        if is_taken && !talk.fits(decoded.body) {
            return None;
        }
        match decoded.status {
            ChunkStatus::More => {}
            ChunkStatus::Insert(octets) => talk.body.insert = is_taken.then_some(octets),
            ChunkStatus::BareLf { .. } if is_taken => {
                talk.give_up_message(PeerMisbehaved::BareLf);
                return None;
            }
            ChunkStatus::BareLf { .. } => {}
            ChunkStatus::EndOfChunk => talk.end_chunk(chunk),
        }
        let body = taken.start..taken.start + decoded.body;
        (is_taken && !body.is_empty()).then_some(Step::Body(body))
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

    /// From here on the message is only looked through for its end, or its chunk's.
    fn give_up_message(&mut self, fault: PeerMisbehaved) {
        self.queue.notice(Notice::Abort);
        let reading = Reading::Refused(fault);
        if let Stage::Chunk(chunk) = self.stage {
            self.body.chunks.skip();
            self.transaction = self.transaction.given_up();
            self.stage = Stage::Chunk(Chunk { reading, then: State::Greeted, ..chunk });
            if self.counts.may_refuse(self.body.octets, &self.config) {
                self.counts.refused(self.body.octets);
            } else {
                self.expel_over_refused_octets(fault);
            }
        } else {
            self.body.text.skip();
            self.stage = Stage::Message(reading);
        }
    }

    /// Begins to read a chunk for nobody. An open transaction ends with it: the chunks behind it
    /// are no message.
    pub(super) fn discard_chunk(&mut self, state: State, bdat: Bdat, reading: Reading) {
        let replies = if bdat.last { self.replies_due() } else { 1 };
        if state.in_transaction() {
            self.queue.notice(Notice::Abort);
            self.transaction = self.transaction.given_up();
        }
        self.counts.refused(bdat.size);
        self.body.begin_chunks(true);
        self.body.announce(bdat);
        self.body.pass_over();
        let then = state.without_transaction();
        self.stage = Stage::Chunk(Chunk { reading, last: bdat.last, then, replies });
    }

    /// Begins to read a chunk of the message.
    pub(super) fn take_chunk(&mut self, bdat: Bdat) {
        let replies = if bdat.last { self.replies_due() } else { 1 };
        let then = State::Chunks;
        self.body.announce(bdat);
        if bdat.size == 0 && !bdat.last {
            self.counts.junk();
        }
        self.stage =
            Stage::Chunk(Chunk { reading: Reading::Taken, last: bdat.last, then, replies });
    }

    fn end_chunk(&mut self, chunk: Chunk) {
        match chunk.reading {
            Reading::Taken if chunk.last => {
                self.stage = Stage::MessageEnded;
                return;
            }
            Reading::Taken => {
                self.stage = Stage::Commands(chunk.then);
                self.say(replies::CHUNK_OK);
            }
            Reading::Refused(fault) => {
                self.stage = Stage::Commands(chunk.then);
                self.refuse_times(Some(Verb::Bdat), fault, chunk.replies);
            }
            Reading::RefusedByHandler => {
                self.stage = Stage::Commands(chunk.then);
                if let Some(refusal) = self.refusal.take() {
                    for _ in 0..chunk.replies {
                        self.say_refusal(&refusal);
                    }
                }
                self.count_refusal(Some(Verb::Bdat));
            }
        }
        if chunk.last {
            self.transaction = Transaction::default();
        }
        self.queue.make_due();
    }

    /// The message is refused for what was wrong with it, and its end is not waited for.
    fn expel_over_refused_octets(&mut self, fault: PeerMisbehaved) {
        let verb = Some(self.body.verb);
        self.note(Event::Refused { verb, fault });
        self.note(Event::Refused { verb, fault: PeerMisbehaved::TooManyRefusedOctets });
        self.say(replies::fault(fault));
        self.close();
    }
}
