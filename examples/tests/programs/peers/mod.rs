//! The programs with peers that this project did not write.

mod extensions;
mod receiver;
mod s_client;
mod senders;
mod smtp_sink;

use std::fs;
use std::process::Command;

use smtp_testkit::process::{self, Finished};

use crate::support::{Host, SEND};

/// Messages that a careless sender or receiver changes, with LF as files have it.
pub(super) fn messages() -> Vec<(&'static str, Vec<u8>)> {
    let high_octets: Vec<u8> = (0x80..=0xff).collect();
    let mut large = b"Subject: large\n\n".to_vec();
    for count in 0..12_000 {
        large.extend(".".repeat(count % 3).bytes());
        large.extend("x".repeat(count % 70).bytes());
        large.push(b'\n');
    }
    vec![
        ("plain", b"Subject: hello\n\nOver TLS.\n".to_vec()),
        ("dots", b"Subject: dots\n\n.\n..\n...\n.leading\n.\nmid.dle\n".to_vec()),
        ("a dot alone", b".\n".to_vec()),
        ("8-bit", [b"Subject: 8-bit\n\n", &high_octets[..], b"\n"].concat()),
        ("long lines", [b"x".repeat(998), b"\n".to_vec(), b"y".repeat(70_000)].join(&b"\n"[..])),
        ("no end of line", b"Subject: open\n\nno end".to_vec()),
        ("an empty line", b"\n".to_vec()),
        ("empty", Vec::new()),
        ("large", large),
    ]
}

/// The message as it is kept: its last line has an end.
pub(super) fn whole_lines(message: &[u8]) -> Vec<u8> {
    let mut message = message.to_vec();
    if !message.is_empty() && message.last() != Some(&b'\n') {
        message.push(b'\n');
    }
    message
}

/// The message with CRLF, as it is on the wire but for the dots.
pub(super) fn with_crlf(message: &[u8]) -> Vec<u8> {
    lines(message).flat_map(|line| [line, b"\r\n"].concat()).collect()
}

/// The lines of a message, without their ends.
pub(super) fn lines(message: &[u8]) -> impl Iterator<Item = &[u8]> {
    message
        .split_inclusive(|&octet| octet == b'\n')
        .map(|line| line.strip_suffix(b"\n").unwrap_or(line))
}

/// A message of the Maildir, taken apart.
#[derive(Debug)]
pub(super) struct Stored {
    pub(super) reverse_path: String,
    pub(super) recipients: Vec<String>,
    /// The name in EHLO.
    pub(super) hello: String,
    /// `ESMTPS (TLS_AES_256_GCM_SHA384 encrypted)`
    pub(super) with: String,
    /// The message's own octets.
    pub(super) own: Vec<u8>,
}

impl Stored {
    fn parse(file: &[u8]) -> Self {
        let mut rest = file;
        let mut next = || {
            let end = rest.iter().position(|&octet| octet == b'\n').expect("a line");
            let line = std::str::from_utf8(&rest[..end]).unwrap().to_owned();
            rest = &rest[end + 1..];
            line
        };
        let between = |line: &str, before: &str, after: &str| {
            line.strip_prefix(before)
                .and_then(|line| line.strip_suffix(after))
                .unwrap_or_else(|| panic!("not {before:?} … {after:?}: {line:?}"))
                .to_owned()
        };
        let reverse_path = between(&next(), "Return-Path: <", ">");
        let mut recipients = Vec::new();
        let received = loop {
            let line = next();
            match line.strip_prefix("Delivered-To: ") {
                Some(recipient) => recipients.push(recipient.to_owned()),
                None => break line,
            }
        };
        let hello = between(&received, "Received: from unknown (HELO ", ") (127.0.0.1)");
        let by = next();
        let (with, date) = by.split_once("; ").expect("a date");
        assert!(date.ends_with(" -0000"), "{date}");
        let with = between(with, "  by mx.example.org with ", "");
        Self { reverse_path, recipients, hello, with, own: rest.to_vec() }
    }
}

/// Takes all messages out of the Maildir.
pub(super) fn take_all(host: &Host) -> Vec<Stored> {
    assert!(host.leftovers().is_empty(), "{:?}", host.leftovers());
    let Ok(folder) = fs::read_dir(host.maildir().join("new")) else { return Vec::new() };
    folder
        .map(|entry| {
            let path = entry.unwrap().path();
            let content = fs::read(&path).unwrap();
            fs::remove_file(&path).unwrap();
            Stored::parse(&content)
        })
        .collect()
}

/// Takes the one message out of the Maildir.
pub(super) fn take_one(host: &Host) -> Stored {
    let mut all = take_all(host);
    assert_eq!(all.len(), 1, "{all:?}");
    all.remove(0)
}

/// What Received says of a connection over TLS.
pub(super) fn encrypted(suite: &str) -> String {
    format!("ESMTPS ({suite} encrypted)")
}

/// The rest of the first line with this beginning.
pub(super) fn after<'a>(lines: &'a [String], beginning: &str) -> &'a str {
    lines
        .iter()
        .find_map(|line| line.strip_prefix(beginning))
        .unwrap_or_else(|| panic!("no {beginning:?} in {lines:#?}"))
}

/// The envelope of most messages.
pub(super) const ENVELOPE: [&str; 6] =
    ["--from", "a@example.org", "--to", "b@example.org", "--to", "c@example.org"];

/// `hvmail-send` under a host's outgoing rules, to any address.
pub(super) fn send(host: &Host, route: &str, arguments: &[&str], message: &[u8]) -> Finished {
    let mut command = Command::new(SEND);
    command.arg("--control").arg(host.control()).args(["--route", route]).args(arguments);
    process::run(&mut command, message)
}
