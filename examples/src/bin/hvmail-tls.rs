//! Checks and explains the TLS settings of a GreenArrow / qmail control directory.

use std::process::ExitCode;

use hvmail_examples::{exit, tls_tool};

fn main() -> ExitCode {
    match exit::parse_arguments::<tls_tool::Arguments>() {
        Ok(arguments) => exit::finish("hvmail-tls", tls_tool::run(&arguments)),
        Err(code) => code,
    }
}
