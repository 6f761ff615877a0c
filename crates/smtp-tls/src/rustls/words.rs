//! What is wrong with a certificate, in plain words.
//!
//! Does: give a sentence for each of rustls's findings, and for those of webpki that rustls hands on as they
//! are. Does not: sort them by what the caller may do about them. Fails: never; a finding that a later release
//! of them adds is one that has no sentence yet, and is said so.

use rustls::{CertificateError, OtherError};
use webpki::Error;

/// A sentence about "it", the certificate. The libraries would print the names and octets of their own values.
pub(super) fn words(problem: &CertificateError) -> String {
    let words = match problem {
        CertificateError::BadEncoding => "it is malformed",
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => "it has expired",
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "it is not valid yet"
        }
        CertificateError::Revoked => "it has been revoked",
        CertificateError::UnhandledCriticalExtension => {
            "it has a critical extension that is not supported"
        }
        CertificateError::UnknownIssuer => "it is not issued by a trusted authority",
        CertificateError::UnknownRevocationStatus => "nobody says whether it has been revoked",
        CertificateError::ExpiredRevocationList
        | CertificateError::ExpiredRevocationListContext { .. } => {
            "the revocation list of its issuer is past its time"
        }
        // An authority may share its name with another one that is trusted; only the key tells.
        CertificateError::BadSignature
        | CertificateError::UnsupportedSignatureAlgorithmForPublicKeyContext { .. } => {
            "its signature was not made with the key of the authority that it names"
        }
        CertificateError::UnsupportedSignatureAlgorithmContext { .. } => {
            "it is signed by an algorithm that is not supported"
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "it is for another name"
        }
        CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
            "it is not meant for this purpose"
        }
        CertificateError::InvalidOcspResponse => "what it brings about its revocation is malformed",
        CertificateError::ApplicationVerificationFailure => "it was refused",
        CertificateError::Other(OtherError(other)) => match other.downcast_ref::<Error>() {
            Some(error) => of_webpki(error),
            None => return one_line(&other.to_string()),
        },
        other => return without_sentence(other),
    };
    words.to_owned()
}

/// What rustls hands on as it is; the rest it has findings of its own for.
fn of_webpki(error: &Error) -> &'static str {
    match error {
        Error::CaUsedAsEndEntity => "it is an authority's own certificate, not a server's",
        Error::EndEntityUsedAsCa => "a certificate of its chain is no authority's",
        Error::CertDistrusted => "its key is distrusted",
        Error::EmptyEkuExtension => "it is not meant for any purpose",
        Error::ExtensionValueInvalid | Error::MalformedExtensions => {
            "an extension of it is malformed"
        }
        Error::InvalidSerialNumber => "its serial number is malformed",
        Error::InvalidNetworkMaskConstraint | Error::MalformedNameConstraint => {
            "the names that an authority of its chain is limited to are malformed"
        }
        Error::MalformedDnsIdentifier => "a name of it is malformed",
        Error::NameConstraintViolation => {
            "it has a name that an authority of its chain may not vouch for"
        }
        Error::PathLenConstraintViolated => "its chain is longer than an authority of it allows",
        Error::MaximumNameConstraintComparisonsExceeded
        | Error::MaximumPathBuildCallsExceeded
        | Error::MaximumPathDepthExceeded
        | Error::MaximumSignatureChecksExceeded => "its chain takes too much work to check",
        Error::SignatureAlgorithmMismatch => "it names two algorithms for its one signature",
        Error::UnsupportedCertVersion => "it is not of version 3 of X.509",
        Error::UnsupportedCriticalExtension => "it has a critical extension that is not supported",
        Error::UnsupportedNameType => "a name of it is of a kind that is not supported",
        // Nobody gives rustls a revocation list here.
        _ => "it did not pass the check",
    }
}

/// The first word of what the library would print of its value: what somebody can look up.
fn without_sentence(problem: &CertificateError) -> String {
    let printed = one_line(&problem.to_string());
    let name = printed.split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default();
    format!("it did not pass the check ({name})")
}

