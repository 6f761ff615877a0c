//! What is taken, and what is refused whole.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::symlink;
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use smtp_testkit::peer::Peer;
use smtp_testkit::pki;
use smtp_testkit::process::{self, Program, require_peer};

use super::{
    REFUSED, TAKEN, change_certificate, control_file, outcomes, reload, reload_is_refused,
    reload_is_taken, said, session, wait_outcome,
};
use crate::support::{BACKENDS, Host, eventually};

const AUTO: &str = "tls.auto-generated.pem";

fn smtp2(host: &Host, rest: &str) {
    host.write("smtp2", &format!("ENABLED=1\nIPADDR=127.0.0.1\nPORT={}\n{rest}", host.submission));
}

/// A listener is added, another goes, a third becomes something else; the old session stays as it was.
#[test]
fn listeners_are_as_the_files_say() {
    for backend in BACKENDS {
        let host = Host::new();
        host.write("smtp2", "ENABLED=0\n");
        let program = host.start(&["--tls", backend]);
        program.wait_for_stderr("listening service=smtp3 ");
        let mut clear = Peer::connect(("127.0.0.1", host.starttls));
        clear.expect_reply("220");

        // smtp3 goes, smtp2 comes, and smtp is without STARTTLS from here on.
        smtp2(&host, "");
        host.write("smtp3", "ENABLED=0\n")
            .write("smtp.starttls", "0\n")
            .write("me", "new.example\n");
        reload_is_taken(&program);
        assert_eq!(
            said(&program, "closed "),
            [format!("closed service=smtp3 addr=127.0.0.1:{}", host.smtps)]
        );
        let listening = said(&program, "listening ");
        assert_eq!(
            listening[2..],
            [
                format!("listening service=smtp addr=127.0.0.1:{} tls=none", host.starttls),
                format!("listening service=smtp2 addr=127.0.0.1:{} tls=starttls", host.submission),
            ]
        );
        assert!(TcpStream::connect(("127.0.0.1", host.smtps)).is_err());

        let capabilities = clear.ask("EHLO client.example.net", "250");
        assert_eq!(capabilities[0], "250-mx.example.org");
        assert!(capabilities.iter().any(|line| line.contains("STARTTLS")), "{capabilities:?}");
        let mut new = Peer::connect(("127.0.0.1", host.starttls));
        assert!(new.expect_reply("220")[0].starts_with("220 new.example "));
        let capabilities = new.ask("EHLO client.example.net", "250");
        assert!(!capabilities.iter().any(|line| line.contains("STARTTLS")), "{capabilities:?}");
        // The name stands in what is delivered too.
        new.ask("MAIL FROM:<a@example.org>", "250");
        new.ask("RCPT TO:<b@example.org>", "250");
        new.ask("DATA", "354");
        new.line("Subject: x").line(".").expect_reply("250");
        assert!(host.messages()[0].contains("\n  by new.example with ESMTP"), "{backend}");

        // Again without a change: nothing is new, and nothing gone.
        let lines = program.stderr().len();
        let outcome = reload(&program);
        assert!(outcome.ends_with(" new=0"), "{outcome}");
        let now = program.stderr().split_off(lines);
        assert!(!now.iter().any(|line| line.starts_with("listening ")), "{now:?}");
        assert_eq!(said(&program, "closed ").len(), 1);

        // Two services change places, and one port is told by another name.
        let service =
            |port: u16, more: &str| format!("ENABLED=1\nIPADDR=127.0.0.1\nPORT={port}\n{more}");
        host.write("smtp3", &service(host.submission, ""))
            .write("smtp2", &service(host.smtps, "SMTPS=1\nexport SMTPS\n"));
        reload_is_taken(&program);
        let listening = said(&program, "listening ");
        assert_eq!(
            listening[listening.len() - 2..],
            [
                format!("listening service=smtp2 addr=127.0.0.1:{} tls=smtps", host.smtps),
                format!("listening service=smtp3 addr=127.0.0.1:{} tls=starttls", host.submission),
            ]
        );
        assert_eq!(said(&program, "closed ").len(), 1);
    }
}

