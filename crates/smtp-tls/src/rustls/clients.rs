//! Clients are asked for a certificate, and may show any or none: trust is judged later.
//!
//! What ends the handshake is a chain too large to be held, octets that are no certificate, and
//! a key whose possession is not proven or cannot be.

use std::sync::Arc;

use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, OtherError, SignatureScheme,
    client::danger::HandshakeSignatureValid,
    server::danger::{ClientCertVerified, ClientCertVerifier},
};
use rustls_pki_types::{CertificateDer, UnixTime};

use super::proof::Proof;
use crate::clients;

#[derive(Debug)]
pub(super) struct AnyClient {
    proof: Proof,
    authorities: Vec<DistinguishedName>,
}

impl AnyClient {
    pub(super) fn new(proof: Proof, names: &[&[u8]]) -> Self {
        Self { proof, authorities: names.iter().map(|name| name.to_vec().into()).collect() }
    }
}

impl ClientCertVerifier for AnyClient {
    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &self.authorities
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let chain = std::iter::once(end_entity).chain(intermediates);
        clients::check_size(chain.map(|certificate| certificate.len()))
            .map_err(|problem| CertificateError::Other(OtherError(Arc::new(problem))))?;
        if self.proof.is_possible(end_entity)? {
            Ok(ClientCertVerified::assertion())
        } else {
            // Of the errors that rustls sends an alert for, the one with `unsupported_certificate`.
            Err(CertificateError::InvalidPurpose.into())
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.proof.tls12(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.proof.tls13(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.proof.schemes()
    }
}
