//! A client policy as an OpenSSL context.

use openssl::{
    error::ErrorStack,
    ssl::{Ssl, SslContext, SslMethod, SslSessionCacheMode, SslVerifyMode},
    x509::{
        X509,
        store::{X509Store, X509StoreBuilder},
        verify::{X509CheckFlags, X509VerifyFlags},
    },
};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio_openssl::SslStream;

use super::{
    ciphers, context, error, identity::Certified, info, library, stream, transport::Transport,
};
use crate::{
    ClientOffer, ClientPolicy, ConfigError, HandshakeError, Roots, Stream, TlsInfo, Unhonoured,
    guard::Guard, host::PeerName, roots, stream::Session,
};

pub(crate) struct Connector {
    context: SslContext,
    offer: ClientOffer,
    verified: bool,
}

impl Connector {
    pub(crate) fn new(
        policy: &ClientPolicy,
        unhonoured: &mut Vec<Unhonoured>,
    ) -> Result<Self, ConfigError> {
        let mut context =
            context(SslMethod::tls_client(), policy.versions).map_err(|e| library(&e))?;
        context.set_session_cache_mode(SslSessionCacheMode::OFF);
        if let Some(identity) = &policy.identity {
            let origin = identity.origin();
            Certified::of(identity)?
                .apply_whole(&mut context)
                .map_err(|e| ConfigError::Identity { origin, reason: error::line(&e) })?;
        }
        let verified = policy.level.verified();
        if verified {
            let store = store(policy, unhonoured)?;
            context.set_verify_cert_store(store).map_err(|e| library(&e))?;
            context.set_verify(SslVerifyMode::PEER);
        } else {
            context.set_verify(SslVerifyMode::NONE);
        }
        let context = context.build();
        let offer = ciphers::of_client(&context, policy.versions)?;
        Ok(Self { context, offer, verified })
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
        let failed = |e: ErrorStack| HandshakeError::Library(error::line(&e));
        let ssl = self.session(host)?;
        let mut stream = SslStream::new(ssl, Transport::new(Guard::client(io))).map_err(failed)?;
        if let Err(failure) = stream::connect(&mut stream).await {
            let expected = match host {
                PeerName::Dns(name) => name.clone(),
                PeerName::Ip(address) => address.to_string(),
                PeerName::Unusable(given) => given.clone(),
            };
            let failure = error::handshake(failure, stream.ssl(), error::Peer::Server(&expected));
            let _ = stream.get_mut().io.shutdown().await;
            if stream.get_mut().io.saw_no_tls().await {
                return Err(HandshakeError::NotTls);
            }
            return Err(failure);
        }
        let info = info(stream.ssl(), host.server_name().map(str::to_owned));
        Ok((Stream::new(Session::OpenSsl(super::Stream::new(stream))), info))
    }

    fn session(&self, host: &PeerName) -> Result<Ssl, HandshakeError> {
        let failed = |e: ErrorStack| HandshakeError::Library(error::line(&e));
        let mut ssl = Ssl::new(&self.context).map_err(failed)?;
        if let Some(name) = host.server_name() {
            ssl.set_hostname(name).map_err(failed)?;
        }
        if self.verified {
            let parameters = ssl.param_mut();
            // As webpki does: the subject alternative name alone counts (RFC 9525 section 2).
            parameters.set_hostflags(
                X509CheckFlags::NO_PARTIAL_WILDCARDS | X509CheckFlags::NEVER_CHECK_SUBJECT,
            );
            match host {
                PeerName::Dns(name) => parameters.set_host(name).map_err(failed)?,
                PeerName::Ip(address) => parameters.set_ip(*address).map_err(failed)?,
                PeerName::Unusable(given) => {
                    return Err(HandshakeError::InvalidServerName { name: given.clone() });
                }
            }
        }
        Ok(ssl)
    }
}

fn store(
    policy: &ClientPolicy,
    unhonoured: &mut Vec<Unhonoured>,
) -> Result<X509Store, ConfigError> {
    let mut store = X509StoreBuilder::new().map_err(|e| library(&e))?;
    // As webpki does: whatever is trusted ends the chain, self-signed or not.
    store.set_flags(X509VerifyFlags::PARTIAL_CHAIN).map_err(|e| library(&e))?;
    let failed =
        |e: &ErrorStack| ConfigError::Roots { origin: policy.origin, reason: error::line(e) };
    match &policy.roots {
        Roots::Pem(certificates) => {
            if certificates.is_empty() {
                return Err(ConfigError::Roots {
                    origin: policy.origin,
                    reason: "none was given".to_owned(),
                });
            }
            for certificate in certificates {
                let root = X509::from_der(certificate.der()).map_err(|e| failed(&e))?;
                store.add_cert(root).map_err(|e| failed(&e))?;
            }
        }
        Roots::System => {
            for root in roots::system(policy.origin, unhonoured)? {
                // Each alone is dispensable; the system's own store skips what it cannot read too.
                if let Ok(root) = X509::from_der(&root) {
                    store.add_cert(root).map_err(|e| failed(&e))?;
                }
            }
        }
    }
    Ok(store.build())
}
