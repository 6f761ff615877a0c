//! What is to be said about a control directory, as plain data.
//!
//! A [`Diagnostic`] names its place by [`Place`], so that a program can underline the text; its
//! [`display`](Diagnostic::display) is the one-line form `path:line:column: error[code]: message`,
//! followed by a line for each other place that takes part, and by a line of help.

use std::collections::HashMap;
use std::fmt;
use std::path::{Path, PathBuf};

use crate::error::ReadError;
use crate::limits::{MAX_DIAGNOSTICS_PER_FILE, MAX_QUOTED};
use crate::snapshot::{FileId, Location, Snapshot, Span};

/// How much a [`Diagnostic`] weighs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Worth knowing; nothing is wrong.
    Note,
    /// A setting does not mean what it seems to mean, or has no effect.
    Warning,
    /// A setting cannot be used, and something does not run because of it.
    Error,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Error => "error",
        })
    }
}

/// What a [`Diagnostic`] speaks about.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Place {
    /// The control directory as a whole.
    Directory,
    /// A file as a whole: one that is absent or cannot be read.
    File(PathBuf),
    /// A part of a file.
    Span(Span),
    /// An environment variable.
    Environment(String),
}

/// One thing to be said about a control directory.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Diagnostic {
    /// How much it weighs.
    pub severity: Severity,
    /// What it is, in kebab-case; stable, for programs that look for it.
    pub code: &'static str,
    /// What is wrong, in one line.
    pub message: String,
    /// Where.
    pub place: Place,
    /// Other places that take part, each with its role.
    pub related: Vec<(Span, String)>,
    /// What to do about it.
    pub help: Option<String>,
    /// Whether it is about a setting that the vendor calls unsupported.
    pub vendor_unsupported: bool,
    /// The services that it concerns; none where it is about no service in particular.
    pub services: Vec<String>,
}

impl Diagnostic {
    /// A note about the control directory as a whole.
    pub fn note(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(Severity::Note, code, message)
    }

    /// A warning about the control directory as a whole.
    pub fn warning(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(Severity::Warning, code, message)
    }

    /// An error about the control directory as a whole.
    pub fn error(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(Severity::Error, code, message)
    }

    /// A diagnostic about the control directory as a whole.
    pub fn new(severity: Severity, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            severity,
            code,
            message: message.into(),
            place: Place::Directory,
            related: Vec::new(),
            help: None,
            vendor_unsupported: false,
            services: Vec::new(),
        }
    }

    /// The same about this part of a file.
    #[must_use]
    pub fn at(mut self, span: Span) -> Self {
        self.place = Place::Span(span);
        self
    }

    /// The same about this file as a whole.
    #[must_use]
    pub fn in_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.place = Place::File(path.into());
        self
    }

    /// The same about this environment variable.
    #[must_use]
    pub fn in_environment(mut self, name: impl Into<String>) -> Self {
        self.place = Place::Environment(name.into());
        self
    }

    /// The same with another place that takes part, and its role.
    #[must_use]
    pub fn with_related(mut self, span: Span, role: impl Into<String>) -> Self {
        self.related.push((span, role.into()));
        self
    }

    /// The same with what to do about it.
    #[must_use]
    pub fn with_help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// The same, marked as being about a setting that the vendor calls unsupported.
    #[must_use]
    pub fn vendor_unsupported(mut self) -> Self {
        self.vendor_unsupported = true;
        self
    }

    /// The same about this service, beside those that it is about already.
    #[must_use]
    pub fn for_service(mut self, name: impl Into<String>) -> Self {
        let name = name.into();
        if !self.concerns(&name) {
            self.services.push(name);
        }
        self
    }

    /// Whether it is about this service, and not about the directory as a whole.
    #[must_use]
    pub fn concerns(&self, service: &str) -> bool {
        self.services.iter().any(|name| name == service)
    }

    /// The part of a file that it is about, where it is about one.
    #[must_use]
    pub const fn span(&self) -> Option<Span> {
        match self.place {
            Place::Span(span) => Some(span),
            _ => None,
        }
    }

    /// The line and column that it is about, where it is about a part of a file.
    #[must_use]
    pub fn location(&self, snapshot: &Snapshot) -> Option<Location> {
        self.span().map(|span| snapshot.location(span))
    }

    /// The diagnostic as text, without a line end behind its last line.
    pub fn display<'a>(&'a self, snapshot: &'a Snapshot) -> impl fmt::Display + 'a {
        Shown { diagnostic: self, snapshot }
    }
}

