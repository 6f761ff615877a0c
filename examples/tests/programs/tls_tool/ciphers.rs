//! `ciphers`: a string's suites in OpenSSL's order, what is kept of them, and what had no effect.

use std::process::{Command, Stdio};

use smtp_testkit::process::{self, Finished, require_peer};

use super::run;
use crate::support::{BACKENDS, TLS_TOOL};

fn ciphers(arguments: &[&str]) -> Finished {
    run(["ciphers"].iter().chain(arguments))
}

/// (name, what becomes of it), a line each.
fn suites(finished: &Finished) -> Vec<(&str, &str)> {
    finished
        .stdout
        .iter()
        .map(|line| line.split_once("  ").map(|(name, fate)| (name, fate.trim())).unwrap())
        .collect()
}

#[test]
fn the_suites_are_those_of_openssl_in_its_order() {
    let Some(openssl) = require_peer("openssl") else { return };
    for backend in BACKENDS {
        for string in
            [None, Some("DEFAULT"), Some("ALL:!PSK:!eNULL:!NULL"), Some("ECDHE+AESGCM:+AES128")]
        {
            let arguments: Vec<_> = string.into_iter().chain(["--tls", *backend]).collect();
            let finished = ciphers(&arguments);
            assert_eq!(finished.code, Some(0), "{finished:?}");
            let mut command = Command::new(&openssl);
            let said = process::run(command.args(["ciphers", string.unwrap_or("DEFAULT")]), b"");
            // The suites of TLS 1.3 come first there, and are no part of the string.
            let mut expected: Vec<_> = said.stdout[0].split(':').collect();
            expected.retain(|name| !name.starts_with("TLS_"));
            let names: Vec<_> = suites(&finished).iter().map(|(name, _)| *name).collect();
            assert_eq!(names, expected, "{string:?}");
        }
    }
}

#[cfg(feature = "rustls")]
#[test]
fn what_rustls_lacks_is_said_of_each_suite() {
    let finished =
        ciphers(&["--tls", "rustls", "DHE-RSA-AES128-SHA:ECDHE-RSA-AES128-GCM-SHA256:NULL-SHA"]);
    assert_eq!(finished.code, Some(0), "{finished:?}");
    let expected = [
        ("DHE-RSA-AES128-SHA", "not in rustls: no DHE key exchange"),
        ("ECDHE-RSA-AES128-GCM-SHA256", "kept"),
        ("NULL-SHA", "not in rustls: no suite without encryption"),
    ];
    assert_eq!(suites(&finished), expected);
    let said = finished.stderr.last().unwrap();
    assert!(said.starts_with("rustls keeps 1 of 3 suites; TLS 1.3"), "{said}");

    let none = ciphers(&["--tls", "rustls", "AES128-SHA"]);
    assert_eq!(none.code, Some(78), "{none:?}");
    assert_eq!(suites(&none).len(), 1);
    assert_eq!(
        none.stderr.last().unwrap(),
        "hvmail-tls: rustls keeps no suite of this cipher string"
    );
}

#[cfg(feature = "openssl")]
#[test]
fn what_the_security_level_takes_out_is_said_of_each_suite() {
    let finished =
        ciphers(&["--tls", "openssl", "ECDHE-RSA-AES128-GCM-SHA256:NULL-SHA:@SECLEVEL=2"]);
    assert_eq!(finished.code, Some(0), "{finished:?}");
    let expected = [
        ("ECDHE-RSA-AES128-GCM-SHA256", "kept"),
        ("NULL-SHA", "not offered: 0 bits where the security level asks for 112"),
    ];
    assert_eq!(suites(&finished), expected);
}

/// As `openssl ciphers -s` has them.
#[test]
fn the_suites_of_tls_1_3_are_those_of_the_level() {
    let Some(openssl) = require_peer("openssl") else { return };
    for backend in BACKENDS {
        for (string, say) in [
            ("ECDHE+AESGCM:@SECLEVEL=5", "in which @SECLEVEL=5 alone has a say"),
            ("HIGH", "in which no cipher string has a say"),
        ] {
            let finished = ciphers(&["--tls", backend, string]);
            let said = finished.stderr.last().unwrap();
            let (_, names) = said.split_once(&format!("; TLS 1.3, {say}, has ")).unwrap();
            let mut names: Vec<_> = names.split(' ').collect();
            let mut command = Command::new(&openssl);
            let expected = process::run(command.args(["ciphers", "-s", "-tls1_3", string]), b"");
            let mut expected: Vec<_> = expected.stdout[0].split(':').collect();
            if *backend == "rustls" {
                // It has an order of its own.
                names.sort_unstable();
                expected.sort_unstable();
            }
            assert_eq!(names, expected, "{backend} {string}");
        }
    }
}

#[test]
fn a_word_without_effect_is_named_with_its_place() {
    let finished = ciphers(&["HIGH:FOO-BAR:!aNULL"]);
    assert_eq!(finished.code, Some(0), "{finished:?}");
    let expected = [
        "warning[cipher-word-without-effect]: no effect: FOO-BAR: no word of cipher strings",
        " --> cipher string:1:6",
        "  |",
        "1 | HIGH:FOO-BAR:!aNULL",
        "  |      ^^^^^^^",
    ];
    assert_eq!(finished.stderr[..expected.len()], expected);
    // That nobody has RC4 to take out is as its author wanted.
    let harmless = ciphers(&["HIGH:!RC4"]);
    assert_eq!(harmless.code, Some(0));
    assert!(
        harmless.stderr[0].starts_with("note[cipher-word-without-effect]: no effect: RC4: "),
        "{harmless:?}"
    );
}

#[test]
fn a_string_that_openssl_refuses_is_bad_configuration() {
    for (string, column, said) in [
        ("", 1, "no cipher suite of TLS 1.2 is left"),
        ("TLS_AES_256_GCM_SHA384", 1, "no cipher suite of TLS 1.2 is left"),
        ("HIGH:@SECLEVEL=9", 6, "security levels are 0 to 5"),
        ("HIGH:\u{1b}[31m\u{9b}2J", 6, "a word is missing"),
        ("-nothing", 1, "no cipher suite of TLS 1.2 is left"),
    ] {
        let finished = ciphers(&[string]);
        assert_eq!(finished.code, Some(78), "{string:?}: {finished:?}");
        assert_eq!(finished.stdout, [] as [String; 0]);
        let error = finished.stderr.iter().position(|line| line.starts_with("error["));
        let error = &finished.stderr[error.unwrap_or_else(|| panic!("{finished:?}"))..];
        assert_eq!(error[0], format!("error[cipher-string]: {said}"));
        assert_eq!(error[1].trim(), format!("--> cipher string:1:{column}"));
        let help = "help: of a service an empty cipher string is taken for DEFAULT";
        assert_eq!(error.iter().any(|line| line == help), string.is_empty(), "{error:?}");
        assert!(!error.iter().any(|line| line.contains(['\u{1b}', '\u{9b}'])), "{error:?}");
    }
    assert_eq!(ciphers(&["HIGH", "LOW"]).code, Some(64));
    assert_eq!(ciphers(&["--tls", "gnutls"]).code, Some(64));
}

#[test]
fn who_reads_no_further_ends_nothing() {
    let mut child = Command::new(TLS_TOOL)
        .args(["ciphers", "ALL:COMPLEMENTOFALL"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    assert_eq!(child.wait().unwrap().code(), Some(0));
}
