//! The control directory, as it is judged.

use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use hvmail_control::Control;
use hvmail_control::diagnostic::{Diagnostic, Place, Severity};
use hvmail_control::error::ReadError;
use hvmail_control::snapshot::Span;
use hvmail_control::source::{Directory, Source};
use smtp_tls::{Backend, self_signed};

use super::offers;
use crate::acceptors::Acceptors;
use crate::exit::Failure;

/// Loads a directory with the environment of this process, and changes nothing in it. A certificate that who serves it
/// would make first is there as if it had been made.
pub(super) fn load(path: &Path) -> Result<Control, Failure> {
    let directory =
        Directory::open(path).map_err(|error| Failure::bad_configuration(error.to_string()))?;
    let directory = directory.with_process_environment();
    let control = Control::load(&directory);
    Ok(with_certificate(&directory, &control).unwrap_or(control))
}

/// The directory as it will be once the certificate that it asks for is there; `None` where it asks for none.
fn with_certificate(source: &dyn Source, before: &Control) -> Option<Control> {
    let request = before.certificate_request.as_ref()?;
    let made = self_signed(&request.names).ok()?;
    let content = format!("{}{}", made.certificate_pem, made.key_pem).into_bytes();
    let overlaid = Overlaid { source, path: request.path.clone(), content };
    let mut control = Control::load(&overlaid);
    // That it is still to be made is worth a word all the same.
    let said =
        before.diagnostics.iter().filter(|said| said.code == TO_BE_MADE).filter_map(|said| {
            let Place::Span(span) = said.place else { return Some(said.clone()) };
            let file = control.snapshot.find(before.snapshot.path(span.file))?;
            Some(said.clone().at(Span { file, ..span }))
        });
    let said: Vec<_> = said.collect();
    control.diagnostics.extend(said);
    Some(control)
}

/// The code of the note about a certificate that is asked for.
const TO_BE_MADE: &str = "certificate-to-be-made";

/// A source, with one file in the place of its own.
struct Overlaid<'s> {
    source: &'s dyn Source,
    path: PathBuf,
    content: Vec<u8>,
}

impl Source for Overlaid<'_> {
    fn root(&self) -> &Path {
        self.source.root()
    }

    fn read(&self, path: &Path) -> Result<Option<Vec<u8>>, ReadError> {
        if self.resolve(path) == self.path {
            return Ok(Some(self.content.clone()));
        }
        self.source.read(path)
    }

    fn environment(&self, name: &str) -> Option<String> {
        self.source.environment(name)
    }

    fn resolve(&self, path: &Path) -> PathBuf {
        self.source.resolve(path)
    }
}

/// Everything there is to say: of the files, of the certificate today, and what the TLS library says.
pub(super) fn diagnostics(
    control: &Control,
    backend: Backend,
    acceptors: &mut Acceptors,
) -> Vec<Diagnostic> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let mut all = control.diagnostics.clone();
    all.extend(control.certificate_diagnostics(now));
    all.extend(offers::diagnostics(control, backend, acceptors));
    all
}

/// How many of the diagnostics are this severe.
pub(super) fn count(diagnostics: &[Diagnostic], severity: Severity) -> usize {
    diagnostics.iter().filter(|diagnostic| diagnostic.severity == severity).count()
}
