//! SIGHUP when it does not fit.

use std::collections::HashSet;
use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::net::TcpStream;
use std::process::Command;
use std::time::{Duration, Instant};

use smtp_testkit::peer::Peer;
use smtp_testkit::pki;
use smtp_testkit::process::{PATIENCE, Program, require_peer};

use super::{
    NAMES, REFUSED, TAKEN, change_certificate, control_file, hexadecimal, outcomes, parse, python,
    reload_is_taken, said, session, wait_outcome,
};
use crate::support::{BACKENDS, Host, eventually};

/// Access rules that take a while to be read.
fn slow_rules() -> String {
    let mut rules = String::new();
    for n in 0..200_000_u32 {
        let [_, b, c, d] = n.to_be_bytes();
        writeln!(rules, "10.{b}.{c}.{d}:allow").unwrap();
    }
    rules.push_str("127.0.0.1:allow,RELAYCLIENT=\"\"\n:allow\n");
    rules
}

/// Waits until a program has a handler for SIGHUP: before, the signal would end it.
fn wait_until_it_handles_hangups(program: &Program) {
    const HANGUP: u64 = 1;
    let status = format!("/proc/{}/status", program.id());
    eventually("SIGHUP is handled", || {
        let text = fs::read_to_string(&status).unwrap_or_default();
        let caught = text.lines().find_map(|line| line.strip_prefix("SigCgt:"));
        let caught = caught.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
        caught.is_some_and(|mask| mask & HANGUP != 0)
    });
}

#[test]
fn many_signals_are_few_readings_and_the_last_change_is_taken() {
    let Some(python) = require_peer("python3") else { return };
    for backend in BACKENDS {
        let host = Host::new();
        let mut program = host.serve(&["--tls", backend]);
        let storm = |times: u32| {
            let id = program.id();
            let script =
                format!("i=0; while [ $i -lt {times} ]; do kill -HUP {id}; i=$((i+1)); done");
            assert!(Command::new("sh").args(["-c", &script]).status().unwrap().success());
        };
        storm(500);
        let leaf = change_certificate(&host);
        storm(500);
        eventually("the last change is taken", || session(&python, host.starttls).shows(&leaf));
        let readings = outcomes(&program).len();
        assert!((1..1000).contains(&readings), "{readings}");
        assert!(said(&program, REFUSED).is_empty(), "{:#?}", said(&program, REFUSED));

        // The end comes through.
        storm(100);
        program.signal("TERM");
        storm(100);
        let since = Instant::now();
        assert_eq!(program.wait(PATIENCE).code(), Some(0));
        assert!(since.elapsed() < Duration::from_secs(10));
    }
}

/// Files that are written in place while they are read: whatever the reading found, what is served is
/// one certificate with its own key.
#[test]
fn files_that_are_written_while_they_are_read_are_taken_whole_or_not() {
    let Some(python_program) = require_peer("python3") else { return };
    for backend in BACKENDS {
        let host = Host::new();
        let program = host.serve(&["--tls", backend]);
        let mut client =
            Program::spawn(&mut python(&python_program, host.starttls, &["--forever"]));
        client.wait_for_stdout("session ");
        let mut known = HashSet::from([hexadecimal(&host.certificate)]);
        let write = |name: &str, content: &str| {
            let mut file = fs::File::create(control_file(&host, name)).unwrap();
            for piece in content.as_bytes().chunks(content.len() / 3) {
                file.write_all(piece).unwrap();
                program.signal("HUP");
            }
        };
        let is_served = |leaf: &pki::Leaf| {
            program.signal("HUP");
            // The outcome of a reading that was under way is none of this one.
            eventually("it is served", || session(&python_program, host.starttls).shows(leaf));
        };
        for n in 0..40 {
            let leaf = pki::self_signed(&NAMES);
            known.insert(hexadecimal(&leaf));
            let refused = said(&program, REFUSED).len();
            write("tls.chain.pem", &leaf.chain());
            if n % 10 == 0 {
                eventually("it is read without its key", || {
                    said(&program, REFUSED).len() > refused
                });
            }
            write("tls.key.pem", &leaf.key);
            if n == 39 {
                is_served(&leaf);
            }
        }
        let last = change_certificate(&host);
        is_served(&last);
        let refused = said(&program, REFUSED).len();
        client.signal("TERM");
        assert_eq!(client.wait(PATIENCE).code(), Some(0));
        let sessions = client.stdout();
        for line in &sessions {
            let session = parse(line);
            assert!(known.contains(&session.certificate) || session.shows(&last), "{line}");
        }
        eprintln!("{backend}: {} sessions, {refused} readings refused", sessions.len());
    }
}

