//! The only place that writes: whole files, atomically, private keys among them, and the demo directory.
//!
//! A file is written under another name in the same directory, flushed to disk, and only then given
//! its name; the directory is flushed last. Whoever reads meanwhile sees the old file or the new one,
//! and after a crash one of the two is there. When a step fails the other name is removed again and
//! the error says which file and which step; what was there before is untouched, unless the step was
//! the last: then the new file is there, and may not outlive a crash.

mod demo;
mod rights;

use std::ffi::{OsStr, OsString};
use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use thiserror::Error;

pub use demo::{DEMO_CERTIFICATE, DEMO_DOMAIN, DEMO_HOST, DEMO_KEY, Demo, write_demo};
use rights::Rights;
pub use rights::{Access, Owner};

/// A file could not be written.
#[derive(Debug, Error)]
#[error("{}: cannot {step}: {source}", path.display())]
pub struct WriteError {
    /// The file that was to be written.
    pub path: PathBuf,
    /// What failed, as in "cannot …".
    pub step: &'static str,
    /// Why.
    pub source: io::Error,
}

/// Puts `content` in the place of the file at `path`, or makes it.
///
/// The new file has the mode of the one that it replaces and, where the process may give files
/// away, its owner and group; where the group cannot be kept, the group gets no access. Where there was
/// no file, `access` decides. A symbolic link stays, and the file that it names is replaced; a link that
/// names no file is itself replaced.
///
/// # Errors
/// [`WriteError`] with the step that failed. The file at `path` is then as it was, unless the step is
/// "flush the directory": then it is the new one, and may be the old one again after a crash.
///
/// ```
/// use hvmail_control::write::{Access, replace};
///
/// let directory = tempfile::tempdir()?;
/// let path = directory.path().join("databytes");
/// replace(&path, b"1024000\n", Access::Public)?;
/// replace(&path, b"2048000\n", Access::Public)?;
/// assert_eq!(std::fs::read(&path)?, b"2048000\n");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn replace(path: &Path, content: &[u8], access: Access) -> Result<(), WriteError> {
    let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf());
    let before = match fs::metadata(&path) {
        Ok(metadata) => Some(metadata),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(failed(&path, "look at the file")(error)),
    };
    put(&path, content, before.as_ref(), access)
}

/// Does what [`replace`] does, but that a symbolic link is itself replaced, by a file of which `access`
/// decides: who may write in the directory must not choose which file elsewhere is overwritten.
///
/// # Errors
/// As for [`replace`].
pub fn replace_also_a_link(path: &Path, content: &[u8], access: Access) -> Result<(), WriteError> {
    let before = match fs::symlink_metadata(path) {
        Ok(metadata) => Some(metadata).filter(Metadata::is_file),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(failed(path, "look at the file")(error)),
    };
    put(path, content, before.as_ref(), access)
}

/// With the rights of the file that was there, as far as the process can have them so.
fn put(
    path: &Path,
    content: &[u8],
    before: Option<&Metadata>,
    access: Access,
) -> Result<(), WriteError> {
    let rights = before.map_or(Rights::New(access), Rights::Kept);
    let pending = Pending::write(path, content, rights)?;
    pending.step("rename the new file", |temporary| fs::rename(temporary, path))?;
    pending.step("flush the directory", |_| flush_directory(path))
}

/// Makes the file at `path`; one that is there already stays as it is. Says whether it was made.
///
/// # Errors
/// [`WriteError`] with the step that failed. The file is then not there, or whole.
pub fn create(path: &Path, content: &[u8], access: Access) -> Result<bool, WriteError> {
    if path.symlink_metadata().is_ok() {
        return Ok(false);
    }
    let pending = Pending::write(path, content, Rights::New(access))?;
    // A link fails where the name is taken, so a file that appeared meanwhile is not overwritten.
    match fs::hard_link(&pending.temporary, path) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(false),
        Err(error) => return Err(failed(path, "link the new file")(error)),
    }
    drop(pending);
    flush_directory(path).map_err(failed(path, "flush the directory"))?;
    Ok(true)
}

