//! `smtp2` and `smtp3`: files of shell assignments, read as data and never run.
//!
//! Taken: `NAME=value` with any shell quoting, several on a line, comments, line continuations,
//! `export NAME…`, `export NAME=value`, and `NAME=value export NAME` (assignments before `export`
//! stay: POSIX, Shell Command Language, 2.14 "Special Built-In Utilities"; for a name that is not exported there,
//! not every shell does so). The last assignment wins, and `export` may come before or after the assignment.
//!
//! Whatever is more than that (expansions, commands, pipes, conditions, `unset`, `.`) is a warning
//! at its place and is not used. A variable that such a statement would have set is then
//! [`Lookup::Unusable`] until a later plain assignment: its value is not known, and pretending that
//! it was never written would be worse. A text that cannot be told apart (an open quote, a block
//! that is never closed, a here-document) is an error, and nothing behind it is read.

use std::collections::{BTreeMap, HashSet};

use super::shell_words::{Problem, Token, Word, Words, is_name};
use crate::diagnostic::{Diagnostic, shown};
use crate::limits::MAX_ASSIGNMENT_WORDS;
use crate::snapshot::{FileId, Span, Spanned};

/// What the file says of one variable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lookup<'a> {
    /// It is not mentioned, or exported only.
    Unset,
    /// Its value, as written last, and where the assignments stand that this one replaced.
    Set {
        /// The value with its quoting undone; the span is the value as written.
        value: &'a Spanned<String>,
        /// The values that were replaced, in the order of the file.
        replaced: &'a [Span],
    },
    /// Something more than an assignment sets it at this place, so its value is not known.
    Unusable(Span),
}

#[derive(Clone, Debug, Default)]
struct Variable {
    value: Option<Result<Spanned<String>, Span>>,
    replaced: Vec<Span>,
    exported: Option<Span>,
}

/// The variables of a file of assignments.
#[derive(Clone, Debug, Default)]
pub struct Assignments {
    variables: BTreeMap<String, Variable>,
}

impl Assignments {
    /// What the file says of the variable `name`.
    pub fn get(&self, name: &str) -> Lookup<'_> {
        let Some(variable) = self.variables.get(name) else { return Lookup::Unset };
        match &variable.value {
            None => Lookup::Unset,
            Some(Ok(value)) => Lookup::Set { value, replaced: &variable.replaced },
            Some(Err(span)) => Lookup::Unusable(*span),
        }
    }

    /// Where the variable `name` is exported, if it is.
    pub fn exported(&self, name: &str) -> Option<Span> {
        self.variables.get(name)?.exported
    }

    /// Every name that the file assigns, exports or makes unusable, in alphabetical order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.variables.keys().map(String::as_str)
    }

    fn assign(&mut self, name: &str, value: Result<Spanned<String>, Span>) {
        let variable = self.variables.entry(name.to_owned()).or_default();
        if let Some(Ok(before)) = variable.value.replace(value) {
            variable.replaced.push(before.span);
        }
    }

    fn export(&mut self, name: &str, span: Span) {
        self.variables.entry(name.to_owned()).or_default().exported = Some(span);
    }
}

/// Reads the assignments of a file. Each diagnostic is a warning for a statement that is not used,
/// or an error where the text cannot be told apart.
pub fn parse(bytes: &[u8], file: FileId) -> (Assignments, Vec<Diagnostic>) {
    let mut reader = Reader::default();
    let mut words = Words::new(bytes, file);
    let mut count = 0usize;
    loop {
        let next = words.next();
        let place = match &next {
            Some(Token::Word(word)) => Some(word.span),
            Some(Token::Semicolon(span) | Token::Operator(_, span)) => Some(*span),
            _ => None,
        };
        count += usize::from(place.is_some());
        let next = match place.filter(|_| count > MAX_ASSIGNMENT_WORDS) {
            Some(span) => Some(Token::Unreadable("too many words in one file", span)),
            None => next,
        };
        match next {
            Some(Token::End) => reader.end_of_statement(),
            Some(Token::Semicolon(span)) => reader.semicolon(span),
            Some(Token::Word(word)) => reader.word(word),
            Some(Token::Operator(operator, span)) => reader.operator(operator, span),
            Some(Token::Unreadable(why, span)) => {
                reader.end_of_statement();
                reader.diagnostics.push(
                    Diagnostic::error(
                        "unreadable-assignments",
                        format!("{why}: nothing from here to the end of the file is read"),
                    )
                    .at(span),
                );
                reader.blocks.clear();
                break;
            }
            None => {
                reader.end_of_statement();
                break;
            }
        }
    }
    if let Some(block) = reader.blocks.first() {
        reader.diagnostics.push(
            Diagnostic::error(
                "unreadable-assignments",
                format!("no {} closes the block that begins here", block.closer),
            )
            .at(block.span),
        );
    }
    (reader.assignments, reader.diagnostics)
}

