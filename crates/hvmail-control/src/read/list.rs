//! Files that hold one entry a line, as qmail's `control_readfile` reads them: `rcpthosts`,
//! `smtproutes`, `tls.tlsserverciphers`, `tls.tlsclients`.
//!
//! Blanks and tabs that end a line are cut, lines that are empty then are skipped, and so are lines
//! whose first character is `#`. A line with a NUL, or that is no UTF-8, is left out and told at its
//! place; how much that weighs depends on what the file is for, so the caller says it. More than
//! [`MAX_LIST_ENTRIES`] are an error whatever the file is for.

use super::{lines, unusable_text};
use crate::diagnostic::{Bounded, Diagnostic, Severity};
use crate::limits::MAX_LIST_ENTRIES;
use crate::snapshot::{FileId, Span, Spanned};

/// Reads the entries, in the order of the file. A line that is no text is a diagnostic of severity
/// `lost`; at the first entry beyond [`MAX_LIST_ENTRIES`] there is an error, and the reading stops.
pub fn entries(
    bytes: &[u8],
    file: FileId,
    lost: Severity,
) -> (Vec<Spanned<String>>, Vec<Diagnostic>) {
    let mut entries = Vec::new();
    let mut diagnostics = Bounded::default();
    for line in lines(bytes).map(super::RawLine::trim_end) {
        if line.is_empty() || line.bytes.starts_with(b"#") {
            continue;
        }
        if entries.len() == MAX_LIST_ENTRIES {
            diagnostics.push(Severity::Error, || {
                let message = format!(
                    "this file has more than {MAX_LIST_ENTRIES} entries: nothing from here to its end is \
                     read"
                );
                Diagnostic::error("too-many-entries", message).at(line.span(file))
            });
            break;
        }
        match unusable_text(line.bytes) {
            None => entries.push(Spanned {
                value: String::from_utf8_lossy(line.bytes).into_owned(),
                span: line.span(file),
            }),
            Some((start, end, what)) => diagnostics.push(lost, || {
                let message = format!("this line holds {what} and is not used");
                let span = Span { file, start: line.start + start, end: line.start + end };
                Diagnostic::new(lost, "not-text", message).at(span)
            }),
        }
    }
    (entries, diagnostics.finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: FileId = FileId(3);

    #[test]
    fn comments_and_blank_lines_are_no_entries() {
        let (entries, diagnostics) = entries(
            b"# ours\na.example \t\n\n   \n#b.example\n.c.example\r\nlast",
            FILE,
            Severity::Warning,
        );
        let read: Vec<_> =
            entries.iter().map(|e| (e.value.as_str(), e.span.start, e.span.end)).collect();
        assert_eq!(read, [("a.example", 7, 16), (".c.example", 35, 45), ("last", 47, 51)]);
        assert!(diagnostics.is_empty());
    }

    #[test]
    fn a_comment_begins_in_the_first_column_only() {
        let (entries, _) = entries(b" #x\na#b\n", FILE, Severity::Warning);
        let read: Vec<_> = entries.into_iter().map(|e| e.value).collect();
        assert_eq!(read, [" #x", "a#b"]);
    }

    #[test]
    fn the_first_entry_beyond_the_limit_is_an_error() {
        let mut text = "a\n".repeat(MAX_LIST_ENTRIES) + "# no more\n\n";
        let (all, diagnostics) = entries(text.as_bytes(), FILE, Severity::Warning);
        assert_eq!((all.len(), diagnostics), (MAX_LIST_ENTRIES, Vec::new()));
        let end = text.len();
        text.push_str("b\nc\n");
        let (all, diagnostics) = entries(text.as_bytes(), FILE, Severity::Warning);
        assert_eq!(all.len(), MAX_LIST_ENTRIES);
        let [said] = &diagnostics[..] else { panic!("{diagnostics:?}") };
        assert_eq!((said.severity, said.code), (Severity::Error, "too-many-entries"));
        assert_eq!(said.span().map(|span| (span.start, span.end)), Some((end, end + 1)));
    }

    #[test]
    fn a_line_that_is_no_text_is_left_out_and_told() {
        let (entries, diagnostics) = entries(b"a\nb\0c\n\xff\nd\n", FILE, Severity::Error);
        assert_eq!(entries.iter().map(|e| e.value.as_str()).collect::<Vec<_>>(), ["a", "d"]);
        let places: Vec<_> =
            diagnostics.iter().map(|d| (d.severity, d.code, d.span().unwrap().start)).collect();
        let lost = (Severity::Error, "not-text");
        assert_eq!(places, [(lost.0, lost.1, 3), (lost.0, lost.1, 6)]);
    }
}
