//! To `hvmail-smtpd`, from clients that people have: each says what it saw, and the Maildir has what
//! it sent.

use std::collections::HashSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use smtp_testkit::process::{self, Finished, require_peer};

use super::{
    Stored, after, encrypted, lines, messages, take_all, take_one, whole_lines, with_crlf,
};
use crate::support::{BACKENDS, Host};

/// In clear, and under TLS.
const NOT_IN_RCPTHOSTS: [&str; 2] = [
    "553 5.7.1 sorry, that domain isn't in my list of allowed rcpthosts (#5.7.1)",
    "553 5.7.1 sorry, that domain isn't in my list of allowed rcpthosts; no valid cert for gatewaying \
     (#5.7.1)",
];

/// A host whose rules relay for nobody.
fn without_relay() -> Host {
    let host = Host::new();
    host.write("smtp.tcp", "127.0.0.1:allow\n");
    host
}

fn swaks(program: &Path, host: &Host, port: u16, more: &[&str]) -> Finished {
    let mut command = Command::new(program);
    // Its own configuration file is no part of the test.
    command
        .env("SWAKS_HOME", host.control())
        .env("HOME", host.control())
        .args(["--server", &format!("127.0.0.1:{port}"), "--ehlo", "client.example.net"])
        .args(["--from", "a@example.org"])
        .args(more);
    process::run(&mut command, b"")
}

/// swaks in clear, over STARTTLS and over SMTPS, to several recipients, and with a large message.
#[test]
fn swaks_sends_every_message() {
    let Some(program) = require_peer("swaks") else { return };
    let all = messages();
    for backend in BACKENDS {
        let host = without_relay();
        let _server = host.serve(&["--tls", backend]);
        let ca = host.ca_file();
        let trust = ["--tls-verify", "--tls-ca-path", ca.to_str().unwrap()];
        let file = host.control().join("message.eml");
        let data = format!("@{}", file.display());
        let to = "b@example.org,c@elsewhere.example,d@example.org";
        let envelope = ["--to", to, "--data", &data];
        let tls_1_2 = ["--tls", "--tls-protocol", "tlsv1_2", "--pipeline"];
        let doors = [
            (host.submission, vec![]),
            (host.starttls, vec!["--pipeline"]),
            (host.starttls, [&trust[..], &["--tls"]].concat()),
            (host.submission, [&trust[..], &tls_1_2].concat()),
            (host.smtps, [&trust[..], &["--tls-on-connect"]].concat()),
        ];
        // Perl takes a while to start: each door has its share of the messages, and all the large.
        for (number, (name, message)) in all.iter().enumerate() {
            let message = whole_lines(message);
            // It ends the last line itself, also one that has its end, and leaves a dot alone.
            let wire = with_crlf(&message);
            let unended = wire.strip_suffix(b"\r\n").unwrap_or_default();
            if unended.is_empty() || unended == b"." {
                continue;
            }
            fs::write(&file, unended).unwrap();
            for (count, (port, door)) in doors.iter().enumerate() {
                if number % doors.len() != count && *name != "large" {
                    continue;
                }
                let ran = swaks(&program, &host, *port, &[&door[..], &envelope].concat());
                let context = format!("{backend} {door:?} {name}: {:#?}", &ran.stderr);
                assert_eq!(ran.code, Some(0), "{context}");
                let under_tls = door.iter().any(|word| word.starts_with("--tls"));
                let refusal = NOT_IN_RCPTHOSTS[usize::from(under_tls)];
                let refused = |line: &String| line.ends_with(refusal);
                assert!(ran.stdout.iter().any(refused), "{context}");

                let stored = take_one(&host);
                assert!(stored.own == message, "changed: {context}");
                assert_eq!(stored.recipients, ["b@example.org", "d@example.org"], "{context}");
                let with = if under_tls {
                    let cipher = after(&ran.stdout, "=== TLS started with cipher ");
                    encrypted(cipher.split(':').nth(1).unwrap())
                } else {
                    "ESMTP".to_owned()
                };
                assert_eq!(stored.with, with, "{context}");
            }
        }
        // It trusts nobody without the file: 29 is a failed STARTTLS to swaks.
        let unknown = ["--tls", "--tls-verify", "--to", "b@example.org"];
        assert_eq!(swaks(&program, &host, host.starttls, &unknown).code, Some(29));
        // And 24 is that no recipient is left.
        let elsewhere = ["--tls", "--to", "c@elsewhere.example"];
        assert_eq!(swaks(&program, &host, host.starttls, &elsewhere).code, Some(24));
        assert!(take_all(&host).is_empty());
    }
}

