//! From `hvmail-send` to a server of Python's standard library, which has TLS: what it saw agrees with
//! what each recipient's line says.

use std::cell::Cell;
use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;

use smtp_testkit::pki::{Authority, Key, Leaf, Validity};
use smtp_testkit::process::{self, Finished, Program, TempDir, require_peer};

use super::{ENVELOPE, messages, send, whole_lines, with_crlf};
use crate::support::{BACKENDS, Host, eventually};

/// `receiver.py` on an address of this host.
pub(super) struct Receiver {
    program: Program,
    pub(super) route: String,
    folder: TempDir,
    /// Lines of its stdout that the test had.
    heard: Cell<usize>,
}

impl Receiver {
    pub(super) fn start(
        python: &Path,
        address: &str,
        port: u16,
        leaf: &Leaf,
        more: &[&str],
    ) -> Self {
        let folder = process::temp_dir();
        let chain = folder.path().join("chain.pem");
        fs::write(&chain, leaf.chain_and_key()).unwrap();
        fs::create_dir(folder.path().join("messages")).unwrap();
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/programs/peers/receiver.py");
        let mut command = Command::new(python);
        command
            .arg("-I")
            .arg(script)
            .args(["--address", address, "--port", &port.to_string()])
            .arg("--chain")
            .arg(&chain)
            .arg("--folder")
            .arg(folder.path().join("messages"))
            .args(more);
        let program = Program::spawn(&mut command);
        program.wait_for_stdout("listening");
        // The first line is that it listens.
        Self { program, route: format!("{address}:{port}"), folder, heard: Cell::new(1) }
    }

    /// With STARTTLS on a free port.
    pub(super) fn starttls(python: &Path, leaf: &Leaf, more: &[&str]) -> Self {
        let more = [&["--mode", "starttls"], more].concat();
        Self::start(python, "127.0.0.1", process::free_port(), leaf, &more)
    }

    /// What it said of the next connection, once that is at its end: `quit` or `lost` comes last.
    pub(super) fn next_connection(&self) -> Vec<String> {
        let is_end = |line: &String| line == "quit" || line == "lost";
        let mut said = Vec::new();
        eventually("the connection ends", || {
            said = self.program.stdout().split_off(self.heard.get());
            said.iter().any(is_end)
        });
        said.truncate(said.iter().position(is_end).expect("it ended") + 1);
        self.heard.set(self.heard.get() + said.len());
        said
    }

    pub(super) fn messages(&self) -> Vec<PathBuf> {
        let folder = fs::read_dir(self.folder.path().join("messages")).unwrap();
        folder.map(|entry| entry.unwrap().path()).collect()
    }

    /// Takes the one message that it has.
    pub(super) fn take(&self) -> Vec<u8> {
        let files = self.messages();
        let [file] = &files[..] else { panic!("not one message: {:#?}", self.program.stdout()) };
        let message = fs::read(file).unwrap();
        fs::remove_file(file).unwrap();
        message
    }
}

/// The lines of two recipients that a receiver took a message for.
pub(super) fn delivered(tls: &str) -> [String; 2] {
    ["b", "c"].map(|to| format!("delivered {to}@example.org 250 2.0.0 taken as 0 tls={tls}"))
}

pub(super) fn ca_file(host: &Host, authority: &Authority) -> String {
    let path = host.control().join("authority.pem");
    fs::write(&path, authority.certificate()).unwrap();
    path.into_os_string().into_string().unwrap()
}

/// Every message over STARTTLS, in each version: both sides name the same suite.
#[test]
fn python_has_every_message_over_starttls() {
    let Some(python) = require_peer("python3") else { return };
    let host = Host::new();
    let authority = Authority::root("root");
    let ca = ca_file(&host, &authority);
    let verify = ["--verify", "--ca", &ca, "--name", "mx.example.net"];
    for (version, begins) in [("TLSv1_2", "TLSv1.2/"), ("TLSv1_3", "TLSv1.3/")] {
        let leaf = authority.issue(&["mx.example.net"]);
        let receiver = Receiver::starttls(&python, &leaf, &["--version", version]);
        for backend in BACKENDS {
            for (name, message) in messages() {
                let arguments = [&ENVELOPE[..], &verify, &["--tls", backend]].concat();
                let sent = send(&host, &receiver.route, &arguments, &message);
                let context = format!("{backend} {version} {name}: {sent:#?}");
                assert_eq!(sent.code, Some(0), "{context}");
                assert!(receiver.take() == with_crlf(&whole_lines(&message)), "changed: {context}");
                let saw = receiver.next_connection();
                let tls = saw[2].strip_prefix("tls ").unwrap_or_else(|| panic!("{saw:#?}"));
                assert!(tls.starts_with(begins), "{context}");
                assert_eq!(sent.stdout, delivered(tls), "{context}");
                // EHLO is said again behind the handshake, and nothing of the message before it.
                assert_eq!(saw[0], "EHLO mx.example.org");
                assert_eq!(saw[1], "sni mx.example.net");
                assert_eq!(saw[3], "EHLO mx.example.org");
                assert!(saw[4].starts_with("MAIL FROM:<a@example.org>"), "{saw:#?}");
                assert_eq!(saw[4].contains(" BODY=8BITMIME"), name == "8-bit", "{saw:#?}");
                let rest =
                    ["RCPT TO:<b@example.org>", "RCPT TO:<c@example.org>", "message 0", "quit"];
                assert_eq!(saw[5..], rest);
            }
        }
    }
}

