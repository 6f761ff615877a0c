//! An established TLS session over any transport.
//!
//! Both libraries behave alike here:
//! - A write is done once the library has taken the bytes. They leave with the next `flush`, write
//!   or `shutdown`; without a flush a peer may wait for them for ever. A write that was given up
//!   (its future dropped) has taken either nothing or exactly what it reported.
//! - `shutdown` sends close_notify (RFC 8446 section 6.1) and then shuts the transport down for writing. It does
//!   not wait for the peer's.
//! - A read returns 0 octets only after the peer's close_notify. A transport that ends without one
//!   is cut short, perhaps by an attacker: [`UnexpectedEof`](std::io::ErrorKind::UnexpectedEof), after
//!   all that was received whole has been read. Many SMTP peers close so after QUIT.
//! - What the peer garbles is [`InvalidData`](std::io::ErrorKind::InvalidData).
//! - A read that failed fails again in the same way.
//! - A write that fails because the transport does leaves what was received before readable: a reply
//!   that the peer sent before it closed is not lost.

use std::{
    fmt,
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::Backend;
#[cfg(feature = "rustls")]
use crate::guard::Guard;

/// An established TLS session over a transport. See the crate's documentation for what reads and
/// writes promise: the same on every backend.
///
/// - Written bytes leave with the next flush: flush before waiting for an answer.
/// - Reading 0 octets means that the peer said close_notify; an end without it is
///   [`UnexpectedEof`](io::ErrorKind::UnexpectedEof).
/// - Shutting down sends close_notify and does not wait for the peer's.
pub struct Stream<IO> {
    session: Session<IO>,
    /// How reading failed: it fails so for ever, and no library is asked again.
    read_failed: Option<io::ErrorKind>,
}

pub(crate) enum Session<IO> {
    #[cfg(feature = "rustls")]
    Rustls(Box<tokio_rustls::TlsStream<Guard<IO>>>),
    #[cfg(feature = "openssl")]
    OpenSsl(crate::openssl::Stream<IO>),
    /// No library is compiled in: there is no value of this.
    #[cfg(not(any(feature = "rustls", feature = "openssl")))]
    Absent(std::convert::Infallible, std::marker::PhantomData<IO>),
}

impl<IO> Stream<IO> {
    pub(crate) const fn new(session: Session<IO>) -> Self {
        Self { session, read_failed: None }
    }

    /// Which library this is.
    #[must_use]
    pub const fn backend(&self) -> Backend {
        match self.session {
            #[cfg(feature = "rustls")]
            Session::Rustls(_) => Backend::Rustls,
            #[cfg(feature = "openssl")]
            Session::OpenSsl(_) => Backend::OpenSsl,
            #[cfg(not(any(feature = "rustls", feature = "openssl")))]
            Session::Absent(never, _) => match never {},
        }
    }

    /// The transport, to ask for addresses and the like.
    #[must_use]
    pub fn get_ref(&self) -> &IO {
        match &self.session {
            #[cfg(feature = "rustls")]
            Session::Rustls(stream) => stream.get_ref().0.get_ref(),
            #[cfg(feature = "openssl")]
            Session::OpenSsl(stream) => stream.get_ref(),
            #[cfg(not(any(feature = "rustls", feature = "openssl")))]
            Session::Absent(never, _) => match *never {},
        }
    }
}

impl<IO> fmt::Debug for Stream<IO> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Stream({})", self.backend())
    }
}

macro_rules! forward {
    ($stream:expr, $inner:ident => $call:expr) => {
        match &mut $stream.session {
            #[cfg(feature = "rustls")]
            Session::Rustls(inner) => {
                let $inner = Pin::new(inner.as_mut());
                $call
            }
            #[cfg(feature = "openssl")]
            Session::OpenSsl(inner) => {
                let $inner = Pin::new(inner);
                $call
            }
            #[cfg(not(any(feature = "rustls", feature = "openssl")))]
            Session::Absent(never, _) => match *never {},
        }
    };
}

impl<IO: AsyncRead + AsyncWrite + Unpin> AsyncRead for Stream<IO> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if buf.remaining() == 0 {
            return Poll::Ready(Ok(()));
        }
        let this = self.get_mut();
        if let Some(kind) = this.read_failed {
            return Poll::Ready(Err(kind.into()));
        }
        let read: Poll<io::Result<()>> = forward!(this, inner => inner.poll_read(cx, buf));
        #[cfg(feature = "rustls")]
        if let (true, Session::Rustls(stream)) = (read.is_pending(), &mut this.session)
            && stream.get_ref().1.wants_write()
        {
            // What the protocol itself answers (a refused renegotiation, a new key) is due now: the peer
            // may wait for it before it sends more. Whether it can be sent is for the next write to tell.
            let _ = Pin::new(stream.as_mut()).poll_flush(cx);
        }
        if let Poll::Ready(Err(error)) = &read {
            this.read_failed = Some(error.kind());
        }
        read
    }
}

impl<IO: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Stream<IO> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        forward!(self.get_mut(), inner => inner.poll_write(cx, buf))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        forward!(self.get_mut(), inner => inner.poll_write_vectored(cx, bufs))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        forward!(self.get_mut(), inner => inner.poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        forward!(self.get_mut(), inner => inner.poll_shutdown(cx))
    }
}
