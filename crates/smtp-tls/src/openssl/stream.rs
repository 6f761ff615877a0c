//! An OpenSSL session that reads and writes as this crate's `Stream` promises.
//!
//! OpenSSL wants a blocked write to be repeated with the same bytes. Here they are kept instead and
//! count as taken, so that a caller may give a write up and go on with other bytes. After a failure
//! the library is not asked again: the kind of the failure is repeated. A transport that can no longer
//! be written to ends writing alone: what the peer said before it went can still be read.
//!
//! OpenSSL is asked to read only where there is something to read: a server's would take 16 KiB before it
//! finds that there is not, and give them back.

use std::{
    future::poll_fn,
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll, ready},
};

use openssl::ssl::{Error, ErrorCode};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_openssl::SslStream;

use super::{error, transport::Transport};
use crate::guard::Guard;

/// A session of OpenSSL over a guarded transport.
pub(super) type Tls<IO> = SslStream<Transport<Guard<IO>>>;

/// The most that one record holds (RFC 8446 section 5.1).
const RECORD: usize = 16 * 1024;

pub(crate) struct Stream<IO> {
    tls: Tls<IO>,
    /// What a blocked write had begun with. Boxed: few of those that wait have one.
    blocked: Option<Box<Blocked>>,
    failed: Option<io::ErrorKind>,
    /// The peer has said close_notify: there is nothing to read any more.
    closed: bool,
}

struct Blocked {
    octets: Vec<u8>,
    /// How many of them have been taken since.
    taken: usize,
}

/// The handshake of a server: the client speaks first.
pub(super) async fn accept<IO>(tls: &mut Tls<IO>) -> Result<(), Error>
where
    IO: AsyncRead + AsyncWrite + Unpin,
{
    poll_fn(|cx| {
        ready!(tls.get_mut().poll_ready(cx));
        Pin::new(&mut *tls).poll_accept(cx)
    })
    .await
}

/// The handshake of a client.
pub(super) async fn connect<IO>(tls: &mut Tls<IO>) -> Result<(), Error>
where
    IO: AsyncRead + AsyncWrite + Unpin,
{
    let mut begun = false;
    poll_fn(|cx| {
        if begun {
            ready!(tls.get_mut().poll_ready(cx));
        }
        begun = true;
        Pin::new(&mut *tls).poll_connect(cx)
    })
    .await
}

impl<IO> Stream<IO> {
    pub(super) fn new(mut tls: Tls<IO>) -> Self {
        tls.get_mut().established = true;
        Self { tls, blocked: None, failed: None, closed: false }
    }

    pub(crate) fn get_ref(&self) -> &IO {
        self.tls.get_ref().io.get_ref()
    }

    fn fail(&mut self, error: io::Error) -> io::Error {
        let error = error::session(error);
        self.failed = Some(error.kind());
        error
    }

    fn usable(&self) -> io::Result<()> {
        self.failed.map_or(Ok(()), |kind| Err(kind.into()))
    }

    fn writable(&self) -> io::Result<()> {
        self.usable()?;
        self.tls.get_ref().unwritable.map_or(Ok(()), |kind| Err(kind.into()))
    }
}

impl<IO: AsyncRead + AsyncWrite + Unpin> Stream<IO> {
    fn poll_blocked(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.writable()?;
        while let Some(blocked) = &mut self.blocked {
            let rest = &blocked.octets[blocked.taken..];
            let written = Pin::new(&mut self.tls).poll_write(cx, rest);
            if let Poll::Ready(Ok(taken)) = written {
                blocked.taken += taken;
                if blocked.taken == blocked.octets.len() {
                    self.blocked = None;
                }
                continue;
            }
            if written.is_pending() {
                self.writable()?;
            }
            ready!(written).map_err(|e| self.fail(e))?;
        }
        Poll::Ready(Ok(()))
    }

    /// Whether a read of 0 octets was the peer's close_notify: then every further one says so.
    fn is_closed(&mut self, cx: &mut Context<'_>) -> bool {
        match Pin::new(&mut self.tls).poll_peek(cx, &mut [0]) {
            Poll::Ready(Err(error)) => error.code() == ErrorCode::ZERO_RETURN,
            Poll::Ready(Ok(_)) | Poll::Pending => false,
        }
    }
}

impl<IO: AsyncRead + AsyncWrite + Unpin> AsyncRead for Stream<IO> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        this.usable()?;
        if this.closed {
            return Poll::Ready(Ok(()));
        }
        // What OpenSSL has decrypted already is no matter of the transport.
        if this.tls.ssl().pending() == 0 {
            ready!(this.tls.get_mut().poll_ready(cx));
        }
        let before = buf.filled().len();
        this.tls.get_mut().kept_back = false;
        let read = Pin::new(&mut this.tls).poll_read(cx, buf);
        if read.is_pending() && this.tls.get_ref().kept_back {
            // It had to answer something, and cannot: nothing would ever wake this task.
            let kind = this.tls.get_ref().unwritable.unwrap_or(io::ErrorKind::BrokenPipe);
            return Poll::Ready(Err(this.fail(kind.into())));
        }
        ready!(read).map_err(|e| this.fail(e))?;
        if buf.filled().len() == before {
            if !this.is_closed(cx) {
                return Poll::Ready(Err(this.fail(error::truncated())));
            }
            this.closed = true;
        }
        Poll::Ready(Ok(()))
    }
}

impl<IO: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Stream<IO> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        ready!(this.poll_blocked(cx))?;
        let record = &buf[..buf.len().min(RECORD)];
        if record.is_empty() {
            return Poll::Ready(Ok(0));
        }
        match Pin::new(&mut this.tls).poll_write(cx, record) {
            Poll::Pending => {
                this.writable()?;
                this.blocked = Some(Box::new(Blocked { octets: record.to_vec(), taken: 0 }));
                Poll::Ready(Ok(record.len()))
            }
            Poll::Ready(done) => Poll::Ready(done.map_err(|e| this.fail(e))),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let mut filled = bufs.iter().filter(|buf| !buf.is_empty());
        let Some(first) = filled.next() else { return self.poll_write(cx, &[]) };
        if first.len() >= RECORD || filled.next().is_none() {
            return self.poll_write(cx, first);
        }
        let mut record = Vec::with_capacity(RECORD);
        for buf in bufs {
            let room = RECORD - record.len();
            record.extend_from_slice(&buf[..buf.len().min(room)]);
        }
        self.poll_write(cx, &record)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.poll_blocked(cx))?;
        Pin::new(&mut this.tls).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.writable().is_ok() && !this.tls.get_ref().ended {
            ready!(this.poll_blocked(cx))?;
            let shut = Pin::new(&mut this.tls).poll_shutdown(cx);
            if shut.is_pending() {
                this.writable()?;
            }
            ready!(shut).map_err(|e| this.fail(e))?;
        }
        Pin::new(&mut this.tls.get_mut().io).poll_shutdown(cx)
    }
}
