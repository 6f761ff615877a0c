//! The server's certificate: by which way, and what is said of it.

#![allow(clippy::unwrap_used)]

mod common;

use common::{authority, leaf, memory, said};
use hvmail_control::certificate::AUTO_GENERATED;
use hvmail_control::diagnostic::Severity;
use hvmail_control::source::{Directory, Memory};
use hvmail_control::{Control, ServiceTls};
use smtp_testkit::material;
use smtp_testkit::pki::{Authority, Key, Validity, self_signed};
use smtp_tls::Certificate;

/// The certificate that service `smtp` presents, and how many stand above it.
fn presented(control: &Control) -> Option<(Certificate, usize)> {
    match &control.service("smtp").unwrap().tls {
        ServiceTls::StartTls(policy) => {
            Some((policy.identity.leaf().clone(), policy.identity.chain().len() - 1))
        }
        _ => None,
    }
}

#[test]
fn the_certificate_by_each_way() {
    let leaf = leaf();
    let named = |list: &str| format!("general {{\n  tls_certificate_files {list}\n}}\n");
    let generate = "general {\n  tls_certificate_auto_generate yes\n}\n";
    let both = leaf.chain_and_key();
    let reversed = format!("{}{}{}", leaf.key, leaf.intermediates.concat(), leaf.certificate);
    let ways: Vec<(&str, Memory)> = vec![
        (
            "key, chain",
            memory()
                .file("greenarrow.conf", named("k c"))
                .file("k", &*leaf.key)
                .file("c", leaf.chain()),
        ),
        (
            "chain, key",
            memory()
                .file("greenarrow.conf", named("c, k"))
                .file("k", &*leaf.key)
                .file("c", leaf.chain()),
        ),
        ("one file", memory().file("greenarrow.conf", named("all")).file("all", &*both)),
        (
            "any order inside",
            memory().file("greenarrow.conf", named("all")).file("all", &*reversed),
        ),
        (
            "three files, absolute",
            memory()
                .file("greenarrow.conf", named("/etc/i.pem /etc/k.pem /etc/c.pem"))
                .file("/etc/k.pem", &*leaf.key)
                .file("/etc/c.pem", &*leaf.certificate)
                .file("/etc/i.pem", leaf.intermediates.concat()),
        ),
        (
            "generated before",
            memory().file("greenarrow.conf", generate).file(AUTO_GENERATED, &*both),
        ),
        ("tls.servercert.pem", memory().file("tls.servercert.pem", &*both)),
        (
            "httpd.ssl",
            memory()
                .file("httpd.ssl.key", &*leaf.key)
                .file("httpd.ssl.crt", &*leaf.certificate)
                .file("httpd.ssl.ca", leaf.intermediates.concat()),
        ),
    ];
    for (way, source) in ways {
        let control = Control::load(&source);
        let (certificate, above) = presented(&control).unwrap_or_else(|| panic!("{way}"));
        assert_eq!(
            (certificate.to_pem(), above),
            (leaf.certificate.replace("\r\n", "\n"), 1),
            "{way}"
        );
        assert!(!control.has_errors(), "{way}: {:#?}", control.diagnostics);
    }
}

#[test]
fn a_directive_comes_before_the_deprecated_files() {
    let (named, other) = (leaf(), leaf());
    let source = memory()
        .file("greenarrow.conf", "general {\n  tls_certificate_files n\n}\n")
        .file("n", named.chain_and_key())
        .file("tls.servercert.pem", other.chain_and_key())
        .file("httpd.ssl.key", "not even PEM");
    let control = Control::load(&source);
    assert_eq!(presented(&control).unwrap().0.to_pem(), named.certificate.replace("\r\n", "\n"));
    assert!(!control.has_errors(), "files that are not in force are not looked into");
    let said = said(&control, Severity::Note);
    for file in ["tls.servercert.pem", "httpd.ssl.key"] {
        assert!(said.contains(&format!("{file} note[certificate-not-in-force]")), "{said:?}");
    }
}

