//! What senders know of their messages, held against what is in the Maildir.
//!
//! A message's text follows from its id and size, so each one can be checked octet by octet.

use std::collections::{HashMap, HashSet};
use std::ffi::OsString;
use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::support::Host;

/// A small generator of numbers (SplitMix64): the same seed gives the same run.
#[derive(Clone, Debug)]
pub(super) struct Random(u64);

impl Random {
    pub(super) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The seed of this test run, told in its output: `HVMAIL_TEST_SEED`, or the time.
    pub(super) fn of_this_run() -> Self {
        let given = std::env::var("HVMAIL_TEST_SEED").ok().map(|text| text.parse().unwrap());
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis();
        let seed = given.unwrap_or(u64::try_from(now).unwrap());
        eprintln!("for the same choices again: HVMAIL_TEST_SEED={seed}");
        Self(seed)
    }

    pub(super) fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `limit`.
    pub(super) fn below(&mut self, limit: usize) -> usize {
        let limit = u64::try_from(limit).unwrap();
        usize::try_from(self.number() % limit).unwrap()
    }

    /// True once in `times`.
    pub(super) fn once_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    /// From a few octets to more than any buffer on the way holds.
    pub(super) fn size(&mut self) -> usize {
        match self.below(8) {
            0 => 0,
            1..=4 => self.below(4_000),
            5 => 60_000 + self.below(10_000),
            6 => self.below(100_000),
            _ => 65_536 + self.below(300_000),
        }
    }
}

/// How far a sender came with a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    /// Its final dot was not sent: nobody may have taken it.
    Open,
    /// Its final dot may have been sent: it is there once, or not at all.
    InDoubt,
    /// 250 was seen: it is there.
    Accepted,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    size: usize,
    progress: Progress,
}

/// All messages of a test.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    entries: Mutex<HashMap<String, Entry>>,
    accepted: AtomicUsize,
    /// The files of `new` that were read, by name.
    read: Mutex<HashSet<OsString>>,
    /// The file of each message that was found.
    found: Mutex<HashMap<String, OsString>>,
}

/// What a look at `tmp` found.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Leftovers {
    pub(super) unfinished: usize,
    pub(super) linked: usize,
}

impl Ledger {
    pub(super) fn begin(&self, id: &str, size: usize) -> String {
        let entry = Entry { size, progress: Progress::Open };
        let before = self.entries.lock().unwrap().insert(id.to_owned(), entry);
        assert!(before.is_none(), "the id {id} is used twice");
        text(id, size)
    }

    pub(super) fn note(&self, id: &str, progress: Progress) {
        self.entries.lock().unwrap().get_mut(id).unwrap().progress = progress;
        if progress == Progress::Accepted {
            self.accepted.fetch_add(1, Ordering::SeqCst);
        }
    }

    /// How many messages were answered with 250.
    pub(super) fn accepted(&self) -> usize {
        self.accepted.load(Ordering::SeqCst)
    }

    /// How many of these there are, with at least this size.
    pub(super) fn count(&self, progress: Progress, size: usize) -> usize {
        let entries = self.entries.lock().unwrap();
        entries.values().filter(|entry| entry.progress == progress && entry.size >= size).count()
    }

    /// Checks `new`: each file is a whole message that was sent, none is there twice, every one
    /// that was answered with 250 is there, and nothing has gone that was there before.
    pub(super) fn check_new(&self, host: &Host, when: &str) {
        let new = host.maildir().join("new");
        let names: HashSet<_> =
            fs::read_dir(&new).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        let entries = self.entries.lock().unwrap();
        let (mut read, mut found) = (self.read.lock().unwrap(), self.found.lock().unwrap());
        for name in &*read {
            assert!(names.contains(name), "{when}: {name:?} has gone from new");
        }
        for name in names {
            if read.contains(&name) {
                continue;
            }
            let file = fs::read(new.join(&name)).unwrap();
            let (id, own) = identify(&file)
                .unwrap_or_else(|| panic!("{when}: no message of this test in new: {name:?}"));
            let entry = entries.get(id).unwrap_or_else(|| panic!("{when}: nobody sent {id}"));
            assert_ne!(entry.progress, Progress::Open, "{when}: {id} was never ended");
            assert!(own == text(id, entry.size).as_bytes(), "{when}: {id} is torn: {name:?}");
            let other = found.insert(id.to_owned(), name.clone());
            assert_eq!(other, None, "{when}: {id} is there twice");
            read.insert(name);
        }
        for (id, entry) in &*entries {
            if entry.progress == Progress::Accepted {
                assert!(found.contains_key(id), "{when}: {id} was answered with 250 and is lost");
            }
        }
    }

