//! Random strings of the language, and near it.

use proptest::prelude::*;
use proptest::sample::select;
use smtp_tls::cipher;

const WORDS: &[&str] = &[
    "ALL",
    "COMPLEMENTOFALL",
    "COMPLEMENTOFDEFAULT",
    "kRSA",
    "kEDH",
    "kDHE",
    "DH",
    "kEECDH",
    "kECDHE",
    "ECDH",
    "kPSK",
    "kRSAPSK",
    "kDHEPSK",
    "kECDHEPSK",
    "PSK",
    "kSRP",
    "SRP",
    "kGOST",
    "kGOST18",
    "aRSA",
    "aDSS",
    "DSS",
    "aECDSA",
    "ECDSA",
    "aNULL",
    "aPSK",
    "aSRP",
    "aGOST01",
    "aGOST12",
    "aGOST",
    "RSA",
    "EDH",
    "DHE",
    "ADH",
    "EECDH",
    "ECDHE",
    "AECDH",
    "eNULL",
    "NULL",
    "3DES",
    "RC4",
    "RC2",
    "IDEA",
    "SEED",
    "DES",
    "GOST89",
    "GOST2012-GOST8912-GOST8912",
    "AES",
    "AES128",
    "AES256",
    "AESGCM",
    "AESCCM",
    "AESCCM8",
    "CAMELLIA",
    "CAMELLIA128",
    "CAMELLIA256",
    "CHACHA20",
    "ARIA",
    "ARIAGCM",
    "ARIA128",
    "ARIA256",
    "CBC",
    "MD5",
    "SHA",
    "SHA1",
    "SHA256",
    "SHA384",
    "GOST94",
    "GOST89MAC",
    "GOST12",
    "SSLv2",
    "SSLv3",
    "TLSv1",
    "TLSv1.0",
    "TLSv1.1",
    "TLSv1.2",
    "TLSv1.3",
    "DTLSv1",
    "LOW",
    "MEDIUM",
    "HIGH",
    "FIPS",
    "EXP",
    "EDH-DSS-DES-CBC3-SHA",
    "EDH-RSA-DES-CBC3-SHA",
    "kDHr",
    "aDH",
    "DEFAULT",
    "SUITEB128",
    "SUITEB192",
    "TLS_AES_128_GCM_SHA256",
    "DES-CBC3-SHA",
    "RC4-SHA",
    "FOO",
    "foo-1.2=",
    "all",
];

/// A string. Most can be read.
pub(crate) fn string() -> impl Strategy<Value = String> {
    let start = prop_oneof![
        12 => Just(""),
        2 => Just("DEFAULT"),
        2 => Just("DEFAULT:"),
        1 => select(vec!["DEFAULT,", "SUITEB128", "SUITEB128ONLY:", "SUITEB128C2", "SUITEB192"]),
    ];
    let separator = prop_oneof![
        20 => Just(":"),
        6 => select(vec![",", ";", " ", "::", ": ,"]),
        2 => Just(""),
        1 => select(vec!["*:", "é:", "\t", "_", "\n", "/"]),
    ];
    let elements = prop::collection::vec((element(), separator), 0..10);
    (start, elements).prop_map(|(start, elements)| {
        let mut text = start.to_owned();
        for (element, separator) in elements {
            text += &element;
            text += separator;
        }
        text
    })
}

fn element() -> impl Strategy<Value = String> {
    let words = prop::collection::vec(word(), 1..=3).prop_map(|words| words.join("+"));
    let operator = select(vec!["", "", "", "", "-", "+", "!"]);
    prop_oneof![
        30 => (operator, words).prop_map(|(operator, words)| format!("{operator}{words}")),
        1 => Just("@STRENGTH".to_owned()),
        1 => (0..6).prop_map(|level| format!("@SECLEVEL={level}")),
        1 => select(vec![
            "@SECLEVEL=6", "@SECLEVEL=1+x", "@STRENGTH_", "@STRENGTHS", "@", "!", "+", "AES+",
            "RC4+", "3DES+", "RC4+*", "!!AES", "+-AES", "AES++SHA", "_", "AES_", "RC4_é*",
        ]).prop_map(str::to_owned),
    ]
}

fn word() -> impl Strategy<Value = String> {
    let suites = cipher::parse("ALL:COMPLEMENTOFALL").unwrap().suites;
    let names = suites.iter().map(|suite| suite.name()).collect::<Vec<_>>();
    let standard = suites.iter().map(|suite| suite.iana_name()).collect::<Vec<_>>();
    prop_oneof![20 => select(WORDS), 5 => select(names), 1 => select(standard)]
        .prop_map(str::to_owned)
}