#[test]
fn each_way_to_a_certificate_that_is_not_in_force_is_told() {
    let leaf = leaf();
    let not_in_force = |source: Memory| -> Vec<String> {
        let control = Control::load(&source);
        assert!(!control.has_errors(), "{:?}", control.diagnostics);
        let said = said(&control, Severity::Note).into_iter();
        said.filter_map(|line| Some(line.split_once(" note[certificate-not-in-force]")?.0.into()))
            .collect()
    };
    let conf = |lines: &str| memory().file("greenarrow.conf", format!("general {{\n{lines}}}\n"));
    let pem = leaf.chain_and_key();
    let (files, generate) = ("tls_certificate_files n\n", "tls_certificate_auto_generate yes\n");
    let both = conf(&format!("{files}{generate}")).file("n", &*pem);
    assert_eq!(not_in_force(both), ["greenarrow.conf:3:1"]);
    let off = conf(&format!("{files}tls_certificate_auto_generate no\n")).file("n", &*pem);
    assert_eq!(not_in_force(off), [""; 0]);
    let generated = conf(generate).file(AUTO_GENERATED, &*pem).file("tls.servercert.pem", "x");
    assert_eq!(not_in_force(generated), ["tls.servercert.pem"]);
    let deprecated = memory().file("tls.servercert.pem", &*pem).file("httpd.ssl.crt", "x");
    assert_eq!(not_in_force(deprecated), ["httpd.ssl.crt"]);
    let named = conf("tls_certificate_files ./tls.servercert.pem\n");
    let named = named.file("tls.servercert.pem", &*pem).file("httpd.ssl.crt", "x");
    assert_eq!(not_in_force(named), ["httpd.ssl.crt"], "what the directive names is in force");
}

#[test]
fn a_directive_in_another_place_or_with_a_block_is_told() {
    let leaf = leaf();
    let source = memory().file("k", leaf.chain_and_key());
    for (conf, line) in [
        ("tls_certificate_files k\n", "greenarrow.conf:1:1 warning[not-honoured]"),
        (
            "ip_address * {\n general {\n  tls_certificate_files k\n }\n}\n",
            "greenarrow.conf:3:3 warning[not-honoured]",
        ),
        (
            "domain a {\n tls_certificate_auto_generate yes\n}\n",
            "greenarrow.conf:2:2 warning[not-honoured]",
        ),
        (
            "general {\n tls_certificate_files k {\n  x y\n }\n}\n",
            "greenarrow.conf:2:2 error[wrong-arguments]",
        ),
        (
            "general {\n tls_certificate_auto_generate yes {\n }\n}\n",
            "greenarrow.conf:2:2 error[wrong-arguments]",
        ),
    ] {
        let control = Control::load(&source.clone().file("greenarrow.conf", conf));
        let said = said(&control, Severity::Warning);
        assert!(said.contains(&line.to_owned()), "{conf}: {said:?}");
        assert_eq!((presented(&control), &control.certificate_request), (None, &None), "{conf}");
    }
}

#[test]
fn a_certificate_is_told_before_and_after_its_time() {
    let source = memory().file("tls.servercert.pem", leaf().chain_and_key());
    let control = Control::load(&source);
    let what = presented(&control).unwrap().0.describe().unwrap();
    let code = |time| control.certificate_diagnostics(time).first().map(|said| said.code);
    for (time, expected) in [
        (what.not_before - 1, Some("certificate-not-yet-valid")),
        (what.not_before, None),
        (what.not_after, Some("certificate-expires-soon")),
        (what.not_after + 1, Some("certificate-expired")),
    ] {
        assert_eq!(code(time), expected);
    }
    let said = control.certificate_diagnostics(u64::MAX);
    let place = said[0].location(&control.snapshot).unwrap();
    assert!(place.path.ends_with("tls.servercert.pem"));
    let without = Control::load(&source.file("smtp.starttls", "0\n"));
    assert_eq!(without.certificate_diagnostics(u64::MAX), [], "it is not served");
}

