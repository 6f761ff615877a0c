//! How long a peer may keep the server waiting.
//!
//! Does: bound each wait by its phase, and all of them between two messages by one sum. Does not:
//! count the time of a handler or a sink. Fails: nothing here fails.

use std::time::Duration;

use smtp_proto::server::Phase;
use tokio::time::Instant;

use crate::config::{ConnectionPolicy, deadline};

/// What a peer's waits have left.
#[derive(Debug)]
pub(crate) struct Patience {
    whole: Duration,
    left: Duration,
    /// When the command that is waited for must be there.
    command: Option<Instant>,
}

impl Patience {
    pub(crate) fn new(policy: &ConnectionPolicy) -> Self {
        // One wait that is allowed is never cut short by the sum of all.
        let whole = policy.patience.max(policy.timeout(Phase::Command));
        Self { whole, left: whole, command: None }
    }

    /// A message was accepted.
    pub(crate) fn renew(&mut self) {
        self.left = self.whole;
    }

    /// The session moved on.
    pub(crate) fn moved(&mut self) {
        self.command = None;
    }

    /// When a wait in this phase must end.
    pub(crate) fn deadline(&mut self, policy: &ConnectionPolicy, wait: Wait) -> Instant {
        let mut until = deadline(policy.timeout(wait.phase));
        if !wait.phase.restarts_with_input() {
            until = *self.command.get_or_insert(until);
        }
        if wait.counts() { until.min(deadline(self.left)) } else { until }
    }

    /// A wait is over.
    pub(crate) fn spend(&mut self, wait: Wait) {
        if wait.counts() {
            self.left = self.left.saturating_sub(wait.since.elapsed());
        }
    }
}

/// One wait for the peer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wait {
    phase: Phase,
    since: Instant,
    /// Somebody takes the message that comes.
    taken: bool,
}

impl Wait {
    pub(crate) fn begin(phase: Phase, taken: bool) -> Self {
        Self { phase, since: Instant::now(), taken }
    }

    fn counts(self) -> bool {
        match self.phase {
            Phase::Greeting(_) => false,
            Phase::Body => !self.taken,
            _ => true,
        }
    }
}
