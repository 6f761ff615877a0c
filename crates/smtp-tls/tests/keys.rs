//! Keys that a library, a version of TLS or a word of Suite B does not take: what an acceptor says of them is
//! what OpenSSL's own server does.
#![cfg(feature = "openssl")]
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use common::*;
use smtp_tls::{Acceptor, Backend, ConfigError, DhParameters, LibrarySuites, Loss, Version};

mod made {
    use openssl::{
        asn1::Asn1Time,
        ec::{EcGroup, EcKey},
        hash::MessageDigest,
        nid::Nid,
        pkey::{PKey, Private},
        rsa::Rsa,
        x509::{X509, X509NameBuilder},
    };

    pub(super) fn ec(curve: Nid) -> PKey<Private> {
        let group = EcGroup::from_curve_name(curve).unwrap();
        PKey::from_ec_key(EcKey::generate(&group).unwrap()).unwrap()
    }

    pub(super) fn rsa() -> PKey<Private> {
        PKey::from_rsa(Rsa::generate(2048).unwrap()).unwrap()
    }

    /// The key with its certificate, signed by `signer` or by itself.
    pub(super) fn certificate(
        key: &PKey<Private>,
        signer: Option<&PKey<Private>>,
        digest: MessageDigest,
    ) -> String {
        let name = |text| {
            let mut name = X509NameBuilder::new().unwrap();
            name.append_entry_by_text("CN", text).unwrap();
            name.build()
        };
        let (subject, issuer) = (name(super::HOST), name("issuer"));
        let mut certificate = X509::builder().unwrap();
        certificate.set_version(2).unwrap();
        certificate.set_subject_name(&subject).unwrap();
        certificate.set_issuer_name(if signer.is_some() { &issuer } else { &subject }).unwrap();
        certificate.set_not_before(&Asn1Time::days_from_now(0).unwrap()).unwrap();
        certificate.set_not_after(&Asn1Time::days_from_now(2).unwrap()).unwrap();
        certificate.set_pubkey(key).unwrap();
        certificate.sign(signer.unwrap_or(key), digest).unwrap();
        let pem = [certificate.build().to_pem().unwrap(), key.private_key_to_pem_pkcs8().unwrap()];
        String::from_utf8(pem.concat()).unwrap()
    }
}

mod openssl_does {
    use std::pin::Pin;

    use openssl::{
        dh::Dh,
        hash::MessageDigest,
        nid::Nid,
        pkey::{Id, PKey},
        ssl::{Ssl, SslContext, SslMethod, SslVersion},
        x509::X509,
    };
    use tokio_openssl::SslStream;

    use super::*;

    /// The groups that servers here have, by OpenSSL's names and by IANA's.
    const GROUPS: [(&str, &str); 5] = [
        ("X25519", "x25519"),
        ("P-256", "secp256r1"),
        ("P-384", "secp384r1"),
        ("X448", "x448"),
        ("P-521", "secp521r1"),
    ];

    /// A client that takes whatever there is.
    fn client(version: Version, groups: &str, suites: &str) -> Ssl {
        let mut context = SslContext::builder(SslMethod::tls_client()).unwrap();
        let version = match version {
            Version::Tls12 => SslVersion::TLS1_2,
            Version::Tls13 => SslVersion::TLS1_3,
        };
        context.set_min_proto_version(Some(version)).unwrap();
        context.set_max_proto_version(Some(version)).unwrap();
        context.set_groups_list(groups).unwrap();
        context.set_cipher_list(&format!("{suites}:@SECLEVEL=0")).unwrap();
        Ssl::new(&context.build()).unwrap()
    }

    const EVERY_GROUP: &str = "X25519:P-256:P-384:X448:P-521:secp256k1:secp224r1:brainpoolP256r1:\
                               brainpoolP384r1:brainpoolP512r1";

