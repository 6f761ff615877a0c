//! Octets into tokens, each with its place.
//!
//! Documented: `#` comments on lines of their own; raw strings of a fixed set of characters, of which
//! `;` is one; double-quoted strings with the escapes of JSON; backtick strings without escapes;
//! blocks between braces; a directive ends with its line. Seen in the vendor's examples: comma lists,
//! `key=value`, and `<<TAG` whose body runs to a line that holds the tag alone.
//!
//! Our reading, where the documents are silent:
//! - the set of raw characters is the union over the versions (`|` and `@` came later);
//! - an escape that JSON does not know is kept as it is written, with a warning;
//! - a backtick string may run over several lines, a double-quoted one may not;
//! - the line that ends a heredoc may be indented, and the body is kept as it stands;
//! - CRLF ends a line as LF does, and a byte order mark at the start is skipped.
//!
//! A fault is reported where it stands, [`TokenKind::Fault`] takes the place of what could not be
//! read, and reading goes on with the next line; a brace that ends the faulty line is still seen, so
//! that one fault does not unbalance every block behind it. Every octet is looked at a bounded number
//! of times.

use std::sync::Arc;

use memchr::{memchr, memchr3};

use super::escape::{Escape, decode};
use super::tree::{Heredoc, OptionArgument, Quoting, Value};
use crate::diagnostic::{Diagnostic, quoted};
use crate::snapshot::{FileId, Span, Spanned};

/// A piece of a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) kind: TokenKind,
    pub(super) span: Span,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum TokenKind {
    Value(Value),
    Option(OptionArgument),
    Heredoc(Heredoc),
    Comma,
    Open,
    Close,
    EndOfLine,
    EndOfFile,
    /// Something that a diagnostic was made for.
    Fault,
}

/// Reads one file from its start to its end.
pub(super) struct Lexer {
    bytes: Arc<[u8]>,
    file: FileId,
    at: usize,
    /// Nothing but blanks stands between the start of the line and `at`.
    line_start: bool,
    /// A string ended at this offset, so that no other may start there.
    string_end: Option<usize>,
    swallowed: bool,
}

/// Why a string could not be read: what was said, and the offset at which reading may go on.
struct Fault {
    diagnostic: Diagnostic,
    resume: usize,
}

type Lexed<T> = Result<T, Box<Fault>>;

impl Lexer {
    pub(super) fn new(file: FileId, bytes: Arc<[u8]>) -> Self {
        Self { bytes, file, at: 0, line_start: true, string_end: None, swallowed: false }
    }

    /// Whether a fault took the rest of the file with it, so that blocks left open mean nothing.
    pub(super) const fn swallowed_the_rest(&self) -> bool {
        self.swallowed
    }

    /// The next token; [`TokenKind::EndOfFile`] once there is no more, for ever.
    pub(super) fn next(&mut self, report: &mut impl FnMut(Diagnostic)) -> Token {
        self.skip_blanks_and_comments(report);
        let start = self.at;
        let Some(&first) = self.bytes.get(start) else {
            return self.token(TokenKind::EndOfFile, start, start);
        };
        if first == b'\n' {
            self.at += 1;
            self.line_start = true;
            return self.token(TokenKind::EndOfLine, start, start + 1);
        }
        self.line_start = false;
        let lexed = match first {
            b',' => self.single(TokenKind::Comma),
            b'{' => self.single(TokenKind::Open),
            b'}' => self.single(TokenKind::Close),
            _ if self.string_end == Some(start) && starts_string(first) => Err(self.fault(
                Diagnostic::error("missing-space", "a space is wanted between two strings"),
                start,
                start + 1,
            )),
            b'<' if self.bytes.get(start + 1) == Some(&b'<') => self.heredoc(report),
            b'"' | b'`' => self.value(report).map(TokenKind::Value),
            byte if is_raw(byte) => self.raw_or_option(report),
            _ => Err(self.stray()),
        };
        match lexed {
            Ok(kind) => {
                if !matches!(kind, TokenKind::Comma | TokenKind::Open | TokenKind::Close) {
                    self.string_end = Some(self.at);
                }
                self.token(kind, start, self.at)
            }
            Err(fault) => {
                let Fault { diagnostic, resume } = *fault;
                report(diagnostic);
                self.at = resume;
                self.token(TokenKind::Fault, start, resume)
            }
        }
    }

