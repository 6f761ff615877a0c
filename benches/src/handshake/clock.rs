//! The time of one side, by phase.

use std::cell::Cell;
use std::time::{Duration, Instant};

/// A part of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Up to the 220 that answers STARTTLS, in clear.
    Clear,
    /// The handshake, with the making of what it needs.
    Handshake,
    /// SMTP inside TLS.
    Inside,
    /// close_notify, and the end of all that the connection had.
    Close,
}

/// All phases, in order.
pub const PHASES: [Phase; 4] = [Phase::Clear, Phase::Handshake, Phase::Inside, Phase::Close];

/// What each phase took, in the order of [`PHASES`].
pub type Spent = [Duration; 4];

/// A clock that runs while its side does.
#[derive(Debug)]
pub struct Clock {
    spent: Cell<Spent>,
    phase: Cell<usize>,
    since: Cell<Instant>,
}

impl Default for Clock {
    fn default() -> Self {
        Self {
            spent: Cell::new(Spent::default()),
            phase: Cell::new(0),
            since: Cell::new(Instant::now()),
        }
    }
}

impl Clock {
    /// Its side goes on.
    pub fn resume(&self) {
        self.since.set(Instant::now());
    }

    /// Its side waits for the other.
    pub fn pause(&self) {
        let now = Instant::now();
        let mut spent = self.spent.get();
        spent[self.phase.get()] += now - self.since.replace(now);
        self.spent.set(spent);
    }

    /// Another phase begins, while its side goes on.
    pub fn enter(&self, phase: Phase) {
        self.pause();
        self.phase.set(phase as usize);
    }

    /// What each phase took.
    #[must_use]
    pub const fn spent(&self) -> Spent {
        self.spent.get()
    }
}
