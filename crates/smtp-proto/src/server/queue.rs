//! The one queue of what a session has to say.
//!
//! Does: keep replies in order and hold them together, so that a pipelined group leaves in one
//! write; keep notes and aborts in order among themselves. Those may overtake replies that are
//! still held: the peer cannot see them. Does not: decide when replies must leave. Fails:
//! nothing here fails.

use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::fmt;

use super::event::Event;

/// What the driver is told beside replies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Notice {
    Note(Event),
    Hello,
    Abort,
}

#[derive(Default)]
pub(super) struct Queue {
    replies: Vec<u8>,
    /// The replies were handed out with the last output and are forgotten with the next.
    handed_out: bool,
    /// The replies may not wait for those to the rest of a pipelined group.
    due: bool,
    notices: VecDeque<Notice>,
}

impl Queue {
    /// The space in which a reply is written.
    pub(super) fn reply(&mut self) -> &mut Vec<u8> {
        &mut self.replies
    }

    pub(super) fn notice(&mut self, notice: Notice) {
        self.notices.push_back(notice);
    }

    pub(super) fn next_notice(&mut self) -> Option<Notice> {
        self.notices.pop_front()
    }

    pub(super) fn held(&self) -> usize {
        self.replies.len()
    }

    /// What is held must leave before anything else happens.
    pub(super) fn make_due(&mut self) {
        self.due = true;
    }

    pub(super) fn is_due(&self) -> bool {
        self.due && self.held() > 0
    }

    /// Forgets what was handed out, and keeps its space unless a burst made it large.
    pub(super) fn begin_output(&mut self, keep: usize) {
        if self.handed_out {
            self.handed_out = false;
            self.due = false;
            self.replies.clear();
            self.replies.shrink_to(keep);
        }
    }

    /// Gives the space back in which nothing is held.
    pub(super) fn give_back(&mut self) {
        if self.held() == 0 {
            self.replies = Vec::new();
        }
        if self.notices.is_empty() {
            self.notices = VecDeque::new();
        }
    }

    pub(super) fn mark_handed_out(&mut self) {
        self.handed_out = true;
    }

    pub(super) fn replies(&self) -> &[u8] {
        &self.replies
    }
}

/// The replies by their length alone: a challenge or a handler's words may stand there.
impl fmt::Debug for Queue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Queue")
            .field("held", &self.held())
            .field("handed_out", &self.handed_out)
            .field("due", &self.due)
            .field("notices", &self.notices)
            .finish()
    }
}
