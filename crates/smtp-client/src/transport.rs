//! What carries the octets of a session: TCP, or TLS over it.
//!
//! Does: join the two behind one type, shake hands, and keep one connector per policy, so that TLS
//! sessions are resumed within a policy and never across. Does not: decide whether to shake hands.
//! Fails: as the socket and the TLS library do.

use std::collections::HashMap;
use std::io;
use std::mem::MaybeUninit;
use std::panic::resume_unwind;
use std::pin::Pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use smtp_tls::{Backend, ClientPolicy, ConfigError, Connector, HandshakeError, Stream, TlsInfo};
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::task::spawn_blocking;

/// The most connectors that are kept, each with the TLS sessions that it can resume.
const CONNECTORS: usize = 64;

/// The connectors made last, one for each policy.
#[derive(Debug, Default)]
pub(crate) struct Connectors {
    kept: Mutex<Kept>,
}

/// Every connector, with the count at which it was asked for last.
#[derive(Debug, Default)]
struct Kept {
    by_policy: HashMap<ClientPolicy, (u64, Connector)>,
    asked: u64,
}

impl Connectors {
    /// The policy's connector. One that is not kept is made where that may take its time: the
    /// system's certificates are read from files.
    pub(crate) async fn get(
        &self,
        backend: Option<Backend>,
        policy: &ClientPolicy,
    ) -> Result<Connector, ConfigError> {
        if let Some(connector) = self.kept().ask(policy) {
            return Ok(connector);
        }
        let backend = backend.or(Backend::default_available()).unwrap_or(Backend::Rustls);
        let made = policy.clone();
        let made = match spawn_blocking(move || Connector::new(backend, &made)).await {
            Ok(made) => made?,
            Err(error) => match error.try_into_panic() {
                Ok(panic) => resume_unwind(panic),
                // The runtime ends, and runs nothing more of that kind.
                Err(_) => Connector::new(backend, policy)?,
            },
        };
        Ok(self.kept().keep(policy, made))
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        // What a panic elsewhere left behind is still a map of whole connectors.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    fn ask(&mut self, policy: &ClientPolicy) -> Option<Connector> {
        self.asked += 1;
        let (asked, connector) = self.by_policy.get_mut(policy)?;
        *asked = self.asked;
        Some(connector.clone())
    }

    /// Keeps a connector, or gives the one that was made for the same policy meanwhile.
    fn keep(&mut self, policy: &ClientPolicy, made: Connector) -> Connector {
        if let Some(connector) = self.ask(policy) {
            return connector;
        }
        if self.by_policy.len() >= CONNECTORS {
            let oldest = self.by_policy.iter().min_by_key(|(_, (asked, _))| *asked);
            if let Some(oldest) = oldest.map(|(policy, _)| policy.clone()) {
                self.by_policy.remove(&oldest);
            }
        }
        self.by_policy.insert(policy.clone(), (self.asked, made.clone()));
        made
    }
}

/// An open connection.
#[derive(Debug)]
pub(crate) enum Transport {
    Clear(TcpStream),
    Tls(Box<Stream<TcpStream>>),
    /// It was given to a handshake that failed.
    Gone,
}

impl Transport {
    /// Shakes hands over a connection in clear.
    pub(crate) async fn secure(
        &mut self,
        connector: &Connector,
        host: &str,
    ) -> Result<TlsInfo, HandshakeError> {
        match std::mem::replace(self, Self::Gone) {
            Self::Clear(stream) => {
                let (stream, info) = connector.connect(host, stream).await?;
                *self = Self::Tls(Box::new(stream));
                Ok(info)
            }
            Self::Tls(_) | Self::Gone => {
                Err(HandshakeError::Io(io::ErrorKind::NotConnected.into()))
            }
        }
    }

    /// Whether the peer has already sent something on a connection in clear.
    ///
    /// The socket itself is asked: the runtime would say no without asking it, as it was read to
    /// its end just before.
    pub(crate) fn has_octets(&self) -> bool {
        let mut octet = [MaybeUninit::uninit()];
        match self {
            Self::Clear(stream) => {
                matches!(SockRef::from(stream).peek(&mut octet), Ok(octets) if octets > 0)
            }
            Self::Tls(_) | Self::Gone => false,
        }
    }
}

impl AsyncRead for Transport {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Clear(stream) => Pin::new(stream).poll_read(cx, into),
            Self::Tls(stream) => Pin::new(stream.as_mut()).poll_read(cx, into),
            Self::Gone => Poll::Ready(Ok(())),
        }
    }
}

impl AsyncWrite for Transport {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        octets: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Clear(stream) => Pin::new(stream).poll_write(cx, octets),
            Self::Tls(stream) => Pin::new(stream.as_mut()).poll_write(cx, octets),
            Self::Gone => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Clear(stream) => Pin::new(stream).poll_flush(cx),
            Self::Tls(stream) => Pin::new(stream.as_mut()).poll_flush(cx),
            Self::Gone => Poll::Ready(Ok(())),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Clear(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Tls(stream) => Pin::new(stream.as_mut()).poll_shutdown(cx),
            Self::Gone => Poll::Ready(Ok(())),
        }
    }
}

#[cfg(all(test, any(feature = "rustls", feature = "openssl")))]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_connectors_that_were_asked_for_last_are_kept_and_no_more() {
        let connectors = Connectors::default();
        let policy = |number: usize| ClientPolicy {
            server_name: Some(format!("mx{number}.example.com")),
            ..ClientPolicy::required()
        };
        for number in 0..CONNECTORS {
            connectors.get(None, &policy(number)).await.unwrap();
        }
        // The first is in use again when one too many comes: the second goes.
        connectors.get(None, &policy(0)).await.unwrap();
        connectors.get(None, &policy(CONNECTORS)).await.unwrap();
        let kept = |number| connectors.kept().by_policy.contains_key(&policy(number));
        assert_eq!(connectors.kept().by_policy.len(), CONNECTORS);
        assert!(kept(0) && !kept(1) && kept(2) && kept(CONNECTORS));
    }
}
