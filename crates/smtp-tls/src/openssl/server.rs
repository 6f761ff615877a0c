//! A server policy as OpenSSL contexts: one, and one more for each name with identities of its own.

use std::sync::{Arc, LazyLock};

use openssl::{
    dh::Dh,
    error::ErrorStack,
    ex_data::Index,
    pkey::Params,
    ssl::{
        NameType, SniError, Ssl, SslContext, SslContextBuilder, SslMethod, SslMode, SslOptions,
        SslRef, SslSessionCacheMode,
    },
    x509::X509,
};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio_openssl::SslStream;

use super::{
    ciphers::Ciphers, clients, context, dh, error, identity, info, library, stream,
    transport::Transport,
};
use crate::{
    Cause, ConfigError, DheGroup, HandshakeError, Identity, Loss, Resumption, ServerOffer,
    ServerPolicy, Stream, TlsInfo, Unhonoured, clients::asked_for, guard::Guard,
    host::received_name, named::Named, stream::Session, suites::by_default,
};

/// Sessions kept for TLS 1.2 clients that know no tickets; all others keep theirs themselves.
const SESSIONS: i32 = 1024;

pub(crate) struct Acceptor {
    context: SslContext,
    offer: ServerOffer,
    asks_clients: bool,
}

/// What clients that ask for one name, or for none, are shown.
struct Shown {
    context: SslContext,
    /// The issuers of the identity that was put into the context last: a context has room for those of
    /// one alone.
    issuers: Vec<X509>,
}

impl Acceptor {
    pub(crate) fn new(
        policy: &ServerPolicy,
        unhonoured: &mut Vec<Unhonoured>,
    ) -> Result<Self, ConfigError> {
        let ciphers = Ciphers::of(policy, unhonoured)?;
        let asked_for = policy.clients.as_ref().and_then(|trust| asked_for(trust, unhonoured));
        let settings = Settings {
            dh: dh::choose(policy, &ciphers, unhonoured)?,
            resumed: resumed(policy, asked_for.is_some(), unhonoured),
            asked_for,
            ciphers,
            policy,
        };
        let named = Named::of(&policy.named, |identities| {
            let identities: Vec<_> = identities.iter().collect();
            let (context, issuers) = settings.context(&identities, unhonoured)?;
            Ok::<_, ConfigError>(Shown { context: context.build(), issuers })
        })?;
        let (mut context, issuers) = settings.context(&by_default(policy), unhonoured)?;
        // Without a callback OpenSSL forgets the name that the client asked for.
        context.set_servername_callback(move |ssl, _| {
            let shown = match ssl.servername(NameType::HOST_NAME) {
                Some(name) if !named.is_empty() => {
                    received_name(name).and_then(|name| named.find(&name))
                }
                _ => None,
            };
            let issuers = match shown {
                Some(shown) => {
                    ssl.set_ssl_context(&shown.context).map_err(|_| SniError::ALERT_FATAL)?;
                    &shown.issuers
                }
                None => &issuers,
            };
            add_issuers(ssl, issuers).map_err(|_| SniError::ALERT_FATAL)
        });
        let offer =
            settings.ciphers.offer(policy, settings.dh.as_ref().map(|(_, group)| *group))?;
        Ok(Self { context: context.build(), offer, asks_clients: settings.asked_for.is_some() })
    }

    pub(crate) const fn offer(&self) -> &ServerOffer {
        &self.offer
    }

    pub(crate) async fn accept<IO>(&self, io: IO) -> Result<(Stream<IO>, TlsInfo), HandshakeError>
    where
        IO: AsyncRead + AsyncWrite + Unpin + Send,
    {
        let failed = |e: ErrorStack| HandshakeError::Library(error::line(&e));
        let ssl = Ssl::new(&self.context).map_err(failed)?;
        let mut stream = SslStream::new(ssl, Transport::new(Guard::server(io))).map_err(failed)?;
        if let Err(failure) = stream::accept(&mut stream).await {
            let failure = error::handshake(failure, stream.ssl(), error::Peer::Client);
            let _ = stream.get_mut().io.shutdown().await;
            return Err(failure);
        }
        let name = stream.ssl().servername(NameType::HOST_NAME).and_then(received_name);
        let mut info = info(stream.ssl(), name);
        if self.asks_clients {
            match clients::chain(stream.ssl()) {
                Ok(chain) => info.client_chain = chain,
                Err(failure) => {
                    let _ = stream.get_mut().io.shutdown().await;
                    return Err(failure);
                }
            }
        }
        Ok((Stream::new(Session::OpenSsl(super::Stream::new(stream))), info))
    }
}

