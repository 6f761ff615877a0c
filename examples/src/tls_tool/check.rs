//! `check`: everything there is to say about a control directory.
//!
//! Does: draw each diagnostic on stdout, and a line that counts them. Does not: change the directory, not
//! even to make the certificate that it asks for. Fails: 78 when anything is an error.

use std::io;
use std::process::ExitCode;

use hvmail_control::diagnostic::{Severity, printable};

use super::arguments::Check;
use super::directory;
use super::draw::Drawing;
use crate::acceptors::Acceptors;
use crate::exit::{Exit, Failure};
use crate::{print, tls};

/// Runs the command.
pub(super) fn run(arguments: &Check) -> Result<ExitCode, Failure> {
    let backend = tls::backend(arguments.tls)?;
    let control = directory::load(&arguments.directory)?;
    let diagnostics = directory::diagnostics(&control, backend, &mut Acceptors::new(backend));
    let drawing = Drawing::on(&io::stdout());
    for diagnostic in &diagnostics {
        print::out(format_args!("{}\n", drawing.diagnostic(diagnostic, &control.snapshot)))?;
    }
    let counted =
        [(Severity::Error, "errors"), (Severity::Warning, "warnings"), (Severity::Note, "notes")];
    let counted = counted.map(|(severity, many)| {
        let number = directory::count(&diagnostics, severity);
        if number == 1 { format!("1 {severity}") } else { format!("{number} {many}") }
    });
    let root = printable(control.snapshot.root());
    print::out(format_args!("{root}, for {backend}: {}", counted.join(", ")))?;
    Ok(match directory::count(&diagnostics, Severity::Error) {
        0 => ExitCode::SUCCESS,
        _ => Exit::BadConfiguration.into(),
    })
}
