//! Encrypted, not verified: takes any certificate, but not any peer.
//!
//! The certificate may be expired, self-signed, for another name, of X.509 version 1 or with
//! extensions that webpki refuses; of it only the public key is used. The handshake's signature is
//! checked against that key, so that whoever answers holds the key of the certificate shown.

use rustls::{
    CertificateError, DigitallySignedStruct, Error, PeerMisbehaved, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{CryptoProvider, WebPkiSupportedAlgorithms, verify_tls13_signature_with_raw_key},
};
use rustls_pki_types::{CertificateDer, ServerName, SubjectPublicKeyInfoDer, UnixTime};

use crate::certificate::{Fields, public_key_parts};

#[derive(Debug)]
pub(super) struct AnyCertificate(WebPkiSupportedAlgorithms);

impl AnyCertificate {
    pub(super) fn new(provider: &CryptoProvider) -> Self {
        Self(provider.signature_verification_algorithms)
    }
}

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let fields = Fields::read(certificate).map_err(|_| CertificateError::BadEncoding)?;
        let (algorithm, key) =
            public_key_parts(fields.public_key_info).map_err(|_| CertificateError::BadEncoding)?;
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

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let fields = Fields::read(certificate).map_err(|_| CertificateError::BadEncoding)?;
        let key = SubjectPublicKeyInfoDer::from(fields.public_key_info);
        verify_tls13_signature_with_raw_key(message, &key, signed, &self.0)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use rustls::{
        ServerConfig,
        sign::{CertifiedKey, SingleCertAndKey},
        version::{TLS12, TLS13},
    };
    use rustls_pki_types::PrivateKeyDer;
    use smtp_testkit::pki::{Authority, Key, Validity};

    use crate::{Backend, ClientPolicy, Connector, HandshakeError, pem_sections, rustls::provider};

    /// A server that shows one certificate and signs with the key of another.
    fn impostor(
        certificate: &str,
        key: &str,
        version: &'static rustls::SupportedProtocolVersion,
    ) -> tokio_rustls::TlsAcceptor {
        let der = |pem: &str| pem_sections(pem.as_bytes()).unwrap()[0].der.clone();
        let key = PrivateKeyDer::Pkcs8(der(key).into());
        let key = provider().key_provider.load_private_key(key).unwrap();
        let shown = CertifiedKey::new(vec![der(certificate).into()], key);
        let config = ServerConfig::builder_with_provider(provider())
            .with_protocol_versions(&[version])
            .unwrap()
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(SingleCertAndKey::from(shown)));
        Arc::new(config).into()
    }

    #[tokio::test]
    async fn whoever_does_not_hold_the_certificates_key_is_refused() {
        let root = Authority::root("Root");
        let shown = |kind| root.issue_as(&["mx.example"], kind, Validity::Now);
        for version in [&TLS12, &TLS13] {
            for (certificate, key, honest) in [
                (shown(Key::Ecdsa), shown(Key::Ecdsa), false),
                (shown(Key::Rsa), shown(Key::Rsa), false),
                (shown(Key::Ecdsa), shown(Key::Rsa), false),
                (shown(Key::Rsa), shown(Key::Ecdsa), false),
                (shown(Key::Rsa), shown(Key::Rsa), true),
            ] {
                let key = if honest { &certificate.key } else { &key.key };
                let acceptor = impostor(&certificate.certificate, key, version);
                for backend in Backend::available() {
                    let connector = Connector::new(*backend, &ClientPolicy::required()).unwrap();
                    let (near, far) = tokio::io::duplex(64 * 1024);
                    let (_, far) =
                        tokio::join!(acceptor.accept(near), connector.connect("mx.example", far));
                    match far {
                        Ok(_) => assert!(honest, "{backend} {version:?}"),
                        // No certificate is checked, so none is distrusted.
                        Err(HandshakeError::Protocol(_)) => {
                            assert!(!honest, "{backend} {version:?}");
                        }
                        Err(other) => panic!("{backend} {version:?}: {other:?}"),
                    }
                }
            }
        }
    }
}
