//! `hvmail-smtpd`: directories, files and command lines that cannot be used.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use smtp_testkit::peer::Peer;
use smtp_testkit::pki;
use smtp_testkit::process::{self, Finished, Program};

use super::{assert_ends, assert_says};
use crate::support::{BACKENDS, Host, SEND, SMTPD, TLS_TOOL};

const SERVICES: [&str; 3] = ["smtp", "smtp2", "smtp3"];

/// `hvmail-smtpd` over a host's directory, run to its end: it is expected to refuse.
fn refused(host: &Host, arguments: &[&str]) -> Finished {
    process::run(&mut host.smtpd(arguments), b"")
}

/// What a server said until it listened, and what it then listens with: `service tls`.
fn served(host: &Host, arguments: &[&str]) -> (Finished, Vec<String>) {
    served_by(&mut host.smtpd(arguments))
}

fn served_by(command: &mut Command) -> (Finished, Vec<String>) {
    let mut program = Program::spawn(command);
    program.wait_for_stderr("listening ");
    program.signal("TERM");
    let status = program.wait(process::PATIENCE);
    let finished =
        Finished { code: status.code(), stdout: program.stdout(), stderr: program.stderr() };
    assert_eq!(finished.code, Some(0), "{finished:?}");
    let listening = finished.stderr.iter().filter_map(|line| line.strip_prefix("listening "));
    let listening = listening.map(|line| {
        let word = |key| line.split(' ').find_map(|word| word.strip_prefix(key)).unwrap();
        format!("{} {}", word("service="), word("tls="))
    });
    let listening = listening.collect();
    (finished, listening)
}

fn all_but(service: &str) -> Vec<String> {
    let tls = |name| if name == "smtp3" { "smtps" } else { "starttls" };
    SERVICES.into_iter().filter(|n| *n != service).map(|n| format!("{n} {}", tls(n))).collect()
}

#[test]
fn a_directory_that_is_none_is_named() {
    let folder = process::temp_dir();
    fs::write(folder.path().join("file"), "").unwrap();
    symlink("loop", folder.path().join("loop")).unwrap();
    for name in ["absent", "file", "file/below", "loop"] {
        let path = folder.path().join(name);
        let mut command = Command::new(SMTPD);
        command.arg("--control").arg(&path).args(["--sink", "discard"]);
        assert_ends(&process::run(&mut command, b""), 78, &[path.to_str().unwrap()]);
    }
}

/// Puts something in the place of a file that cannot be read, whoever asks.
type Spoil = fn(&Path);

const UNREADABLE: [(&str, Spoil); 4] = [
    ("is a directory", |path| fs::create_dir(path).unwrap()),
    ("a pipe", |path| {
        let made = Command::new("mkfifo").arg(path).status().unwrap();
        assert!(made.success());
    }),
    ("more than the limit", |path| fs::File::create(path).unwrap().set_len(1 << 40).unwrap()),
    ("symbolic link", |path| symlink(path.file_name().unwrap(), path).unwrap()),
];

#[test]
fn a_file_that_cannot_be_read_takes_down_what_needs_it() {
    for (why, spoil) in UNREADABLE {
        let spoiled = |name: &str| {
            let host = Host::new();
            let path = host.control().join(name);
            let _ = fs::remove_file(&path);
            spoil(&path);
            (host, path.to_str().unwrap().to_owned())
        };
        for file in ["greenarrow.conf", "rcpthosts", "smtp.tcp"] {
            let (host, path) = spoiled(file);
            assert_ends(&refused(&host, &[]), 78, &[&path, "error[unreadable-file]", why]);
        }
        for (file, service) in [("smtp.port", "smtp"), ("smtp2", "smtp2"), ("smtp3", "smtp3")] {
            let (host, path) = spoiled(file);
            let (said, listening) = served(&host, &[]);
            assert_says(&said, &[&path, "error[unreadable-file]", why]);
            assert_eq!(listening, all_but(service), "{file}");
            assert_ends(&refused(&host, &["--strict"]), 78, &[&path, why]);
            assert_ends(&refused(&host, &["--service", service]), 78, &[service, "is broken"]);
        }
        let (host, path) = spoiled("tls.key.pem");
        let (said, listening) = served(&host, &[]);
        assert_says(&said, &[&path, "error[unreadable-file]", why]);
        assert_eq!(listening, ["smtp none", "smtp2 none"]);
    }
}

