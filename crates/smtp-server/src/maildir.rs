//! A Maildir that answers for what it took.
//!
//! Does: write a message to `tmp`, make it durable, and only then show it in `new`: write, fsync
//! the file, link it into `new`, fsync `new`, unlink it from `tmp`; after that the commit says
//! yes. Does not: read, sort or deliver onward. Fails: whatever goes wrong removes the file, and
//! the commit says 452 (no space) or 451 (anything else); a crash at any moment leaves at most a
//! file in `tmp`, which is removed once it is older than 36 hours.
//!
//! A message can come twice, never torn: where syncing `new` fails, it is taken out of `new` again
//! and refused, but a reader may have seen it, or a disk that fails may bring it back. That is the
//! lesser harm; the other would be a message that nobody has.
//!
//! A message file begins with `Return-Path`, a `Delivered-To` for each recipient and qmail's
//! `Received` line; then come the message's own lines, ended with LF as Maildir readers expect
//! and otherwise unchanged: a CR that stands alone stays, and a last line that came without an end
//! has none. A message that says BINARYMIME is refused: its LF and CRLF could not be told apart.

mod disk;
mod header;
#[cfg(test)]
mod tests;

use std::fs::File;
use std::io;
use std::mem;
use std::path::{Path, PathBuf};
use std::process;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use smtp_proto::server::Commit;
use smtp_proto::wire::BodyType;
use smtp_tls::ClientAddress;
use tokio::runtime::Handle;
use tokio::task::{JoinError, spawn_blocking};

use self::disk::{Disk, RealDisk};
use crate::context::Context;
use crate::error::{binary_message, storage_refusal};
use crate::handler::Sink;

/// Octets of a message that are gathered before they are handed to the disk.
const HAND_OVER: usize = 64 * 1024;

/// How old a file in `tmp` must be to be nobody's any more (the rule of the Maildir format).
const STALE: Duration = Duration::from_secs(36 * 60 * 60);

/// How often another name is tried when the one that was made exists.
const NAME_TRIES: u32 = 10;

/// A Maildir, open for deliveries. Clones share it.
#[derive(Clone, Debug)]
pub struct Maildir(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    tmp: PathBuf,
    new: PathBuf,
    host_name: String,
    disk: Box<dyn Disk>,
}

/// Whom a message comes from and goes to, and whose certificate let it in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Envelope {
    reverse_path: String,
    recipients: Vec<String>,
    certified: Option<ClientAddress>,
}

impl Envelope {
    /// An envelope without recipients. An empty reverse-path is the null one.
    pub fn new(reverse_path: impl Into<String>) -> Self {
        Self { reverse_path: reverse_path.into(), ..Self::default() }
    }

    /// Adds a recipient.
    pub fn add_recipient(&mut self, recipient: impl Into<String>) {
        self.recipients.push(recipient.into());
    }

    /// Says that a client certificate with this address opened the relay; `None`: that none did. It
    /// stands in `Received`.
    pub fn set_certified(&mut self, address: Option<ClientAddress>) {
        self.certified = address;
    }

    /// The address in the client certificate that opened the relay.
    #[must_use]
    pub const fn certified(&self) -> Option<&ClientAddress> {
        self.certified.as_ref()
    }

    /// The reverse-path without its brackets.
    #[must_use]
    pub fn reverse_path(&self) -> &str {
        &self.reverse_path
    }

    /// The recipients, in order.
    #[must_use]
    pub fn recipients(&self) -> &[String] {
        &self.recipients
    }
}

impl Maildir {
    /// Opens a Maildir, makes what is missing of it, and removes from `tmp` what is stale.
    /// `host_name` stands in the `Received` lines and in the file names.
    ///
    /// # Errors
    /// What the host says when the directories cannot be made, read or synced.
    pub fn open(path: impl AsRef<Path>, host_name: impl Into<String>) -> io::Result<Self> {
        Self::open_on(Box::new(RealDisk), path.as_ref(), host_name.into())
    }

