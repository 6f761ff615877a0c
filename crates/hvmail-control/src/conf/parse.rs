//! Tokens into a [`Tree`], with every `include` followed.
//!
//! Our reading, where the vendor's documents are silent:
//! - `include` takes one string, a path that is absolute or relative to the control directory, and
//!   that may lead out of it, by `..` or by a link; what the file holds takes the place of the
//!   directive, also inside a block, and its braces must balance on their own. Patterns (`*`, `?`, `[`) are refused, because whether they are file names
//!   is not known;
//! - a block may be opened and closed on one line.
//!
//! A fault becomes an error diagnostic and reading goes on, so that one load tells as much as it can;
//! a tree that comes with an error is not to be used. Depth, size and the number of diagnostics are
//! bounded by [`limits`](crate::limits), and nothing here recurses.

use std::path::Path;

use super::lex::{Lexer, Token, TokenKind};
use super::tree::{Argument, Block, Directive, DirectiveId, Include, Layer, Tree, Value};
use crate::diagnostic::{Diagnostic, Severity, printable, quoted};
use crate::limits::{
    MAX_BLOCK_DEPTH, MAX_CONFIGURATION_SIZE, MAX_DIAGNOSTICS, MAX_INCLUDE_DEPTH, MAX_INCLUDES,
    MAX_VALUES,
};
use crate::snapshot::{FileId, Loader, Span, Spanned};

/// A file that is being read.
struct Frame {
    lexer: Lexer,
    file: FileId,
    /// How many blocks were open when it was entered: those are not its own to close.
    depth: usize,
    include: Option<Span>,
    /// A token to be taken again, behind the file that was entered in its place.
    again: Option<Token>,
}

/// A block that is open.
struct OpenBlock {
    directive: DirectiveId,
    brace: Span,
}

/// The line that is being read.
#[derive(Default)]
struct Line {
    name: Option<Spanned<String>>,
    arguments: Vec<Argument>,
    comma: Option<Span>,
    end: Option<Span>,
    faulty: bool,
}

pub(super) struct Parser<'p, 's> {
    loader: &'p mut Loader<'s>,
    tree: Tree,
    report: Report,
    frames: Vec<Frame>,
    open: Vec<OpenBlock>,
    /// How many blocks are open inside the one that is passed over.
    passed_over: usize,
    layer: Layer,
    size: usize,
    values: usize,
}

impl<'p, 's> Parser<'p, 's> {
    pub(super) fn new(loader: &'p mut Loader<'s>) -> Self {
        Self {
            loader,
            tree: Tree::default(),
            report: Report::default(),
            frames: Vec::new(),
            open: Vec::new(),
            passed_over: 0,
            layer: Layer::User,
            size: 0,
            values: 0,
        }
    }

    pub(super) fn finish(self) -> (Tree, Vec<Diagnostic>) {
        (self.tree, self.report.finish())
    }

    /// Reads the file at `path`, where there is one.
    pub(super) fn file(&mut self, path: &Path, layer: Layer) {
        self.layer = layer;
        match self.loader.read(path) {
            Ok(Some(file)) => self.enter(file, None),
            Ok(None) => return,
            Err(error) => return self.report.push(error.into()),
        }
        let mut line = Line::default();
        while let Some(frame) = self.frames.last_mut() {
            if self.report.given_up {
                break;
            }
            let report = &mut self.report;
            let token = frame.again.take();
            let token = token
                .unwrap_or_else(|| frame.lexer.next(&mut |diagnostic| report.push(diagnostic)));
            self.token(token, &mut line);
        }
        self.frames.clear();
        self.open.clear();
        self.passed_over = 0;
    }

    fn enter(&mut self, file: FileId, include: Option<Span>) {
        let bytes = self.loader.snapshot().shared(file);
        self.size = self.size.saturating_add(bytes.len());
        if self.size > MAX_CONFIGURATION_SIZE {
            let place = include.unwrap_or(Span::new(file, 0, 0));
            return self.report.give_up(
                Diagnostic::error(
                    "configuration-too-large",
                    format!(
                        "the configuration is larger than {MAX_CONFIGURATION_SIZE} octets, \
                         included files counted each time"
                    ),
                )
                .at(place),
            );
        }
        let lexer = Lexer::new(file, bytes);
        self.frames.push(Frame { lexer, file, depth: self.open.len(), include, again: None });
    }

