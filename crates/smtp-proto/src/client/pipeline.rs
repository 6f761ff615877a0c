//! Commands that are sent and not yet answered.
//!
//! Does: say whether another command may be sent, and which command a reply answers. Does not:
//! send or read. Fails: a reply that no command waits for has no front to take.

use alloc::collections::VecDeque;

use super::event::Phase;
use crate::limits::{PIPELINE_CHUNKS, PIPELINE_COMMANDS, PIPELINE_OCTETS};

/// The commands of one transaction that await their replies, oldest first.
///
/// Both bounds keep the replies to all of them within what a socket buffers, so that a server that
/// answers each command before it reads the next one never blocks (RFC 2920, 3.1).
#[derive(Debug, Default)]
pub(super) struct Pipeline {
    sent: VecDeque<Sent>,
    octets: usize,
}

/// One command, with the length of its line.
#[derive(Clone, Copy, Debug)]
struct Sent {
    phase: Phase,
    octets: usize,
}

impl Pipeline {
    /// Whether a command line of `octets` may be sent now; without PIPELINING only alone.
    pub(super) fn admits(&self, pipelining: bool, octets: usize) -> bool {
        self.sent.is_empty()
            || pipelining
                && self.sent.len() < PIPELINE_COMMANDS
                && self.octets + octets <= PIPELINE_OCTETS
    }

    /// Whether a chunk may be sent now, under PIPELINING. Its octets are read whatever the server
    /// thinks of them (RFC 3030, 2), so only the replies are bounded, and what a refusal wastes.
    pub(super) fn admits_chunk(&self) -> bool {
        let chunks = self.sent.iter().filter(|sent| sent.phase == Phase::Bdat).count();
        self.sent.len() < PIPELINE_COMMANDS && chunks < PIPELINE_CHUNKS
    }

    pub(super) fn push(&mut self, phase: Phase, octets: usize) {
        self.sent.push_back(Sent { phase, octets });
        self.octets += octets;
    }

    /// What the next reply answers.
    pub(super) fn front(&self) -> Option<Phase> {
        self.sent.front().map(|sent| sent.phase)
    }

    pub(super) fn pop(&mut self) {
        if let Some(sent) = self.sent.pop_front() {
            self.octets -= sent.octets;
        }
    }
}