    fn open_on(disk: Box<dyn Disk>, path: &Path, host_name: String) -> io::Result<Self> {
        let [tmp, new, cur] = ["tmp", "new", "cur"].map(|name| path.join(name));
        let mut made = disk::make_directory(path)?;
        for directory in [&tmp, &new, &cur] {
            made |= disk::make_directory(directory)?;
        }
        if made {
            File::open(path)?.sync_all()?;
            if let Some(parent) = path.canonicalize()?.parent() {
                File::open(parent)?.sync_all()?;
            }
        }
        disk::remove_older(&tmp, SystemTime::now() - STALE)?;
        Ok(Self(Arc::new(Inner { tmp, new, host_name, disk })))
    }

    /// A sink for one message.
    #[must_use]
    pub fn deliver(&self, context: &Context<'_>, envelope: &Envelope) -> Delivery {
        let mut buffer = Vec::new();
        header::write(&mut buffer, context, envelope, &self.0.host_name, SystemTime::now());
        Delivery {
            maildir: Arc::clone(&self.0),
            file: Some(MaybeFile::NotYet),
            buffer,
            cr: false,
            binary: context.body == Some(BodyType::BinaryMime),
        }
    }
}

/// One message on its way into a [`Maildir`]. Dropped before its commit is done, it leaves
/// nothing behind.
#[derive(Debug)]
pub struct Delivery {
    maildir: Arc<Inner>,
    /// `None` while the disk works on it, and after an error.
    file: Option<MaybeFile>,
    buffer: Vec<u8>,
    /// A CR came last; whether it is data depends on what comes next.
    cr: bool,
    /// It is thrown away and refused.
    binary: bool,
}

/// A message that fits the buffer gets its file only at its commit: one visit to the disk in all.
#[derive(Debug)]
enum MaybeFile {
    NotYet,
    Temporary(Temporary),
}

impl Sink for Delivery {
    async fn write(&mut self, octets: &[u8]) -> io::Result<()> {
        if self.binary {
            return Ok(());
        }
        append_with_lf(&mut self.buffer, &mut self.cr, octets);
        if self.buffer.len() < HAND_OVER {
            return Ok(());
        }
        let file = self.file.take().ok_or(io::ErrorKind::BrokenPipe)?;
        let maildir = Arc::clone(&self.maildir);
        let mut buffer = mem::take(&mut self.buffer);
        let written = spawn_blocking(move || {
            let mut temporary = file.open(&maildir)?;
            temporary.write(&buffer)?;
            buffer.clear();
            Ok::<_, io::Error>((temporary, buffer))
        });
        let (temporary, buffer) = written.await.map_err(gone)??;
        self.file = Some(MaybeFile::Temporary(temporary));
        self.buffer = buffer;
        Ok(())
    }

    async fn commit(mut self) -> Commit {
        if self.binary {
            return Commit::Refused(binary_message());
        }
        if mem::take(&mut self.cr) {
            self.buffer.push(b'\r');
        }
        let Some(file) = self.file.take() else {
            return Commit::Refused(storage_refusal(&io::ErrorKind::BrokenPipe.into()));
        };
        let maildir = Arc::clone(&self.maildir);
        let buffer = mem::take(&mut self.buffer);
        let kept = spawn_blocking(move || keep(&maildir, file, &buffer));
        match kept.await.map_err(gone).and_then(|kept| kept) {
            Ok(()) => Commit::Accepted(None),
            Err(error) => {
                tracing::error!("a message could not be kept: {error}");
                Commit::Refused(storage_refusal(&error))
            }
        }
    }
}

impl Drop for Delivery {
    fn drop(&mut self) {
        let Some(MaybeFile::Temporary(temporary)) = self.file.take() else { return };
        // Unlinking a large file takes its time, and nobody waits for it here. A runtime that
        // ends drops the closure unrun, and that unlinks the file too.
        match Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn_blocking(move || drop(temporary))),
            Err(_) => drop(temporary),
        }
    }
}

