//! The groups of the key exchange, named for every context: so they are the same in each version of
//! OpenSSL, but for those that an older one does not have.

use std::sync::LazyLock;

use openssl::{
    error::ErrorStack,
    ssl::{SslContextBuilder, SslMethod},
};

use crate::cipher::{KeyExchange, SecurityLevel, Suite, SuiteB};

/// (OpenSSL's name, IANA's name, strength in bits as security levels count it).
const GROUPS: [(&str, &str, u16); 6] = [
    ("X25519MLKEM768", "X25519MLKEM768", 192),
    ("X25519", "x25519", 128),
    ("P-256", "secp256r1", 128),
    ("P-384", "secp384r1", 192),
    ("X448", "x448", 224),
    ("P-521", "secp521r1", 256),
];

/// Those that this OpenSSL has. Asked once: each answer is a context.
static KNOWN: LazyLock<Vec<(&str, &str, u16)>> = LazyLock::new(|| {
    let has = |name: &str| {
        SslContextBuilder::new(SslMethod::tls())
            .and_then(|mut context| context.set_groups_list(name))
            .is_ok()
    };
    GROUPS.into_iter().filter(|(name, ..)| has(name)).collect()
});

pub(super) fn apply(context: &mut SslContextBuilder) -> Result<(), ErrorStack> {
    let names: Vec<_> = KNOWN.iter().map(|(name, ..)| *name).collect();
    context.set_groups_list(&names.join(":"))
}

/// IANA's names of those that a security level takes.
pub(super) fn offered(level: SecurityLevel) -> Vec<&'static str> {
    KNOWN
        .iter()
        .filter(|(.., bits)| *bits >= level.least_bits())
        .map(|(_, iana, _)| *iana)
        .collect()
}

/// Of the groups of a level, those that can be agreed on with these suites. Suite B has its own, and under
/// TLS 1.2 one for each of its suites (RFC 6460 section 3.1).
pub(super) fn of_server(
    level: SecurityLevel,
    suite_b: Option<SuiteB>,
    tls13: &[&'static Suite],
    tls12: &[&'static Suite],
) -> Vec<&'static str> {
    let mut groups = offered(level);
    let elliptic = tls12.iter().filter(|suite| suite.key_exchange() == KeyExchange::Ecdhe);
    let elliptic: Vec<_> = elliptic.collect();
    groups.retain(|group| match (suite_b, *group) {
        (None, group) if group.contains("MLKEM") => !tls13.is_empty(),
        (None, _) => !tls13.is_empty() || !elliptic.is_empty(),
        (Some(suite_b), group) => {
            let (of_tls13, bits) = match group {
                "secp256r1" => (suite_b != SuiteB::Bits192, 128),
                "secp384r1" => (suite_b != SuiteB::Bits128Only, 256),
                _ => return false,
            };
            (of_tls13 && !tls13.is_empty()) || elliptic.iter().any(|suite| suite.key_bits() == bits)
        }
    });
    groups
}
