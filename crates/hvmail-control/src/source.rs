//! Where the files of a control directory and the environment come from.
//!
//! [`Directory`] reads the disk and [`Memory`] holds everything in memory, for tests and for programs
//! that keep their configuration elsewhere. Nothing else in this crate reads a file or the process's
//! environment; nothing here knows what a file means.
//!
//! An absent file is `Ok(None)`. A file that is there and cannot be read as a whole is a [`ReadError`].

use std::collections::HashMap;
use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Component, Path, PathBuf};

use crate::error::{NotAFile, ReadError};
use crate::limits::MAX_FILE_SIZE;

/// Where GreenArrow keeps its control files.
pub const DEFAULT_ROOT: &str = "/var/hvmail/control";

/// The files of one control directory and the variables of one environment.
pub trait Source {
    /// The control directory, for messages and for paths that are not absolute.
    fn root(&self) -> &Path;

    /// The whole content of the file at `path`, which is absolute or relative to [`root`](Self::root);
    /// `None` when there is no such file.
    ///
    /// # Errors
    /// The file is there but is no regular file, is too large, or cannot be read.
    fn read(&self, path: &Path) -> Result<Option<Vec<u8>>, ReadError>;

    /// The permission bits of the file at `path`, as in `0o640`; `None`, as here, where the source knows
    /// nothing of such.
    fn permissions(&self, path: &Path) -> Option<u32> {
        let _ = path;
        None
    }

    /// The value of an environment variable. A value that is not UTF-8 has its bad octets replaced.
    fn environment(&self, name: &str) -> Option<String>;

    /// `path` below the control directory, as messages show it: `.` components are left out, and
    /// `..` is kept because a symbolic link may give it another meaning.
    fn resolve(&self, path: &Path) -> PathBuf {
        below(self.root(), path)
    }
}

/// `path` below `root`, without `.` components.
pub(crate) fn below(root: &Path, path: &Path) -> PathBuf {
    let joined = root.join(path);
    joined.components().filter(|component| *component != Component::CurDir).collect()
}

/// A control directory on disk, with the variables of an environment as they were when it was made.
///
/// ```no_run
/// use std::path::Path;
/// use hvmail_control::source::{Directory, Source};
///
/// let directory = Directory::open("/var/hvmail/control")?.with_process_environment();
/// if let Some(me) = directory.read(Path::new("me"))? {
///     println!("{}", String::from_utf8_lossy(&me));
/// }
/// # Ok::<(), hvmail_control::error::ReadError>(())
/// ```
#[derive(Clone)]
pub struct Directory {
    root: PathBuf,
    environment: HashMap<String, String>,
    limit: u64,
}

impl Directory {
    /// The control directory at `root`, with an empty environment.
    ///
    /// # Errors
    /// `root` is not there, cannot be looked at, or is no directory.
    pub fn open(root: impl Into<PathBuf>) -> Result<Self, ReadError> {
        let root = root.into();
        let metadata = fs::metadata(&root).map_err(|error| ReadError::from_io(&root, &error))?;
        if !metadata.is_dir() {
            let error = io::Error::from(io::ErrorKind::NotADirectory);
            return Err(ReadError::from_io(&root, &error));
        }
        Ok(Self { root, environment: HashMap::new(), limit: MAX_FILE_SIZE })
    }

    /// The same directory with the variables that the process has now.
    #[must_use]
    pub fn with_process_environment(self) -> Self {
        self.with_environment(std::env::vars_os().map(|(name, value)| {
            (name.to_string_lossy().into_owned(), value.to_string_lossy().into_owned())
        }))
    }

    /// The same directory with these variables and no others.
    #[must_use]
    pub fn with_environment(
        mut self,
        variables: impl IntoIterator<Item = (String, String)>,
    ) -> Self {
        self.environment = variables.into_iter().collect();
        self
    }

