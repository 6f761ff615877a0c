//! `smtp2` and `smtp3`: files of shell assignments, read as data and never run.
//!
//! Taken: `NAME=value` with any shell quoting, several on a line, comments, line continuations,
//! `export NAME…`, `export NAME=value`, and `NAME=value export NAME` (assignments before `export`
//! stay: POSIX, Shell Command Language, 2.14 "Special Built-In Utilities"; for a name that is not exported there,
//! not every shell does so). The last assignment wins, and `export` may come before or after the assignment.
//!
//! A CR before the LF that ends a line is left out, with one warning for the file. A shell would take it
//! as a part of the word, but no variable here has a meaning with a CR at its end.
//!
//! Whatever is more than that (expansions, commands, pipes, conditions, `unset`, `.`) is a warning
//! at its place and is not used. A variable that such a statement would have set is then
//! [`Lookup::Unusable`] until a later plain assignment: its value is not known, and pretending that
//! it was never written would be worse. A text that cannot be told apart (a quote, a substitution or
//! a block that is never closed, a here-document) is an error, and nothing behind it is read.
//!
//! A file that ends in a line without a line end, and there with a command, or with the export of a
//! variable that it never assigns, was most likely cut short as it was written: that is an error too.

use std::collections::{BTreeMap, HashSet};

use super::shell_words::{Problem, Token, Word, Words, is_name};
use crate::diagnostic::{Diagnostic, quoted, shown};
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
                reader.end_of_file(bytes);
                break;
            }
        }
    }
    if let Some(span) = words.carriage_return() {
        let message = "lines of this file end with CR LF, which is read here as LF; a shell takes \
                       the CR as a part of the value or the name";
        reader.diagnostics.push(
            Diagnostic::warning("crlf-line-ends", message)
                .at(span)
                .with_help("write the file with LF line ends"),
        );
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
    /// The statement is the last one, and its last word ends the file.
    may_be_cut: bool,
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

    fn end_of_file(&mut self, bytes: &[u8]) {
        let blank = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\r');
        let last = |span: Span| bytes[span.end..].iter().all(blank) && !bytes.ends_with(b"\n");
        self.may_be_cut = self.statement.span.is_some_and(last);
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
                            let what = "the export of another name behind it, which shells read \
                                        differently";
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
                match self.may_be_cut {
                    true => self.cut_short(span, "no whole assignment or export"),
                    false => self.not_used(span, "a command", &names),
                }
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
        for (number, word) in arguments.iter().enumerate() {
            let is_last = self.may_be_cut && number + 1 == arguments.len();
            match word.as_assignment() {
                _ if unexport => {
                    let names: Vec<_> = name_of(word).into_iter().collect();
                    for name in &names {
                        self.assignments.assign(name, Err(word.span));
                    }
                    self.not_used(word.span, "the option of export before it", &names);
                }
                Some((name, ..)) => {
                    self.assignments.export(name, word.span);
                    self.take_assignment(word);
                }
                None if word.problem.is_none() && is_name(&word.text) => {
                    self.assignments.export(&word.text, word.span);
                    if is_last && self.assignments.get(&word.text) == Lookup::Unset {
                        let what = format!("the export of {}", shown(&word.text));
                        self.cut_short(word.span, &format!("{what}, which is never assigned"));
                    }
                }
                None if word.problem.is_none() && is_last => {
                    self.cut_short(word.span, "no whole assignment or export");
                }
                None => {
                    unexport = word.text.starts_with('-') && word.text.contains('n');
                    let what = match word.problem {
                        Some(problem) => problem.what.to_owned(),
                        None if word.text.starts_with('-') => "an option of export".to_owned(),
                        None => format!("{}, which is no name of a variable", quoted(&word.text)),
                    };
                    self.not_used(word.span, &what, &[]);
                }
            }
        }
    }

    fn cut_short(&mut self, span: Span, what: &str) {
        self.diagnostics.push(
            Diagnostic::error(
                "cut-short",
                format!(
                    "the file ends here, without a line end, in {what}: it may have been cut short"
                ),
            )
            .at(span)
            .with_help("write the whole file; where this is all of it, end the line"),
        );
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
                format!("this is not used because of {what}{subject}"),
            )
            .at(span)
            .with_help(
                "this file is read as data and never run: write `NAME=value`, and `export NAME` where needed",
            ),
        );
    }
}

#[cfg(test)]
#[path = "assignments_tests.rs"]
mod tests;