#[test]
fn a_configuration_that_does_not_parse_is_refused_with_its_place() {
    let long = format!("general {{\n  {} yes\n}}\n}}\n", "x".repeat(10 << 20));
    for (content, place) in [
        ("general {\n  starttls_use yes\n", ":1:9: "),
        ("general {\n}\n}\n", ":3:1: "),
        ("general {\n  starttls_use \"yes\n}\n", ":2:16: "),
        ("general {\n  starttls_use yes\0\n}\n", ":2:19: "),
        ("\0\0\0", ":1:1: "),
        ("include greenarrow.conf\n", ":1:"),
        ("include absent.conf\n", ":1:"),
        (&long, ":4:1: "),
    ] {
        let host = Host::new();
        host.write("greenarrow.conf", content);
        let path = host.control().join("greenarrow.conf").to_str().unwrap().to_owned();
        let finished = refused(&host, &[]);
        assert_ends(&finished, 78, &[&format!("{path}{place}"), " error["]);
        let longest = finished.stderr.iter().map(String::len).max();
        assert!(longest < Some(1000), "{longest:?}");
    }
    let host = Host::new();
    host.write("greenarrow.conf", "include a.conf\n")
        .write("a.conf", "include b.conf\n")
        .write("b.conf", "include a.conf\n");
    let place = format!("{}:1:", host.control().join("b.conf").display());
    assert_ends(&refused(&host, &[]), 78, &[&place, " error["]);
}

/// A value that cannot be used takes its service down, and `--strict` all of them.
#[test]
fn a_value_that_cannot_be_used_takes_its_service_down() {
    let long = "9".repeat(10 << 20);
    for (service, file, content, place) in [
        ("smtp", "smtp.port", "smtp\n", ":1:1: "),
        ("smtp", "smtp.port", "65536\n", ":1:1: "),
        ("smtp", "smtp.port", "-1\n", ":1:1: "),
        ("smtp", "smtp.port", "", ""),
        ("smtp", "smtp.port", "\0\n", ":1:1: "),
        ("smtp", "smtp.port", &long, ":1:1: "),
        ("smtp", "smtp.ipaddr", "mx.example.org\n", ":1:1: "),
        ("smtp", "smtp.concurrency", "0\n", ":1:1: "),
        ("smtp", "smtp.starttls", "yes\n", ":1:1: "),
        ("smtp2", "smtp2", "ENABLED=1\nPORT=submission\n", ":2:6: "),
        ("smtp2", "smtp2", "ENABLED=1\nPORT=$(id -u)\n", ":2:"),
        ("smtp2", "smtp2", "ENABLED=1\nPORT=25\0\n", ":2:"),
        ("smtp2", "smtp2", &format!("PORT=587\nENABLED={long}\n"), ":2:9: "),
    ] {
        let host = Host::new();
        host.write(file, content);
        let at = format!("{}{place}", host.control().join(file).display());
        let (said, listening) = served(&host, &[]);
        assert_says(&said, &[&at, " error["]);
        assert_says(&said, &[&format!("service {service} stays down")]);
        assert_eq!(listening, all_but(service), "{file}: {said:?}");
        assert!(said.stderr.iter().all(|line| line.len() < 1000), "{file}");
        // A service that is named twice is served once, and another's error is not its concern.
        let other = SERVICES.into_iter().find(|name| *name != service).unwrap();
        let named = ["--strict", "--service", other, "--service", other];
        assert_eq!(served(&host, &named).1.len(), 1, "{file}");
        assert_ends(&refused(&host, &["--strict"]), 78, &["--strict"]);
        assert_ends(&refused(&host, &["--service", service]), 78, &[&at, " error["]);
    }
}