    /// The same directory with another size limit for one file, in octets, instead of
    /// [`MAX_FILE_SIZE`].
    #[must_use]
    pub fn with_size_limit(mut self, octets: u64) -> Self {
        self.limit = octets;
        self
    }

    /// The same as [`read`](Source::read), with what the file was when it was opened: its path may name
    /// another one before and after.
    ///
    /// # Errors
    /// As of [`read`](Source::read).
    pub fn read_opened(&self, path: &Path) -> Result<Option<(Vec<u8>, fs::Metadata)>, ReadError> {
        let path = self.resolve(path);
        let failed = |error: &io::Error| ReadError::from_io(&path, error);
        // Looked at before it is opened: opening a named pipe would wait for a writer.
        match fs::metadata(&path) {
            Ok(metadata) => check_kind(&path, &metadata)?,
            // A link that leads nowhere is no absent file: a rule was written, and is out of reach.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return match fs::symlink_metadata(&path) {
                    Ok(_) => Err(failed(&io::Error::other("a link that leads nowhere"))),
                    Err(_) => Ok(None),
                };
            }
            Err(error) => return Err(failed(&error)),
        }
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) => return Err(failed(&error)),
        };
        let metadata = file.metadata().map_err(|error| failed(&error))?;
        check_kind(&path, &metadata)?;
        let too_large = |size| ReadError::TooLarge { path: path.clone(), size, limit: self.limit };
        if metadata.len() > self.limit {
            return Err(too_large(metadata.len()));
        }
        let mut bytes = Vec::with_capacity(usize::try_from(metadata.len()).unwrap_or(0));
        let mut bounded = file.take(self.limit.saturating_add(1));
        bounded.read_to_end(&mut bytes).map_err(|error| failed(&error))?;
        let size = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        if size > self.limit { Err(too_large(size)) } else { Ok(Some((bytes, metadata))) }
    }
}

impl Source for Directory {
    fn root(&self) -> &Path {
        &self.root
    }

    fn read(&self, path: &Path) -> Result<Option<Vec<u8>>, ReadError> {
        Ok(self.read_opened(path)?.map(|(bytes, _)| bytes))
    }

    #[cfg(unix)]
    fn permissions(&self, path: &Path) -> Option<u32> {
        use std::os::unix::fs::PermissionsExt as _;

        let metadata = fs::metadata(self.resolve(path)).ok()?;
        Some(metadata.permissions().mode() & 0o7777)
    }

    fn environment(&self, name: &str) -> Option<String> {
        self.environment.get(name).cloned()
    }
}

/// Variables may hold secrets, so only their number is shown.
impl fmt::Debug for Directory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Directory")
            .field("root", &self.root)
            .field("environment", &format_args!("{} variables", self.environment.len()))
            .field("limit", &self.limit)
            .finish()
    }
}

/// A control directory in memory.
///
/// ```
/// use std::path::Path;
/// use hvmail_control::source::{Memory, Source};
///
/// let source = Memory::new().file("me", "mx.example.com\n").variable("TLSCIPHERS", "HIGH");
/// assert_eq!(source.read(Path::new("me"))?.as_deref(), Some(&b"mx.example.com\n"[..]));
/// assert_eq!(source.read(Path::new("rcpthosts"))?, None);
/// # Ok::<(), hvmail_control::error::ReadError>(())
/// ```
#[derive(Clone)]
pub struct Memory {
    root: PathBuf,
    files: HashMap<PathBuf, Result<Vec<u8>, ReadError>>,
    permissions: HashMap<PathBuf, u32>,
    environment: HashMap<String, String>,
}

impl Memory {
    /// An empty directory at [`DEFAULT_ROOT`], with an empty environment.
    #[must_use]
    pub fn new() -> Self {
        Self::at(DEFAULT_ROOT)
    }

    /// An empty directory at `root`, with an empty environment.
    #[must_use]
    pub fn at(root: impl Into<PathBuf>) -> Self {
        Self {
            root: root.into(),
            files: HashMap::new(),
            permissions: HashMap::new(),
            environment: HashMap::new(),
        }
    }

