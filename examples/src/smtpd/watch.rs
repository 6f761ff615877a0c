//! Whether the files of a reading have changed since.
//!
//! Does: remember what each file was as it was opened, absent ones too, and the directory, and compare
//! with what their paths name now. Does not: wait. Fails: nothing here fails; a file that cannot be
//! looked at is one more state of it.
//!
//! A change is seen by a file's device, inode, size and times. A file that is written again in place
//! with as many octets, within the same tick of the file system's clock in which it was read before, is
//! not seen.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use hvmail_control::error::ReadError;
use hvmail_control::source::{Directory, Source};

/// What a file was when it was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Look {
    There(Stamp),
    /// A directory, whatever comes and goes in it.
    Directory {
        device: u64,
        inode: u64,
    },
    /// It is absent, or out of reach.
    Not(io::ErrorKind),
    /// It was never the same for as long as a reading takes. It is never again so, by this.
    Restless,
}

impl From<&Metadata> for Look {
    fn from(file: &Metadata) -> Self {
        if file.is_dir() {
            return Self::Directory { device: file.dev(), inode: file.ino() };
        }
        Self::There(Stamp {
            is_link: file.is_symlink(),
            device: file.dev(),
            inode: file.ino(),
            size: file.size(),
            modified: (file.mtime(), file.mtime_nsec()),
            changed: (file.ctime(), file.ctime_nsec()),
        })
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Stamp {
    /// A link that leads nowhere is there as itself.
    is_link: bool,
    device: u64,
    inode: u64,
    size: u64,
    /// Seconds and nanoseconds.
    modified: (i64, i64),
    changed: (i64, i64),
}

/// What the files of a reading were.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Looks(BTreeMap<PathBuf, Look>);

impl Looks {
    /// Looks at a file that is about to be read.
    pub(super) fn look_at(&mut self, path: &Path) {
        self.0.insert(path.to_owned(), look(path));
    }

    /// The same files, as they are now.
    pub(super) fn again(&self) -> Self {
        Self(self.0.keys().map(|path| (path.clone(), look(path))).collect())
    }

    pub(super) fn add(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    /// Has whoever compares these find a change, whatever there is.
    pub(super) fn restless(&mut self, path: &Path) {
        self.0.insert(path.to_owned(), Look::Restless);
    }
}

fn look(path: &Path) -> Look {
    match fs::metadata(path).or_else(|_| fs::symlink_metadata(path)) {
        Ok(file) => Look::from(&file),
        Err(error) => Look::Not(error.kind()),
    }
}

/// A directory that remembers what each file was when it was opened to be read.
pub(super) struct Watched<'d> {
    directory: &'d Directory,
    looks: RefCell<Looks>,
    /// What could not be read, and why.
    failed: RefCell<BTreeMap<PathBuf, ReadError>>,
}

impl<'d> Watched<'d> {
    pub(super) fn new(directory: &'d Directory) -> Self {
        Self { directory, looks: RefCell::default(), failed: RefCell::default() }
    }

    /// Whether what could not be read still cannot, for the same reason.
    pub(super) fn fails_as_before(&self) -> bool {
        let failed = self.failed.borrow();
        failed.iter().all(|(path, error)| self.directory.read(path).as_ref() == Err(error))
    }

    pub(super) fn looks(self) -> Looks {
        self.looks.into_inner()
    }
}

impl Source for Watched<'_> {
    fn root(&self) -> &Path {
        self.directory.root()
    }

    fn read(&self, given: &Path) -> Result<Option<Vec<u8>>, ReadError> {
        let path = self.directory.resolve(given);
        let mut looks = self.looks.borrow_mut();
        // What is opened may be another file than one that is looked at before or after.
        match self.directory.read_opened(given) {
            Ok(Some((content, file))) => {
                looks.0.insert(path, Look::from(&file));
                Ok(Some(content))
            }
            Ok(None) => {
                looks.0.insert(path, Look::Not(io::ErrorKind::NotFound));
                Ok(None)
            }
            Err(error) => {
                looks.look_at(&path);
                self.failed.borrow_mut().insert(given.to_owned(), error.clone());
                Err(error)
            }
        }
    }

    fn permissions(&self, path: &Path) -> Option<u32> {
        self.directory.permissions(path)
    }

    fn environment(&self, name: &str) -> Option<String> {
        self.directory.environment(name)
    }
}

/// Finds changes that have come to rest.
#[derive(Debug, Default)]
pub(super) struct Watch {
    /// What was last read, whatever came of it.
    taken: Looks,
    /// What differed from that at the last look.
    unsettled: Option<Looks>,
}

impl Watch {
    /// The files as they were read.
    pub(super) fn took(&mut self, looks: Looks) {
        *self = Self { taken: looks, unsettled: None };
    }

    /// The files as they were last read.
    pub(super) const fn taken(&self) -> &Looks {
        &self.taken
    }