struct Block {
    closer: &'static str,
    span: Span,
}

#[derive(Default)]
struct Reader {
    assignments: Assignments,
    diagnostics: Vec<Diagnostic>,
    blocks: Vec<Block>,
    statement: Statement,
}

/// The statement being read.
#[derive(Default)]
struct Statement {
    span: Option<Span>,
    /// `NAME=value` words before any command word, in order.
    assigned: Vec<Word>,
    /// The command word and its arguments.
    command: Vec<Word>,
    /// Names that a part in front of an operator sets, exports or unsets.
    touched: Vec<String>,
    /// What makes this more than an assignment, whatever its words are.
    more: Option<Problem>,
    begins_block: bool,
}

impl Statement {
    fn cover(&mut self, span: Span) {
        self.span = Some(match self.span {
            Some(before) => Span { end: span.end, ..before },
            None => span,
        });
    }

    fn more_than_assignment(&mut self, what: &'static str, span: Span) {
        self.more = self.more.or(Some(Problem { what, span }));
    }

    /// Moves the names of the simple command read so far to `touched`.
    fn end_simple_command(&mut self) {
        let mut command = std::mem::take(&mut self.command);
        let builtin = command.first().and_then(Word::bare).is_some_and(sets_variables);
        if builtin {
            self.touched.extend(command.drain(1..).filter_map(|word| name_of(&word)));
        }
        self.touched.extend(self.assigned.drain(..).filter_map(|word| name_of(&word)));
    }
}

fn sets_variables(command: &str) -> bool {
    matches!(
        command,
        "export" | "unset" | "readonly" | "declare" | "typeset" | "local" | "read" | "for"
    )
}

/// The variable that an argument like `NAME`, `NAME=value`, `NAME+=value` or `NAME[0]=value` names.
fn name_of(word: &Word) -> Option<String> {
    let end = word.text.find(['=', '+', '[']).unwrap_or(word.text.len());
    let name = &word.text[..end];
    is_name(name).then(|| name.to_owned())
}

/// The word that closes the block which `word` opens.
fn closer_of(word: &str) -> Option<&'static str> {
    match word {
        "if" => Some("fi"),
        "case" => Some("esac"),
        "for" | "while" | "until" | "select" => Some("done"),
        "{" => Some("}"),
        _ => None,
    }
}

impl Reader {
    fn word(&mut self, word: Word) {
        self.statement.cover(word.span);
        if !self.statement.command.is_empty() {
            self.statement.command.push(word);
            return;
        }
        if word.assignment.is_some() {
            self.statement.assigned.push(word);
            return;
        }
        let keyword = self.statement.assigned.is_empty().then(|| word.bare()).flatten();
        match keyword {
            Some(text) if closer_of(text).is_some() => {
                if let Some(closer) = closer_of(text) {
                    self.open(closer, word.span);
                }
                if matches!(text, "case" | "for" | "select") {
                    // Its subject or variable follows, not a command.
                    self.statement.command.push(word);
                }
            }
            Some("then" | "do" | "else" | "elif" | "!" | "time" | "function") => {
                self.statement.more_than_assignment("a shell keyword", word.span);
            }
            Some(text @ ("fi" | "done" | "esac" | "}")) => {
                self.close(text, word.span);
            }
            _ => self.statement.command.push(word),
        }
    }

