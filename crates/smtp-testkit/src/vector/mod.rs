//! Attacks as text files that any implementation can be held against.
//!
//! Does: read the format that `vectors/README.md` defines, play the other side against a server
//! or a client, in memory or over a socket, and judge what the file says must and must not
//! happen. Does not: know this workspace's sessions, or one text of a reply. Fails: a malformed
//! file is a [`FormatError`]; what breaks a rule, or never came so far as to be tested, is a
//! [`Miss`] with its line.
//!
//! A vector says what is insecure, not what is ours: a server may refuse, close, or take the
//! message as one. What this workspace does exactly stands in lines of their own (`REFERENCE`),
//! which others pass over.

mod condition;
mod memory;
mod parse;
mod run;
mod socket;

use std::path::{Path, PathBuf};

pub use crate::transcript::{FormatError, Role};
pub use condition::{Codes, Condition, Glob, Scope};
pub use memory::{Inside, Subject, check, check_all, once};
pub use run::{Connection, FOREIGN, Judged, Miss, Received, Why, cuts, run};
pub use socket::{Socket, Stream, Upgrade};

/// One vector: its settings, its steps, and what must hold.
#[derive(Clone, Debug)]
pub struct Vector {
    /// The file's name without `.txt`; behind `@` the size, where the file has several.
    pub name: String,
    /// Which side is under test.
    pub side: Role,
    settings: Vec<(String, String)>,
    steps: Vec<(usize, Step)>,
    musts: Vec<Must>,
    references: Vec<Reference>,
}

/// What the tester does next.
#[derive(Clone, Debug)]
pub enum Step {
    /// It sends these octets.
    Send(Vec<u8>),
    /// It waits for a reply with one of these codes.
    Reply(Codes),
    /// It waits for a line of one of these forms.
    Line(Vec<Glob>),
    /// It takes the text of a message, to CRLF.CRLF or to the end.
    Text,
    /// It makes the handshake that both sides agreed on.
    Tls,
    /// A segment never ends here.
    Glue,
    /// A segment always ends here.
    Border,
    /// All before prepares; all behind is judged.
    Point,
}

/// One rule: at least one of the conditions holds, or, where `not` is set, none does.
#[derive(Clone, Debug)]
pub struct Must {
    line: usize,
    text: String,
    not: bool,
    conditions: Vec<Condition>,
}

/// What the implementation beside which the vectors were written does, under one policy.
#[derive(Clone, Debug)]
struct Reference {
    line: usize,
    policy: String,
    words: Vec<String>,
}

impl Vector {
    /// Reads the vectors of one file: one, or one for each of its sizes.
    ///
    /// # Errors
    /// The text is no vector.
    pub fn parse(name: &str, text: &str) -> Result<Vec<Self>, FormatError> {
        parse::vectors(name, text)
    }

    /// Reads every `*.txt` of a folder, in the order of their names.
    ///
    /// # Panics
    /// When the folder cannot be read, holds no vector, or holds a malformed one.
    pub fn load_folder(folder: &Path) -> Vec<Self> {
        let entries = std::fs::read_dir(folder)
            .unwrap_or_else(|error| panic!("cannot read {}: {error}", folder.display()));
        let mut paths: Vec<PathBuf> = entries
            .map(|entry| entry.expect("a folder that opened lists its entries").path())
            .filter(|path| path.extension().is_some_and(|extension| extension == "txt"))
            .collect();
        paths.sort();
        let vectors: Vec<Self> = paths
            .iter()
            .flat_map(|path| {
                let name = path.file_stem().unwrap_or(path.as_os_str()).to_string_lossy();
                let text = std::fs::read_to_string(path)
                    .unwrap_or_else(|error| panic!("cannot read {}: {error}", path.display()));
                Self::parse(&name, &text).unwrap_or_else(|error| panic!("{error}"))
            })
            .collect();
        assert!(!vectors.is_empty(), "no vector in {}", folder.display());
        vectors
    }

    /// Where the vectors of this crate are; below it are `smuggling`, `starttls-server`, ….
    pub fn folder() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors")
    }

    /// The last value of a setting.
    pub fn setting(&self, key: &str) -> Option<&str> {
        self.settings.iter().rev().find(|(name, _)| name == key).map(|(_, value)| value.as_str())
    }

    /// Every value of a setting, in order.
    pub fn settings<'a>(&'a self, key: &'a str) -> impl Iterator<Item = &'a str> {
        self.settings.iter().filter(move |(name, _)| name == key).map(|(_, value)| value.as_str())
    }

    /// The value of a setting with its escapes undone.
    pub fn octets(&self, key: &str) -> Option<Vec<u8>> {
        // Checked when the file was read.
        self.setting(key).and_then(|text| parse::setting_octets(text).ok())
    }

    /// The extensions and services that the side under test must have for this vector to say
    /// anything.
    pub fn needs(&self) -> impl Iterator<Item = &str> {
        self.settings("needs").flat_map(str::split_whitespace)
    }

    /// The octets that the tester sends in all.
    pub fn sent(&self) -> Vec<u8> {
        self.steps
            .iter()
            .filter_map(|(_, step)| match step {
                Step::Send(octets) => Some(octets.as_slice()),
                _ => None,
            })
            .collect::<Vec<_>>()
            .concat()
    }
}
