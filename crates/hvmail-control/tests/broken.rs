//! Broken control directories: the diagnostic names file and line, and what is not broken runs.

#![allow(clippy::unwrap_used)]

mod common;

use common::{Fixture, leaf, memory, running, said};
use hvmail_control::diagnostic::Severity;
use hvmail_control::source::Memory;
use hvmail_control::{Control, ServiceTls};

fn errors(control: &Control) -> Vec<String> {
    said(control, Severity::Error)
}

#[test]
fn a_configuration_that_does_not_parse_is_fatal() {
    for (name, place) in
        [("broken-unbalanced", "greenarrow.conf:1:9 "), ("broken-include-loop", "b.conf:1:")]
    {
        let control = Fixture::copy(name).load();
        let errors = errors(&control);
        assert!(errors.iter().any(|error| error.starts_with(place)), "{errors:?}");
        assert!(control.is_fatal(), "{name}");
        assert!(control.outgoing_for("x.example", None).is_err(), "{name}");
    }
}

#[test]
fn an_unusable_port_breaks_one_service_and_a_taken_one_the_later() {
    let control = Fixture::copy("broken-one-service").load();
    assert_eq!(
        errors(&control),
        ["smtp2:2:6 error[unusable-value] smtp2", "smtp3:2:6 error[address-in-use] smtp3"]
    );
    assert_eq!(running(&control), ["smtp"]);
    assert!(!control.is_fatal());
}

#[test]
fn a_file_that_was_cut_short_breaks_its_service() {
    let file = "ENABLED=1\nPORT=2465\nSMTPS=1\nexport SMTPS\n";
    let loaded = |text: &str| {
        let control = Control::load(&memory().file("smtp2", text));
        let cut = errors(&control).iter().any(|error| error.contains("error[cut-short] smtp2"));
        (control.service("smtp2").unwrap().runs(), cut)
    };
    // `SMTPS=1` without its export would be served in clear.
    for length in 0..file.len() {
        let cut = &file[..length];
        let last = cut.rsplit('\n').next().unwrap();
        let whole = last.is_empty() || last.contains('=') || last == "export SMTPS";
        let (runs, said) = loaded(cut);
        assert_eq!(said, !whole, "{cut:?}");
        assert!(whole || !runs, "{cut:?}");
    }
    assert_eq!(loaded("ENABLED=1\nPOR\n"), (true, false));
}

#[test]
fn every_unusable_value_is_named_where_it_stands() {
    let control = Fixture::copy("broken-values").load();
    assert_eq!(
        errors(&control),
        [
            "databytes:1:1 error[not-a-number]",
            "greenarrow.conf:2:20 error[not-a-boolean]",
            "greenarrow.conf:5:14 error[not-a-route]",
            "me:1:1 error[not-a-host-name]",
            "smtp.concurrency:1:1 error[not-a-number] smtp",
            "smtp.ipaddr:1:1 error[not-an-address] smtp",
            "smtp.port:1:1 error[empty-value] smtp",
            "smtp.starttls:1:1 error[not-a-switch] smtp",
            "smtp2:2:1 error[unusable-value] smtp2",
            "smtproutes:1:1 error[not-a-route]",
            "smtproutes:2:1 error[not-a-route]",
            "timeoutsmtpd:1:1 error[not-text]",
        ]
    );
    let said = said(&control, Severity::Warning);
    for line in [
        "rcpthosts:2:4 warning[not-text]",
        "rcpthosts:3:1 warning[entry-without-effect]",
        "smtp2:2:8 warning[more-than-assignment] smtp2",
        "smtp3:2:11 warning[auth-not-offered] smtp3",
    ] {
        assert!(said.contains(&line.to_owned()), "{line}: {said:#?}");
    }
    assert_eq!(running(&control), ["smtp3"]);
    assert!(control.accepts(Some("good.example")));
    assert_eq!(control.inbound.max_message_size.value, Some(1_024_000), "a limit was wanted");
    assert_eq!(control.inbound.idle_timeout.value.as_secs(), 300);
    for domain in ["a.example", "b.example", "c.example"] {
        assert!(control.outgoing_for(domain, None).is_err(), "{domain}");
    }
    assert!(control.outgoing_for("d.example", None).is_ok());
}

