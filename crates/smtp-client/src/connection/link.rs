//! The socket's side of a connection.
//!
//! Does: write what is pending while it reads, and keep each phase's time. Does not: know what is
//! said. Fails: a socket that fails ends the input; [`Stalled`] where nothing moves.

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::Poll;

use smtp_proto::client::{Phase, Session};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};
use zeroize::Zeroize as _;

use crate::config::{Timeouts, deadline};
use crate::transport::Transport;

/// Octets that wait to be written before more of a message is asked for.
pub(super) const HIGH_WATER: usize = 64 * 1024;

/// The socket's side: what waits to be written, and since when nothing has moved.
pub(super) struct Link {
    pub(super) transport: Transport,
    pub(super) timeouts: Timeouts,
    pub(super) pending: Vec<u8>,
    unflushed: bool,
    /// Writing has failed. The server may still have said why, so reading goes on.
    pub(super) broken: bool,
    since: Instant,
    waiting: Option<(Phase, u64)>,
}

/// Shows nothing of what waits to be written: it may hold secrets.
impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link")
            .field("transport", &self.transport)
            .field("pending", &self.pending.len())
            .field("broken", &self.broken)
            .finish_non_exhaustive()
    }
}

/// What an exchange with the socket brought.
pub(super) enum Moved {
    Read(usize),
    Written,
    End,
}

/// Nothing moved for as long as the phase allows.
pub(super) struct Stalled;

impl Link {
    pub(super) fn new(stream: TcpStream, timeouts: Timeouts) -> Self {
        Self {
            transport: Transport::Clear(stream),
            timeouts,
            pending: Vec::new(),
            unflushed: false,
            broken: false,
            since: Instant::now(),
            waiting: None,
        }
    }

    /// Whether all that was to be written has left.
    pub(super) fn is_settled(&self) -> bool {
        self.pending.is_empty() && !self.unflushed && !self.broken
    }

    /// Writes what is pending and reads into the session, at once; returns when either moved.
    ///
    /// The phase's time begins with the phase, with each reply, and with each octet that is
    /// written: a server that reads slowly is slow, and one that sends half a reply is stalled.
    pub(super) async fn exchange(
        &mut self,
        session: &mut Session,
        phase: Phase,
    ) -> Result<Moved, Stalled> {
        let waiting = Some((phase, session.replies()));
        if self.waiting != waiting {
            self.waiting = waiting;
            self.since = Instant::now();
        }
        let moved = timeout_at(
            deadline(self.since, self.timeouts.of(phase)),
            poll_fn(|cx| {
                let written = self.poll_write(cx);
                let mut into = ReadBuf::new(session.input());
                // Reading nothing would look like the end of input.
                let read = match into.capacity() {
                    0 => Poll::Pending,
                    _ => Pin::new(&mut self.transport).poll_read(cx, &mut into),
                };
                match read {
                    Poll::Ready(Ok(())) if into.filled().is_empty() => Poll::Ready(Moved::End),
                    Poll::Ready(Ok(())) => Poll::Ready(Moved::Read(into.filled().len())),
                    Poll::Ready(Err(error)) => {
                        tracing::debug!(%error, "reading failed");
                        Poll::Ready(Moved::End)
                    }
                    Poll::Pending if written => Poll::Ready(Moved::Written),
                    Poll::Pending => Poll::Pending,
                }
            }),
        )
        .await;
        if let Ok(Moved::Written) = moved {
            self.since = Instant::now();
        }
        moved.map_err(|_| Stalled)
    }

    /// Writes what the socket takes; says whether it took anything.
    fn poll_write(&mut self, cx: &mut std::task::Context<'_>) -> bool {
        let mut written = 0;
        while !self.broken && written < self.pending.len() {
            match Pin::new(&mut self.transport).poll_write(cx, &self.pending[written..]) {
                Poll::Ready(Ok(0)) => self.break_off(&io::ErrorKind::WriteZero.into()),
                Poll::Ready(Ok(octets)) => {
                    written += octets;
                    self.unflushed = true;
                }
                Poll::Ready(Err(error)) => self.break_off(&error),
                Poll::Pending => break,
            }
        }
        // More is put behind what is left for as long as a server reads slowly: what was written
        // must not be kept.
        self.pending.drain(..written.min(self.pending.len()));
        if self.unflushed && !self.broken {
            match Pin::new(&mut self.transport).poll_flush(cx) {
                Poll::Ready(Ok(())) => self.unflushed = false,
                Poll::Ready(Err(error)) => self.break_off(&error),
                Poll::Pending => {}
            }
        }
        written > 0
    }

    /// Wipes what was written, which may have been a secret.
    pub(super) fn forget(&mut self) {
        if self.pending.is_empty() {
            self.pending.zeroize();
        }
    }

    fn break_off(&mut self, error: &io::Error) {
        tracing::debug!(%error, "writing failed");
        self.broken = true;
        self.pending.clear();
    }
}
