//! The groups for DHE that a policy brings: the largest usable one is used, and each other one named.
#![cfg(any(feature = "rustls", feature = "openssl"))]
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use common::*;
use smtp_tls::{Acceptor, Backend, DhParameters, Loss, OriginId};

#[cfg(feature = "rustls")]
#[test]
fn rustls_needs_no_group() {
    let mut policy = server(&leaf(&root()));
    policy.dh = vec![DhParameters::ffdhe2048().with_origin(OriginId(3))];
    let acceptor = Acceptor::new(Backend::Rustls, &policy).unwrap();
    let [only] = acceptor.unhonoured() else { panic!("{:?}", acceptor.unhonoured()) };
    assert_eq!((only.setting, only.origin, only.loss), ("dh", Some(OriginId(3)), Loss::NotNeeded));
    assert!(only.reason.contains("ECDHE"));
}

#[cfg(feature = "openssl")]
mod openssl {
    use std::{
        pin::Pin,
        process::Command,
        sync::{Arc, LazyLock},
    };

    use ::openssl::{
        asn1::Asn1Time,
        bn::BigNum,
        dh::Dh,
        hash::MessageDigest,
        pkey::PKey,
        rsa::Rsa,
        ssl::{Ssl, SslContext, SslMethod, SslVersion},
        x509::X509,
    };
    use smtp_testkit::process::{require_peer, run as run_program};
    use smtp_tls::{
        Certificate, CipherString, Identity, KeyKind, PrivateKey, ServerPolicy, Version,
    };
    use tokio_openssl::SslStream;

    use super::*;

    const STRING: OriginId = OriginId(99);

    static SMALL: LazyLock<[DhParameters; 2]> = LazyLock::new(|| {
        // To make one of 1024 bits takes seconds.
        let oakley = BigNum::get_rfc2409_prime_1024().unwrap();
        let oakley = Dh::from_pqg(oakley, None, BigNum::from_u32(2).unwrap()).unwrap();
        [Dh::generate_params(512, 2).unwrap(), oakley].map(|group| {
            let bits = group.prime_p().num_bits().unsigned_abs();
            let der = group.params_to_der().unwrap();
            DhParameters::from_der(der).unwrap().with_origin(OriginId(bits))
        })
    });

    fn large() -> DhParameters {
        DhParameters::ffdhe2048().with_origin(OriginId(2048))
    }

    /// Of the size of a group, and odd; no prime.
    fn corrupt() -> DhParameters {
        let mut der = DhParameters::ffdhe2048().der().to_vec();
        der[100] ^= 0x10;
        DhParameters::from_der(der).unwrap().with_origin(OriginId(666))
    }

    fn policy(text: &str, dh: Vec<DhParameters>) -> ServerPolicy {
        let ciphers = Some(CipherString { text: text.to_owned(), origin: Some(STRING) });
        ServerPolicy { ciphers, dh, ..server(&RSA_LEAF) }
    }

    /// An RSA key that security level 3 takes.
    fn strong() -> Arc<Identity> {
        let key = PKey::from_rsa(Rsa::generate(3072).unwrap()).unwrap();
        let mut certificate = X509::builder().unwrap();
        certificate.set_not_before(&Asn1Time::days_from_now(0).unwrap()).unwrap();
        certificate.set_not_after(&Asn1Time::days_from_now(2).unwrap()).unwrap();
        certificate.set_pubkey(&key).unwrap();
        certificate.sign(&key, MessageDigest::sha256()).unwrap();
        let certificate = Certificate::from_der(certificate.build().to_der().unwrap());
        let key = PrivateKey::from_der(KeyKind::Pkcs8, key.private_key_to_pkcs8().unwrap());
        Arc::new(Identity::new(certificate, Vec::new(), key))
    }

    /// The bits of the group that a client with nothing but DHE is given.
    async fn agreed(acceptor: &Acceptor) -> Option<u32> {
        let mut context = SslContext::builder(SslMethod::tls_client()).unwrap();
        context.set_max_proto_version(Some(SslVersion::TLS1_2)).unwrap();
        context.set_cipher_list("DHE-RSA-AES256-GCM-SHA384:@SECLEVEL=0").unwrap();
        let ssl = Ssl::new(&context.build()).unwrap();
        let (near, far) = tokio::io::duplex(64 * 1024);
        let mut far = SslStream::new(ssl, far).unwrap();
        let (near, _) = tokio::join!(acceptor.accept(near), Pin::new(&mut far).connect());
        assert_eq!(near.ok()?.1.suite, "DHE-RSA-AES256-GCM-SHA384");
        Some(far.ssl().peer_tmp_key().unwrap().bits())
    }