/// Everything between the last octet and the promise. It is one visit to the disk, and when it
/// fails nothing stays.
fn keep(maildir: &Inner, file: MaybeFile, rest: &[u8]) -> io::Result<()> {
    let mut temporary = file.open(maildir)?;
    temporary.write(rest)?;
    maildir.disk.sync_file(&temporary.file)?;
    // Opened each time: one that was moved away and made again is not the one that was open.
    let directory = maildir.disk.open_directory(&maildir.new)?;
    let new = maildir.new.join(&temporary.name);
    maildir.disk.link(&temporary.path, &new)?;
    if let Err(error) = maildir.disk.sync_directory(&directory) {
        if let Err(error) = maildir.disk.remove(&new) {
            tracing::warn!("{} was refused and could not be removed: {error}", new.display());
        }
        return Err(error);
    }
    // It is safe now. A name that stays in `tmp` is the same file, and goes when it is stale.
    drop(temporary);
    Ok(())
}

fn gone(error: JoinError) -> io::Error {
    io::Error::other(error)
}

impl MaybeFile {
    fn open(self, maildir: &Inner) -> io::Result<Temporary> {
        match self {
            Self::Temporary(temporary) => Ok(temporary),
            Self::NotYet => Temporary::create(maildir),
        }
    }
}

/// A file in `tmp`, removed when this is dropped.
#[derive(Debug)]
struct Temporary {
    name: String,
    path: PathBuf,
    file: File,
    disk: Box<dyn Disk>,
}

impl Temporary {
    fn create(maildir: &Inner) -> io::Result<Self> {
        let mut tries = 0;
        loop {
            let name = unique_name(&maildir.host_name);
            let path = maildir.tmp.join(&name);
            match maildir.disk.create(&path) {
                Ok(file) => return Ok(Self { name, path, file, disk: maildir.disk.share() }),
                Err(error)
                    if error.kind() == io::ErrorKind::AlreadyExists && tries < NAME_TRIES =>
                {
                    tries += 1;
                }
                Err(error) => return Err(error),
            }
        }
    }

    fn write(&mut self, octets: &[u8]) -> io::Result<()> {
        self.disk.write(&mut self.file, octets)
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if let Err(error) = self.disk.remove(&self.path) {
            tracing::warn!("{} could not be removed: {error}", self.path.display());
        }
    }
}

/// `SECONDS.MmicrosPpid_Qsequence.HOST`: no two deliveries of a host have the same.
fn unique_name(host_name: &str) -> String {
    static SEQUENCE: AtomicU64 = AtomicU64::new(0);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let mut name = format!(
        "{}.M{}P{}_Q{}.",
        now.as_secs(),
        now.subsec_micros(),
        process::id(),
        SEQUENCE.fetch_add(1, Ordering::Relaxed)
    );
    for character in host_name.chars() {
        match character {
            // As the Maildir format says: neither may stand in a file name.
            '/' => name.push_str("\\057"),
            ':' => name.push_str("\\072"),
            _ if character.is_ascii_graphic() => name.push(character),
            _ => name.push('_'),
        }
    }
    name
}

/// Appends a piece of a message with its CRLFs turned to LF, wherever the pieces are cut.
fn append_with_lf(out: &mut Vec<u8>, cr: &mut bool, mut octets: &[u8]) {
    while !octets.is_empty() {
        if mem::take(cr) && octets[0] != b'\n' {
            out.push(b'\r');
        }
        let Some(at) = octets.iter().position(|octet| *octet == b'\r') else {
            out.extend_from_slice(octets);
            return;
        };
        out.extend_from_slice(&octets[..at]);
        *cr = true;
        octets = &octets[at + 1..];
    }
}
