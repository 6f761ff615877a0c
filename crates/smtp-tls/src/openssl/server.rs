//! A server policy as an OpenSSL context.

use std::{collections::HashSet, pin::Pin};

use openssl::{
    error::ErrorStack,
    pkey::PKey,
    ssl::{
        NameType, Ssl, SslContext, SslContextBuilder, SslMethod, SslOptions, SslSessionCacheMode,
    },
    x509::X509,
};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio_openssl::SslStream;

use super::{context, error, info, library, stream::Transport};
use crate::{
    CipherString, ConfigError, HandshakeError, Identity, Loss, Resumption, ServerPolicy, Stream,
    TlsInfo, Unhonoured, Version, guard::Guard, host::received_name, stream::Session,
};

/// The longest cipher string taken, in octets. OpenSSL's own longest default is a few hundred.
const CIPHER_STRING: usize = 16 * 1024;

/// Sessions kept for TLS 1.2 clients that know no tickets; all others keep theirs themselves.
const SESSIONS: i32 = 1024;

pub(crate) struct Acceptor(SslContext);

impl Acceptor {
    pub(crate) fn new(
        policy: &ServerPolicy,
        unhonoured: &mut Vec<Unhonoured>,
    ) -> Result<Self, ConfigError> {
        let mut context =
            context(SslMethod::tls_server(), policy.versions).map_err(|e| library(&e))?;
        if let Some(ciphers) = &policy.ciphers {
            apply_ciphers(&mut context, ciphers, policy.versions, unhonoured)?;
        }
        let origin = policy.identity.origin();
        let matches = apply_identity(&mut context, &policy.identity)
            .map_err(|e| ConfigError::Identity { origin, reason: error::line(&e) })?;
        if !matches {
            return Err(ConfigError::KeyMismatch { origin });
        }
        apply_resumption(&mut context, policy.resumption != Resumption::Off)
            .map_err(|e| library(&e))?;
        // Without a callback OpenSSL forgets the name that the client asked for.
        context.set_servername_callback(|_, _| Ok(()));
        Ok(Self(context.build()))
    }

    pub(crate) async fn accept<IO>(&self, io: IO) -> Result<(Stream<IO>, TlsInfo), HandshakeError>
    where
        IO: AsyncRead + AsyncWrite + Unpin + Send,
    {
        let failed = |e: ErrorStack| HandshakeError::Library(error::line(&e));
        let ssl = Ssl::new(&self.0).map_err(failed)?;
        let mut stream = SslStream::new(ssl, Transport::new(Guard::server(io))).map_err(failed)?;
        if let Err(failure) = Pin::new(&mut stream).accept().await {
            let failure = error::handshake(failure, stream.ssl(), "");
            let _ = stream.get_mut().io.shutdown().await;
            return Err(failure);
        }
        let name = stream.ssl().servername(NameType::HOST_NAME).and_then(received_name);
        let info = info(stream.ssl(), name);
        Ok((Stream::new(Session::OpenSsl(super::Stream::new(stream))), info))
    }
}

/// Whether the key is the leaf's; then, and only then, the identity is in place.
fn apply_identity(
    context: &mut SslContextBuilder,
    identity: &Identity,
) -> Result<bool, ErrorStack> {
    let key = PKey::private_key_from_der(identity.key().secret_der())?;
    let leaf = X509::from_der(identity.leaf().der())?;
    if !leaf.public_key()?.public_eq(&key) {
        return Ok(false);
    }
    context.set_certificate(&leaf)?;
    for issuer in &identity.chain()[1..] {
        context.add_extra_chain_cert(X509::from_der(issuer.der())?)?;
    }
    context.set_private_key(&key)?;
    context.check_private_key()?;
    Ok(true)
}

fn apply_ciphers(
    context: &mut SslContextBuilder,
    ciphers: &CipherString,
    versions: (Version, Version),
    unhonoured: &mut Vec<Unhonoured>,
) -> Result<(), ConfigError> {
    let refused = |e: &ErrorStack| ConfigError::Ciphers {
        origin: ciphers.origin,
        text: ciphers.text.clone(),
        reason: error::line(e),
    };
    if ciphers.text.len() > CIPHER_STRING {
        return Err(ConfigError::Ciphers {
            origin: ciphers.origin,
            text: ciphers.text.chars().take(64).collect::<String>() + "...",
            reason: format!("it is longer than {CIPHER_STRING} octets"),
        });
    }
    if ciphers.text.contains('\0') {
        return Err(ConfigError::Ciphers {
            origin: ciphers.origin,
            text: ciphers.text.clone(),
            reason: "it contains a NUL".to_owned(),
        });
    }
    context.set_cipher_list(&ciphers.text).map_err(|e| refused(&e))?;
    let mut report = |reason| {
        unhonoured.push(Unhonoured {
            origin: ciphers.origin,
            setting: "ciphers",
            loss: Loss::Partial,
            reason,
        });
    };
    if versions.0 == Version::Tls13 {
        report("the cipher string governs TLS 1.2, which this policy does not offer".to_owned());
    }
    // OpenSSL drops the parts of a string that it does not know as long as one part is left.
    let mut alone = SslContextBuilder::new(SslMethod::tls_server()).map_err(|e| refused(&e))?;
    let mut seen = HashSet::new();
    for part in ciphers.text.split([':', ',', ' ', ';']) {
        if part.is_empty() || part.starts_with(['!', '-', '+', '@']) || !seen.insert(part) {
            continue;
        }
        if alone.set_cipher_list(part).is_err() {
            report(format!("{part:?} names no cipher of TLS 1.2 that this OpenSSL has"));
        }
    }
    Ok(())
}

fn apply_resumption(context: &mut SslContextBuilder, on: bool) -> Result<(), ErrorStack> {
    if on {
        context.set_session_cache_mode(SslSessionCacheMode::SERVER);
        context.set_session_cache_size(SESSIONS);
        context.set_session_id_context(b"smtp")
    } else {
        context.set_session_cache_mode(SslSessionCacheMode::OFF);
        context.set_options(SslOptions::NO_TICKET);
        context.set_num_tickets(0)
    }
}
