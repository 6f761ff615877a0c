//! A message is whole in `new` or nowhere, whatever step of the disk fails.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use proptest::prelude::*;
use smtp_proto::server::{Commit, Hello};
use tempfile::TempDir;

use super::disk::{Disk, RealDisk};
use super::{Delivery, Envelope, HAND_OVER, Maildir, STALE, append_with_lf, unique_name};
use crate::context::Context;
use crate::handler::{Peer, Sink};

/// The steps of a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Create,
    Write,
    SyncFile,
    OpenDirectory,
    Link,
    SyncDirectory,
    Remove,
}

/// A real disk on which chosen steps fail, and which remembers the steps.
#[derive(Clone, Debug, Default)]
struct Scripted(Arc<Mutex<Script>>);

#[derive(Debug, Default)]
struct Script {
    steps: Vec<Step>,
    /// The steps that fail, at which of their turns (from 0), and the host's number for why.
    failing: Vec<(Step, usize, i32)>,
}

impl Scripted {
    fn failing(failing: &[(Step, usize, i32)]) -> Self {
        Self(Arc::new(Mutex::new(Script { steps: Vec::new(), failing: failing.to_vec() })))
    }

    fn steps(&self) -> Vec<Step> {
        self.0.lock().unwrap().steps.clone()
    }

    fn step(&self, step: Step) -> io::Result<()> {
        let mut script = self.0.lock().unwrap();
        let turn = script.steps.iter().filter(|other| **other == step).count();
        script.steps.push(step);
        match script.failing.iter().find(|(failing, at, _)| *failing == step && *at == turn) {
            Some((_, _, errno)) => Err(io::Error::from_raw_os_error(*errno)),
            None => Ok(()),
        }
    }
}

impl Disk for Scripted {
    fn create(&self, path: &Path) -> io::Result<File> {
        self.step(Step::Create)?;
        RealDisk.create(path)
    }

    fn write(&self, file: &mut File, octets: &[u8]) -> io::Result<()> {
        if let Err(error) = self.step(Step::Write) {
            // A disk that fills up takes a part first.
            RealDisk.write(file, &octets[..octets.len() / 2])?;
            return Err(error);
        }
        RealDisk.write(file, octets)
    }

    fn sync_file(&self, file: &File) -> io::Result<()> {
        self.step(Step::SyncFile)?;
        RealDisk.sync_file(file)
    }

    fn open_directory(&self, path: &Path) -> io::Result<File> {
        self.step(Step::OpenDirectory)?;
        RealDisk.open_directory(path)
    }

    fn link(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.step(Step::Link)?;
        RealDisk.link(from, to)
    }

    fn sync_directory(&self, directory: &File) -> io::Result<()> {
        self.step(Step::SyncDirectory)?;
        RealDisk.sync_directory(directory)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.step(Step::Remove)?;
        RealDisk.remove(path)
    }

    fn share(&self) -> Box<dyn Disk> {
        Box::new(self.clone())
    }
}

fn open(root: &TempDir, disk: &Scripted) -> Maildir {
    let path = root.path().join("inbox");
    Maildir::open_on(disk.share(), &path, "me.example".into()).unwrap()
}

fn deliver(maildir: &Maildir) -> Delivery {
    let peer =
        Peer::new("smtp", "192.0.2.7:4000".parse().unwrap(), "192.0.2.1:25".parse().unwrap());
    let hello = Some(Hello { name: "a.example", extended: false });
    let mut envelope = Envelope::new("s@a.example");
    envelope.add_recipient("r1@b.example");
    envelope.add_recipient("r2@b.example");
    maildir.deliver(&Context::new(peer, hello, None), &envelope)
}

fn files(root: &TempDir, folder: &str) -> Vec<PathBuf> {
    let folder = root.path().join("inbox").join(folder);
    fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect()
}

