//! Files that hold one value: `smtp.port`, `databytes`, `me` and their like.
//!
//! The value is the first line without the blanks around it, as qmail's `control_readline` reads
//! it. Lines behind it are told, not used. An empty first line, a NUL, bytes that are no UTF-8, a
//! word where a number is wanted, or a number out of range make the value unusable: an error with
//! its place, and no value. What an unusable value breaks is the caller's decision.

use std::ops::RangeInclusive;

use super::{RawLine, lines, unusable_text};
use crate::diagnostic::{Diagnostic, quoted};
use crate::limits::MAX_HOST_NAME;
use crate::snapshot::{FileId, Span, Spanned};

/// What a one-value file held: a value, or the reasons why there is none; sometimes both.
#[derive(Clone, Debug)]
pub struct Reading<T> {
    /// The value, if it can be used. `None` always comes with an error among the diagnostics.
    pub value: Option<Spanned<T>>,
    /// What there is to say about the file.
    pub diagnostics: Vec<Diagnostic>,
}

impl<T> Reading<T> {
    /// The same reading with what `parse` makes of the value. Where that fails, its sentence is an
    /// error of this code at the place of the value.
    pub fn and_then<U>(
        self,
        code: &'static str,
        parse: impl FnOnce(T) -> Result<U, String>,
    ) -> Reading<U> {
        let Self { value, diagnostics } = self;
        let Some(written) = value else { return Reading { value: None, diagnostics } };
        match parse(written.value) {
            Ok(value) => {
                Reading { value: Some(Spanned { value, span: written.span }), diagnostics }
            }
            Err(message) => {
                let because = Diagnostic::error(code, message).at(written.span);
                Reading::unusable(diagnostics, because)
            }
        }
    }

    fn unusable(mut diagnostics: Vec<Diagnostic>, because: Diagnostic) -> Self {
        diagnostics.push(because);
        Self { value: None, diagnostics }
    }
}

/// Reads one line of text.
pub fn text(bytes: &[u8], file: FileId) -> Reading<String> {
    let mut diagnostics = Vec::new();
    let mut all = lines(bytes);
    let first = all.next().unwrap_or(RawLine { bytes: b"", start: 0 }).trim_end().trim_start();
    if first.is_empty() {
        let because = Diagnostic::error("empty-value", "the first line of this file is empty")
            .at(first.span(file))
            .with_help("write one value on the first line, or remove the file to get the default");
        return Reading::unusable(diagnostics, because);
    }
    if let Some((start, end, what)) = unusable_text(first.bytes) {
        let because = Diagnostic::error("not-text", format!("the value holds {what}")).at(Span {
            file,
            start: first.start + start,
            end: first.start + end,
        });
        return Reading::unusable(diagnostics, because);
    }
    if let Some(extra) = all.map(|line| line.trim_end().trim_start()).find(|line| !line.is_empty())
    {
        diagnostics.push(
            Diagnostic::warning("trailing-lines", "only the first line of this file is read")
                .at(extra.span(file)),
        );
    }
    let value = String::from_utf8_lossy(first.bytes).into_owned();
    Reading { value: Some(Spanned { value, span: first.span(file) }), diagnostics }
}

/// Reads a decimal number within `range`.
pub fn number(bytes: &[u8], file: FileId, range: RangeInclusive<u64>) -> Reading<u64> {
    text(bytes, file).and_then("not-a-number", |text| parse_number(&text, range))
}

/// Reads a switch: `0` is off, `1` is on, nothing else is a switch.
pub fn switch(bytes: &[u8], file: FileId) -> Reading<bool> {
    text(bytes, file).and_then("not-a-switch", |text| parse_switch(&text))
}

/// A decimal number within `range`, or what is wrong with the text.
///
/// # Errors
/// A sentence for a diagnostic.
pub fn parse_number(text: &str, range: RangeInclusive<u64>) -> Result<u64, String> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(format!("{} is not a decimal number", quoted(text)));
    }
    text.parse().ok().filter(|number| range.contains(number)).ok_or_else(|| {
        format!("{} is not between {} and {}", quoted(text), range.start(), range.end())
    })
}

