//! To `hvmail-smtpd`, from `openssl s_client`: what each side says of their TLS agrees.

use std::fs;
use std::path::Path;
use std::process::Command;

use smtp_testkit::process::{self, Finished, require_peer};

use super::{after, encrypted, lines, messages, take_all, take_one, whole_lines};
use crate::support::{BACKENDS, Host, eventually};

const VERSIONS: [(&str, &str); 2] = [("-tls1_2", "TLSv1.2"), ("-tls1_3", "TLSv1.3")];

/// Both doors, as arguments of `openssl s_client`.
fn doors(host: &Host) -> [Vec<String>; 2] {
    let at = |port| ["-connect".to_owned(), format!("127.0.0.1:{port}")];
    let starttls = ["-starttls", "smtp"].map(str::to_owned);
    [[at(host.starttls), starttls].concat(), at(host.smtps).to_vec()]
}

/// The reply lines among others.
fn replies(lines: &[String]) -> Vec<&str> {
    let is_reply = |line: &&str| {
        line.len() > 3
            && line.bytes().take(3).all(|octet| octet.is_ascii_digit())
            && matches!(line.as_bytes()[3], b' ' | b'-')
    };
    lines.iter().map(String::as_str).filter(is_reply).collect()
}

/// One connection that sends all messages, with LF: `-crlf` makes CRLF of it.
fn conversation(all: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut said = b"EHLO client.example.net\n".to_vec();
    for (_, message) in all {
        said.extend(b"MAIL FROM:<a@example.org>\nRCPT TO:<b@example.org>\nDATA\n");
        for line in lines(message) {
            said.extend(if line.starts_with(b".") { &b"."[..] } else { b"" });
            said.extend(line);
            said.push(b'\n');
        }
        said.extend(b".\n");
    }
    said.extend(b"QUIT\n");
    said
}

fn s_client(openssl: &Path, arguments: &[String], more: &[&str], said: &[u8]) -> Finished {
    let mut command = Command::new(openssl);
    command.args(["s_client", "-crlf", "-ign_eof"]).args(arguments).args(more);
    process::run(&mut command, said)
}

/// `openssl s_client` holds whole conversations; what it says was negotiated stands in Received.
#[test]
fn openssl_s_client_sends_every_message() {
    let Some(openssl) = require_peer("openssl") else { return };
    let all = messages();
    for backend in BACKENDS {
        let host = Host::new();
        let _program = host.serve(&["--tls", backend]);
        let ca = host.ca_file();
        let verify = ["-CAfile", ca.to_str().unwrap(), "-verify_return_error"];
        for arguments in doors(&host) {
            for (flag, version) in VERSIONS {
                let more = [&verify[..], &["-verify_hostname", "mx.example.org", "-brief", flag]];
                let ran = s_client(&openssl, &arguments, &more.concat(), &conversation(&all));
                let context = format!("{backend} {arguments:?} {version}: {ran:#?}");
                assert_eq!(ran.code, Some(0), "{context}");
                assert_eq!(after(&ran.stderr, "Protocol version: "), version, "{context}");
                assert_eq!(after(&ran.stderr, "Verification: "), "OK", "{context}");
                let suite = after(&ran.stderr, "Ciphersuite: ");

                let replies = replies(&ran.stdout);
                let ehlo = replies.iter().position(|&line| line == "250-mx.example.org").unwrap();
                let (ehlo, rest) = replies[ehlo..].split_at(
                    replies[ehlo..].iter().position(|line| line.starts_with("250 ")).unwrap() + 1,
                );
                for capability in ["PIPELINING", "8BITMIME", "ENHANCEDSTATUSCODES"] {
                    assert!(ehlo.iter().any(|line| &line[4..] == capability), "{context}");
                }
                assert!(!ehlo.iter().any(|line| line.contains("STARTTLS")), "{context}");
                let mut expected =
                    ["250 2.1.0 ", "250 2.1.5 ", "354 ", "250 2.0.0 "].repeat(all.len());
                expected.push("221 2.0.0 ");
                assert_eq!(rest.len(), expected.len(), "{context}");
                for (line, beginning) in rest.iter().zip(expected) {
                    assert!(line.starts_with(beginning), "{context}");
                }

                let mut stored = take_all(&host);
                assert_eq!(stored.len(), all.len());
                for message in &stored {
                    assert_eq!(message.with, encrypted(suite), "{context}");
                    assert_eq!(message.hello, "client.example.net");
                    assert_eq!(message.reverse_path, "a@example.org");
                    assert_eq!(message.recipients, ["b@example.org"]);
                }
                for (name, message) in &all {
                    let message = whole_lines(message);
                    let same = stored.iter().position(|stored| stored.own == message);
                    let same = same.unwrap_or_else(|| panic!("changed or lost: {name}"));
                    stored.swap_remove(same);
                }
            }
        }
    }
}