    #[tokio::test]
    async fn the_largest_that_the_level_takes_is_used_and_each_other_named() {
        let [dh512, dh1024] = &*SMALL;
        let all = || vec![dh512.clone(), large(), dh1024.clone()];
        let small = || vec![dh512.clone(), dh1024.clone()];
        type Said<'a> = &'a [(u32, Loss)];
        let cases: [(&str, Vec<DhParameters>, Option<u32>, Said<'_>); 8] = [
            ("DHE+AES", all(), Some(2048), &[(1024, Loss::NotNeeded), (512, Loss::NotNeeded)]),
            ("DHE+AES:@SECLEVEL=1", small(), Some(1024), &[(512, Loss::NotNeeded)]),
            (
                "DHE+AES:@SECLEVEL=2",
                small(),
                Some(2048),
                &[(1024, Loss::Whole), (512, Loss::Whole)],
            ),
            ("DHE+AES:@SECLEVEL=0", vec![dh512.clone()], Some(2048), &[(512, Loss::Whole)]),
            ("DHE+AES", Vec::new(), Some(2048), &[]),
            ("DHE+AES", vec![corrupt()], Some(2048), &[(666, Loss::Whole)]),
            (
                "DHE+AES:@SECLEVEL=1",
                vec![dh1024.clone(), corrupt()],
                Some(1024),
                &[(666, Loss::Whole)],
            ),
            ("ECDHE+AESGCM", vec![large()], None, &[(2048, Loss::NotNeeded)]),
        ];
        for (text, dh, bits, said) in cases {
            let acceptor = Acceptor::new(Backend::OpenSsl, &policy(text, dh)).unwrap();
            let unhonoured = acceptor.unhonoured();
            assert!(unhonoured.iter().all(|u| u.setting == "dh"), "{unhonoured:?}");
            let found: Vec<_> = unhonoured.iter().map(|u| (u.origin.unwrap().0, u.loss)).collect();
            assert_eq!(found, said, "{text}: {unhonoured:?}");
            assert_eq!(agreed(&acceptor).await, bits, "{text}");
        }
    }

    #[test]
    fn a_group_that_openssl_cannot_read_is_not_told_by_its_size() {
        // As X9.42 has it: with the order of the subgroup behind the generator.
        let group = large();
        let dh = ::openssl::dh::Dh::params_from_der(group.der()).unwrap();
        let modulus = dh.prime_p().to_vec();
        let integer = |number: &[u8]| {
            let length = u16::try_from(number.len()).unwrap().to_be_bytes();
            [&[0x02, 0x82][..], &length, number].concat()
        };
        let order: Vec<u8> = modulus
            .iter()
            .scan(0, |carry, octet| {
                let half = octet >> 1 | *carry << 7;
                *carry = octet & 1;
                Some(half)
            })
            .collect();
        let content =
            [integer(&[&[0][..], &modulus].concat()), vec![0x02, 1, 2], integer(&order)].concat();
        let length = u16::try_from(content.len()).unwrap().to_be_bytes();
        let der = [&[0x30, 0x82][..], &length, &content].concat();
        let group = DhParameters::from_der(der).unwrap().with_origin(OriginId(942));
        let acceptor = Acceptor::new(Backend::OpenSsl, &policy("DHE+AES", vec![group])).unwrap();
        let [said] = acceptor.unhonoured() else { panic!("{:?}", acceptor.unhonoured()) };
        assert_eq!((said.origin, said.loss), (Some(OriginId(942)), Loss::Whole));
        assert!(said.reason.contains("PKCS #3"), "{}", said.reason);
        assert!(!said.reason.contains("2048 bits"), "{}", said.reason);
    }

    #[tokio::test]
    async fn without_a_string_the_librarys_own_suites_have_their_group() {
        let acceptor = Acceptor::new(Backend::OpenSsl, &server(&RSA_LEAF)).unwrap();
        assert_eq!(acceptor.unhonoured(), []);
        assert_eq!(agreed(&acceptor).await, Some(2048));
    }

    #[tokio::test]
    async fn a_level_that_takes_no_group_of_the_policy_has_one_of_the_rfc() {
        let mut policy = policy("DHE+AES:ECDHE+AESGCM:@SECLEVEL=3", vec![large()]);
        policy.identity = strong();
        let acceptor = Acceptor::new(Backend::OpenSsl, &policy).unwrap();
        let said: Vec<_> =
            acceptor.unhonoured().iter().map(|u| (u.origin.unwrap(), u.loss)).collect();
        assert_eq!(said, [(OriginId(2048), Loss::Whole)]);
        assert_eq!(agreed(&acceptor).await, Some(3072));
        let offer = acceptor.offer();
        assert!(offer.tls12.iter().any(|suite| suite.name().starts_with("DHE")), "{offer:?}");
    }

    /// What the program calls the groups that it is given.
    #[test]
    fn openssl_knows_the_groups_of_the_rfc() {
        let Some(program) = require_peer("openssl") else { return };
        for group in
            [DhParameters::ffdhe2048(), DhParameters::ffdhe3072(), DhParameters::ffdhe8192()]
        {
            let mut command = Command::new(&program);
            command.args(["pkeyparam", "-text", "-noout"]);
            let said = run_program(&mut command, group.to_pem().as_bytes()).stdout;
            let name = format!("GROUP: ffdhe{}", group.bits());
            assert!(said.iter().any(|line| line.trim() == name), "{name}: {said:?}");
        }
    }

    #[test]
    fn suites_of_another_kind_of_key_need_no_group() {
        let mut policy = policy("DHE+AES:ECDHE+AESGCM", vec![large()]);
        policy.identity = server(&leaf(&root())).identity;
        let acceptor = Acceptor::new(Backend::OpenSsl, &policy).unwrap();
        let said: Vec<_> = acceptor.unhonoured().iter().map(|u| (u.setting, u.loss)).collect();
        assert_eq!(said, [("dh", Loss::NotNeeded)]);
    }

    #[test]
    fn with_tls_1_3_alone_no_group_is_needed() {
        let mut policy = policy("DHE+AES", vec![large()]);
        policy.versions = (Version::Tls13, Version::Tls13);
        let acceptor = Acceptor::new(Backend::OpenSsl, &policy).unwrap();
        let said: Vec<_> = acceptor.unhonoured().iter().map(|u| (u.setting, u.loss)).collect();
        assert_eq!(said, [("ciphers", Loss::Whole), ("dh", Loss::NotNeeded)]);
    }
}