/// `0` or `1`, or what is wrong with the text.
///
/// # Errors
/// A sentence for a diagnostic.
pub fn parse_switch(text: &str) -> Result<bool, String> {
    match text {
        "0" => Ok(false),
        "1" => Ok(true),
        _ => Err(format!("{} is neither 0 (off) nor 1 (on)", quoted(text))),
    }
}

/// A host name or an IPv4 address, or what is wrong with the text.
///
/// # Errors
/// A sentence for a diagnostic.
pub fn parse_host_name(text: &str) -> Result<String, String> {
    let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    if !text.is_empty() && text.chars().all(good) && text.len() <= MAX_HOST_NAME {
        Ok(text.to_owned())
    } else {
        Err(format!("{} is no host name", quoted(text)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::Severity;

    const FILE: FileId = FileId(7);

    fn codes<T>(reading: &Reading<T>) -> Vec<&'static str> {
        reading.diagnostics.iter().map(|diagnostic| diagnostic.code).collect()
    }

    #[test]
    fn the_first_line_is_the_value_and_its_span_leaves_the_blanks_out() {
        for (bytes, start) in
            [(&b"25"[..], 0), (b"25\n", 0), (b" 25 \n", 1), (b"\t25\r\n", 1), (b"25\n\n \n", 0)]
        {
            let reading = number(bytes, FILE, 0..=65535);
            assert_eq!(
                reading.value,
                Some(Spanned { value: 25, span: Span { file: FILE, start, end: start + 2 } })
            );
            assert!(reading.diagnostics.is_empty(), "{bytes:?}");
        }
    }

    #[test]
    fn what_stands_behind_the_first_line_is_told() {
        let reading = number(b"25\n26\n", FILE, 0..=65535);
        assert_eq!(reading.value.as_ref().map(|v| v.value), Some(25));
        assert_eq!(codes(&reading), ["trailing-lines"]);
        assert_eq!(reading.diagnostics[0].span(), Some(Span { file: FILE, start: 3, end: 5 }));
    }

    #[test]
    fn an_unusable_value_is_an_error_with_its_place() {
        let cases: [(&[u8], &str, (usize, usize)); 9] = [
            (b"", "empty-value", (0, 0)),
            (b"\n25\n", "empty-value", (0, 0)),
            (b"abc\n", "not-a-number", (0, 3)),
            (b"-1\n", "not-a-number", (0, 2)),
            (b"+1\n", "not-a-number", (0, 2)),
            (b"70000\n", "not-a-number", (0, 5)),
            (b"99999999999999999999999\n", "not-a-number", (0, 23)),
            (b"2\x005\n", "not-text", (1, 2)),
            (b"\xff\n", "not-text", (0, 1)),
        ];
        for (bytes, code, (start, end)) in cases {
            let reading = number(bytes, FILE, 0..=65535);
            assert_eq!(reading.value, None);
            assert_eq!(codes(&reading), [code], "{bytes:?}");
            assert_eq!(reading.diagnostics[0].severity, Severity::Error);
            assert_eq!(reading.diagnostics[0].span(), Some(Span { file: FILE, start, end }));
        }
    }

    #[test]
    fn a_switch_is_zero_or_one() {
        assert_eq!(switch(b"1\n", FILE).value.map(|v| v.value), Some(true));
        assert_eq!(switch(b"0\n", FILE).value.map(|v| v.value), Some(false));
        for bytes in [&b"yes\n"[..], b"2\n", b"01\n", b"on\n"] {
            assert_eq!(codes(&switch(bytes, FILE)), ["not-a-switch"], "{bytes:?}");
        }
    }

    #[test]
    fn a_long_value_is_not_repeated_whole_in_the_message() {
        let mut bytes = vec![b'x'; 10 << 20];
        bytes.push(b'\n');
        let reading = number(&bytes, FILE, 0..=1);
        assert!(reading.diagnostics[0].message.len() < 200);
    }
}