#[test]
fn a_certificate_to_be_made_is_a_request() {
    for (value, names) in [
        ("yes", &["mx.example.com"][..]),
        ("mail.example.org", &["mail.example.org"]),
        ("a.example b.example", &["a.example", "b.example"]),
    ] {
        let conf = format!("general {{\n  tls_certificate_auto_generate {value}\n}}\n");
        let control = Control::load(&memory().file("greenarrow.conf", conf));
        let request = control.certificate_request.as_ref().unwrap();
        assert_eq!(request.names, names);
        assert!(request.path.ends_with(AUTO_GENERATED));
        let location = control.location(request.origin).unwrap();
        assert_eq!(location.line, 2);
        assert_eq!(presented(&control), None);
    }
    for (value, code) in [
        ("off", "not-a-boolean"),
        ("No", "not-a-boolean"),
        ("0", "not-a-boolean"),
        ("TRUE", "not-a-boolean"),
        ("a.example yes", "not-a-boolean"),
        ("", "wrong-arguments"),
        ("x=y", "wrong-arguments"),
        ("a/b", "not-a-host-name"),
        ("\"a b\"", "not-a-host-name"),
        ("\"\"", "not-a-host-name"),
        ("a.example, *.b.example", "not-a-host-name"),
    ] {
        let conf = format!("general {{\n  tls_certificate_auto_generate {value}\n}}\n");
        let control = Control::load(&memory().file("greenarrow.conf", conf));
        assert_eq!(control.certificate_request, None, "{value}");
        let said = said(&control, Severity::Error);
        assert!(said[0].contains(&format!("error[{code}]")), "{value}: {said:?}");
    }
    let conf = "general {\n  tls_certificate_auto_generate no\n}\n";
    let control = Control::load(&memory().file("greenarrow.conf", conf));
    assert_eq!(control.certificate_request, None);
}

/// What is said at least as a note of a certificate in `tls.servercert.pem`, which is served all the same.
fn told(pem: &str) -> Vec<String> {
    told_of(&memory().file("tls.servercert.pem", pem))
}

fn told_of(source: &Memory) -> Vec<String> {
    let control = Control::load(source);
    assert!(presented(&control).is_some(), "{:#?}", control.diagnostics);
    let file = "tls.servercert.pem:";
    said(&control, Severity::Note)
        .iter()
        .filter_map(|line| Some(line.strip_prefix(file)?.to_owned()))
        .collect()
}

/// The whole text of the first diagnostic with this code.
fn text(source: &Memory, code: &str) -> String {
    let control = Control::load(source);
    let said = control.diagnostics.iter().find(|said| said.code == code).unwrap();
    said.display(&control.snapshot).to_string()
}

#[test]
fn a_key_under_a_passphrase_is_told_in_both_forms() {
    for key in [material::ENCRYPTED_PKCS8, material::ENCRYPTED_PKCS1] {
        let pem = format!("{}{key}", leaf().chain());
        let control = Control::load(&memory().file("tls.servercert.pem", &*pem));
        assert_eq!(presented(&control), None);
        let line = leaf().chain().lines().count() + 1;
        let expected = format!("tls.servercert.pem:{line}:1 error[certificate-key-encrypted]");
        assert!(said(&control, Severity::Error).contains(&expected), "{:?}", control.diagnostics);
    }
}

#[test]
fn each_fault_of_the_material_has_its_own_code_and_help() {
    let leaf = leaf();
    let two_keys = format!("{}{}", leaf.chain_and_key(), smtp_testkit::pki::unrelated_key());
    let broken = "-----BEGIN CERTIFICATE-----\nQUJD\n-----END CERTIFICATE-----\n";
    for (pem, code, help) in [
        (
            format!("{}{}", leaf.chain(), smtp_testkit::pki::unrelated_key()),
            "certificate-key-mismatch",
            true,
        ),
        (leaf.chain(), "certificate-key-missing", true),
        (leaf.key.clone(), "certificate-missing", true),
        (two_keys, "certificate-key-ambiguous", true),
        (format!("{broken}{}", leaf.key), "unusable-certificate", false),
    ] {
        let source = memory().file("tls.servercert.pem", pem);
        assert_eq!(presented(&Control::load(&source)), None);
        let text = text(&source, code);
        assert_eq!(text.contains("\n  help: "), help, "{text}");
        assert!(text.contains("tls.servercert.pem:"), "{text}");
    }
}

