//! Sends one message under the outgoing rules of a GreenArrow / qmail control directory.

use std::process::ExitCode;

use hvmail_examples::{exit, send};

fn main() -> ExitCode {
    match exit::parse_arguments::<send::Arguments>() {
        Ok(arguments) => exit::finish("hvmail-send", send::run(&arguments)),
        Err(code) => code,
    }
}
