//! Any octets as a file of assignments: where nothing is said against it, it means what a plain
//! model of a shell makes of it, and the other way round; what is behind a text that can be told
//! apart is read as if it stood alone.
#![no_main]

use hvmail_control::diagnostic::Severity;
use hvmail_control::limits::MAX_ASSIGNMENT_WORDS;
use hvmail_control::read::assignments::{self, Assignments, Lookup};
use hvmail_fuzz::control::{check_diagnostics, check_span, one_file};
use hvmail_fuzz::oracle::assignments as oracle;
use libfuzzer_sys::fuzz_target;

/// A variable that no text of the corpus assigns.
const BEHIND: &str = "BEHIND_IT";

fuzz_target!(|input: &[u8]| {
    let (snapshot, file) = one_file("smtp2", input);
    let text = snapshot.bytes(file);
    let (read, diagnostics) = assignments::parse(text, file);
    check_diagnostics(&diagnostics, &snapshot);
    for name in read.names() {
        if let Lookup::Set { value, replaced } = read.get(name) {
            check_span(value.span, &snapshot);
            let front = format!("{name}=");
            for span in replaced.iter().chain([&value.span]) {
                assert!(span.end <= value.span.end);
                let before = &text[..span.start];
                assert!(is_at_end(before, &front), "{name} at {span:?}");
            }
        }
        if let Lookup::Unusable(span) = read.get(name) {
            check_span(span, &snapshot);
            assert!(!diagnostics.is_empty(), "{name} is unusable, and nothing is said");
        }
        if let Some(span) = read.exported(name) {
            check_span(span, &snapshot);
        }
    }

    let silent = diagnostics.iter().all(|said| said.code == "crlf-line-ends");
    match oracle::read(text) {
        // Every word takes an octet.
        _ if text.len() > MAX_ASSIGNMENT_WORDS => {}
        Some(expected) => {
            assert!(silent, "only assignments, but {diagnostics:?}");
            assert_eq!(variables(&read), expected);
        }
        None => assert!(!silent, "more than assignments, and nothing is said: {read:?}"),
    }

    // What was cut short is told apart as it stands.
    let unreadable =
        diagnostics.iter().any(|said| said.severity == Severity::Error && said.code != "cut-short");
    // A backslash at the end would take the line end behind it; a CR behind it is a part of that.
    let joins = text.strip_suffix(b"\r").unwrap_or(text).ends_with(b"\\");
    if !unreadable && !joins && read.get(BEHIND) == Lookup::Unset {
        let more = [text, format!("\n\n{BEHIND}=1\n").as_bytes()].concat();
        let (more_read, _) = assignments::parse(&more, file);
        let Lookup::Set { value, .. } = more_read.get(BEHIND) else {
            panic!("{BEHIND} is not read behind the text")
        };
        assert_eq!(value.value, "1");
        for name in read.names() {
            assert_eq!(read.get(name), more_read.get(name), "{name}");
        }
    }
});

/// Whether `front` ends the text; a shell joins lines where a backslash ends one.
fn is_at_end(text: &[u8], front: &str) -> bool {
    let mut front = front.bytes().rev().peekable();
    let mut rest = text;
    while let Some(wanted) = front.peek() {
        if let Some(joined) = rest.strip_suffix(b"\\\n").or_else(|| rest.strip_suffix(b"\\\r\n")) {
            rest = joined;
        } else if rest.last() == Some(wanted) {
            rest = &rest[..rest.len() - 1];
            front.next();
        } else {
            return false;
        }
    }
    true
}

fn variables(read: &Assignments) -> oracle::Variables {
    read.names()
        .map(|name| {
            let value = match read.get(name) {
                Lookup::Set { value, .. } => Some(value.value.clone()),
                _ => None,
            };
            (name.to_owned(), (value, read.exported(name).is_some()))
        })
        .collect()
}