pub(super) fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, time::Duration};

    use rustls_pki_types::{ServerName, UnixTime};

    use super::*;

    /// As a person reads it: no name of a value in the library, and nothing of its structure.
    fn is_plain(text: &str, printed: &str) {
        assert!(!text.contains(['{', '(', '[', '_', '"', '\n']), "{text}");
        let name = printed.split(|c: char| !c.is_alphanumeric()).next().unwrap();
        assert!(!text.contains(name), "{text}");
        let camel = |word: &str| word.chars().skip(1).any(char::is_uppercase);
        assert!(!text.split(' ').any(camel), "{text}");
        assert!(text.contains(' '), "{text}");
    }

    #[test]
    fn each_finding_is_a_sentence() {
        use CertificateError::*;
        let (time, octets) = (UnixTime::since_unix_epoch(Duration::from_secs(7)), || vec![6, 8]);
        let expected = ServerName::try_from("mx.example.org").unwrap();
        let problems = [
            BadEncoding,
            Expired,
            ExpiredContext { time, not_after: time },
            NotValidYet,
            NotValidYetContext { time, not_before: time },
            Revoked,
            UnhandledCriticalExtension,
            UnknownIssuer,
            UnknownRevocationStatus,
            ExpiredRevocationList,
            ExpiredRevocationListContext { time, next_update: time },
            BadSignature,
            UnsupportedSignatureAlgorithmContext {
                signature_algorithm_id: octets(),
                supported_algorithms: Vec::new(),
            },
            UnsupportedSignatureAlgorithmForPublicKeyContext {
                signature_algorithm_id: octets(),
                public_key_algorithm_id: octets(),
            },
            NotValidForName,
            NotValidForNameContext { expected, presented: vec!["DnsName(x)".to_owned()] },
            InvalidPurpose,
            InvalidOcspResponse,
            ApplicationVerificationFailure,
        ];
        for problem in problems {
            is_plain(&words(&problem), &format!("{problem:?}"));
        }
    }

    #[test]
    fn an_authority_s_own_certificate_is_said_to_be_one() {
        use rustls::{
            Error, RootCertStore,
            client::{WebPkiServerVerifier, danger::ServerCertVerifier},
        };
        use rustls_pki_types::{CertificateDer, pem::PemObject};
        let root = smtp_testkit::pki::Authority::root("Root").certificate();
        let root = CertificateDer::from_pem_slice(root.as_bytes()).unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(root.clone()).unwrap();
        let provider = Arc::new(super::super::provider());
        let verifier = WebPkiServerVerifier::builder_with_provider(roots.into(), provider);
        let verifier = verifier.build().unwrap();
        let name = ServerName::try_from("mx.example.org").unwrap();
        let said = verifier.verify_server_cert(&root, &[], &name, &[], UnixTime::now());
        let said = said.unwrap_err();
        let Error::InvalidCertificate(problem) = said else { panic!("{said:?}") };
        assert_eq!(words(&problem), "it is an authority's own certificate, not a server's");
    }

    #[test]
    fn what_is_handed_on_from_webpki_is_a_sentence_too() {
        use Error::*;
        let errors = [
            CaUsedAsEndEntity,
            EndEntityUsedAsCa,
            CertDistrusted,
            EmptyEkuExtension,
            ExtensionValueInvalid,
            MalformedExtensions,
            InvalidSerialNumber,
            InvalidNetworkMaskConstraint,
            MalformedNameConstraint,
            MalformedDnsIdentifier,
            NameConstraintViolation,
            PathLenConstraintViolated,
            MaximumNameConstraintComparisonsExceeded,
            MaximumPathBuildCallsExceeded,
            MaximumPathDepthExceeded,
            MaximumSignatureChecksExceeded,
            SignatureAlgorithmMismatch,
            UnsupportedCertVersion,
            UnsupportedCriticalExtension,
            UnsupportedNameType,
            UnsupportedDeltaCrl,
        ];
        for error in errors {
            let printed = format!("{error:?}");
            is_plain(&words(&CertificateError::Other(OtherError(Arc::new(error)))), &printed);
        }
    }
}
