//! Vectors against a session in memory: every policy, whole, byte by byte, and cut everywhere.

use std::fmt::Write as _;
use std::path::Path;

use super::Vector;
use super::run::{Connection, Judged, Miss, Received, cuts, run};
use crate::transcript::{Schedule, Side};

/// What can be seen of the inside of a side under test; `None` where it cannot.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inside {
    /// The messages that a server took, in order.
    pub messages: Option<Vec<Vec<u8>>>,
    /// What a client says became of the recipients: `delivered`, `deferred`, `doubtful`
    /// (deferred, and possibly taken) or `rejected`, in order.
    pub outcomes: Option<Vec<String>>,
}

/// A session under test that can be looked into.
pub trait Subject: Side {
    /// What it did so far.
    fn inside(&self) -> Inside;
}

/// Runs a vector once, against a side in memory.
///
/// # Errors
/// As [`run`].
pub fn once<S: Subject>(
    vector: &Vector,
    policy: &str,
    schedule: Schedule,
    side: S,
) -> Result<Judged, Box<Miss>> {
    run(vector, policy, schedule, Memory { side })
}

/// The longest input that is fed byte by byte, and cut at every offset.
const EVERY_CUT: usize = 5_000;

/// How many cuts of a longer one there are for one that is tried.
const SAMPLE: usize = 11;

/// Runs a vector under each policy and every cut, or some of them where the input is very long;
/// gives the number of runs.
///
/// # Errors
/// The first run that missed.
pub fn check<S: Subject>(
    vector: &Vector,
    policies: &[&str],
    mut make: impl FnMut(&Vector, &str) -> S,
) -> Result<usize, Box<Miss>> {
    let sent = vector.sent();
    let (bytes, step) = match sent.len() <= EVERY_CUT {
        true => (Some(Schedule::Bytes), 1),
        false => (None, SAMPLE),
    };
    let mut runs = 0;
    for policy in policies {
        let cuts = cuts(&sent).step_by(step).map(Schedule::CutAt);
        for schedule in [Schedule::Whole].into_iter().chain(bytes).chain(cuts) {
            let side = make(vector, policy);
            let Judged { unjudged } = once(vector, policy, schedule, side)?;
            assert!(unjudged.is_empty(), "{}: {unjudged:?} cannot be seen", vector.name);
            runs += 1;
        }
    }
    Ok(runs)
}

/// As [`check`], for every vector of a folder that `has` what it needs; gives the number of
/// vectors.
///
/// # Panics
/// With every miss, one for each vector; and when the folder holds no vector.
pub fn check_all<S: Subject>(
    folder: &Path,
    policies: &[&str],
    has: impl Fn(&str) -> bool,
    mut make: impl FnMut(&Vector, &str) -> S,
) -> usize {
    let mut misses = String::new();
    let mut vectors = 0;
    for vector in Vector::load_folder(folder) {
        if !vector.needs().all(&has) {
            continue;
        }
        vectors += 1;
        if let Err(miss) = check(&vector, policies, &mut make) {
            let _ = writeln!(misses, "{miss}");
        }
    }
    assert!(misses.is_empty(), "in {}:\n{misses}", folder.display());
    vectors
}

struct Memory<S> {
    side: S,
}

impl<S: Subject> Connection for Memory<S> {
    fn send(&mut self, octets: &[u8]) {
        if self.side.closed() {
            return;
        }
        if self.side.wants_tls() {
            // They go to the TLS library, for which they are no handshake.
            self.side.tls_failed();
        } else {
            self.side.feed(octets);
        }
    }

    fn receive(&mut self) -> Received {
        match self.side.take_output() {
            octets if !octets.is_empty() => Received::Octets(octets),
            _ if self.side.closed() => Received::End,
            _ => Received::Nothing,
        }
    }

    fn handshake(&mut self) -> bool {
        let wanted = self.side.wants_tls() && !self.side.closed();
        if wanted {
            self.side.tls_established();
        }
        wanted
    }

    fn end(&mut self) {
        if self.side.closed() {
        } else if self.side.wants_tls() {
            self.side.tls_failed();
        } else {
            self.side.end_of_input();
        }
    }

    fn inside(&self) -> Inside {
        self.side.inside()
    }
}
