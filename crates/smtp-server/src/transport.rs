//! What carries a connection's octets: the socket, or TLS over it.
//!
//! Does: read, write and close either in one way; hold the one `cfg` of this crate, so that
//! nothing else depends on which TLS libraries are compiled in. Does not: decide when TLS comes.
//! Fails: as the socket does.

use std::io;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

#[cfg(any(feature = "rustls", feature = "openssl"))]
pub use smtp_tls::Acceptor;
#[cfg(any(feature = "rustls", feature = "openssl"))]
use smtp_tls::Stream;

#[cfg(not(any(feature = "rustls", feature = "openssl")))]
pub use without_tls::Acceptor;
#[cfg(not(any(feature = "rustls", feature = "openssl")))]
use without_tls::Stream;

/// Clear, or inside TLS.
#[derive(Debug)]
pub(crate) enum Transport {
    Clear(TcpStream),
    Tls(Box<Stream<TcpStream>>),
}

impl Transport {
    pub(crate) async fn read(&mut self, space: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Clear(socket) => socket.read(space).await,
            Self::Tls(stream) => stream.read(space).await,
        }
    }

    /// Writes all of it, and has nothing left in a buffer when it returns.
    pub(crate) async fn write(&mut self, octets: &[u8]) -> io::Result<()> {
        match self {
            Self::Clear(socket) => socket.write_all(octets).await,
            Self::Tls(stream) => {
                stream.write_all(octets).await?;
                stream.flush().await
            }
        }
    }

    /// Closes the sending direction; under TLS with close_notify before it.
    pub(crate) async fn shutdown(&mut self) -> io::Result<()> {
        match self {
            Self::Clear(socket) => socket.shutdown().await,
            Self::Tls(stream) => stream.shutdown().await,
        }
    }
}

/// The types of a build without a TLS library: there are no values of them.
#[cfg(not(any(feature = "rustls", feature = "openssl")))]
mod without_tls {
    use std::convert::Infallible;
    use std::marker::PhantomData;
    use std::pin::Pin;
    use std::task::{Context, Poll};

    use smtp_tls::{HandshakeError, TlsInfo};
    use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

    /// Makes the server's half of a TLS handshake; this build has no TLS library, and so there
    /// is none.
    #[derive(Clone, Debug)]
    pub struct Acceptor(Infallible);

    impl Acceptor {
        pub(crate) async fn accept<IO>(
            &self,
            _io: IO,
        ) -> Result<(Stream<IO>, TlsInfo), HandshakeError> {
            match self.0 {}
        }
    }

    #[derive(Debug)]
    pub(crate) struct Stream<IO>(Infallible, PhantomData<IO>);

    impl<IO: Unpin> AsyncRead for Stream<IO> {
        fn poll_read(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
            _: &mut ReadBuf<'_>,
        ) -> Poll<std::io::Result<()>> {
            match self.0 {}
        }
    }

    impl<IO: Unpin> AsyncWrite for Stream<IO> {
        fn poll_write(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
            _: &[u8],
        ) -> Poll<std::io::Result<usize>> {
            match self.0 {}
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
            match self.0 {}
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
            match self.0 {}
        }
    }
}
