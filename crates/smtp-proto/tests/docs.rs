//! The documents against what they speak of: each test, file and number that they name is there, and
//! each vector and number that is there is named.
#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use smtp_proto::limits;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A document: where it stands, and what it says.
struct Document {
    path: PathBuf,
    text: String,
}

impl Document {
    fn read(path: PathBuf) -> Self {
        let text = read(&path);
        Self { path, text }
    }

    /// What stands in backquotes on one line.
    fn code(&self) -> impl Iterator<Item = &str> {
        self.text.lines().flat_map(|line| line.split('`').skip(1).step_by(2))
    }

    /// Where its links lead within this repository.
    fn links(&self) -> impl Iterator<Item = PathBuf> {
        self.text
            .split("](")
            .skip(1)
            .map(|rest| rest.split(')').next().unwrap().split('#').next().unwrap())
            .filter(|target| !target.is_empty() && !target.contains("://"))
            .map(|target| self.path.parent().unwrap().join(target))
    }

    /// What it names and is not there.
    fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        for span in self.code() {
            if let Some((file, name)) = span.split_once(".rs::")
                && !is_test(&format!("{file}.rs"), name)
            {
                faults.push(format!("{}: no test {span}", self.path.display()));
            }
        }
        for span in self.code() {
            if let Some((sides, field)) = span.split_once("Config::")
                && !is_setting(sides, field)
            {
                faults.push(format!("{}: no setting {span}", self.path.display()));
            }
        }
        for link in self.links().filter(|link| !link.exists()) {
            faults.push(format!("{}: no file {}", self.path.display(), link.display()));
        }
        faults
    }

    /// The cells of its tables, by row.
    fn rows(&self) -> impl Iterator<Item = Vec<&str>> {
        let rows = self.text.lines().filter(|line| line.starts_with('|'));
        rows.map(|row| row.trim_matches('|').split('|').map(str::trim).collect())
    }
}

/// Whether the file, from this package's root or the repository's, has a test of this name.
fn is_test(file: &str, name: &str) -> bool {
    let places = [Path::new(env!("CARGO_MANIFEST_DIR")).join(file), root().join(file)];
    let Some(place) = places.iter().find(|place| place.is_file()) else { return false };
    smtp_testkit::document::has_test(&read(place), name)
}

/// Whether one of the two sessions' configurations, or that of the side which is named, has the field.
fn is_setting(side: &str, field: &str) -> bool {
    let sides: &[&str] = match side {
        "" => &["server", "client"],
        "server::" => &["server"],
        "client::" => &["client"],
        _ => &[],
    };
    let source =
        |side| Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(side).join("config.rs");
    sides.iter().any(|side| read(&source(side)).contains(&format!("    pub {field}: ")))
}

fn documents() -> Vec<Document> {
    let mut paths: Vec<PathBuf> = fs::read_dir(root().join("docs"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "md"))
        .collect();
    paths.sort();
    assert!(paths.len() > 3, "{paths:?}");
    let others = ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md"];
    paths.extend(others.map(|name| root().join(name)));
    paths.into_iter().map(Document::read).collect()
}

#[test]
fn what_the_documents_name_is_there() {
    let documents = documents();
    let faults: Vec<String> = documents.iter().flat_map(Document::faults).collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    let named: usize = documents
        .iter()
        .map(|each| each.code().filter(|span| span.contains(".rs::")).count())
        .sum();
    assert!(named > 100, "{named} tests are named");
}

#[test]
fn every_vector_is_named_in_a_document() {
    let linked: BTreeSet<PathBuf> = documents()
        .iter()
        .flat_map(Document::links)
        .filter_map(|link| link.canonicalize().ok())
        .collect();
    let vectors = root().join("crates/smtp-testkit/vectors");
    let mut files = 0;
    for folder in fs::read_dir(&vectors).unwrap().map(|entry| entry.unwrap().path()) {
        if !folder.is_dir() {
            continue;
        }
        for file in fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()) {
            files += 1;
            let file = file.canonicalize().unwrap();
            assert!(linked.contains(&file), "no document links to {}", file.display());
        }
    }
    assert!(files > 100, "{files} vectors");
}

trait Number {
    fn text(&self) -> String;
}

impl Number for usize {
    fn text(&self) -> String {
        self.to_string()
    }
}

impl Number for u32 {
    fn text(&self) -> String {
        self.to_string()
    }
}

impl Number for u64 {
    fn text(&self) -> String {
        self.to_string()
    }
}

impl Number for Duration {
    fn text(&self) -> String {
        format!("{} s", self.as_secs())
    }
}

macro_rules! numbers {
    ($($name:ident)*) => {
        [$((stringify!($name), limits::$name.text()),)*]
    };
}