/// A file that cannot be read is an error in the place of its content.
impl From<ReadError> for Diagnostic {
    fn from(error: ReadError) -> Self {
        Self::error("unreadable-file", error.reason().to_string()).in_file(error.path())
    }
}

/// `text` of a file as it stands, for a message: a name that is short and printable; otherwise
/// [`quoted`].
#[must_use]
pub fn shown(text: &str) -> String {
    let printable = !text.is_empty() && !text.contains(|c: char| c.is_control() || c == ' ');
    if printable && text.chars().nth(MAX_QUOTED).is_none() { text.to_owned() } else { quoted(text) }
}

/// A path with its control characters escaped, so that it cannot break a line.
#[must_use]
pub fn printable(path: &Path) -> String {
    let mut shown = String::new();
    for character in path.to_string_lossy().chars() {
        if character.is_control() {
            shown.extend(character.escape_default());
        } else {
            shown.push(character);
        }
    }
    shown
}

/// The code of the diagnostic that stands for those beyond [`MAX_DIAGNOSTICS_PER_FILE`].
const MORE: &str = "more-diagnostics";

/// Diagnostics about one file, and beyond [`MAX_DIAGNOSTICS_PER_FILE`] only their number.
#[derive(Debug, Default)]
pub(crate) struct Bounded {
    kept: Vec<Diagnostic>,
    more: usize,
    worst: Option<Severity>,
}

impl Bounded {
    /// Adds what `make` makes, which is not asked beyond the bound.
    pub(crate) fn push(&mut self, severity: Severity, make: impl FnOnce() -> Diagnostic) {
        if self.kept.len() < MAX_DIAGNOSTICS_PER_FILE {
            self.kept.push(make());
        } else {
            self.more += 1;
            self.worst = self.worst.max(Some(severity));
        }
    }

    /// The diagnostics, and one that says how many more there were, as bad as the worst of those.
    pub(crate) fn finish(self) -> Vec<Diagnostic> {
        let Self { mut kept, more, worst } = self;
        if let (Some(severity), Some(last)) = (worst, kept.last()) {
            let message = format!("{more} more like these are not shown");
            let place = last.place.clone();
            let services = last.services.clone();
            let summary = Diagnostic::new(severity, MORE, message);
            kept.push(Diagnostic { place, services, ..summary });
        }
        kept
    }
}

/// Everything said about a control directory: [`Bounded`] for each file and service.
#[derive(Debug, Default)]
pub(crate) struct Collected {
    kept: Vec<Diagnostic>,
    counted: HashMap<(Option<FileId>, Vec<String>), Counted>,
}

#[derive(Debug, Default)]
struct Counted {
    kept: usize,
    beyond: Option<(usize, Diagnostic)>,
}

impl Collected {
    pub(crate) fn push(&mut self, diagnostic: Diagnostic) {
        let key = (diagnostic.span().map(|span| span.file), diagnostic.services.clone());
        let counted = self.counted.entry(key).or_default();
        // What a parser says of those it left out itself comes through.
        if counted.kept < MAX_DIAGNOSTICS_PER_FILE || diagnostic.code == MORE {
            counted.kept += 1;
            self.kept.push(diagnostic);
            return;
        }
        let (number, worst) = counted.beyond.get_or_insert_with(|| (0, diagnostic.clone()));
        *number += 1;
        worst.severity = worst.severity.max(diagnostic.severity);
    }

    pub(crate) fn so_far(&self) -> &[Diagnostic] {
        &self.kept
    }

    pub(crate) fn so_far_mut(&mut self) -> &mut [Diagnostic] {
        &mut self.kept
    }

    /// Moves what was left out to the end, one diagnostic for each file and service.
    pub(crate) fn close(&mut self) {
        let mut beyond: Vec<_> =
            self.counted.values_mut().filter_map(|counted| counted.beyond.take()).collect();
        beyond.sort_by_key(|(_, first)| first.span());
        self.kept.extend(beyond.into_iter().map(|(number, first)| Diagnostic {
            code: MORE,
            message: format!("{number} more like these are not shown, from here on"),
            related: Vec::new(),
            help: None,
            ..first
        }));
    }

    pub(crate) fn finish(mut self) -> Vec<Diagnostic> {
        self.close();
        self.kept
    }
}