/// Puts a private key in the place of the file at `path`, or makes it: for its owner alone (0600).
///
/// The owner is the one given, else that of the file it replaces, else the process. Unlike with
/// [`replace`], a symbolic link is itself replaced: who may write in the directory must not choose
/// which file elsewhere is overwritten. Its owner is then that of the file it named, where there is
/// one: who reads the key goes on reading it.
///
/// # Errors
/// [`WriteError`] with the step that failed, among them that the file cannot be given to that owner:
/// a key that nobody can read who should is no key. The file at `path` is then as it was, unless the
/// step is "flush the directory": then it is the new one, and may be the old one again after a crash.
pub fn replace_private(
    path: &Path,
    content: &[u8],
    owner: Option<Owner>,
) -> Result<(), WriteError> {
    let pending = Pending::private(path, content, owner)?;
    pending.step("rename the new file", |temporary| fs::rename(temporary, path))?;
    pending.step("flush the directory", |_| flush_directory(path))
}

/// Does everything that [`replace_private`] does, but for the last step, with a file of
/// [`MAX_PRIVATE`] octets that is then removed: for those who would rather know before they make a
/// key that takes minutes.
///
/// # Errors
/// As for [`replace_private`]. The file at `path` is as it was.
pub fn try_private(path: &Path, owner: Option<Owner>) -> Result<(), WriteError> {
    Pending::private(path, &[0; MAX_PRIVATE], owner).map(drop)
}

/// The size of a private file that [`try_private`] finds room for, in octets: an RSA key of 4096 bits
/// as PEM is shorter.
pub const MAX_PRIVATE: usize = 4096;

/// Removes the temporary files that were to become the file at `path`, and that are older than
/// an hour: writing takes no such time, so the program that made them was killed. Gives those removed; what
/// cannot be removed stays, and harms nobody.
#[must_use]
pub fn remove_leftovers(path: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(parent(path)) else { return Vec::new() };
    let abandoned = |temporary: &Path| -> io::Result<bool> {
        let metadata = temporary.symlink_metadata()?;
        Ok(metadata.is_file() && metadata.modified()?.elapsed().is_ok_and(|age| age > ABANDONED))
    };
    entries
        .filter_map(|entry| Some(entry.ok()?.file_name()))
        .filter(|name| is_temporary(name, path))
        .map(|name| path.with_file_name(name))
        .filter(|temporary| abandoned(temporary).unwrap_or(false))
        .filter(|temporary| fs::remove_file(temporary).is_ok())
        .collect()
}

/// How old a temporary file is whose program can write it no more.
const ABANDONED: Duration = Duration::from_secs(3600);

/// Makes a directory, and those above it, where they are missing.
fn make_directory(path: &Path) -> Result<(), WriteError> {
    fs::create_dir_all(path).map_err(failed(path, "make the directory"))
}

/// A complete, flushed file under a temporary name, which is removed unless it was given its name.
struct Pending {
    temporary: PathBuf,
    path: PathBuf,
}

impl Pending {
    fn write(path: &Path, content: &[u8], rights: Rights<'_>) -> Result<Self, WriteError> {
        let (temporary, mut file) = loop {
            let temporary = path.with_file_name(temporary_name(path));
            match open_new(&temporary) {
                Ok(file) => break (temporary, file),
                // Left by a process that had this number before, and was killed.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(failed(path, "make a temporary file")(error)),
            }
        };
        let pending = Self { temporary, path: path.to_path_buf() };
        pending.step("write", |_| file.write_all(content))?;
        if let Rights::Private(Some(owner)) = rights {
            pending.step("give the file to its owner", |_| rights::give(&file, owner))?;
        }
        pending.step("set the mode", |_| rights.set_mode(&file))?;
        pending.step("flush", |_| file.sync_all())?;
        Ok(pending)
    }