fn curl(program: &Path, host: &Host, url: &str, more: &[&str]) -> Finished {
    let mut command = Command::new(program);
    command
        .args(["-q", "--silent", "--show-error", "--verbose", "--noproxy", "*", "--crlf"])
        .args(["--resolve", &format!("mx.example.org:{}:127.0.0.1", host.starttls)])
        .args(["--resolve", &format!("other.example.org:{}:127.0.0.1", host.starttls)])
        .args(["--mail-from", "a@example.org", "--mail-rcpt", "b@example.org"])
        .args(more)
        .arg(url);
    process::run(&mut command, b"")
}

/// curl checks the certificate by name and by address.
#[test]
fn curl_checks_the_certificate_and_sends_every_message() {
    let Some(program) = require_peer("curl") else { return };
    for backend in BACKENDS {
        let host = Host::new();
        let _server = host.serve(&["--tls", backend]);
        let ca = host.ca_file();
        let trust = ["--ssl-reqd", "--cacert", ca.to_str().unwrap()];
        let file = host.control().join("message.eml");
        let upload = ["--upload-file", file.to_str().unwrap()];
        let named = format!("smtp://mx.example.org:{}/client.example.net", host.starttls);
        let implicit = format!("smtps://127.0.0.1:{}/client.example.net", host.smtps);
        for (name, message) in messages() {
            fs::write(&file, &message).unwrap();
            for (url, version) in [(&named, "1.3"), (&implicit, "1.2")] {
                let more = [&trust[..], &upload, &["--tls-max", version]].concat();
                let ran = curl(&program, &host, url, &more);
                let context = format!("{backend} {url} {name}: {:#?}", &ran.stderr);
                assert_eq!(ran.code, Some(0), "{context}");
                after(&ran.stderr, "*  SSL certificate verify ok.");
                let used = after(&ran.stderr, "* SSL connection using TLSv");
                let (used, suite) = used.split_once(" / ").unwrap();
                assert_eq!(used, version);
                let stored = take_one(&host);
                assert_eq!(stored.own, whole_lines(&message), "{context}");
                assert_eq!(stored.with, encrypted(suite), "{context}");
                assert_eq!(stored.hello, "client.example.net");
            }
        }
        // 60 is a certificate that it does not trust to curl: another name, no such authority.
        let other = named.replace("mx.", "other.");
        assert_eq!(curl(&program, &host, &other, &[&trust[..], &upload].concat()).code, Some(60));
        let unknown = [&["--ssl-reqd"], &upload[..]].concat();
        assert_eq!(curl(&program, &host, &named, &unknown).code, Some(60));
        // Without --crlf it sends a file's lines as they are: a bare LF is no end of line.
        fs::write(&file, "Subject: bare\n\nLF\n").unwrap();
        let bare = [&trust[..], &upload, &["--no-crlf"]].concat();
        let ran = curl(&program, &host, &named, &bare);
        assert_eq!(ran.code, Some(8), "{ran:#?}");
        after(&ran.stderr, "< 550 5.5.2 bare LF received");
        assert!(take_all(&host).is_empty());
    }
}

