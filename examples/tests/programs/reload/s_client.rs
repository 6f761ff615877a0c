//! `openssl s_client`, whose sessions are kept and resumed.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use smtp_testkit::process::{self, TempDir, require_peer};

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
        self.says(port, version, more, "")
    }

    /// What is said when these lines are sent, between EHLO and QUIT.
    pub(super) fn says(&self, port: u16, version: &str, more: &[&str], lines: &str) -> Vec<String> {
        let mut command = Command::new(&self.program);
        command.args(["s_client", "-crlf", "-ign_eof", "-starttls", "smtp", version, "-connect"]);
        command.arg(format!("127.0.0.1:{port}")).args(more);
        let said = format!("EHLO client.example.net\n{lines}QUIT\n");
        let ran = process::run(&mut command, said.as_bytes());
        [ran.stdout, ran.stderr].concat()
    }
}