    /// The same directory with a file at `path`, absolute or relative to the root.
    #[must_use]
    pub fn file(mut self, path: impl AsRef<Path>, content: impl Into<Vec<u8>>) -> Self {
        let path = self.resolve(path.as_ref());
        self.files.insert(path, Ok(content.into()));
        self
    }

    /// The same directory with a file that is there and that this process may not read.
    #[must_use]
    pub fn unreadable(mut self, path: impl AsRef<Path>) -> Self {
        let path = self.resolve(path.as_ref());
        self.files.insert(path.clone(), Err(ReadError::PermissionDenied { path }));
        self
    }

    /// The same directory with these permission bits of the file at `path`; others have none to tell.
    #[must_use]
    pub fn with_permissions(mut self, path: impl AsRef<Path>, bits: u32) -> Self {
        let path = self.resolve(path.as_ref());
        self.permissions.insert(path, bits);
        self
    }

    /// The same directory with an environment variable.
    #[must_use]
    pub fn variable(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.environment.insert(name.into(), value.into());
        self
    }
}

impl Default for Memory {
    fn default() -> Self {
        Self::new()
    }
}

impl Source for Memory {
    fn root(&self) -> &Path {
        &self.root
    }

    fn read(&self, path: &Path) -> Result<Option<Vec<u8>>, ReadError> {
        self.files.get(&self.resolve(path)).cloned().transpose()
    }

    fn permissions(&self, path: &Path) -> Option<u32> {
        self.permissions.get(&self.resolve(path)).copied()
    }

    fn environment(&self, name: &str) -> Option<String> {
        self.environment.get(name).cloned()
    }
}

/// Contents may be private keys, so only names are shown.
impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Memory")
            .field("root", &self.root)
            .field("files", &self.files.keys())
            .field("environment", &format_args!("{} variables", self.environment.len()))
            .finish()
    }
}

