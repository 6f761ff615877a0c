//! Policies that a backend cannot take, or not wholly.
#![cfg(any(feature = "rustls", feature = "openssl"))]
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::sync::Arc;

use common::*;
use smtp_testkit::pki::{Key, Validity, unrelated_key};
use smtp_tls::{
    Acceptor, Backend, Certificate, ClientPolicy, ConfigError, Connector, Identity, KeyKind,
    OriginId, PrivateKey, Roots, Version, pem_sections,
};

const WHERE: OriginId = OriginId(17);

fn key(pem: &str) -> PrivateKey {
    let section = pem_sections(pem.as_bytes()).unwrap().remove(0);
    PrivateKey::from_der(KeyKind::Pkcs8, section.der.clone())
}

#[test]
fn a_key_of_another_certificate_is_refused_with_its_origin() {
    let root = root();
    for (kind, other) in [
        (Key::Ecdsa, unrelated_key()),
        (Key::Rsa, unrelated_key()),
        (Key::Rsa, root.issue_as(&["x"], Key::Rsa, Validity::Now).key),
    ] {
        let leaf = root.issue_as(&[HOST], kind, Validity::Now);
        let certificate = certificates(&leaf.certificate).remove(0);
        let identity = Identity::new(certificate, Vec::new(), key(&other)).with_origin(WHERE);
        let mut policy = server(&leaf);
        policy.identity = Arc::new(identity);
        for backend in Backend::available() {
            let error = Acceptor::new(*backend, &policy).unwrap_err();
            assert_eq!(error, ConfigError::KeyMismatch { origin: Some(WHERE) }, "{backend}");
            assert_eq!(error.origin(), Some(WHERE));
            let client = ClientPolicy {
                identity: Some(Arc::clone(&policy.identity)),
                ..ClientPolicy::required()
            };
            assert_eq!(Connector::new(*backend, &client).unwrap_err(), error, "{backend}");
        }
    }
}

#[test]
fn bytes_that_are_no_key_or_no_certificate_are_refused() {
    let leaf = leaf(&root());
    let good = certificates(&leaf.certificate).remove(0);
    let broken_key = PrivateKey::from_der(KeyKind::Pkcs8, vec![0x30, 3, 2, 1, 0]);
    for (certificate, key) in
        [(good, broken_key), (Certificate::from_der(vec![0x30, 0]), key(&leaf.key))]
    {
        let mut policy = server(&leaf);
        let identity = Identity::new(certificate, Vec::new(), key).with_origin(WHERE);
        policy.identity = Arc::new(identity);
        for backend in Backend::available() {
            let error = Acceptor::new(*backend, &policy).unwrap_err();
            assert!(matches!(error, ConfigError::Identity { .. }), "{backend}: {error:?}");
            assert_eq!(error.origin(), Some(WHERE), "{backend}");
            assert!(!error.to_string().contains('\n'));
        }
    }
}

#[test]
fn versions_in_the_wrong_order_are_refused() {
    let mut policy = server(&leaf(&root()));
    policy.versions = (Version::Tls13, Version::Tls12);
    let mut client = ClientPolicy::required();
    client.versions = policy.versions;
    for backend in Backend::available() {
        let error = Acceptor::new(*backend, &policy).unwrap_err();
        assert!(matches!(error, ConfigError::Versions { .. }), "{error:?}");
        let error = Connector::new(*backend, &client).unwrap_err();
        assert!(matches!(error, ConfigError::Versions { .. }), "{error:?}");
    }
}

#[test]
fn nobody_to_trust_is_an_error_only_where_somebody_must_be_trusted() {
    for roots in [Roots::Pem(Vec::new()), Roots::Pem(vec![Certificate::from_der(vec![1, 2])])] {
        let policy = ClientPolicy { origin: Some(WHERE), ..ClientPolicy::verified(roots.clone()) };
        for backend in Backend::available() {
            let error = Connector::new(*backend, &policy).unwrap_err();
            assert!(matches!(error, ConfigError::Roots { .. }), "{backend}: {error:?}");
            assert_eq!(error.origin(), Some(WHERE));
            let lax = ClientPolicy { roots: roots.clone(), ..ClientPolicy::required() };
            Connector::new(*backend, &lax).unwrap();
        }
    }
}

#[test]
fn a_library_that_is_not_there_is_said_so() {
    for backend in [Backend::Rustls, Backend::OpenSsl] {
        if !backend.is_available() {
            let error = Acceptor::new(backend, &server(&leaf(&root()))).unwrap_err();
            assert_eq!(error, ConfigError::NotCompiledIn { backend });
            let error = Connector::new(backend, &ClientPolicy::required()).unwrap_err();
            assert_eq!(error, ConfigError::NotCompiledIn { backend });
        }
    }
}

#[test]
fn a_server_name_that_is_none_is_refused_at_every_level() {
    for name in ["", "not a name", "b\u{fc}cher.example", "a\r\nb", "*.example"] {
        for policy in [
            ClientPolicy::opportunistic(),
            ClientPolicy::required(),
            ClientPolicy::verified(Roots::Pem(certificates(&root().certificate()))),
        ] {
            let policy =
                ClientPolicy { server_name: Some(name.to_owned()), origin: Some(WHERE), ..policy };
            for backend in Backend::available() {
                let error = Connector::new(*backend, &policy).unwrap_err();
                let expected =
                    ConfigError::ServerName { origin: Some(WHERE), name: name.to_owned() };
                assert_eq!(error, expected, "{backend} {:?}", policy.level);
                assert_eq!(error.origin(), Some(WHERE));
                assert!(!error.to_string().contains(['\n', '\r']), "{error}");
            }
        }
    }
}