    /// Whether a change is to be read: the files are now as they were at the look before, and not as
    /// they were read.
    pub(super) fn settled(&mut self, now: Looks) -> bool {
        if now == self.taken {
            self.unsettled = None;
            return false;
        }
        let before = self.unsettled.replace(now);
        before == self.unsettled
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use hvmail_control::Control;
    use hvmail_control::source::Directory;

    use super::*;

    struct Files(tempfile::TempDir);

    impl Files {
        fn new(files: &[(&str, &str)]) -> Self {
            let folder = Self(tempfile::tempdir().unwrap());
            for (name, content) in files {
                folder.write(name, content);
            }
            folder
        }

        fn path(&self, name: &str) -> PathBuf {
            self.0.path().join(name)
        }

        fn write(&self, name: &str, content: &str) {
            fs::create_dir_all(self.path(name).parent().unwrap()).unwrap();
            fs::write(self.path(name), content).unwrap();
        }

        /// What a reading of the directory looked at.
        fn read(&self) -> Looks {
            let directory = Directory::open(self.0.path()).unwrap();
            let watched = Watched::new(&directory);
            let _ = Control::load(&watched);
            watched.looks()
        }
    }

    #[test]
    fn every_file_that_was_asked_for_is_watched() {
        let files = Files::new(&[
            ("greenarrow.conf", "include more.conf\n"),
            ("more.conf", "general {\n  tls_certificate_files a.pem keys/b.pem\n}\n"),
        ]);
        let before = files.read();
        let changes: &[&dyn Fn()] = &[
            &|| files.write("a.pem", "came"),
            &|| fs::create_dir(files.path("keys")).unwrap(),
            &|| files.write("keys/b.pem", "came"),
            &|| files.write("more.conf", "general {\n}\n"),
            &|| files.write("tls.servercert.pem", "came"),
            &|| files.write("smtp2", "ENABLED=0\n"),
            &|| fs::remove_file(files.path("a.pem")).unwrap(),
            &|| symlink("nowhere", files.path("a.pem")).unwrap(),
        ];
        let mut last = before;
        for (number, change) in changes.iter().enumerate() {
            change();
            let now = last.again();
            // A folder by itself holds nothing that is read.
            assert_eq!(now == last, number == 1, "change {number}");
            last = now;
        }
        files.write("nobody-asks-for-this", "");
        assert_eq!(last.again(), last);
    }

    #[test]
    fn a_file_is_another_by_its_content_its_size_or_its_place() {
        let files = Files::new(&[("me", "a.example\n")]);
        let first = files.read();
        assert_eq!(first.again(), first);
        // One with the same times and size, put in its place.
        files.write("other", "b.example\n");
        let time = fs::metadata(files.path("me")).unwrap().modified().unwrap();
        fs::File::options()
            .write(true)
            .open(files.path("other"))
            .unwrap()
            .set_modified(time)
            .unwrap();
        fs::rename(files.path("other"), files.path("me")).unwrap();
        let second = first.again();
        assert_ne!(second, first);
        files.write("me", "b.example.org\n");
        assert_ne!(second.again(), second);
    }

    #[test]
    fn what_changes_while_it_is_read_is_seen() {
        let files = Files::new(&[("one/me", "a.example\n"), ("two/me", "b.example\n")]);
        let link = |to: &str| {
            symlink(to, files.path("new")).unwrap();
            fs::rename(files.path("new"), files.path("live")).unwrap();
        };
        link("one");
        let directory = Directory::open(files.path("live")).unwrap();
        let read = |then: &str| {
            let watched = Watched::new(&directory);
            assert!(watched.read(Path::new("me")).unwrap().is_some());
            assert_eq!(watched.read(Path::new("absent")).unwrap(), None);
            link(then);
            let looks = watched.looks();
            looks.again() == looks
        };
        assert!(read("one"), "the link is another one, and leads to the same");
        assert!(!read("two"));
        assert!(read("two"));
        files.write("two/absent", "came");
        let watched = Watched::new(&directory);
        assert!(watched.read(Path::new("absent")).unwrap().is_some());
        files.write("two/absent", "changed in its place");
        let looks = watched.looks();
        assert_ne!(looks.again(), looks);
    }

    #[test]
    fn what_cannot_be_read_is_tried_again() {
        let files = Files::new(&[("smtp2/a", "")]);
        let directory = Directory::open(files.0.path()).unwrap();
        let watched = Watched::new(&directory);
        assert!(watched.read(Path::new("smtp2")).is_err());
        assert!(watched.fails_as_before());
        fs::remove_dir_all(files.path("smtp2")).unwrap();
        files.write("smtp2", "ENABLED=1\n");
        assert!(!watched.fails_as_before());
    }

    #[test]
    fn a_change_is_taken_once_and_when_it_rests() {
        let files = Files::new(&[("me", "1")]);
        let mut watch = Watch::default();
        watch.took(files.read());
        let mut look = |files: &Files| {
            let now = watch.taken().again();
            let settled = watch.settled(now);
            if settled {
                watch.took(files.read());
            }
            settled
        };
        assert!(!look(&files));
        files.write("me", "22");
        assert!(!look(&files), "it has just changed");
        files.write("me", "333");
        assert!(!look(&files), "it changes still");
        assert!(look(&files));
        assert!(!look(&files) && !look(&files), "it was taken");
        let other = files.path("other");
        fs::rename(files.path("me"), &other).unwrap();
        assert!(!look(&files));
        fs::rename(&other, files.path("me")).unwrap();
        // The times of the file itself tell that it was away.
        assert!(!look(&files));
        let last = [look(&files), look(&files), look(&files)];
        assert!(!last[1] && !last[2], "{last:?}");
    }
}
