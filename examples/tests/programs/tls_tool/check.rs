//! `check`: every diagnostic with its place, drawn so that no file can do anything to a terminal.

use std::fs;
use std::process::Command;

use smtp_testkit::pki::{Authority, Key, Validity};
use smtp_testkit::process::{self, Finished, find_program};

use super::run;
use crate::support::{BACKENDS, Host, TLS_TOOL};

fn check(host: &Host, arguments: &[&str]) -> Finished {
    let control = host.control().display().to_string();
    run(["check", &control].iter().chain(arguments))
}

/// The drawing that begins with this title, up to the empty line behind it.
fn drawing<'a>(finished: &'a Finished, title: &str) -> &'a [String] {
    let start = finished.stdout.iter().position(|line| line.starts_with(title));
    let lines = &finished.stdout[start.unwrap_or_else(|| panic!("no {title:?} in {finished:?}"))..];
    &lines[..lines.iter().position(String::is_empty).unwrap()]
}

#[test]
fn a_good_directory_ends_with_0_and_a_count() {
    let host = Host::new();
    for backend in BACKENDS {
        let finished = check(&host, &["--tls", backend]);
        assert_eq!(finished.code, Some(0), "{finished:?}");
        let summary = finished.stdout.last().unwrap();
        let begins = format!("{}, for {backend}: 0 errors, ", host.control().display());
        assert!(summary.starts_with(&begins), "{summary}");
        assert_eq!(finished.stderr, [] as [String; 0]);
    }
}

#[test]
fn an_error_is_drawn_with_its_place_and_its_help() {
    let host = Host::new();
    host.write("greenarrow.conf", "general {\n\tstarttls_require maybe\n}\n");
    host.write("smtp2", "ENABLED=1\nPORT=0\n");
    host.write("smtp3", &format!("ENABLED=1\nIPADDR=127.0.0.1\nPORT={}\n", host.starttls));
    let finished = check(&host, &[]);
    assert_eq!(finished.code, Some(78), "{finished:?}");
    let control = host.control().display().to_string();
    let expected = [
        "error[not-a-boolean]: starttls_require is yes or no, not \"maybe\"",
        &format!(" --> {control}/greenarrow.conf:2:19"),
        "  |",
        "2 |     starttls_require maybe",
        "  |                      ^^^^^",
        "  |",
        "help: write starttls_require yes or starttls_require no",
    ];
    assert_eq!(drawing(&finished, "error[not-a-boolean]"), expected);
    // Another place that takes part, and the service.
    let conflict = drawing(&finished, "error[address-in-use]").join("\n");
    assert!(conflict.contains(&format!("--> {control}/smtp3:3:6\n")), "{conflict}");
    assert!(conflict.contains("= note: it concerns service smtp3\n"), "{conflict}");
    assert!(
        conflict.contains(&format!("note: the port of smtp\n --> {control}/smtp.port:1:1\n")),
        "{conflict}"
    );
    assert!(finished.stdout.last().unwrap().contains(" errors, "), "{finished:?}");
}

#[test]
fn what_the_vendor_calls_unsupported_is_marked() {
    let host = Host::new();
    host.write("tls.clientca.pem", "no certificate\n");
    let finished = check(&host, &[]);
    assert!(
        finished
            .stdout
            .iter()
            .any(|line| line.ends_with("the vendor calls this setting unsupported"))
    );
}

/// One fault, one diagnostic: of a string that OpenSSL refuses, and of one that a library has nothing of.
#[test]
fn a_string_of_all_services_is_refused_once_with_their_names() {
    let host = Host::new();
    for (string, backends, title) in [
        ("HIGH:@FOO\n", BACKENDS, "error[ciphers-refused]"),
        ("AES128-SHA\n", &["rustls"], "error[cipher-string]"),
    ] {
        host.write("tls.tlsserverciphers", string);
        for backend in backends.iter().filter(|backend| BACKENDS.contains(backend)) {
            let finished = check(&host, &["--tls", backend]);
            assert_eq!(finished.code, Some(78), "{finished:?}");
            let errors = finished.stdout.iter().filter(|line| line.starts_with("error["));
            assert_eq!(errors.count(), 1, "{finished:?}");
            let said = drawing(&finished, title).join("\n");
            assert!(said.contains("= note: it concerns services smtp, smtp2, smtp3"), "{said}");
            let served = process::run(&mut host.smtpd(&["--strict", "--tls", backend]), b"");
            assert_eq!(served.code, Some(78), "{served:?}");
        }
    }
    // Another word for the same in no command.
    host.write("tls.tlsserverciphers", "HIGH:FOO\n");
    let code = "warning[cipher-word-without-effect]";
    assert!(check(&host, &[]).stdout.iter().any(|line| line.starts_with(code)));
    assert!(run(["ciphers", "HIGH:FOO"]).stderr.iter().any(|line| line.starts_with(code)));
}