/// A second connection takes up the first one's session, and mail goes through it.
#[test]
fn openssl_s_client_resumes_its_session() {
    let Some(openssl) = require_peer("openssl") else { return };
    let folder = process::temp_dir();
    let session = folder.path().join("session.pem");
    let session = session.to_str().unwrap();
    let message = [("plain", b"Subject: resumed\n\nagain\n".to_vec())];
    for backend in BACKENDS {
        let host = Host::new();
        let _program = host.serve(&["--tls", backend]);
        for arguments in doors(&host) {
            for (flag, version) in VERSIONS {
                let mut suites = Vec::new();
                for (file, beginning) in [("-sess_out", "New, "), ("-sess_in", "Reused, ")] {
                    let said = conversation(&message);
                    let ran = s_client(&openssl, &arguments, &[flag, file, session], &said);
                    let context = format!("{backend} {arguments:?} {version} {file}: {ran:#?}");
                    assert_eq!(ran.code, Some(0), "{context}");
                    let begun = format!("{beginning}{version}, Cipher is ");
                    suites.push(after(&ran.stdout, &begun).to_owned());
                    let stored = take_one(&host);
                    assert_eq!(stored.own, message[0].1, "{context}");
                    assert_eq!(stored.with, encrypted(suites.last().unwrap()), "{context}");
                }
                assert_eq!(suites[0], suites[1]);
                fs::remove_file(session).unwrap();
            }
        }
        // Five times over, as the peer's own test of resumption does.
        let ran = s_client(&openssl, &doors(&host)[1], &["-tls1_2", "-reconnect"], b"QUIT\n");
        let count = |word| ran.stdout.iter().filter(|line| line.starts_with(word)).count();
        assert_eq!((count("New, TLSv1.2"), count("Reused, TLSv1.2")), (1, 5), "{backend} {ran:#?}");
    }
}

/// What travels in clear under TLS is not called encrypted.
#[cfg(feature = "openssl")]
#[test]
fn a_suite_without_encryption_is_not_called_encrypted() {
    let Some(openssl) = require_peer("openssl") else { return };
    let suite = "ECDHE-ECDSA-NULL-SHA";
    let string = format!("{suite}:@SECLEVEL=0");
    let host = Host::new();
    host.write("tls.tlsserverciphers", &format!("{string}\n"));
    let _program = host.serve(&["--tls", "openssl"]);
    let message = [("plain", b"Subject: in clear\n\nhello\n".to_vec())];
    for arguments in doors(&host) {
        let more = ["-tls1_2", "-cipher", &string, "-brief"];
        let ran = s_client(&openssl, &arguments, &more, &conversation(&message));
        assert_eq!(after(&ran.stderr, "Ciphersuite: "), suite, "{ran:#?}");
        assert_eq!(take_one(&host).with, format!("ESMTPS ({suite})"));
    }
}

/// A ticket that allowed data before the handshake would let it be sent twice.
#[test]
fn openssl_s_client_is_allowed_no_early_data() {
    let Some(openssl) = require_peer("openssl") else { return };
    for backend in BACKENDS {
        let host = Host::new();
        let _program = host.serve(&["--tls", backend]);
        let said = b"EHLO client.example.net\nQUIT\n";
        let ran = s_client(&openssl, &doors(&host)[1], &["-tls1_3"], said);
        let allowed =
            |line: &String| line.trim().strip_prefix("Max Early Data: ").map(str::to_owned);
        let allowed: Vec<String> = ran.stdout.iter().filter_map(allowed).collect();
        assert!(!allowed.is_empty(), "{backend}: no ticket: {ran:#?}");
        assert!(allowed.iter().all(|octets| octets == "0"), "{backend}: {allowed:?}");
    }
}

/// What RFC 8996 forbids is refused by an alert, and the server goes on.
#[test]
fn openssl_s_client_below_tls_1_2_is_refused() {
    let Some(openssl) = require_peer("openssl") else { return };
    for backend in BACKENDS {
        let host = Host::new();
        let program = host.serve(&["--tls", backend]);
        for arguments in doors(&host) {
            for flag in ["-tls1", "-tls1_1"] {
                // Without this cipher string the peer itself would not offer them.
                let more = [flag, "-cipher", "ALL:@SECLEVEL=0"];
                let ran = s_client(&openssl, &arguments, &more, b"EHLO client.example.net\nQUIT\n");
                let context = format!("{backend} {arguments:?} {flag}: {ran:#?}");
                assert_eq!(ran.code, Some(1), "{context}");
                // The alert is the server's: the peer did offer the version.
                assert!(
                    ran.stderr.iter().any(|line| line.contains("SSL alert number")),
                    "{context}"
                );
                after(&ran.stdout, "New, (NONE), Cipher is (NONE)");
                assert!(!ran.stdout.iter().any(|line| line.contains("PIPELINING")), "{context}");
            }
            let ran = s_client(&openssl, &arguments, &["-brief"], b"QUIT\n");
            assert_eq!(ran.code, Some(0), "{backend}: {ran:#?}");
        }
        eventually("four refused handshakes in the log", || {
            let failed = |line: &&String| line.contains("TLS handshake failed");
            program.stderr().iter().filter(failed).count() == 4
        });
    }
}
