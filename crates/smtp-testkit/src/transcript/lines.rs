//! What transcripts and vectors have in common: settings, remarks, and lines with octets.
//!
//! Does: read a text line by line, and undo the escapes. Does not: know a step of either format.
//! Fails: with a [`FormatError`] at the line.

use super::FormatError;

/// The settings and the other lines of a file, each with its number.
pub(crate) struct Lines {
    pub(crate) settings: Vec<(String, String)>,
    pub(crate) lines: Vec<(usize, Line)>,
}

/// One line that is neither setting nor remark.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Line {
    /// `C:` and octets.
    Client(Vec<u8>),
    /// `S:` and octets.
    Server(Vec<u8>),
    /// Whatever else stands there; not empty.
    Other(String),
}

/// Reads a file's text. `size` stands for the count of `\{size:…}`.
pub(crate) fn read(name: &str, text: &str, size: Option<usize>) -> Result<Lines, FormatError> {
    let mut settings = Vec::new();
    let mut lines = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let number = index + 1;
        let fail = |reason: String| FormatError { name: name.to_owned(), line: number, reason };
        if let Some(setting) = line.strip_prefix("#!") {
            if !lines.is_empty() {
                return Err(fail("a setting behind the first step".to_owned()));
            }
            let (key, value) = setting
                .split_once(':')
                .ok_or_else(|| fail("a setting is written `#! key: value`".to_owned()))?;
            settings.push((key.trim().to_owned(), value.trim().to_owned()));
            continue;
        }
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let speech = |rest: &str| speech(rest, size).map_err(fail);
        lines.push((
            number,
            match (line.strip_prefix("C:"), line.strip_prefix("S:")) {
                (Some(rest), _) => Line::Client(speech(rest)?),
                (None, Some(rest)) => Line::Server(speech(rest)?),
                (None, None) => Line::Other(line.to_owned()),
            },
        ));
    }
    Ok(Lines { settings, lines })
}

/// What stands behind `C:` or `S:`, with its CRLF unless a backslash took it away.
fn speech(text: &str, size: Option<usize>) -> Result<Vec<u8>, String> {
    let text = text.strip_prefix(' ').unwrap_or(text);
    let (mut octets, whole) = unescape(text, size)?;
    if whole {
        octets.extend_from_slice(b"\r\n");
    }
    Ok(octets)
}

/// Undoes the escapes; `false` where a backslash ends the text.
pub(crate) fn unescape(text: &str, size: Option<usize>) -> Result<(Vec<u8>, bool), String> {
    let mut octets = Vec::with_capacity(text.len() + 2);
    let mut rest = text.as_bytes();
    while let Some((&octet, tail)) = rest.split_first() {
        rest = tail;
        if octet != b'\\' {
            octets.push(octet);
            continue;
        }
        let Some((&escape, tail)) = rest.split_first() else {
            return Ok((octets, false));
        };
        rest = tail;
        octets.push(match escape {
            b'r' => b'\r',
            b'n' => b'\n',
            b'0' => 0,
            b'\\' => b'\\',
            b'x' => {
                let octet = rest
                    .get(..2)
                    .and_then(|digits| std::str::from_utf8(digits).ok())
                    .filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()))
                    .and_then(|digits| u8::from_str_radix(digits, 16).ok())
                    .ok_or_else(|| "\\x needs two hexadecimal digits".to_owned())?;
                rest = &rest[2..];
                octet
            }
            b'{' => {
                let (run, tail) = repetition(rest, size)?;
                rest = tail;
                octets.extend(run);
                continue;
            }
            other => return Err(format!("no escape: \\{}", char::from(other))),
        });
    }
    Ok((octets, true))
}

/// `COUNT:TEXT}`, behind its `\{`.
fn repetition(rest: &[u8], size: Option<usize>) -> Result<(Vec<u8>, &[u8]), String> {
    let wrong = || "a repetition is written \\{COUNT:TEXT}".to_owned();
    let end = rest.iter().position(|&octet| octet == b'}').ok_or_else(wrong)?;
    let inside = std::str::from_utf8(&rest[..end]).map_err(|_| wrong())?;
    let (count, text) = inside.split_once(':').ok_or_else(wrong)?;
    let count = match (count, size) {
        ("size", Some(size)) => size,
        _ => count.parse().map_err(|_| wrong())?,
    };
    let (octets, whole) = unescape(text, None)?;
    if octets.is_empty() || !whole || octets.len().saturating_mul(count) > 1 << 24 {
        return Err(wrong());
    }
    Ok((octets.repeat(count), &rest[end + 1..]))
}
