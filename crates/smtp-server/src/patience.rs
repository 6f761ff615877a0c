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
    left: Duration,
    /// When the command that is waited for must be there.
    command: Option<Instant>,
}

impl Patience {
    pub(crate) fn new(policy: &ConnectionPolicy) -> Self {
        Self { left: whole(policy), command: None }
    }

    /// A message was accepted.
    pub(crate) fn renew(&mut self, policy: &ConnectionPolicy) {
        self.left = whole(policy);
    }

    /// The session moved on.
    pub(crate) fn moved(&mut self) {
        self.command = None;
    }

    /// When a wait in this phase must end.
    pub(crate) fn deadline(
        &mut self,
        policy: &ConnectionPolicy,
        phase: Phase,
        wait: Wait,
    ) -> Instant {
        let mut until = deadline(policy.timeout(phase));
        if !phase.restarts_with_input() {
            until = *self.command.get_or_insert(until);
        }
        if wait.counts { until.min(deadline(self.left)) } else { until }
    }

    /// A wait is over.
    pub(crate) fn spend(&mut self, wait: Wait) {
        if wait.counts {
            self.left = self.left.saturating_sub(wait.since.elapsed());
        }
    }
}

/// One wait that is allowed is never cut short by the sum of all.
fn whole(policy: &ConnectionPolicy) -> Duration {
    policy.patience.max(policy.timeout(Phase::Command))
}

/// One wait for the peer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wait {
    since: Instant,
    /// Against what all of them may take.
    counts: bool,
}

impl Wait {
    /// `taken`: somebody takes the message that comes.
    pub(crate) fn begin(phase: Phase, taken: bool) -> Self {
        let counts = match phase {
            Phase::Greeting(_) => false,
            Phase::Body => !taken,
            _ => true,
        };
        Self { since: Instant::now(), counts }
    }
}