#[test]
fn a_rule_that_is_no_rule_breaks_the_services_under_it() {
    let control = Fixture::copy("broken-access").load();
    assert_eq!(
        errors(&control),
        ["smtp.tcp error[access-rules-unusable] smtp", "smtp.tcp:1:11 error[bad-access-rule]"]
    );
    assert_eq!(running(&control), ["smtp2"]);
    let said = said(&control, Severity::Warning);
    for line in [
        "smtp2.tcp:1:1 warning[access-rule-without-effect]",
        "smtp2.tcp:2:16 warning[not-honoured]",
    ] {
        assert!(said.contains(&line.to_owned()), "{line}: {said:#?}");
    }
}

#[test]
fn a_configuration_that_does_not_parse_is_not_said_to_lack_a_certificate() {
    let source = memory()
        .file("greenarrow.conf", "general {\n  tls_certificate_files k c\n")
        .file("smtp3", "ENABLED=1\nPORT=465\nSMTPS=1\nexport SMTPS\n");
    let control = Control::load(&source);
    assert!(control.is_fatal() && !control.service("smtp3").unwrap().runs());
    let about: Vec<_> = control.diagnostics.iter().filter(|d| d.code == "no-certificate").collect();
    assert_eq!(about.len(), 1, "the service that cannot start without: {about:?}");
    assert!(about[0].message.ends_with("greenarrow.conf cannot be used"), "{about:?}");
}

#[test]
fn a_deny_that_is_not_honoured_breaks_the_services_under_it() {
    for rule in ["10.0.0.0/8", "192.0.2.0/24", "=.spam.example", " 192.0.2.1", "joe@192.0.2.1"] {
        let load = |verb| {
            let rules = format!("{rule}:{verb}\n:allow\n");
            Control::load(&Memory::new().file("smtp.tcp", rules).file("rcpthosts", "a.example\n"))
        };
        let denied = load("deny");
        assert!(denied.is_fatal() && running(&denied).is_empty(), "{rule}");
        let line = "smtp.tcp:1:1 error[access-rule-without-effect]".to_owned();
        assert!(errors(&denied).contains(&line), "{rule}: {:?}", errors(&denied));
        let allowed = load("allow");
        assert_eq!((errors(&allowed), running(&allowed)), (vec![], vec!["smtp"]), "{rule}");
    }
}

#[test]
fn a_file_that_cannot_be_read_breaks_what_needs_it() {
    for (file, runs, fatal) in [
        ("smtp.port", &["smtp2"][..], false),
        ("smtp2", &["smtp"], false),
        ("smtp.tcp", &[], true),
        ("rcpthosts", &[], true),
        ("greenarrow.conf", &["smtp", "smtp2"], true),
        ("me", &["smtp", "smtp2"], false),
        ("databytes", &["smtp", "smtp2"], false),
        ("tls.servercert.pem", &["smtp", "smtp2"], false),
    ] {
        let source = memory().file("smtp2", "ENABLED=1\n").unreadable(file);
        let control = Control::load(&source);
        assert!(errors(&control).iter().any(|error| error.starts_with(file)), "{file}");
        assert_eq!(running(&control), runs, "{file}");
        assert_eq!(control.is_fatal(), fatal, "{file}");
    }
    let control = Control::load(&memory().unreadable("smtproutes"));
    assert!(control.outgoing_for("example.net", None).is_err());
    let control = Control::load(&memory().unreadable("tls.dh512.pem"));
    assert!(!control.has_errors(), "nothing needs that file");
}

