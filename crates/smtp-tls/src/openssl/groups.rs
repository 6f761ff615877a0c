//! The groups of the key exchange, named for every context: so they are the same in each version of
//! OpenSSL, but for those that an older one does not have.

use std::sync::LazyLock;

use openssl::{
    error::ErrorStack,
    ssl::{SslContextBuilder, SslMethod},
};

use crate::cipher::SecurityLevel;

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
