//! Which suites a cipher string leaves to a server with its certificates, whichever library offers
//! them: one meaning, one error and one report for all.

use std::{collections::HashSet, sync::Arc};

use x509_cert::der::{Decode, asn1::ObjectIdentifier};

use crate::{
    Backend, Cause, CipherString, ConfigError, Identity, Loss, ServerPolicy, Unhonoured, Version,
    certificate::{Fields, public_key_parts},
    cipher::{
        self, Authentication, CipherError, CipherList, Ignored, KeyExchange, Release,
        SecurityLevel, Suite,
    },
};

/// How many words without effect are named.
const NAMED: usize = 8;

/// Reads the policy's cipher string as `release` of OpenSSL does, and reports what of it means nothing.
pub(crate) fn read(
    policy: &ServerPolicy,
    release: Release,
    unhonoured: &mut Vec<Unhonoured>,
) -> Result<Option<CipherList>, ConfigError> {
    let Some(ciphers) = &policy.ciphers else { return Ok(None) };
    let read = if ciphers.text.len() > CipherString::MAX_LENGTH {
        Err(format!("it is longer than {} octets", CipherString::MAX_LENGTH))
    } else {
        cipher::parse_as(&ciphers.text, release).map_err(|error| error.to_string())
    };
    let list = match (read, policy.versions.0) {
        (Ok(list), Version::Tls12) => list,
        (Ok(list), Version::Tls13) => {
            unhonoured.push(without_say(ciphers, list.security_level, None));
            list
        }
        (Err(reason), Version::Tls12) => return Err(refused(ciphers, reason)),
        // Nothing but a level could have a say here, so nobody is kept waiting for a better string.
        (Err(reason), Version::Tls13) => {
            let level = match ciphers.text.len() {
                0..=CipherString::MAX_LENGTH => cipher::level_alone(&ciphers.text, release),
                _ => None,
            };
            unhonoured.push(without_say(ciphers, level, Some(&reason)));
            let (suites, ignored) = (Vec::new(), Vec::new());
            return Ok(level.map(|level| CipherList {
                suites,
                security_level: Some(level),
                suite_b: None,
                ignored,
                release,
            }));
        }
    };
    // What only this release passes over is its doing.
    let words_of = |read: Result<CipherList, CipherError>| match read {
        Ok(CipherList { ignored, .. }) | Err(CipherError::NoSuite { ignored }) => ignored,
        Err(CipherError::Malformed { .. }) => Vec::new(),
    };
    let other = (release != Release::default()).then(|| words_of(cipher::parse(&ciphers.text)));
    let passed_over = other.as_ref().unwrap_or(&list.ignored);
    let passed_over: HashSet<_> = passed_over.iter().filter_map(place).collect();
    let words = list.ignored.iter().filter(|word| place(word).is_some());
    let (own, the_library_s): (Vec<_>, Vec<_>) =
        words.partition(|word| place(word).is_some_and(|place| passed_over.contains(&place)));
    for (cause, words) in [(Cause::Setting, own), (Cause::Library, the_library_s)] {
        if let Some(reason) = without_effect(&words) {
            unhonoured.push(Unhonoured { cause, ..report(ciphers, Loss::Partial, reason) });
        }
    }
    Ok(Some(list))
}

/// What is said of a string where TLS 1.3 is offered alone.
fn without_say(
    ciphers: &CipherString,
    level: Option<SecurityLevel>,
    refused: Option<&str>,
) -> Unhonoured {
    let mut reason =
        "the cipher string governs TLS 1.2, which this policy does not offer".to_owned();
    if let Some(level) = level {
        reason.push_str(&format!("; its @SECLEVEL={level} holds for TLS 1.3 all the same"));
    }
    if let Some(refused) = refused {
        reason.push_str(&format!("; with TLS 1.2 it would be refused: {refused}"));
    }
    report(ciphers, if level.is_some() { Loss::Partial } else { Loss::Whole }, reason)
}

/// Where a word begins that the string would not mean the same without.
fn place(word: &Ignored) -> Option<usize> {
    (!word.is_harmless()).then_some(word.span.start)
}

/// Words without effect in one line.
fn without_effect(words: &[&Ignored]) -> Option<String> {
    if words.is_empty() {
        return None;
    }
    let named: Vec<_> = words.iter().take(NAMED).map(ToString::to_string).collect();
    let more = match words.len() - named.len() {
        0 => String::new(),
        more => format!("; and {more} more"),
    };
    Some(format!("words without effect: {}{more}", named.join("; ")))
}

/// A string that nothing can be done with.
pub(crate) fn refused(ciphers: &CipherString, reason: String) -> ConfigError {
    const SHOWN: usize = 64;
    let mut text: String = ciphers.text.chars().take(SHOWN).collect();
    if text.len() < ciphers.text.len() {
        text.push_str("...");
    }
    ConfigError::Ciphers { origin: ciphers.origin, text, reason }
}

pub(crate) fn report(ciphers: &CipherString, loss: Loss, reason: String) -> Unhonoured {
    let (origin, cause) = (ciphers.origin, Cause::Library);
    Unhonoured { origin, setting: "ciphers", loss, cause, reason }
}