    fn skip_blanks_and_comments(&mut self, report: &mut impl FnMut(Diagnostic)) {
        while let Some(&byte) = self.bytes.get(self.at) {
            match byte {
                b' ' | b'\t' => self.at += 1,
                b'\r' if matches!(self.bytes.get(self.at + 1), Some(b'\n') | None) => self.at += 1,
                b'#' if self.line_start => {
                    let end = self.end_of_line(self.at);
                    self.check_comment(self.at, end, report);
                    self.at = end;
                }
                _ => return,
            }
        }
    }

    fn single(&mut self, kind: TokenKind) -> Lexed<TokenKind> {
        self.at += 1;
        Ok(kind)
    }

    fn raw_or_option(&mut self, report: &mut impl FnMut(Diagnostic)) -> Lexed<TokenKind> {
        let value = self.raw();
        if self.bytes.get(self.at) != Some(&b'=') {
            return Ok(TokenKind::Value(value));
        }
        let equals = self.at;
        self.at += 1;
        match self.bytes.get(self.at) {
            Some(&byte) if byte != b'<' && starts_string(byte) => {
                let key = Spanned::new(value.text, value.span);
                let value = self.value(report)?;
                Ok(TokenKind::Option(OptionArgument { key, value }))
            }
            _ => Err(self.fault(
                Diagnostic::error("option-without-value", "a value is wanted behind `=`")
                    .with_help("write key=value without spaces, or put the whole in quotes"),
                equals,
                equals + 1,
            )),
        }
    }

    /// A string in any of the three encodings; `at` is at its first octet.
    fn value(&mut self, report: &mut impl FnMut(Diagnostic)) -> Lexed<Value> {
        match self.bytes.get(self.at) {
            Some(b'"') => self.double_quoted(report),
            Some(b'`') => self.backtick(),
            _ => Ok(self.raw()),
        }
    }

    fn raw(&mut self) -> Value {
        let start = self.at;
        let rest = &self.bytes[start..];
        let length = rest.iter().position(|byte| !is_raw(*byte)).unwrap_or(rest.len());
        self.at += length;
        let text = String::from_utf8_lossy(&rest[..length]).into_owned();
        Value { text, quoting: Quoting::Raw, span: self.span(start, self.at) }
    }

    fn backtick(&mut self) -> Lexed<Value> {
        let start = self.at;
        let Some(length) = memchr(b'`', &self.bytes[start + 1..]) else {
            let line = self.end_of_line(start);
            return Err(self.fault(unterminated("the closing backtick"), start, line));
        };
        let end = start + 1 + length;
        self.at = end + 1;
        let text = self.utf8(start + 1, end).map(str::to_owned).map_err(|mut fault| {
            fault.resume = self.resume_behind(end + 1);
            fault
        })?;
        Ok(Value { text, quoting: Quoting::Backtick, span: self.span(start, end + 1) })
    }

    fn double_quoted(&mut self, report: &mut impl FnMut(Diagnostic)) -> Lexed<Value> {
        let start = self.at;
        let mut text = String::new();
        let mut at = start + 1;
        loop {
            let found = memchr3(b'"', b'\\', b'\n', &self.bytes[at..]).map(|length| at + length);
            let end = match found {
                Some(end) if self.bytes[end] != b'\n' => end,
                _ => {
                    let mut line = self.end_of_line(start);
                    line -= usize::from(self.bytes[..line].ends_with(b"\r"));
                    let mut fault = self.fault(unterminated("the closing `\"`"), start, line);
                    fault.resume = self.resume_behind(start + 1);
                    return Err(fault);
                }
            };
            text.push_str(self.utf8(at, end)?);
            if self.bytes[end] == b'"' {
                self.at = end + 1;
                let span = self.span(start, self.at);
                return Ok(Value { text, quoting: Quoting::Quoted, span });
            }
            at = self.escape(end, &mut text, report);
        }
    }