#[test]
fn a_chain_in_another_order_is_mended_and_told() {
    let leaf = Authority::root("root")
        .intermediate("upper")
        .intermediate("lower")
        .issue(&["mx.example.com"]);
    let [lower, upper] = &leaf.intermediates[..] else { panic!() };
    let below_upper = upper.lines().count() + 1;
    for (parts, line) in [
        ([upper, lower, &leaf.certificate, &leaf.key], below_upper),
        ([lower, &leaf.certificate, upper, &leaf.key], 1),
        ([upper, &leaf.certificate, &leaf.key, lower], 1),
    ] {
        let pem: String = parts.into_iter().cloned().collect();
        assert_eq!(told(&pem), [format!("{line}:1 note[certificate-chain-mended]")]);
        let control = Control::load(&memory().file("tls.servercert.pem", &*pem));
        let ServiceTls::StartTls(policy) = &control.service("smtp").unwrap().tls else { panic!() };
        let sent: String = policy.identity.chain().iter().map(Certificate::to_pem).collect();
        assert_eq!(sent, leaf.chain().replace("\r\n", "\n"));
    }
    assert_eq!(told(&leaf.chain_and_key()), [""; 0]);
    let key_first = format!("{}{}", leaf.key, leaf.chain());
    assert_eq!(told(&key_first), [""; 0], "as the vendor's documentation has it");
}

#[test]
fn an_issuer_that_is_not_sent_is_told_at_the_certificate() {
    let leaf = leaf();
    let pem = format!("{}{}", leaf.key, leaf.certificate);
    let line = leaf.key.lines().count() + 1;
    assert_eq!(told(&pem), [format!("{line}:1 warning[certificate-issuer-missing]")]);
    let text = text(&memory().file("tls.servercert.pem", pem), "certificate-issuer-missing");
    assert!(text.contains("\"CN=issuing\""), "{text}");
}

#[test]
fn a_certificate_that_signs_itself_is_told_and_one_of_a_program_is_not() {
    let made = self_signed(&["mx.example.com"]);
    assert_eq!(told(&made.chain_and_key()), ["1:1 note[certificate-self-signed]"]);
    let conf = "general {\n tls_certificate_auto_generate yes\n}\n";
    let source = memory().file("greenarrow.conf", conf).file(AUTO_GENERATED, made.chain_and_key());
    let control = Control::load(&source);
    assert!(!control.diagnostics.iter().any(|said| said.code.starts_with("certificate")));
}

#[test]
fn weak_material_is_told_with_what_the_libraries_make_of_it() {
    assert_eq!(told(material::SIGNED_OVER_SHA1), ["1:1 warning[certificate-weak-signature]"]);
    assert_eq!(told(material::RSA_1024), ["1:1 warning[certificate-short-key]"]);
    let rsa = authority().issue_as(&["mx.example.com"], Key::Rsa, Validity::Now);
    assert_eq!(told(&rsa.chain_and_key()), [""; 0]);
}

#[test]
fn a_key_that_everybody_may_read_is_told_at_its_place() {
    let leaf = leaf();
    let line = leaf.chain().lines().count() + 1;
    let source = memory().file("tls.servercert.pem", leaf.chain_and_key());
    for (mode, readable) in [(0o644, true), (0o604, true), (0o640, false), (0o600, false)] {
        let source = source.clone().with_permissions("tls.servercert.pem", mode);
        let expected = format!("{line}:1 warning[certificate-key-readable]");
        let expected: Vec<_> = readable.then_some(expected).into_iter().collect();
        assert_eq!(told_of(&source), expected, "{mode:o}");
    }
    let text =
        text(&source.with_permissions("tls.servercert.pem", 0o644), "certificate-key-readable");
    assert!(text.contains("(mode 0644)") && text.contains("help: "), "{text}");

    let conf = "general {\n tls_certificate_files k k c\n}\n";
    let apart = memory()
        .file("greenarrow.conf", conf)
        .file("k", &*leaf.key)
        .with_permissions("k", 0o644)
        .file("c", leaf.chain())
        .with_permissions("c", 0o644);
    let said = said(&Control::load(&apart), Severity::Warning);
    let said: Vec<_> = said.iter().filter(|line| line.contains("readable")).collect();
    assert_eq!(said, ["k:1:1 warning[certificate-key-readable]"], "once, and the key alone");
}