/// Waits for the disk's thread to be done with `tmp`.
async fn tmp_is_empty(root: &TempDir) {
    for _ in 0..500 {
        if files(root, "tmp").is_empty() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("left in tmp: {:?}", files(root, "tmp"));
}

async fn send(mut delivery: Delivery, pieces: &[&[u8]]) -> (Option<io::Error>, Option<Commit>) {
    for piece in pieces {
        if let Err(error) = delivery.write(piece).await {
            return (Some(error), None);
        }
    }
    (None, Some(delivery.commit().await))
}

fn large() -> Vec<u8> {
    b"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcd\r\n".repeat(2 * HAND_OVER / 64)
}

const ENOSPC: i32 = 28;
const EIO: i32 = 5;

#[tokio::test]
async fn a_message_is_written_synced_linked_synced_and_then_promised() {
    let root = TempDir::new().unwrap();
    let disk = Scripted::default();
    let (_, commit) = send(deliver(&open(&root, &disk)), &[b"Subject: x\r\n\r\ntext\r\n"]).await;
    assert_eq!(commit, Some(Commit::Accepted(None)));
    use Step::{Create, Link, OpenDirectory, Remove, SyncDirectory, SyncFile, Write};
    assert_eq!(disk.steps(), [Create, Write, SyncFile, OpenDirectory, Link, SyncDirectory, Remove]);
    let new = files(&root, "new");
    let text = fs::read_to_string(&new[0]).unwrap();
    let (before, after) = text.split_once("with SMTP; ").unwrap();
    assert_eq!(
        before,
        "Return-Path: <s@a.example>\n\
         Delivered-To: r1@b.example\n\
         Delivered-To: r2@b.example\n\
         Received: from unknown (HELO a.example) (192.0.2.7)\n  by me.example "
    );
    assert!(after.ends_with(" -0000\nSubject: x\n\ntext\n"), "{after}");
    assert_eq!((new.len(), files(&root, "tmp").len()), (1, 0));
    use std::os::unix::fs::PermissionsExt;
    assert_eq!(fs::metadata(&new[0]).unwrap().permissions().mode() & 0o777, 0o600);
}

#[tokio::test]
async fn a_large_message_is_whole() {
    let root = TempDir::new().unwrap();
    let disk = Scripted::default();
    let message = large();
    let pieces: Vec<_> = message.chunks(1001).collect();
    let (_, commit) = send(deliver(&open(&root, &disk)), &pieces).await;
    assert_eq!(commit, Some(Commit::Accepted(None)));
    assert!(disk.steps().iter().filter(|step| **step == Step::Write).count() >= 2);
    let text = fs::read_to_string(&files(&root, "new")[0]).unwrap();
    let expected = String::from_utf8(message).unwrap().replace("\r\n", "\n");
    assert!(text.ends_with(&format!(" -0000\n{expected}")));
}

#[tokio::test]
async fn whatever_step_fails_the_answer_is_4yz_and_nothing_stays() {
    use Step::{Create, Link, OpenDirectory, SyncDirectory, SyncFile, Write};
    let turns = [
        (Create, 0),
        (Write, 0),
        (Write, 1),
        (SyncFile, 0),
        (OpenDirectory, 0),
        (Link, 0),
        (SyncDirectory, 0),
    ];
    for (errno, code) in [(ENOSPC, 452), (EIO, 451)] {
        for (step, turn) in turns {
            for message in [b"text\r\n".to_vec(), large()] {
                if turn > 0 && message.len() < HAND_OVER {
                    continue;
                }
                let root = TempDir::new().unwrap();
                let disk = Scripted::failing(&[(step, turn, errno)]);
                let maildir = open(&root, &disk);
                let pieces: Vec<_> = message.chunks(4096).collect();
                let (error, commit) = send(deliver(&maildir), &pieces).await;
                let refusal = match (error, commit) {
                    (Some(error), None) => crate::storage_refusal(&error),
                    (None, Some(Commit::Refused(refusal))) => refusal,
                    other => panic!("{step:?} {turn} {errno}: {other:?}"),
                };
                assert_eq!(refusal.reply().code().get(), code, "{step:?} {turn}");
                tmp_is_empty(&root).await;
                assert_eq!(files(&root, "new"), [] as [PathBuf; 0], "{step:?} {turn} {errno}");
                // The next message is not the worse for it.
                let (_, commit) = send(deliver(&maildir), &[b"text\r\n"]).await;
                assert_eq!(commit, Some(Commit::Accepted(None)));
            }
        }
    }
}

#[tokio::test]
async fn a_name_that_stays_in_tmp_does_not_take_the_promise_back() {
    for errno in [ENOSPC, EIO] {
        let root = TempDir::new().unwrap();
        let disk = Scripted::failing(&[(Step::Remove, 0, errno)]);
        let (_, commit) = send(deliver(&open(&root, &disk)), &[b"text\r\n"]).await;
        assert_eq!(commit, Some(Commit::Accepted(None)));
        assert_eq!((files(&root, "new").len(), files(&root, "tmp").len()), (1, 1));
    }
}

/// What failed first decides the answer; a name that cannot be taken away is at worst the same
/// message once more, and whole.
#[tokio::test]
async fn a_refused_message_that_cannot_be_removed_is_refused_all_the_same() {
    for (errno, code) in [(ENOSPC, 452), (EIO, 451)] {
        for (step, in_new) in [(Step::Write, 0), (Step::Link, 0), (Step::SyncDirectory, 1)] {
            let root = TempDir::new().unwrap();
            let disk = Scripted::failing(&[(step, 0, errno), (Step::Remove, 0, EIO)]);
            let (_, commit) = send(deliver(&open(&root, &disk)), &[b"text\r\n"]).await;
            let Some(Commit::Refused(refusal)) = commit else { panic!("{step:?}: {commit:?}") };
            assert_eq!(refusal.reply().code().get(), code, "{step:?}");
            let new = files(&root, "new");
            assert_eq!(new.len(), in_new, "{step:?}");
            for path in new {
                assert!(fs::read_to_string(path).unwrap().ends_with("-0000\ntext\n"));
            }
        }
    }
}

#[tokio::test]
async fn a_dropped_delivery_leaves_nothing() {
    let root = TempDir::new().unwrap();
    let maildir = open(&root, &Scripted::default());
    let mut delivery = deliver(&maildir);
    delivery.write(b"text\r\n").await.unwrap();
    drop(delivery);
    assert!(files(&root, "tmp").is_empty());
    let mut delivery = deliver(&maildir);
    delivery.write(&large()).await.unwrap();
    assert_eq!(files(&root, "tmp").len(), 1);
    drop(delivery);
    tmp_is_empty(&root).await;
    // Dropped while the disk is at work on it.
    let mut delivery = deliver(&maildir);
    let message = large();
    let cut = tokio::time::timeout(Duration::ZERO, delivery.write(&message)).await;
    drop(cut);
    drop(delivery);
    tmp_is_empty(&root).await;
    assert!(files(&root, "new").is_empty());
}

#[test]
fn a_runtime_that_ends_leaves_nothing() {
    let root = TempDir::new().unwrap();
    let maildir = open(&root, &Scripted::default());
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let delivery = runtime.block_on(async {
        let mut delivery = deliver(&maildir);
        delivery.write(&large()).await.unwrap();
        delivery
    });
    runtime.spawn(async move {
        std::future::pending::<()>().await;
        drop(delivery);
    });
    drop(runtime);
    assert!(files(&root, "tmp").is_empty());
}

#[test]
fn only_stale_files_are_removed_from_tmp() {
    let root = TempDir::new().unwrap();
    open(&root, &Scripted::default());
    let age = |name: &str, age: Duration| {
        let path = root.path().join("inbox/tmp").join(name);
        let file = File::create(path).unwrap();
        file.set_modified(SystemTime::now() - age).unwrap();
    };
    age("old", STALE + Duration::from_secs(60));
    age("young", STALE - Duration::from_secs(60));
    let kept = root.path().join("inbox/new/old");
    File::create(&kept).unwrap().set_modified(SystemTime::now() - 2 * STALE).unwrap();
    open(&root, &Scripted::default());
    assert_eq!(files(&root, "tmp"), [root.path().join("inbox/tmp/young")]);
    assert!(kept.exists());
}

#[test]
fn a_maildir_that_cannot_be_is_an_error() {
    let root = TempDir::new().unwrap();
    File::create(root.path().join("inbox")).unwrap();
    assert!(Maildir::open(root.path().join("inbox"), "me").is_err());
    assert!(Maildir::open(root.path().join("no/where"), "me").is_err());
}

#[tokio::test]
async fn a_file_that_is_there_is_never_written_to() {
    let root = TempDir::new().unwrap();
    let path = root.path().join("taken");
    fs::write(&path, "whole").unwrap();
    let error = RealDisk.create(&path).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
    assert_eq!(fs::read_to_string(&path).unwrap(), "whole");

    const EEXIST: i32 = 17;
    let disk = Scripted::failing(&[(Step::Create, 0, EEXIST), (Step::Create, 1, EEXIST)]);
    let (_, commit) = send(deliver(&open(&root, &disk)), &[b"text\r\n"]).await;
    assert_eq!(commit, Some(Commit::Accepted(None)));
    assert_eq!((files(&root, "new").len(), files(&root, "tmp").len()), (1, 0));
}

#[test]
fn names_are_unique_and_stay_in_their_folder() {
    let names: BTreeSet<_> = (0..1000).map(|_| unique_name("../a:b\0\n")).collect();
    assert_eq!(names.len(), 1000);
    for name in names {
        assert!(name.ends_with("...\\057a\\072b__"), "{name}");
        assert!(!name.contains('/'));
        let digits = name.split('.').next().unwrap();
        assert!(digits.parse::<u64>().is_ok(), "{name}");
    }
}

proptest! {
    #[test]
    fn line_ends_are_the_same_at_every_cut(text in "[\r\na]{0,12}", cut in 0_usize..12) {
        let octets = text.as_bytes();
        let cut = cut.min(octets.len());
        let (mut out, mut cr) = (Vec::new(), false);
        append_with_lf(&mut out, &mut cr, &octets[..cut]);
        append_with_lf(&mut out, &mut cr, &octets[cut..]);
        if cr {
            out.push(b'\r');
        }
        prop_assert_eq!(String::from_utf8(out).unwrap(), text.replace("\r\n", "\n"));
    }
}
