//! `update-tmprsadh`: makes or renews the five temporary key files.
//!
//! Does: try the directory before the long work, make each key, put it in its place, say each that is
//! done. Does not: let one file's failure keep it from the others. Fails: 75 when a file could not be
//! written, else 69 when this build cannot make one.

use std::io::{self, IsTerminal, Write};
use std::path::Path;
use std::process::ExitCode;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use hvmail_control::diagnostic::printable;
use hvmail_control::write::{self, Owner};
use smtp_tls::{TemporaryKey, TemporaryKeyError, TemporaryKind};

use super::arguments::UpdateTmprsadh;
use crate::exit::{Exit, Failure};
use crate::print;

/// How often a log is told that a key is still being made.
const SAID_EVERY: Duration = Duration::from_secs(10);
/// How often a terminal is.
const DRAWN_EVERY: Duration = Duration::from_secs(1);

/// Runs the command.
pub(super) fn run(arguments: &UpdateTmprsadh) -> Result<ExitCode, Failure> {
    let directory = &arguments.directory;
    let there = directory.metadata().map_err(|error| {
        Failure::bad_configuration(format!("{}: {error}", printable(directory)))
    })?;
    if !there.is_dir() {
        let shown = printable(directory);
        return Err(Failure::bad_configuration(format!("{shown}: not a directory")));
    }
    let owner = arguments.owner.map(|owner| owner.0);
    let results = TemporaryKind::ALL.map(|kind| {
        let renewed = renew(kind, directory, owner, arguments.standard_group);
        if let Err(failure) = &renewed {
            print::line(format_args!("hvmail-tls: {}", failure.message));
        }
        renewed.map_err(|failure| failure.exit)
    });
    let failed = |exit| results.contains(&Err(exit));
    Ok(match () {
        () if failed(Exit::TryLater) => Exit::TryLater.into(),
        () if failed(Exit::Unavailable) => Exit::Unavailable.into(),
        () => ExitCode::SUCCESS,
    })
}

const fn file_name(kind: TemporaryKind) -> &'static str {
    match kind {
        TemporaryKind::Rsa512 => "tls.rsa512.pem",
        TemporaryKind::Rsa1024 => "tls.rsa1024.pem",
        TemporaryKind::Dh512 => "tls.dh512.pem",
        TemporaryKind::Dh1024 => "tls.dh1024.pem",
        TemporaryKind::Dh2048 => "tls.dh2048.pem",
    }
}

/// Makes one file new. Whatever fails, the file is as it was.
fn renew(
    kind: TemporaryKind,
    directory: &Path,
    owner: Option<Owner>,
    standard_group: bool,
) -> Result<(), Failure> {
    let path = directory.join(file_name(kind));
    for removed in write::remove_leftovers(&path) {
        print::line(format_args!("removed {}, left by a killed run", printable(&removed)));
    }
    write::try_private(&path, owner).map_err(|error| Failure::try_later(error.to_string()))?;
    let (key, how) = match kind.standard().filter(|_| standard_group) {
        Some(group) => (group, STANDARD),
        None => make(kind, &path)?,
    };
    let link = std::fs::read_link(&path).ok();
    write::replace_private(&path, key.secret_pem().as_bytes(), owner)
        .map_err(|error| Failure::try_later(error.to_string()))?;
    let shown = printable(&path);
    print::line(format_args!("made {shown}: {kind}{how}"));
    if let Some(target) = link {
        let target = printable(&target);
        print::line(format_args!("{shown} was a link to {target}, which is as it was"));
    }
    Ok(())
}

const STANDARD: &str = ", the one of RFC 7919";

/// A new key; where this build makes none, the standard one, if there is one.
fn make(kind: TemporaryKind, path: &Path) -> Result<(TemporaryKey, &'static str), Failure> {
    let shown = printable(path);
    match make_in_sight(kind) {
        Ok(key) => Ok((key, "")),
        Err(error @ TemporaryKeyError::NeedsOpenSsl) => match kind.standard() {
            Some(group) => Ok((group, STANDARD)),
            None => {
                let message = format!("{shown}: not made: {kind}: {error}");
                Err(Failure { exit: Exit::Unavailable, message })
            }
        },
        Err(error) => Err(Failure::try_later(format!("{shown}: not made: {kind}: {error}"))),
    }
}

/// Makes a key, and says now and then that it is still being made.
fn make_in_sight(kind: TemporaryKind) -> Result<TemporaryKey, TemporaryKeyError> {
    let (finished, result) = mpsc::channel();
    let began = Instant::now();
    // The library tells of no progress; all there is to say is how long it has been.
    let work = move || finished.send(kind.make());
    if thread::Builder::new().spawn(work).is_err() {
        return kind.make();
    }
    let terminal = io::stderr().is_terminal();
    let every = if terminal { DRAWN_EVERY } else { SAID_EVERY };
    let mut drawn = false;
    let made = loop {
        match result.recv_timeout(every) {
            Ok(made) => break made,
            Err(RecvTimeoutError::Timeout) => {
                let text = format!("making a {kind}: {} s", began.elapsed().as_secs());
                if terminal {
                    drawn = true;
                    let _ = write!(io::stderr().lock(), "\r{text}");
                } else {
                    print::line(text);
                }
            }
            Err(RecvTimeoutError::Disconnected) => {
                break Err(TemporaryKeyError::Library("it ended without a key".to_owned()));
            }
        }
    };
    if drawn {
        print::line("");
    }
    made
}
