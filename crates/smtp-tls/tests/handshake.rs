//! Handshakes between every two backends: what is negotiated, and who is let in at each level.
#![cfg(any(feature = "rustls", feature = "openssl"))]
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use common::*;
use smtp_testkit::pki::{Authority, Key, Leaf, Validity, self_signed};
use smtp_tls::{
    Acceptor, Backend, CertificateProblem, ClientPolicy, Connector, Fault, HandshakeError, Level,
    Resumption, Version,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// Whether the library may have agreed on a group that it does not name: OpenSSL 3.5 and later
/// prefer a hybrid, and its safe interface names the classical groups alone.
fn hybrid_untold(backend: Backend, version: Version) -> bool {
    #[cfg(feature = "openssl")]
    let hybrids = openssl::version::number() >= 0x3050_0000;
    #[cfg(not(feature = "openssl"))]
    let hybrids = false;
    backend == Backend::OpenSsl && version == Version::Tls13 && hybrids
}

#[tokio::test]
async fn every_pair_meets_in_every_version_and_with_every_key() {
    let root = root();
    for pair in pairs() {
        for version in [Version::Tls12, Version::Tls13] {
            for key in [Key::Ecdsa, Key::Rsa] {
                let leaf = root.issue_as(&[HOST], key, Validity::Now);
                let mut policy = server(&leaf);
                policy.versions = (version, version);
                let (near, far) = meet(pair, &policy, &trusting(&root), HOST).await;
                let context = format!("{pair:?} {version} {key:?}");
                let (mut near, near_info) = near.expect(&context);
                let (mut far, far_info) = far.expect(&context);

                assert_eq!((near.backend(), far.backend()), pair);
                assert_eq!((near_info.backend, far_info.backend), pair);
                assert_eq!((near_info.version, far_info.version), (version, version), "{context}");
                assert_eq!(near_info.suite, far_info.suite, "{context}");
                assert_eq!(near_info.suite_iana, far_info.suite_iana, "{context}");
                let expected = match (version, key) {
                    (Version::Tls13, _) => "TLS_AES_256_GCM_SHA384",
                    (Version::Tls12, Key::Rsa) => "ECDHE-RSA-AES256-GCM-SHA384",
                    (Version::Tls12, Key::Ecdsa) => "ECDHE-ECDSA-AES256-GCM-SHA384",
                };
                assert_eq!(near_info.suite, expected, "{context}");
                let iana = match (version, key) {
                    (Version::Tls13, _) => "TLS_AES_256_GCM_SHA384",
                    (Version::Tls12, Key::Rsa) => "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
                    (Version::Tls12, Key::Ecdsa) => "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
                };
                assert_eq!(near_info.suite_iana, iana, "{context}");
                let told = far_info.group.is_some();
                assert!(told || hybrid_untold(pair.1, version), "{context}: {far_info:?}");
                if let (Some(a), Some(b)) = (&near_info.group, &far_info.group) {
                    assert_eq!(a, b, "{context}");
                }
                assert!(!near_info.resumed && !far_info.resumed);
                assert_eq!(near_info.server_name.as_deref(), Some(HOST), "{context}");
                assert_eq!(far_info.server_name.as_deref(), Some(HOST), "{context}");

                far.write_all(b"EHLO client\r\n").await.unwrap();
                far.flush().await.unwrap();
                let mut line = [0; 13];
                near.read_exact(&mut line).await.unwrap();
                assert_eq!(&line, b"EHLO client\r\n");
                near.write_all(b"250 hello\r\n").await.unwrap();
                near.flush().await.unwrap();
                let mut line = [0; 11];
                far.read_exact(&mut line).await.unwrap();
                assert_eq!(&line, b"250 hello\r\n");
            }
        }
    }
}

#[tokio::test]
async fn a_chain_is_sent_whole() {
    let root = root();
    let leaf = root.intermediate("Middle").intermediate("Lower").issue(&[HOST]);
    for pair in pairs() {
        let (near, far) = meet(pair, &server(&leaf), &trusting(&root), HOST).await;
        assert!(near.is_ok() && far.is_ok(), "{pair:?}: {far:?}");
    }
}

/// What a client at `Verified` must say of a server.
#[derive(Clone, Debug)]
enum Verdict {
    Good,
    Problem(CertificateProblem),
    WrongName,
}

fn servers(root: &Authority) -> Vec<(&'static str, Leaf, &'static str, Verdict)> {
    let stranger = Authority::root("Stranger");
    let unknown = || Verdict::Problem(CertificateProblem::UnknownIssuer);
    vec![
        ("good", leaf(root), HOST, Verdict::Good),
        ("good by address", leaf(root), "192.0.2.7", Verdict::Good),
        ("good by literal", leaf(root), "[192.0.2.7]", Verdict::Good),
        ("wildcard", root.issue(&["*.example.org"]), HOST, Verdict::Good),
        ("wildcard two labels up", root.issue(&["*.org"]), HOST, Verdict::WrongName),
        (
            "expired",
            root.issue_as(&[HOST], Key::Ecdsa, Validity::Expired),
            HOST,
            Verdict::Problem(CertificateProblem::Expired),
        ),
        (
            "not yet valid",
            root.issue_as(&[HOST], Key::Rsa, Validity::NotYet),
            HOST,
            Verdict::Problem(CertificateProblem::NotYetValid),
        ),
        ("wrong name", root.issue(&["other.example.org"]), HOST, Verdict::WrongName),
        ("wrong address", leaf(root), "192.0.2.8", Verdict::WrongName),
        ("unknown authority", stranger.issue(&[HOST]), HOST, unknown()),
        ("self-signed", self_signed(&[HOST]), HOST, unknown()),
    ]
}

#[tokio::test]
async fn verified_takes_a_good_certificate_and_says_what_is_wrong_with_others() {
    let root = root();
    for (name, leaf, host, verdict) in servers(&root) {
        for pair in pairs() {
            for version in [Version::Tls12, Version::Tls13] {
                let mut policy = server(&leaf);
                policy.versions = (version, version);
                let (near, far) = meet(pair, &policy, &trusting(&root), host).await;
                let context = format!("{name} {pair:?} {version}");
                match (&verdict, far) {
                    (Verdict::Good, Ok(_)) => {
                        near.expect(&context);
                    }
                    (
                        Verdict::Problem(expected),
                        Err(error @ HandshakeError::CertificateNotTrusted { .. }),
                    ) => {
                        assert_eq!(error.fault(), Fault::Trust);
                        let HandshakeError::CertificateNotTrusted { problem } = error else {
                            unreachable!()
                        };
                        assert_eq!(problem, *expected, "{context}");
                    }
                    (Verdict::WrongName, Err(HandshakeError::NameMismatch { expected })) => {
                        assert_eq!(expected, host, "{context}");
                    }
                    (_, far) => panic!("{context}: {far:?}"),
                }
            }
        }
    }
}

#[tokio::test]
async fn the_server_learns_by_an_alert_that_its_certificate_is_refused() {
    let root = root();
    let leaf = self_signed(&[HOST]);
    for pair in pairs() {
        let mut policy = server(&leaf);
        policy.versions = (Version::Tls12, Version::Tls12);
        let (near, far) = meet(pair, &policy, &trusting(&root), HOST).await;
        far.unwrap_err();
        match near.unwrap_err() {
            HandshakeError::Alert(alert) => assert_eq!(alert.name(), Some("unknown_ca")),
            other => panic!("{pair:?}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn required_and_opportunistic_take_any_certificate() {
    let root = root();
    for (name, leaf, host, _) in servers(&root) {
        for pair in pairs() {
            for version in [Version::Tls12, Version::Tls13] {
                for client in [
                    ClientPolicy::required(),
                    ClientPolicy::opportunistic(),
                    ClientPolicy::plaintext().with_implicit_tls(),
                ] {
                    let mut policy = server(&leaf);
                    policy.versions = (version, version);
                    let (near, far) = meet(pair, &policy, &client, host).await;
                    let level = client.level;
                    assert!(near.is_ok() && far.is_ok(), "{name} {pair:?} {level}: {far:?}");
                }
            }
        }
    }
}

#[tokio::test]
async fn a_self_signed_certificate_is_verified_when_it_is_the_root() {
    let leaf = self_signed(&[HOST]);
    let policy = ClientPolicy::verified(smtp_tls::Roots::Pem(certificates(&leaf.certificate)));
    for pair in pairs() {
        let (_, far) = meet(pair, &server(&leaf), &policy, HOST).await;
        assert!(far.is_ok(), "{pair:?}: {far:?}");
        let (_, far) = meet(pair, &server(&leaf), &policy, "other.example").await;
        assert!(matches!(far, Err(HandshakeError::NameMismatch { .. })), "{pair:?}: {far:?}");
    }
}

#[tokio::test]
async fn the_policys_name_takes_the_hosts_place() {
    let root = root();
    let leaf = leaf(&root);
    let policy = ClientPolicy { server_name: Some("MX.Example.Org.".into()), ..trusting(&root) };
    for pair in pairs() {
        let (near, far) = meet(pair, &server(&leaf), &policy, "10.9.8.7").await;
        assert_eq!(near.unwrap().1.server_name.as_deref(), Some(HOST), "{pair:?}");
        assert_eq!(far.unwrap().1.server_name.as_deref(), Some(HOST), "{pair:?}");
    }
}

#[tokio::test]
async fn an_address_is_not_sent_as_a_name() {
    let root = root();
    let leaf = leaf(&root);
    for pair in pairs() {
        for policy in [trusting(&root), ClientPolicy::required()] {
            let (near, far) = meet(pair, &server(&leaf), &policy, "192.0.2.7").await;
            assert_eq!(near.unwrap().1.server_name, None, "{pair:?}");
            assert_eq!(far.unwrap().1.server_name, None, "{pair:?}");
        }
    }
}

#[tokio::test]
async fn a_host_that_no_certificate_can_name_is_encrypted_but_never_verified() {
    let root = root();
    let leaf = leaf(&root);
    for pair in pairs() {
        for host in ["", "not a name", "b\u{fc}cher.example", "a\r\nb"] {
            let (near, far) = meet(pair, &server(&leaf), &ClientPolicy::required(), host).await;
            assert_eq!(near.unwrap().1.server_name, None, "{pair:?}");
            assert!(far.is_ok(), "{pair:?}");
            let (_, far) = meet(pair, &server(&leaf), &trusting(&root), host).await;
            let error = far.unwrap_err();
            assert!(matches!(error, HandshakeError::InvalidServerName { .. }), "{error:?}");
            assert_eq!(error.fault(), Fault::Local);
            assert!(!error.to_string().contains('\n'));
        }
    }
}

#[tokio::test]
async fn versions_without_overlap_are_told_apart_from_other_failures() {
    let root = root();
    let leaf = leaf(&root);
    for pair in pairs() {
        let mut near = server(&leaf);
        near.versions = (Version::Tls13, Version::Tls13);
        let mut far = ClientPolicy::required();
        far.versions = (Version::Tls12, Version::Tls12);
        let (near, far) = meet(pair, &near, &far, HOST).await;
        let near = near.unwrap_err();
        assert!(matches!(near, HandshakeError::NoSharedParameters(_)), "{pair:?}: {near:?}");
        match far.unwrap_err() {
            HandshakeError::Alert(alert) => {
                assert_eq!(alert.name(), Some("protocol_version"), "{pair:?}");
            }
            other => panic!("{pair:?}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn sessions_are_resumed_where_the_policy_says_so() {
    let root = root();
    let leaf = leaf(&root);
    for pair in pairs() {
        // The binding of the other client library has no safe way to resume.
        let can_resume = pair.1 == Backend::Rustls;
        for version in [Version::Tls12, Version::Tls13] {
            for resumption in [true, false] {
                let mut policy = server(&leaf);
                policy.versions = (version, version);
                policy.resumption = if resumption { Resumption::Local } else { Resumption::Off };
                let acceptor = Acceptor::new(pair.0, &policy).unwrap();
                let connector = Connector::new(pair.1, &trusting(&root)).unwrap();
                let context = format!("{pair:?} {version} {resumption}");
                for round in 0..4 {
                    let (near, far) = run(&acceptor, &connector, HOST).await;
                    let (mut near, near_info) = near.expect(&context);
                    let (mut far, far_info) = far.expect(&context);
                    assert_eq!(near_info.resumed, far_info.resumed, "{context}");
                    assert_eq!(
                        far_info.resumed,
                        can_resume && resumption && round > 0,
                        "{context} {round}"
                    );
                    assert_eq!(near_info.server_name.as_deref(), Some(HOST), "{context} {round}");
                    near.write_all(b"x").await.unwrap();
                    near.shutdown().await.unwrap();
                    let mut rest = Vec::new();
                    far.read_to_end(&mut rest).await.unwrap();
                    assert_eq!(rest, b"x");
                }
                // Another host, and another connector: no session is theirs.
                let (_, far) = run(&acceptor, &connector, "192.0.2.7").await;
                assert!(!far.unwrap().1.resumed, "{context}");
                let other = Connector::new(pair.1, &trusting(&root)).unwrap();
                let (_, far) = run(&acceptor, &other, HOST).await;
                assert!(!far.unwrap().1.resumed, "{context}");
            }
        }
    }
}

#[tokio::test]
async fn a_lax_connectors_session_is_of_no_use_to_a_strict_one() {
    let root = root();
    let leaf = self_signed(&[HOST]);
    for pair in pairs() {
        let acceptor = Acceptor::new(pair.0, &server(&leaf)).unwrap();
        let lax = Connector::new(pair.1, &ClientPolicy::required()).unwrap();
        let strict = Connector::new(pair.1, &trusting(&root)).unwrap();
        for _ in 0..2 {
            let (near, far) = run(&acceptor, &lax, HOST).await;
            let (mut near, _) = near.unwrap();
            let (mut far, _) = far.unwrap();
            near.shutdown().await.unwrap();
            far.read_to_end(&mut Vec::new()).await.unwrap();
            let (_, far) = run(&acceptor, &strict, HOST).await;
            let error = far.unwrap_err();
            assert!(
                matches!(
                    error,
                    HandshakeError::CertificateNotTrusted {
                        problem: CertificateProblem::UnknownIssuer
                    }
                ),
                "{pair:?}: {error:?}"
            );
        }
    }
}

#[test]
fn a_policy_without_tls_makes_no_connector() {
    for backend in Backend::available() {
        let error = Connector::new(*backend, &ClientPolicy::plaintext()).unwrap_err();
        assert_eq!(error, smtp_tls::ConfigError::NoTls);
        assert_eq!(ClientPolicy::plaintext().level, Level::None);
    }
}
