//! The only place that writes: whole files, atomically, and the demo directory.
//!
//! A file is written under another name in the same directory, flushed to disk, and only then given
//! its name; the directory is flushed last. Whoever reads meanwhile sees the old file or the new one,
//! and after a crash one of the two is there. When a step fails the other name is removed again and
//! the error says which file and which step; what was there before is untouched, unless the step was
//! the last: then the new file is there, and may not outlive a crash.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use thiserror::Error;

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

/// Who may read a new file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Its owner alone (0600): private keys.
    Private,
    /// Everybody (0644).
    Public,
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
    let pending = Pending::write(&path, content, access, before.as_ref())?;
    pending.step("rename the new file", |temporary| fs::rename(temporary, &path))?;
    pending.step("flush the directory", |_| flush_directory(&path))
}

/// Makes the file at `path`; one that is there already stays as it is. Says whether it was made.
///
/// # Errors
/// [`WriteError`] with the step that failed. The file is then not there, or whole.
pub fn create(path: &Path, content: &[u8], access: Access) -> Result<bool, WriteError> {
    if path.symlink_metadata().is_ok() {
        return Ok(false);
    }
    let pending = Pending::write(path, content, access, None)?;
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

/// The files of a demo directory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Demo {
    /// The files that were made.
    pub made: Vec<PathBuf>,
    /// The files that were there before and are untouched.
    pub kept: Vec<PathBuf>,
}

/// The certificate of a demo directory, below it.
pub const DEMO_CERTIFICATE: &str = "tls.demo.crt.pem";
/// The private key of a demo directory, below it.
pub const DEMO_KEY: &str = "tls.demo.key.pem";
/// The name of the host of a demo directory, in its `me`.
pub const DEMO_HOST: &str = "mail.demo.example";
/// The domain for which a demo directory takes mail.
pub const DEMO_DOMAIN: &str = "demo.example";

/// Makes a control directory for loopback alone, on ports that need no privilege: `smtp` on 2525 with
/// STARTTLS, `smtp2` on 2587 with STARTTLS, `smtp3` on 2465 with TLS from the first byte. It takes
/// mail for [`DEMO_DOMAIN`], lets 127.0.0.1 relay, and routes mail for that domain to itself.
///
/// A file that is there already is never overwritten, so a second call changes nothing.
///
/// # Errors
/// [`WriteError`] if the directory or a file cannot be made, or if one of certificate and key is
/// there without the other: a new half would not match it.
pub fn write_demo(
    directory: &Path,
    certificate_pem: &str,
    key_pem: &str,
) -> Result<Demo, WriteError> {
    fs::create_dir_all(directory).map_err(failed(directory, "make the directory"))?;
    let there = |name: &str| directory.join(name).symlink_metadata().is_ok();
    for (half, other) in [(DEMO_CERTIFICATE, DEMO_KEY), (DEMO_KEY, DEMO_CERTIFICATE)] {
        if there(half) && !there(other) {
            let error = io::Error::new(io::ErrorKind::NotFound, "its other half is there");
            return Err(failed(&directory.join(other), "make half of a pair")(error));
        }
    }
    let mut demo = Demo::default();
    let pair =
        [(DEMO_KEY, key_pem, Access::Private), (DEMO_CERTIFICATE, certificate_pem, Access::Public)];
    let plain = DEMO_FILES.into_iter().map(|(name, content)| (name, content, Access::Public));
    for (name, content, access) in pair.into_iter().chain(plain) {
        let path = directory.join(name);
        if create(&path, content.as_bytes(), access)? {
            demo.made.push(path);
        } else {
            demo.kept.push(path);
        }
    }
    Ok(demo)
}