#[test]
fn a_cipher_file_that_cannot_be_used_breaks_the_services_under_it() {
    let contents: [Option<&[u8]>; 4] =
        [None, Some(b"HIGH\0\n"), Some(b"HIGH\n\xff\n"), Some(b"!aNULL\n\0\nHIGH\n")];
    for content in contents {
        let source = memory()
            .file("tls.servercert.pem", leaf().chain_and_key())
            .file("smtp2", "ENABLED=1\nexport TLSCIPHERS=HIGH\n")
            .file("smtp3", "ENABLED=1\nGREENARROW_STARTTLS=0\n");
        let source = match content {
            Some(content) => source.file("tls.tlsserverciphers", content),
            None => source.unreadable("tls.tlsserverciphers"),
        };
        let control = Control::load(&source);
        assert_eq!(running(&control), ["smtp2", "smtp3"], "{content:?}");
        let said = errors(&control);
        assert!(said.contains(&"tls.tlsserverciphers error[ciphers-unknown] smtp".to_owned()));
        let control = Control::load(&source.variable("TLSCIPHERS", "HIGH"));
        assert_eq!(running(&control), ["smtp", "smtp2", "smtp3"], "{content:?}");
    }
}

#[test]
fn a_route_that_is_no_text_keeps_mail_back() {
    for line in [&b"a.example:10.0.0.1\0\n"[..], b"b.example:\xff\n", b"\xff:10.0.0.1\n"] {
        let mut content = line.to_vec();
        content.extend_from_slice(b"c.example:10.0.0.2\n");
        let conf = "domain d.example {\n  smtp_route e.example\n}\n";
        let source = memory().file("smtproutes", content).file("greenarrow.conf", conf);
        let control = Control::load(&source);
        assert!(errors(&control)[0].contains("error[not-text]"), "{line:?}");
        for domain in ["a.example", "b.example", "c.example", "example.net"] {
            assert!(control.outgoing_for(domain, None).is_err(), "{line:?} {domain}");
        }
        assert!(control.outgoing_for("d.example", None).is_ok(), "nothing is looked up there");
    }
}

#[test]
fn without_a_usable_certificate_starttls_is_not_offered_and_smtps_does_not_start() {
    let leaf = leaf();
    let chain = || leaf.chain();
    let other = smtp_testkit::pki::unrelated_key();
    let files = "general {\n  tls_certificate_files k.pem c.pem\n}\n";
    let cases: Vec<(&str, Memory, &str)> = vec![
        ("none", memory(), ""),
        (
            "a key of another certificate",
            memory().file("greenarrow.conf", files).file("k.pem", &*other).file("c.pem", chain()),
            "k.pem:1:1 error[certificate-key-mismatch]",
        ),
        (
            "a missing file",
            memory().file("greenarrow.conf", files).file("c.pem", leaf.chain_and_key()),
            "greenarrow.conf:2:25 error[missing-file]",
        ),
        (
            "an unreadable file",
            memory().file("greenarrow.conf", files).file("c.pem", chain()).unreadable("k.pem"),
            "k.pem error[unreadable-file]",
        ),
        (
            "no key",
            memory().file("greenarrow.conf", files).file("k.pem", chain()).file("c.pem", chain()),
            "k.pem:1:1 error[certificate-key-missing]",
        ),
        (
            "an empty file",
            memory().file("greenarrow.conf", files).file("k.pem", "").file("c.pem", chain()),
            "k.pem:1:1 error[unusable-certificate]",
        ),
        (
            "a cut file",
            memory()
                .file("greenarrow.conf", files)
                .file("k.pem", &*leaf.key)
                .file("c.pem", &chain()[..200]),
            "c.pem:1:1 error[unusable-certificate]",
        ),
        (
            "no file named",
            memory().file("greenarrow.conf", "general {\n  tls_certificate_files\n}\n"),
            "greenarrow.conf:2:3 error[no-certificate]",
        ),
        (
            "a deprecated file without key",
            memory().file("tls.servercert.pem", chain()),
            "tls.servercert.pem:1:1 error[certificate-key-missing]",
        ),
    ];
    for (what, source, place) in cases {
        // A good certificate by a later way takes nobody's place.
        let source = if what.contains("deprecated") || what == "none" {
            source
        } else {
            source.file("tls.servercert.pem", leaf.chain_and_key())
        };
        let control = Control::load(&source.file("smtp3", "ENABLED=1\nexport SMTPS=1\n"));
        let said = said(&control, Severity::Warning);
        if !place.is_empty() {
            assert!(said.contains(&place.to_owned()), "{what}: {said:#?}");
        }
        assert!(said.contains(&". warning[no-certificate] smtp".to_owned()), "{what}: {said:#?}");
        assert!(said.contains(&"smtp3:2:14 error[no-certificate] smtp3".to_owned()), "{what}");
        assert_eq!(running(&control), ["smtp"], "{what}");
        assert_eq!(control.service("smtp").unwrap().tls, ServiceTls::None, "{what}");
    }
}