#[test]
fn what_the_library_does_not_honour_is_said_with_its_place() {
    let host = Host::new();
    let authority = Authority::root("check");
    host.write("tls.tlsserverciphers", "ECDHE+AESGCM\nDHE+AES128\nNO-SUCH-WORD\n")
        .write("tls.clientca.pem", &authority.certificate())
        .write("tls.tlsclients", "a@example.org\n");
    for backend in BACKENDS {
        // rustls lacks the suites of a string; OpenSSL does not resume where certificates are asked for.
        let file = if *backend == "rustls" { "tls.tlsserverciphers" } else { "tls.tlsclients" };
        let finished = check(&host, &["--tls", backend]);
        assert_eq!(finished.code, Some(0), "{finished:?}");
        let said = drawing(&finished, &format!("warning[not-honoured]: {backend} ")).join("\n");
        let place = format!("--> {}/{file}:1:1", host.control().display());
        assert!(said.contains(&place), "{said}");
        // All three services have the string from the file, and it is said once.
        assert!(said.contains("= note: it concerns services smtp, smtp2, smtp3"), "{said}");
        // So is the word that no library knows.
        let titles = finished.stdout.iter().filter(|line| line.starts_with("warning["));
        let words: Vec<_> = titles.filter(|line| line.contains("NO-SUCH-WORD")).collect();
        assert_eq!(words.len(), 1, "{words:?}");
    }
}

#[test]
fn a_certificate_that_has_expired_or_is_of_another_key_is_said() {
    let authority = Authority::root("check");
    let host = Host::new();
    let names = ["mx.example.org"];
    let expired = authority.issue_as(&names, Key::Ecdsa, Validity::Expired);
    host.write("tls.chain.pem", &expired.chain()).write("tls.key.pem", &expired.key);
    let finished = check(&host, &[]);
    let said = drawing(&finished, "warning[certificate-expired]").join("\n");
    assert!(said.contains("greenarrow.conf:2:3"), "{said}");

    host.write("tls.key.pem", &smtp_testkit::pki::unrelated_key());
    let finished = check(&host, &[]);
    assert_eq!(finished.code, Some(78), "{finished:?}");
    let text = finished.stdout.join("\n");
    assert!(text.contains("error["), "{text}");
    let key = fs::read_to_string(host.control().join("tls.key.pem")).unwrap();
    let secret = key.lines().find(|line| !line.starts_with('-')).unwrap();
    assert!(!text.contains(secret), "{text}");
}

/// A setting may name any file of the host, and `check` may be root's: of none but the directory's own text
/// files a line is shown, by no program.
#[test]
fn no_line_of_another_file_is_shown() {
    let host = Host::new();
    let secret = "root:$6$c2FsdA$aGFzaA:19700:0:99999:7:::";
    let outside = host.control().with_file_name("shadow");
    let silent = |what: &str, codes: &[&str]| {
        let control = host.control().display().to_string();
        let served = process::run(&mut host.smtpd(&["--strict"]), b"");
        let checked = check(&host, &[]);
        for finished in
            [&checked, &served, &run(["explain", &control]), &run(["explain", &control, "--json"])]
        {
            for line in finished.stdout.iter().chain(&finished.stderr) {
                assert!(!line.contains("$6$") && !line.contains("c2Fs"), "{what}: {line}");
            }
        }
        for code in codes {
            let said = drawing(&checked, code);
            assert!(said[1].trim_start().starts_with("--> "), "{what}: {said:#?}");
        }
    };
    for text in [
        format!("{secret}\n"),
        format!("-----BEGIN CERTIFICATE-----\n{secret}\n-----END CERTIFICATE-----\n"),
        format!("{secret}\n{}", host.certificate.certificate),
        format!("{}{secret}\n", host.certificate.key),
        format!("-----BEGIN {secret}-----\nAAAA\n"),
        format!("-----BEGIN {secret}-----\n-----END {secret}-----\n"),
        format!("-----BEGIN {secret}-----\nAAAA\n-----END CERTIFICATE-----\n"),
        format!("-----BEGIN {secret}-----\nAAAA\n-----END {secret}-----\n"),
    ] {
        fs::write(&outside, &text).unwrap();
        for named in [outside.display().to_string(), "../shadow".to_owned()] {
            let conf = format!("general {{\n  tls_certificate_files {named}\n}}\n");
            host.write("greenarrow.conf", &conf);
            silent(&text, &[]);
        }
        host.write("greenarrow.conf", "general {\n  tls_certificate_files copy.txt\n}\n");
        host.write("copy.txt", &text);
        silent(&text, &[]);
    }
    for name in [
        "tls.clientca.pem",
        "tls.clientcrl.pem",
        "tls.dh2048.pem",
        "tls.rsa512.pem",
        "servercert.pem",
        "clientcert.pem",
    ] {
        host.write(name, &format!("{secret}\n"));
    }
    host.write("tls.tlsclients", "a@example.org\n");
    host.write("copy.txt", &format!("{secret}\n"));
    silent("each file", &["error[unusable-certificate]", "error[client-authority-unusable]"]);
    // An included file may be any, too.
    fs::write(&outside, format!("{secret} {{\n\"\n{secret}{secret}\"\n")).unwrap();
    for named in [outside.display().to_string(), "../shadow".to_owned()] {
        host.write("greenarrow.conf", &format!("include {named}\n"));
        silent("include", &[]);
        assert!(check(&host, &[]).stdout.join("\n").contains("shadow:"), "{named}");
    }
}

