//! Effective values with their origins, and the pass over a source that gathers them.
//!
//! A [`Setting`] is what is in force: the default, or what a file or a variable says instead, with
//! the id of where it came from and of what it replaced. Nothing here knows what a setting means.

use std::path::Path;

use crate::diagnostic::{Collected, Diagnostic};
use crate::read::flag::Reading;
use crate::snapshot::{FileId, Loader, Origin, OriginId, Origins, Spanned};

/// A value in force, where it came from, and what it replaced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting<T> {
    /// The value.
    pub value: T,
    /// Where it came from: see [`Control::origin`](crate::Control::origin).
    pub origin: OriginId,
    /// Where the values came from that this one replaced, the one written first in front.
    pub replaced: Vec<OriginId>,
}

impl<T> Setting<T> {
    /// The same place with the value that `change` makes of this one.
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Setting<U> {
        Setting { value: change(self.value), origin: self.origin, replaced: self.replaced }
    }
}

/// One pass over a source: what was read, where the values came from, and what there is to say.
pub(crate) struct Gather<'s> {
    pub(crate) loader: Loader<'s>,
    pub(crate) origins: Origins,
    pub(crate) diagnostics: Collected,
}

/// What became of a file that was asked for.
pub(crate) enum Found {
    Absent,
    /// It is there and cannot be read, and that has been said.
    Unreadable,
    File(FileId),
}

impl<'s> Gather<'s> {
    pub(crate) fn new(loader: Loader<'s>) -> Self {
        Self { loader, origins: Origins::default(), diagnostics: Collected::default() }
    }

    pub(crate) fn say(&mut self, diagnostic: Diagnostic) {
        self.diagnostics.push(diagnostic);
    }

    /// Says what a parser said; inside a file of one service, of that service.
    pub(crate) fn say_all(&mut self, diagnostics: Vec<Diagnostic>, service: Option<&str>) {
        for diagnostic in diagnostics {
            self.say(match service {
                Some(name) => diagnostic.for_service(name),
                None => diagnostic,
            });
        }
    }

    /// The file at `path`; one that cannot be read is an error, of `service` if one is named.
    pub(crate) fn find(&mut self, path: impl AsRef<Path>, service: Option<&str>) -> Found {
        match self.loader.read(path) {
            Ok(None) => Found::Absent,
            Ok(Some(file)) => Found::File(file),
            Err(error) => {
                self.say_all(vec![Diagnostic::from(error)], service);
                Found::Unreadable
            }
        }
    }

    /// Parses a file with one of the functions of [`read`](crate::read).
    pub(crate) fn parse<T>(&self, file: FileId, parser: impl FnOnce(&[u8], FileId) -> T) -> T {
        parser(self.loader.snapshot().bytes(file), file)
    }

    pub(crate) fn default<T>(&mut self, value: T, of: &'static str) -> Setting<T> {
        Setting { value, origin: self.origins.id(Origin::Default(of)), replaced: Vec::new() }
    }

    /// The value of a one-value file, or the default: when it is absent in silence, when it cannot
    /// be used with an error that the parser or this function has said.
    pub(crate) fn one_value<T>(
        &mut self,
        name: &'static str,
        service: Option<&str>,
        parser: impl FnOnce(&[u8], FileId) -> Reading<T>,
        default: T,
    ) -> Setting<T> {
        let mut setting = self.default(default, name);
        if let Found::File(file) = self.find(name, service) {
            let Reading { value, diagnostics } = self.parse(file, parser);
            self.say_all(diagnostics, service);
            if let Some(written) = value {
                self.replace(&mut setting, written);
            }
        }
        setting
    }

    /// Puts a value from a file in the place of what was in force.
    pub(crate) fn replace<T>(&mut self, setting: &mut Setting<T>, written: Spanned<T>) {
        let origin = self.origins.id(Origin::File(written.span));
        setting.replaced.push(std::mem::replace(&mut setting.origin, origin));
        setting.value = written.value;
    }
}