#[test]
fn a_line_of_two_mebibytes_is_bounded_and_named() {
    let long = vec![b'x'; 2 << 20];
    let started = std::time::Instant::now();
    for name in [
        "me",
        "smtp.port",
        "smtp.tcp",
        "smtp2",
        "rcpthosts",
        "smtproutes",
        "databytes",
        "greenarrow.conf",
        "tls.servercert.pem",
    ] {
        let mut content = if name == "greenarrow.conf" { b"}".to_vec() } else { Vec::new() };
        content.extend_from_slice(&long);
        let control = Control::load(&memory().file(name, content));
        let place = format!("{name}:1:");
        let said = said(&control, Severity::Warning);
        assert!(
            name == "rcpthosts" || said.iter().any(|line| line.starts_with(&place)),
            "{name}: {said:?}"
        );
        for diagnostic in &control.diagnostics {
            assert!(diagnostic.message.len() < 500, "{name}: {}", diagnostic.code);
        }
    }
    assert!(started.elapsed().as_secs() < 30);
}

#[test]
fn mebibytes_of_small_pieces_are_bounded() {
    const SIZE: usize = 10 << 20;
    // Enough for what grows with the square to show, where a debug build has work with each piece.
    const LESS: usize = 1 << 19;
    let section = "-----BEGIN X-----\nAAAA\n-----END X-----\n";
    let assigned = format!("{}export{}\n", "A=1 ".repeat(SIZE / 8), " A".repeat(SIZE / 4));
    let cases = [
        ("smtp2", "a;".repeat(SIZE / 2), false),
        ("smtp2", "PORT=1\n".repeat(SIZE / 7), false),
        ("smtp2", assigned, false),
        ("tls.servercert.pem", section.repeat(4 * LESS / section.len()), true),
        ("smtp.tcp", "1.2.3.0-255:allow\n".repeat(SIZE / 18), false),
        ("smtp.tcp", "x\n".repeat(LESS / 2), false),
        ("smtp.tcp", ":deny\n".repeat(LESS / 6), true),
        ("rcpthosts", "@\n".repeat(LESS / 2), true),
        ("smtproutes", "x\n".repeat(LESS / 2), true),
        ("tls.tlsserverciphers", "\0\n".repeat(LESS / 2), false),
    ];
    for (name, content, runs) in cases {
        let what = format!("{name}: {}", &content[..6]);
        let source = memory().file("smtp3", "ENABLED=1\nTCPRULES_INHERIT=0\n");
        let source = source.file("smtp3.tcp", ":allow\n").file(name, content);
        let started = std::time::Instant::now();
        let control = Control::load(&source);
        let took = started.elapsed();
        println!("{what:?}: {took:?}, {} diagnostics", control.diagnostics.len());
        assert!(took.as_secs() < 20, "{what:?}: {took:?}");
        assert!(control.diagnostics.len() < 2_100, "{what:?}: {}", control.diagnostics.len());
        assert!(said(&control, Severity::Warning).iter().any(|line| line.starts_with(name)));
        let broken = control.services.iter().any(|service| service.broken);
        assert_eq!(broken, !runs, "{what:?}");
        for diagnostic in &control.diagnostics {
            assert!(diagnostic.message.len() < 500, "{what:?}: {}", diagnostic.code);
        }
    }
}

