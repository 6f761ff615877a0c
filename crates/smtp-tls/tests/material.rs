//! Every encoding of a key that the `openssl` command writes, on every backend, and certificates
//! that a strict reader refuses.
#![cfg(any(feature = "rustls", feature = "openssl"))]
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use common::*;
use smtp_tls::{
    ClientPolicy, HandshakeError, Identity, MaterialError, Roots, ServerPolicy, Version,
    pem_sections,
};

const SEC1: &str = include_str!("material/ec-sec1.pem");
const SEC1_WITHOUT_PUBLIC: &str = include_str!("material/ec-sec1-without-public.pem");
const EC_PKCS8: &str = include_str!("material/ec-pkcs8.pem");
const EC_CERTIFICATE: &str = include_str!("material/ec-certificate.pem");
const PKCS1: &str = include_str!("material/rsa-pkcs1.pem");
const PKCS1_ENCRYPTED: &str = include_str!("material/rsa-pkcs1-encrypted.pem");
const RSA_PKCS8: &str = include_str!("material/rsa-pkcs8.pem");
const VERSION_1: &str = include_str!("material/rsa-certificate-version-1.pem");
const ED25519_KEY: &str = include_str!("material/ed25519-pkcs8.pem");
const ED25519_CERTIFICATE: &str = include_str!("material/ed25519-certificate.pem");

#[tokio::test]
async fn every_encoding_serves_in_every_version() {
    for (name, key, certificate) in [
        ("sec1", SEC1, EC_CERTIFICATE),
        ("sec1 without public", SEC1_WITHOUT_PUBLIC, EC_CERTIFICATE),
        ("ec pkcs8", EC_PKCS8, EC_CERTIFICATE),
        ("pkcs1", PKCS1, VERSION_1),
        ("rsa pkcs8", RSA_PKCS8, VERSION_1),
        ("ed25519", ED25519_KEY, ED25519_CERTIFICATE),
    ] {
        // Another certificate first: the leaf is found by the key alone.
        let other = if certificate == EC_CERTIFICATE { VERSION_1 } else { EC_CERTIFICATE };
        let identity = identity(&[other, key, certificate].concat());
        assert_eq!(identity.leaf(), &certificates(certificate)[0], "{name}");
        for pair in pairs() {
            for version in [Version::Tls12, Version::Tls13] {
                let mut policy = ServerPolicy::new(identity.clone());
                policy.versions = (version, version);
                let (near, far) = meet(pair, &policy, &ClientPolicy::required(), HOST).await;
                assert!(near.is_ok() && far.is_ok(), "{name} {pair:?} {version}: {far:?} {near:?}");
            }
        }
    }
}

#[tokio::test]
async fn a_certificate_of_version_1_is_never_verified() {
    let policy = ServerPolicy::new(identity(&[PKCS1, VERSION_1].concat()));
    let client = ClientPolicy::verified(Roots::Pem(certificates(VERSION_1)));
    for pair in pairs() {
        let (_, far) = meet(pair, &policy, &client, HOST).await;
        let error = far.unwrap_err();
        assert!(
            matches!(
                error,
                HandshakeError::CertificateNotTrusted { .. } | HandshakeError::NameMismatch { .. }
            ),
            "{pair:?}: {error:?}"
        );
    }
}

#[test]
fn an_encrypted_key_is_named_as_such() {
    let text = [VERSION_1, PKCS1_ENCRYPTED].concat();
    let sections = pem_sections(text.as_bytes()).unwrap();
    let error = Identity::from_pem_sections(&sections).unwrap_err();
    assert_eq!(error, MaterialError::EncryptedPrivateKey { section: 1 });
}
