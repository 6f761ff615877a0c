//! A server policy as a rustls configuration.

use std::sync::Arc;

use rustls::{
    Error, ServerConfig,
    crypto::aws_lc_rs::{Ticketer, sign::any_supported_type},
    server::{NoServerSessionStorage, ServerSessionMemoryCache},
    sign::{CertifiedKey, SingleCertAndKey},
};
use rustls_pki_types::{
    CertificateDer, PrivateKeyDer, PrivatePkcs1KeyDer, PrivatePkcs8KeyDer, PrivateSec1KeyDer,
};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};

use super::{error, info, provider, versions};
use crate::{
    Backend, ConfigError, HandshakeError, Identity, KeyKind, Loss, Resumption, ServerPolicy,
    Stream, TlsInfo, Unhonoured, certificate::Fields, guard::Guard, host::received_name,
    stream::Session,
};

/// Sessions kept for TLS 1.2 clients that know no tickets; all others keep theirs themselves.
const SESSIONS: usize = 1024;

pub(crate) struct Acceptor(tokio_rustls::TlsAcceptor);

impl Acceptor {
    pub(crate) fn new(
        policy: &ServerPolicy,
        unhonoured: &mut Vec<Unhonoured>,
    ) -> Result<Self, ConfigError> {
        if let Some(ciphers) = &policy.ciphers {
            unhonoured.push(Unhonoured {
                origin: ciphers.origin,
                setting: "ciphers",
                loss: Loss::Whole,
                reason: "rustls has suites of its own and is not given the cipher string; \
                         OpenSSL applies it"
                    .to_owned(),
            });
        }
        let versions: Vec<_> = versions(policy.versions).collect();
        let identity = certified_key(&policy.identity)?;
        let mut config = ServerConfig::builder_with_provider(provider())
            .with_protocol_versions(&versions)
            .map_err(|e| library(&e))?
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(SingleCertAndKey::from(identity)));
        config.ignore_client_order = true;
        if policy.resumption != Resumption::Off {
            config.ticketer = Ticketer::new().map_err(|e| library(&e))?;
            config.session_storage = ServerSessionMemoryCache::new(SESSIONS);
        } else {
            config.session_storage = Arc::new(NoServerSessionStorage {});
            config.send_tls13_tickets = 0;
        }
        Ok(Self(Arc::new(config).into()))
    }

    pub(crate) async fn accept<IO>(&self, io: IO) -> Result<(Stream<IO>, TlsInfo), HandshakeError>
    where
        IO: AsyncRead + AsyncWrite + Unpin + Send,
    {
        match self.0.accept(Guard::server(io)).into_fallible().await {
            Ok(stream) => {
                let session = stream.get_ref().1;
                let info = info(session, session.server_name().and_then(received_name));
                Ok((Stream::new(Session::Rustls(Box::new(stream.into()))), info))
            }
            Err((failure, mut io)) => {
                // The alert is in the transport already; the peer learns that nothing follows.
                let _ = io.shutdown().await;
                Err(error::handshake(failure, None))
            }
        }
    }
}

/// The chain with its key, checked to belong together. rustls's own check takes only certificates
/// that webpki would verify; what a server shows is for its clients to judge.
fn certified_key(identity: &Identity) -> Result<CertifiedKey, ConfigError> {
    let origin = identity.origin();
    let refused = |reason| ConfigError::Identity { origin, reason };
    // Lent, not copied: a copy of the key would not be overwritten.
    let secret = identity.key().secret_der();
    let key = match identity.key().kind() {
        KeyKind::Pkcs8 => PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(secret)),
        KeyKind::Pkcs1 => PrivateKeyDer::Pkcs1(PrivatePkcs1KeyDer::from(secret)),
        KeyKind::Sec1 => PrivateKeyDer::Sec1(PrivateSec1KeyDer::from(secret)),
    };
    let key = any_supported_type(&key).map_err(|e| refused(error::line(&e)))?;
    let leaf = Fields::read(identity.leaf().der()).map_err(|e| refused(e.to_string()))?;
    if key.public_key().is_some_and(|public| public.as_ref() != leaf.public_key_info) {
        return Err(ConfigError::KeyMismatch { origin });
    }
    let chain = identity.chain().iter().map(|c| CertificateDer::from(c.der().to_vec())).collect();
    Ok(CertifiedKey::new(chain, key))
}

pub(super) fn library(failure: &Error) -> ConfigError {
    ConfigError::Library { backend: Backend::Rustls, reason: error::line(failure) }
}
