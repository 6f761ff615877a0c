//! `hvmail-tls`: what is in a control directory, as a person wants to know it.
//!
//! Does: say everything about a control directory; explain what is in force; say what a cipher string
//! means; make the temporary key files. Does not: serve or send; change any other file. Fails: with the
//! exit code that each command's help tells.

mod arguments;
mod check;
mod ciphers;
mod directory;
mod draw;
mod excerpt;
mod explain;
mod offers;
mod owner;
mod update_tmprsadh;

use std::process::ExitCode;

pub use self::arguments::Arguments;
use self::arguments::Command;
use crate::exit::Failure;

/// Runs the program.
///
/// # Errors
/// What keeps the command from being carried out.
pub fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    match &arguments.command {
        Command::Check(arguments) => check::run(arguments),
        Command::Ciphers(arguments) => ciphers::run(arguments),
        Command::Explain(arguments) => explain::run(arguments),
        Command::UpdateTmprsadh(arguments) => update_tmprsadh::run(arguments),
    }
}
