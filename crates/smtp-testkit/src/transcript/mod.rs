//! SMTP sessions as text files.
//!
//! Does: read the format below, and run a [`Side`] of a session against it under every way its
//! input can be cut. Does not: know a verb or a reply. Fails: a malformed file is a
//! [`FormatError`] with its line; a side that says something else is a [`Mismatch`].
//!
//! # The format
//!
//! One step a line; the file is UTF-8, other octets are written as escapes.
//!
//! | line | means |
//! |---|---|
//! | `C: …` | the client sends this line; CRLF is implied |
//! | `S: …` | the server sends this line; CRLF is implied |
//! | `E: …` | the side under test reports this event ([`Side::take_events`]) |
//! | `TLS` | the side under test asks for a TLS handshake, and it succeeds |
//! | `TLS FAILED` | the same, and it fails |
//! | `EOF` | the peer closes its sending direction |
//! | `TIMEOUT` | the side under test waited for as long as its phase allows |
//! | `SHUTDOWN` | the side under test is told to stop |
//! | `CLOSE` | the side under test closes; only as the last step |
//! | `GLUE` | the input lines before and behind it are never cut apart |
//! | `#! key: value` | a setting of the transcript, before the first step |
//! | `# …`, empty line | nothing |
//!
//! In `C:` and `S:` lines `\r`, `\n`, `\0`, `\\` and `\xNN` stand for one octet each, and a
//! backslash that ends the line takes the implied CRLF away: `C: RSET\n\` is the five octets
//! `RSET` LF, and `C: RS\` a fragment. `\{COUNT:TEXT}` stands for that many repetitions. Exactly
//! one space behind the colon is skipped.
//!
//! Input that follows input is one burst, cut as the [`Schedule`] says; output is compared when
//! the burst is over, so a server may answer a pipelined group early or late, but never with
//! other octets. A transcript that does not end with `CLOSE` ends with the side still open.

pub(crate) mod lines;
mod parse;
mod run;
mod schedule;

use std::fmt;
use std::path::{Path, PathBuf};

pub use run::{Mismatch, Role, Side, check, check_folder, run};
pub use schedule::{Schedule, schedules};

/// One transcript: its settings and its steps, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transcript {
    /// The file's name without `.txt`.
    pub name: String,
    settings: Vec<(String, String)>,
    steps: Vec<(usize, Step)>,
}

/// What happens next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// The client sends these octets.
    Client(Vec<u8>),
    /// The server sends these octets.
    Server(Vec<u8>),
    /// The side under test reports this event.
    Event(String),
    /// A handshake that the side asked for succeeds.
    Tls,
    /// A handshake that the side asked for fails.
    TlsFailed,
    /// The peer closes its sending direction.
    Eof,
    /// The side waited for as long as its phase allows.
    Timeout,
    /// The side is told to stop.
    Shutdown,
    /// The side closes.
    Close,
    /// The input before and behind is never cut apart here.
    Glue,
}

/// A file that is no transcript.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FormatError {
    /// The transcript's name.
    pub name: String,
    /// The line, counted from 1.
    pub line: usize,
    /// What is wrong with it.
    pub reason: String,
}

impl fmt::Display for FormatError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.name, self.line, self.reason)
    }
}

impl std::error::Error for FormatError {}

impl Transcript {
    /// Reads one transcript from its text.
    pub fn parse(name: &str, text: &str) -> Result<Self, FormatError> {
        parse::transcript(name, text)
    }

    /// Reads one transcript from a file, named after it.
    ///
    /// # Panics
    /// When the file cannot be read or is no transcript.
    pub fn load(path: &Path) -> Self {
        let name = path.file_stem().unwrap_or(path.as_os_str()).to_string_lossy();
        let text = std::fs::read_to_string(path)
            .unwrap_or_else(|error| panic!("cannot read {}: {error}", path.display()));
        Self::parse(&name, &text).unwrap_or_else(|error| panic!("{error}"))
    }

    /// Reads every `*.txt` of a folder, in the order of their names.
    ///
    /// # Panics
    /// When the folder cannot be read, holds no transcript, or holds a malformed one.
    pub fn load_folder(folder: &Path) -> Vec<Self> {
        let entries = std::fs::read_dir(folder)
            .unwrap_or_else(|error| panic!("cannot read {}: {error}", folder.display()));
        let mut paths: Vec<PathBuf> = entries
            .map(|entry| entry.expect("a folder that opened lists its entries").path())
            .filter(|path| path.extension().is_some_and(|extension| extension == "txt"))
            .collect();
        assert!(!paths.is_empty(), "no transcript in {}", folder.display());
        paths.sort();
        paths.iter().map(|path| Self::load(path)).collect()
    }

    /// The last value of a setting.
    pub fn setting(&self, key: &str) -> Option<&str> {
        self.settings.iter().rev().find(|(name, _)| name == key).map(|(_, value)| value.as_str())
    }

    /// Every value of a setting, in order.
    pub fn settings<'a>(&'a self, key: &'a str) -> impl Iterator<Item = &'a str> {
        self.settings.iter().filter(move |(name, _)| name == key).map(|(_, value)| value.as_str())
    }

    /// The names of all settings, in order; a test refuses the ones it does not know.
    pub fn setting_names(&self) -> impl Iterator<Item = &str> {
        self.settings.iter().map(|(name, _)| name.as_str())
    }

    /// The steps, in order.
    pub fn steps(&self) -> impl Iterator<Item = &Step> {
        self.steps.iter().map(|(_, step)| step)
    }

    /// How many octets the side under test is fed in all.
    pub fn input_len(&self, role: Role) -> usize {
        self.steps().filter_map(|step| role.input(step)).map(<[u8]>::len).sum()
    }
}

/// Octets as one readable line each: what is not printable is escaped as in a transcript.
pub fn escape(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for &octet in bytes {
        match octet {
            b'\r' => text.push_str("\\r"),
            b'\n' => text.push_str("\\n"),
            0 => text.push_str("\\0"),
            b'\\' => text.push_str("\\\\"),
            b' '..=b'~' => text.push(octet.into()),
            _ => text.push_str(&format!("\\x{octet:02x}")),
        }
    }
    text
}
