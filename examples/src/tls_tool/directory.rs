//! The control directory, as it is judged.

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use hvmail_control::Control;
use hvmail_control::diagnostic::{Diagnostic, Severity};
use hvmail_control::source::Directory;
use smtp_tls::Backend;

use super::offers;
use crate::exit::Failure;

/// Loads a directory with the environment of this process, and changes nothing in it.
pub(super) fn load(path: &Path) -> Result<Control, Failure> {
    let directory =
        Directory::open(path).map_err(|error| Failure::bad_configuration(error.to_string()))?;
    Ok(Control::load(&directory.with_process_environment()))
}

/// Everything there is to say: of the files, of the certificate today, and what the TLS library says.
pub(super) fn diagnostics(control: &Control, backend: Backend) -> Vec<Diagnostic> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let mut all = control.diagnostics.clone();
    all.extend(control.certificate_diagnostics(now));
    all.extend(offers::diagnostics(control, backend));
    all
}

/// How many of the diagnostics are this severe.
pub(super) fn count(diagnostics: &[Diagnostic], severity: Severity) -> usize {
    diagnostics.iter().filter(|diagnostic| diagnostic.severity == severity).count()
}
