//! Diagnostics as a person reads them: the text that each is about, underlined.
//!
//! Does: draw, with colour where a terminal shows it. Does not: decide what is said. Nothing of a file
//! reaches the terminal but by [`excerpt`](super::excerpt).

use std::env;
use std::io::IsTerminal;
use std::ops::Range;
use std::path::{Component, Path};

use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};
use hvmail_control::diagnostic::{Diagnostic, Place, Severity, printable};
use hvmail_control::snapshot::{Snapshot, Span};

use super::excerpt::{Excerpt, visible};

/// How wide it is drawn where the environment does not say how wide the terminal is.
const COLUMNS: usize = 120;
/// No narrower terminal is drawn for.
const LEAST_COLUMNS: usize = 40;

/// How diagnostics are drawn.
#[derive(Clone, Debug)]
pub(super) struct Drawing(Renderer);

impl Drawing {
    /// With colour where `output` is a terminal that has it, and nobody asked for none.
    pub(super) fn on(output: &impl IsTerminal) -> Self {
        let asked_for_none = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let without = env::var_os("TERM").is_some_and(|value| value == "dumb");
        let renderer = match output.is_terminal() && !asked_for_none && !without {
            true => Renderer::styled(),
            false => Renderer::plain(),
        };
        let said = env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
        Self(renderer.term_width(said.unwrap_or(COLUMNS).max(LEAST_COLUMNS)))
    }

    /// A diagnostic of a control directory, without a line end behind it.
    pub(super) fn diagnostic(&self, diagnostic: &Diagnostic, snapshot: &Snapshot) -> String {
        let title = level(diagnostic.severity)
            .primary_title(visible(&diagnostic.message))
            .id(diagnostic.code);
        let mut main = match &diagnostic.place {
            Place::Directory => title.element(Origin::path(visible(&printable(snapshot.root())))),
            Place::File(path) => title.element(Origin::path(visible(&printable(path)))),
            Place::Environment(name) => {
                title.element(Origin::path(format!("environment variable {}", visible(name))))
            }
            Place::Span(span) => at(Group::with_title(title), *span, snapshot),
        };
        let services = diagnostic.services.join(", ");
        main = match diagnostic.services.len() {
            0 => main,
            1 => main.element(Level::NOTE.message(format!("it concerns service {services}"))),
            _ => main.element(Level::NOTE.message(format!("it concerns services {services}"))),
        };
        if diagnostic.vendor_unsupported {
            main = main.element(Level::NOTE.message("the vendor calls this setting unsupported"));
        }
        let mut groups = vec![main];
        for (span, role) in &diagnostic.related {
            let title = Level::NOTE.secondary_title(visible(role));
            groups.push(at(Group::with_title(title), *span, snapshot));
        }
        if let Some(help) = &diagnostic.help {
            groups.push(Group::with_title(Level::HELP.secondary_title(visible(help))));
        }
        self.0.render(&groups)
    }

    /// Something about a part of a text that is in no file.
    pub(super) fn in_text(
        &self,
        severity: Severity,
        (code, message): (&'static str, &str),
        (name, text): (&str, &str),
        span: Range<usize>,
    ) -> String {
        let column = text.get(..span.start).map_or(1, |before| before.chars().count() + 1);
        let title = level(severity).primary_title(visible(message)).id(code);
        let place = Pointed { path: name.to_owned(), line: 1, column };
        let excerpt = Excerpt::new(text.as_bytes(), span);
        self.0.render(&[underlined(Group::with_title(title), place, excerpt)])
    }
}

fn level(severity: Severity) -> Level<'static> {
    match severity {
        Severity::Note => Level::NOTE,
        Severity::Warning => Level::WARNING,
        Severity::Error => Level::ERROR,
    }
}

/// Where the text of an excerpt stands.
struct Pointed {
    path: String,
    line: usize,
    column: usize,
}

/// The group with a part of a file: where it is, and its line.
fn at<'a>(group: Group<'a>, span: Span, snapshot: &Snapshot) -> Group<'a> {
    let location = snapshot.location(span);
    let place = Pointed {
        path: visible(&printable(&location.path)),
        line: usize::try_from(location.line).unwrap_or(usize::MAX),
        column: usize::try_from(location.column).unwrap_or(usize::MAX),
    };
    let own = is_below(&location.path, snapshot.root());
    let text = if own { snapshot.bytes(span.file) } else { &[] };
    underlined(group, place, Excerpt::new(text, span.start..span.end))
}

/// Whether a file is of the control directory. A setting may name any other, whose text is nobody's to read here.
fn is_below(path: &Path, root: &Path) -> bool {
    let below = path.strip_prefix(root);
    below.is_ok_and(|path| path.components().all(|part| matches!(part, Component::Normal(_))))
}

fn underlined<'a>(group: Group<'a>, place: Pointed, excerpt: Excerpt) -> Group<'a> {
    let Pointed { path, line, column } = place;
    let Excerpt { text, span, from_start } = excerpt;
    // Of a file that is no text of the directory's own, as a key, nothing but blanks is kept.
    let blank = text.trim().is_empty();
    if blank {
        return group.element(Origin::path(path).line(line).char_column(column));
    }
    let snippet =
        Snippet::source(text).line_start(line).annotation(AnnotationKind::Primary.span(span));
    // The column of a snippet with a path is counted in its own text.
    if from_start {
        return group.element(snippet.path(path));
    }
    group.element(Origin::path(path).line(line).char_column(column)).element(snippet)
}