    fn operator(&mut self, operator: u8, span: Span) {
        self.statement.cover(span);
        match operator {
            b'(' => {
                self.statement.end_simple_command();
                self.open(")", span);
            }
            b')' if self.blocks.last().is_some_and(|block| block.closer == "esac") => {
                self.statement.end_simple_command();
            }
            b')' => {
                self.statement.end_simple_command();
                self.close(")", span);
            }
            b'<' | b'>' => self.statement.more_than_assignment("a redirection", span),
            _ => {
                self.statement.end_simple_command();
                self.statement.more_than_assignment("an operator between commands", span);
            }
        }
    }

    fn open(&mut self, closer: &'static str, span: Span) {
        self.statement.begins_block |= self.blocks.is_empty();
        self.blocks.push(Block { closer, span });
        self.statement.more_than_assignment("a block of commands", span);
    }

    fn close(&mut self, closer: &str, span: Span) {
        if self.blocks.last().is_some_and(|block| block.closer == closer) {
            self.blocks.pop();
            self.statement.more_than_assignment("a block of commands", span);
            return;
        }
        self.statement.more_than_assignment("the end of a block that was not begun", span);
        self.diagnostics.push(
            Diagnostic::error(
                "unreadable-assignments",
                format!("this `{closer}` closes nothing that is open here"),
            )
            .at(span),
        );
    }

    /// A shell stops with an error at a `;` that ends nothing. Two end a branch of `case`.
    fn semicolon(&mut self, span: Span) {
        if self.statement.span.is_none() && self.blocks.is_empty() {
            self.diagnostics.push(
                Diagnostic::error("unreadable-assignments", "this `;` has nothing to end").at(span),
            );
        }
        self.end_of_statement();
    }

    fn end_of_statement(&mut self) {
        let mut statement = std::mem::take(&mut self.statement);
        let Some(span) = statement.span else { return };
        if statement.more.is_some() || !self.blocks.is_empty() {
            statement.end_simple_command();
            let inner = statement.more.is_none() || !statement.begins_block;
            let names = statement.touched;
            for name in &names {
                self.assignments.assign(name, Err(span));
            }
            let in_block = inner
                && (!self.blocks.is_empty()
                    || statement.more.is_some_and(|p| p.what == "a block of commands"));
            if names.is_empty() && in_block {
                return; // The diagnostic at the head of the block speaks for it.
            }
            let what = statement.more.map_or("part of a block of commands", |more| more.what);
            self.not_used(span, what, &names);
            return;
        }
        let Statement { assigned, command, .. } = statement;
        let Some(verb) = command.first() else {
            for word in &assigned {
                self.take_assignment(word);
            }
            return;
        };
        match verb.bare() {
            Some("export") if command.len() > 1 => {
                let arguments = &command[1..];
                let exported: HashSet<_> = arguments.iter().filter_map(name_of).collect();
                for word in &assigned {
                    match word.as_assignment() {
                        Some((name, ..)) if !exported.contains(name) => {
                            self.assignments.assign(name, Err(word.span));
                            let what = "an assignment before an export of another name, which \
                                        shells read differently,";
                            self.not_used(word.span, what, &[name.to_owned()]);
                        }
                        _ => self.take_assignment(word),
                    }
                }
                self.take_export(arguments);
            }
            _ => {
                // `PORT=25 26`: a shell would give PORT to the command `26` alone. Most likely the
                // value was meant to be quoted; either way PORT is not what the line says.
                let mut names: Vec<_> = assigned.iter().filter_map(name_of).collect();
                let sets = verb.bare().is_some_and(sets_variables);
                let plus = name_of(verb).filter(|name| name.len() < verb.text.len());
                names.extend(plus);
                if sets {
                    names.extend(command[1..].iter().filter_map(name_of));
                }
                for name in &names {
                    self.assignments.assign(name, Err(span));
                }
                self.not_used(span, "a command", &names);
            }
        }
    }

    /// Takes a `NAME=value`, or marks NAME unusable if the value would have to be computed.
    fn take_assignment(&mut self, word: &Word) {
        let Some((name, value, span)) = word.as_assignment() else { return };
        match word.problem {
            None => {
                let value = Spanned { value: value.to_owned(), span };
                self.assignments.assign(name, Ok(value));
            }
            Some(problem) => {
                self.assignments.assign(name, Err(word.span));
                self.not_used(problem.span, problem.what, &[name.to_owned()]);
            }
        }
    }

