//! Relaying by client certificate: when clients are asked for one, and whom a file that is broken lets in.

#![allow(clippy::unwrap_used)]

mod common;

use std::sync::Arc;

use common::{Fixture, leaf, memory, said};
use hvmail_control::diagnostic::Severity;
use hvmail_control::source::Memory;
use hvmail_control::{Control, ServiceTls};
use smtp_tls::{CertificateAddresses, ClientTrust};

const AUTHORITY: &str = "tls.clientca.pem";
const REVOKED: &str = "tls.clientcrl.pem";
const CLIENTS: &str = "tls.tlsclients";

fn material(name: &str) -> String {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/client-certificates/");
    std::fs::read_to_string(format!("{folder}{name}")).unwrap()
}

fn trust(control: &Control, service: &str) -> Option<Arc<ClientTrust>> {
    match &control.service(service).unwrap().tls {
        ServiceTls::StartTls(policy) | ServiceTls::Implicit(policy) => policy.clients.clone(),
        ServiceTls::None => panic!("{service} offers no TLS"),
    }
}

fn with_certificate() -> Memory {
    memory().file("tls.servercert.pem", leaf().chain_and_key())
}

fn with_both() -> Memory {
    with_certificate().file(AUTHORITY, material(AUTHORITY)).file(CLIENTS, material(CLIENTS))
}

/// What is said of the three files, which is always marked as about what the vendor calls unsupported.
fn told(control: &Control) -> Vec<String> {
    let files = [AUTHORITY, REVOKED, CLIENTS];
    let about = |line: &String| files.iter().any(|file| line.starts_with(file));
    let told: Vec<_> = said(control, Severity::Note).into_iter().filter(about).collect();
    let marked = control.diagnostics.iter().filter(|said| said.vendor_unsupported).count();
    assert_eq!(marked, told.len(), "{:#?}", control.diagnostics);
    assert_eq!(common::running(control), ["smtp"], "no service stops for it");
    told
}

#[test]
fn clients_are_asked_where_there_are_an_authority_and_an_address() {
    let mut fixture = Fixture::copy("shipped").with("tls.servercert.pem", leaf().chain_and_key());
    for file in [AUTHORITY, REVOKED, CLIENTS] {
        fixture = fixture.with(file, material(file));
    }
    let control = fixture.load();
    assert!(!control.diagnostics.iter().any(|said| said.vendor_unsupported));
    for service in ["smtp", "smtp2"] {
        let trust = trust(&control, service).unwrap();
        assert_eq!(trust.authorities.len(), 1);
        let what = trust.authorities[0].describe().unwrap();
        assert_eq!((what.subject.as_str(), what.is_authority), ("CN=Clients of example.com", true));
        let addresses: Vec<_> = trust.addresses.iter().map(String::as_str).collect();
        assert_eq!(addresses, ["alice@example.com", "bob@example.com"]);
        assert_eq!(trust.counted, CertificateAddresses::Subject);
        let lists = trust.revoked.as_ref().unwrap();
        assert_eq!(lists[0].describe().unwrap().issuer, "CN=Clients of example.com");
        let place = |origin| control.location(origin).unwrap().to_string();
        assert!(place(lists[0].origin().unwrap()).ends_with("tls.clientcrl.pem:1:1"));
        assert!(place(trust.origin.unwrap()).ends_with("tls.tlsclients:2:1"));
    }
    let without = Control::load(&with_both());
    assert_eq!(trust(&without, "smtp").unwrap().revoked, None, "nothing is looked up");
    assert_eq!(told(&without), [""; 0]);
}

#[test]
fn a_missing_half_is_told_and_nobody_is_asked() {
    let (authority, clients) = (material(AUTHORITY), material(CLIENTS));
    let off = |place: &str| format!("{place} warning[client-certificates-off]");
    for (source, expected) in [
        (with_certificate(), vec![]),
        (with_certificate().file(AUTHORITY, &*authority), vec![off("tls.clientca.pem:1:1")]),
        (with_certificate().file(CLIENTS, &*clients), vec![off("tls.tlsclients:2:1")]),
        (
            with_certificate().file(AUTHORITY, &*authority).file(CLIENTS, "# nobody\n\n"),
            vec![off("tls.clientca.pem:1:1")],
        ),
        (with_certificate().file(CLIENTS, "\n"), vec![]),
        (
            with_certificate().file(REVOKED, "whatever"),
            vec!["tls.clientcrl.pem note[file-not-in-force]".to_owned()],
        ),
        (
            with_certificate().file(AUTHORITY, &*authority).file(CLIENTS, "a b@example.com\n"),
            vec![
                off("tls.clientca.pem:1:1"),
                "tls.tlsclients:1:1 warning[client-never-matches]".to_owned(),
            ],
        ),
    ] {
        let control = Control::load(&source);
        assert_eq!(told(&control), expected);
        assert_eq!(trust(&control, "smtp"), None);
        assert!(!control.has_errors());
    }
}

