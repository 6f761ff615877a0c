//! What carries the octets of a session: TCP, or TLS over it.
//!
//! Does: join the two behind one type, shake hands, and keep one connector per policy, so that TLS
//! sessions are resumed within a policy and never across. Does not: decide whether to shake hands.
//! Fails: as the socket and the TLS library do.

use std::collections::HashMap;
use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll};

use smtp_tls::{Backend, ClientPolicy, ConfigError, Connector, HandshakeError, Stream, TlsInfo};
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// The connectors made so far.
#[derive(Debug, Default)]
pub(crate) struct Connectors {
    by_policy: Mutex<HashMap<ClientPolicy, Connector>>,
}

impl Connectors {
    pub(crate) fn get(
        &self,
        backend: Option<Backend>,
        policy: &ClientPolicy,
    ) -> Result<Connector, ConfigError> {
        let backend = backend.or(Backend::default_available()).unwrap_or(Backend::Rustls);
        // What a panic elsewhere left behind is still a map of whole connectors.
        let mut by_policy = self.by_policy.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(connector) = by_policy.get(policy) {
            return Ok(connector.clone());
        }
        let connector = Connector::new(backend, policy)?;
        by_policy.insert(policy.clone(), connector.clone());
        Ok(connector)
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
