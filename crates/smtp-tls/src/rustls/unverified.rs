//! Encrypted, not verified: takes any certificate, but not any peer, which must have the key of the
//! certificate shown.

use rustls::{
    DigitallySignedStruct, Error, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::CryptoProvider,
};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};

use super::proof::Proof;

#[derive(Debug)]
pub(super) struct AnyCertificate(Proof);

impl AnyCertificate {
    pub(super) const fn new(provider: &CryptoProvider) -> Self {
        Self(Proof::by(provider))
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
        self.0.tls12(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.0.tls13(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.schemes()
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
        let config = ServerConfig::builder_with_provider(Arc::new(provider()))
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
