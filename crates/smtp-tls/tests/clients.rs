//! Client certificates in the handshake: asked for, never demanded, kept as they were shown.
#![cfg(any(feature = "rustls", feature = "openssl"))]
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::sync::Arc;

use common::*;
use smtp_testkit::pki::{Authority, Key, Leaf, Validity, client::Client};
use smtp_tls::{
    Acceptor, Backend, Certificate, ClientCertificateProblem, ClientPolicy, ClientTrust, Connector,
    HandshakeError, Identity, Loss, OriginId, ServerPolicy, TlsInfo, Version,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const VERSIONS: [Version; 2] = [Version::Tls12, Version::Tls13];

fn authority() -> Authority {
    Authority::root("Client Authority")
}

/// A policy that asks for certificates of this authority.
fn asking(authority: &Authority, version: Version) -> ServerPolicy {
    let trust = ClientTrust::new(certificates(&authority.certificate()), ["tim@example.org"]);
    ServerPolicy {
        clients: Some(Arc::new(ClientTrust { origin: Some(OriginId(4)), ..trust })),
        versions: (version, version),
        ..server(&leaf(&root()))
    }
}

fn showing(identity: Arc<Identity>) -> ClientPolicy {
    ClientPolicy { identity: Some(identity), ..ClientPolicy::required() }
}

fn of(leaf: &Leaf) -> ClientPolicy {
    showing(identity(&leaf.chain_and_key()))
}

/// One session in which each side says something, to its end.
async fn session(acceptor: &Acceptor, connector: &Connector) -> (TlsInfo, TlsInfo) {
    let (near, far) = run(acceptor, connector, HOST).await;
    let ((mut near, near_info), (mut far, far_info)) = (near.unwrap(), far.unwrap());
    far.write_all(b"EHLO").await.unwrap();
    far.flush().await.unwrap();
    let mut said = [0; 4];
    near.read_exact(&mut said).await.unwrap();
    assert_eq!(&said, b"EHLO");
    near.write_all(b"250").await.unwrap();
    near.shutdown().await.unwrap();
    let mut said = Vec::new();
    far.read_to_end(&mut said).await.unwrap();
    assert_eq!(said, b"250");
    (near_info, far_info)
}

#[tokio::test]
async fn whatever_a_client_shows_the_session_is_had_and_the_chain_kept() {
    let authority = authority();
    let with = |validity, key| {
        authority.issue_client(&Client { validity, key, ..Client::new("tim@example.org") })
    };
    let client = Client::new("tim@example.org");
    let clients = [
        ("good", with(Validity::Now, Key::Ecdsa)),
        ("RSA", with(Validity::Now, Key::Rsa)),
        ("expired", with(Validity::Expired, Key::Ecdsa)),
        ("not yet valid", with(Validity::NotYet, Key::Ecdsa)),
        ("of another authority", Authority::root("Other").issue_client(&client)),
        ("of a namesake", self::authority().issue_client(&client)),
        ("self-signed", client.self_signed()),
        ("without an address", authority.issue_client(&Client::with_subject(&[]))),
        ("for servers", authority.issue(&["client.example"])),
        ("a longer chain", authority.intermediate("A").intermediate("B").issue_client(&client)),
    ];
    for pair in pairs() {
        for version in VERSIONS {
            let acceptor = Acceptor::new(pair.0, &asking(&authority, version)).unwrap();
            for (what, leaf) in &clients {
                let connector = Connector::new(pair.1, &of(leaf)).unwrap();
                let (near, far) = session(&acceptor, &connector).await;
                let shown = certificates(&leaf.chain());
                assert_eq!(near.client_chain[..], shown, "{pair:?} {version} {what}");
                assert!(far.client_chain.is_empty());
            }
            let connector = Connector::new(pair.1, &ClientPolicy::required()).unwrap();
            let (near, _) = session(&acceptor, &connector).await;
            assert!(near.client_chain.is_empty(), "{pair:?} {version}");
        }
    }
}

#[tokio::test]
async fn who_is_not_asked_shows_nothing() {
    let client = authority().issue_client(&Client::new("tim@example.org"));
    for pair in pairs() {
        for version in VERSIONS {
            let policy = ServerPolicy { clients: None, ..asking(&authority(), version) };
            let acceptor = Acceptor::new(pair.0, &policy).unwrap();
            let connector = Connector::new(pair.1, &of(&client)).unwrap();
            let (near, _) = session(&acceptor, &connector).await;
            assert!(near.client_chain.is_empty(), "{pair:?} {version}");
        }
    }
}

#[tokio::test]
async fn without_an_authority_nobody_is_asked_and_it_is_said() {
    let client = authority().issue_client(&Client::new("tim@example.org"));
    for pair in pairs() {
        let mut policy = asking(&authority(), Version::Tls13);
        let trust = ClientTrust::new(vec![Certificate::from_der(vec![1])], ["tim@example.org"]);
        policy.clients = Some(Arc::new(ClientTrust { origin: Some(OriginId(4)), ..trust }));
        let acceptor = Acceptor::new(pair.0, &policy).unwrap();
        let said: Vec<_> =
            acceptor.unhonoured().iter().map(|u| (u.setting, u.origin, u.loss)).collect();
        let said_of = |loss| ("clients", Some(OriginId(4)), loss);
        assert_eq!(said, [said_of(Loss::Partial), said_of(Loss::Whole)], "{pair:?}");
        let connector = Connector::new(pair.1, &of(&client)).unwrap();
        let (near, _) = session(&acceptor, &connector).await;
        assert!(near.client_chain.is_empty(), "{pair:?}");
    }
}

#[tokio::test]
async fn a_chain_that_is_too_large_is_not_held() {
    let authority = authority();
    let client = authority.issue_client(&Client::new("tim@example.org"));
    let parts = identity(&client.chain_and_key());
    let with = |issuers: Vec<Certificate>| {
        showing(Arc::new(Identity::new(parts.leaf().clone(), issuers, parts.key().clone())))
    };
    let small = certificates(&authority.certificate()).remove(0);
    let names: Vec<_> =
        (0..500).map(|n| format!("a-name-of-some-length-{n}.example.org")).collect();
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    let large = certificates(&authority.issue(&names).certificate).remove(0);
    assert!((14_000..20_000).contains(&large.der().len()), "{}", large.der().len());
    for pair in pairs() {
        for version in VERSIONS {
            for (client, held) in [
                (with(vec![small.clone(); 9]), true),
                (with(vec![small.clone(); 10]), false),
                (with(vec![large.clone()]), true),
                (with(vec![large.clone(); 3]), false),
            ] {
                let (near, far) = meet(pair, &asking(&authority, version), &client, HOST).await;
                match near {
                    Ok(_) => assert!(held, "{pair:?} {version}"),
                    Err(HandshakeError::ClientCertificate { problem }) => {
                        assert!(!held, "{pair:?} {version}");
                        if pair.0 == Backend::Rustls && version == Version::Tls12 {
                            let HandshakeError::Alert(alert) = far.unwrap_err() else { panic!() };
                            assert_eq!(alert.name(), Some("certificate_unknown"));
                        }
                        assert_eq!(problem, ClientCertificateProblem::TooLarge);
                    }
                    Err(other) => panic!("{pair:?} {version}: {other:?}"),
                }
            }
        }
    }
}

/// A resumed session is judged again: what it is judged by must be there.
#[tokio::test]
async fn a_resumed_session_has_its_chain_or_there_is_none() {
    let authority = authority();
    let client = authority.intermediate("A").issue_client(&Client::new("tim@example.org"));
    for pair in pairs() {
        for version in VERSIONS {
            let acceptor = Acceptor::new(pair.0, &asking(&authority, version)).unwrap();
            for (client, chain) in [
                (of(&client), certificates(&client.chain())),
                (ClientPolicy::required(), Vec::new()),
            ] {
                let connector = Connector::new(pair.1, &client).unwrap();
                for round in 0..3 {
                    let (near, far) = session(&acceptor, &connector).await;
                    let context = format!("{pair:?} {version} {round} {}", chain.len());
                    assert_eq!(near.client_chain[..], chain, "{context}");
                    assert_eq!(near.resumed, far.resumed, "{context}");
                    let both = pair == (Backend::Rustls, Backend::Rustls);
                    assert_eq!(near.resumed, both && round > 0, "{context}");
                }
            }
            let said: Vec<_> =
                acceptor.unhonoured().iter().map(|u| (u.setting, u.origin, u.loss)).collect();
            match pair.0 {
                Backend::Rustls => assert_eq!(said, []),
                Backend::OpenSsl => {
                    assert_eq!(said, [("resumption", Some(OriginId(4)), Loss::Whole)]);
                }
            }
        }
    }
}

#[cfg(feature = "rustls")]
mod hostile {
    use std::sync::Mutex;

    use rustls::{
        ClientConfig, SignatureScheme,
        client::ResolvesClientCert,
        crypto::aws_lc_rs,
        sign::{CertifiedKey, SigningKey},
        version::{TLS12, TLS13},
    };
    use rustls_pki_types::{PrivateKeyDer, ServerName};
    use smtp_testkit::pki::unrelated_key;
    use smtp_tls::{Fault, pem_sections};

    use super::*;

    /// Shows one certificate, signs with a key, and keeps the names that it was shown.
    #[derive(Debug)]
    struct Shower {
        shown: Arc<CertifiedKey>,
        hints: Mutex<Vec<Vec<u8>>>,
    }

    impl ResolvesClientCert for Shower {
        fn resolve(&self, hints: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
            *self.hints.lock().unwrap() = hints.iter().map(|hint| hint.to_vec()).collect();
            Some(Arc::clone(&self.shown))
        }

        fn has_certs(&self) -> bool {
            true
        }
    }

    fn key(pem: &str) -> Arc<dyn SigningKey> {
        let der = pem_sections(pem.as_bytes()).unwrap().remove(0).der.clone();
        let provider = aws_lc_rs::default_provider();
        provider.key_provider.load_private_key(PrivateKeyDer::Pkcs8(der.into())).unwrap()
    }

    /// What comes of a client that shows these octets and signs with this key; what it was shown, and
    /// what it was told (under TLS 1.3 it is told later).
    async fn accept(
        acceptor: &Acceptor,
        version: Version,
        certificate: Vec<u8>,
        key: Arc<dyn SigningKey>,
    ) -> (Ended, Vec<Vec<u8>>, Option<String>) {
        let version = if version == Version::Tls12 { &TLS12 } else { &TLS13 };
        let shown = Arc::new(CertifiedKey::new(vec![certificate.into()], key));
        let shower = Arc::new(Shower { shown, hints: Mutex::default() });
        let mut roots = rustls::RootCertStore::empty();
        roots.add(SERVER_ROOT.with(|root| certificates(root)[0].der().to_vec().into())).unwrap();
        let config = ClientConfig::builder_with_provider(aws_lc_rs::default_provider().into())
            .with_protocol_versions(&[version])
            .unwrap()
            .with_root_certificates(roots)
            .with_client_cert_resolver(Arc::clone(&shower) as Arc<dyn ResolvesClientCert>);
        let (near, far) = tokio::io::duplex(64 * 1024);
        let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
        let name = ServerName::try_from(HOST).unwrap();
        let (near, far) = tokio::join!(acceptor.accept(near), connector.connect(name, far));
        let hints = shower.hints.lock().unwrap().clone();
        (near, hints, far.err().map(|error| error.to_string()))
    }

    std::thread_local! {
        static ROOT: Authority = root();
        static SERVER_ROOT: String = ROOT.with(Authority::certificate);
    }

    fn acceptor(backend: Backend, version: Version, authorities: &[&Authority]) -> Acceptor {
        let authorities =
            authorities.iter().flat_map(|authority| certificates(&authority.certificate()));
        let trust = ClientTrust::new(authorities.collect(), ["tim@example.org"]);
        let policy = ServerPolicy {
            clients: Some(Arc::new(trust)),
            versions: (version, version),
            ..server(&ROOT.with(leaf))
        };
        Acceptor::new(backend, &policy).unwrap()
    }

    fn assert_told(backend: Backend, version: Version, told: Option<String>, alert: &str) {
        if version == Version::Tls12 {
            let told = told.unwrap();
            let expected = backend == Backend::OpenSsl || told.contains(alert);
            assert!(expected && told.contains("fatal alert"), "{backend}: {told}");
        }
    }

    fn problem(ended: Ended) -> ClientCertificateProblem {
        match ended.unwrap_err() {
            error @ HandshakeError::ClientCertificate { problem } => {
                assert_eq!(error.fault(), Fault::Peer);
                assert!(!error.to_string().contains('\n'));
                problem
            }
            other => panic!("{other:?}"),
        }
    }

    #[tokio::test]
    async fn whoever_has_not_the_key_of_the_certificate_is_refused() {
        let authority = authority();
        let client = authority.issue_client(&Client::new("tim@example.org"));
        let der = certificates(&client.certificate).remove(0).der().to_vec();
        for backend in Backend::available() {
            for version in VERSIONS {
                let acceptor = acceptor(*backend, version, &[&authority]);
                let (honest, ..) = accept(&acceptor, version, der.clone(), key(&client.key)).await;
                assert_eq!(honest.unwrap().1.client_chain[0].der(), der, "{backend} {version}");
                let other = key(&unrelated_key());
                let (impostor, _, told) = accept(&acceptor, version, der.clone(), other).await;
                assert_told(*backend, version, told, "DecryptError");
                assert_eq!(
                    problem(impostor),
                    ClientCertificateProblem::NotProven,
                    "{backend} {version}"
                );
            }
        }
    }

    #[tokio::test]
    async fn octets_that_are_no_certificate_are_refused() {
        for backend in Backend::available() {
            for version in VERSIONS {
                for octets in [&b"garbage"[..], &[0x30, 0], &[0x30, 3, 2, 1, 0]] {
                    let acceptor = acceptor(*backend, version, &[&authority()]);
                    let key = key(&unrelated_key());
                    let (ended, _, told) = accept(&acceptor, version, octets.to_vec(), key).await;
                    assert_told(*backend, version, told, "BadCertificate");
                    let problem = problem(ended);
                    assert_eq!(problem, ClientCertificateProblem::Malformed, "{backend} {version}");
                }
            }
        }
    }

    #[tokio::test]
    async fn a_key_of_a_kind_that_nobody_knows_is_refused() {
        const EC: [u8; 9] = [6, 7, 0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1];
        let client = authority().issue_client(&Client::new("tim@example.org"));
        let mut der = certificates(&client.certificate).remove(0).der().to_vec();
        let place = der.windows(EC.len()).position(|octets| octets == EC).unwrap();
        der[place + EC.len() - 1] = 0x7f;
        for backend in Backend::available() {
            for version in VERSIONS {
                let acceptor = acceptor(*backend, version, &[&authority()]);
                let key = key(&client.key);
                let (ended, _, told) = accept(&acceptor, version, der.clone(), key).await;
                assert_told(*backend, version, told, "UnsupportedCertificate");
                assert_eq!(problem(ended), ClientCertificateProblem::Key, "{backend} {version}");
            }
        }
    }

    #[tokio::test]
    async fn clients_are_shown_the_names_of_the_authorities() {
        let authorities = [Authority::root("One"), Authority::root("Two"), Authority::root("One")];
        let client = authorities[0].issue_client(&Client::new("tim@example.org"));
        let der = certificates(&client.certificate).remove(0).der().to_vec();
        for backend in Backend::available() {
            for version in VERSIONS {
                let all: Vec<_> = authorities.iter().collect();
                let acceptor = acceptor(*backend, version, &all);
                let (_, hints, _) = accept(&acceptor, version, der.clone(), key(&client.key)).await;
                let found = |name: &str| {
                    hints.iter().filter(|hint| hint.ends_with(name.as_bytes())).count()
                };
                assert_eq!((hints.len(), found("One"), found("Two")), (2, 1, 1), "{backend}");
            }
        }
    }
}

#[cfg(feature = "openssl")]
mod keys {
    use std::pin::Pin;

    use openssl::{
        asn1::Asn1Time,
        hash::MessageDigest,
        pkey::{PKey, Private},
        rsa::Rsa,
        ssl::{Ssl, SslContext, SslMethod},
        x509::X509,
    };
    use tokio_openssl::SslStream;

    use super::*;

    /// What comes of a client with a self-signed certificate of this key, and what it is told.
    async fn accept(
        backend: Backend,
        version: Version,
        key: &PKey<Private>,
    ) -> (Ended, Option<String>) {
        let mut certificate = X509::builder().unwrap();
        certificate.set_not_before(&Asn1Time::days_from_now(0).unwrap()).unwrap();
        certificate.set_not_after(&Asn1Time::days_from_now(2).unwrap()).unwrap();
        certificate.set_pubkey(key).unwrap();
        certificate.sign(key, MessageDigest::sha256()).unwrap();
        let mut context = SslContext::builder(SslMethod::tls_client()).unwrap();
        context.set_security_level(0);
        context.set_certificate(&certificate.build()).unwrap();
        context.set_private_key(key).unwrap();
        let acceptor = Acceptor::new(backend, &asking(&authority(), version)).unwrap();
        let (near, far) = tokio::io::duplex(64 * 1024);
        let ssl = Ssl::new(&context.build()).unwrap();
        let mut far = SslStream::new(ssl, far).unwrap();
        let client = async {
            Pin::new(&mut far).connect().await.map_err(|e| e.to_string())?;
            far.read_exact(&mut [0]).await.map_err(|e| e.to_string())?;
            Ok::<_, String>(())
        };
        let server = async {
            let mut ended = acceptor.accept(near).await;
            if let Ok((stream, _)) = &mut ended {
                stream.write_all(b"2").await.unwrap();
                stream.flush().await.unwrap();
            }
            ended
        };
        let (near, far) = tokio::join!(server, client);
        (near, far.err())
    }

    #[tokio::test]
    async fn a_key_too_short_for_rustls_ends_the_handshake_in_words() {
        let short = PKey::from_rsa(Rsa::generate(1024).unwrap()).unwrap();
        let long = PKey::from_rsa(Rsa::generate(2048).unwrap()).unwrap();
        for backend in Backend::available() {
            for version in VERSIONS {
                for (key, taken_by_rustls) in [(&short, false), (&long, true)] {
                    let context = format!("{backend} {version} {}", key.bits());
                    let (ended, told) = accept(*backend, version, key).await;
                    match ended {
                        Ok((_, info)) => {
                            assert!(*backend == Backend::OpenSsl || taken_by_rustls, "{context}");
                            assert_eq!((info.client_chain.len(), told), (1, None), "{context}");
                        }
                        Err(HandshakeError::ClientCertificate { problem }) => {
                            assert!(*backend == Backend::Rustls && !taken_by_rustls, "{context}");
                            assert_eq!(problem, ClientCertificateProblem::Key, "{context}");
                            let told = told.unwrap();
                            assert!(told.contains("unsupported certificate"), "{context}: {told}");
                        }
                        Err(other) => panic!("{context}: {other:?}"),
                    }
                }
            }
        }
    }
}
