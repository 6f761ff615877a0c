//! A sink that throws messages away, for load measurements.
//!
//! Does: count messages and octets, and say yes. Does not: keep anything. Fails: never.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use smtp_proto::server::Commit;

use crate::handler::Sink;

/// Counts what its sinks take.
#[derive(Clone, Debug, Default)]
pub struct Discard(Arc<Counters>);

#[derive(Debug, Default)]
struct Counters {
    messages: AtomicU64,
    octets: AtomicU64,
}

impl Discard {
    /// A sink for one message.
    #[must_use]
    pub fn sink(&self) -> DiscardSink {
        DiscardSink { counters: Arc::clone(&self.0), octets: 0 }
    }

    /// Messages that came whole.
    #[must_use]
    pub fn messages(&self) -> u64 {
        self.0.messages.load(Ordering::Relaxed)
    }

    /// Octets of those messages.
    #[must_use]
    pub fn octets(&self) -> u64 {
        self.0.octets.load(Ordering::Relaxed)
    }
}

/// One message on its way to nowhere.
#[derive(Debug)]
pub struct DiscardSink {
    counters: Arc<Counters>,
    octets: u64,
}

impl Sink for DiscardSink {
    async fn write(&mut self, octets: &[u8]) -> io::Result<()> {
        self.octets += octets.len() as u64;
        Ok(())
    }

    async fn commit(self) -> Commit {
        self.counters.messages.fetch_add(1, Ordering::Relaxed);
        self.counters.octets.fetch_add(self.octets, Ordering::Relaxed);
        Commit::Accepted(None)
    }
}
