//! What somebody signed, and whether it was this key.

use rustls_pki_types::SubjectPublicKeyInfoDer;
use webpki::{ALL_VERIFICATION_ALGS, RawPublicKeyEntity};
use x509_cert::der::{Reader, SliceReader, asn1::BitStringRef};

use crate::{MalformedCertificate, certificate::enter};

/// The outer parts of a certificate or a revocation list (RFC 5280 sections 4.1 and 5.1).
pub(super) struct Signed<'a> {
    /// What is signed, with its tag.
    pub(super) signed: &'a [u8],
    /// The algorithm, without its tag.
    pub(super) algorithm: &'a [u8],
    signature: &'a [u8],
}

impl<'a> Signed<'a> {
    pub(super) fn read(der: &'a [u8]) -> Result<Self, MalformedCertificate> {
        let mut whole = SliceReader::new(der)?;
        let mut parts = enter(&mut whole)?;
        whole.finish()?;
        let signed = parts.tlv_bytes()?;
        let mut algorithm = enter(&mut parts)?;
        let algorithm = algorithm.read_slice(algorithm.remaining_len())?;
        let signature = parts.decode::<BitStringRef<'_>>()?.raw_bytes();
        parts.finish()?;
        Ok(Self { signed, algorithm, signature })
    }

    /// Whether the signature is of an algorithm that is taken.
    pub(super) fn is_supported(&self) -> bool {
        let mut known = ALL_VERIFICATION_ALGS.iter();
        known.any(|algorithm| *algorithm.signature_alg_id() == *self.algorithm)
    }

    pub(super) fn is_by(&self, key: &SubjectPublicKeyInfoDer<'_>) -> bool {
        let Ok(key) = RawPublicKeyEntity::try_from(key) else { return false };
        ALL_VERIFICATION_ALGS
            .iter()
            .filter(|algorithm| *algorithm.signature_alg_id() == *self.algorithm)
            .any(|algorithm| key.verify_signature(*algorithm, self.signed, self.signature).is_ok())
    }
}
