//! Makes self-signed certificates: for demonstrations, and for servers that nobody gave one.
//!
//! Fails only on names that no certificate can hold, or if the system has no randomness.

use std::{
    fmt,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use rcgen::{CertificateParams, DnType, ExtendedKeyUsagePurpose, KeyPair, date_time_ymd};
use thiserror::Error;

/// How long a certificate made here is valid: 397 days, as long as browsers' rules long allowed at
/// most, so that no verifier finds it odd.
const VALIDITY: Duration = Duration::from_secs(397 * 24 * 60 * 60);

/// How long before now its validity begins, for peers whose clocks are behind.
const LEEWAY: Duration = Duration::from_secs(60 * 60);

/// A certificate and its key, each as PEM.
#[derive(Clone, PartialEq, Eq)]
pub struct SelfSigned {
    /// The certificate.
    pub certificate_pem: String,
    /// Its private key, in PKCS#8.
    pub key_pem: String,
}

impl fmt::Debug for SelfSigned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SelfSigned")
            .field("certificate_pem", &self.certificate_pem)
            .field("key_pem", &"redacted")
            .finish()
    }
}

/// Why no certificate was made.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("no certificate made: {0}")]
pub struct SelfSignedError(String);

/// Makes an ECDSA P-256 key and a certificate for the given DNS names and IP addresses, signed by
/// the key itself. It is valid from an hour ago for 397 days.
///
/// # Errors
///
/// [`SelfSignedError`] if there is no name, a name is not ASCII, or no key could be made.
///
/// ```
/// let made = smtp_tls::self_signed(&["mx.example".to_owned()]).unwrap();
/// let pem = made.certificate_pem + &made.key_pem;
/// let sections = smtp_tls::pem_sections(pem.as_bytes()).unwrap();
/// let identity = smtp_tls::Identity::from_pem_sections(&sections).unwrap();
/// assert_eq!(identity.leaf().describe().unwrap().names, ["mx.example"]);
/// ```
pub fn self_signed(names: &[String]) -> Result<SelfSigned, SelfSignedError> {
    let failed = |e: rcgen::Error| SelfSignedError(e.to_string());
    let first = names.first().ok_or_else(|| SelfSignedError("no name given".to_owned()))?;
    let mut parameters = CertificateParams::new(names).map_err(failed)?;
    parameters.distinguished_name.remove(DnType::CommonName);
    parameters.distinguished_name.push(DnType::CommonName, first.as_str());
    parameters.extended_key_usages.push(ExtendedKeyUsagePurpose::ServerAuth);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    parameters.not_before = date_time_ymd(1970, 1, 1) + now.saturating_sub(LEEWAY);
    parameters.not_after = parameters.not_before + VALIDITY;
    let key = KeyPair::generate().map_err(failed)?;
    let certificate = parameters.self_signed(&key).map_err(failed)?;
    Ok(SelfSigned { certificate_pem: certificate.pem(), key_pem: key.serialize_pem() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Identity, KeyAlgorithm, pem_sections};

    #[test]
    fn it_names_what_was_asked_for_and_is_valid_now() {
        let names = ["mx.example".to_owned(), "127.0.0.1".to_owned(), "::1".to_owned()];
        let made = self_signed(&names).unwrap();
        assert!(!format!("{made:?}").contains("PRIVATE KEY"));
        let text = made.key_pem + &made.certificate_pem;
        let identity =
            Identity::from_pem_sections(&pem_sections(text.as_bytes()).unwrap()).unwrap();
        let what = identity.leaf().describe().unwrap();
        assert_eq!(what.names, names);
        assert_eq!(what.subject, "CN=mx.example");
        assert_eq!(what.key, KeyAlgorithm::Ec { bits: Some(256) });
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        assert!(what.is_valid_at(now) && what.is_valid_at(now + 396 * 86_400 - 3600));
        assert!(!what.is_valid_at(now + 398 * 86_400) && !what.is_valid_at(now - 7200));
    }

    #[test]
    fn a_certificate_without_a_usable_name_is_not_made() {
        assert!(self_signed(&[]).is_err());
        assert!(self_signed(&["b\u{fc}cher.example".to_owned()]).is_err());
    }
}
