//! The tables of OpenSSL's answers, whole.
//!
//! A table has a line `version`, then for each string two lines: `string "…"` with the string as it
//! is between the first and the last quotation mark, and OpenSSL's answer, `suites` with their
//! numbers or `error` with its words. One table also has a line `suite` for each suite, with what
//! OpenSSL says of it.

use smtp_tls::Version;
use smtp_tls::cipher::{
    Authentication, Encryption, KeyExchange, Mac, Protocol, Release, SecurityLevel, Suite, suite,
    tls13_suites,
};

use super::{Answer, listed, names, offered};

const V3_0: &str = include_str!("openssl-3.0.22.txt");
const V3_0_SUPPORTED: &str = include_str!("openssl-3.0.22-s.txt");
const V3_5: &str = include_str!("openssl-3.5.2.txt");

#[test]
fn every_string_lists_what_openssl_3_0_lists() {
    compare(V3_0, |text| listed(text, Release::V3_0));
}

#[test]
fn every_string_leaves_at_its_level_what_openssl_3_0_leaves() {
    assert!(V3_0_SUPPORTED.lines().next().unwrap().ends_with("security level 2."));
    let versions = (Version::Tls12, Version::Tls13);
    compare(V3_0_SUPPORTED, |text| offered(text, Release::V3_0, SecurityLevel::USUAL, versions));
}

#[test]
fn every_string_lists_what_openssl_3_5_lists() {
    compare(V3_5, |text| listed(text, Release::V3_2));
}

#[test]
fn every_suite_is_what_openssl_says_of_it() {
    let lines: Vec<&str> = V3_0.lines().filter_map(|line| line.strip_prefix("suite ")).collect();
    for line in &lines {
        let id = u16::from_str_radix(&line[..4], 16).unwrap();
        assert_eq!(describe(suite(id).unwrap()), *line);
    }
    let all = smtp_tls::cipher::parse("ALL:COMPLEMENTOFALL").unwrap().suites;
    assert_eq!(lines.len(), tls13_suites().len() + all.len());
}

fn compare(table: &str, ours: impl Fn(&str) -> Answer) {
    let mut lines = table.lines().filter(|line| !line.starts_with('#'));
    let version = lines.next().unwrap();
    assert!(version.starts_with("version OpenSSL 3."), "{version}");
    let mut lines = lines.skip_while(|line| line.starts_with("suite "));
    let (mut count, mut errors) = (0, 0);
    while let Some(line) = lines.next() {
        let text = line.strip_prefix("string \"").and_then(|line| line.strip_suffix('"'));
        let text = text.unwrap_or_else(|| panic!("{line}"));
        let answer = lines.next().unwrap();
        let theirs: Answer = match answer.split_once(' ').unwrap_or((answer, "")) {
            ("suites", ids) => {
                Ok(ids.split_whitespace().map(|id| u16::from_str_radix(id, 16).unwrap()).collect())
            }
            ("error", words) => Err(words.to_owned()),
            _ => panic!("{answer}"),
        };
        let ours = ours(text);
        assert_eq!(ours, theirs, "{version}: {text:?}\n{}\n{}", names(&ours), names(&theirs));
        count += 1;
        errors += usize::from(theirs.is_err());
    }
    assert!(count >= 300 && errors >= 50, "{version}: {count} strings, {errors} errors");
}

/// As `openssl ciphers -V -stdname` says it.
fn describe(suite: &Suite) -> String {
    let key_exchange = match suite.key_exchange() {
        KeyExchange::Any => "any",
        KeyExchange::Rsa => "RSA",
        KeyExchange::Dhe => "DH",
        KeyExchange::Ecdhe => "ECDH",
        KeyExchange::Psk => "PSK",
        KeyExchange::RsaPsk => "RSAPSK",
        KeyExchange::DhePsk => "DHEPSK",
        KeyExchange::EcdhePsk => "ECDHEPSK",
        KeyExchange::Srp => "SRP",
    };
    let authentication = match suite.authentication() {
        Authentication::Any => "any",
        Authentication::Rsa => "RSA",
        Authentication::Dss => "DSS",
        Authentication::Ecdsa => "ECDSA",
        Authentication::Anonymous => "None",
        Authentication::Psk => "PSK",
        Authentication::Srp => "SRP",
    };
    let cipher = match suite.encryption() {
        Encryption::Null => "None",
        Encryption::Aes128Cbc | Encryption::Aes256Cbc => "AES",
        Encryption::Camellia128Cbc | Encryption::Camellia256Cbc => "Camellia",
        Encryption::Aes128Gcm | Encryption::Aes256Gcm => "AESGCM",
        Encryption::Aes128Ccm | Encryption::Aes256Ccm => "AESCCM",
        Encryption::Aes128Ccm8 | Encryption::Aes256Ccm8 => "AESCCM8",
        Encryption::ChaCha20Poly1305 => "CHACHA20/POLY1305",
        Encryption::Aria128Gcm | Encryption::Aria256Gcm => "ARIAGCM",
    };
    let bits = match suite.key_bits() {
        0 => String::new(),
        bits => format!("({bits})"),
    };
    let mac = match suite.mac() {
        Mac::Aead => "AEAD",
        Mac::Md5 => "MD5",
        Mac::Sha1 => "SHA1",
        Mac::Sha256 => "SHA256",
        Mac::Sha384 => "SHA384",
    };
    let protocol = match suite.protocol() {
        Protocol::Ssl3 => "SSLv3",
        Protocol::Tls10 => "TLSv1",
        Protocol::Tls12 => "TLSv1.2",
        Protocol::Tls13 => "TLSv1.3",
    };
    format!(
        "{:04X} {} {} {protocol} Kx={key_exchange} Au={authentication} Enc={cipher}{bits} Mac={mac}",
        suite.id(),
        suite.name(),
        suite.iana_name(),
    )
}
