//! From `hvmail-send` to Postfix's `smtp-sink`: it has what was sent, and each recipient's line says
//! what it answered.

use std::fs;
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;

use smtp_testkit::process::{self, Program, TempDir, require_peer};

use super::{ENVELOPE, messages, send, whole_lines};
use crate::support::{Host, eventually};

/// `smtp-sink` on a free port, once it accepts; what it dumps goes to its folder.
pub(super) struct Sink {
    _program: Program,
    folder: TempDir,
    pub(super) route: String,
}

impl Sink {
    pub(super) fn start(path: &Path, arguments: &[&str]) -> Self {
        let folder = process::temp_dir();
        let route = format!("127.0.0.1:{}", process::free_port());
        let mut command = Command::new(path);
        command.current_dir(folder.path()).args(arguments);
        // It refuses to run as root without the name of a user.
        let id = process::run(Command::new("id").arg("-u"), b"");
        if id.stdout == ["0"] {
            command.args(["-u", "root"]);
        }
        let program = Program::spawn(command.args([&route, "16"]));
        eventually("smtp-sink accepts", || TcpStream::connect(&route).is_ok());
        Self { _program: program, folder, route }
    }

    /// Takes the one message that it dumped: its lines about the envelope, and the message.
    pub(super) fn take(&self) -> (Vec<String>, Vec<u8>) {
        let files: Vec<_> =
            fs::read_dir(self.folder.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
        let [file] = &files[..] else { panic!("not one message: {files:?}") };
        let dump = fs::read(file).unwrap();
        fs::remove_file(file).unwrap();
        let received = dump.windows(10).position(|octets| octets == b"Received: ").unwrap();
        let envelope = String::from_utf8(dump[..received].to_vec()).unwrap();
        let mut own = &dump[received..];
        for _ in 0..3 {
            own = &own[own.iter().position(|&octet| octet == b'\n').unwrap() + 1..];
        }
        let own = own.strip_suffix(b"\n").expect("a dump ends with an empty line");
        (envelope.lines().map(str::to_owned).collect(), own.to_vec())
    }
}

/// smtp-sink has each message as it was, whatever it offers.
#[test]
fn smtp_sink_has_every_message() {
    let Some(path) = require_peer("smtp-sink") else { return };
    let host = Host::new();
    // Without pipelining, without ESMTP, behind a greeting of stars.
    for (offers, protocol) in
        [(&[][..], "ESMTP"), (&["-p"], "ESMTP"), (&["-e"], "SMTP"), (&["-P"], "SMTP")]
    {
        let sink = Sink::start(&path, &[&["-d", "message."], offers].concat());
        for (name, message) in messages() {
            let sent = send(&host, &sink.route, &ENVELOPE, &message);
            let context = format!("{offers:?} {name}: {sent:#?}");
            if protocol == "SMTP" && name == "8-bit" {
                // RFC 6152 section 3: such a message goes to nobody who does not offer 8BITMIME.
                assert_eq!(sent.code, Some(69), "{context}");
                assert!(
                    sent.stdout[0].starts_with("rejected b@example.org 554 5.6.3 "),
                    "{context}"
                );
                continue;
            }
            assert_eq!(sent.code, Some(0), "{context}");
            assert_eq!(
                sent.stdout,
                ["b", "c"].map(|to| format!(
                    "delivered {to}@example.org 250 2.0.0 Ok tls=none/not-offered"
                )),
                "{context}"
            );
            let (envelope, own) = sink.take();
            assert!(own == whole_lines(&message), "changed: {context}");
            assert_eq!(envelope[0], "X-Client-Addr: 127.0.0.1");
            assert_eq!(envelope[1], format!("X-Client-Proto: {protocol}"));
            assert_eq!(envelope[2], "X-Helo-Args: mx.example.org");
            assert!(envelope[3].starts_with("X-Mail-Args: <a@example.org>"), "{envelope:?}");
            assert_eq!(
                envelope[4..],
                ["X-Rcpt-Args: <b@example.org>", "X-Rcpt-Args: <c@example.org>"]
            );
        }
    }
}

/// Each command answered by 4yz, 5yz, 421 and nothing: one line per recipient, and the exit code.
#[test]
fn every_failure_of_smtp_sink_has_its_outcome() {
    const SOFT: &str = "450 4.3.0 Error: command failed";
    const HARD: &str = "500 5.3.0 Error: command failed";
    const CLOSING: &str = "421 4.0.0 Server closing connection";
    const OK: &str = "250 2.0.0 Ok";
    const MAYBE: &str = "; the server may already have accepted the message";
    let Some(path) = require_peer("smtp-sink") else { return };
    let host = Host::new();
    let lost = |at: &str| format!("451 4.4.2 {at}: the connection was lost");

    let mut cases: Vec<(Vec<&str>, &str, String)> = Vec::new();
    // Before there is a transaction nothing is said about this message: all is for later.
    for (command, at) in [("CONNECT", "greeting"), ("EHLO", "EHLO")] {
        cases.push((vec!["-q", command], "deferred", lost(at)));
        cases.push((vec!["-Q", command], "deferred", CLOSING.to_owned()));
        cases.push((vec!["-r", command], "deferred", SOFT.to_owned()));
    }
    cases.push((vec!["-f", "CONNECT"], "deferred", HARD.to_owned()));
    // RFC 5321 section 3.2: a server that refuses EHLO is asked again by HELO.
    cases.push((vec!["-f", "EHLO"], "delivered", OK.to_owned()));
    cases.push((vec!["-f", "EHLO,HELO"], "deferred", HARD.to_owned()));
    for (command, at) in [("MAIL", "MAIL"), ("RCPT", "RCPT"), ("DATA", "DATA"), (".", "final dot")]
    {
        let maybe = if command == "." { MAYBE } else { "" };
        cases.push((vec!["-q", command], "deferred", lost(at) + maybe));
        cases.push((vec!["-Q", command], "deferred", CLOSING.to_owned()));
        cases.push((vec!["-r", command], "deferred", SOFT.to_owned()));
        cases.push((vec!["-f", command], "rejected", HARD.to_owned()));
    }
    // The message is theirs by then.
    for option in ["-q", "-Q", "-r", "-f"] {
        cases.push((vec![option, "QUIT"], "delivered", OK.to_owned()));
    }
    cases.push((vec!["-A", "0"], "rejected", "550 This violates SMTP".to_owned()));
    cases.push((vec!["-r", ".", "-b", "452 4.3.1 full"], "deferred", "452 4.3.1 full".to_owned()));
    cases.push((vec!["-f", "RCPT", "-B", "550 5.1.1 who"], "rejected", "550 5.1.1 who".to_owned()));

    for (options, word, said) in cases {
        let sink = Sink::start(&path, &options);
        let sent = send(&host, &sink.route, &ENVELOPE, b"Subject: hello\n\nhello\n");
        let exit = match word {
            "delivered" => 0,
            "rejected" => 69,
            _ => 75,
        };
        assert_eq!(sent.code, Some(exit), "{options:?}: {sent:#?}");
        assert_eq!(sent.stdout.len(), 2, "{options:?}: {sent:#?}");
        for (line, to) in sent.stdout.iter().zip(["b", "c"]) {
            let begun = format!("{word} {to}@example.org {said} tls=");
            assert!(line.starts_with(&begun), "{options:?}: {line:?} is not {begun:?}…");
        }
    }
}