    fn private(path: &Path, content: &[u8], owner: Option<Owner>) -> Result<Self, WriteError> {
        let look = failed(path, "look at the file");
        let before = match fs::symlink_metadata(path) {
            Ok(before) if before.is_file() => Some(before),
            Ok(link) if link.is_symlink() => Some(fs::metadata(path).unwrap_or(link)),
            Ok(_) => return Err(look(io::Error::other("it is neither a file nor a link"))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(look(error)),
        };
        let owner = owner.or_else(|| before.as_ref().and_then(Owner::of));
        Self::write(path, content, Rights::Private(owner))
    }

    fn step(
        &self,
        step: &'static str,
        action: impl FnOnce(&Path) -> io::Result<()>,
    ) -> Result<(), WriteError> {
        action(&self.temporary).map_err(failed(&self.path, step))
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        // Fails where the temporary name is gone, as it is after success.
        let _ = fs::remove_file(&self.temporary);
    }
}

fn failed(path: &Path, step: &'static str) -> impl FnOnce(io::Error) -> WriteError {
    let path = path.to_path_buf();
    move |source| WriteError { path, step, source }
}

fn temporary_name(path: &Path) -> OsString {
    static COUNTER: AtomicU64 = AtomicU64::new(0);
    let mut name = OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    let count = COUNTER.fetch_add(1, Ordering::Relaxed);
    name.push(format!(".{}-{count}{TEMPORARY}", std::process::id()));
    name
}

/// Whether [`temporary_name`] gave this name, in whichever process.
fn is_temporary(name: &OsStr, path: &Path) -> bool {
    let (Some(name), Some(of)) = (name.to_str(), path.file_name().and_then(OsStr::to_str)) else {
        return false;
    };
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    name.strip_prefix('.')
        .and_then(|rest| rest.strip_prefix(of)?.strip_prefix('.')?.strip_suffix(TEMPORARY))
        .and_then(|numbers| numbers.split_once('-'))
        .is_some_and(|(process, count)| digits(process) && digits(count))
}

const TEMPORARY: &str = ".new";

fn open_new(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

fn flush_directory(path: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(parent(path))?.sync_all() } else { Ok(()) }
}

fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(directory: &Path) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(directory)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn a_file_is_made_and_replaced_and_nothing_else_stays() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("me");
        replace(&path, b"one\n", Access::Public).unwrap();
        replace(&path, b"two\n", Access::Public).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two\n");
        assert_eq!(names(directory.path()), ["me"]);
    }

    #[test]
    fn create_never_overwrites() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("me");
        assert!(create(&path, b"one\n", Access::Public).unwrap());
        assert!(!create(&path, b"two\n", Access::Public).unwrap());
        assert_eq!(fs::read(&path).unwrap(), b"one\n");
        assert_eq!(names(directory.path()), ["me"]);
    }

    #[cfg(unix)]
    #[test]
    fn modes_are_as_asked_and_kept_on_replacement() {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o7777;
        let directory = tempfile::tempdir().unwrap();
        let key = directory.path().join("key");
        create(&key, b"k", Access::Private).unwrap();
        assert_eq!(mode(&key), 0o600);
        fs::set_permissions(&key, fs::Permissions::from_mode(0o640)).unwrap();
        replace(&key, b"l", Access::Public).unwrap();
        assert_eq!(mode(&key), 0o640);
        let public = directory.path().join("public");
        create(&public, b"k", Access::Public).unwrap();
        assert_eq!(mode(&public), 0o644);
    }

    #[cfg(unix)]
    #[test]
    fn the_owner_is_kept_where_it_may_be() {
        use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("key");
        fs::write(&path, b"old").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        if let Err(error) = chown(&path, Some(1234), Some(5678)) {
            eprintln!("skipped: only root gives files away: {error}");
            return;
        }
        replace(&path, b"new", Access::Private).unwrap();
        let kept = fs::metadata(&path).unwrap();
        assert_eq!((kept.uid(), kept.gid(), kept.mode() & 0o7777), (1234, 5678, 0o640));
        assert_eq!(fs::read(&path).unwrap(), b"new");
    }

    #[cfg(unix)]
    #[test]
    fn a_symbolic_link_stays_one() {
        let directory = tempfile::tempdir().unwrap();
        let (real, link) = (directory.path().join("real"), directory.path().join("link"));
        fs::write(&real, b"one").unwrap();
        std::os::unix::fs::symlink(&real, &link).unwrap();
        replace(&link, b"two", Access::Public).unwrap();
        assert_eq!(fs::read(&real).unwrap(), b"two");
        assert!(link.symlink_metadata().unwrap().is_symlink());
        assert!(!create(&link, b"three", Access::Public).unwrap());
    }

    #[test]
    fn a_failed_step_names_the_file_and_leaves_nothing_behind() {
        let directory = tempfile::tempdir().unwrap();
        // A directory cannot be replaced by a file: the last step fails, with the data written.
        let path = directory.path().join("taken");
        fs::create_dir(&path).unwrap();
        fs::write(path.join("x"), b"").unwrap();
        let error = replace(&path, b"one\n", Access::Public).unwrap_err();
        assert_eq!(error.step, "rename the new file");
        assert!(error.to_string().contains("taken"));
        assert_eq!(names(directory.path()), ["taken"]);
        let absent = directory.path().join("no/such/place");
        assert_eq!(create(&absent, b"", Access::Public).unwrap_err().step, "make a temporary file");
    }

    #[cfg(unix)]
    #[test]
    fn a_private_file_takes_the_place_of_a_link_and_not_of_what_it_names() {
        use std::os::unix::fs::{PermissionsExt as _, symlink};
        let directory = tempfile::tempdir().unwrap();
        let (elsewhere, key) = (directory.path().join("passwd"), directory.path().join("key"));
        fs::write(&elsewhere, b"precious").unwrap();
        for target in [&elsewhere, &directory.path().join("nowhere")] {
            let _ = fs::remove_file(&key);
            symlink(target, &key).unwrap();
            try_private(&key, None).unwrap();
            assert!(key.symlink_metadata().unwrap().is_symlink());
            replace_private(&key, b"new", None).unwrap();
            let metadata = key.symlink_metadata().unwrap();
            assert!(metadata.is_file());
            assert_eq!(metadata.permissions().mode() & 0o7777, 0o600);
            assert_eq!(fs::read(&key).unwrap(), b"new");
        }
        assert_eq!(fs::read(&elsewhere).unwrap(), b"precious");
        assert_eq!(names(directory.path()), ["key", "passwd"]);
        let folder = directory.path().join("folder");
        fs::create_dir(&folder).unwrap();
        for error in [try_private(&folder, None), replace_private(&folder, b"new", None)] {
            assert_eq!(error.unwrap_err().step, "look at the file");
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_private_file_that_nobody_may_read_who_should_is_not_written() {
        use std::os::unix::fs::MetadataExt as _;
        let directory = tempfile::tempdir().unwrap();
        let key = directory.path().join("key");
        fs::write(&key, b"old").unwrap();
        let before = fs::metadata(&key).unwrap();
        let own = Owner { user: before.uid(), group: before.gid() };
        replace_private(&key, b"own", Some(own)).unwrap();
        let other = Owner { user: own.user + 1, group: own.group + 1 };
        match replace_private(&key, b"other", Some(other)) {
            // Whoever runs this may give files away.
            Ok(()) => assert_eq!(Owner::of(&fs::metadata(&key).unwrap()), Some(other)),
            Err(error) => {
                assert_eq!(error.step, "give the file to its owner");
                assert_eq!(fs::read(&key).unwrap(), b"own");
            }
        }
        assert_eq!(names(directory.path()), ["key"]);
    }

    #[test]
    fn what_a_killed_process_left_does_not_block_and_is_removed_when_it_is_old() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("key");
        let name = |name: OsString| directory.path().join(name);
        let next = temporary_name(&path).into_string().unwrap();
        let (process, count) = next.strip_suffix(".new").unwrap().rsplit_once('-').unwrap();
        let count: u64 = count.parse().unwrap();
        for ahead in 1..20 {
            fs::write(name(format!("{process}-{}.new", count + ahead).into()), b"half").unwrap();
        }
        replace_private(&path, b"whole", None).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"whole");
        assert_eq!(names(directory.path()).len(), 20);

        let old = std::time::SystemTime::now() - ABANDONED - Duration::from_secs(60);
        let oldest = name(format!("{process}-{}.new", count + 1).into());
        File::options().write(true).open(&oldest).unwrap().set_modified(old).unwrap();
        for other in ["key.1-1.new", ".key.x-1.new", ".key.1.new", ".keys.1-1.new"] {
            let file = File::create(name(other.into())).unwrap();
            file.set_modified(old).unwrap();
        }
        assert_eq!(remove_leftovers(&path), [oldest]);
        assert_eq!(names(directory.path()).len(), 23);
    }

    #[test]
    fn a_demo_is_made_once_and_half_a_pair_is_an_error() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().join("a/demo");
        let first = write_demo(&root, "certificate", "key").unwrap();
        assert_eq!(first.made.len(), 13);
        fs::write(root.join("smtp.port"), b"2626\n").unwrap();
        fs::remove_file(root.join("me")).unwrap();
        let second = write_demo(&root, "other", "other").unwrap();
        assert_eq!(second.made, [root.join("me")]);
        assert_eq!(fs::read(root.join("smtp.port")).unwrap(), b"2626\n");
        assert_eq!(fs::read(root.join(DEMO_KEY)).unwrap(), b"key");
        fs::remove_file(root.join(DEMO_KEY)).unwrap();
        let error = write_demo(&root, "other", "other").unwrap_err();
        assert_eq!(error.path, root.join(DEMO_KEY));
        assert!(!root.join(DEMO_KEY).exists());
    }
}
