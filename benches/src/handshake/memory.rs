//! Two ends of a transport in memory, both on one thread.
//!
//! Does: give one end what the other wrote, to a TLS library that is driven by hand and to one behind
//! tokio's traits. Does not: wake anybody; whoever drives both ends asks each in turn. Fails: never;
//! an end whose other end is gone reads nothing more.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::io::{self, Read, Write};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

#[derive(Debug, Default)]
struct Way {
    octets: VecDeque<u8>,
    carried: usize,
    closed: bool,
}

/// One end.
#[derive(Debug)]
pub(super) struct End {
    inward: Arc<Mutex<Way>>,
    outward: Arc<Mutex<Way>>,
}

/// Two ends, one for each side.
pub(super) fn pair() -> (End, End) {
    let way = || {
        // No connection here has as much on its way at a time.
        let octets = VecDeque::with_capacity(16 * 1024);
        Arc::new(Mutex::new(Way { octets, ..Way::default() }))
    };
    let (up, down) = (way(), way());
    let near = End { inward: Arc::clone(&up), outward: Arc::clone(&down) };
    (near, End { inward: down, outward: up })
}

/// Counts what goes each way, also behind the end of both ends.
#[derive(Debug)]
pub(super) struct Meter(Arc<Mutex<Way>>, Arc<Mutex<Way>>);

impl Meter {
    /// What came in and what went out.
    pub(super) fn carried(&self) -> (usize, usize) {
        (lock(&self.0).carried, lock(&self.1).carried)
    }
}

impl End {
    pub(super) fn meter(&self) -> Meter {
        Meter(Arc::clone(&self.inward), Arc::clone(&self.outward))
    }

    /// Until there is something to read, or will never be.
    pub(super) async fn readable(&self) {
        poll_fn(|_| {
            let inward = lock(&self.inward);
            let ready = inward.closed || !inward.octets.is_empty();
            if ready { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }
}

impl Drop for End {
    fn drop(&mut self) {
        lock(&self.outward).closed = true;
    }
}

impl Read for End {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut inward = lock(&self.inward);
        match inward.octets.read(buffer) {
            Ok(0) if !inward.closed => Err(io::ErrorKind::WouldBlock.into()),
            read => read,
        }
    }
}

impl Write for End {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        let mut outward = lock(&self.outward);
        outward.octets.extend(octets);
        outward.carried += octets.len();
        Ok(octets.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl AsyncRead for End {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut().read(buffer.initialize_unfilled()) {
            Ok(read) => {
                buffer.advance(read);
                Poll::Ready(Ok(()))
            }
            Err(_) => Poll::Pending,
        }
    }
}

impl AsyncWrite for End {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        octets: &[u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(self.get_mut().write(octets))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        lock(&self.outward).closed = true;
        Poll::Ready(Ok(()))
    }
}

fn lock(way: &Mutex<Way>) -> MutexGuard<'_, Way> {
    way.lock().unwrap_or_else(PoisonError::into_inner)
}
