//! Which suites a cipher string leaves to a server with its certificates, whichever library offers
//! them: one meaning, one error and one report for all.

use x509_cert::der::{Decode, asn1::ObjectIdentifier};

use crate::{
    Backend, CipherString, ConfigError, Identity, Loss, ServerPolicy, Unhonoured, Version,
    certificate::{Fields, public_key_parts},
    cipher::{self, Authentication, CipherList, Release, Suite},
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
    if ciphers.text.len() > CipherString::MAX_LENGTH {
        let reason = format!("it is longer than {} octets", CipherString::MAX_LENGTH);
        return Err(refused(ciphers, reason));
    }
    let list = cipher::parse_as(&ciphers.text, release)
        .map_err(|error| refused(ciphers, error.to_string()))?;
    if policy.versions.0 == Version::Tls13 {
        let reason = "the cipher string governs TLS 1.2, which this policy does not offer";
        unhonoured.push(report(ciphers, Loss::Whole, reason.to_owned()));
    }
    let mut words = list.ignored.iter().filter(|ignored| !ignored.is_harmless());
    let named: Vec<_> = words.by_ref().take(NAMED).map(ToString::to_string).collect();
    if !named.is_empty() {
        let more = match words.count() {
            0 => String::new(),
            more => format!("; and {more} more"),
        };
        let reason = format!("words without effect: {}{more}", named.join("; "));
        unhonoured.push(report(ciphers, Loss::Partial, reason));
    }
    Ok(Some(list))
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
    Unhonoured { origin: ciphers.origin, setting: "ciphers", loss, reason }
}

/// Those of the suites of TLS 1.2 that the default identities' keys can be used with.
///
/// Where the policy offers TLS 1.2 by a cipher string, a certificate that no suite is left for is an error:
/// its clients would find nothing in common.
pub(crate) fn fitting(
    policy: &ServerPolicy,
    backend: Backend,
    suites: &[&'static Suite],
) -> Result<Vec<&'static Suite>, ConfigError> {
    let by_default = std::iter::once(&policy.identity).chain(&policy.alternatives);
    let by_default: Vec<_> = by_default.map(|identity| authentication(identity)).collect();
    if policy.versions.0 == Version::Tls12
        && let Some(ciphers) = &policy.ciphers
    {
        let named = policy.named.iter().map(|(name, identities)| {
            (Some(name), identities.iter().map(|identity| authentication(identity)).collect())
        });
        for (name, kinds) in std::iter::once((None, by_default.clone())).chain(named) {
            let kinds: Vec<Option<Authentication>> = kinds;
            if !suites.iter().any(|suite| fits(suite, &kinds)) {
                let of = name.map_or_else(String::new, |name| format!(" of {name}"));
                let reason = if suites.is_empty() {
                    format!("{backend} has no suite of TLS 1.2 that it asks for")
                } else {
                    format!(
                        "{backend} has no suite of TLS 1.2 that it asks for and that fits the kind of \
                         key of the certificate{of}"
                    )
                };
                return Err(refused(ciphers, reason));
            }
        }
    }
    Ok(suites.iter().copied().filter(|suite| fits(suite, &by_default)).collect())
}

fn fits(suite: &Suite, kinds: &[Option<Authentication>]) -> bool {
    suite.authentication() == Authentication::Anonymous
        || kinds.iter().any(|kind| kind.is_none_or(|kind| kind == suite.authentication()))
}

/// What the leaf's key can prove under TLS 1.2. `None`: it is none of those that suites name.
fn authentication(identity: &Identity) -> Option<Authentication> {
    const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
    const RSA_PSS: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.10");
    const DSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10040.4.1");
    const EC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
    const ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");
    const ED448: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.113");
    let fields = Fields::read(identity.leaf().der()).ok()?;
    let (algorithm, _) = public_key_parts(fields.public_key_info).ok()?;
    let mut reader = x509_cert::der::SliceReader::new(algorithm).ok()?;
    match ObjectIdentifier::decode(&mut reader).ok()? {
        RSA | RSA_PSS => Some(Authentication::Rsa),
        DSA => Some(Authentication::Dss),
        EC | ED25519 | ED448 => Some(Authentication::Ecdsa),
        _ => None,
    }
}