    /// Reads the escape whose backslash is at `at`, and gives the offset behind it.
    fn escape(&self, at: usize, text: &mut String, report: &mut impl FnMut(Diagnostic)) -> usize {
        let (escape, length) = decode(&self.bytes[at..]);
        let behind = at + length;
        match escape {
            Escape::Character(character) => text.push(character),
            Escape::LoneSurrogate => {
                text.push(char::REPLACEMENT_CHARACTER);
                let message =
                    "half of a surrogate pair stands for no character; U+FFFD takes its place";
                report(Diagnostic::warning("lone-surrogate", message).at(self.span(at, behind)));
            }
            Escape::Unknown => {
                text.push('\\');
                // Before a line end, the string is not terminated, which is reported instead.
                if !matches!(self.bytes.get(behind), Some(b'\n' | b'\r') | None) {
                    let escape = shown_escape(character_at(&self.bytes[behind..]));
                    let message = format!("{escape} is no escape of JSON; it is kept as written");
                    report(
                        Diagnostic::warning("unknown-escape", message)
                            .at(self.span(at, behind))
                            .with_help("write \\\\ where a backslash is meant"),
                    );
                }
            }
        }
        behind
    }

    fn heredoc(&mut self, report: &mut impl FnMut(Diagnostic)) -> Lexed<TokenKind> {
        let start = self.at;
        let rest = &self.bytes[start + 2..];
        let is_tag = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
        let length = rest.iter().position(|byte| !is_tag(byte)).unwrap_or(rest.len());
        let opening = start + 2 + length;
        let line = self.end_of_line(opening);
        if length == 0 {
            return Err(self.fault(
                Diagnostic::error("heredoc-tag", "a tag is wanted behind `<<`")
                    .with_help("a tag is made of letters, digits and `_`"),
                start,
                opening,
            ));
        }
        let bytes = Arc::clone(&self.bytes);
        let tag = &bytes[start + 2..opening];
        let shown = String::from_utf8_lossy(tag).into_owned();
        let Some((end, terminator)) = self.find_terminator(line, tag) else {
            self.swallowed = true;
            let mut fault = self.fault(
                Diagnostic::error(
                    "unterminated-heredoc",
                    format!("no line behind this one holds {} alone", quoted(&shown)),
                ),
                start,
                opening,
            );
            fault.resume = bytes.len();
            return Err(fault);
        };
        let fail = |mut fault: Box<Fault>| {
            fault.resume = terminator;
            fault
        };
        if !bytes[opening..line].iter().all(u8::is_ascii_whitespace) {
            let extra = self.fault(
                Diagnostic::error("text-behind-heredoc", "nothing may follow the tag on its line"),
                opening,
                line,
            );
            return Err(fail(extra));
        }
        let body = (line + 1).min(end);
        if let Some(nul) = memchr(0, &bytes[body..end]) {
            return Err(fail(self.nul(body + nul)));
        }
        let text = String::from_utf8_lossy(&bytes[body..end]);
        if let Some(bad) = first_invalid(&bytes[body..end]) {
            report(
                Diagnostic::warning("invalid-utf8", "this heredoc is not UTF-8")
                    .at(self.span(body + bad, body + bad + 1)),
            );
        }
        self.at = terminator;
        Ok(TokenKind::Heredoc(Heredoc {
            tag: shown,
            body: text.into_owned(),
            body_span: self.span(body, end),
        }))
    }

    /// The start of the first line behind `line` that holds `tag` alone, and the end of its text.
    fn find_terminator(&self, line: usize, tag: &[u8]) -> Option<(usize, usize)> {
        let mut start = line + 1;
        while start < self.bytes.len() {
            let end = self.end_of_line(start);
            if self.bytes[start..end].trim_ascii() == tag {
                return Some((start, end));
            }
            start = end + 1;
        }
        None
    }

    /// What is to be said of an octet that can start nothing.
    fn stray(&self) -> Box<Fault> {
        let at = self.at;
        let (message, help) = match self.bytes[at] {
            0 => return self.nul(at),
            b'#' => (
                "a comment stands on a line of its own".to_owned(),
                "move the comment to its own line, or put a value that holds `#` in quotes",
            ),
            b'=' => (
                "`=` is wanted directly behind the name of an option".to_owned(),
                "write key=value without spaces, or put a value that holds `=` in quotes",
            ),
            _ => match character_at(&self.bytes[at..]) {
                None => return self.invalid_utf8(at),
                Some(character) => (
                    format!("{} cannot stand outside quotes", quoted(&character.to_string())),
                    "put the whole value in double quotes",
                ),
            },
        };
        let code = if self.bytes[at] == b'#' { "comment-behind-value" } else { "stray-character" };
        let width = character_at(&self.bytes[at..]).map_or(1, char::len_utf8);
        let mut fault =
            self.fault(Diagnostic::error(code, message).with_help(help), at, at + width);
        if self.bytes[at] == b'#' {
            fault.resume = self.end_of_line(at);
        }
        fault
    }

