//! The transport of a client's handshake: its first octet decides whether the server speaks TLS.
//!
//! A TLS library waits for a whole record header before it judges, so an octet that was put on the
//! wire behind the server's 220 and then left alone would look like a server that is slow, or gone.
//! Here the first octet that begins no TLS record ends the handshake at once. What follows a right
//! one is the library's to judge.

use std::{
    future::poll_fn,
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll, ready},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// The content types that a record may have (RFC 8446 section 5.1): change_cipher_spec, alert,
/// handshake, application_data.
const CONTENT_TYPES: std::ops::RangeInclusive<u8> = 20..=23;

#[derive(Clone, Copy, PartialEq, Eq)]
enum First {
    /// Not read yet.
    Awaited,
    /// It begins a record, or nobody asked.
    Passed,
    /// It begins no record.
    NotTls,
}

pub(crate) struct Guard<IO> {
    io: IO,
    first: First,
}

impl<IO> Guard<IO> {
    /// Looks at the first octet that is read.
    pub(crate) const fn client(io: IO) -> Self {
        Self { io, first: First::Awaited }
    }

    /// Looks at nothing: what a client may begin with is the library's to judge.
    pub(crate) const fn server(io: IO) -> Self {
        Self { io, first: First::Passed }
    }

    pub(crate) const fn get_ref(&self) -> &IO {
        &self.io
    }
}

impl<IO: AsyncRead + Unpin> Guard<IO> {
    /// Whether the peer began with an octet that begins no TLS record, also where the handshake
    /// failed (in a write, say) before that octet was read. Does not wait for it.
    pub(crate) async fn saw_no_tls(&mut self) -> bool {
        if self.first == First::Awaited {
            let mut octet = [0];
            poll_fn(|cx| {
                let _ = Pin::new(&mut *self).poll_read(cx, &mut ReadBuf::new(&mut octet));
                Poll::Ready(())
            })
            .await;
        }
        self.first == First::NotTls
    }
}

fn no_tls() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "the peer does not speak TLS")
}

impl<IO: AsyncRead + Unpin> AsyncRead for Guard<IO> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        match this.first {
            First::Passed => Pin::new(&mut this.io).poll_read(cx, buf),
            First::NotTls => Poll::Ready(Err(no_tls())),
            First::Awaited => {
                let before = buf.filled().len();
                ready!(Pin::new(&mut this.io).poll_read(cx, buf))?;
                match buf.filled().get(before) {
                    None => Poll::Ready(Ok(())),
                    Some(octet) if CONTENT_TYPES.contains(octet) => {
                        this.first = First::Passed;
                        Poll::Ready(Ok(()))
                    }
                    Some(_) => {
                        buf.set_filled(before);
                        this.first = First::NotTls;
                        Poll::Ready(Err(no_tls()))
                    }
                }
            }
        }
    }
}

impl<IO: AsyncWrite + Unpin> AsyncWrite for Guard<IO> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().io).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().io).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_shutdown(cx)
    }
}
