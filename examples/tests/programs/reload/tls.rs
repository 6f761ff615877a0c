//! Which TLS configuration a client gets, and which of them are kept over a reading.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use smtp_testkit::process::{self, TempDir, require_peer};

use super::{Session, change_certificate, reload, reload_is_taken, sessions};
use crate::support::{BACKENDS, Host};

const SUITES: [&str; 3] = [
    "ECDHE-ECDSA-AES128-GCM-SHA256",
    "ECDHE-ECDSA-AES256-GCM-SHA384",
    "ECDHE-ECDSA-CHACHA20-POLY1305",
];

/// What `openssl s_client` makes of a session.
pub(super) struct SClient {
    program: PathBuf,
    folder: TempDir,
}

impl SClient {
    pub(super) fn new() -> Option<Self> {
        Some(Self { program: require_peer("openssl")?, folder: process::temp_dir() })
    }

    pub(super) fn kept(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A session that is kept under a name.
    pub(super) fn begin(&self, port: u16, version: &str, name: &str) {
        let kept = self.kept(name);
        let lines = self.connect(port, version, &["-sess_out", kept.to_str().unwrap()]);
        assert!(lines.iter().any(|line| line.starts_with("New, TLSv1.")), "{lines:#?}");
        assert!(fs::metadata(&kept).is_ok_and(|file| file.len() > 0), "{lines:#?}");
    }

    /// Whether a kept session is resumed.
    pub(super) fn resumes(&self, port: u16, version: &str, name: &str) -> bool {
        let kept = self.kept(name);
        let lines = self.connect(port, version, &["-sess_in", kept.to_str().unwrap()]);
        let begins = |word: &str| lines.iter().any(|line| line.starts_with(word));
        assert!(begins("Reused, TLSv1.") != begins("New, TLSv1."), "{lines:#?}");
        begins("Reused, TLSv1.")
    }

    pub(super) fn connect(&self, port: u16, version: &str, more: &[&str]) -> Vec<String> {
        let mut command = Command::new(&self.program);
        command.args(["s_client", "-crlf", "-ign_eof", "-starttls", "smtp", version, "-connect"]);
        command.arg(format!("127.0.0.1:{port}")).args(more);
        let ran = process::run(&mut command, b"EHLO client.example.net\nQUIT\n");
        [ran.stdout, ran.stderr].concat()
    }
}

/// The numbers of the suites that these clients get.
fn suites(python: &Path, port: u16, from: &[&str]) -> Vec<usize> {
    let number =
        |session: Session| SUITES.iter().position(|suite| session.suite == *suite).unwrap();
    sessions(python, port, from).into_iter().map(number).collect()
}

/// Two clients of one listener, by their addresses; and again with other rules.
#[test]
fn each_client_gets_the_suite_of_its_rule() {
    let Some(python) = require_peer("python3") else { return };
    let clients = ["127.0.0.2", "127.0.0.3", "127.0.0.1"];
    for backend in BACKENDS {
        let host = Host::new();
        let rules = |two: usize, three: usize| {
            let rule = |n, suite: usize| {
                format!("127.0.0.{n}:allow,TLSCIPHERS=\"{}\",RELAYCLIENT=\"\"\n", SUITES[suite])
            };
            host.write("smtp.tcp", &format!("{}{}:allow\n", rule(2, two), rule(3, three)));
        };
        host.write("tls.tlsserverciphers", SUITES[2]);
        rules(0, 1);
        let program = host.serve(&["--tls", backend]);
        for port in [host.starttls, host.submission] {
            assert_eq!(suites(&python, port, &clients), [0, 1, 2], "{backend}");
        }
        rules(1, 0);
        // The same suites for others: no configuration is made.
        let outcome = reload(&program);
        assert_eq!(outcome, "reloaded listeners=3 tls_configurations=3 new=0", "{backend}");
        for port in [host.starttls, host.submission] {
            assert_eq!(suites(&python, port, &clients), [1, 0, 2], "{backend}");
        }
    }
}

/// Ten thousand rules with three strings are three configurations, for all services together.
#[test]
fn many_rules_share_few_configurations() {
    for backend in BACKENDS {
        let host = Host::new();
        let mut rules = String::new();
        for n in 0..10_000_u32 {
            let [_, b, c, d] = n.to_be_bytes();
            let suite = SUITES[usize::from(d) % SUITES.len()];
            writeln!(rules, "10.{b}.{c}.{d}:allow,TLSCIPHERS=\"{suite}\"").unwrap();
        }
        rules.push_str(":allow\n");
        host.write("smtp.tcp", &rules).write("tls.tlsserverciphers", SUITES[0]);
        let program = host.serve(&["--tls", backend]);
        let outcome = reload(&program);
        assert_eq!(outcome, "reloaded listeners=3 tls_configurations=3 new=0", "{backend}");
    }
}

/// A session goes on over a reload that leaves its TLS settings as they are, and over no other.
#[test]
fn sessions_are_resumed_over_a_reload_of_something_else() {
    let Some(client) = SClient::new() else { return };
    for backend in BACKENDS {
        for version in ["-tls1_2", "-tls1_3"] {
            let host = Host::new();
            let program = host.serve(&["--tls", backend]);
            client.begin(host.starttls, version, "first");
            host.write("me", "new.example\n").write("rcpthosts", "new.example\n");
            reload_is_taken(&program);
            assert!(client.resumes(host.starttls, version, "first"), "{backend} {version}");

            client.begin(host.starttls, version, "second");
            change_certificate(&host);
            reload_is_taken(&program);
            assert!(!client.resumes(host.starttls, version, "second"), "{backend} {version}");
        }
    }
}

/// TLS 1.3 alone: also where a cipher string leaves nothing of TLS 1.2, which is an error otherwise.
#[test]
fn tls_1_3_alone_is_asked_for_by_a_switch() {
    let Some(client) = SClient::new() else { return };
    for backend in BACKENDS {
        let host = Host::new();
        let _program = host.serve(&["--tls", backend, "--tls13-only"]);
        let lines = client.connect(host.starttls, "-tls1_3", &[]);
        assert!(lines.iter().any(|line| line.starts_with("New, TLSv1.3")), "{lines:#?}");
        let lines = client.connect(host.starttls, "-tls1_2", &[]);
        assert!(lines.iter().any(|line| line.contains("alert protocol version")), "{lines:#?}");
    }
    if BACKENDS.contains(&"rustls") {
        let host = Host::new();
        host.write("tls.tlsserverciphers", "DHE-RSA-AES128-SHA\n");
        let refused = process::run(&mut host.smtpd(&["--tls", "rustls"]), b"");
        assert_eq!(refused.code, Some(78), "{refused:?}");
        let _program = host.serve(&["--tls", "rustls", "--tls13-only"]);
        let lines = client.connect(host.starttls, "-tls1_3", &[]);
        assert!(lines.iter().any(|line| line.starts_with("New, TLSv1.3")), "{lines:#?}");
    }
}