    /// Whether OpenSSL's own server, with nothing of this crate, comes to an end with the client.
    async fn has(pem: &str, text: Option<&str>, client: Ssl) -> bool {
        let mut context = SslContext::builder(SslMethod::tls_server()).unwrap();
        let groups: Vec<_> = GROUPS.iter().map(|(name, _)| *name).collect();
        context.set_groups_list(&groups.join(":")).unwrap();
        context.set_cipher_list(text.unwrap_or("DEFAULT")).unwrap();
        context.set_tmp_dh(&Dh::params_from_der(DhParameters::ffdhe2048().der()).unwrap()).unwrap();
        context.set_certificate(&X509::from_pem(pem.as_bytes()).unwrap()).unwrap();
        context.set_private_key(&PKey::private_key_from_pem(pem.as_bytes()).unwrap()).unwrap();
        let (near, far) = tokio::io::duplex(64 * 1024);
        let mut near = SslStream::new(Ssl::new(&context.build()).unwrap(), near).unwrap();
        let mut far = SslStream::new(client, far).unwrap();
        let (near, far) = tokio::join!(
            async {
                let ended = Pin::new(&mut near).accept().await.is_ok();
                drop(near);
                ended
            },
            async { Pin::new(&mut far).connect().await.is_ok() }
        );
        near && far
    }

    /// What is said of each version, suite and group is what OpenSSL's own server does.
    async fn agrees(what: &str, pem: &str, text: Option<&str>) {
        let said = |versions| Acceptor::new(Backend::OpenSsl, &by_string(pem, text, versions));
        let in_12 = has(pem, text, client(Version::Tls12, EVERY_GROUP, "ALL")).await;
        let in_13 = has(pem, text, client(Version::Tls13, EVERY_GROUP, "ALL")).await;
        let what = format!("{what} {text:?}: {in_12} {in_13}");
        assert_eq!(said(TLS12).is_ok(), in_12, "{what}: {:?}", said(TLS12));
        assert_eq!(said(TLS13).is_ok(), in_13, "{what}: {:?}", said(TLS13));
        let both = said(BOTH);
        // With a string, TLS 1.2 is to be had.
        assert_eq!(both.is_ok(), in_12 || (in_13 && text.is_none()), "{what}: {both:?}");
        let acceptor = match both {
            Ok(acceptor) => acceptor,
            Err(error) => {
                let of_string = in_13 || text.is_some_and(|text| text.contains("SUITEB"));
                match error {
                    ConfigError::Ciphers { .. } if of_string => {
                        assert!(error.to_string().contains("fits the kind of key"), "{error}");
                        assert_eq!(error.origin(), Some(OF_STRING), "{what}");
                    }
                    ConfigError::Identity { .. } if !of_string => {
                        assert!(error.to_string().contains("in no handshake"), "{error}");
                        assert_eq!(error.origin(), Some(WHERE), "{what}");
                    }
                    other => panic!("{what}: {other:?}"),
                }
                return;
            }
        };
        let offer = acceptor.offer();
        assert_eq!(!offer.tls12.is_empty(), in_12, "{what}: {offer:?}");
        assert_eq!(!offer.tls13.is_empty(), in_13, "{what}: {offer:?}");
        let limited = acceptor.unhonoured().iter().any(|it| it.setting == "identity");
        // Brainpool's, which TLS 1.3 has for OpenSSL from 3.2 on, is still for few clients.
        let rare = what.starts_with("brainpoolP");
        assert_eq!(limited, rare || !(in_12 && in_13), "{what}: {:?}", acceptor.unhonoured());
        // The offer is that of a library built with the usual suites.
        let built = LibrarySuites::of(Backend::OpenSsl).unwrap().suites;
        for suite in offer.tls12.iter().filter(|suite| built.contains(suite)) {
            let client = client(Version::Tls12, EVERY_GROUP, suite.name());
            assert!(has(pem, text, client).await, "{what}: {suite}");
        }
        for (name, iana) in GROUPS.into_iter().filter(|_| in_13) {
            let taken = has(pem, text, client(Version::Tls13, name, "ALL")).await;
            assert_eq!(offer.groups.contains(&iana), taken, "{what}: {iana}");
        }
        let (near, far) = tokio::io::duplex(64 * 1024);
        let version = if in_13 { Version::Tls13 } else { Version::Tls12 };
        let mut far = SslStream::new(client(version, EVERY_GROUP, "ALL"), far).unwrap();
        let (near, far) = tokio::join!(acceptor.accept(near), Pin::new(&mut far).connect());
        far.unwrap();
        let info = near.unwrap().1;
        let first = if in_13 { offer.tls13[0] } else { offer.tls12[0] };
        assert_eq!((info.version, info.suite), (version, first.name()), "{what}");
    }