#[test]
fn a_file_that_assigns_nothing_leaves_its_service_off_and_says_so() {
    let host = Host::new();
    host.write("smtp2", "").write("smtp3", "# nothing\n");
    let (said, listening) = served(&host, &[]);
    assert_eq!(listening, ["smtp starttls"]);
    for name in ["smtp2", "smtp3"] {
        let path = host.control().join(name);
        assert_says(&said, &[path.to_str().unwrap(), "warning[empty-file]"]);
        assert_ends(&refused(&host, &["--service", name]), 78, &[name, "is off"]);
    }
    host.write("smtp.port", "0\n");
    assert_ends(&refused(&host, &[]), 78, &[host.control().to_str().unwrap()]);
}

/// Without a usable certificate STARTTLS is not offered, and SMTPS does not start.
#[test]
fn without_a_usable_certificate_there_is_no_tls_and_that_is_said_loudly() {
    let none = Host::new();
    none.write("greenarrow.conf", "");
    let mismatch = Host::new();
    mismatch.write("tls.key.pem", &pki::unrelated_key());
    let empty = Host::new();
    empty.write("tls.chain.pem", "");
    let garbage = Host::new();
    garbage.write("tls.key.pem", &"-----BEGIN PRIVATE KEY-----\nAAAA\n".repeat(3));
    for (host, file) in [
        (&none, None),
        (&mismatch, Some(("tls.key.pem:1:1: ", "error[certificate-key-mismatch]"))),
        (&empty, Some(("tls.chain.pem:1:1: ", "error[unusable-certificate]"))),
        (&garbage, Some(("tls.key.pem:", "error[unusable-certificate]"))),
    ] {
        let program = host.start(&[]);
        let line = program.wait_for_stderr("listening service=smtp2 ");
        assert!(line.ends_with(" tls=none"), "{line}");
        let mut peer = Peer::connect(("127.0.0.1", host.starttls));
        peer.expect_reply("220");
        let capabilities = peer.ask("EHLO client.example.net", "250");
        assert!(!capabilities.iter().any(|line| line.contains("STARTTLS")), "{capabilities:?}");
        assert!(peer.ask("STARTTLS", "502")[0].starts_with("502 5.5.1"));
        drop((peer, program));

        let (said, listening) = served(host, &[]);
        assert_eq!(listening, ["smtp none", "smtp2 none"]);
        for service in ["smtp", "smtp2"] {
            assert_says(&said, &["warning[no-certificate]", &format!("{service} does not offer")]);
        }
        assert_says(&said, &["smtp3:4:7: error[no-certificate]"]);
        if let Some((file, error)) = file {
            let path = host.control().join(file);
            assert_says(&said, &[path.to_str().unwrap(), error]);
        }
        assert_ends(&refused(host, &["--strict"]), 78, &["--strict"]);
        assert_ends(&refused(host, &["--service", "smtp3"]), 78, &["smtp3 is broken"]);
    }
}

/// A certificate that is to be made and cannot be kept is as one that is not there.
#[test]
fn a_certificate_that_cannot_be_kept_leaves_what_needs_it_down() {
    let host = Host::new();
    host.write("greenarrow.conf", "general {\n  tls_certificate_auto_generate yes\n}\n");
    symlink("nowhere/at/all", host.control().join("tls.auto-generated.pem")).unwrap();
    let (said, listening) = served(&host, &[]);
    assert_says(&said, &["tls.auto-generated.pem", "error["]);
    assert_eq!(listening, ["smtp none", "smtp2 none"]);
}

