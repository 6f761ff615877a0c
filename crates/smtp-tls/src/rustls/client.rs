//! A client policy as a rustls configuration.

use std::sync::Arc;

use rustls::{
    ClientConfig, RootCertStore,
    client::{Resumption, WebPkiServerVerifier, danger::ServerCertVerifier},
    crypto::CryptoProvider,
    sign::SingleCertAndKey,
};
use rustls_pki_types::{CertificateDer, ServerName};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};

use super::{
    error::{self, Peer},
    identity::certified_key,
    info, library, provider, suite,
    unverified::AnyCertificate,
    versions,
};
use crate::{
    ClientOffer, ClientPolicy, ConfigError, HandshakeError, Roots, Stream, TlsInfo, Unhonoured,
    guard::Guard, host::PeerName, roots, stream::Session,
};

/// Hosts whose sessions are kept for resumption.
const HOSTS: usize = 256;

pub(crate) struct Connector {
    named: Arc<ClientConfig>,
    nameless: Arc<ClientConfig>,
    offer: ClientOffer,
    verified: bool,
}

impl Connector {
    pub(crate) fn new(
        policy: &ClientPolicy,
        unhonoured: &mut Vec<Unhonoured>,
    ) -> Result<Self, ConfigError> {
        let provider = Arc::new(provider());
        let verified = policy.level.verified();
        let verifier: Arc<dyn ServerCertVerifier> = if verified {
            webpki(policy, &provider, unhonoured)?
        } else {
            Arc::new(AnyCertificate::new(&provider))
        };
        let offer = suite::of_client(&provider, policy.versions);
        let versions: Vec<_> = versions(policy.versions).collect();
        let named = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&versions)
            .map_err(|e| library(&e))?
            .dangerous()
            .with_custom_certificate_verifier(verifier);
        let mut named = match &policy.identity {
            Some(identity) => {
                let shown = SingleCertAndKey::from(certified_key(identity)?);
                named.with_client_cert_resolver(Arc::new(shown))
            }
            None => named.with_no_client_auth(),
        };
        named.resumption = Resumption::in_memory_sessions(HOSTS);
        let mut nameless = named.clone();
        nameless.enable_sni = false;
        nameless.resumption = Resumption::disabled();
        Ok(Self { named: Arc::new(named), nameless: Arc::new(nameless), offer, verified })
    }

    pub(crate) const fn offer(&self) -> &ClientOffer {
        &self.offer
    }

    pub(crate) async fn connect<IO>(
        &self,
        host: &PeerName,
        io: IO,
    ) -> Result<(Stream<IO>, TlsInfo), HandshakeError>
    where
        IO: AsyncRead + AsyncWrite + Unpin + Send,
    {
        let invalid = |name: &str| HandshakeError::InvalidServerName { name: name.to_owned() };
        let (config, name) = match host {
            PeerName::Dns(name) => {
                let name = ServerName::try_from(name.clone()).map_err(|_| invalid(name))?;
                (&self.named, name)
            }
            PeerName::Ip(address) => (&self.named, ServerName::from(*address)),
            // Neither sent nor checked nor a key of the session cache: rustls wants some name.
            PeerName::Unusable(given) if self.verified => return Err(invalid(given)),
            PeerName::Unusable(_) => {
                let name = ServerName::try_from("invalid").map_err(|_| invalid("invalid"))?;
                (&self.nameless, name)
            }
        };
        let expected = name.to_str().into_owned();
        let connector = tokio_rustls::TlsConnector::from(Arc::clone(config));
        match connector.connect(name, Guard::client(io)).into_fallible().await {
            Ok(stream) => {
                let info = info(stream.get_ref().1, host.server_name().map(str::to_owned));
                Ok((Stream::new(Session::Rustls(Box::new(stream.into()))), info))
            }
            Err((failure, mut io)) => {
                // The alert is in the transport already; the peer learns that nothing follows.
                let _ = io.shutdown().await;
                if io.saw_no_tls().await {
                    return Err(HandshakeError::NotTls);
                }
                let peer = if self.verified { Peer::Verified(&expected) } else { Peer::Unverified };
                Err(error::handshake(failure, peer))
            }
        }
    }
}

fn webpki(
    policy: &ClientPolicy,
    provider: &Arc<CryptoProvider>,
    unhonoured: &mut Vec<Unhonoured>,
) -> Result<Arc<dyn ServerCertVerifier>, ConfigError> {
    let failed = |reason: String| ConfigError::Roots { origin: policy.origin, reason };
    let mut store = RootCertStore::empty();
    match &policy.roots {
        Roots::Pem(certificates) => {
            for certificate in certificates {
                store
                    .add(CertificateDer::from(certificate.der().to_vec()))
                    .map_err(|e| failed(error::line(&e)))?;
            }
        }
        Roots::System => {
            store.add_parsable_certificates(roots::system(policy.origin, unhonoured)?);
        }
    }
    let verifier =
        WebPkiServerVerifier::builder_with_provider(Arc::new(store), Arc::clone(provider))
            .build()
            .map_err(|e| failed(e.to_string()))?;
    Ok(verifier)
}
