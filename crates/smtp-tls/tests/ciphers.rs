//! Cipher strings on every backend: what is kept, in which order, and what is said of the rest.
#![cfg(any(feature = "rustls", feature = "openssl"))]
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use common::*;
use smtp_testkit::pki::{Key, Validity};
use smtp_tls::{
    Acceptor, Backend, CipherString, ClientPolicy, ConfigError, Loss, OriginId, ServerPolicy,
    Unhonoured, Version,
};

const WHERE: OriginId = OriginId(17);
const BOTH: (Version, Version) = (Version::Tls12, Version::Tls13);
const TLS12: (Version, Version) = (Version::Tls12, Version::Tls12);
const TLS13: (Version, Version) = (Version::Tls13, Version::Tls13);

fn policy(text: &str, key: Key, versions: (Version, Version)) -> ServerPolicy {
    let shown = match key {
        Key::Ecdsa => server(&leaf(&root())),
        Key::Rsa => server(&RSA_LEAF),
    };
    let ciphers = Some(CipherString { text: text.to_owned(), origin: Some(WHERE) });
    ServerPolicy { ciphers, versions, ..shown }
}

fn accept(backend: Backend, text: &str) -> Result<Acceptor, ConfigError> {
    Acceptor::new(backend, &policy(text, Key::Ecdsa, BOTH))
}

