//! A directory that is loaded again: all of it is new, and what was loaded before stays.

#![allow(clippy::unwrap_used)]

mod common;

use std::net::IpAddr;

use common::{Fixture, leaf, running};
use hvmail_control::{Control, ServiceTls};

/// What TLS a client is offered: the certificate, the cipher string, and whether it is asked for one.
fn offered(control: &Control, peer: IpAddr) -> (String, Option<String>, bool) {
    let smtp = control.service("smtp").unwrap();
    let tls = control.for_peer(smtp, peer).tls;
    let policy = tls.policy().unwrap();
    let ciphers = policy.ciphers.as_ref().map(|ciphers| ciphers.text.clone());
    (policy.identity.leaf().to_pem(), ciphers, policy.clients.is_some())
}

#[test]
fn a_directory_that_changed_is_read_anew_and_whole() {
    let material = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/client-certificates/");
    let read = |name: &str| std::fs::read(format!("{material}{name}")).unwrap();
    let peer: IpAddr = "192.0.2.1".parse().unwrap();
    let (first, second) = (leaf(), leaf());
    let fixture = Fixture::copy("shipped").with("tls.servercert.pem", first.chain_and_key());
    let before = fixture.load();
    let fixture = fixture
        .with("tls.servercert.pem", second.chain_and_key())
        .with("tls.tlsserverciphers", "HIGH\n")
        .with("tls.clientca.pem", read("tls.clientca.pem"))
        .with("tls.tlsclients", read("tls.tlsclients"))
        .with("smtp.port", "0\n")
        .with("smtp3", "ENABLED=1\nPORT=465\nSMTPS=1\nexport SMTPS\n");
    let after = fixture.load();
    let pem = |text: &str| text.replace("\r\n", "\n");
    assert_eq!(running(&before), ["smtp", "smtp2"]);
    assert_eq!(running(&after), ["smtp2", "smtp3"]);
    assert!(matches!(after.service("smtp3").unwrap().tls, ServiceTls::Implicit(_)));
    assert_eq!(offered(&before, peer), (pem(&first.certificate), None, false));
    assert_eq!(offered(&after, peer), (pem(&second.certificate), Some("HIGH".to_owned()), true));

    let broken = fixture.with("greenarrow.conf", "general {\n").load();
    assert!(broken.is_fatal() && broken.has_errors(), "for the program to refuse whole");
    assert_eq!(offered(&after, peer).1.as_deref(), Some("HIGH"));
}
