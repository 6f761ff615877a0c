//! A disk that is full or gone under a running server: 4yz, nothing left behind, and it serves on.

use std::fs;
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command};

use smtp_testkit::peer::Peer;
use smtp_testkit::process::{self, Program, find_program};

use crate::support::{Host, eventually};

use super::ledger::on_the_wire;
use super::senders::{GROUP, greeted, hear, send};

/// Sends one message of this size, and gives the code of the answer to it.
fn one(peer: &mut Peer, size: usize) -> String {
    send(peer, GROUP.as_bytes()).unwrap();
    for code in ["250", "250", "354"] {
        hear(peer, code).unwrap();
    }
    let text = "Subject: x\n\n".to_owned() + &"0123456789abcdef0123456789abcde\n".repeat(size / 32);
    send(peer, &on_the_wire(&text)).unwrap();
    let line = peer.read_line().unwrap();
    String::from_utf8_lossy(&line[..3]).into_owned()
}

/// A server whose Maildir is on a small file system of its own, which ends with it.
struct Cramped {
    host: Host,
    program: Program,
}

impl Cramped {
    /// `None`, and a word about it, where this user may not mount.
    fn serve(options: &str) -> Option<Self> {
        let test = std::thread::current().name().unwrap_or("a test").to_owned();
        let Some(unshare) = find_program("unshare") else {
            eprintln!("skipped: {test}: no unshare");
            return None;
        };
        let private = |script: &str| {
            let mut command = Command::new(&unshare);
            command.args(["--map-root-user", "--mount", "sh", "-ec", script, "sh"]);
            command
        };
        let host = Host::new();
        fs::create_dir(host.maildir()).unwrap();
        let mount = format!("mount -t tmpfs -o {options} tmpfs \"$1\"");
        let tried = process::run(private(&mount).arg(host.maildir()), b"");
        if tried.code != Some(0) {
            eprintln!("skipped: {test}: cannot mount: {}", tried.stderr.join(" "));
            return None;
        }
        let serve = host.smtpd(&[]);
        let program = Program::spawn(
            private(&format!("{mount}; shift; exec \"$@\""))
                .arg(host.maildir())
                .arg(serve.get_program())
                .args(serve.get_args()),
        );
        program.wait_for_stderr("listening service=smtp3 ");
        Some(Self { host, program })
    }

    /// A folder of the Maildir, as the server sees it.
    fn folder(&self, name: &str) -> PathBuf {
        let root = PathBuf::from(format!("/proc/{}/root", self.program.id()));
        root.join(self.host.maildir().strip_prefix("/").unwrap()).join(name)
    }

    fn sizes(&self, name: &str) -> Vec<u64> {
        let folder = fs::read_dir(self.folder(name)).unwrap();
        folder.map(|entry| entry.unwrap().metadata().unwrap().len()).collect()
    }
}

#[test]
fn a_full_disk_is_answered_with_452_until_there_is_room() {
    let Some(cramped) = Cramped::serve("size=256k") else { return };
    let mut peer = greeted(cramped.host.starttls).unwrap();
    assert_eq!(one(&mut peer, 300_000), "452");
    eventually("tmp is empty", || cramped.sizes("tmp").is_empty());
    assert_eq!(cramped.sizes("new"), [] as [u64; 0]);
    assert_eq!(one(&mut peer, 1_000), "250");

    // Full to the brim with messages that are no larger than the server's buffer.
    let mut taken = 1;
    loop {
        match one(&mut peer, 30_000).as_str() {
            "250" => taken += 1,
            code => {
                assert_eq!(code, "452");
                break;
            }
        }
        assert!(taken < 10, "256 KiB have no room for this");
    }
    assert!(taken > 5, "the disk is not full");
    assert_eq!(cramped.sizes("tmp"), [] as [u64; 0]);
    let sizes = cramped.sizes("new");
    assert_eq!(sizes.len(), taken);
    assert_eq!(sizes.iter().filter(|size| **size > 30_000).count(), taken - 1, "{sizes:?}");

    let first = fs::read_dir(cramped.folder("new")).unwrap().map(|entry| entry.unwrap().path());
    fs::remove_file(first.max_by_key(|path| path.metadata().unwrap().len()).unwrap()).unwrap();
    assert_eq!(one(&mut peer, 30_000), "250");
    assert_eq!(cramped.sizes("new").len(), taken);
}