fn names(suites: &[&'static smtp_tls::cipher::Suite]) -> Vec<&'static str> {
    suites.iter().map(|suite| suite.name()).collect()
}

fn only(unhonoured: &[Unhonoured]) -> &Unhonoured {
    let [only] = unhonoured else { panic!("{unhonoured:?}") };
    assert_eq!((only.setting, only.origin), ("ciphers", Some(WHERE)));
    assert!(!only.reason.contains('\n') && only.reason.len() < 1000, "{}", only.reason);
    only
}

#[test]
fn a_string_that_means_nothing_is_the_same_error_everywhere() {
    let long = "HIGH:".repeat(4 << 20);
    for text in [
        "nonsense",
        "EXP",
        "",
        "a\0b",
        "TLS_AES_128_GCM_SHA256",
        "HIGH:@SECLEVEL=9",
        "!HIGH",
        &long,
    ] {
        let errors: Vec<_> = Backend::available()
            .iter()
            .map(|backend| accept(*backend, text).unwrap_err())
            .collect();
        for error in &errors {
            assert!(matches!(error, ConfigError::Ciphers { .. }), "{text:.20}: {error:?}");
            assert_eq!(error.origin(), Some(WHERE));
            assert!(error.to_string().len() < 300 && !error.to_string().contains('\n'), "{error}");
            assert_eq!(error, &errors[0]);
        }
    }
}

#[test]
fn words_without_effect_are_named_in_one_line() {
    for backend in Backend::available() {
        let acceptor = accept(*backend, "EXP:ECDHE+AESGCM, nonsense:!RC4:!LOW").unwrap();
        let words = |u: &&Unhonoured| u.reason.starts_with("words without effect");
        let said: Vec<_> = acceptor.unhonoured().iter().filter(words).cloned().collect();
        let reason = &only(&said).reason;
        assert!(reason.contains("EXP") && reason.contains("nonsense"), "{reason}");
        assert!(!reason.contains("RC4") && !reason.contains("LOW"), "{reason}");

        let many: String = (0..3000).map(|n| format!("x{n:x}:")).collect();
        let acceptor = accept(*backend, &format!("ECDHE+AESGCM:{many}")).unwrap();
        let said: Vec<_> = acceptor.unhonoured().iter().filter(words).cloned().collect();
        assert!(only(&said).reason.ends_with("and 2992 more"), "{}", only(&said).reason);
    }
}

#[tokio::test]
async fn the_strings_order_decides_whatever_the_client_prefers() {
    let all = ["AES128-GCM-SHA256", "AES256-GCM-SHA384", "CHACHA20-POLY1305"];
    for (key, kind) in [(Key::Ecdsa, "ECDSA"), (Key::Rsa, "RSA")] {
        for first in 0..all.len() {
            let mut order = all.map(|rest| format!("ECDHE-{kind}-{rest}"));
            order.rotate_left(first);
            let policy = policy(&order.join(":"), key, TLS12);
            for pair in pairs() {
                let acceptor = Acceptor::new(pair.0, &policy).unwrap();
                assert_eq!(names(&acceptor.offer().tls12), order, "{pair:?}");
                assert!(acceptor.offer().tls13.is_empty());
                assert_eq!(acceptor.unhonoured(), [], "{pair:?}");
                let (near, far) = meet(pair, &policy, &ClientPolicy::required(), HOST).await;
                assert_eq!(near.unwrap().1.suite, order[0], "{pair:?}");
                assert_eq!(far.unwrap().1.suite, order[0], "{pair:?}");
            }
        }
    }
}

#[tokio::test]
async fn two_policies_of_one_certificate_offer_what_each_says() {
    for pair in pairs() {
        for suite in ["ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384"] {
            let policy = policy(suite, Key::Ecdsa, TLS12);
            let (near, _) = meet(pair, &policy, &ClientPolicy::required(), HOST).await;
            assert_eq!(near.unwrap().1.suite, suite, "{pair:?}");
        }
    }
}

#[test]
fn suites_that_fit_no_key_are_an_error_where_tls_1_2_is_offered() {
    for (text, key) in
        [("ECDHE-ECDSA-AES128-GCM-SHA256", Key::Rsa), ("ECDHE-RSA-AES128-GCM-SHA256", Key::Ecdsa)]
    {
        for backend in Backend::available() {
            for versions in [BOTH, TLS12] {
                let error = Acceptor::new(*backend, &policy(text, key, versions)).unwrap_err();
                assert!(matches!(error, ConfigError::Ciphers { .. }), "{backend}: {error:?}");
                assert_eq!(error.origin(), Some(WHERE));
                assert!(error.to_string().contains("key"), "{error}");
            }
            let acceptor = Acceptor::new(*backend, &policy(text, key, TLS13)).unwrap();
            assert_eq!(only(acceptor.unhonoured()).loss, Loss::Whole, "{backend}");
            assert!(acceptor.offer().tls12.is_empty() && acceptor.offer().tls13.len() == 3);

            // One name alone would do to leave its clients without.
            let mut policy = policy(text, key, BOTH);
            let other = if key == Key::Rsa { Key::Ecdsa } else { Key::Rsa };
            let fitting = identity(&root().issue_as(&[HOST], other, Validity::Now).chain_and_key());
            policy
                .named
                .insert("named.example", std::mem::replace(&mut policy.identity, fitting))
                .unwrap();
            let error = Acceptor::new(*backend, &policy).unwrap_err().to_string();
            assert!(error.contains("of named.example"), "{backend}: {error}");
        }
    }
}

/// As with the word, but that nobody is told what is lost who wrote nothing.
#[test]
fn without_a_string_it_is_default_in_openssls_order() {
    for key in [Key::Ecdsa, Key::Rsa] {
        for &backend in Backend::available() {
            let named = Acceptor::new(backend, &policy("DEFAULT", key, BOTH)).unwrap();
            let without = ServerPolicy { ciphers: None, ..policy("", key, BOTH) };
            let acceptor = Acceptor::new(backend, &without).unwrap();
            assert_eq!(acceptor.offer(), named.offer(), "{backend}");
            assert_eq!(acceptor.unhonoured(), [], "{backend}");
            let offer = acceptor.offer();
            let kind = if key == Key::Rsa { "RSA" } else { "ECDSA" };
            let first = ["AES256-GCM-SHA384", "CHACHA20-POLY1305", "AES128-GCM-SHA256"];
            let mut tls12 = names(&offer.tls12);
            tls12.retain(|name| first.iter().any(|rest| *name == format!("ECDHE-{kind}-{rest}")));
            assert_eq!(tls12, first.map(|rest| format!("ECDHE-{kind}-{rest}")), "{backend}");
            assert_eq!(offer.tls13[0].name(), "TLS_AES_256_GCM_SHA384", "{backend}");
            assert!(offer.groups.contains(&"x25519") && offer.groups.contains(&"secp256r1"));
        }
    }
}

#[cfg(feature = "rustls")]
mod rustls {
    use super::*;

    #[test]
    fn what_is_lost_is_said_in_one_line_by_reason() {
        let acceptor = accept(Backend::Rustls, "DEFAULT").unwrap();
        let lost = only(acceptor.unhonoured());
        assert_eq!(lost.loss, Loss::Partial);
        for why in ["rustls has 6", "no CBC", "no DHE key exchange"] {
            assert!(lost.reason.contains(why), "{why}: {}", lost.reason);
        }
        let kept = ["AES256-GCM-SHA384", "CHACHA20-POLY1305", "AES128-GCM-SHA256"];
        assert_eq!(names(&acceptor.offer().tls12), kept.map(|rest| format!("ECDHE-ECDSA-{rest}")));
    }

    #[test]
    fn where_nothing_is_left_the_policy_is_refused() {
        for text in
            ["DHE-RSA-AES256-GCM-SHA384", "AES128-SHA:AES256-SHA", "kRSA", "CAMELLIA", "aNULL"]
        {
            for versions in [BOTH, TLS12] {
                let error = Acceptor::new(Backend::Rustls, &policy(text, Key::Rsa, versions));
                let error = error.unwrap_err();
                assert!(matches!(error, ConfigError::Ciphers { .. }), "{text}: {error:?}");
                assert_eq!(error.origin(), Some(WHERE));
            }
            let acceptor = Acceptor::new(Backend::Rustls, &policy(text, Key::Rsa, TLS13)).unwrap();
            assert_eq!(only(acceptor.unhonoured()).loss, Loss::Whole, "{text}");
        }
    }

    #[test]
    fn a_security_level_takes_suites_out_and_is_named() {
        let acceptor = accept(Backend::Rustls, "ECDHE+AESGCM:@SECLEVEL=4").unwrap();
        assert_eq!(names(&acceptor.offer().tls12), ["ECDHE-ECDSA-AES256-GCM-SHA384"]);
        assert!(!names(&acceptor.offer().tls13).contains(&"TLS_AES_128_GCM_SHA256"));
        assert!(only(acceptor.unhonoured()).reason.starts_with("@SECLEVEL=4"));
        let acceptor = accept(Backend::Rustls, "ECDHE+AESGCM:@SECLEVEL=0").unwrap();
        assert!(only(acceptor.unhonoured()).reason.starts_with("@SECLEVEL=0"));
        assert_eq!(acceptor.offer().tls12.len(), 2);
    }
}

#[cfg(feature = "openssl")]
mod openssl {
    use super::*;

    #[test]
    fn what_openssl_takes_whole_is_not_spoken_of() {
        for text in
            ["DEFAULT", "HIGH:!aNULL:!MD5", "ECDHE+AESGCM:@STRENGTH", "ALL:-EXP:+SHA1", "ALL:!RC4"]
        {
            assert_eq!(accept(Backend::OpenSsl, text).unwrap().unhonoured(), [], "{text}");
        }
    }

    #[test]
    fn a_security_level_is_openssls_own_matter() {
        let acceptor = accept(Backend::OpenSsl, "ECDHE:kRSA:@SECLEVEL=3").unwrap();
        assert_eq!(acceptor.unhonoured(), []);
        let offer = acceptor.offer();
        assert!(offer.tls12.iter().all(|suite| suite.has_forward_secrecy()), "{offer:?}");
        assert!(!offer.tls12.is_empty());
    }

    #[test]
    fn a_certificate_below_the_level_of_the_string_is_refused_with_the_level() {
        let reason =
            |text: &str| match Acceptor::new(Backend::OpenSsl, &policy(text, Key::Rsa, BOTH)) {
                Err(ConfigError::Identity { reason, .. }) => reason,
                other => panic!("{text}: {other:?}"),
            };
        let said = reason("DHE+AES:@SECLEVEL=3");
        assert!(said.contains("too small") && said.contains("@SECLEVEL=3"), "{said}");
    }

    #[tokio::test]
    async fn each_suite_offered_is_one_that_a_peer_can_get() {
        use ::openssl::ssl::{Ssl, SslContext, SslMethod, SslVersion};
        for key in [Key::Rsa, Key::Ecdsa] {
            for text in ["ALL", "ALL:@SECLEVEL=0", "ALL:COMPLEMENTOFALL:@SECLEVEL=0", "DEFAULT"] {
                let acceptor = Acceptor::new(Backend::OpenSsl, &policy(text, key, TLS12)).unwrap();
                assert!(!acceptor.offer().tls12.is_empty());
                for suite in &acceptor.offer().tls12 {
                    let mut context = SslContext::builder(SslMethod::tls_client()).unwrap();
                    context.set_max_proto_version(Some(SslVersion::TLS1_2)).unwrap();
                    context.set_cipher_list(&format!("{}:@SECLEVEL=0", suite.name())).unwrap();
                    let ssl = Ssl::new(&context.build()).unwrap();
                    let (near, far) = tokio::io::duplex(64 * 1024);
                    let mut far = tokio_openssl::SslStream::new(ssl, far).unwrap();
                    let (near, far) =
                        tokio::join!(acceptor.accept(near), std::pin::Pin::new(&mut far).connect());
                    far.unwrap();
                    assert_eq!(near.unwrap().1.suite, suite.name(), "{text} {key:?}");
                }
            }
        }
    }
}
