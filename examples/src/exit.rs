//! The exit codes that scripts may rely on (sysexits.h numbers).

use std::process::ExitCode;

use crate::print;

/// Why a program ends without success.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// The command line cannot be used (64).
    Usage,
    /// At least one recipient was rejected and none was deferred (69).
    Rejected,
    /// A part of what was asked for cannot be done by this build, now or later (69).
    Unavailable,
    /// Something outside failed; the same call may succeed later (75).
    TryLater,
    /// The control directory cannot be used (78).
    BadConfiguration,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Usage => 64,
            Exit::Rejected | Exit::Unavailable => 69,
            Exit::TryLater => 75,
            Exit::BadConfiguration => 78,
        })
    }
}

/// A failure with the line that explains it.
#[derive(Debug)]
pub struct Failure {
    /// What the program's exit code will be.
    pub exit: Exit,
    /// One line for stderr, without the program's name.
    pub message: String,
}

impl Failure {
    /// A command line that parses but cannot be meant.
    pub fn usage(message: impl Into<String>) -> Self {
        Self { exit: Exit::Usage, message: message.into() }
    }

    /// Something outside failed.
    pub fn try_later(message: impl Into<String>) -> Self {
        Self { exit: Exit::TryLater, message: message.into() }
    }

    /// The control directory cannot be used.
    pub fn bad_configuration(message: impl Into<String>) -> Self {
        Self { exit: Exit::BadConfiguration, message: message.into() }
    }
}

/// Ends a program: prints the failure, if any, as `program: message`.
pub fn finish(program: &str, result: Result<ExitCode, Failure>) -> ExitCode {
    match result {
        Ok(code) => code,
        Err(failure) => {
            print::line(format_args!("{program}: {}", failure.message));
            failure.exit.into()
        }
    }
}

/// Parses the command line; a usage error ends the program with 64, `--help` and `--version` with 0.
pub fn parse_arguments<A: clap::Parser>() -> Result<A, ExitCode> {
    A::try_parse().map_err(|error| {
        // A closed stdout or stderr leaves nothing to say it with.
        let _ = error.print();
        if error.use_stderr() { Exit::Usage.into() } else { ExitCode::SUCCESS }
    })
}
