//! The time before the greeting.
//!
//! Does: hold the greeting back, and end the session of a client that does not wait for it. Does
//! not: keep the time; the driver does. Fails: nothing here fails.

use super::conversation::Stage;
use super::event::Phase;
use super::{Session, Step};
use crate::error::PeerMisbehaved;
use crate::limits;

impl Session {
    pub(super) fn step_greeting(&mut self) -> Option<Step> {
        let Some(delay) = self.talk.config.greeting_delay else {
            self.talk.greet();
            return None;
        };
        let phase = Phase::Greeting(delay);
        if self.input.len() > 0 {
            self.talk.expel(None, PeerMisbehaved::EarlyTalker);
        } else if self.talk.stopping {
            self.talk.close_for_shutdown();
        } else if let Some(end) = self.talk.end {
            self.talk.close_at_end(end, phase, false);
        } else {
            self.input.make_space(limits::SERVER_IDLE_BUFFER, limits::SERVER_IDLE_BUFFER);
            return Some(Step::Wait(phase));
        }
        debug_assert_eq!(self.talk.stage, Stage::Closing);
        None
    }
}
