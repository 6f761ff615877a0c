//! What the program tests share: a control directory on free loopback ports, the programs over it,
//! and the messages that end in its Maildir.
#![allow(unreachable_pub)]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use smtp_testkit::peer::Peer;
use smtp_testkit::pki::{self, Leaf};
use smtp_testkit::process::{self, Finished, Program, TempDir};

/// The TLS libraries that this build's programs have.
pub const BACKENDS: &[&str] = &[
    #[cfg(feature = "rustls")]
    "rustls",
    #[cfg(feature = "openssl")]
    "openssl",
];

/// A control directory with three services on loopback, and a Maildir beside it.
pub struct Host {
    directory: TempDir,
    pub certificate: Leaf,
    pub starttls: u16,
    pub submission: u16,
    pub smtps: u16,
}

impl Host {
    /// Service `smtp` and `smtp2` with STARTTLS, `smtp3` with SMTPS, relaying for loopback.
    pub fn new() -> Self {
        Self::with_smtps_on(process::free_port())
    }

    /// The same, with SMTPS on a port that the test names.
    pub fn with_smtps_on(smtps: u16) -> Self {
        let host = Self {
            directory: process::temp_dir(),
            certificate: pki::self_signed(&["localhost", "mx.example.org", "127.0.0.1"]),
            starttls: process::free_port(),
            submission: process::free_port(),
            smtps,
        };
        fs::create_dir_all(host.control()).unwrap();
        host.write("me", "mx.example.org\n")
            .write("rcpthosts", "example.org\n")
            .write("smtp.ipaddr", "127.0.0.1\n")
            .write("smtp.port", &format!("{}\n", host.starttls))
            .write("smtp.tcp", "127.0.0.1:allow,RELAYCLIENT=\"\"\n:allow\n")
            .write("smtp2", &format!("ENABLED=1\nIPADDR=127.0.0.1\nPORT={}\n", host.submission))
            .write(
                "smtp3",
                &format!(
                    "ENABLED=1\nIPADDR=127.0.0.1\nPORT={}\nSMTPS=1\nexport SMTPS\n",
                    host.smtps
                ),
            )
            .write("tls.chain.pem", &host.certificate.chain())
            .write("tls.key.pem", &host.certificate.key)
            .write(
                "greenarrow.conf",
                "general {\n  tls_certificate_files tls.chain.pem tls.key.pem\n  starttls_use yes\n}\n",
            );
        host
    }

    pub fn control(&self) -> PathBuf {
        self.directory.path().join("control")
    }

    pub fn maildir(&self) -> PathBuf {
        self.directory.path().join("Maildir")
    }

    /// Writes one control file, for its owner alone, as private keys are kept.
    pub fn write(&self, name: &str, content: &str) -> &Self {
        let path = self.control().join(name);
        fs::write(&path, content).unwrap();
        fs::set_permissions(path, PermissionsExt::from_mode(0o600)).unwrap();
        self
    }

    /// The file that a client trusts this host's certificate by.
    pub fn ca_file(&self) -> PathBuf {
        let path = self.directory.path().join("ca.pem");
        fs::write(&path, &self.certificate.certificate).unwrap();
        path
    }

    /// `hvmail-smtpd` over this directory, once every service accepts.
    pub fn serve(&self, arguments: &[&str]) -> Program {
        let program = self.start(arguments);
        for service in ["smtp ", "smtp2 ", "smtp3 "] {
            program.wait_for_stderr(&format!("listening service={service}"));
        }
        program
    }

    /// `hvmail-smtpd` over this directory, just started.
    pub fn start(&self, arguments: &[&str]) -> Program {
        Program::spawn(&mut self.smtpd(arguments))
    }

    /// `hvmail-smtpd` over this directory, not started yet.
    pub fn smtpd(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(SMTPD);
        command.arg("--control").arg(self.control());
        command.arg("--maildir").arg(self.maildir()).args(arguments);
        command
    }

    /// `hvmail-send` under this directory's outgoing rules.
    pub fn send(&self, port: u16, arguments: &[&str], message: &str) -> Finished {
        process::run(
            Command::new(SEND)
                .arg("--control")
                .arg(self.control())
                .arg("--route")
                .arg(format!("127.0.0.1:{port}"))
                .args(arguments),
            message.as_bytes(),
        )
    }

    /// A peer of the STARTTLS service that may send its message, in clear.
    pub fn in_data(&self) -> Peer {
        let mut peer = Peer::connect(("127.0.0.1", self.starttls));
        peer.expect_reply("220");
        peer.ask("EHLO client.example.net", "250");
        peer.ask("MAIL FROM:<a@example.org>", "250");
        peer.ask("RCPT TO:<b@example.org>", "250");
        peer.ask("DATA", "354");
        peer
    }

    /// The messages in `new`, in no order.
    pub fn messages(&self) -> Vec<String> {
        let Ok(folder) = fs::read_dir(self.maildir().join("new")) else { return Vec::new() };
        folder
            .map(|entry| {
                String::from_utf8_lossy(&fs::read(entry.unwrap().path()).unwrap()).into_owned()
            })
            .collect()
    }

    /// What is left in `tmp`.
    pub fn leftovers(&self) -> Vec<PathBuf> {
        let Ok(folder) = fs::read_dir(self.maildir().join("tmp")) else { return Vec::new() };
        folder.map(|entry| entry.unwrap().path()).collect()
    }
}

/// The server program of this workspace.
pub const SMTPD: &str = env!("CARGO_BIN_EXE_hvmail-smtpd");

/// The sending program of this workspace.
pub const SEND: &str = env!("CARGO_BIN_EXE_hvmail-send");

/// The program that checks and explains, of this workspace.
pub const TLS_TOOL: &str = env!("CARGO_BIN_EXE_hvmail-tls");

/// Waits until `done` holds.
///
/// # Panics
/// When it does not within ten seconds.
pub fn eventually(what: &str, mut done: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while !done() {
        assert!(Instant::now() < deadline, "not within ten seconds: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// The text in front of a message's own lines, and those lines.
pub fn split_trace(message: &str, first_own_line: &str) -> (String, String) {
    let at = message
        .find(first_own_line)
        .unwrap_or_else(|| panic!("no line {first_own_line:?} in:\n{message}"));
    (message[..at].to_owned(), message[at..].to_owned())
}