/// Each of these is refused with its place, and what was served before is served on: the same
/// certificate, the same services, the same names.
#[test]
fn what_is_broken_is_refused_whole() {
    let Some(python) = require_peer("python3") else { return };
    type Break = (&'static str, fn(&Host), &'static [&'static str]);
    let breaks: [Break; 11] = [
        (
            "greenarrow.conf",
            |host| _ = host.write("greenarrow.conf", "general {\n"),
            &["greenarrow.conf:1:9: error[", "cannot be served: greenarrow.conf is not understood"],
        ),
        (
            "tls.key.pem",
            |host| _ = host.write("tls.key.pem", &pki::unrelated_key()),
            &["tls.key.pem:1:1: error[", "reload refused: there are errors"],
        ),
        (
            "tls.chain.pem",
            |host| fs::remove_file(control_file(host, "tls.chain.pem")).unwrap(),
            &["tls.chain.pem", "error[", "there are errors"],
        ),
        (
            "tls.chain.pem",
            |host| {
                let half = host.certificate.chain();
                host.write("tls.chain.pem", &half[..half.len() / 2]);
            },
            &["tls.chain.pem:", "error[", "there are errors"],
        ),
        (
            "greenarrow.conf",
            |host| _ = host.write("greenarrow.conf", "general {\n  starttls_use yes\n}\n"),
            &["error[no-certificate]", "there are errors"],
        ),
        (
            "rcpthosts",
            |host| {
                fs::remove_file(control_file(host, "rcpthosts")).unwrap();
                fs::create_dir(control_file(host, "rcpthosts")).unwrap();
            },
            &["rcpthosts: error[unreadable-file]", "cannot be served: no service is left"],
        ),
        (
            "smtp.tcp",
            |host| _ = host.write("smtp.tcp", "127.0.0.1:perhaps\n"),
            &[
                "smtp.tcp:1:",
                "error[access-rules-unusable]",
                "cannot be served: no service is left",
            ],
        ),
        (
            "tls.tlsserverciphers",
            |host| _ = host.write("tls.tlsserverciphers", "nonsense\n"),
            &["tls.tlsserverciphers:1:1: error[ciphers-refused]", "no service is left"],
        ),
        (
            // Of no service, and this program sends nothing.
            "smtproutes",
            |host| _ = host.write("smtproutes", "no colon\n"),
            &["smtproutes:1:1: error[", "reload refused: there are errors"],
        ),
        (
            "smtp2",
            |host| smtp2(host, "CONCURRENCY=many\n"),
            &["smtp2:4:13: error[", "there are errors"],
        ),
        (
            "greenarrow.conf",
            |host| {
                // One that is to be made, and cannot be kept.
                host.write(
                    "greenarrow.conf",
                    "general {\n  tls_certificate_auto_generate yes\n}\n",
                );
                symlink("nowhere/at/all", control_file(host, AUTO)).unwrap();
            },
            &[AUTO, "error[", "there are errors"],
        ),
    ];
    for backend in BACKENDS {
        let host = Host::new();
        let program = host.serve(&["--tls", backend]);
        for (file, spoil, words) in &breaks {
            // A good change beside the bad one: it is not taken either.
            host.write("me", "new.example\n");
            let path = control_file(&host, file);
            let good = fs::read(&path).ok();
            spoil(&host);
            reload_is_refused(&program, words);
            let seen = session(&python, host.starttls);
            assert!(seen.shows(&host.certificate), "{file}");
            let mut peer = Peer::connect(("127.0.0.1", host.submission));
            assert!(peer.expect_reply("220")[0].starts_with("220 mx.example.org "), "{file}");

            host.write("me", "mx.example.org\n");
            let _ = fs::remove_dir(&path);
            let _ = fs::remove_file(control_file(&host, AUTO));
            match good {
                Some(good) => fs::write(&path, good).unwrap(),
                None => fs::remove_file(&path).unwrap(),
            }
            reload_is_taken(&program);
        }
        assert!(said(&program, "closed ").is_empty());
        assert_eq!(said(&program, "listening ").len(), 3);
        assert!(said(&program, "hvmail-smtpd: service smtp2 stays down").is_empty());
    }
}

/// What the files allow and the library does not: a suite that rustls has not.
#[test]
fn what_the_library_does_not_take_is_refused() {
    if !BACKENDS.contains(&"rustls") {
        eprintln!("skipped: what_the_library_does_not_take_is_refused: no rustls");
        return;
    }
    let host = Host::new();
    let program = host.serve(&["--tls", "rustls"]);
    host.write("tls.tlsserverciphers", "DHE-RSA-AES128-GCM-SHA256\n");
    let words =
        ["service smtp3: ", "tls.tlsserverciphers:1:1: ", "reload refused: there are errors"];
    reload_is_refused(&program, &words);
    host.write("tls.tlsserverciphers", "DHE-RSA-AES128-GCM-SHA256:ECDHE+AESGCM\n");
    reload_is_taken(&program);
}

/// A certificate that is gone without anybody saying so is a warning at a start, and no reload.
#[test]
fn no_service_loses_its_tls_by_a_reload() {
    let host = Host::new();
    host.write("greenarrow.conf", "").write("smtp3", "ENABLED=0\n");
    let old_way = |host: &Host, there: bool| {
        let path = control_file(host, "tls.servercert.pem");
        match there {
            true => fs::write(path, host.certificate.chain_and_key()).unwrap(),
            false => fs::remove_file(path).unwrap(),
        }
    };
    old_way(&host, true);
    let program = host.start(&[]);
    program.wait_for_stderr("listening service=smtp2 ");
    old_way(&host, false);
    reload_is_refused(&program, &["service smtp would be left without TLS"]);
    // Who wants it says so.
    host.write("smtp.starttls", "0\n");
    smtp2(&host, "GREENARROW_STARTTLS=0\n");
    reload_is_taken(&program);
    assert!(said(&program, "listening ").last().unwrap().ends_with(" tls=none"));
}

/// One that is asked for and cannot be made is an error, where a start without `--strict` does without.
#[test]
fn a_certificate_that_cannot_be_made_is_refused() {
    let host = Host::new();
    host.write("greenarrow.conf", "").write("smtp3", "ENABLED=0\n");
    let full = |arguments: &[&str]| {
        let smtpd = host.smtpd(arguments);
        let mut command = Command::new("sh");
        command.args(["-c", "ulimit -f 0; exec \"$0\" \"$@\""]);
        command.arg(smtpd.get_program()).args(smtpd.get_args());
        command
    };
    let program = Program::spawn(&mut full(&[]));
    assert!(program.wait_for_stderr("listening service=smtp2 ").ends_with(" tls=none"));
    host.write("greenarrow.conf", "general {\n  tls_certificate_auto_generate yes\n}\n");
    let words = ["error: tls_certificate_auto_generate: ", "there are errors"];
    reload_is_refused(&program, &words);
    drop(program);
    let program = Program::spawn(&mut full(&[]));
    assert!(program.wait_for_stderr("listening service=smtp2 ").ends_with(" tls=none"));
    drop(program);
    let strict = process::run(&mut full(&["--strict"]), b"");
    assert_eq!(strict.code, Some(78), "{strict:?}");
    assert!(!control_file(&host, AUTO).exists());
}

/// As with `--strict`: also an error that was there at the start, unless its service is not asked for.
#[test]
fn a_service_that_was_broken_keeps_reloads_out_until_it_is_mended() {
    let host = Host::new();
    smtp2(&host, "CONCURRENCY=many\n");
    let program = host.start(&[]);
    program.wait_for_stderr("listening service=smtp3 ");
    reload_is_refused(&program, &["smtp2:4:13: error[", "there are errors"]);
    let other = host.start(&["--service", "smtp3"]);
    other.wait_for_stderr("hvmail-smtpd: no service could listen");
    smtp2(&host, "");
    reload_is_taken(&program);
    let line = format!("listening service=smtp2 addr=127.0.0.1:{} tls=starttls", host.submission);
    assert_eq!(said(&program, "listening service=smtp2"), [line]);
    drop(program);

    smtp2(&host, "CONCURRENCY=many\n");
    let named = host.start(&["--service", "smtp3"]);
    named.wait_for_stderr("listening service=smtp3 ");
    reload_is_taken(&named);
}

/// An address that somebody else has: nothing of the reading is taken.
#[test]
fn an_address_that_cannot_be_had_changes_nothing() {
    let host = Host::new();
    host.write("smtp2", "ENABLED=0\n");
    let program = host.start(&[]);
    program.wait_for_stderr("listening service=smtp3 ");
    let other = TcpListener::bind(("127.0.0.1", host.submission)).unwrap();
    smtp2(&host, "");
    host.write("smtp3", "ENABLED=0\n").write("me", "new.example\n");
    let words = format!("service smtp2 cannot listen on 127.0.0.1:{}", host.submission);
    reload_is_refused(&program, &[&words]);
    assert!(TcpStream::connect(("127.0.0.1", host.smtps)).is_ok());
    let mut peer = Peer::connect(("127.0.0.1", host.starttls));
    assert!(peer.expect_reply("220")[0].starts_with("220 mx.example.org "));
    drop(other);
    reload_is_taken(&program);
    eventually("smtp3 is closed", || TcpStream::connect(("127.0.0.1", host.smtps)).is_err());
}

/// A directory that is away for a while is as one that is broken.
#[test]
fn a_directory_that_is_gone_is_refused() {
    let host = Host::new();
    let program = host.serve(&[]);
    let away = host.control().with_extension("away");
    fs::rename(host.control(), &away).unwrap();
    reload_is_refused(&program, &[host.control().to_str().unwrap()]);
    fs::rename(&away, host.control()).unwrap();
    let leaf = change_certificate(&host);
    reload_is_taken(&program);
    if let Some(python) = require_peer("python3") {
        assert!(session(&python, host.starttls).shows(&leaf));
    }
}

/// A certificate that is asked for only now is made, once.
#[test]
fn a_certificate_that_is_asked_for_is_made() {
    let host = Host::new();
    let program = host.serve(&[]);
    host.write("greenarrow.conf", "general {\n  tls_certificate_auto_generate yes\n}\n");
    reload_is_taken(&program);
    let made = control_file(&host, AUTO);
    let text = fs::read_to_string(&made).unwrap();
    reload_is_taken(&program);
    assert_eq!(fs::read_to_string(&made).unwrap(), text);
    assert_eq!(said(&program, "made a self-signed certificate").len(), 1);
    let sent = process::run(
        Command::new(crate::support::SEND)
            .arg("--control")
            .arg(host.control())
            .args(["--route", &format!("127.0.0.1:{}", host.starttls)])
            .args(["--verify", "--ca", made.to_str().unwrap(), "--name", "mx.example.org"])
            .args(["--from", "a@example.org", "--to", "b@example.org"]),
        b"Subject: x\n\nhello\n",
    );
    assert_eq!(sent.code, Some(0), "{sent:?}");
}

/// A certificate that is in its time for a few seconds more, enough to serve it.
fn nearly_due() -> pki::Leaf {
    const BEFORE: u64 = 30 * 24 * 60 * 60;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    pki::self_signed_until(&["mx.example.org"], now + BEFORE + 10)
}

/// The certificate that the program made comes into its last 30 days while it is served. An error that the
/// start passed over keeps nobody from the new one.
#[test]
fn a_made_certificate_is_made_anew_while_it_is_served() {
    let Some(python) = require_peer("python3") else { return };
    for backend in BACKENDS {
        let host = Host::new();
        let old = nearly_due();
        host.write(
            "greenarrow.conf",
            "general {\n  tls_certificate_auto_generate yes\n}\nstarttls_require yes\n",
        );
        host.write(AUTO, &old.chain_and_key());
        let program = host.serve(&["--tls", backend]);
        assert!(
            program.stderr().iter().any(|line| line.contains("error[requirement-not-in-force]"))
        );
        assert!(session(&python, host.starttls).shows(&old), "it has its time still");
        let outcome = wait_outcome(&program, 0);
        assert!(outcome.starts_with(TAKEN), "{outcome}");
        assert_eq!(said(&program, "reloading cause=certificate").len(), 1);
        assert_eq!(said(&program, "made a self-signed certificate").len(), 1);
        assert!(!session(&python, host.starttls).shows(&old));
        let made = fs::read_to_string(control_file(&host, AUTO)).unwrap();
        assert_ne!(made, old.chain_and_key());
        sleep(Duration::from_secs(2));
        assert_eq!(outcomes(&program).len(), 1, "once");
        // Whoever asks for a reading is told of it.
        reload_is_refused(&program, &["error[requirement-not-in-force]"]);
    }
}

/// One that cannot be made stays in force, and is not tried again at once.
#[test]
fn a_certificate_that_cannot_be_made_anew_stays_in_force() {
    let Some(python) = require_peer("python3") else { return };
    let host = Host::new();
    let old = nearly_due();
    host.write("greenarrow.conf", "general {\n  tls_certificate_auto_generate yes\n}\n");
    host.write(AUTO, &old.chain_and_key());
    let program = host.serve(&[]);
    // A reading with an error is refused, whatever it was for.
    host.write("databytes", "many\n");
    let outcome = wait_outcome(&program, 0);
    assert!(outcome.starts_with(REFUSED), "{outcome}");
    assert!(session(&python, host.starttls).shows(&old));
    sleep(Duration::from_secs(2));
    assert_eq!(outcomes(&program).len(), 1, "once");
    // Whoever mends it has the new one.
    fs::remove_file(control_file(&host, "databytes")).unwrap();
    reload_is_taken(&program);
    assert!(!session(&python, host.starttls).shows(&old));
}