#[test]
fn a_certificate_that_is_not_for_this_host_is_told() {
    for (names, expected) in [
        (&["mx.example.com"][..], true),
        (&["other.example", "MX.Example.COM"], true),
        (&["*.example.com"], true),
        (&["example.com"], false),
        (&["*.mx.example.com"], false),
        (&["a.example", "b.example", "c.example", "d.example"], false),
    ] {
        let pem = authority().issue(names).chain_and_key();
        let not_for_host = "1:1 warning[certificate-not-for-host]".to_owned();
        assert_eq!(told(&pem).contains(&not_for_host), !expected, "{names:?}");
    }
    let source = memory().file("tls.servercert.pem", material::COMMON_NAME_ALONE);
    let text = text(&source, "certificate-not-for-host");
    assert!(text.contains("no subject alternative name") && text.contains("/me:1:1"), "{text}");
}

#[test]
fn certificates_of_client_authorities_and_their_lists_are_told_at_their_time() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/client-certificates/");
    let material = |name: &str| std::fs::read_to_string(format!("{folder}{name}")).unwrap();
    let files = ["tls.clientca.pem", "tls.clientcrl.pem", "tls.tlsclients"];
    let source = memory().file("tls.servercert.pem", leaf().chain_and_key());
    let source = files.iter().fold(source, |source, name| source.file(name, material(name)));
    let control = Control::load(&source);
    let at = |time: u64| -> Vec<(String, &str, bool)> {
        let said = control.certificate_diagnostics(time).into_iter();
        let place = |span| control.snapshot.location(span).path.file_name().unwrap().to_owned();
        said.map(|d| {
            (place(d.span().unwrap()).into_string().unwrap(), d.code, d.vendor_unsupported)
        })
        .filter(|(file, ..)| file.starts_with("tls.client"))
        .collect()
    };
    let told = |file: &str, code: &'static str| (file.to_owned(), code, true);
    assert_eq!(at(1_900_000_000), []);
    assert_eq!(
        at(0),
        [told(files[0], "certificate-not-yet-valid"), told(files[1], "client-crl-not-yet-valid")]
    );
    assert_eq!(
        at(u64::MAX),
        [told(files[0], "certificate-expired"), told(files[1], "client-crl-expired")]
    );
}

#[test]
fn a_certificate_is_told_two_weeks_before_its_end() {
    let control = Control::load(&memory().file("tls.servercert.pem", leaf().chain_and_key()));
    let end = presented(&control).unwrap().0.describe().unwrap().not_after;
    let code = |time| control.certificate_diagnostics(time).first().map(|said| said.code);
    const DAY: u64 = 86_400;
    assert_eq!(code(end - 14 * DAY), None);
    assert_eq!(code(end - 14 * DAY + 1), Some("certificate-expires-soon"));
}

