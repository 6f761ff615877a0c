//! A server policy as a rustls configuration.

use std::sync::Arc;

use rustls::{
    ServerConfig,
    crypto::aws_lc_rs::Ticketer,
    server::{NoServerSessionStorage, WebPkiClientVerifier, danger::ClientCertVerifier},
};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};

use super::{
    client_chain,
    clients::AnyClient,
    error::{self, Peer},
    identity::Identities,
    info, library,
    proof::Proof,
    provider,
    session::Sessions,
    suite,
    ticket::SharedTickets,
    versions,
};
use crate::{
    Cause, ConfigError, HandshakeError, Loss, Resumption, ServerOffer, ServerPolicy, Stream,
    TlsInfo, Unhonoured, clients, guard::Guard, host::received_name, stream::Session,
};

pub(crate) struct Acceptor {
    tls: tokio_rustls::TlsAcceptor,
    offer: ServerOffer,
    asks_clients: bool,
}

impl Acceptor {
    pub(crate) fn new(
        policy: &ServerPolicy,
        unhonoured: &mut Vec<Unhonoured>,
    ) -> Result<Self, ConfigError> {
        let identities = Identities::of(policy)?;
        let mut provider = provider();
        let offer = suite::choose(&mut provider, policy, unhonoured)?;
        for group in &policy.dh {
            unhonoured.push(Unhonoured {
                origin: group.origin(),
                setting: "dh",
                loss: Loss::NotNeeded,
                cause: Cause::Library,
                reason: "rustls agrees on keys over elliptic curves alone (ECDHE)".to_owned(),
            });
        }
        let asked_for =
            policy.clients.as_ref().and_then(|trust| clients::asked_for(trust, unhonoured));
        let verifier: Arc<dyn ClientCertVerifier> = match &asked_for {
            Some(names) => Arc::new(AnyClient::new(Proof::by(&provider), names)),
            None => WebPkiClientVerifier::no_client_auth(),
        };
        let versions: Vec<_> = versions(policy.versions).collect();
        let mut config = ServerConfig::builder_with_provider(Arc::new(provider))
            .with_protocol_versions(&versions)
            .map_err(|e| library(&e))?
            .with_client_cert_verifier(verifier)
            .with_cert_resolver(Arc::new(identities));
        config.ignore_client_order = true;
        config.session_storage = Sessions::new();
        match &policy.resumption {
            Resumption::Off => {
                config.session_storage = Arc::new(NoServerSessionStorage {});
                config.send_tls13_tickets = 0;
            }
            Resumption::Local => config.ticketer = Ticketer::new().map_err(|e| library(&e))?,
            Resumption::Shared(keys) => {
                config.ticketer = Arc::new(SharedTickets::new(keys, policy.clients.as_deref()));
            }
        }
        Ok(Self { tls: Arc::new(config).into(), offer, asks_clients: asked_for.is_some() })
    }

    pub(crate) const fn offer(&self) -> &ServerOffer {
        &self.offer
    }

    pub(crate) async fn accept<IO>(&self, io: IO) -> Result<(Stream<IO>, TlsInfo), HandshakeError>
    where
        IO: AsyncRead + AsyncWrite + Unpin + Send,
    {
        match self.tls.accept(Guard::server(io)).into_fallible().await {
            Ok(stream) => {
                let session = stream.get_ref().1;
                let mut info = info(session, session.server_name().and_then(received_name));
                if self.asks_clients {
                    info.client_chain = client_chain(session);
                }
                Ok((Stream::new(Session::Rustls(Box::new(stream.into()))), info))
            }
            Err((failure, mut io)) => {
                // The alert is in the transport already; the peer learns that nothing follows.
                let _ = io.shutdown().await;
                Err(error::handshake(failure, Peer::Client))
            }
        }
    }
}