    #[tokio::test]
    async fn what_suite_b_takes_is_told_before_anybody_connects() {
        let (p256, p384) = (made::ec(Nid::X9_62_PRIME256V1), made::ec(Nid::SECP384R1));
        let (p521, k256, rsa) = (made::ec(Nid::SECP521R1), made::ec(Nid::SECP256K1), made::rsa());
        let ed25519 = PKey::generate_ed25519().unwrap();
        let (sha256, sha384) = (MessageDigest::sha256(), MessageDigest::sha384());
        let made = [
            ("P-256", made::certificate(&p256, None, sha256)),
            ("P-256 with SHA-384", made::certificate(&p256, None, sha384)),
            ("P-256 by P-384", made::certificate(&p256, Some(&p384), sha384)),
            ("P-256 by RSA", made::certificate(&p256, Some(&rsa), sha256)),
            ("P-384", made::certificate(&p384, None, sha384)),
            ("P-384 with SHA-256", made::certificate(&p384, None, sha256)),
            ("P-384 by P-256", made::certificate(&p384, Some(&p256), sha256)),
            ("P-521", made::certificate(&p521, None, MessageDigest::sha512())),
            ("secp256k1", made::certificate(&k256, None, sha256)),
            ("RSA", made::certificate(&rsa, None, sha256)),
            ("Ed25519", made::certificate(&ed25519, None, MessageDigest::null())),
        ];
        for text in ["SUITEB128", "SUITEB128ONLY", "SUITEB128C2", "SUITEB192"] {
            for (what, pem) in &made {
                agrees(what, pem, Some(text)).await;
            }
        }
    }

    #[tokio::test]
    async fn what_tls_1_2_alone_has_a_curve_for_is_told_and_what_no_tls_has_is_refused() {
        let curves = [
            Nid::X9_62_PRIME256V1,
            Nid::SECP384R1,
            Nid::SECP521R1,
            Nid::SECP256K1,
            Nid::SECP224R1,
            Nid::BRAINPOOL_P256R1,
            Nid::BRAINPOOL_P384R1,
            Nid::BRAINPOOL_P512R1,
            Nid::BRAINPOOL_P320R1,
            Nid::X9_62_PRIME239V1,
        ];
        for curve in curves {
            let pem = made::certificate(&made::ec(curve), None, MessageDigest::sha256());
            for text in [None, Some("ECDHE+AESGCM"), Some("kRSA")] {
                let name = curve.short_name().unwrap();
                if text == Some("kRSA") {
                    let error = Acceptor::new(Backend::OpenSsl, &by_string(&pem, text, BOTH));
                    let error = error.unwrap_err().to_string();
                    assert!(error.contains("the kind of key") || error.contains(name), "{error}");
                } else {
                    agrees(name, &pem, text).await;
                }
            }
        }
        let pem = made::certificate(&made::ec(Nid::SECP256K1), None, MessageDigest::sha256());
        let error = Acceptor::new(Backend::OpenSsl, &by_string(&pem, None, TLS13)).unwrap_err();
        assert!(matches!(error, ConfigError::Identity { .. }), "{error:?}");
        assert!(error.to_string().contains("secp256k1"), "{error}");
    }

