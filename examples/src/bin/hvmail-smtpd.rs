//! Serves the SMTP services of a GreenArrow / qmail control directory.

use std::process::ExitCode;

use hvmail_examples::{exit, smtpd};

fn main() -> ExitCode {
    match exit::parse_arguments::<smtpd::Arguments>() {
        Ok(arguments) => exit::finish("hvmail-smtpd", smtpd::run(&arguments)),
        Err(code) => code,
    }
}
