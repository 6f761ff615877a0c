//! `hvmail-smtpd` reads its directory again: whole or not at all, and nobody is lost.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use smtp_testkit::pki::{self, Leaf, client};
use smtp_testkit::process::{self, PATIENCE, Program};

use crate::support::Host;

mod changes;
mod load;
mod replaced;
mod s_client;
mod signals;
mod switches;
mod tickets;
mod tls;
mod watch;

const NAMES: [&str; 3] = ["localhost", "mx.example.org", "127.0.0.1"];
const TAKEN: &str = "reloaded ";
const REFUSED: &str = "reload refused: ";

/// The lines on stderr that begin so.
fn said(program: &Program, prefix: &str) -> Vec<String> {
    program.stderr().into_iter().filter(|line| line.starts_with(prefix)).collect()
}

/// The lines that say what came of a reading, so far.
fn outcomes(program: &Program) -> Vec<String> {
    let all = program.stderr().into_iter();
    all.filter(|line| [TAKEN, REFUSED].iter().any(|prefix| line.starts_with(prefix))).collect()
}

/// Waits for the outcome behind the first `before`, and gives all that was said until then.
fn wait_outcome(program: &Program, before: usize) -> String {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(outcome) = outcomes(program).get(before) {
            return outcome.clone();
        }
        assert!(Instant::now() < deadline, "no outcome: {:#?}", program.stderr());
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Has the directory read again, and gives what came of it.
fn reload(program: &Program) -> String {
    let before = outcomes(program).len();
    program.signal("HUP");
    wait_outcome(program, before)
}

fn reload_is_taken(program: &Program) {
    let outcome = reload(program);
    assert!(outcome.starts_with(TAKEN), "{outcome}: {:#?}", program.stderr());
}

/// Expects a refusal with these words among all that is said from here on.
fn reload_is_refused(program: &Program, words: &[&str]) {
    let before = program.stderr().len();
    let outcome = reload(program);
    assert!(outcome.starts_with(REFUSED), "{outcome}: {:#?}", program.stderr());
    let now = program.stderr().split_off(before);
    for word in words {
        assert!(now.iter().any(|line| line.contains(word)), "no {word:?} in {now:#?}");
    }
}

/// Another certificate with its key in the place of the host's.
fn change_certificate(host: &Host) -> Leaf {
    let leaf = pki::self_signed(&NAMES);
    host.write("tls.chain.pem", &leaf.chain()).write("tls.key.pem", &leaf.key);
    leaf
}

/// What a client of Python's library saw of one session.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Session {
    /// The server's certificate, in hexadecimal.
    certificate: String,
    suite: String,
    /// The code of the reply to RCPT for a recipient elsewhere.
    recipient: String,
}

impl Session {
    fn shows(&self, leaf: &Leaf) -> bool {
        self.certificate == hexadecimal(leaf)
    }
}

fn hexadecimal(leaf: &Leaf) -> String {
    client::der(&leaf.certificate).iter().map(|octet| format!("{octet:02x}")).collect()
}

/// One line of the script as a session.
fn parse(line: &str) -> Session {
    match line.split(' ').collect::<Vec<_>>()[..] {
        ["session", certificate, suite, recipient] => Session {
            certificate: certificate.to_owned(),
            suite: suite.to_owned(),
            recipient: recipient.to_owned(),
        },
        _ => panic!("no session: {line}"),
    }
}

/// The script as a command.
fn python(program: &Path, port: u16, arguments: &[&str]) -> Command {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/programs/reload/client.py");
    let mut command = Command::new(program);
    command.arg(script).arg(port.to_string()).args(arguments);
    command
}

/// One session under TLS 1.2 by STARTTLS.
fn session(program: &Path, port: u16) -> Session {
    sessions(program, port, &["127.0.0.1"]).remove(0)
}

/// One from each of these addresses.
fn sessions(program: &Path, port: u16, from: &[&str]) -> Vec<Session> {
    let arguments: Vec<_> = from.iter().flat_map(|address| ["--from", address]).collect();
    let ran = process::run(&mut python(program, port, &arguments), b"");
    assert_eq!(ran.code, Some(0), "{ran:#?}");
    assert_eq!(ran.stdout.len(), from.len(), "{ran:#?}");
    ran.stdout.iter().map(|line| parse(line)).collect()
}

fn control_file(host: &Host, name: &str) -> PathBuf {
    host.control().join(name)
}

/// Puts a file in its place at one moment.
fn put(host: &Host, name: &str, content: &str) {
    let new = control_file(host, &format!("{name}.new"));
    fs::write(&new, content).unwrap();
    fs::rename(new, control_file(host, name)).unwrap();
}