fn check_kind(path: &Path, metadata: &fs::Metadata) -> Result<(), ReadError> {
    let kind = if metadata.is_file() {
        return Ok(());
    } else if metadata.is_dir() {
        NotAFile::Directory
    } else {
        NotAFile::Special
    };
    Err(ReadError::NotAFile { path: path.to_path_buf(), kind })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn directory() -> (tempfile::TempDir, Directory) {
        let temp = tempfile::tempdir().unwrap();
        let directory = Directory::open(temp.path()).unwrap();
        (temp, directory)
    }

    #[test]
    fn reads_files_below_the_root_and_by_absolute_path() {
        let (temp, directory) = directory();
        fs::write(temp.path().join("me"), b"mx.example.com\n").unwrap();
        let expected = Some(b"mx.example.com\n".to_vec());
        assert_eq!(directory.read(Path::new("me")).unwrap(), expected);
        assert_eq!(directory.read(Path::new("./me")).unwrap(), expected);
        assert_eq!(directory.read(&temp.path().join("me")).unwrap(), expected);
        assert_eq!(directory.read(Path::new("absent")).unwrap(), None);
        assert_eq!(directory.resolve(Path::new("./a/./b")), temp.path().join("a/b"));
    }

    #[test]
    fn a_link_to_nowhere_is_unreadable_and_not_absent() {
        let (temp, directory) = directory();
        std::os::unix::fs::symlink("..data/me", temp.path().join("me")).unwrap();
        let error = directory.read(Path::new("me")).unwrap_err();
        assert!(error.to_string().contains("/me: a link that leads nowhere"), "{error}");
    }

    #[test]
    fn a_file_at_the_limit_is_read_and_one_octet_more_is_not() {
        let (temp, directory) = directory();
        let path = temp.path().join("databytes");
        let directory = directory.with_size_limit(4);
        fs::write(&path, b"1234").unwrap();
        assert_eq!(directory.read(Path::new("databytes")).unwrap(), Some(b"1234".to_vec()));
        fs::write(&path, b"12345").unwrap();
        let error = directory.read(Path::new("databytes")).unwrap_err();
        assert_eq!(error, ReadError::TooLarge { path, size: 5, limit: 4 });
        assert!(error.to_string().contains("5 octets") && error.to_string().contains("limit of 4"));
    }

    #[test]
    fn what_is_no_regular_file_is_an_error_that_names_it() {
        let (temp, directory) = directory();
        fs::create_dir(temp.path().join("smtp2")).unwrap();
        let error = directory.read(Path::new("smtp2")).unwrap_err();
        let path = temp.path().join("smtp2");
        assert_eq!(error, ReadError::NotAFile { path, kind: NotAFile::Directory });
        fs::write(temp.path().join("plain"), b"").unwrap();
        let below = directory.read(Path::new("plain/x")).unwrap_err();
        assert_eq!(below.path(), temp.path().join("plain/x"));
    }

    #[cfg(unix)]
    #[test]
    fn a_named_pipe_and_a_socket_do_not_block() {
        let (temp, directory) = directory();
        let _listener = std::os::unix::net::UnixListener::bind(temp.path().join("me")).unwrap();
        let error = directory.read(Path::new("me")).unwrap_err();
        assert!(matches!(error, ReadError::NotAFile { kind: NotAFile::Special, .. }), "{error}");
    }

    #[cfg(unix)]
    #[test]
    fn permissions_are_those_of_the_file_that_is_read() {
        use std::os::unix::fs::{PermissionsExt as _, symlink};

        let (temp, directory) = directory();
        fs::write(temp.path().join("key"), b"").unwrap();
        symlink("key", temp.path().join("link")).unwrap();
        let changed = fs::Permissions::from_mode(0o640);
        fs::set_permissions(temp.path().join("key"), changed).unwrap();
        assert_eq!(directory.permissions(Path::new("link")), Some(0o640));
        assert_eq!(directory.permissions(Path::new("absent")), None);
        let memory = Memory::new().file("key", "").with_permissions("./key", 0o640);
        assert_eq!(memory.permissions(Path::new("key")), Some(0o640));
        assert_eq!(memory.file("other", "").permissions(Path::new("other")), None);
    }

    #[test]
    fn the_root_must_be_a_directory() {
        let (temp, _) = directory();
        let missing = Directory::open(temp.path().join("absent")).unwrap_err();
        assert!(matches!(missing, ReadError::Io { kind: io::ErrorKind::NotFound, .. }));
        fs::write(temp.path().join("plain"), b"").unwrap();
        assert!(Directory::open(temp.path().join("plain")).is_err());
    }

    #[test]
    fn the_environment_is_what_was_captured_and_is_not_shown() {
        let (_temp, directory) = directory();
        assert_eq!(directory.environment("PATH"), None);
        let directory = directory.with_environment([("TLSCIPHERS".into(), "s3cret".into())]);
        assert_eq!(directory.environment("TLSCIPHERS").as_deref(), Some("s3cret"));
        assert!(!format!("{directory:?}").contains("s3cret"));
        let memory = Memory::new().file("key", "s3cret").variable("A", "s3cret");
        assert!(!format!("{memory:?}").contains("s3cret"));
    }

    #[test]
    fn memory_answers_like_a_directory() {
        let memory = Memory::new().file("me", "mx\n").unreadable("secret");
        assert_eq!(memory.read(Path::new("./me")).unwrap(), Some(b"mx\n".to_vec()));
        let absolute = Path::new("/var/hvmail/control/me");
        assert_eq!(memory.read(absolute).unwrap(), Some(b"mx\n".to_vec()));
        assert!(matches!(
            memory.read(Path::new("secret")),
            Err(ReadError::PermissionDenied { .. })
        ));
    }
}
