//! The words of a shell text, taken apart as data: quoting is undone, nothing is expanded or run.
//!
//! What a shell would compute (`$x`, `$(…)`, backquotes, `~`) is not computed: the word that holds
//! it carries a [`Problem`]. Quotes and substitutions that are never closed, and here-documents, end
//! the text early with an error, because where the next statement begins is not known behind them.

use crate::snapshot::{FileId, Span};

/// One token. Blanks, comments and line continuations are gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Token {
    Word(Word),
    /// `|`, `&`, `<`, `>`, `(` or `)`: more than an assignment.
    Operator(u8, Span),
    /// The end of a line.
    End,
    /// `;`, which needs a statement in front of it.
    Semicolon(Span),
    /// The rest of the text cannot be told apart; the reason, and where it begins.
    Unreadable(&'static str, Span),
}

/// A word with its quoting undone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Word {
    pub(super) text: String,
    pub(super) span: Span,
    /// Some part was quoted or escaped: such a word is no keyword.
    pub(super) quoted: bool,
    /// For `NAME=…` with an unquoted name: how many octets of `text` the name has, and the
    /// span of the value as written.
    pub(super) assignment: Option<(usize, Span)>,
    pub(super) problem: Option<Problem>,
}

impl Word {
    /// The name and the value of `NAME=value`.
    pub(super) fn as_assignment(&self) -> Option<(&str, &str, Span)> {
        let (name, span) = self.assignment?;
        Some((&self.text[..name], &self.text[name + 1..], span))
    }

    /// A word that a shell would take for a keyword or a command as it stands.
    pub(super) fn bare(&self) -> Option<&str> {
        (!self.quoted && self.problem.is_none()).then_some(self.text.as_str())
    }
}

/// Why the text of a word is not what a shell would make of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Problem {
    pub(super) what: &'static str,
    pub(super) span: Span,
}

/// Something that opens, at this offset, and that nothing closes.
#[derive(Clone, Copy, Debug)]
struct NeverClosed {
    what: &'static str,
    at: usize,
}

const OPEN_QUOTE: &str = "a quote that is never closed";

/// True for what a shell calls a name: letters, digits and `_`, no digit first.
pub(super) fn is_name(text: &str) -> bool {
    !text.is_empty()
        && !text.as_bytes()[0].is_ascii_digit()
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// Reads tokens off a text, one at a time.
#[derive(Debug)]
pub(super) struct Words<'a> {
    bytes: &'a [u8],
    at: usize,
    file: FileId,
    carriage_return: Option<Span>,
}

impl<'a> Words<'a> {
    pub(super) fn new(bytes: &'a [u8], file: FileId) -> Self {
        Self { bytes, at: 0, file, carriage_return: None }
    }

    /// The first CR, among those read so far, that was left out because it ends a line.
    pub(super) fn carriage_return(&self) -> Option<Span> {
        self.carriage_return
    }

    /// Whether a CR stands `ahead`, and behind it the LF or the end of the text.
    fn line_end_cr(&self, ahead: usize) -> bool {
        self.peek(ahead) == Some(b'\r') && matches!(self.peek(ahead + 1), Some(b'\n') | None)
    }

    /// Passes over `before` octets, the CR behind them and `behind` octets more.
    fn leave_out_cr(&mut self, before: usize, behind: usize) {
        let at = self.at + before;
        self.carriage_return = self.carriage_return.or(Some(self.span(at, at + 1)));
        self.at = (at + 1 + behind).min(self.bytes.len());
    }

    fn peek(&self, ahead: usize) -> Option<u8> {
        self.bytes.get(self.at + ahead).copied()
    }

    fn span(&self, start: usize, end: usize) -> Span {
        Span { file: self.file, start, end }
    }

    fn unreadable(&mut self, why: &'static str, start: usize) -> Token {
        self.at = self.bytes.len();
        Token::Unreadable(why, self.span(start, start + 1))
    }