/// A certificate that is wrong stops `--verify` before MAIL, and nothing without it.
#[test]
fn python_with_a_wrong_certificate_gets_nothing_that_is_to_be_verified() {
    let Some(python) = require_peer("python3") else { return };
    let host = Host::new();
    let authority = Authority::root("root");
    let ca = ca_file(&host, &authority);
    let names = ["mx.example.net"];
    let leaves = [
        ("valid", authority.issue(&names), true),
        ("valid, RSA", authority.issue_as(&names, Key::Rsa, Validity::Now), true),
        ("below another", authority.intermediate("between").issue(&names), true),
        ("wrong name", authority.issue(&["other.example.net"]), false),
        ("expired", authority.issue_as(&names, Key::Ecdsa, Validity::Expired), false),
        ("not yet", authority.issue_as(&names, Key::Ecdsa, Validity::NotYet), false),
        ("unknown", Authority::root("root").issue(&names), false),
    ];
    for (what, leaf, good) in leaves {
        let receiver = Receiver::starttls(&python, &leaf, &[]);
        for backend in BACKENDS {
            check_certificate(&host, &receiver, &ca, what, good, backend);
        }
    }
}

/// Sends with `--verify` and without it to a receiver whose certificate is good or not.
fn check_certificate(host: &Host, to: &Receiver, ca: &str, what: &str, good: bool, backend: &str) {
    const MESSAGE: &[u8] = b"Subject: hello\n\nhello\n";
    let with = |more: &[&str]| {
        let arguments = [&ENVELOPE[..], &["--tls", backend], more].concat();
        send(host, &to.route, &arguments, MESSAGE)
    };
    let is_delivered = |sent: &Finished| {
        assert_eq!(sent.code, Some(0), "{backend} {what}: {sent:#?}");
        assert!(sent.stdout[0].contains(" tls=TLSv1.3/TLS_AES_"), "{sent:#?}");
        assert_eq!(to.take(), with_crlf(MESSAGE));
        assert_eq!(to.next_connection().last().unwrap(), "quit");
    };
    let is_deferred = |sent: &Finished| {
        assert_eq!(sent.code, Some(75), "{backend} {what}: {sent:#?}");
        assert_eq!(sent.stdout.len(), 2, "{sent:#?}");
        for (line, to) in sent.stdout.iter().zip(["b", "c"]) {
            assert!(line.starts_with(&format!("deferred {to}@example.org 451 4.7.5 ")), "{line}");
        }
        let saw = to.next_connection();
        assert!(!saw.iter().any(|line| line.starts_with("MAIL")), "{saw:#?}");
        assert!(to.messages().is_empty());
    };
    is_delivered(&with(&[]));
    let verified = with(&["--verify", "--ca", ca, "--name", "mx.example.net"]);
    if good {
        is_delivered(&verified);
        // The host itself is the name where no other is given; the system knows no such authority.
        is_deferred(&with(&["--verify", "--ca", ca]));
        is_deferred(&with(&["--verify", "--name", "mx.example.net"]));
    } else {
        is_deferred(&verified);
    }
}

/// Implicit TLS, on an address that no other test binds port 465 of.
#[test]
fn python_has_a_message_over_implicit_tls() {
    let Some(python) = require_peer("python3") else { return };
    let address = "127.0.0.2";
    if let Err(error) = TcpListener::bind((address, 465)) {
        eprintln!(
            "skipped: python_has_a_message_over_implicit_tls: cannot bind {address}:465: {error}"
        );
        return;
    }
    let host = Host::new();
    let authority = Authority::root("root");
    let ca = ca_file(&host, &authority);
    let leaves = [
        ("valid", authority.issue(&["mx.example.net"]), true),
        ("wrong name", authority.issue(&["other.example.net"]), false),
        ("expired", authority.issue_as(&["mx.example.net"], Key::Ecdsa, Validity::Expired), false),
    ];
    for (what, leaf, good) in leaves {
        let receiver = Receiver::start(&python, address, 465, &leaf, &["--mode", "implicit"]);
        for backend in BACKENDS {
            check_certificate(&host, &receiver, &ca, what, good, backend);
        }
    }
}

