//! `hvmail-tls`, command by command.

mod check;
mod ciphers;
mod explain;
mod update_tmprsadh;

use std::ffi::OsStr;
use std::process::Command;

use smtp_testkit::process::{self, Finished};

use crate::support::TLS_TOOL;

/// Runs `hvmail-tls` to its end, without TLSCIPHERS of the environment.
fn run<A: AsRef<OsStr>>(arguments: impl IntoIterator<Item = A>) -> Finished {
    let mut command = Command::new(TLS_TOOL);
    process::run(command.args(arguments).env_remove("TLSCIPHERS"), b"")
}