    fn skip_blanks_and_comments(&mut self) {
        loop {
            match self.peek(0) {
                Some(b' ' | b'\t') => self.at += 1,
                Some(b'\\') if self.peek(1) == Some(b'\n') => self.at += 2,
                Some(b'\r') if self.line_end_cr(0) => self.leave_out_cr(0, 0),
                Some(b'\\') if self.line_end_cr(1) => self.leave_out_cr(1, 1),
                Some(b'#') => {
                    let rest = &self.bytes[self.at..];
                    self.at += memchr::memchr(b'\n', rest).unwrap_or(rest.len());
                }
                _ => return,
            }
        }
    }

    /// The index behind the construct that `$(`, `${` or a backquote opens at `self.at`; `None` where
    /// nothing closes it.
    fn end_of_expansion(&self, open: u8, close: u8) -> Option<usize> {
        let mut depth = 0usize;
        let mut at = self.at;
        while let Some(&byte) = self.bytes.get(at) {
            at += 1;
            if byte == b'\\' {
                at += 1;
            } else if byte == close && (depth == 1 || open != close) {
                depth = depth.saturating_sub(1);
            } else if byte == open {
                depth += 1;
            }
            if depth == 0 {
                return Some(at);
            }
        }
        None
    }

    /// At a `$` or a backquote: what a shell would compute there, consumed; `None` if the character
    /// stands for itself.
    fn expansion(&mut self, within_quotes: bool) -> Result<Option<Problem>, NeverClosed> {
        let start = self.at;
        let never_closed = NeverClosed { what: "a substitution that is never closed", at: start };
        let what = if self.peek(0) == Some(b'`') {
            self.at = self.end_of_expansion(b'`', b'`').ok_or(never_closed)?;
            "a command substitution"
        } else {
            let Some(next) = self.peek(1) else { return Ok(None) };
            match next {
                b'(' => {
                    self.at += 1;
                    self.at = self.end_of_expansion(b'(', b')').ok_or(never_closed)?;
                    "a command substitution"
                }
                b'{' => {
                    self.at += 1;
                    self.at = self.end_of_expansion(b'{', b'}').ok_or(never_closed)?;
                    "a variable"
                }
                byte if byte.is_ascii_alphanumeric() || b"_@*#?-$!".contains(&byte) => {
                    self.at += 2;
                    while self.peek(0).is_some_and(|b| b.is_ascii_alphanumeric() || b == b'_') {
                        self.at += 1;
                    }
                    "a variable"
                }
                b'\'' | b'"' if !within_quotes => {
                    self.at += 1;
                    "a quoting form that shells read differently"
                }
                _ => return Ok(None),
            }
        };
        Ok(Some(Problem { what, span: self.span(start, self.at) }))
    }

    fn word(&mut self) -> Token {
        match self.closed_word() {
            Ok(word) => Token::Word(word),
            Err(NeverClosed { what, at }) => self.unreadable(what, at),
        }
    }