#[test]
fn a_bad_command_line_is_a_usage_error() {
    let host = Host::new();
    let control = host.control();
    let control = control.to_str().unwrap();
    for (arguments, says) in [
        (&["--nonsense"][..], "--nonsense"),
        (&[], "--maildir"),
        (&["--control", control], "--maildir"),
        (&["--control", control, "--sink", "nowhere"], "nowhere"),
        (&["--control", control, "--sink", "discard", "--maildir", "x"], "--maildir"),
        (&["--control", control, "--sink", "discard", "--service", "nonsense"], "nonsense"),
        (&["--control", control, "--sink", "discard", "--tls", "nonsense"], "nonsense"),
        (&["--control", control, "--sink", "discard", "--tls"], "--tls"),
        (&["--control", control, "--sink", "discard", "surplus"], "surplus"),
        (&["--control", "", "--sink", "discard"], "--control"),
        (&["--demo", "x", "--control", control], "--demo"),
    ] {
        let finished = process::run(Command::new(SMTPD).args(arguments), b"");
        assert_ends(&finished, 64, &[says]);
        assert_eq!(finished.stdout, [""; 0], "{arguments:?}");
    }
    for asked in ["--help", "--version"] {
        let finished = process::run(Command::new(SMTPD).arg(asked), b"");
        assert_eq!(finished.code, Some(0));
        assert!(finished.stdout[0].len() > 10, "{finished:?}");
    }
}

/// What scripts rely on is told by the program itself, with every code of its contract.
#[test]
fn every_help_tells_the_exit_codes() {
    for (program, command, codes) in [
        (SMTPD, None, &["0", "75", "78", "64"][..]),
        (SEND, None, &["0", "75", "69", "78", "64"]),
        (TLS_TOOL, Some("check"), &["0", "78", "64"]),
        (TLS_TOOL, Some("explain"), &["0", "78", "64"]),
        (TLS_TOOL, Some("ciphers"), &["0", "78", "64"]),
        (TLS_TOOL, Some("update-tmprsadh"), &["0", "75", "69", "78", "64"]),
    ] {
        let finished = process::run(Command::new(program).args(command).arg("--help"), b"");
        assert_eq!(finished.code, Some(0), "{finished:?}");
        let text = finished.stdout.join(" ");
        let (_, told) = text.split_once("Exit codes: ").unwrap_or_else(|| panic!("{text}"));
        let told = told.split("Examples:").next().unwrap();
        let is_number = |word: &&str| word.bytes().all(|octet| octet.is_ascii_digit());
        let found: Vec<_> = told.split_whitespace().filter(is_number).collect();
        assert_eq!(found, codes, "{program} {command:?}");
    }
}

#[test]
fn a_port_in_use_takes_its_service_down_and_alone_is_for_later() {
    let host = Host::new();
    let _taken = TcpListener::bind(("127.0.0.1", host.starttls)).unwrap();
    let address = format!("127.0.0.1:{}", host.starttls);
    let (said, listening) = served(&host, &[]);
    assert_says(&said, &["service smtp ", &address]);
    assert_eq!(listening, all_but("smtp"));
    assert_ends(&refused(&host, &["--strict"]), 75, &["service smtp ", &address]);
    assert_ends(&refused(&host, &["--service", "smtp"]), 75, &["no service could listen"]);

    let same = Host::new();
    same.write("smtp2", &format!("ENABLED=1\nIPADDR=127.0.0.1\nPORT={}\n", same.starttls));
    let (said, listening) = served(&same, &[]);
    assert_says(&said, &["smtp2:3:6: error[address-in-use]"]);
    assert_eq!(listening, all_but("smtp2"));
}

#[test]
fn a_maildir_that_cannot_be_one_is_for_later() {
    let host = Host::new();
    let file = host.control().join("me");
    for path in [file.clone(), file.join("below")] {
        let mut command = Command::new(SMTPD);
        command.arg("--control").arg(host.control()).arg("--maildir").arg(&path);
        assert_ends(&process::run(&mut command, b""), 75, &[path.to_str().unwrap()]);
    }
    fs::create_dir_all(host.maildir()).unwrap();
    fs::write(host.maildir().join("new"), "").unwrap();
    assert_ends(&refused(&host, &[]), 75, &[host.maildir().to_str().unwrap()]);
}