    fn take_export(&mut self, arguments: &[Word]) {
        let mut unexport = false;
        for word in arguments {
            match word.as_assignment() {
                _ if unexport => {
                    let names: Vec<_> = name_of(word).into_iter().collect();
                    for name in &names {
                        self.assignments.assign(name, Err(word.span));
                    }
                    self.not_used(word.span, "a command", &names);
                }
                Some((name, ..)) => {
                    self.assignments.export(name, word.span);
                    self.take_assignment(word);
                }
                None if word.problem.is_none() && is_name(&word.text) => {
                    self.assignments.export(&word.text, word.span);
                }
                None => {
                    unexport = word.text.starts_with('-') && word.text.contains('n');
                    let what = word.problem.map_or("no name of a variable", |p| p.what);
                    self.not_used(word.span, what, &[]);
                }
            }
        }
    }

    fn not_used(&mut self, span: Span, what: &str, names: &[String]) {
        let subject = match names {
            [] => String::new(),
            [name] => format!("; {} cannot be known from it", shown(name)),
            [name, more @ ..] => {
                format!("; {} and {} more cannot be known from it", shown(name), more.len())
            }
        };
        self.diagnostics.push(
            Diagnostic::warning(
                "more-than-assignment",
                format!("{what} is not run and this is not used{subject}"),
            )
            .at(span)
            .with_help(
                "this file is read as data: write `NAME=value`, and `export NAME` where needed",
            ),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::Severity;
    use proptest::prelude::*;

    const FILE: FileId = FileId(1);

    fn value<'a>(assignments: &'a Assignments, name: &str) -> Option<&'a str> {
        match assignments.get(name) {
            Lookup::Set { value, .. } => Some(&value.value),
            _ => None,
        }
    }