    fn closed_word(&mut self) -> Result<Word, NeverClosed> {
        let start = self.at;
        let mut text: Vec<u8> = Vec::new();
        let mut quoted = false;
        let mut problem: Option<Problem> = None;
        let mut assignment: Option<(usize, usize)> = None;
        // Whether a `~` would be a home directory here: first in a word, or in the value of
        // an assignment first or behind a colon.
        let mut home_may_follow = true;
        while let Some(byte) = self.peek(0) {
            // Lines are joined before anything else is made of them.
            if byte == b'\\' && self.peek(1) == Some(b'\n') {
                self.at += 2;
                continue;
            }
            if byte == b'\\' && self.line_end_cr(1) {
                self.leave_out_cr(1, 1);
                continue;
            }
            let home_may_be_here = std::mem::take(&mut home_may_follow);
            match byte {
                b' ' | b'\t' | b'\n' | b';' | b'|' | b'&' | b'<' | b'>' | b'(' | b')' => break,
                b'\r' if self.line_end_cr(0) => break,
                b'\\' => {
                    text.push(self.peek(1).unwrap_or(b'\\'));
                    quoted = true;
                    self.at = (self.at + 2).min(self.bytes.len());
                }
                b'\'' => {
                    let inner = self.at + 1;
                    let Some(length) = memchr::memchr(b'\'', &self.bytes[inner..]) else {
                        return Err(NeverClosed { what: OPEN_QUOTE, at: self.at });
                    };
                    text.extend_from_slice(&self.bytes[inner..inner + length]);
                    quoted = true;
                    self.at = inner + length + 1;
                }
                b'"' => {
                    self.double_quoted(&mut text, &mut problem)?;
                    quoted = true;
                }
                b'$' | b'`' => match self.expansion(false)? {
                    Some(found) => problem = problem.or(Some(found)),
                    None => {
                        text.push(byte);
                        self.at += 1;
                    }
                },
                _ => {
                    if byte == b'~' && home_may_be_here {
                        let span = self.span(self.at, self.at + 1);
                        problem = problem.or(Some(Problem { what: "a home directory (~)", span }));
                    }
                    if byte == b'=' && assignment.is_none() && !quoted && problem.is_none() {
                        let name = std::str::from_utf8(&text).is_ok_and(is_name);
                        assignment = name.then_some((text.len(), self.at + 1));
                        home_may_follow = name;
                    }
                    home_may_follow |= byte == b':' && assignment.is_some();
                    text.push(byte);
                    self.at += 1;
                }
            }
        }
        let span = self.span(start, self.at);
        if let Some((_, _, what)) = super::unusable_text(&text) {
            // Offsets into the unquoted text are no offsets into the file: the whole word is named.
            problem = Some(Problem { what, span });
        }
        Ok(Word {
            text: String::from_utf8_lossy(&text).into_owned(),
            span,
            quoted,
            assignment: assignment.map(|(name, value)| (name, self.span(value, self.at))),
            problem,
        })
    }

    /// From an opening `"` to behind the closing one.
    fn double_quoted(
        &mut self,
        text: &mut Vec<u8>,
        problem: &mut Option<Problem>,
    ) -> Result<(), NeverClosed> {
        let open = NeverClosed { what: OPEN_QUOTE, at: self.at };
        self.at += 1;
        loop {
            match self.peek(0).ok_or(open)? {
                b'"' => {
                    self.at += 1;
                    return Ok(());
                }
                b'\\' if self.line_end_cr(1) => self.leave_out_cr(1, 1),
                b'\\' => {
                    match self.peek(1).ok_or(open)? {
                        b'\n' => {}
                        escaped @ (b'$' | b'`' | b'"' | b'\\') => text.push(escaped),
                        other => text.extend_from_slice(&[b'\\', other]),
                    }
                    self.at += 2;
                }
                byte @ (b'$' | b'`') => match self.expansion(true)? {
                    Some(found) => *problem = problem.or(Some(found)),
                    None => {
                        text.push(byte);
                        self.at += 1;
                    }
                },
                byte => {
                    text.push(byte);
                    self.at += 1;
                }
            }
        }
    }
}