/// The kinds of the keys that can be used under TLS 1.2, and why others cannot.
#[derive(Default)]
pub(crate) struct Kinds {
    pub(crate) usable: Vec<Kind>,
    pub(crate) why_not: Option<String>,
}

/// Those of the suites of TLS 1.2 that the default identities' keys can be used with.
///
/// Where the policy offers TLS 1.2 by a cipher string, a certificate that no suite is left for is an error:
/// its clients would find nothing in common.
pub(crate) fn fitting(
    policy: &ServerPolicy,
    backend: Backend,
    suites: &[&'static Suite],
    kinds: impl Fn(&[&Arc<Identity>]) -> Result<Kinds, ConfigError>,
) -> Result<Vec<&'static Suite>, ConfigError> {
    let by_default = kinds(&by_default(policy))?;
    if policy.versions.0 == Version::Tls12
        && let Some(ciphers) = &policy.ciphers
    {
        check(ciphers, backend, suites, None, &by_default)?;
        for (name, identities) in policy.named.iter() {
            let kinds = kinds(&identities.iter().collect::<Vec<_>>())?;
            check(ciphers, backend, suites, Some(&name), &kinds)?;
        }
    }
    Ok(suites.iter().copied().filter(|suite| fits(suite, &by_default.usable)).collect())
}

/// The identities for clients that ask for no name of the policy's.
pub(crate) fn by_default(policy: &ServerPolicy) -> Vec<&Arc<Identity>> {
    std::iter::once(&policy.identity).chain(&policy.alternatives).collect()
}

fn check(
    ciphers: &CipherString,
    backend: Backend,
    suites: &[&'static Suite],
    name: Option<&str>,
    Kinds { usable, why_not }: &Kinds,
) -> Result<(), ConfigError> {
    if suites.iter().any(|suite| fits(suite, usable)) {
        return Ok(());
    }
    let mut reason = format!("{backend} has no suite of TLS 1.2 that it asks for");
    if !suites.is_empty() {
        reason.push_str(" and that fits the kind of key of the certificate");
        if let Some(name) = name {
            reason.push_str(&format!(" of {name}"));
        }
        if let Some(why_not) = why_not {
            reason.push_str(&format!(": {why_not}"));
        }
    }
    Err(refused(ciphers, reason))
}

fn fits(suite: &Suite, kinds: &[Kind]) -> bool {
    suite.authentication() == Authentication::Anonymous || kinds.iter().any(|kind| kind.fits(suite))
}

/// What the leaf's key can do under TLS 1.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Of these suites it proves who the server is.
    Proves(Authentication),
    /// RSA that signs and does nothing else (RFC 8446 section 4.2.3: RSASSA-PSS): no client can send it a
    /// secret, as the suites without DHE and ECDHE want.
    SignsAlone,
    /// It is none of those that suites name.
    Other,
}

impl Kind {
    pub(crate) fn of(identity: &Identity) -> Self {
        Self::read(identity).unwrap_or(Self::Other)
    }

    fn read(identity: &Identity) -> Option<Self> {
        const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
        const RSA_PSS: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.10");
        const DSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10040.4.1");
        const EC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
        const ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");
        const ED448: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.113");
        let fields = Fields::read(identity.leaf().der()).ok()?;
        let (algorithm, _) = public_key_parts(fields.public_key_info).ok()?;
        let mut reader = x509_cert::der::SliceReader::new(algorithm).ok()?;
        Some(match ObjectIdentifier::decode(&mut reader).ok()? {
            RSA => Self::Proves(Authentication::Rsa),
            RSA_PSS => Self::SignsAlone,
            DSA => Self::Proves(Authentication::Dss),
            EC | ED25519 | ED448 => Self::Proves(Authentication::Ecdsa),
            _ => return None,
        })
    }

    fn fits(self, suite: &Suite) -> bool {
        match self {
            Self::Proves(authentication) => authentication == suite.authentication(),
            Self::SignsAlone => {
                suite.authentication() == Authentication::Rsa
                    && suite.key_exchange() != KeyExchange::Rsa
            }
            Self::Other => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{Certificate, KeyKind, PrivateKey};

    #[test]
    fn words_that_one_release_alone_passes_over_are_the_doing_of_its_library() {
        let identity = Identity::new(
            Certificate::from_der(Vec::new()),
            Vec::new(),
            PrivateKey::from_der(KeyKind::Pkcs8, Vec::new()),
        );
        let text = "ECDHE+AESGCM:AESCCM8+HIGH:nonsense:!RC4".to_owned();
        let policy = ServerPolicy {
            ciphers: Some(CipherString { text, origin: None }),
            ..ServerPolicy::new(Arc::new(identity))
        };
        let said = |release| {
            let mut unhonoured = Vec::new();
            read(&policy, release, &mut unhonoured).unwrap();
            let word = |said: &Unhonoured| said.reason.split(": ").nth(1).map(str::to_owned);
            unhonoured.iter().map(|said| (said.cause, word(said).unwrap())).collect::<Vec<_>>()
        };
        let own = (Cause::Setting, "nonsense".to_owned());
        let library = (Cause::Library, "AESCCM8+HIGH".to_owned());
        assert_eq!(said(Release::V3_0), std::slice::from_ref(&own));
        assert_eq!(said(Release::V3_2), [own, library]);
    }
}