/// Whatever stands in the files, nothing of it moves the cursor or sets a colour.
#[test]
fn no_file_drives_the_terminal() {
    let host = Host::new();
    let hostile = "\u{1b}[31m\u{1b}]0;title\u{7}\u{9b}2J\u{202e}\r\u{8}";
    for name in [
        "smtp.tcp",
        "smtp2",
        "smtp3",
        "greenarrow.conf",
        "rcpthosts",
        "smtproutes",
        "me",
        "smtp.port",
    ] {
        host.write(name, &format!("a {hostile} = \"{hostile}\n\t{hostile}:x\n"));
    }
    fs::write(host.control().join("databytes"), b"\xff\xfe\x1b[2J\xf0\x9f\n").unwrap();
    host.write(
        "smtp.concurrency",
        &format!("{}\t\u{1b}[2J{}\n", "x".repeat(5000), "y".repeat(100_000)),
    );
    let finished = check(&host, &[]);
    assert_eq!(finished.code, Some(78), "{finished:?}");
    let errors = finished.stdout.iter().filter(|line| line.starts_with("error[")).count();
    assert!(errors > 5, "{finished:?}");
    for line in finished.stdout.iter().chain(&finished.stderr) {
        let drives = |c: char| c.is_control() || ('\u{202a}'..='\u{202e}').contains(&c);
        assert!(!line.contains(drives), "{line:?}");
        assert!(line.chars().count() < 1_000, "{line}");
    }
}

#[test]
fn colours_are_for_terminals_and_not_for_those_who_want_none() {
    let Some(script) = find_program("script") else {
        eprintln!("skipped: no script, which gives a terminal");
        return;
    };
    let host = Host::new();
    host.write("databytes", "many\n");
    let on_terminal = |no_color: &str| {
        let command = format!("{TLS_TOOL} check {}", host.control().display());
        let mut command_line = Command::new(&script);
        command_line.args(["-qec", &command, "/dev/null"]).env("TERM", "xterm");
        process::run(command_line.env("NO_COLOR", no_color), b"").stdout.join("\n")
    };
    assert!(on_terminal("").contains("\u{1b}["), "{}", on_terminal(""));
    let plain = on_terminal("1");
    assert!(plain.contains("error[") && !plain.contains('\u{1b}'), "{plain:?}");
    assert!(!check(&host, &[]).stdout.join("\n").contains('\u{1b}'));
}

#[test]
fn nothing_is_made_and_what_is_no_directory_is_bad_configuration() {
    let host = Host::new();
    host.write("greenarrow.conf", "general {\n  tls_certificate_auto_generate yes\n}\n");
    let before = fs::read_dir(host.control()).unwrap().count();
    let finished = check(&host, &[]);
    assert!(finished.stdout.iter().any(|line| line.starts_with("note[certificate-to-be-made]")));
    // It is judged as it will be served, on each library.
    for backend in BACKENDS {
        let control = host.control().display().to_string();
        let said = check(&host, &["--tls", backend]).stdout.join("\n");
        assert_eq!(said.matches("certificate-to-be-made").count(), 1, "{said}");
        assert!(!said.contains("no-certificate") && said.contains(": 0 errors"), "{said}");
        let said = run(["explain", &control, "--tls", backend]).stdout.join("\n");
        assert!(
            said.contains("service smtp: runs") && said.contains("offered by starttls"),
            "{said}"
        );
        assert!(said.contains("  certificate           mx.example.org "), "{said}");
        assert!(!said.contains("no TLS is offered"), "{said}");
    }
    assert_eq!(fs::read_dir(host.control()).unwrap().count(), before);
    for path in ["/no/such/directory", "/dev/null"] {
        let finished = run(["check", path]);
        assert_eq!(finished.code, Some(78), "{finished:?}");
        assert!(finished.stderr[0].contains(path), "{finished:?}");
    }
    assert_eq!(run(["check", "a", "b"]).code, Some(64));
}

/// A requirement that would be passed over in other letters, or outside every block.
#[test]
fn a_requirement_that_is_not_in_force_fails() {
    for line in ["STARTTLS_REQUIRE yes", "starttls_require yes"] {
        let host = Host::new();
        let conf = fs::read_to_string(host.control().join("greenarrow.conf")).unwrap();
        host.write("greenarrow.conf", &format!("{conf}{line}\n"));
        let finished = check(&host, &[]);
        assert_eq!(finished.code, Some(78), "{finished:?}");
        let help = "help: write starttls_require inside `general {}`, an `ip_address` block or a `domain` block";
        let said = drawing(&finished, "error[requirement-not-in-force]");
        assert_eq!(said.last().map(String::as_str), Some(help), "{said:#?}");
        let served = process::run(&mut host.smtpd(&["--strict"]), b"");
        assert_eq!(served.code, Some(78), "{served:?}");
    }
}
