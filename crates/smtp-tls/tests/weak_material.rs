//! Certificates that can be read and are weak: what they say of themselves, and which library serves them.
#![allow(clippy::unwrap_used, reason = "tests")]

use smtp_testkit::{material, pki};
use smtp_tls::{
    CertificateDescription, Identity, KeyAlgorithm, KeyKind, PemKind, PrivateKey, WeakDigest,
    pem_sections,
};

fn identity(pem: &str) -> Identity {
    Identity::from_pem_sections(&pem_sections(pem.as_bytes()).unwrap()).unwrap()
}

fn describe(pem: &str) -> CertificateDescription {
    identity(pem).leaf().describe().unwrap()
}

#[test]
fn a_certificate_says_what_it_is() {
    let sha1 = describe(material::SIGNED_OVER_SHA1);
    assert_eq!(sha1.weak_digest, Some(WeakDigest::Sha1));
    assert_eq!(sha1.key, KeyAlgorithm::Rsa { bits: 2048 });
    assert_eq!((sha1.is_self_issued, sha1.is_authority), (false, false));
    let short = describe(material::RSA_1024);
    assert_eq!((short.weak_digest, short.key), (None, KeyAlgorithm::Rsa { bits: 1024 }));
    let alone = describe(material::COMMON_NAME_ALONE);
    assert!(alone.is_self_issued && alone.names.is_empty());
    assert_eq!(alone.key, KeyAlgorithm::Ec { bits: Some(256) });
    let root = pki::Authority::root("Root");
    let certificate = smtp_tls::Certificate::from_der(
        pem_sections(root.certificate().as_bytes()).unwrap()[0].der.clone(),
    );
    assert!(certificate.describe().unwrap().is_authority);
}

#[test]
fn a_private_key_says_what_it_is_in_each_encoding() {
    let key = |pem: &str| {
        let sections = pem_sections(pem.as_bytes()).unwrap();
        let found = sections.iter().find_map(|section| match section.kind() {
            PemKind::PrivateKey(kind) => Some(PrivateKey::from_der(kind, section.der.clone())),
            _ => None,
        });
        found.unwrap().algorithm()
    };
    let (p256, rsa) = (KeyAlgorithm::Ec { bits: Some(256) }, KeyAlgorithm::Rsa { bits: 2048 });
    assert_eq!(key(include_str!("material/ec-pkcs8.pem")), p256);
    assert_eq!(key(include_str!("material/ec-sec1.pem")), p256);
    assert_eq!(key(include_str!("material/rsa-pkcs8.pem")), rsa);
    assert_eq!(key(include_str!("material/rsa-pkcs1.pem")), rsa);
    assert_eq!(key(include_str!("material/ed25519-pkcs8.pem")), KeyAlgorithm::Ed25519);
    assert_eq!(key(material::RSA_1024), KeyAlgorithm::Rsa { bits: 1024 });
    let broken = PrivateKey::from_der(KeyKind::Pkcs8, vec![0x30, 3, 2, 1, 0]);
    assert_eq!(broken.algorithm(), KeyAlgorithm::Other);
}

/// What a control directory's diagnostics say of such a certificate.
#[cfg(any(feature = "rustls", feature = "openssl"))]
#[test]
fn each_library_serves_what_it_is_said_to_serve() {
    use std::sync::Arc;

    use smtp_tls::{Acceptor, Backend, CipherString, ServerPolicy};

    let serves = |backend: Backend, pem: &str, level: u8| {
        let text = format!("DEFAULT@SECLEVEL={level}");
        let ciphers = Some(CipherString { text, origin: None });
        let policy = ServerPolicy { ciphers, ..ServerPolicy::new(Arc::new(identity(pem))) };
        Acceptor::new(backend, &policy).is_ok()
    };
    for backend in Backend::available() {
        let openssl = *backend == Backend::OpenSsl;
        for level in [0, 1, 2] {
            let sha1 = serves(*backend, material::SIGNED_OVER_SHA1, level);
            assert_eq!(sha1, !openssl || level == 0, "{backend} {level}");
            let short = serves(*backend, material::RSA_1024, level);
            assert_eq!(short, openssl && level < 2, "{backend} {level}");
        }
        let short = ServerPolicy::new(Arc::new(identity(material::RSA_1024)));
        let said = Acceptor::new(*backend, &short).map(|_| ()).unwrap_err().to_string();
        // OpenSSL's own level is not the string's.
        assert_eq!(said.contains("2048 bits and more, and this one has 1024"), !openssl, "{said}");
        assert!(!said.contains("SECLEVEL"), "{said}");
    }
}