#[test]
fn a_signal_during_the_start_is_answered_behind_it() {
    let host = Host::new();
    host.write("smtp.tcp", &slow_rules());
    let mut program = host.start(&[]);
    wait_until_it_handles_hangups(&program);
    assert!(said(&program, "listening ").is_empty(), "the start was too quick for this test");
    program.signal("HUP");
    assert!(wait_outcome(&program, 0).starts_with(TAKEN));
    assert_eq!(said(&program, "listening ").len(), 3);

    // The end, before there was a beginning.
    program.signal("TERM");
    assert_eq!(program.wait(PATIENCE).code(), Some(0));
    let mut program = host.start(&[]);
    wait_until_it_handles_hangups(&program);
    program.signal("TERM");
    assert_eq!(program.wait(PATIENCE).code(), Some(0));
    assert!(said(&program, "listening ").is_empty());
}

#[test]
fn no_directory_is_read_while_the_server_ends() {
    let host = Host::new();
    let mut program = host.serve(&[]);
    let mut peer = host.in_data();
    program.signal("TERM");
    program.wait_for_stderr("draining");
    host.write("me", "new.example\n");
    program.signal("HUP");
    program.wait_for_stderr("reload refused: the server is draining");
    assert!(said(&program, "reloading").is_empty());
    peer.line("Subject: x").line(".").expect_reply("250");
    assert_eq!(program.wait(PATIENCE).code(), Some(0));
    assert!(host.messages()[0].contains("\n  by mx.example.org "));
}

#[test]
fn the_end_comes_while_the_directory_is_read() {
    let host = Host::new();
    let mut program = host.serve(&[]);
    host.write("smtp.tcp", &slow_rules());
    program.signal("HUP");
    program.wait_for_stderr("reloading ");
    program.signal("TERM");
    assert_eq!(program.wait(PATIENCE).code(), Some(0));
    assert!(said(&program, TAKEN).is_empty(), "the reading was too quick for this test");
    assert_eq!(said(&program, "drained ").len(), 1);
}

/// A file whose opening waits for as long as another process likes, as on a disk that hangs.
struct Held(Program);

impl Held {
    fn new(path: &std::path::Path) -> Option<Self> {
        let python = require_peer("python3")?;
        let script = "import fcntl, os, signal, sys\n\
            signal.signal(signal.SIGIO, signal.SIG_IGN)\n\
            file = os.open(sys.argv[1], os.O_RDWR)\n\
            try:\n    fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_WRLCK)\n\
            except OSError as error:\n    print('cannot', error, flush=True)\n\
            else:\n    print('can hold', flush=True)\n\
            signal.pause()\n";
        let mut command = Command::new(python);
        let held = Self(Program::spawn(command.args(["-c", script]).arg(path)));
        let said = held.0.wait_for_stdout("can");
        if said != "can hold" {
            eprintln!("skipped: no lease on {}: {said}", path.display());
            return None;
        }
        Some(held)
    }
}

#[test]
fn a_disk_that_hangs_does_not_stop_the_server() {
    let host = Host::new();
    let mut program = host.serve(&["--watch", "1"]);
    let Some(held) = Held::new(&control_file(&host, "rcpthosts")) else { return };
    program.signal("HUP");
    program.wait_for_stderr("reloading cause=signal");
    host.write("me", "new.example\n");
    for n in 0..20 {
        program.signal("HUP");
        let mut peer = Peer::connect(("127.0.0.1", host.starttls));
        assert!(peer.expect_reply("220")[0].starts_with("220 mx.example.org "), "{n}");
        peer.ask("EHLO client.example.net", "250");
        peer.ask("QUIT", "221");
    }
    assert!(outcomes(&program).is_empty(), "{:#?}", outcomes(&program));
    // All of those signals are one more reading.
    drop(held);
    assert!(wait_outcome(&program, 0).starts_with(TAKEN));
    assert!(wait_outcome(&program, 1).starts_with(TAKEN));
    let mut peer = Peer::connect(("127.0.0.1", host.starttls));
    assert!(peer.expect_reply("220")[0].starts_with("220 new.example "));

    // The program ends although a reading never does.
    let _held = Held::new(&control_file(&host, "rcpthosts"));
    drop(peer);
    program.signal("HUP");
    eventually("it reads again", || said(&program, "reloading cause=signal").len() == 3);
    let since = Instant::now();
    program.signal("TERM");
    assert_eq!(program.wait(PATIENCE).code(), Some(0));
    assert!(since.elapsed() < Duration::from_secs(10), "{:?}", since.elapsed());
    assert!(TcpStream::connect(("127.0.0.1", host.starttls)).is_err());
}

/// Reading again costs nothing that stays: descriptors and threads.
#[test]
fn nothing_is_left_of_many_readings() {
    let host = Host::new();
    let program = host.serve(&[]);
    let count =
        |what: &str| fs::read_dir(format!("/proc/{}/{what}", program.id())).unwrap().count();
    reload_is_taken(&program);
    let (files, threads) = (count("fd"), count("task"));
    for _ in 0..50 {
        reload_is_taken(&program);
    }
    assert_eq!(count("fd"), files);
    eventually("the threads are gone", || count("task") <= threads);
}
