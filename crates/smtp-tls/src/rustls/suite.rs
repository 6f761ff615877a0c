//! rustls's suites and groups by the names that operators know.

use rustls::{CipherSuite, NamedGroup};

/// (OpenSSL's name, IANA's name) of a suite.
pub(super) fn names(suite: CipherSuite) -> (String, String) {
    let (openssl, iana) = match suite {
        CipherSuite::TLS13_AES_256_GCM_SHA384 => {
            ("TLS_AES_256_GCM_SHA384", "TLS_AES_256_GCM_SHA384")
        }
        CipherSuite::TLS13_AES_128_GCM_SHA256 => {
            ("TLS_AES_128_GCM_SHA256", "TLS_AES_128_GCM_SHA256")
        }
        CipherSuite::TLS13_CHACHA20_POLY1305_SHA256 => {
            ("TLS_CHACHA20_POLY1305_SHA256", "TLS_CHACHA20_POLY1305_SHA256")
        }
        CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384 => {
            ("ECDHE-ECDSA-AES256-GCM-SHA384", "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384")
        }
        CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256 => {
            ("ECDHE-ECDSA-AES128-GCM-SHA256", "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256")
        }
        CipherSuite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256 => {
            ("ECDHE-ECDSA-CHACHA20-POLY1305", "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256")
        }
        CipherSuite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384 => {
            ("ECDHE-RSA-AES256-GCM-SHA384", "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384")
        }
        CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256 => {
            ("ECDHE-RSA-AES128-GCM-SHA256", "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256")
        }
        CipherSuite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256 => {
            ("ECDHE-RSA-CHACHA20-POLY1305", "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256")
        }
        other => {
            let name = format!("{other:?}");
            return (name.clone(), name);
        }
    };
    (openssl.to_owned(), iana.to_owned())
}

/// IANA's name of a group.
pub(super) fn group(group: NamedGroup) -> String {
    match group {
        NamedGroup::X25519 => "x25519".to_owned(),
        NamedGroup::X448 => "x448".to_owned(),
        other => format!("{other:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_suite_of_the_provider_has_its_names() {
        let suites = rustls::crypto::aws_lc_rs::ALL_CIPHER_SUITES;
        assert_eq!(suites.len(), 9);
        for suite in suites {
            let (openssl, iana) = names(suite.suite());
            assert!(iana.starts_with("TLS_"), "{iana}");
            assert_eq!(openssl.starts_with("TLS_"), suite.tls13().is_some(), "{openssl}");
        }
    }
}
