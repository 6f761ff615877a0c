//! The small file formats beside `greenarrow.conf`, each as a pure function from bytes to values.
//!
//! Every value keeps the span it was written at. Nothing here opens a file, knows what a value is
//! for, or runs what it reads. A parser never fails as a whole: what it cannot use is a
//! [`Diagnostic`](crate::diagnostic::Diagnostic) with a place, and is left out of the values.

use crate::snapshot::{FileId, Span};

pub mod assignments;
pub mod flag;
pub mod list;
mod shell_words;
pub mod tcprules;

/// One line of a file, without its LF, and where it starts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RawLine<'a> {
    pub(crate) bytes: &'a [u8],
    pub(crate) start: usize,
}

impl<'a> RawLine<'a> {
    /// The line without the blanks, tabs and CR that end it, as qmail's `control_readfile` cuts them
    /// (CR as well: files are edited on other systems).
    pub(crate) fn trim_end(self) -> Self {
        let kept = self.bytes.len()
            - self.bytes.iter().rev().take_while(|b| matches!(b, b' ' | b'\t' | b'\r')).count();
        Self { bytes: &self.bytes[..kept], start: self.start }
    }

    /// The line without leading blanks and tabs.
    pub(crate) fn trim_start(self) -> Self {
        let cut = self.bytes.iter().take_while(|b| matches!(b, b' ' | b'\t')).count();
        Self { bytes: &self.bytes[cut..], start: self.start + cut }
    }

    pub(crate) fn span(self, file: FileId) -> Span {
        Span { file, start: self.start, end: self.start + self.bytes.len() }
    }

    pub(crate) fn is_empty(self) -> bool {
        self.bytes.is_empty()
    }
}

/// The lines of a file. A last line without LF counts; nothing behind a last LF does not.
pub(crate) fn lines(bytes: &[u8]) -> impl Iterator<Item = RawLine<'_>> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let rest = bytes.get(at..).filter(|rest| !rest.is_empty())?;
        let length = memchr::memchr(b'\n', rest).unwrap_or(rest.len());
        let line = RawLine { bytes: &rest[..length], start: at };
        at += length + 1;
        Some(line)
    })
}

/// What is wrong with a text as a setting, if anything: a NUL, or bytes that are no UTF-8.
/// The position is an offset into `bytes`.
pub(crate) fn unusable_text(bytes: &[u8]) -> Option<(usize, usize, &'static str)> {
    if let Some(at) = memchr::memchr(0, bytes) {
        return Some((at, at + 1, "a NUL byte"));
    }
    match std::str::from_utf8(bytes) {
        Ok(_) => None,
        Err(error) => {
            let at = error.valid_up_to();
            let end = at + error.error_len().unwrap_or(bytes.len() - at);
            Some((at, end, "bytes that are not UTF-8"))
        }
    }
}