#[test]
fn nul_bytes_and_garbage_in_any_file_never_panic() {
    let garbage: Vec<u8> =
        (0..4096_u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    for content in [&b"\0\0\0\n"[..], &garbage, b"\xff\xfe", b"\n\n\n", b"", b"\r\n\r\n"] {
        for name in [
            "me",
            "smtp.ipaddr",
            "smtp.port",
            "smtp.concurrency",
            "smtp.starttls",
            "smtp.auth",
            "smtp.tcp",
            "smtp2",
            "smtp3",
            "rcpthosts",
            "smtproutes",
            "databytes",
            "timeoutsmtpd",
            "timeoutconnect",
            "timeoutremote",
            "greenarrow.conf",
            "tls.servercert.pem",
            "httpd.ssl.key",
            "tls.tlsserverciphers",
            "tls.clientca.pem",
            "tls.dh1024.pem",
        ] {
            let control = Control::load(&memory().file(name, content));
            for diagnostic in &control.diagnostics {
                assert!(!diagnostic.display(&control.snapshot).to_string().contains('\0'));
            }
        }
    }
}

#[test]
fn a_file_that_assigns_nothing_turns_its_service_off() {
    for content in ["", "# nothing\n", "\n\n"] {
        let control = Control::load(&memory().file("smtp2", content));
        assert!(
            said(&control, Severity::Warning).contains(&"smtp2 warning[empty-file] smtp2".into())
        );
        assert_eq!(running(&control), ["smtp"]);
        assert!(!control.has_errors());
    }
}

#[test]
fn what_is_off_is_not_broken() {
    let conf = "relay_server r {\n  starttls_use maybe\n}\n";
    for (content, errors) in [
        ("ENABLED=0\nPORT=abc\n", false),
        ("PORT=abc\n", false),
        ("ENABLED=1\nPORT=abc\n", true),
        ("ENABLED=$(x)\nPORT=abc\n", true),
        ("ENABLED=0\nif true\n", true),
    ] {
        let source = memory().file("greenarrow.conf", conf).file("smtp3", content);
        let control = Control::load(&source);
        assert_eq!(control.has_errors(), errors, "{content:?}");
        let said = said(&control, Severity::Warning);
        let told = said.iter().filter(|line| line.starts_with("smtp3:"));
        assert!(told.count() > 0, "{said:?}");
        assert!(said.contains(&"greenarrow.conf:2:16 warning[not-a-boolean]".to_owned()));
    }
}

#[test]
fn no_service_left_is_fatal() {
    let control = Control::load(&memory().file("smtp.port", "0\n"));
    assert!(control.is_fatal() && !control.has_errors());
}

#[test]
fn two_services_on_one_address_and_port_are_one_too_many() {
    for (first, second, conflict) in [
        ("127.0.0.1", "127.0.0.1", true),
        ("0", "127.0.0.1", true),
        ("127.0.0.1", "0", true),
        ("0", "0", true),
        ("127.0.0.1", "127.0.0.2", false),
        ("127.0.0.1", "::1", false),
        ("0.0.0.0", "127.0.0.1", true),
        ("::1", "::", true),
        ("0.0.0.0", "::1", false),
    ] {
        let source = memory()
            .file("smtp.ipaddr", format!("{first}\n"))
            .file("smtp2", format!("ENABLED=1\nPORT=25\nIPADDR={second}\n"));
        let control = Control::load(&source);
        let expected: &[&str] = if conflict { &["smtp"] } else { &["smtp", "smtp2"] };
        assert_eq!(running(&control), expected, "{first} {second}");
        assert_eq!(control.has_errors(), conflict);
    }
}