/// A word that means nothing to either library is said where it stands, and not again of the library.
#[test]
fn a_word_without_effect_is_said_once() {
    for &backend in BACKENDS {
        let host = Host::new();
        host.write("tls.tlsserverciphers", "ECDHE+AESGCM:NO-SUCH-WORD\n");
        let (said, listening) = served(&host, &["--tls", backend]);
        assert_eq!(listening.len(), 3);
        let words: Vec<_> =
            said.stderr.iter().filter(|line| line.contains("NO-SUCH-WORD")).collect();
        assert!(words.len() == 1 && words[0].contains("tls.tlsserverciphers:1:14: "), "{words:?}");
    }
}

/// A cipher string that OpenSSL refuses is never replaced by a default in silence, on either library.
#[test]
fn a_cipher_string_that_is_refused_is_named_where_it_stands() {
    let access = "127.0.0.1:allow,RELAYCLIENT=\"\"\n127.0.0.2:allow,TLSCIPHERS=\"nonsense\"\n";
    for &backend in BACKENDS {
        let arguments = ["--tls", backend];
        let by_rule = Host::new();
        by_rule.write("smtp.tcp", access);
        let by_file = Host::new();
        by_file.write("tls.tlsserverciphers", "# one\nnonsense\n");
        let by_service = Host::new();
        by_service.write(
            "smtp2",
            &format!(
                "ENABLED=1\nIPADDR=127.0.0.1\nPORT={}\nexport TLSCIPHERS=nonsense\n",
                by_service.submission
            ),
        );
        let by_environment = Host::new();
        let in_environment = |more: &[&str]| {
            let mut command = by_environment.smtpd(&[&arguments[..], more].concat());
            command.env("TLSCIPHERS", "nonsense");
            command
        };
        for (host, place) in
            [(&by_rule, "smtp.tcp:2:29: "), (&by_file, "tls.tlsserverciphers:2:1: ")]
        {
            let finished = refused(host, &arguments);
            assert_ends(&finished, 78, &[place, "error[ciphers-refused]"]);
            assert_says(&finished, &[place, "warning[cipher-word-without-effect]", "\"nonsense\""]);
        }
        let finished = process::run(&mut in_environment(&[]), b"");
        assert_ends(&finished, 78, &["environment variable TLSCIPHERS", "error[ciphers-refused]"]);
        let (said, listening) = served(&by_service, &arguments);
        assert_says(&said, &["smtp2:4:19: error[ciphers-refused]"]);
        assert_eq!(listening, all_but("smtp2"));
        let strict = refused(&by_service, &["--tls", backend, "--strict"]);
        assert_ends(&strict, 78, &["--strict"]);
    }
}

#[test]
fn an_extension_that_is_asked_for_and_not_there_is_named() {
    let host = Host::new();
    host.write("smtp.auth", "1\n").write(
        "smtp2",
        &format!("ENABLED=1\nIPADDR=127.0.0.1\nPORT={}\nSMTP_AUTH=1\n", host.submission),
    );
    let (said, listening) = served(&host, &[]);
    assert_says(&said, &["smtp.auth:1:1: warning[auth-not-offered]"]);
    assert_says(&said, &["smtp2:4:11: warning[auth-not-offered]"]);
    assert_eq!(listening, all_but(""));
}

#[test]
fn a_directory_that_is_named_by_a_relative_path_is_the_same_one() {
    let directory = tempfile::tempdir().unwrap();
    fs::create_dir(directory.path().join("control")).unwrap();
    fs::write(directory.path().join("control/smtp.port"), "0\n").unwrap();
    for path in ["control", "./control", "control/."] {
        let ended = Command::new(SMTPD)
            .current_dir(directory.path())
            .args(["--control", path, "--sink", "discard"])
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&ended.stderr);
        assert_eq!(ended.status.code(), Some(78), "{path}: {said}");
        assert!(said.contains("no service is left"), "{path}: {said}");
    }
}