    fn nul(&self, at: usize) -> Box<Fault> {
        self.fault(
            Diagnostic::error("nul-octet", "a NUL octet stands here")
                .with_help("the file may be damaged: write it again"),
            at,
            at + 1,
        )
    }

    fn invalid_utf8(&self, at: usize) -> Box<Fault> {
        self.fault(
            Diagnostic::error("invalid-utf8", "this is not UTF-8")
                .with_help("store the file as UTF-8"),
            at,
            at + 1,
        )
    }

    /// The text from `start` to `end`, which must be UTF-8 without NUL.
    fn utf8(&self, start: usize, end: usize) -> Lexed<&str> {
        let bytes = &self.bytes[start..end];
        if let Some(nul) = memchr(0, bytes) {
            return Err(self.nul(start + nul));
        }
        str::from_utf8(bytes).map_err(|error| self.invalid_utf8(start + error.valid_up_to()))
    }

    /// A comment has no meaning, so that octets which are not UTF-8 do no harm in it; a NUL does not
    /// come from an editor.
    fn check_comment(&self, start: usize, end: usize, report: &mut impl FnMut(Diagnostic)) {
        let bytes = &self.bytes[start..end];
        if let Some(nul) = memchr(0, bytes) {
            report(self.nul(start + nul).diagnostic);
        } else if let Some(bad) = first_invalid(bytes) {
            report(
                Diagnostic::warning("invalid-utf8", "this comment is not UTF-8")
                    .at(self.span(start + bad, start + bad + 1)),
            );
        }
    }

    fn fault(&self, diagnostic: Diagnostic, start: usize, end: usize) -> Box<Fault> {
        let diagnostic = diagnostic.at(self.span(start, end));
        Box::new(Fault { diagnostic, resume: self.resume_behind(end) })
    }

    /// Where reading goes on after a fault that ends at `end`: at the brace that ends the line, or at
    /// the line's end.
    fn resume_behind(&self, end: usize) -> usize {
        let line = self.end_of_line(end);
        let rest = self.bytes[end.min(line)..line].trim_ascii_end();
        match rest.last() {
            Some(b'{' | b'}') => end + rest.len() - 1,
            _ => line,
        }
    }

    /// The offset of the LF that ends the line which `at` is in, or the end of the file.
    fn end_of_line(&self, at: usize) -> usize {
        let at = at.min(self.bytes.len());
        memchr(b'\n', &self.bytes[at..]).map_or(self.bytes.len(), |length| at + length)
    }

    const fn span(&self, start: usize, end: usize) -> Span {
        Span::new(self.file, start, end)
    }

    const fn token(&self, kind: TokenKind, start: usize, end: usize) -> Token {
        Token { kind, span: self.span(start, end) }
    }
}

/// Whether `byte` may stand in a raw string.
pub(super) const fn is_raw(byte: u8) -> bool {
    RAW[byte as usize]
}

/// The characters of raw strings, by octet.
const RAW: [bool; 256] = {
    let mut raw = [false; 256];
    let mut byte = 0_u8;
    while byte < 0x80 {
        raw[byte as usize] = byte.is_ascii_alphanumeric();
        byte += 1;
    }
    let others = b"-_+.*/\\[]$:;%|@";
    let mut at = 0;
    while at < others.len() {
        raw[others[at] as usize] = true;
        at += 1;
    }
    raw
};

const fn starts_string(byte: u8) -> bool {
    is_raw(byte) || matches!(byte, b'"' | b'`' | b'<')
}

fn unterminated(what: &str) -> Diagnostic {
    Diagnostic::error("unterminated-string", format!("{what} of this string is missing"))
}

fn shown_escape(character: Option<char>) -> String {
    match character {
        Some(character) if !character.is_control() => format!("`\\{character}`"),
        _ => "this".to_owned(),
    }
}

/// The first character of `bytes`, where they start with one.
fn character_at(bytes: &[u8]) -> Option<char> {
    bytes.get(..bytes.len().min(4))?.utf8_chunks().next()?.valid().chars().next()
}

fn first_invalid(bytes: &[u8]) -> Option<usize> {
    str::from_utf8(bytes).err().map(|error| error.valid_up_to())
}

#[cfg(test)]
#[path = "lex_tests.rs"]
mod tests;
