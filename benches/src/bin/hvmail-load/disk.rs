//! The bare steps of a durable delivery, with no server around them.
//!
//! They are those of a Maildir: make a file in `tmp`, write, fsync, link it into `new`, fsync `new`,
//! unlink it from `tmp`. No server that says 250 behind them can be faster on the same disk with as
//! many deliveries at a time.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Instant;

use clap::Args;

use crate::{Outcome, rate};

/// Write, fsync, link and fsync files in a directory, and print how many a second that were
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Where; a directory `hvmail-load.PID` is made in it and removed again
    #[arg(value_name = "DIR")]
    directory: PathBuf,
    /// Files in all
    #[arg(short, long, value_name = "N", default_value_t = 20_000)]
    messages: u64,
    /// Threads, each with one file at a time
    #[arg(short, long, value_name = "K", default_value_t = 1)]
    threads: usize,
    /// Octets of a file
    #[arg(short, long, value_name = "OCTETS", default_value_t = 1400)]
    length: usize,
}

pub(crate) fn run(arguments: &Arguments) -> Outcome {
    let directory = Scratch::make(&arguments.directory)?;
    let (tmp, new) = (directory.0.join("tmp"), directory.0.join("new"));
    fs::create_dir(&tmp)?;
    fs::create_dir(&new)?;
    let new_directory = File::open(&new)?;
    let content = vec![b'X'; arguments.length];
    let next = AtomicU64::new(0);
    let work = || {
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= arguments.messages {
                return Ok(());
            }
            let name = number.to_string();
            keep(&tmp.join(&name), &new.join(&name), &new_directory, &content)?;
        }
    };
    let begun = Instant::now();
    thread::scope(|scope| {
        let threads: Vec<_> = (0..arguments.threads).map(|_| scope.spawn(work)).collect();
        threads
            .into_iter()
            .try_for_each(|thread| thread.join().unwrap_or_else(|_| Err(io::Error::other("panic"))))
    })?;
    println!("{}", rate(arguments.messages, begun.elapsed()));
    Ok(())
}

fn keep(tmp: &Path, new: &Path, new_directory: &File, content: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).open(tmp)?;
    file.write_all(content)?;
    file.sync_all()?;
    fs::hard_link(tmp, new)?;
    new_directory.sync_all()?;
    fs::remove_file(tmp)
}

/// A directory of this process, removed with all that is in it.
struct Scratch(PathBuf);

impl Scratch {
    fn make(parent: &Path) -> io::Result<Self> {
        let path = parent.join(format!("hvmail-load.{}", std::process::id()));
        fs::create_dir(&path)?;
        Ok(Self(path))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.0) {
            eprintln!("hvmail-load: {} stays: {error}", self.0.display());
        }
    }
}