struct Shown<'a> {
    diagnostic: &'a Diagnostic,
    snapshot: &'a Snapshot,
}

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { diagnostic, snapshot } = self;
        match &diagnostic.place {
            Place::Directory => f.write_str(&printable(snapshot.root()))?,
            Place::File(path) => f.write_str(&printable(path))?,
            Place::Span(span) => write!(f, "{}", snapshot.location(*span))?,
            Place::Environment(name) => write!(f, "environment variable {name}")?,
        }
        write!(f, ": {}[{}]: {}", diagnostic.severity, diagnostic.code, diagnostic.message)?;
        for (span, role) in &diagnostic.related {
            write!(f, "\n  {}: {role}", snapshot.location(*span))?;
        }
        match &diagnostic.help {
            Some(help) => write!(f, "\n  help: {help}"),
            None => Ok(()),
        }
    }
}

/// `text` of a file between quotation marks, for a message: control characters are escaped, and what
/// is longer than [`MAX_QUOTED`] characters is cut short.
#[must_use]
pub fn quoted(text: &str) -> String {
    let mut shown = String::from("\"");
    let mut characters = text.chars();
    for character in characters.by_ref().take(MAX_QUOTED) {
        if character.is_control() || matches!(character, '"' | '\\') {
            shown.extend(character.escape_default());
        } else {
            shown.push(character);
        }
    }
    shown.push('"');
    if characters.next().is_some() {
        shown.push_str("...");
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::snapshot::Loader;
    use crate::source::Memory;

    #[test]
    fn displays_the_place_the_code_and_the_help() {
        let source = Memory::new().file("smtp2", "PORT=587\nENABLED=x\n").unreadable("me");
        let mut loader = Loader::new(&source);
        let file = loader.read("smtp2").unwrap().unwrap();
        let unreadable = Diagnostic::from(loader.read("me").unwrap_err());
        let snapshot = loader.finish();
        let diagnostic = Diagnostic::error("not-a-flag", "ENABLED is neither 0 nor 1")
            .at(Span::new(file, 17, 18))
            .with_related(Span::new(file, 0, 4), "the service starts here")
            .with_help("write ENABLED=1")
            .for_service("smtp2");
        assert_eq!(
            diagnostic.display(&snapshot).to_string(),
            "/var/hvmail/control/smtp2:2:9: error[not-a-flag]: ENABLED is neither 0 nor 1\n  \
             /var/hvmail/control/smtp2:1:1: the service starts here\n  \
             help: write ENABLED=1"
        );
        assert_eq!(
            unreadable.display(&snapshot).to_string(),
            "/var/hvmail/control/me: error[unreadable-file]: permission denied"
        );
        let variable = Diagnostic::warning("empty", "is empty").in_environment("TLSCIPHERS");
        assert_eq!(
            variable.display(&snapshot).to_string(),
            "environment variable TLSCIPHERS: warning[empty]: is empty"
        );
        let whole = Diagnostic::note("no-service", "no service is enabled");
        assert_eq!(
            whole.display(&snapshot).to_string(),
            "/var/hvmail/control: note[no-service]: no service is enabled"
        );
    }

    #[test]
    fn what_is_shown_never_breaks_a_line() {
        for (text, expected) in
            [("tls_x", "tls_x"), ("", "\"\""), ("a\nb", "\"a\\nb\""), ("a b", "\"a b\"")]
        {
            assert_eq!(shown(text), expected);
        }
        assert!(shown(&"x".repeat(1000)).len() < 100);
        assert_eq!(printable(Path::new("/a b/\nc")), "/a b/\\nc");
        let snapshot = Loader::new(&Memory::at("/r\n/")).finish();
        let said = Diagnostic::note("n", "m").in_file("/x\ry").display(&snapshot).to_string();
        assert_eq!(said, "/x\\ry: note[n]: m");
    }

    #[test]
    fn quoted_text_is_short_and_printable() {
        assert_eq!(quoted("a b"), "\"a b\"");
        assert_eq!(quoted("a\"\\\n\u{7f}"), "\"a\\\"\\\\\\n\\u{7f}\"");
        let long = quoted(&"\u{e9}".repeat(MAX_QUOTED + 1));
        assert_eq!(long.chars().count(), MAX_QUOTED + 5);
        assert!(quoted(&"x".repeat(MAX_QUOTED)).ends_with("x\""));
    }
}