const DEMO_FILES: [(&str, &str); 11] = [
    ("me", "mail.demo.example\n"),
    ("smtp.ipaddr", "127.0.0.1\n"),
    ("smtp.port", "2525\n"),
    ("smtp.starttls", "1\n"),
    ("smtp.auth", "0\n"),
    (
        "smtp.tcp",
        "\
# Who may connect, and who may relay: send mail to any domain.
# The most specific address counts, wherever its line stands.
127.0.0.1:allow,RELAYCLIENT=\"\"
:allow
",
    ),
    (
        "smtp2",
        "\
# The second service: submission with STARTTLS.
ENABLED=1
IPADDR=127.0.0.1
PORT=2587
TCPRULES_INHERIT=1
GREENARROW_STARTTLS=1
",
    ),
    (
        "smtp3",
        "\
# The third service: TLS from the first byte.
# SMTPS has no effect without the line that exports it.
ENABLED=1
IPADDR=127.0.0.1
PORT=2465
TCPRULES_INHERIT=1
SMTPS=1
export SMTPS
",
    ),
    (
        "rcpthosts",
        "\
# Domains for which mail is taken from everybody.
demo.example
# A leading dot stands for every name below a domain.
.demo.example
",
    ),
    (
        "smtproutes",
        "\
# Where mail for a domain goes: domain:host:port.
demo.example:127.0.0.1:2525
.demo.example:127.0.0.1:2525
",
    ),
    (
        "greenarrow.conf",
        "\
general {
    # The certificate of every service, and its key. Which is which is told by what they hold.
    tls_certificate_files tls.demo.key.pem tls.demo.crt.pem

    # Outgoing mail uses STARTTLS where it is offered; starttls_require would insist on it.
    starttls_use yes
}
",
    ),
];

/// A complete, flushed file under a temporary name, which is removed unless it was given its name.
struct Pending {
    temporary: PathBuf,
    path: PathBuf,
}

impl Pending {
    fn write(
        path: &Path,
        content: &[u8],
        access: Access,
        before: Option<&fs::Metadata>,
    ) -> Result<Self, WriteError> {
        static COUNTER: AtomicU64 = AtomicU64::new(0);
        let mut name = std::ffi::OsString::from(".");
        name.push(path.file_name().unwrap_or_default());
        let count = COUNTER.fetch_add(1, Ordering::Relaxed);
        name.push(format!(".{}-{count}.new", std::process::id()));
        let temporary = path.with_file_name(name);
        let mut file = open_new(&temporary).map_err(failed(path, "make a temporary file"))?;
        let pending = Self { temporary, path: path.to_path_buf() };
        pending.step("write", |_| file.write_all(content))?;
        pending.step("set the mode", |temporary| match before {
            Some(before) => keep_owner_and_mode(&file, temporary, before),
            None => set_access(&file, access),
        })?;
        pending.step("flush", |_| file.sync_all())?;
        Ok(pending)
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

fn open_new(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

#[cfg(unix)]
fn set_access(file: &File, access: Access) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = match access {
        Access::Private => 0o600,
        Access::Public => 0o644,
    };
    file.set_permissions(fs::Permissions::from_mode(mode))
}

#[cfg(not(unix))]
fn set_access(_file: &File, _access: Access) -> io::Result<()> {
    Ok(())
}

fn keep_owner_and_mode(file: &File, path: &Path, before: &fs::Metadata) -> io::Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::{MetadataExt as _, chown};
        let now = file.metadata()?;
        if (now.uid(), now.gid()) != (before.uid(), before.gid()) {
            // Only a privileged process may give a file away; its group it may be able to keep.
            if chown(path, Some(before.uid()), Some(before.gid())).is_err() {
                let _ = chown(path, None, Some(before.gid()));
            }
        }
        if file.metadata()?.gid() != before.gid() {
            // The group's rights were given to another group.
            use std::os::unix::fs::PermissionsExt as _;
            let mode = before.permissions().mode() & !0o070;
            return file.set_permissions(fs::Permissions::from_mode(mode));
        }
    }
    #[cfg(not(unix))]
    let _ = path;
    file.set_permissions(before.permissions())
}

fn flush_directory(path: &Path) -> io::Result<()> {
    let parent = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    if cfg!(unix) { File::open(parent)?.sync_all() } else { Ok(()) }
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
