//! The steps that a delivery takes on the disk.
//!
//! Does: give each step that must not fail in silence a name, so that a test can make it fail.
//! Does not: order them. Fails: as the host says.

use std::fmt::Debug;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;
use std::time::SystemTime;

pub(super) trait Disk: Debug + Send + Sync {
    /// Makes a file that did not exist, for its owner alone.
    fn create(&self, path: &Path) -> io::Result<File>;
    fn write(&self, file: &mut File, octets: &[u8]) -> io::Result<()>;
    fn sync_file(&self, file: &File) -> io::Result<()>;
    fn open_directory(&self, path: &Path) -> io::Result<File>;
    fn link(&self, from: &Path, to: &Path) -> io::Result<()>;
    fn sync_directory(&self, directory: &File) -> io::Result<()>;
    fn remove(&self, path: &Path) -> io::Result<()>;
    /// The same disk for another owner.
    fn share(&self) -> Box<dyn Disk>;
}

#[derive(Clone, Copy, Debug)]
pub(super) struct RealDisk;

impl Disk for RealDisk {
    fn create(&self, path: &Path) -> io::Result<File> {
        OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
    }

    fn write(&self, file: &mut File, octets: &[u8]) -> io::Result<()> {
        file.write_all(octets)
    }

    fn sync_file(&self, file: &File) -> io::Result<()> {
        file.sync_all()
    }

    fn open_directory(&self, path: &Path) -> io::Result<File> {
        File::open(path)
    }

    fn link(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::hard_link(from, to)
    }

    fn sync_directory(&self, directory: &File) -> io::Result<()> {
        directory.sync_all()
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn share(&self) -> Box<dyn Disk> {
        Box::new(*self)
    }
}

/// Makes a directory for its owner alone; `false` if it was there.
pub(super) fn make_directory(path: &Path) -> io::Result<bool> {
    match DirBuilder::new().mode(0o700).create(path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => Ok(false),
        Err(error) => Err(error),
    }
}

/// Removes the files of a directory that were last written before `limit`.
pub(super) fn remove_older(directory: &Path, limit: SystemTime) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        // Another process may remove the same file at the same time.
        let Ok(metadata) = entry.metadata() else { continue };
        if metadata.is_file() && metadata.modified()? < limit {
            match fs::remove_file(entry.path()) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
    }
    Ok(())
}