/// Each number of `limits.rs`, as it is compiled.
fn numbers() -> BTreeMap<&'static str, String> {
    numbers! {
        LOCAL_PART DOMAIN DOMAIN_LABEL PATH COMMAND_LINE MAIL_LINE_SIZE MAIL_LINE_BODY
        MAIL_LINE_SMTPUTF8 MAIL_LINE_DSN MAIL_LINE_AUTH MAIL_LINE_REQUIRETLS MAIL_LINE_MT_PRIORITY
        MAIL_LINE_HOLD MAIL_LINE_BY RCPT_LINE_DSN RCPT_LINE_RRVS MAIL_LINE RCPT_LINE
        COMMAND_LINE_EXTENDED SIZE_DIGITS ENVELOPE_ID ORIGINAL_RECIPIENT AUTH_LINE
        AUTH_CHALLENGES LIMIT
        OTHER_CAPABILITIES SECONDS SASL_MECHANISM REPLY_LINE TEXT_LINE RECIPIENTS REPLY_LINE_READ
        REPLY_LINES_READ REPLY_OCTETS_READ REPLY_TEXT_KEPT WAIT_GREETING WAIT_MAIL WAIT_RCPT
        WAIT_DATA_START WAIT_DATA_BLOCK WAIT_DATA_END WAIT_COMMAND SERVER_RECIPIENTS
        SERVER_COMMAND_LINE SERVER_ERRORS SERVER_JUNK SERVER_REFUSALS SERVER_REFUSED_OCTETS
        SERVER_HELD_REPLIES SERVER_IDLE_BUFFER SERVER_IDLE_REPLIES CLIENT_IDLE_BUFFER
        CLIENT_IDLE_OUTPUT SERVER_FIRST_BODY_BUFFER SERVER_BODY_BUFFER WAIT_QUIT PIPELINE_OCTETS
        PIPELINE_COMMANDS PIPELINE_CHUNKS BODY_CHUNK
    }
    .into()
}

/// The rows of a table whose first cell is a name in backquotes: the second cell by that name.
fn documented(document: &Document) -> BTreeMap<String, String> {
    let mut rows = BTreeMap::new();
    for cells in document.rows() {
        let name = cells[0].strip_prefix('`').and_then(|name| name.strip_suffix('`'));
        if let Some(name) = name {
            assert!(cells.len() > 2 && cells.iter().all(|cell| !cell.is_empty()), "{cells:?}");
            let twice = rows.insert(name.to_owned(), cells[1].to_owned());
            assert!(twice.is_none(), "{name} stands there twice");
        }
    }
    rows
}

#[test]
fn every_number_is_documented_as_it_is() {
    let source = read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/limits.rs"));
    let declared: BTreeSet<&str> = source
        .lines()
        .filter_map(|line| line.trim().strip_prefix("pub const ")?.split(':').next())
        .collect();
    let numbers = numbers();
    for name in &declared {
        assert!(
            numbers.contains_key(name),
            "{name}: add it to the list above, and to docs/limits.md"
        );
    }
    let mut documented = documented(&Document::read(root().join("docs/limits.md")));
    for (name, value) in &numbers {
        assert!(declared.contains(name), "{name} is no `pub const` of its own line");
        let said = documented.remove(*name);
        assert_eq!(said.as_ref(), Some(value), "{name} in docs/limits.md, and in limits.rs");
    }
    assert!(documented.is_empty(), "docs/limits.md names what is not there: {documented:?}");
}

#[test]
fn what_is_not_there_is_found() {
    let faults = |text: &str| {
        let path = root().join("docs/none.md");
        Document { path, text: text.to_owned() }.faults().len()
    };
    assert_eq!(faults("`tests/docs.rs::what_is_not_there_is_found`"), 0);
    assert_eq!(faults("`crates/smtp-proto/tests/docs.rs::what_is_not_there_is_found`"), 0);
    assert_eq!(faults("`tests/docs.rs::what_is_not_there`"), 1, "a part of a name");
    assert_eq!(faults("`tests/docs.rs::read`"), 1, "a function that is no test");
    assert_eq!(faults("`tests/none.rs::what_is_not_there_is_found`"), 1);
    assert_eq!(faults("`Config::tls_required` `server::Config::tls` `client::Config::message`"), 0);
    assert_eq!(faults("`Config::tls_wished` `client::Config::tls` `other::Config::tls`"), 3);
    assert_eq!(faults("[a](limits.md) [b](limits.md#c) [c](#d) [d](https://e.example)"), 0);
    assert_eq!(faults("[a](none.md) `limits.md` [b](../none)"), 2);

    let text = "| `A` | 1 | x |\n| `B` | 2 s | x |\n| C | 3 | x |\n".to_owned();
    let rows = documented(&Document { path: PathBuf::new(), text });
    assert_eq!(rows.into_values().collect::<Vec<_>>(), ["1", "2 s"]);
}
