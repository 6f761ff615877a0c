//! rustls's suites and groups: which of them a policy keeps, and the names that operators know.

use std::{collections::BTreeMap, sync::LazyLock};

use rustls::{CipherSuite, NamedGroup, crypto::CryptoProvider};

use crate::{
    Backend, ClientOffer, ConfigError, Loss, ServerOffer, ServerPolicy, Unhonoured, Version,
    cipher::{self, CipherList, Release, SecurityLevel, Suite},
    suites::{self, Kind, Kinds},
};

/// What no string means: what the word `DEFAULT` does.
static DEFAULT: LazyLock<CipherList> =
    LazyLock::new(|| cipher::parse("DEFAULT").expect("OpenSSL takes the word"));

/// Leaves in the provider the suites that the policy asks for, in its order.
pub(super) fn choose(
    provider: &mut CryptoProvider,
    policy: &ServerPolicy,
    unhonoured: &mut Vec<Unhonoured>,
) -> Result<ServerOffer, ConfigError> {
    let read = suites::read(policy, Release::default(), unhonoured)?;
    let list = read.as_ref().unwrap_or(&DEFAULT);
    let all: Vec<u16> = provider.cipher_suites.iter().map(|s| u16::from(s.suite())).collect();
    let wanted = keep(list, policy, &all, unhonoured);
    let rank = |id: u16| wanted.iter().position(|wanted| *wanted == id);
    provider.cipher_suites.retain(|suite| rank(u16::from(suite.suite())).is_some());
    provider.cipher_suites.sort_by_key(|suite| rank(u16::from(suite.suite())));
    let offered = |version| offered(provider, policy.versions, version);
    Ok(ServerOffer {
        tls13: offered(Version::Tls13),
        tls12: suites::fitting(policy, Backend::Rustls, &offered(Version::Tls12), |identities| {
            let usable = identities.iter().map(|identity| Kind::of(identity)).collect();
            Ok(Kinds { usable, why_not: None })
        })?,
        groups: groups(provider, policy.versions),
        dhe: None,
    })
}

/// What a client with this provider says that it can do.
pub(super) fn of_client(provider: &CryptoProvider, versions: (Version, Version)) -> ClientOffer {
    ClientOffer {
        tls13: offered(provider, versions, Version::Tls13),
        tls12: offered(provider, versions, Version::Tls12),
        groups: groups(provider, versions),
    }
}

/// The groups that one of the versions has.
fn groups(provider: &CryptoProvider, versions: (Version, Version)) -> Vec<&'static str> {
    let spoken: Vec<_> = super::versions(versions).map(|version| version.version).collect();
    let all = provider.kx_groups.iter();
    let all = all.filter(|kx| spoken.iter().any(|version| kx.usable_for_version(*version)));
    all.filter_map(|kx| group(kx.name())).collect()
}

/// The provider's suites of a version, where it is spoken.
fn offered(
    provider: &CryptoProvider,
    (lowest, highest): (Version, Version),
    version: Version,
) -> Vec<&'static Suite> {
    let suites = provider.cipher_suites.iter().filter(|suite| {
        (version == Version::Tls13) == suite.tls13().is_some()
            && (lowest..=highest).contains(&version)
    });
    suites.filter_map(|suite| cipher::suite(u16::from(suite.suite()))).collect()
}

/// Of `all`, those that the list asks for, in its order; those of TLS 1.3 stay as they are, as far as a security
/// level does not take them out.
fn keep(
    list: &CipherList,
    policy: &ServerPolicy,
    all: &[u16],
    unhonoured: &mut Vec<Unhonoured>,
) -> Vec<u16> {
    // What the string and its level mean under OpenSSL, whatever the versions: these are rustls's matter.
    let meant = list.at_level(SecurityLevel::USUAL, (Version::Tls12, Version::Tls13));
    let selection = cipher::select(&meant.tls12, all);
    let tls13 = |id: &&u16| cipher::suite(**id).is_some_and(is_tls13);
    let taken_out = |id: &u16| meant.withheld.iter().any(|withheld| withheld.suite.id() == *id);
    let kept13 = all.iter().filter(tls13).filter(|id| !taken_out(id)).copied();
    let kept = kept13.chain(selection.kept.iter().map(|suite| suite.id())).collect();
    // What is lost of `DEFAULT` is nobody's loss who wrote no string.
    let Some(ciphers) = &policy.ciphers else { return kept };
    if !selection.lost.is_empty() && policy.versions.0 == Version::Tls12 {
        let mut reasons = BTreeMap::<String, usize>::new();
        for lost in &selection.lost {
            *reasons.entry(lost.lack.to_string()).or_default() += 1;
        }
        let reasons: Vec<_> =
            reasons.iter().map(|(why, count)| format!("{why} ({count})")).collect();
        let reason = format!(
            "of {} suites rustls has {}: {}",
            meant.tls12.len(),
            selection.kept.len(),
            reasons.join(", ")
        );
        unhonoured.push(suites::report(ciphers, Loss::Partial, reason));
    }
    if let Some(level) = list.security_level {
        let reason = format!(
            "@SECLEVEL={level} decides about suites alone: rustls takes no key, signature or group of \
             less than 112 bits, and asks for no more"
        );
        unhonoured.push(suites::report(ciphers, Loss::Partial, reason));
    }
    if list.suite_b.is_some() {
        let reason =
            "a word of Suite B decides about suites alone, not about curves and signatures";
        unhonoured.push(suites::report(ciphers, Loss::Partial, reason.to_owned()));
    }
    kept
}

fn is_tls13(suite: &Suite) -> bool {
    suite.protocol() == cipher::Protocol::Tls13
}

/// (OpenSSL's name, IANA's name) of a suite.
pub(super) fn names(suite: CipherSuite) -> (&'static str, &'static str) {
    cipher::suite(u16::from(suite)).map_or_else(
        || {
            let name = suite.as_str().unwrap_or_default();
            (name, name)
        },
        |suite| (suite.name(), suite.iana_name()),
    )
}

/// IANA's name of a group.
pub(super) fn group(group: NamedGroup) -> Option<&'static str> {
    Some(match group {
        NamedGroup::X25519 => "x25519",
        NamedGroup::X448 => "x448",
        other => other.as_str()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_suite_and_group_of_the_provider_has_its_names() {
        let suites = rustls::crypto::aws_lc_rs::ALL_CIPHER_SUITES;
        assert_eq!(suites.len(), 9);
        for suite in suites {
            let (openssl, iana) = names(suite.suite());
            assert!(iana.starts_with("TLS_"), "{iana}");
            assert_eq!(openssl.starts_with("TLS_"), suite.tls13().is_some(), "{openssl}");
            assert!(cipher::suite(u16::from(suite.suite())).is_some(), "{openssl}");
        }
        for kx in rustls::crypto::aws_lc_rs::ALL_KX_GROUPS {
            assert!(group(kx.name()).is_some(), "{:?}", kx.name());
        }
    }
}
