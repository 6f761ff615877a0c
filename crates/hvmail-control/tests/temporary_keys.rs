//! The temporary key files: which groups they give to the services, and what is said of them.

#![allow(clippy::unwrap_used)]

mod common;

use common::{Fixture, leaf, memory, said};
use hvmail_control::diagnostic::Severity;
use hvmail_control::source::Memory;
use hvmail_control::{Control, ServiceTls};
use smtp_tls::DhParameters;

fn material(name: &str) -> String {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/temporary-keys/");
    std::fs::read_to_string(format!("{folder}{name}")).unwrap()
}

fn groups(control: &Control, service: &str) -> Vec<DhParameters> {
    match &control.service(service).unwrap().tls {
        ServiceTls::StartTls(policy) | ServiceTls::Implicit(policy) => policy.dh.clone(),
        ServiceTls::None => panic!("{service} offers no TLS"),
    }
}

fn with_certificate() -> Memory {
    memory().file("tls.servercert.pem", leaf().chain_and_key())
}

/// What is said of the temporary keys at least this badly, and every service still runs.
fn told(source: &Memory, least: Severity) -> Vec<String> {
    let control = Control::load(source);
    assert!(!control.has_errors(), "{:#?}", control.diagnostics);
    assert_eq!(common::running(&control), ["smtp"]);
    assert!(matches!(control.service("smtp").unwrap().tls, ServiceTls::StartTls(_)));
    said(&control, least).into_iter().filter(|line| line.starts_with("tls.")).collect()
}

#[test]
fn the_groups_go_to_every_service_with_their_places() {
    let mut fixture = Fixture::copy("shipped").with("tls.servercert.pem", leaf().chain_and_key());
    let names = ["dh512", "dh1024", "dh2048", "rsa512", "rsa1024"];
    for name in names.map(|name| format!("tls.{name}.pem")) {
        fixture = fixture.with(&name, material(&name));
    }
    let control = fixture.load();
    for service in ["smtp", "smtp2"] {
        let groups = groups(&control, service);
        let bits: Vec<_> = groups.iter().map(DhParameters::bits).collect();
        assert_eq!(bits, [512, 1024, 2048]);
        for (group, file) in groups.iter().zip(["tls.dh512", "tls.dh1024", "tls.dh2048"]) {
            let place = control.location(group.origin().unwrap()).unwrap().to_string();
            assert!(place.ends_with(&format!("{file}.pem:1:1")), "{place}");
        }
    }
    let told = said(&control, Severity::Note);
    let told: Vec<_> = told.iter().filter(|line| line.starts_with("tls.")).collect();
    let unused = "1:1 note[temporary-key-not-used]";
    assert_eq!(
        told,
        [&format!("tls.rsa1024.pem:{unused}"), &format!("tls.rsa512.pem:{unused}")],
        "the vendor's own files are nothing to warn of"
    );
    let policies = control.tls_policies(control.service("smtp").unwrap());
    assert_eq!(policies.len(), 1);
}

#[test]
fn a_file_that_cannot_be_used_stops_no_service() {
    let encrypted =
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\nQUJD\n-----END ENCRYPTED PRIVATE KEY-----\n";
    let no_group = "-----BEGIN DH PARAMETERS-----\nMAYCAQACAQI=\n-----END DH PARAMETERS-----\n";
    let unusable = "warning[temporary-key-unusable]";
    for (name, content, expected) in [
        ("tls.dh2048.pem", "no PEM\n".to_owned(), &["1:1"][..]),
        ("tls.dh2048.pem", String::new(), &["1:1"]),
        ("tls.dh2048.pem", format!("# text\n\n{no_group}"), &["3:1"]),
        ("tls.dh2048.pem", material("tls.dh2048.pem")[..300].to_owned(), &["1:1"]),
        ("tls.dh2048.pem", material("tls.dh2048.pem").replace("\nM", "\n*"), &["2:1"]),
        ("tls.dh1024.pem", leaf().certificate, &["1:1"]),
        ("tls.rsa512.pem", "\u{0}\u{1}".to_owned(), &["1:1"]),
        ("tls.rsa512.pem", material("tls.dh512.pem"), &["1:1"]),
        ("tls.rsa512.pem", leaf().key, &["1:1"]),
        ("tls.rsa2048.pem", encrypted.to_owned(), &["1:1"]),
    ] {
        let told = told(&with_certificate().file(name, content.clone()), Severity::Warning);
        let told: Vec<_> = told.iter().filter(|line| line.ends_with(unusable)).collect();
        let expected: Vec<_> =
            expected.iter().map(|place| format!("{name}:{place} {unusable}")).collect();
        assert!(told.iter().copied().eq(&expected), "{name} {content:?}: {told:?}");
    }
    let told = told(&with_certificate().unreadable("tls.dh2048.pem"), Severity::Warning);
    assert_eq!(told, ["tls.dh2048.pem warning[unreadable-file]"]);
    for (name, maker) in [("tls.dh512.pem", "update-tmprsadh"), ("tls.dh4096.pem", "dhparam")] {
        let control = Control::load(&with_certificate().file(name, no_group));
        let said = control.diagnostics.iter().find(|said| said.code == "temporary-key-unusable");
        let help = said.unwrap().help.as_deref().unwrap();
        assert!(help.contains(maker), "{name}: {help}");
    }
}

#[test]
fn a_group_counts_for_what_it_is_and_not_for_its_name() {
    let source = with_certificate()
        .file("tls.dh2048.pem", material("tls.dh1024.pem"))
        .file("tls.rsa1024.pem", material("tls.rsa512.pem"));
    assert_eq!(
        told(&source, Severity::Warning),
        [
            "tls.dh2048.pem:1:1 warning[temporary-key-size]",
            "tls.rsa1024.pem:1:1 warning[temporary-key-size]",
        ]
    );
    let control = Control::load(&source);
    assert_eq!(groups(&control, "smtp").iter().map(DhParameters::bits).collect::<Vec<_>>(), [1024]);
    let twice = source.file("tls.dh1024.pem", material("tls.dh1024.pem"));
    assert_eq!(groups(&Control::load(&twice), "smtp").len(), 1);
}

#[test]
fn what_else_is_in_the_file_is_named() {
    let both = format!("{}{}", material("tls.dh1024.pem"), material("tls.rsa1024.pem"));
    let lines = material("tls.dh1024.pem").lines().count();
    let source = with_certificate().file("tls.dh1024.pem", both);
    let expected = format!("tls.dh1024.pem:{}:1 warning[unused-section]", lines + 1);
    assert_eq!(told(&source, Severity::Note), [expected]);
    let control = Control::load(&source);
    let file = control.snapshot.find("tls.dh1024.pem").unwrap();
    assert!(control.snapshot.bytes(file).iter().all(u8::is_ascii_whitespace), "no key is kept");
}