#[test]
fn an_authority_that_cannot_be_used_vouches_for_nobody() {
    for (content, expected) in [
        ("no PEM", "tls.clientca.pem:1:1 error[client-authority-unusable]"),
        ("", "tls.clientca.pem:1:1 error[client-authority-unusable]"),
        (
            "-----BEGIN CERTIFICATE-----\nQUJD\n-----END CERTIFICATE-----\n",
            "tls.clientca.pem:1:1 error[client-authority-unusable]",
        ),
    ] {
        let control = Control::load(&with_both().file(AUTHORITY, content));
        assert!(told(&control).contains(&expected.to_owned()), "{:?}", told(&control));
        assert_eq!(trust(&control, "smtp"), None);
    }
    for file in [AUTHORITY, CLIENTS] {
        let control = Control::load(&with_both().unreadable(file));
        assert!(told(&control).contains(&format!("{file} error[unreadable-file]")));
        assert_eq!(trust(&control, "smtp"), None);
    }
}

#[test]
fn what_else_is_in_the_file_of_authorities_is_named() {
    let authority = material(AUTHORITY);
    let lines = authority.lines().count();
    let server = leaf();
    let broken = "-----BEGIN CERTIFICATE-----\nQUJD\n-----END CERTIFICATE-----\n";
    for (more, expected) in [
        (&*server.key, "warning[unused-section]"),
        (&*material(REVOKED), "warning[unused-section]"),
        (&*authority, "note[unused-section]"),
        (&*server.certificate, "warning[client-authority-is-none]"),
        (broken, "warning[client-authority-unusable]"),
    ] {
        let source = with_both().file(AUTHORITY, format!("{authority}{more}"));
        let control = Control::load(&source);
        assert_eq!(told(&control), [format!("tls.clientca.pem:{}:1 {expected}", lines + 1)]);
        assert!(trust(&control, "smtp").is_some());
    }
}

#[test]
fn a_revocation_list_that_cannot_be_used_lets_nobody_relay() {
    let list = material(REVOKED);
    let broken = "-----BEGIN X509 CRL-----\nQUJD\n-----END X509 CRL-----\n";
    let unusable = |line: usize| format!("tls.clientcrl.pem:{line}:1 error[client-crl-unusable]");
    let behind = list.lines().count() + 1;
    for (content, expected) in [
        ("no PEM".to_owned(), unusable(1)),
        (String::new(), unusable(1)),
        (list[..100].to_owned(), unusable(1)),
        (broken.to_owned(), unusable(1)),
        (format!("{list}{broken}"), unusable(behind)),
        (material("version-1.crl"), unusable(1)),
        (material(AUTHORITY), unusable(1)),
    ] {
        let control = Control::load(&with_both().file(REVOKED, content.clone()));
        assert!(told(&control).contains(&expected), "{content}: {:?}", told(&control));
        assert_eq!(trust(&control, "smtp").unwrap().revoked, Some(vec![]), "{content}");
    }
    let control = Control::load(&with_both().unreadable(REVOKED));
    assert_eq!(told(&control), ["tls.clientcrl.pem error[unreadable-file]"]);
    assert_eq!(trust(&control, "smtp").unwrap().revoked, Some(vec![]));
}

#[test]
fn an_entry_that_no_certificate_can_show_is_told() {
    let clients = "Alice@Example.COM\t \r\n#c@example.com\n\nb\u{fc}@example.com\na b@example.com\n\
                   nobody\n@example.com\nx@\n\0@example.com\n a@example.com\n";
    let control = Control::load(&with_both().file(CLIENTS, clients));
    let told_at = |lines: [u32; 3], code: &str| {
        lines.map(|line| format!("tls.tlsclients:{line}:1 warning[{code}]")).to_vec()
    };
    let mut expected = told_at([4, 5, 10], "client-never-matches");
    expected.extend(told_at([6, 7, 8], "client-not-an-address"));
    expected.push("tls.tlsclients:9:1 warning[not-text]".to_owned());
    expected.sort();
    assert_eq!(told(&control), expected);
    let trust = trust(&control, "smtp").unwrap();
    let kept: Vec<_> = trust.addresses.iter().collect();
    assert_eq!(kept, ["@example.com", "alice@example.com", "nobody", "x@"], "as qmail compares");
}

#[test]
fn alternative_names_count_where_the_program_says_so() {
    let control = Control::load(&with_both());
    let before = trust(&control, "smtp").unwrap();
    let control =
        control.with_certificate_addresses(CertificateAddresses::SubjectAndAlternativeNames);
    let after = trust(&control, "smtp").unwrap();
    assert_eq!(after.counted, CertificateAddresses::SubjectAndAlternativeNames);
    assert_ne!(after, before);
    let policies = control.tls_policies(control.service("smtp").unwrap());
    assert_eq!(policies.len(), 1);
    let none = Control::load(&with_certificate())
        .with_certificate_addresses(CertificateAddresses::SubjectAndAlternativeNames);
    assert_eq!(trust(&none, "smtp"), None);
}
