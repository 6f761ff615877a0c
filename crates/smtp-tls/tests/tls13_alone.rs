//! Cipher strings where TLS 1.3 is offered alone: of what a string says its level counts, and
//! on OpenSSL a word of Suite B.
#![cfg(any(feature = "rustls", feature = "openssl"))]
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use common::*;
use smtp_tls::{Acceptor, Backend, Loss};

/// A string that has no say, for TLS 1.2 is not offered, keeps no service down: whatever it is.
#[test]
fn where_tls_1_3_is_offered_alone_no_string_is_refused() {
    let leaf = leaf(&root()).chain_and_key();
    let long = "HIGH:".repeat(4 << 10);
    for backend in Backend::available() {
        for (text, level, tls13) in [
            ("TLS_AES_256_GCM_SHA384", None, 3),
            ("FOO", None, 3),
            (":", None, 3),
            ("", None, 3),
            ("HIGH:@SECLEVEL=9", None, 3),
            ("a\0b", None, 3),
            (&long, None, 3),
            ("kRSA", None, 3),
            ("FOO:@SECLEVEL=3", Some(3), 3),
            ("TLS_AES_128_GCM_SHA256:@SECLEVEL=1", Some(1), 3),
            ("HIGH:@SECLEVEL=3", Some(3), 3),
        ] {
            let acceptor = Acceptor::new(*backend, &by_string(&leaf, Some(text), TLS13)).unwrap();
            let what = format!("{backend} {:.30?}: {:?}", text, acceptor.unhonoured());
            let said = &acceptor.unhonoured()[0];
            assert_eq!((said.setting, said.origin), ("ciphers", Some(OF_STRING)), "{what}");
            assert!(said.reason.starts_with("the cipher string governs TLS 1.2"), "{what}");
            match level {
                None => assert_eq!(said.loss, Loss::Whole, "{what}"),
                Some(level) => {
                    assert_eq!(said.loss, Loss::Partial, "{what}");
                    assert!(said.reason.contains(&format!("@SECLEVEL={level} holds")), "{what}");
                }
            }
            assert_eq!(acceptor.offer().tls13.len(), tls13, "{what}");
            assert!(acceptor.offer().tls12.is_empty(), "{what}");
            assert!(acceptor.offer().groups.contains(&"secp256r1"), "{what}");
        }
        let refused = ["FOO", ":", "HIGH:@SECLEVEL=9"];
        for text in refused {
            let acceptor = Acceptor::new(*backend, &by_string(&leaf, Some(text), TLS13)).unwrap();
            assert!(acceptor.unhonoured()[0].reason.contains("it would be refused: "), "{text}");
            for versions in [BOTH, TLS12] {
                Acceptor::new(*backend, &by_string(&leaf, Some(text), versions)).unwrap_err();
            }
        }
    }
}

/// A level that no key of the policy has reaches TLS 1.3 too.
#[cfg(feature = "openssl")]
#[test]
fn the_level_of_a_string_without_a_say_is_in_force() {
    let leaf = leaf(&root()).chain_and_key();
    let error = by_string(&leaf, Some("FOO:@SECLEVEL=4"), TLS13);
    let error = Acceptor::new(Backend::OpenSsl, &error).unwrap_err().to_string();
    assert!(error.contains("too small") && error.contains("@SECLEVEL=4"), "{error}");
    let acceptor =
        Acceptor::new(Backend::OpenSsl, &by_string(&leaf, Some("FOO:@SECLEVEL=3"), TLS13));
    assert!(!acceptor.unwrap().offer().groups.is_empty());
}

/// OpenSSL holds TLS 1.3 to Suite B as well; rustls does in no version.
#[test]
fn a_word_of_suite_b_holds_where_the_library_has_it() {
    let leaf = leaf(&root()).chain_and_key();
    for &backend in Backend::available() {
        let made = |text| Acceptor::new(backend, &by_string(&leaf, Some(text), TLS13));
        let acceptor = made("SUITEB128").unwrap();
        let said = &acceptor.unhonoured()[0];
        match backend {
            Backend::OpenSsl => {
                assert_eq!(acceptor.offer().groups, ["secp256r1", "secp384r1"]);
                assert!(
                    said.reason.ends_with("its word of Suite B holds for TLS 1.3 all the same")
                );
                assert_eq!(said.loss, Loss::Partial);
                // Its key is on P-256.
                let error = made("SUITEB192").unwrap_err();
                assert_eq!(error.origin(), Some(WHERE));
                assert!(error.to_string().contains("in no handshake"), "{error}");
            }
            _ => {
                assert!(acceptor.offer().groups.contains(&"x25519"));
                assert_eq!(said.loss, Loss::Whole);
                let said = acceptor.unhonoured().iter();
                assert!(said.filter(|it| it.reason.contains("Suite B")).count() == 1);
                made("SUITEB192").unwrap();
            }
        }
    }
}