    /// Checks `new` without regard to what was read before.
    pub(super) fn check_all(&self, host: &Host, when: &str) {
        let gone = std::mem::take(&mut *self.read.lock().unwrap());
        self.found.lock().unwrap().clear();
        self.check_new(host, when);
        assert!(gone.is_subset(&self.read.lock().unwrap()), "{when}: messages have gone from new");
    }

    /// Checks `tmp`: each file is linked into `new` already, or is the beginning of a message that
    /// was not answered.
    pub(super) fn check_tmp(&self, host: &Host, when: &str) -> Leftovers {
        let mut leftovers = Leftovers::default();
        let entries = self.entries.lock().unwrap();
        for path in host.leftovers() {
            let metadata = fs::metadata(&path).unwrap();
            if metadata.nlink() == 2 {
                let linked = host.maildir().join("new").join(path.file_name().unwrap());
                assert_eq!(fs::metadata(&linked).unwrap().ino(), metadata.ino(), "{when}");
                leftovers.linked += 1;
                continue;
            }
            leftovers.unfinished += 1;
            // One whose own lines were not yet begun has nothing to check.
            if let Some((id, own)) = identify(&fs::read(&path).unwrap()) {
                let entry = entries[id];
                assert_ne!(entry.progress, Progress::Accepted, "{when}: {id} stays in tmp");
                assert!(text(id, entry.size).as_bytes().starts_with(own), "{when}: {path:?}");
            }
        }
        leftovers
    }
}

/// A message with LF line ends, as it stands in the Maildir behind the trace lines. Its lines have
/// any length up to 200, and some begin with a dot.
fn text(id: &str, size: usize) -> String {
    let seed = id.bytes().fold(0, |seed: u64, octet| {
        seed.wrapping_mul(0x0100_0000_01b3).wrapping_add(u64::from(octet))
    });
    let mut random = Random::new(seed);
    let mut text = format!("X-Id: {id}\nX-Size: {size}\n\n");
    while text.len() < size {
        let number = random.number();
        if number.is_multiple_of(5) {
            text.push('.');
        }
        let filler = "abcdefghijklmnopqrstuvwxyz é";
        for _ in 0..number >> 8 & 7 {
            text.push_str(filler);
        }
        let _ = writeln!(text, "{number:x}");
    }
    let _ = writeln!(text, "the end of {id}");
    text
}

/// The id of the message in a file, and its own lines; `None` without a whole line with the id.
fn identify(file: &[u8]) -> Option<(&str, &[u8])> {
    let trace = b"Return-Path: <a@example.org>\nDelivered-To: b@example.org\nReceived: from ";
    let behind = file.strip_prefix(trace)?;
    let own = behind.windows(7).position(|octets| octets == b"\nX-Id: ")? + 1;
    let own = &behind[own..];
    let end = own.iter().position(|octet| *octet == b'\n')?;
    Some((str::from_utf8(&own[6..end]).ok()?, own))
}

/// The same message as DATA carries it, with its end.
pub(super) fn on_the_wire(text: &str) -> Vec<u8> {
    let mut octets = Vec::with_capacity(text.len() + text.len() / 8);
    for line in text.lines() {
        if line.starts_with('.') {
            octets.push(b'.');
        }
        octets.extend_from_slice(line.as_bytes());
        octets.extend_from_slice(b"\r\n");
    }
    octets.extend_from_slice(b".\r\n");
    octets
}
