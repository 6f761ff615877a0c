//! Policies that a backend cannot take, or not wholly.
#![cfg(any(feature = "rustls", feature = "openssl"))]
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::sync::Arc;

use common::*;
use smtp_testkit::pki::{Key, Validity, unrelated_key};
use smtp_tls::{
    Acceptor, Backend, Certificate, CipherString, ClientPolicy, ConfigError, Connector, Identity,
    KeyKind, OriginId, PrivateKey, Roots, Unhonoured, Version, pem_sections,
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

fn with_ciphers(backend: Backend, text: &str) -> Result<Vec<Unhonoured>, ConfigError> {
    let mut policy = server(&leaf(&root()));
    policy.ciphers = Some(CipherString { text: text.to_owned(), origin: Some(WHERE) });
    Acceptor::new(backend, &policy).map(|acceptor| acceptor.unhonoured().to_vec())
}

#[cfg(feature = "rustls")]
#[test]
fn rustls_says_that_it_leaves_the_cipher_string_aside() {
    let unhonoured = with_ciphers(Backend::Rustls, "DEFAULT").unwrap();
    assert_eq!(unhonoured.len(), 1);
    assert_eq!((unhonoured[0].setting, unhonoured[0].origin), ("ciphers", Some(WHERE)));
}

#[cfg(feature = "openssl")]
mod openssl {
    use super::*;

    #[test]
    fn a_cipher_string_is_refused_whole_or_named_in_part() {
        for text in ["nonsense", "EXP", "", "a\0b", "TLS_AES_128_GCM_SHA256"] {
            let error = with_ciphers(Backend::OpenSsl, text).unwrap_err();
            assert!(matches!(error, ConfigError::Ciphers { .. }), "{text:?}: {error:?}");
            assert_eq!(error.origin(), Some(WHERE));
        }
        for text in ["DEFAULT", "HIGH:!aNULL:!MD5", "ECDHE+AESGCM:@STRENGTH", "ALL:-EXP:+SHA1"] {
            assert_eq!(with_ciphers(Backend::OpenSsl, text), Ok(vec![]), "{text}");
        }
        let unhonoured = with_ciphers(Backend::OpenSsl, "EXP:HIGH, nonsense:!LOW").unwrap();
        let reasons: Vec<_> = unhonoured.iter().map(|u| u.reason.as_str()).collect();
        assert_eq!(reasons.len(), 2, "{reasons:?}");
        assert!(reasons[0].starts_with("\"EXP\"") && reasons[1].starts_with("\"nonsense\""));
        assert!(unhonoured.iter().all(|u| u.origin == Some(WHERE)));
    }

    #[test]
    fn a_long_string_of_words_is_judged_and_a_longer_one_refused() {
        let words: String = (0..4000).map(|n| format!("x{n:x}:")).collect();
        let mut text = "HIGH:".to_owned() + &words;
        text.truncate(16 * 1024);
        let started = std::time::Instant::now();
        let unhonoured = with_ciphers(Backend::OpenSsl, &text).unwrap();
        assert!(unhonoured.len() > 3000, "{}", unhonoured.len());
        assert!(started.elapsed().as_secs() < 20, "{:?}", started.elapsed());
        let error = with_ciphers(Backend::OpenSsl, &(text + ":")).unwrap_err();
        assert!(error.to_string().len() < 200, "{error}");
        assert_eq!(error.origin(), Some(WHERE));
        with_ciphers(Backend::OpenSsl, &"HIGH:".repeat(4 << 20)).unwrap_err();
    }

    #[tokio::test]
    async fn the_cipher_string_decides_and_the_server_prefers() {
        let leaf = leaf(&root());
        for (text, suite) in [
            ("ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES128-GCM-SHA256"),
            (
                "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384",
                "ECDHE-ECDSA-AES128-GCM-SHA256",
            ),
            (
                "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-ECDSA-AES256-GCM-SHA384",
                "ECDHE-ECDSA-CHACHA20-POLY1305",
            ),
        ] {
            let mut policy = server(&leaf);
            policy.versions = (Version::Tls12, Version::Tls12);
            policy.ciphers = Some(CipherString { text: text.to_owned(), origin: None });
            for client in Backend::available() {
                let pair = (Backend::OpenSsl, *client);
                let (near, far) = meet(pair, &policy, &ClientPolicy::required(), HOST).await;
                assert_eq!(near.unwrap().1.suite, suite, "{pair:?}");
                assert_eq!(far.unwrap().1.suite, suite, "{pair:?}");
            }
        }
    }

    #[test]
    fn a_string_that_governs_nothing_is_named() {
        let mut policy = server(&leaf(&root()));
        policy.versions = (Version::Tls13, Version::Tls13);
        policy.ciphers = Some(CipherString { text: "HIGH".to_owned(), origin: None });
        let acceptor = Acceptor::new(Backend::OpenSsl, &policy).unwrap();
        assert_eq!(acceptor.unhonoured().len(), 1);
    }
}