    fn codes(diagnostics: &[Diagnostic]) -> Vec<&'static str> {
        diagnostics.iter().map(|diagnostic| diagnostic.code).collect()
    }

    #[test]
    fn every_way_to_export() {
        for text in [
            "SMTPS=1\nexport SMTPS\n",
            "SMTPS=1; export SMTPS",
            "SMTPS=1 export SMTPS",
            "export SMTPS=1",
            "export SMTPS\nSMTPS=1",
            "export A SMTPS=1 B # c",
            "  export\tSMTPS='1'",
            "export SMTPS=0; SMTPS=1",
        ] {
            let (assignments, diagnostics) = parse(text.as_bytes(), FILE);
            assert_eq!(value(&assignments, "SMTPS"), Some("1"), "{text:?}");
            assert!(assignments.exported("SMTPS").is_some(), "{text:?}");
            assert_eq!(codes(&diagnostics), [""; 0], "{text:?}");
        }
        let (assignments, _) = parse(b"SMTPS=1\n#export SMTPS\n", FILE);
        assert_eq!(assignments.exported("SMTPS"), None);
    }

    #[test]
    fn the_last_assignment_wins_and_the_ones_before_are_remembered() {
        let (assignments, diagnostics) = parse(b"PORT=1\nPORT=2; PORT=\"3\"\n", FILE);
        let Lookup::Set { value, replaced } = assignments.get("PORT") else { panic!() };
        assert_eq!(value.value, "3");
        assert_eq!((value.span.start, value.span.end), (20, 23));
        assert_eq!(replaced.iter().map(|s| s.start).collect::<Vec<_>>(), [5, 12]);
        assert!(diagnostics.is_empty());
    }

    #[test]
    fn what_would_have_to_run_is_told_and_the_variable_is_unusable() {
        for (text, unusable) in [
            ("PORT=$(cat x)", Some("PORT")),
            ("PORT=`cat x`", Some("PORT")),
            ("PORT=$OTHER", Some("PORT")),
            ("PORT=25 26", Some("PORT")),
            ("PORT=25 | cat", Some("PORT")),
            ("PORT=25 && export PORT", Some("PORT")),
            ("PORT=25 &", Some("PORT")),
            ("PORT=25 >x", Some("PORT")),
            ("PORT+=5", Some("PORT")),
            ("unset PORT", Some("PORT")),
            ("readonly PORT=25", Some("PORT")),
            ("export -n PORT", Some("PORT")),
            ("PORT=25 export OTHER", Some("PORT")),
            ("export PORT=$X", Some("PORT")),
            ("if true; then PORT=25; fi", Some("PORT")),
            ("if true\nthen\n  PORT=25\nfi\n", Some("PORT")),
            ("case x in\n x) PORT=25 ;;\nesac", Some("PORT")),
            ("for PORT in 1 2; do PORT=3; done", Some("PORT")),
            ("(PORT=25)", Some("PORT")),
            ("f() { PORT=25; }", Some("PORT")),
            ("{ PORT=25; }", Some("PORT")),
            ("true || PORT=25", Some("PORT")),
            (". /etc/default/mail", None),
            ("ulimit -n 100", None),
            ("export", None),
            ("export 1x", None),
            ("$PORT", None),
        ] {
            let text = format!("{text}\nAFTER=1\n");
            let (assignments, diagnostics) = parse(text.as_bytes(), FILE);
            assert_eq!(value(&assignments, "PORT"), None, "{text:?}");
            assert_eq!(
                matches!(assignments.get("PORT"), Lookup::Unusable(_)),
                unusable.is_some(),
                "{text:?}"
            );
            assert_eq!(value(&assignments, "AFTER"), Some("1"), "{text:?}");
            assert!(!diagnostics.is_empty(), "{text:?}");
            for diagnostic in &diagnostics {
                assert_eq!(diagnostic.code, "more-than-assignment", "{text:?}");
                assert_eq!(diagnostic.severity, Severity::Warning);
                assert!(diagnostic.span().is_some());
            }
        }
    }

    #[test]
    fn a_plain_assignment_behind_an_unusable_one_is_good() {
        let (assignments, diagnostics) = parse(b"PORT=$(x)\nPORT=25\n", FILE);
        assert_eq!(value(&assignments, "PORT"), Some("25"));
        assert_eq!(codes(&diagnostics), ["more-than-assignment"]);
    }

    #[test]
    fn a_text_that_cannot_be_told_apart_is_an_error_at_its_place() {
        for (text, place) in [
            ("A=1\nPORT='25\nB=2\n", 9),
            ("A=1\nPORT=\"25\nB=2\n", 9),
            ("A=1\nif true\nPORT=25\n", 4),
            ("A=1\nfi\n", 4),
            ("A=1\ncat <<X\nPORT=25\nX\n", 8),
            ("A=1\n)\n", 4),
            ("A=1;;\n", 4),
        ] {
            let (assignments, diagnostics) = parse(text.as_bytes(), FILE);
            let error = diagnostics.iter().find(|d| d.severity == Severity::Error).unwrap();
            assert_eq!(error.code, "unreadable-assignments");
            assert_eq!(error.span().unwrap().start, place, "{text:?}");
            assert_eq!(value(&assignments, "A"), Some("1"));
            assert_eq!(value(&assignments, "PORT"), None, "{text:?}");
        }
    }

    #[test]
    fn a_nul_makes_a_value_unusable() {
        let (assignments, diagnostics) = parse(b"PORT=2\x005\n", FILE);
        assert!(matches!(assignments.get("PORT"), Lookup::Unusable(_)));
        assert_eq!(codes(&diagnostics), ["more-than-assignment"]);
        assert!(diagnostics[0].message.contains("NUL"));
    }

    proptest! {
        #[test]
        fn no_bytes_panic_and_every_place_is_inside(
            bytes in proptest::collection::vec(
                proptest::sample::select(&b"PA=1'\"\\$`(){}; \n#|&<if fi export "[..]), 0..60)
        ) {
            let (_, diagnostics) = parse(&bytes, FILE);
            for diagnostic in diagnostics {
                let span = diagnostic.span().unwrap();
                prop_assert!(span.start <= span.end && span.end <= bytes.len() + 1);
            }
        }
    }
}
