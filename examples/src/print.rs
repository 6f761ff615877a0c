//! Diagnostics of a control directory on stderr.

use hvmail_control::Control;
use smtp_tls::Unhonoured;

/// Prints every diagnostic, one `path:line:column: severity[code]: message` each, with its help line.
pub fn diagnostics(control: &Control) {
    for diagnostic in &control.diagnostics {
        eprintln!("{}", diagnostic.display(&control.snapshot));
    }
}

/// Prints what a TLS library could not honour, each with the place the setting came from.
pub fn unhonoured(control: &Control, whose: &str, settings: &[Unhonoured]) {
    for setting in settings {
        let place = setting.origin.and_then(|origin| control.location(origin));
        match place {
            Some(place) => eprint!("{place}: "),
            None => eprint!("{whose}: "),
        }
        eprintln!("warning[not-honoured]: {whose}: {}: {}", setting.setting, setting.reason);
    }
}
