//! Files of a control directory under a fuzzer: what holds for every one of them.

pub mod conf;

use hvmail_control::diagnostic::{Diagnostic, Place};
use hvmail_control::snapshot::{FileId, Loader, Snapshot, Span};
use hvmail_control::source::Memory;

/// The longest line of a diagnostic: a message and a help line quote a bounded part of a file.
const LONGEST_LINE: usize = 1_000;

/// One file, frozen.
#[must_use]
pub fn one_file(name: &str, content: &[u8]) -> (Snapshot, FileId) {
    let source = Memory::new().file(name, content);
    let mut loader = Loader::new(&source);
    let file = loader.read(name).expect("it can be read").expect("it is there");
    (loader.finish(), file)
}

/// Each diagnostic can be shown: its places are inside their files, and its text is short and breaks
/// no line that it does not mean to break.
pub fn check_diagnostics(diagnostics: &[Diagnostic], snapshot: &Snapshot) {
    for diagnostic in diagnostics {
        if let Place::Span(span) = diagnostic.place {
            check_span(span, snapshot);
        }
        for (span, _) in &diagnostic.related {
            check_span(*span, snapshot);
        }
        let shown = diagnostic.display(snapshot).to_string();
        let lines = shown.split('\n').count();
        let meant = 1 + diagnostic.related.len() + usize::from(diagnostic.help.is_some());
        assert_eq!(lines, meant, "{shown:?}");
        for line in shown.split('\n') {
            assert!(line.len() <= LONGEST_LINE && !line.contains(char::is_control), "{line:?}");
        }
    }
}

/// A place stands inside its file, between characters, and is found again by counting.
pub fn check_span(span: Span, snapshot: &Snapshot) {
    assert!(snapshot.files().any(|(file, ..)| file == span.file), "{span:?} is in no file");
    let bytes = snapshot.bytes(span.file);
    assert!(span.start <= span.end && span.end <= bytes.len(), "{span:?} of {}", bytes.len());
    for offset in [span.start, span.end] {
        assert!(is_between_characters(bytes, offset), "{offset} in {bytes:?}");
        let location = snapshot.location_at(span.file, offset);
        let before = &bytes[..offset];
        let line = before.iter().filter(|octet| **octet == b'\n').count();
        let start = before.iter().rposition(|octet| *octet == b'\n').map_or(0, |end| end + 1);
        let column = String::from_utf8_lossy(&before[start..]).chars().count();
        assert_eq!((location.line as usize, location.column as usize), (line + 1, column + 1));
    }
}

/// Whether no character of the text goes on over `offset`. Octets that are no text may be divided.
fn is_between_characters(bytes: &[u8], offset: usize) -> bool {
    let mut at = 0;
    for chunk in bytes.utf8_chunks() {
        let valid = chunk.valid();
        if (at..=at + valid.len()).contains(&offset) {
            return valid.is_char_boundary(offset - at);
        }
        at += valid.len() + chunk.invalid().len();
        if offset < at {
            return true;
        }
    }
    true
}