    fn token(&mut self, token: Token, line: &mut Line) {
        let Token { kind, span } = token;
        if self.passed_over > 0 {
            match kind {
                TokenKind::Open => self.passed_over += 1,
                TokenKind::Close => self.passed_over -= 1,
                TokenKind::EndOfFile => {
                    self.passed_over = 0;
                    self.leave();
                }
                _ => {}
            }
            return;
        }
        match kind {
            TokenKind::Fault => line.faulty = true,
            TokenKind::Value(value) => self.value(value, line),
            TokenKind::Option(option) => self.other(Argument::Option(option), span, line),
            TokenKind::Heredoc(heredoc) => self.other(Argument::Heredoc(heredoc), span, line),
            TokenKind::Comma => self.comma(span, line),
            TokenKind::Open => self.open(span, line),
            TokenKind::EndOfLine => self.end_line(line),
            // An include before one of these is followed first.
            TokenKind::Close | TokenKind::EndOfFile => {
                let outer = self.frames.len();
                self.end_line(line);
                if self.frames.len() > outer {
                    if let Some(frame) = self.frames.get_mut(outer - 1) {
                        frame.again = Some(Token { kind, span });
                    }
                } else if kind == TokenKind::Close {
                    self.close(span);
                } else {
                    self.leave();
                }
            }
        }
    }

    fn value(&mut self, value: Value, line: &mut Line) {
        let span = value.span;
        line.end = Some(span);
        self.count_value(span);
        let joined = line.comma.take().is_some();
        if line.name.is_none() {
            if value.text.is_empty() {
                line.faulty = true;
                return self
                    .report
                    .push(Diagnostic::error("empty-name", "a directive needs a name").at(span));
            }
            line.name = Some(Spanned::new(value.text, span));
            return;
        }
        match line.arguments.last_mut() {
            Some(Argument::List(values)) if joined => values.push(value),
            Some(last @ Argument::Value(_)) if joined => {
                let mut values = last.values().to_vec();
                values.push(value);
                *last = Argument::List(values);
            }
            _ => line.arguments.push(Argument::Value(value)),
        }
    }

    fn other(&mut self, argument: Argument, span: Span, line: &mut Line) {
        line.end = Some(span);
        self.count_value(span);
        let fault = if line.comma.take().is_some() {
            "only strings may stand in a list"
        } else if line.name.is_none() && !line.faulty {
            "a directive starts with its name"
        } else {
            return line.arguments.push(argument);
        };
        line.faulty = true;
        self.report.push(Diagnostic::error("misplaced-argument", fault).at(span));
    }

    fn comma(&mut self, span: Span, line: &mut Line) {
        let joins = matches!(line.arguments.last(), Some(Argument::Value(_) | Argument::List(_)));
        if line.faulty {
            return;
        }
        if joins && line.comma.is_none() {
            line.comma = Some(span);
        } else {
            line.faulty = true;
            self.report.push(
                Diagnostic::error(
                    "misplaced-comma",
                    "a comma stands between two strings of a list",
                )
                .at(span),
            );
        }
    }

    /// Checks the line that ends, and gives its directive unless the line is empty or faulty.
    fn take_directive(&mut self, line: &mut Line) -> (Option<Directive>, bool) {
        let line = std::mem::take(line);
        let mut faulty = line.faulty;
        if let (Some(comma), false) = (line.comma, faulty) {
            faulty = true;
            self.report.push(
                Diagnostic::error("misplaced-comma", "a value is wanted behind this comma")
                    .at(comma),
            );
        }
        let directive = line.name.map(|name| Directive {
            span: line.end.map_or(name.span, |end| name.span.to(end)),
            name,
            arguments: line.arguments,
            block: None,
            parent: self.open.last().map(|block| block.directive),
            layer: self.layer,
        });
        (directive, faulty)
    }

    fn end_line(&mut self, line: &mut Line) {
        if let (Some(directive), false) = self.take_directive(line) {
            if directive.name.value == "include" {
                self.include(&directive);
            } else {
                self.tree.add(directive);
            }
        }
    }

    fn open(&mut self, brace: Span, line: &mut Line) {
        let (directive, faulty) = self.take_directive(line);
        let Some(mut directive) = directive else {
            self.passed_over = 1;
            if !faulty {
                self.report.push(
                    Diagnostic::error("block-without-name", "no name stands before this brace")
                        .at(brace)
                        .with_help("the brace stands on the line of its directive"),
                );
            }
            return;
        };
        if self.open.len() >= MAX_BLOCK_DEPTH {
            self.passed_over = 1;
            return self.report.push(
                Diagnostic::error(
                    "blocks-too-deep",
                    format!("blocks nest more than {MAX_BLOCK_DEPTH} deep here"),
                )
                .at(brace),
            );
        }
        if directive.name.value == "include" {
            self.report.push(Diagnostic::error("include-form", "include takes no block").at(brace));
        }
        directive.block = Some(Block { children: Vec::new(), open: brace });
        let directive = self.tree.add(directive);
        self.open.push(OpenBlock { directive, brace });
    }

    fn close(&mut self, brace: Span) {
        let own = self.frames.last().map_or(0, |frame| frame.depth);
        if self.open.len() > own {
            self.open.pop();
            return;
        }
        let mut diagnostic =
            Diagnostic::error("unbalanced-brace", "this brace closes no block of its file")
                .at(brace);
        if let Some(block) = self.open.last() {
            diagnostic = diagnostic
                .with_related(block.brace, "the block that is open here is another file's");
        }
        self.report.push(diagnostic);
    }

