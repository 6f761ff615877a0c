//! Why a file of the control directory could not be read.
//!
//! An absent file is no error: most files of a control directory are optional. Everything else is a
//! [`ReadError`], which says which file, and becomes a [`Diagnostic`](crate::diagnostic::Diagnostic)
//! where it meets a reader.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use crate::diagnostic::printable;

/// A file that is there but cannot be used, or that cannot be looked at.
///
/// It is `Clone` because a file is asked for once and the answer, good or bad, is then frozen: the
/// operating system's error is kept as its kind and its text.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReadError {
    /// The path leads to something other than a regular file.
    NotAFile {
        /// The file as it was asked for, below the control directory.
        path: PathBuf,
        /// What it is instead.
        kind: NotAFile,
    },
    /// The file is larger than the limit of the source.
    TooLarge {
        /// The file as it was asked for, below the control directory.
        path: PathBuf,
        /// Its size in octets; where it grew while it was read, what had been read by then.
        size: u64,
        /// The limit in octets.
        limit: u64,
    },
    /// The process may not read the file, or may not enter a directory on its path.
    PermissionDenied {
        /// The file as it was asked for, below the control directory.
        path: PathBuf,
    },
    /// The operating system reported another error.
    Io {
        /// The file as it was asked for, below the control directory.
        path: PathBuf,
        /// The kind of the error.
        kind: io::ErrorKind,
        /// The operating system's words for it.
        message: String,
    },
}

impl ReadError {
    /// The error that `error` is for `path`.
    #[must_use]
    pub fn from_io(path: &Path, error: &io::Error) -> Self {
        let path = path.to_path_buf();
        match error.kind() {
            io::ErrorKind::PermissionDenied => Self::PermissionDenied { path },
            io::ErrorKind::IsADirectory => Self::NotAFile { path, kind: NotAFile::Directory },
            kind => Self::Io { path, kind, message: error.to_string() },
        }
    }

    /// The file that could not be read.
    #[must_use]
    pub fn path(&self) -> &Path {
        match self {
            Self::NotAFile { path, .. }
            | Self::TooLarge { path, .. }
            | Self::PermissionDenied { path }
            | Self::Io { path, .. } => path,
        }
    }

    /// What is wrong with the file, without its name.
    pub fn reason(&self) -> impl fmt::Display + '_ {
        Reason(self)
    }
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", printable(self.path()), self.reason())
    }
}

impl std::error::Error for ReadError {}

struct Reason<'a>(&'a ReadError);

impl fmt::Display for Reason<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            ReadError::NotAFile { kind, .. } => {
                write!(f, "is {kind}, where a regular file is wanted")
            }
            ReadError::TooLarge { size, limit, .. } => {
                write!(f, "is at least {size} octets long, more than the limit of {limit}")
            }
            ReadError::PermissionDenied { .. } => f.write_str("permission denied"),
            ReadError::Io { message, .. } => f.write_str(message),
        }
    }
}

/// What stands where a regular file is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NotAFile {
    /// A directory.
    Directory,
    /// A named pipe, a socket or a device: reading it could block for ever.
    Special,
}

impl fmt::Display for NotAFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Directory => "a directory",
            Self::Special => "a pipe, a socket or a device",
        })
    }
}
