//! An OpenSSL session that reads and writes as this crate's `Stream` promises.
//!
//! OpenSSL wants a blocked write to be repeated with the same bytes. Here they are kept instead and
//! count as taken, so that a caller may give a write up and go on with other bytes. After a failure
//! the library is not asked again: the kind of the failure is repeated. A transport that can no longer
//! be written to ends writing alone: what the peer said before it went can still be read.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll, ready},
};

use openssl::ssl::ErrorCode;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_openssl::SslStream;

use super::error;
use crate::guard::Guard;

/// The most that one record holds (RFC 8446 section 5.1).
const RECORD: usize = 16 * 1024;

pub(crate) struct Stream<IO> {
    tls: SslStream<Transport<Guard<IO>>>,
    /// What a blocked write had begun with, and how much of it has been taken since.
    blocked: Vec<u8>,
    taken: usize,
    failed: Option<io::ErrorKind>,
}

impl<IO> Stream<IO> {
    pub(super) fn new(mut tls: SslStream<Transport<Guard<IO>>>) -> Self {
        tls.get_mut().established = true;
        Self { tls, blocked: Vec::new(), taken: 0, failed: None }
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
        while self.taken < self.blocked.len() {
            let written = Pin::new(&mut self.tls).poll_write(cx, &self.blocked[self.taken..]);
            if written.is_pending() {
                self.writable()?;
            }
            self.taken += ready!(written).map_err(|e| self.fail(e))?;
        }
        self.blocked = Vec::new();
        self.taken = 0;
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
        let before = buf.filled().len();
        this.tls.get_mut().kept_back = false;
        let read = Pin::new(&mut this.tls).poll_read(cx, buf);
        if read.is_pending() && this.tls.get_ref().kept_back {
            // It had to answer something, and cannot: nothing would ever wake this task.
            let kind = this.tls.get_ref().unwritable.unwrap_or(io::ErrorKind::BrokenPipe);
            return Poll::Ready(Err(this.fail(kind.into())));
        }
        ready!(read).map_err(|e| this.fail(e))?;
        if buf.filled().len() == before && !this.is_closed(cx) {
            return Poll::Ready(Err(this.fail(error::truncated())));
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
                this.blocked = record.to_vec();
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

/// The transport as OpenSSL sees it. Ending it is kept apart from sending close_notify: asked for that
/// a second time, OpenSSL would wait for the peer's.
pub(super) struct Transport<IO> {
    pub(super) io: IO,
    ended: bool,
    established: bool,
    /// Writing failed in an established session. OpenSSL takes no call at all behind such a failure, so
    /// it is told that writing is blocked.
    unwritable: Option<io::ErrorKind>,
    /// It was told so since this was set to `false`.
    kept_back: bool,
}

impl<IO> Transport<IO> {
    pub(super) const fn new(io: IO) -> Self {
        Self { io, ended: false, established: false, unwritable: None, kept_back: false }
    }
}

impl<IO: AsyncRead + Unpin> AsyncRead for Transport<IO> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_read(cx, buf)
    }
}

impl<IO: AsyncWrite + Unpin> AsyncWrite for Transport<IO> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if this.unwritable.is_none() {
            match Pin::new(&mut this.io).poll_write(cx, buf) {
                Poll::Ready(Err(error)) if this.established => this.unwritable = Some(error.kind()),
                done => return done,
            }
        }
        this.kept_back = true;
        Poll::Pending
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if let Some(kind) = this.unwritable {
            return Poll::Ready(Err(kind.into()));
        }
        let flushed = Pin::new(&mut this.io).poll_flush(cx);
        if let (Poll::Ready(Err(error)), true) = (&flushed, this.established) {
            this.unwritable = Some(error.kind());
        }
        flushed
    }

    fn poll_shutdown(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().ended = true;
        Poll::Ready(Ok(()))
    }
}