    /// The end of a file: its blocks must be closed.
    fn leave(&mut self) {
        let Some(frame) = self.frames.pop() else { return };
        for block in self.open.drain(frame.depth..) {
            if !frame.lexer.swallowed_the_rest() {
                self.report.push(
                    Diagnostic::error("unbalanced-brace", "the block opened here is never closed")
                        .at(block.brace)
                        .with_help("write } on a line of its own where the block ends"),
                );
            }
        }
    }

    fn count_value(&mut self, span: Span) {
        self.values += 1;
        if self.values > MAX_VALUES {
            self.report.give_up(
                Diagnostic::error(
                    "configuration-too-large",
                    format!("the configuration holds more than {MAX_VALUES} names and values"),
                )
                .at(span),
            );
        }
    }

    fn include(&mut self, directive: &Directive) {
        let span = directive.span;
        let [Argument::Value(path)] = directive.arguments.as_slice() else {
            return self.report.push(
                Diagnostic::error("include-form", "include takes one path").at(span).with_help(
                    "write one include a line; a path with spaces stands in double quotes",
                ),
            );
        };
        match self.included(path) {
            Ok(file) => {
                self.tree.add_include(Include { span, file });
                self.enter(file, Some(span));
            }
            Err(diagnostic) => self.report.push(*diagnostic),
        }
    }

    /// The file that an `include` of `path` names.
    fn included(&mut self, path: &Value) -> Result<FileId, Box<Diagnostic>> {
        let fail = |code, message: String| Diagnostic::error(code, message).at(path.span);
        if path.text.is_empty() || path.text.contains(char::is_control) {
            return Err(fail("include-form", "include takes the path of a file".to_owned()).into());
        }
        if path.text.contains(['*', '?', '[']) {
            let message = format!("{} is a pattern, which is not supported", quoted(&path.text));
            return Err(fail("include-pattern", message)
                .with_help("name each file in an include of its own")
                .into());
        }
        if self.tree.includes().len() >= MAX_INCLUDES {
            let message = format!("more than {MAX_INCLUDES} files are included");
            return Err(fail("too-many-includes", message).into());
        }
        let resolved = self.loader.resolve(&path.text);
        let shown = printable(&resolved);
        let file = match self.loader.read(&path.text) {
            Ok(Some(file)) => file,
            Ok(None) => {
                return Err(fail("include-missing", format!("there is no file {shown}"))
                    .with_help("a relative path starts at the control directory")
                    .into());
            }
            Err(error) => {
                let message = format!("{shown}: {}", error.reason());
                return Err(fail("include-unreadable", message).into());
            }
        };
        if let Some(outer) = self.frames.iter().find(|frame| frame.file == file) {
            let since = outer.include.unwrap_or(Span::new(file, 0, 0));
            return Err(fail("include-loop", format!("{shown} includes itself"))
                .with_related(since, "it is being read since here")
                .into());
        }
        if self.frames.len() > MAX_INCLUDE_DEPTH {
            let message = format!("includes nest more than {MAX_INCLUDE_DEPTH} deep here");
            let mut diagnostic = fail("includes-too-deep", message);
            if let Some(first) = self.frames.get(1).and_then(|frame| frame.include) {
                diagnostic = diagnostic.with_related(first, "the first of them");
            }
            return Err(diagnostic.into());
        }
        Ok(file)
    }
}

/// Collects diagnostics, a bounded number of them.
#[derive(Default)]
struct Report {
    diagnostics: Vec<Diagnostic>,
    errors: usize,
    others: usize,
    given_up: bool,
}

impl Report {
    fn push(&mut self, diagnostic: Diagnostic) {
        let count = match diagnostic.severity {
            Severity::Error => &mut self.errors,
            Severity::Warning | Severity::Note => &mut self.others,
        };
        *count += 1;
        let fits = *count <= MAX_DIAGNOSTICS;
        if fits && !self.given_up {
            self.diagnostics.push(diagnostic);
        } else if self.errors > MAX_DIAGNOSTICS && !self.given_up {
            self.give_up(Diagnostic {
                message: format!("more than {MAX_DIAGNOSTICS} errors; the rest is not read"),
                code: "too-many-errors",
                help: None,
                related: Vec::new(),
                ..diagnostic
            });
        }
    }

    fn give_up(&mut self, diagnostic: Diagnostic) {
        if !self.given_up {
            self.diagnostics.push(diagnostic);
        }
        self.given_up = true;
    }

    fn finish(mut self) -> Vec<Diagnostic> {
        let left_out = self.others.saturating_sub(MAX_DIAGNOSTICS);
        if left_out > 0 {
            let message = format!("{left_out} more warnings are left out");
            self.diagnostics.push(Diagnostic::note("too-many-warnings", message));
        }
        self.diagnostics
    }
}
