//! Which certificate a client is shown: by the name that it asks for, and by what it can check.
#![cfg(any(feature = "rustls", feature = "openssl"))]
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::sync::Arc;

use common::*;
use smtp_testkit::pki::{Authority, unrelated_key};
use smtp_tls::{
    Acceptor, Backend, ClientPolicy, ConfigError, HandshakeError, Identity, KeyKind, OriginId,
    PrivateKey, ServerPolicy, Version, pem_sections,
};

const DEFAULT: &str = "mx.default.example";

/// A policy that shows the certificate of `DEFAULT` to who asks for no other name.
fn policy(root: &Authority) -> ServerPolicy {
    let issue = |name: &str| identity(&root.issue(&[name]).chain_and_key());
    let mut policy = ServerPolicy::new(issue(DEFAULT));
    let middle = root.intermediate("Middle").issue(&["exact.example.org"]);
    policy.named.insert("exact.example.org", identity(&middle.chain_and_key())).unwrap();
    policy.named.insert("*.example.org", issue("*.example.org")).unwrap();
    policy.named.insert("*.Example.net", issue("*.example.net")).unwrap();
    policy
}

#[tokio::test]
async fn each_name_has_its_own_certificate_and_all_others_the_default() {
    let root = root();
    let policy = policy(&root);
    for pair in pairs() {
        for version in [Version::Tls12, Version::Tls13] {
            let policy = ServerPolicy { versions: (version, version), ..policy.clone() };
            let acceptor = Acceptor::new(pair.0, &policy).unwrap();
            assert_eq!(acceptor.unhonoured(), []);
            let verifying = smtp_tls::Connector::new(pair.1, &trusting(&root)).unwrap();
            let lax = smtp_tls::Connector::new(pair.1, &ClientPolicy::required()).unwrap();
            for (name, shown) in [
                ("exact.example.org", true),
                ("EXACT.example.org", true),
                ("other.example.org", true),
                ("a.example.net", true),
                (DEFAULT, true),
                // The default one, which is for another name.
                ("a.b.example.net", false),
                ("example.net", false),
                ("192.0.2.7", false),
            ] {
                let context = format!("{pair:?} {version} {name}");
                let (near, far) = run(&acceptor, &verifying, name).await;
                match far {
                    Ok(_) => assert!(shown && near.is_ok(), "{context}"),
                    Err(HandshakeError::NameMismatch { .. }) => assert!(!shown, "{context}"),
                    Err(other) => panic!("{context}: {other:?}"),
                }
                let (near, far) = run(&acceptor, &lax, name).await;
                far.expect(&context);
                let asked = near.expect(&context).1.server_name;
                assert_eq!(asked, (name != "192.0.2.7").then(|| name.to_ascii_lowercase()));
            }
        }
    }
}

#[test]
fn the_key_of_each_identity_is_checked() {
    let root = root();
    let good = policy(&root);
    let section = pem_sections(unrelated_key().as_bytes()).unwrap().remove(0);
    let key = PrivateKey::from_der(KeyKind::Pkcs8, section.der.clone());
    let leaf = good.identity.leaf().clone();
    let bad = Arc::new(Identity::new(leaf, Vec::new(), key).with_origin(OriginId(5)));
    let mut named = good.clone();
    named.named.insert("b.example", Arc::clone(&bad)).unwrap();
    let mut second = good.clone();
    second.named.insert("*.example.org", Arc::clone(&bad)).unwrap();
    let beside = ServerPolicy { alternatives: vec![bad], ..good };
    for backend in Backend::available() {
        for policy in [&named, &second, &beside] {
            let error = Acceptor::new(*backend, policy).unwrap_err();
            assert_eq!(error, ConfigError::KeyMismatch { origin: Some(OriginId(5)) }, "{backend}");
        }
    }
}

#[cfg(feature = "openssl")]
mod kinds {
    use std::pin::Pin;

    use openssl::{
        pkey::Id,
        ssl::{Ssl, SslContext, SslMethod, SslVerifyMode, SslVersion},
        x509::{X509, store::X509StoreBuilder},
    };
    use smtp_testkit::pki::{Key, Leaf, Validity};
    use smtp_tls::Loss;
    use tokio_openssl::SslStream;

    use super::*;

    /// The kind of key that a client is shown which can use `key` alone, and trusts `root`.
    async fn shown(
        acceptor: &Acceptor,
        root: &Authority,
        name: &str,
        key: Key,
        version: SslVersion,
    ) -> Id {
        let mut context = SslContext::builder(SslMethod::tls_client()).unwrap();
        context.set_min_proto_version(Some(version)).unwrap();
        context.set_max_proto_version(Some(version)).unwrap();
        let (suites, signatures) = match key {
            Key::Ecdsa => ("ECDHE+ECDSA", "ECDSA+SHA256"),
            Key::Rsa => ("ECDHE+aRSA", "RSA-PSS+SHA256:RSA+SHA256:ECDSA+SHA512"),
        };
        context.set_cipher_list(suites).unwrap();
        context.set_sigalgs_list(signatures).unwrap();
        let mut store = X509StoreBuilder::new().unwrap();
        store.add_cert(X509::from_pem(root.certificate().as_bytes()).unwrap()).unwrap();
        context.set_verify_cert_store(store.build()).unwrap();
        // An authority's own signature needs no scheme of the handshake.
        context.set_verify(SslVerifyMode::PEER);
        let mut ssl = Ssl::new(&context.build()).unwrap();
        ssl.set_hostname(name).unwrap();
        ssl.param_mut().set_host(name).unwrap();
        let (near, far) = tokio::io::duplex(64 * 1024);
        let mut far = SslStream::new(ssl, far).unwrap();
        let (near, far_done) = tokio::join!(acceptor.accept(near), Pin::new(&mut far).connect());
        far_done.unwrap();
        near.unwrap();
        far.ssl().peer_certificate().unwrap().public_key().unwrap().id()
    }

