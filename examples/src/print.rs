//! What the programs say: on stderr diagnostics of a control directory and lines of their own, on
//! stdout what they were asked for.
//!
//! Does: print each with its place. Does not: end the program when nobody can be told: who serves
//! mail goes on when the reader of its log has gone. Fails: never.

use std::fmt;
use std::io::{self, Write};
use std::time::{SystemTime, UNIX_EPOCH};

use hvmail_control::Control;
use hvmail_control::snapshot::{Origin, OriginId};
use smtp_tls::{Cause, Unhonoured};

use crate::exit::Failure;
use crate::log;

/// Prints one line on stderr.
pub fn line(text: impl fmt::Display) {
    log::write(format!("{text}\n").into_bytes());
}

/// Prints one line on stdout: what the program was asked for.
///
/// # Errors
/// stdout is gone or full. Who reads no further, as `head` does, is no such error: the text goes nowhere.
pub fn out(text: impl fmt::Display) -> Result<(), Failure> {
    match writeln!(io::stdout().lock(), "{text}") {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        Err(error) => Err(Failure::try_later(format!("cannot write to stdout: {error}"))),
        Ok(()) => Ok(()),
    }
}

/// Prints every diagnostic, one `path:line:column: severity[code]: message` each, with its help line.
pub fn diagnostics(control: &Control) {
    for diagnostic in &control.diagnostics {
        line(diagnostic.display(&control.snapshot));
    }
}

/// What the clock says, in seconds since 1970.
pub fn unix_seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// Prints what there is to say about the certificates today.
pub fn certificate(control: &Control) {
    for diagnostic in control.certificate_diagnostics(unix_seconds()) {
        line(diagnostic.display(&control.snapshot));
    }
}

/// Prints what a TLS library could not honour, each with the place the setting came from. What is the
/// setting's own doing is among the diagnostics.
pub fn unhonoured(control: &Control, whose: &str, settings: &[Unhonoured]) {
    let of_library = settings.iter().filter(|unhonoured| unhonoured.cause != Cause::Setting);
    for Unhonoured { origin, setting, reason, .. } in of_library {
        let place = origin.and_then(|origin| place(control, origin));
        let place = place.unwrap_or_else(|| whose.to_owned());
        line(format_args!("{place}: warning[not-honoured]: {whose}: {setting}: {reason}"));
    }
}

/// Where a value was written: `path:line:column`, or the environment variable; `None` for a default.
pub fn place(control: &Control, origin: OriginId) -> Option<String> {
    match control.origin(origin)? {
        Origin::Environment(name) => Some(format!("environment variable {name}")),
        Origin::File(_) | Origin::Default(_) => {
            control.location(origin).map(|location| location.to_string())
        }
    }
}