/// smtplib over both doors: capabilities before and after STARTTLS, and recipients refused in part.
const SMTPLIB: &str = r#"
import smtplib, ssl, sys
ca, folder, starttls, smtps, count = sys.argv[1:]
context = ssl.create_default_context(cafile=ca)
def capabilities(smtp):
    assert smtp.esmtp_features["limits"] == "RCPTMAX=1000", smtp.esmtp_features
    return [name for name in smtp.esmtp_features if name != "limits"]
def send(smtp):
    print("suite", smtp.sock.version(), smtp.sock.cipher()[0])
    for number in range(int(count)):
        message = open(f"{folder}/{number}", "rb").read()
        refused = smtp.sendmail("a@example.org", ["b@example.org", "c@elsewhere.example", "d@example.org"],
                                message, mail_options=["BODY=8BITMIME"])
        print("refused", refused)
    print("rset", smtp.rset()[0], "noop", smtp.noop()[0], "vrfy", smtp.vrfy("b@example.org")[0])
    for bad in ([], ["c@elsewhere.example"]):
        try:
            smtp.sendmail("a@example.org", bad or ["b@example.org"], b"Subject: bare\n\nLF\n")
        except smtplib.SMTPException as error:
            print(type(error).__name__)
    print("quit", smtp.quit()[0])
with smtplib.SMTP("127.0.0.1", int(starttls), "client.example.net") as smtp:
    smtp.ehlo()
    print("clear", *capabilities(smtp))
    smtp.starttls(context=context)
    smtp.ehlo()
    print("secret", *capabilities(smtp))
    send(smtp)
with smtplib.SMTP_SSL("127.0.0.1", int(smtps), "client.example.net", context=context) as smtp:
    smtp.ehlo()
    print("secret", *capabilities(smtp))
    send(smtp)
"#;

#[test]
fn smtplib_sends_every_message() {
    let Some(python) = require_peer("python3") else { return };
    // What smtplib sends for nothing is one empty line, which is among the others.
    let all: Vec<_> = messages().into_iter().filter(|(_, message)| !message.is_empty()).collect();
    for backend in BACKENDS {
        let host = without_relay();
        let _server = host.serve(&["--tls", backend]);
        let folder = process::temp_dir();
        for (number, (_, message)) in all.iter().enumerate() {
            fs::write(folder.path().join(number.to_string()), with_crlf(message)).unwrap();
        }
        let mut command = Command::new(&python);
        command.args(["-I", "-c", SMTPLIB]).arg(host.ca_file()).arg(folder.path()).args(
            [usize::from(host.starttls), usize::from(host.smtps), all.len()].map(|n| n.to_string()),
        );
        let ran = process::run(&mut command, b"");
        let context = format!("{backend}: {ran:#?}");
        assert_eq!(ran.code, Some(0), "{context}");
        let said = |beginning: &str| {
            ran.stdout.iter().filter_map(|line| line.strip_prefix(beginning)).collect::<Vec<_>>()
        };
        let capabilities = |starttls: &str| {
            format!("pipelining size 8bitmime enhancedstatuscodes{starttls} chunking smtputf8")
        };
        assert_eq!(said("clear "), [capabilities(" starttls")], "{context}");
        assert_eq!(said("secret "), [capabilities(""), capabilities("")], "{context}");
        assert_eq!(said("rset "), ["250 noop 250 vrfy 252"; 2], "{context}");
        assert_eq!(said("quit "), ["221"; 2], "{context}");
        assert_eq!(said("SMTPDataError").len(), 2, "{context}");
        assert_eq!(said("SMTPRecipientsRefused").len(), 2, "{context}");
        let refused = said("refused ");
        assert_eq!(refused.len(), 2 * all.len(), "{context}");
        for one in refused {
            assert!(one.starts_with("{'c@elsewhere.example': (553, "), "{one}");
        }
        let suites = said("suite TLSv1.3 ");
        assert_eq!(suites.len(), 2, "{context}");

        let mut stored = take_all(&host);
        assert_eq!(stored.len(), 2 * all.len(), "{context}");
        for message in &stored {
            assert_eq!(message.recipients, ["b@example.org", "d@example.org"]);
            assert_eq!(message.with, encrypted(suites[0]));
        }
        for (name, message) in all.iter().chain(&all) {
            let message = whole_lines(message);
            let same = stored.iter().position(|stored| stored.own == message);
            let same = same.unwrap_or_else(|| panic!("{backend}: changed or lost: {name}"));
            stored.swap_remove(same);
        }
    }
}