/// What a program made for other names, or long ago, is asked for anew; what somebody put there is not.
#[test]
fn a_certificate_that_was_made_is_made_anew_for_new_names_and_before_its_end() {
    let conf = |value: &str| {
        let conf = format!("general {{\n  tls_certificate_auto_generate {value}\n}}\n");
        memory().file("greenarrow.conf", conf)
    };
    let made = self_signed(&["mx.example.com", "old.example"]).chain_and_key();
    let load = |value: &str, pem: &str| Control::load(&conf(value).file(AUTO_GENERATED, pem));
    for (value, anew) in [
        ("yes", false),
        ("mx.example.com", false),
        ("old.example MX.example.com", false),
        ("new.example", true),
        ("mx.example.com new.example", true),
    ] {
        let control = load(value, &made);
        assert!(presented(&control).is_some(), "the one that is there is served until then");
        assert!(!control.has_errors());
        let request = control.certificate_request.as_ref();
        assert_eq!(request.map(|request| request.replaces), anew.then_some(true), "{value}");
        let told = said(&control, Severity::Note);
        let line = "greenarrow.conf:2:3 note[certificate-to-be-made]".to_owned();
        assert_eq!(told.contains(&line), anew, "{told:?}");
    }
    const DAY: u64 = 86_400;
    let control = load("yes", &made);
    let end = presented(&control).unwrap().0.describe().unwrap().not_after;
    assert_eq!(control.certificate_renewal(end - 30 * DAY), None);
    assert_eq!(control.certificate_renewal_due(), Some(end - 30 * DAY + 1));
    let renewal = control.certificate_renewal(end - 30 * DAY + 1).unwrap();
    assert_eq!(
        (renewal.names.as_slice(), renewal.replaces),
        (&["mx.example.com".to_owned()][..], true)
    );
    let help = control.certificate_diagnostics(end + 1)[0].help.clone().unwrap();
    assert!(help.contains("anew"), "{help}");

    let put_there = load("new.example", &leaf().chain_and_key());
    assert_eq!(put_there.certificate_request, None);
    assert_eq!(put_there.certificate_renewal(u64::MAX), None);
    assert_eq!(put_there.certificate_renewal_due(), None);
    let broken = conf("yes").file(AUTO_GENERATED, leaf().chain());
    assert!(text(&broken, "certificate-key-missing").contains("made anew"));
}

#[cfg(unix)]
#[test]
fn a_made_certificate_is_kept_for_its_owner_alone_and_replaced_whole() {
    use std::os::unix::fs::PermissionsExt;

    let directory = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(directory.path().join(name), text).unwrap();
    let load = || Control::load(&Directory::open(directory.path()).unwrap());
    write("me", "mx.example.com\n");
    write("greenarrow.conf", "general {\n tls_certificate_auto_generate yes\n}\n");
    let request = load().certificate_request.unwrap();
    let first = self_signed(&["mx.example.com"]).chain_and_key();
    assert!(request.keep(&first).unwrap());
    assert!(!request.keep("another program was faster").unwrap());
    assert_eq!(std::fs::read_to_string(&request.path).unwrap(), first);
    let mode = || std::fs::metadata(&request.path).unwrap().permissions().mode() & 0o7777;
    assert_eq!(mode(), 0o600);
    assert_eq!(load().certificate_request, None);

    write("me", "mail.example.com\n");
    // Another program of its group reads it, and goes on to.
    let group_too = std::fs::Permissions::from_mode(0o640);
    std::fs::set_permissions(&request.path, group_too).unwrap();
    let request = load().certificate_request.unwrap();
    let second = self_signed(&["mail.example.com"]).chain_and_key();
    assert!(request.keep(&second).unwrap());
    assert_eq!(std::fs::read_to_string(&request.path).unwrap(), second);
    assert_eq!(mode(), 0o640);
    assert_eq!(load().certificate_request, None);
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 3, "nothing else stays");
}

/// Who may put a link in the directory does not choose which file elsewhere gets the key.
#[cfg(unix)]
#[test]
fn a_made_certificate_takes_the_place_of_a_link_and_is_its_owner_s_alone() {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    let write = |name: &str, text: &str| std::fs::write(path(name), text).unwrap();
    write("me", "new.example.com\n");
    write("greenarrow.conf", "general {\n tls_certificate_auto_generate yes\n}\n");
    let elsewhere = self_signed(&["old.example.com"]).chain_and_key();
    write("elsewhere.pem", &elsewhere);
    symlink(path("elsewhere.pem"), path(AUTO_GENERATED)).unwrap();
    let control = Control::load(&Directory::open(directory.path()).unwrap());
    let request = control.certificate_request.unwrap();
    assert!(request.replaces);
    let made = self_signed(&["new.example.com"]).chain_and_key();
    assert!(request.keep(&made).unwrap());
    let kept = request.path.symlink_metadata().unwrap();
    assert!(kept.is_file());
    assert_eq!(kept.permissions().mode() & 0o7777, 0o600);
    assert_eq!(std::fs::read_to_string(&request.path).unwrap(), made);
    assert_eq!(std::fs::read_to_string(path("elsewhere.pem")).unwrap(), elsewhere);
}