    #[tokio::test]
    async fn a_client_is_shown_the_kind_of_key_that_it_can_use_with_its_chain() {
        let root = root();
        let middle = || root.intermediate("Middle");
        let leaf = |from: &Authority, key| from.issue_as(&[DEFAULT], key, Validity::Now);
        let both = |ecdsa: Leaf, rsa: Leaf| [ecdsa, rsa].map(|l| identity(&l.chain_and_key()));
        for [ecdsa, rsa] in [
            both(leaf(&root, Key::Ecdsa), leaf(&root, Key::Rsa)),
            both(leaf(&middle(), Key::Ecdsa), leaf(&root, Key::Rsa)),
            both(leaf(&root, Key::Ecdsa), leaf(&middle(), Key::Rsa)),
            both(leaf(&middle(), Key::Ecdsa), leaf(&middle().intermediate("Low"), Key::Rsa)),
        ] {
            for order in [[&ecdsa, &rsa], [&rsa, &ecdsa]] {
                let [first, second] = order.map(Arc::clone);
                let mut named = policy(&root);
                named.named.insert(DEFAULT, Arc::clone(&first)).unwrap();
                named.named.insert(DEFAULT, Arc::clone(&second)).unwrap();
                let beside =
                    ServerPolicy { alternatives: vec![second], ..ServerPolicy::new(first) };
                for policy in [named, beside] {
                    for backend in Backend::available() {
                        let acceptor = Acceptor::new(*backend, &policy).unwrap();
                        assert_eq!(acceptor.unhonoured(), [], "{backend}");
                        for version in [SslVersion::TLS1_2, SslVersion::TLS1_3] {
                            for (key, id) in [(Key::Ecdsa, Id::EC), (Key::Rsa, Id::RSA)] {
                                let found = shown(&acceptor, &root, DEFAULT, key, version).await;
                                assert_eq!(found, id, "{backend} {version:?}");
                            }
                        }
                    }
                }
            }
        }
    }

    /// It says its name twice.
    #[tokio::test]
    async fn a_client_that_has_to_begin_again_is_shown_each_issuer_once() {
        let root = root();
        let leaf = |key| root.intermediate("Middle").issue_as(&[DEFAULT], key, Validity::Now);
        let [ecdsa, rsa] = [Key::Ecdsa, Key::Rsa].map(|key| identity(&leaf(key).chain_and_key()));
        let mut named = policy(&root);
        named.named.insert(DEFAULT, Arc::clone(&ecdsa)).unwrap();
        named.named.insert(DEFAULT, Arc::clone(&rsa)).unwrap();
        let beside = ServerPolicy { alternatives: vec![rsa], ..ServerPolicy::new(ecdsa) };
        for policy in [named, beside] {
            for backend in Backend::available() {
                let acceptor = Acceptor::new(*backend, &policy).unwrap();
                for schemes in ["ECDSA+SHA256", "RSA-PSS+SHA256"] {
                    for groups in ["P-256", "ffdhe2048:P-256"] {
                        let mut context = SslContext::builder(SslMethod::tls_client()).unwrap();
                        context.set_min_proto_version(Some(SslVersion::TLS1_3)).unwrap();
                        context.set_sigalgs_list(schemes).unwrap();
                        context.set_groups_list(groups).unwrap();
                        let mut ssl = Ssl::new(&context.build()).unwrap();
                        ssl.set_hostname(DEFAULT).unwrap();
                        let (near, far) = tokio::io::duplex(64 * 1024);
                        let mut far = SslStream::new(ssl, far).unwrap();
                        let (near, done) =
                            tokio::join!(acceptor.accept(near), Pin::new(&mut far).connect());
                        done.unwrap();
                        near.unwrap();
                        let count = far.ssl().peer_cert_chain().unwrap().len();
                        assert_eq!(count, 2, "{backend} {schemes} {groups}");
                    }
                }
            }
        }
    }

    #[test]
    fn a_second_certificate_of_one_kind_of_key_is_named_under_openssl() {
        let root = root();
        let another = |n| {
            let leaf = root.issue(&[DEFAULT]);
            let sections = pem_sections(leaf.chain_and_key().as_bytes()).unwrap();
            let identity = Identity::from_pem_sections(&sections).unwrap();
            Arc::new(identity.with_origin(OriginId(n)))
        };
        let mut policy = ServerPolicy::new(another(1));
        policy.alternatives = vec![another(2)];
        policy.named.insert("a.example", another(3)).unwrap();
        policy.named.insert("a.example", another(4)).unwrap();
        let acceptor = Acceptor::new(Backend::OpenSsl, &policy).unwrap();
        let mut said: Vec<_> =
            acceptor.unhonoured().iter().map(|u| (u.setting, u.origin, u.loss)).collect();
        said.sort_by_key(|(_, origin, _)| origin.unwrap().0);
        let expected = [2, 4].map(|n| ("identity", Some(OriginId(n)), Loss::Whole));
        assert_eq!(said, expected);
    }
}