/// BDAT by hand, for smtplib has none: chunks of every size, pipelined or one at a time, with dots
/// and a last line without an end; SMTPUTF8 by smtplib itself; and a name that qmail takes.
const EXTENSIONS: &str = r#"
import smtplib, sys
port, folder, count, crowd = sys.argv[1:]
smtp = smtplib.SMTP("127.0.0.1", int(port), "client_under.example.net:[x]")
smtp.ehlo()
assert smtp.has_extn("chunking") and smtp.has_extn("smtputf8")
def chunked(message, size, pipelined):
    codes = [smtp.docmd("MAIL FROM:<a@example.org>")[0], smtp.docmd("RCPT TO:<b@example.org>")[0]]
    parts = [message[at:at + size] for at in range(0, len(message), size)] + [b""]
    for number, part in enumerate(parts):
        last = " LAST" if number + 1 == len(parts) else ""
        smtp.sock.sendall(f"BDAT {len(part)}{last}\r\n".encode() + part)
        if not pipelined:
            codes.append(smtp.getreply()[0])
    if pipelined:
        codes += [smtp.getreply()[0] for _ in parts]
    assert set(codes) == {250}, codes
for number in range(int(count)):
    message = open(f"{folder}/{number}", "rb").read()
    for size, pipelined in ((len(message) // 3 + 1, False), (max(7, len(message) // 900), True)):
        chunked(message, size, pipelined)
smtp.sendmail("\u00e5@example.org", ["b\u00fc@b\u00fccher.example", "c\u00fc@example.org", "d@other\u00e9.example"],
              "Subject: gr\u00fc\u00dfe\r\n\r\nbody\r\n".encode(), mail_options=["SMTPUTF8", "BODY=8BITMIME"])
for option in ("BODY=BINARYMIME", "REQUIRETLS", "RET=HDRS"):
    print(option, smtp.docmd(f"MAIL FROM:<a@example.org> {option}")[0])
smtp.docmd("MAIL FROM:<a@example.org>")
codes = [smtp.docmd("RCPT TO:<b@example.org>")[0] for _ in range(int(crowd) + 1)]
print("crowd", set(codes[:-1]), codes[-1])
smtp.quit()
"#;

#[test]
fn chunks_and_addresses_outside_ascii_are_kept() {
    let Some(python) = require_peer("python3") else { return };
    let host = without_relay();
    host.write("rcpthosts", "example.org\nxn--bcher-kva.example\n");
    let _server = host.serve(&[]);
    let folder = process::temp_dir();
    let mut all: Vec<_> =
        messages().into_iter().map(|(name, message)| (name, message, false)).collect();
    all.push(("an open CR", b"Subject: x\n\nopen\r".to_vec(), true));
    all.push(("open", b"Subject: x\n\nopen".to_vec(), true));
    for (number, (_, message, open)) in all.iter().enumerate() {
        let mut wire = with_crlf(message);
        if *open {
            wire.truncate(wire.len() - 2);
        }
        fs::write(folder.path().join(number.to_string()), wire).unwrap();
    }
    let mut command = Command::new(&python);
    command.args(["-I", "-c", EXTENSIONS, &host.starttls.to_string()]).arg(folder.path());
    let ran = process::run(command.args([&all.len().to_string(), "1000"]), b"");
    assert_eq!(ran.code, Some(0), "{ran:#?}");
    assert_eq!(
        ran.stdout,
        ["BODY=BINARYMIME 501", "REQUIRETLS 555", "RET=HDRS 555", "crowd {250} 452"]
    );
    let mut stored = take_all(&host);
    let beyond = stored.iter().position(|stored| stored.reverse_path == "\u{e5}@example.org");
    let beyond = stored.swap_remove(beyond.expect("the message with SMTPUTF8"));
    assert_eq!(beyond.recipients, ["b\u{fc}@b\u{fc}cher.example", "c\u{fc}@example.org"]);
    assert_eq!(beyond.with, "UTF8SMTP");
    assert_eq!(beyond.hello, "client_under.example.net:[x]");
    assert_eq!(beyond.own, "Subject: gr\u{fc}\u{df}e\n\nbody\n".as_bytes());
    assert_eq!(stored.len(), 2 * all.len());
    for (name, message, open) in all.iter().chain(&all) {
        let message = if *open { message.clone() } else { whole_lines(message) };
        let same = stored.iter().position(|stored| stored.own == message);
        stored.swap_remove(same.unwrap_or_else(|| panic!("changed or lost: {name}")));
    }
}

/// smtp-source: many at once, on one connection or on one each; all are there, once and whole.
#[test]
fn smtp_source_sends_many_at_once() {
    const COUNT: usize = 150;
    const LENGTH: usize = 5000;
    let Some(program) = require_peer("smtp-source") else { return };
    let host = Host::new();
    let _server = host.serve(&[]);
    let address = format!("127.0.0.1:{}", host.starttls);
    let source = |more: &[&str]| {
        let mut command = Command::new(&program);
        command.args(["-M", "client.example.net", "-f", "a@example.org", "-t", "b@example.org"]);
        let ran = process::run(command.args(more).arg(&address), b"");
        // It ends with 0 only when each reply was the one that it wants.
        assert_eq!(ran.code, Some(0), "{more:?}: {ran:#?}");
    };
    let whole = |stored: &Stored| {
        let at = stored.own.windows(2).position(|two| two == b"\n\n").expect("an empty line");
        let body = &stored.own[at + 2..];
        // The end of the last line is not part of the length that it is told.
        assert_eq!(with_crlf(body).len(), LENGTH + 2);
        for line in lines(body) {
            assert!(line.len() <= 78 && line[1..].iter().all(|&octet| octet == b'X'), "{line:?}");
        }
        assert_eq!(stored.with, "SMTP");
        assert_eq!(stored.hello, "client.example.net");
        assert_eq!(stored.reverse_path, "a@example.org");
    };
    let (count, length) = (COUNT.to_string(), LENGTH.to_string());
    for same_connection in [&["-d"][..], &[]] {
        let more = ["-s", "10", "-m", &count, "-l", &length, "-N"];
        source(&[&more, same_connection].concat());
        let stored = take_all(&host);
        stored.iter().for_each(whole);
        // -N numbers the recipients: each came once.
        let recipients: HashSet<_> =
            stored.iter().map(|stored| stored.recipients.concat()).collect();
        assert_eq!((stored.len(), recipients.len()), (COUNT, COUNT), "{same_connection:?}");
    }

    source(&["-r", "100", "-l", &length]);
    let stored = take_one(&host);
    whole(&stored);
    assert_eq!(stored.recipients.iter().collect::<HashSet<_>>().len(), 100);

    let file = host.control().join("message.eml");
    for (name, message) in messages() {
        let message = whole_lines(&message);
        if message.is_empty() {
            // It has words of its own for that.
            continue;
        }
        fs::write(&file, &message).unwrap();
        source(&["-F", file.to_str().unwrap()]);
        // To it what is behind the last LF is a line too.
        assert!(take_one(&host).own == [&message[..], b"\n"].concat(), "changed: {name}");
    }
}