    /// One that comes first and no client can use does not take the room of one that they can.
    #[tokio::test]
    async fn a_key_that_nobody_can_use_makes_room() {
        let useless =
            made::certificate(&made::ec(Nid::X9_62_PRIME239V1), None, MessageDigest::sha256());
        let good =
            made::certificate(&made::ec(Nid::X9_62_PRIME256V1), None, MessageDigest::sha256());
        let mut policy = by_string(&useless, None, BOTH);
        policy.alternatives = vec![identity(&good)];
        let acceptor = Acceptor::new(Backend::OpenSsl, &policy).unwrap();
        let [said] = acceptor.unhonoured() else { panic!("{:?}", acceptor.unhonoured()) };
        assert_eq!((said.setting, said.origin, said.loss), ("identity", Some(WHERE), Loss::Whole));
        assert!(!acceptor.offer().tls13.is_empty() && !acceptor.offer().tls12.is_empty());
        let (near, far) = tokio::io::duplex(64 * 1024);
        let far = SslStream::new(client(Version::Tls13, "X25519", "ALL"), far);
        let mut far = far.unwrap();
        let (near, far) = tokio::join!(acceptor.accept(near), Pin::new(&mut far).connect());
        assert!(near.is_ok() && far.is_ok());
    }

    /// RSA that signs and does nothing else. The binding makes none: these are kept.
    #[tokio::test]
    async fn a_key_of_rsa_pss_has_no_suite_in_which_clients_send_it_a_secret() {
        let pem = include_str!("material/rsa-pss.pem");
        assert_eq!(PKey::private_key_from_pem(pem.as_bytes()).unwrap().id(), Id::RSA_PSS);
        for text in
            [None, Some("ALL"), Some("AES256-SHA:ECDHE-RSA-AES256-GCM-SHA384"), Some("kRSA")]
        {
            agrees("RSA-PSS", pem, text).await;
        }
        agrees("RSA-PSS", include_str!("material/rsa-pss-sha1.pem"), None).await;
        let acceptor =
            Acceptor::new(Backend::OpenSsl, &by_string(pem, Some("kRSA"), TLS13)).unwrap();
        assert!(!acceptor.offer().tls13.is_empty());
    }

    #[test]
    fn groups_are_said_where_a_suite_has_a_use_for_them() {
        let pem = made::certificate(&made::rsa(), None, MessageDigest::sha256());
        let groups = |text, versions| {
            let policy = by_string(&pem, Some(text), versions);
            Acceptor::new(Backend::OpenSsl, &policy).unwrap().offer().groups.clone()
        };
        assert!(groups("kRSA:DHE", TLS12).is_empty());
        assert!(groups("kRSA:DHE", BOTH).contains(&"x25519"));
        assert!(groups("HIGH", TLS12).iter().all(|group| !group.contains("MLKEM")));
    }

    #[cfg(feature = "rustls")]
    #[test]
    fn rustls_says_which_kinds_of_keys_it_has() {
        let ed448 = PKey::generate_ed448().unwrap();
        let sha256 = MessageDigest::sha256();
        for (pem, kind) in [
            (made::certificate(&made::ec(Nid::SECP256K1), None, sha256), "ECDSA on secp256k1"),
            (made::certificate(&made::ec(Nid::SECP224R1), None, sha256), "ECDSA on P-224"),
            (made::certificate(&made::ec(Nid::BRAINPOOL_P256R1), None, sha256), "brainpoolP256r1"),
            (made::certificate(&made::ec(Nid::SECP192K1), None, sha256), "ECDSA on another curve"),
            (made::certificate(&ed448, None, MessageDigest::null()), "of Ed448"),
            (include_str!("material/rsa-pss.pem").to_owned(), "of RSA-PSS"),
        ] {
            let error = Acceptor::new(Backend::Rustls, &by_string(&pem, None, BOTH)).unwrap_err();
            assert!(matches!(error, ConfigError::Identity { .. }), "{error:?}");
            assert_eq!(error.origin(), Some(WHERE));
            let text = error.to_string();
            assert!(text.contains("rustls takes keys of RSA") && text.contains(kind), "{text}");
        }
    }
}
