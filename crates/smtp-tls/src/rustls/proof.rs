//! Whether whoever shows a certificate has its key, whatever the certificate is.
//!
//! It may be expired, self-signed, of X.509 version 1 or with extensions that webpki refuses; of it
//! only the public key is used. The handshake's signature is checked against that key.

use rustls::{
    CertificateError, DigitallySignedStruct, Error, PeerMisbehaved, SignatureScheme,
    client::danger::HandshakeSignatureValid,
    crypto::{CryptoProvider, WebPkiSupportedAlgorithms, verify_tls13_signature_with_raw_key},
};
use rustls_pki_types::{CertificateDer, SubjectPublicKeyInfoDer, alg_id};

use crate::{
    certificate::{Fields, public_key_parts},
    key::rsa_bits,
};

/// The bits of an RSA key that the provider checks signatures with.
const RSA: std::ops::RangeInclusive<usize> = 2048..=8192;

#[derive(Clone, Copy, Debug)]
pub(super) struct Proof(WebPkiSupportedAlgorithms);

impl Proof {
    pub(super) const fn by(provider: &CryptoProvider) -> Self {
        Self(provider.signature_verification_algorithms)
    }

    pub(super) fn schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_schemes()
    }

    /// Whether a signature by the certificate's key can be checked at all.
    pub(super) fn is_possible(&self, certificate: &CertificateDer<'_>) -> Result<bool, Error> {
        let (algorithm, key) = key_parts(certificate)?;
        if algorithm == alg_id::RSA_ENCRYPTION.as_ref() {
            return Ok(RSA.contains(&rsa_bits(key).ok_or(CertificateError::BadEncoding)?));
        }
        Ok(self.0.all.iter().any(|known| known.public_key_alg_id().as_ref() == algorithm))
    }

    pub(super) fn tls12(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let (algorithm, key) = key_parts(certificate)?;
        let (_, candidates) = self
            .0
            .mapping
            .iter()
            .find(|(scheme, _)| *scheme == signed.scheme)
            .ok_or(PeerMisbehaved::SignedHandshakeWithUnadvertisedSigScheme)?;
        let fitting = candidates
            .iter()
            .find(|candidate| candidate.public_key_alg_id().as_ref() == algorithm)
            .ok_or(PeerMisbehaved::SignedHandshakeWithUnadvertisedSigScheme)?;
        fitting
            .verify_signature(key, message, signed.signature())
            .map_err(|_| CertificateError::BadSignature)?;
        Ok(HandshakeSignatureValid::assertion())
    }

    pub(super) fn tls13(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let fields = Fields::read(certificate).map_err(|_| CertificateError::BadEncoding)?;
        let key = SubjectPublicKeyInfoDer::from(fields.public_key_info);
        verify_tls13_signature_with_raw_key(message, &key, signed, &self.0)
    }
}

/// The algorithm identifier, without its SEQUENCE, and the key.
fn key_parts<'a>(certificate: &'a CertificateDer<'_>) -> Result<(&'a [u8], &'a [u8]), Error> {
    let fields = Fields::read(certificate).map_err(|_| CertificateError::BadEncoding)?;
    Ok(public_key_parts(fields.public_key_info).map_err(|_| CertificateError::BadEncoding)?)
}
