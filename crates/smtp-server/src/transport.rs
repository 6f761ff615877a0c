//! What carries a connection's octets: the socket, or TLS over it.
//!
//! Does: read, write and close either in one way. Does not: decide when TLS comes. Fails: as the
//! socket does.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{self, Poll};

use smtp_tls::Stream;
use tokio::io::{AsyncRead, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;

/// Clear, or inside TLS.
#[derive(Debug)]
pub(crate) enum Transport {
    Clear(TcpStream),
    Tls(Stream<TcpStream>),
}

impl Transport {
    pub(crate) fn poll_read(
        &mut self,
        cx: &mut task::Context<'_>,
        space: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let mut space = ReadBuf::new(space);
        let read = match self {
            Self::Clear(socket) => Pin::new(socket).poll_read(cx, &mut space),
            Self::Tls(stream) => Pin::new(stream).poll_read(cx, &mut space),
        };
        read.map_ok(|()| space.filled().len())
    }

    pub(crate) async fn read(&mut self, space: &mut [u8]) -> io::Result<usize> {
        poll_fn(|cx| self.poll_read(cx, space)).await
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