/// Where TLS cannot be had, the rule decides: clear text, or later.
#[test]
fn python_without_usable_tls_gets_what_the_rule_allows() {
    let Some(python) = require_peer("python3") else { return };
    let leaf = Authority::root("root").issue(&["mx.example.net"]);
    let rule = |directive: &str| {
        let host = Host::new();
        host.write("greenarrow.conf", &format!("general {{\n  {directive}\n}}\n"));
        host
    };
    let rules = [rule("starttls_use no"), rule("starttls_use yes"), rule("starttls_require yes")];
    // What each of them says; a TLS of 2006 is no reason to go on in clear.
    let peers = [
        (&["--mode", "none"][..], ["none/policy", "none/not-offered", "451 4.7.4 "]),
        (&["--mode", "refuses"], ["none/policy", "none/refused", "451 4.7.4 "]),
        (
            &["--mode", "starttls", "--version", "TLSv1_1"],
            ["none/policy", "451 4.7.5 ", "451 4.7.5 "],
        ),
    ];
    for (arguments, expected) in peers {
        let receiver =
            Receiver::start(&python, "127.0.0.1", process::free_port(), &leaf, arguments);
        for backend in BACKENDS {
            for (host, expected) in rules.iter().zip(expected) {
                let more = [&ENVELOPE[..], &["--tls", backend]].concat();
                let sent = send(host, &receiver.route, &more, b"Subject: hello\n\nhello\n");
                let context = format!("{backend} {arguments:?} {expected}: {sent:#?}");
                if expected.starts_with("none/") {
                    assert_eq!(sent.code, Some(0), "{context}");
                    assert_eq!(sent.stdout, delivered(expected), "{context}");
                    assert_eq!(receiver.take(), b"Subject: hello\r\n\r\nhello\r\n");
                } else {
                    assert_eq!(sent.code, Some(75), "{context}");
                    let begun = format!("deferred b@example.org {expected}");
                    assert!(sent.stdout[0].starts_with(&begun), "{context}");
                    assert!(receiver.messages().is_empty(), "{context}");
                }
            }
        }
    }
}

/// One message, one fate for each of its recipients.
#[test]
fn python_takes_a_message_for_some_of_its_recipients() {
    let Some(python) = require_peer("python3") else { return };
    let host = Host::new();
    let receiver =
        Receiver::starttls(&python, &Authority::root("root").issue(&["mx.example.net"]), &[]);
    let to = |names: &[&str]| {
        let names =
            names.iter().flat_map(|name| ["--to".to_owned(), format!("{name}@example.org")]);
        let arguments: Vec<_> =
            ["--from".to_owned(), "<>".to_owned()].into_iter().chain(names).collect();
        let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
        send(&host, &receiver.route, &arguments, b"Subject: hello\n\nhello\n")
    };
    let line = |name: &str| {
        let name = name.to_owned();
        match &name[..] {
            "reject" => {
                "rejected reject@example.org 550 5.1.1 no such user tls=TLSv1.3/".to_owned()
            }
            "defer" => "deferred defer@example.org 450 4.2.1 mailbox busy tls=TLSv1.3/".to_owned(),
            _ => format!("delivered {name}@example.org 250 2.0.0 taken as 0 tls=TLSv1.3/"),
        }
    };
    let all: [(&[&str], i32, usize); 6] = [
        (&["b", "c"], 0, 1),
        (&["b", "reject", "c"], 69, 1),
        (&["reject", "b", "defer"], 75, 1),
        (&["defer", "c"], 75, 1),
        (&["reject"], 69, 0),
        (&["reject", "defer"], 75, 0),
    ];
    for (names, code, taken) in all {
        let sent = to(names);
        assert_eq!(sent.code, Some(code), "{sent:#?}");
        assert_eq!(sent.stdout.len(), names.len(), "{sent:#?}");
        for (said, name) in sent.stdout.iter().zip(names) {
            assert!(said.starts_with(&line(name)), "{names:?}: {sent:#?}");
        }
        assert_eq!(receiver.messages().len(), taken, "{names:?}: {sent:#?}");
        if taken == 1 {
            receiver.take();
        }
    }
    assert!(receiver.next_connection().iter().any(|line| line == "MAIL FROM:<>"));
}