/// Room for the file, none for its second name.
#[test]
fn no_room_for_a_name_is_answered_with_452() {
    // The mount, tmp, new, cur, the message; a second name takes one more.
    let Some(cramped) = Cramped::serve("size=1m,nr_inodes=5") else { return };
    let mut peer = greeted(cramped.host.starttls).unwrap();
    for size in [100, 200_000] {
        assert_eq!(one(&mut peer, size), "452");
        assert_eq!((cramped.sizes("tmp").len(), cramped.sizes("new").len()), (0, 0));
    }
    fs::remove_dir(cramped.folder("cur")).unwrap();
    assert_eq!(one(&mut peer, 100), "250");
    assert_eq!((cramped.sizes("tmp").len(), cramped.sizes("new").len()), (0, 1));
}

#[test]
fn a_limit_on_file_sizes_refuses_the_message_and_not_the_server() {
    let host = Host::new();
    let serve = host.smtpd(&[]);
    let program = Program::spawn(
        Command::new("sh")
            .args(["-c", "ulimit -f 100; exec \"$@\"", "sh"])
            .arg(serve.get_program())
            .args(serve.get_args()),
    );
    program.wait_for_stderr("listening service=smtp3 ");
    let mut peer = greeted(host.starttls).unwrap();
    for _ in 0..3 {
        assert_eq!(one(&mut peer, 300_000), "451");
        eventually("tmp is empty", || host.leftovers().is_empty());
        assert_eq!(one(&mut peer, 1_000), "250");
    }
    assert_eq!(host.messages().len(), 3);
}

#[test]
fn a_maildir_that_goes_away_is_answered_with_451_until_it_is_back() {
    let host = Host::new();
    let _program = host.serve(&[]);
    let mut peer = greeted(host.starttls).unwrap();
    let (maildir, aside) = (host.maildir(), host.control().join("aside"));
    let mut sizes = [100, 200_000].into_iter().cycle();
    let mut refused = |peer: &mut Peer| {
        for size in sizes.by_ref().take(2) {
            assert_eq!(one(peer, size), "451");
        }
    };

    fs::rename(&maildir, &aside).unwrap();
    refused(&mut peer);
    fs::rename(&aside, &maildir).unwrap();
    assert_eq!(one(&mut peer, 100), "250");

    let new = maildir.join("new");
    fs::rename(&new, &aside).unwrap();
    refused(&mut peer);
    assert_eq!(host.leftovers().len(), 0);
    fs::write(&new, "no directory").unwrap();
    refused(&mut peer);
    assert_eq!(host.leftovers().len(), 0);
    assert_eq!(fs::read_to_string(&new).unwrap(), "no directory");
    fs::remove_file(&new).unwrap();
    fs::rename(&aside, &new).unwrap();
    assert_eq!(one(&mut peer, 200_000), "250");

    let tmp = maildir.join("tmp");
    fs::remove_dir(&tmp).unwrap();
    refused(&mut peer);
    fs::create_dir(&tmp).unwrap();
    assert_eq!(one(&mut peer, 100), "250");
    assert_eq!((host.messages().len(), host.leftovers().len()), (3, 0));
}

/// A server whose log goes elsewhere than to the test.
struct Unread(Child);

impl Drop for Unread {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A disk that is full takes no log either, and that costs no message.
#[test]
fn a_log_that_cannot_be_written_loses_no_mail() {
    let host = Host::new();
    let full = fs::File::options().write(true).open("/dev/full").unwrap();
    let mut server = Unread(host.smtpd(&[]).env("RUST_LOG", "debug").stderr(full).spawn().unwrap());
    eventually("the server accepts", || TcpStream::connect(("127.0.0.1", host.starttls)).is_ok());
    let mut peer = greeted(host.starttls).unwrap();
    for size in [100, 200_000, 100] {
        assert_eq!(one(&mut peer, size), "250");
    }
    let signalled = Command::new("kill").arg(server.0.id().to_string()).status().unwrap();
    assert!(signalled.success());
    peer.expect_reply("421");
    peer.expect_end();
    drop(peer);
    let mut status = None;
    eventually("the server ends", || {
        status = server.0.try_wait().unwrap();
        status.is_some()
    });
    assert_eq!(status.unwrap().code(), Some(0));
    assert_eq!((host.messages().len(), host.leftovers().len()), (3, 0));
}