/// Where the issuers stand that a connection has been given.
static GIVEN: LazyLock<Result<Index<Ssl, usize>, ErrorStack>> = LazyLock::new(Ssl::new_ex_index);

/// Adds them once: a client that is asked for another key share says its name twice.
fn add_issuers(ssl: &mut SslRef, issuers: &[X509]) -> Result<(), ErrorStack> {
    if issuers.is_empty() {
        return Ok(());
    }
    let given = GIVEN.as_ref().copied().map_err(Clone::clone)?;
    let here = issuers.as_ptr().addr();
    if ssl.ex_data(given) == Some(&here) {
        return Ok(());
    }
    ssl.set_ex_data(given, here);
    issuers.iter().try_for_each(|issuer| ssl.add_chain_cert(issuer.clone()))
}

/// What every context of a policy has in common.
struct Settings<'a> {
    policy: &'a ServerPolicy,
    ciphers: Ciphers<'a>,
    dh: Option<(Dh<Params>, DheGroup)>,
    /// The names of the authorities for client certificates, where those are asked for.
    asked_for: Option<Vec<&'a [u8]>>,
    resumed: bool,
}

impl Settings<'_> {
    /// A context with these identities; and the issuers that are to be added to each connection.
    fn context(
        &self,
        identities: &[&Arc<Identity>],
        unhonoured: &mut Vec<Unhonoured>,
    ) -> Result<(SslContextBuilder, Vec<X509>), ConfigError> {
        let failed = |e: ErrorStack| library(&e);
        let mut context = context(SslMethod::tls_server(), self.policy.versions).map_err(failed)?;
        // Many clients do nothing for long; a client's own session works until it ends, and keeps its 32
        // KiB: to take and give them back around each record takes longer than all else here.
        context.set_mode(SslMode::RELEASE_BUFFERS);
        self.ciphers.apply(&mut context)?;
        let used = self.ciphers.choice(self.policy).among(identities, unhonoured)?;
        let issuers =
            identity::apply_all(&mut context, used).map_err(|error| self.ciphers.explain(error))?;
        if let Some((dh, _)) = &self.dh {
            context.set_tmp_dh(dh).map_err(failed)?;
        }
        apply_resumption(&mut context, self.resumed).map_err(failed)?;
        if let Some(names) = &self.asked_for {
            clients::ask(&mut context, names).map_err(failed)?;
        }
        Ok((context, issuers))
    }
}

/// Whether sessions are resumed, and a word where not as the policy has it.
fn resumed(policy: &ServerPolicy, asks: bool, unhonoured: &mut Vec<Unhonoured>) -> bool {
    let (resumed, origin, loss, reason) = match (&policy.resumption, asks) {
        (Resumption::Off, _) => return false,
        (_, true) => (
            false,
            policy.clients.as_ref().and_then(|trust| trust.origin),
            Loss::Whole,
            "where clients are asked for certificates, no session is resumed: OpenSSL's binding cannot \
             keep tickets from those that showed one, whose revocation would have no effect",
        ),
        (Resumption::Shared(keys), false) => (
            true,
            keys.origin(),
            Loss::Partial,
            "OpenSSL's binding takes no ticket keys: sessions are resumed within this process alone, \
             with keys of its own",
        ),
        (Resumption::Local, false) => return true,
    };
    let (cause, reason) = (Cause::Library, reason.to_owned());
    unhonoured.push(Unhonoured { origin, setting: "resumption", loss, cause, reason });
    resumed
}

fn apply_resumption(context: &mut SslContextBuilder, on: bool) -> Result<(), ErrorStack> {
    context.set_session_id_context(b"smtp")?;
    if on {
        context.set_session_cache_mode(SslSessionCacheMode::SERVER);
        context.set_session_cache_size(SESSIONS);
        Ok(())
    } else {
        context.set_session_cache_mode(SslSessionCacheMode::OFF);
        context.set_options(SslOptions::NO_TICKET);
        context.set_num_tickets(0)
    }
}