impl Iterator for Words<'_> {
    type Item = Token;

    fn next(&mut self) -> Option<Token> {
        self.skip_blanks_and_comments();
        let byte = self.peek(0)?;
        match byte {
            b'\n' => {
                self.at += 1;
                Some(Token::End)
            }
            b';' => {
                self.at += 1;
                Some(Token::Semicolon(self.span(self.at - 1, self.at)))
            }
            b'<' if self.peek(1) == Some(b'<') => Some(self.unreadable("a here-document", self.at)),
            b'|' | b'&' | b'<' | b'>' | b'(' | b')' => {
                self.at += 1;
                Some(Token::Operator(byte, self.span(self.at - 1, self.at)))
            }
            _ => Some(self.word()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const FILE: FileId = FileId(0);

    fn only_word(text: &str) -> Word {
        let tokens: Vec<_> = Words::new(text.as_bytes(), FILE).collect();
        match &tokens[..] {
            [Token::Word(word)] => word.clone(),
            other => panic!("{text:?}: {other:?}"),
        }
    }

    #[test]
    fn quoting_is_undone_as_a_shell_does() {
        for (written, read) in [
            (r"a", "a"),
            (r"'a b'", "a b"),
            (r#""a b""#, "a b"),
            (r#""a\b\$c\"\\""#, r#"a\b$c"\"#),
            (r"a\ b", "a b"),
            (r"'a\'b", r"a\b"),
            (r#"a"b"'c'd"#, "abcd"),
            ("a\\\nb", "ab"),
            ("\"a\\\nb\"", "ab"),
            ("a\\\r\nb", "ab"),
            ("\"a\\\r\nb\"", "ab"),
            ("\"a\r\nb\"", "a\r\nb"),
            ("A=\"x:\"~", "A=x:~"),
            ("A=x\\:~", "A=x:~"),
            ("''~", "~"),
            ("a#b", "a#b"),
            ("a$", "a$"),
            (r#""a$""#, "a$"),
            ("'$x`y`'", "$x`y`"),
            ("''", ""),
            ("'a\nb'", "a\nb"),
        ] {
            let word = only_word(written);
            assert_eq!(word.text, read, "{written:?}");
            assert_eq!(word.problem, None, "{written:?}");
            assert_eq!((word.span.start, word.span.end), (0, written.len()));
        }
    }

    #[test]
    fn what_a_shell_would_compute_is_a_problem_with_its_place() {
        for (written, at, what) in [
            ("A=$x", (2, 4), "a variable"),
            ("A=${x y}z", (2, 8), "a variable"),
            ("A=1$(echo \"a b\" (c))2", (3, 20), "a command substitution"),
            ("A=\"`a;b`\"", (3, 8), "a command substitution"),
            ("A=~/x", (2, 3), "a home directory (~)"),
            ("A=x:~", (4, 5), "a home directory (~)"),
            ("A=\\\n~", (4, 5), "a home directory (~)"),
            ("A=x:\\\n~", (6, 7), "a home directory (~)"),
            ("A=$'x'", (2, 3), "a quoting form that shells read differently"),
        ] {
            let word = only_word(written);
            let problem = word.problem.unwrap_or_else(|| panic!("{written}"));
            assert_eq!((problem.span.start, problem.span.end, problem.what), (at.0, at.1, what));
            assert_eq!(word.as_assignment().map(|(name, ..)| name), Some("A"));
        }
    }

    #[test]
    fn an_assignment_needs_an_unquoted_name() {
        assert_eq!(only_word("A=b=c").as_assignment().map(|(n, v, _)| (n, v)), Some(("A", "b=c")));
        let over_lines = only_word("A\\\n=\\\nb");
        assert_eq!(over_lines.as_assignment().map(|(n, v, _)| (n, v)), Some(("A", "b")));
        assert_eq!(only_word("exp\\\nort").bare(), Some("export"));
        assert_eq!(only_word("A=").as_assignment().map(|(n, v, _)| (n, v)), Some(("A", "")));
        for written in ["'A'=b", "A\\B=c", "1A=b", "=b", "A.B=c", "A"] {
            assert_eq!(only_word(written).as_assignment(), None, "{written}");
        }
    }

    #[test]
    fn what_is_never_closed_and_a_here_document_end_the_reading() {
        for text in [
            "A='b\nC=d",
            "A=\"b\nC=d",
            "A=\"b\\",
            "cat <<X\nA=b\nX\n",
            "A=$(b\nC=d",
            "A=\"${b\"\nC=d",
            "A=`b\nC=d",
            "$(b\\",
        ] {
            let last = Words::new(text.as_bytes(), FILE).last();
            assert!(matches!(last, Some(Token::Unreadable(..))), "{text:?}: {last:?}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_come_apart_within_bounds(
            bytes in proptest::collection::vec(
                proptest::sample::select(&b"A=b'\"\\$`(){}~:; \n#|&<\0\xff"[..]), 0..40)
        ) {
            for token in Words::new(&bytes, FILE) {
                if let Token::Word(word) = token {
                    prop_assert!(word.span.end <= bytes.len() && word.span.start <= word.span.end);
                    if let Some(problem) = word.problem {
                        prop_assert!(problem.span.end <= bytes.len());
                    }
                }
            }
        }

        #[test]
        fn a_value_in_single_quotes_is_read_back(value in "[^'\0]{0,20}") {
            let written = format!("A='{value}'");
            let word = only_word(&written);
            prop_assert_eq!(word.as_assignment().map(|(_, v, _)| v), Some(value.as_str()));
        }
    }
}
