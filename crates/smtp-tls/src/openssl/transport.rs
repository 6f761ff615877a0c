//! The transport as OpenSSL sees it.
//!
//! OpenSSL reads a record in two reads, and asks without knowing whether there is anything to read. Here
//! one read of the transport serves for both, for a few short records and for a flight of the handshake;
//! what it gave is kept until OpenSSL asks for it, and takes no memory while there is none. Nothing else
//! ever sees it: it came behind the first octet of the handshake. That the transport ended or failed is
//! told behind what it gave before.
//!
//! Ending it is kept apart from sending close_notify: asked for that a second time, OpenSSL would wait
//! for the peer's.

use std::{
    io,
    mem::MaybeUninit,
    pin::Pin,
    task::{Context, Poll, ready},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Read at least, however little OpenSSL asks for: room for the commands of a session and for most
/// flights of a handshake.
const AHEAD: usize = 1024;

pub(super) struct Transport<IO> {
    pub(super) io: IO,
    /// What was read and OpenSSL has not asked for yet, from `taken` on.
    ahead: Box<[u8]>,
    taken: u16,
    /// The transport ended or failed, and OpenSSL has yet to be told.
    end: Option<io::Result<()>>,
    pub(super) ended: bool,
    pub(super) established: bool,
    /// The last write or flush was blocked. OpenSSL has something to write then, whatever it was asked to do.
    blocked: bool,
    /// Writing failed in an established session. OpenSSL takes no call at all behind such a failure, so
    /// it is told that writing is blocked.
    pub(super) unwritable: Option<io::ErrorKind>,
    /// It was told so since this was set to `false`.
    pub(super) kept_back: bool,
}

impl<IO> Transport<IO> {
    pub(super) fn new(io: IO) -> Self {
        Self {
            io,
            ahead: Box::default(),
            taken: 0,
            end: None,
            ended: false,
            established: false,
            blocked: false,
            unwritable: None,
            kept_back: false,
        }
    }
}

impl<IO: AsyncRead + Unpin> Transport<IO> {
    /// Until OpenSSL, which last asked for octets to read, would get any further.
    pub(super) fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.blocked { Poll::Ready(()) } else { self.poll_ahead(cx) }
    }

    /// Until there is something to tell OpenSSL.
    fn poll_ahead(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if !self.ahead.is_empty() || self.end.is_some() {
            return Poll::Ready(());
        }
        let mut room = [MaybeUninit::uninit(); AHEAD];
        let mut room = ReadBuf::uninit(&mut room);
        let read = ready!(Pin::new(&mut self.io).poll_read(cx, &mut room));
        if read.is_ok() && !room.filled().is_empty() {
            self.ahead = room.filled().into();
        } else {
            self.end = Some(read);
        }
        Poll::Ready(())
    }
}

impl<IO: AsyncRead + Unpin> AsyncRead for Transport<IO> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.ahead.is_empty() && this.end.is_none() && buf.remaining() >= AHEAD {
            return Pin::new(&mut this.io).poll_read(cx, buf);
        }
        ready!(this.poll_ahead(cx));
        if let Some(end) = this.end.take() {
            return Poll::Ready(end);
        }
        let rest = &this.ahead[usize::from(this.taken)..];
        // A short one, as `AHEAD` is.
        let given = u16::try_from(rest.len().min(buf.remaining())).unwrap_or(u16::MAX);
        buf.put_slice(&rest[..usize::from(given)]);
        this.taken += given;
        if usize::from(this.taken) == this.ahead.len() {
            this.ahead = Box::default();
            this.taken = 0;
        }
        Poll::Ready(Ok(()))
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
            let written = Pin::new(&mut this.io).poll_write(cx, buf);
            this.blocked = written.is_pending();
            match written {
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
        // Until a write says otherwise.
        this.blocked |= flushed.is_pending();
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

#[cfg(test)]
mod tests {
    use std::{collections::VecDeque, task::Waker};

    use super::*;

    /// Gives these one by one, then nothing; asked again behind an end, it panics.
    struct Script {
        reads: VecDeque<io::Result<Vec<u8>>>,
        ended: bool,
        takes: bool,
    }

    impl AsyncRead for Script {
        fn poll_read(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
            buf: &mut ReadBuf<'_>,
        ) -> Poll<io::Result<()>> {
            let this = self.get_mut();
            assert!(!this.ended, "it has ended");
            let Some(mut read) = this.reads.pop_front() else { return Poll::Pending };
            this.ended = read.as_ref().map_or(true, Vec::is_empty);
            if let Ok(octets) = &mut read {
                let rest = octets.split_off(octets.len().min(buf.remaining()));
                if !rest.is_empty() {
                    this.reads.push_front(Ok(rest));
                }
            }
            Poll::Ready(read.map(|octets| buf.put_slice(&octets)))
        }
    }

    impl AsyncWrite for Script {
        fn poll_write(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
            buf: &[u8],
        ) -> Poll<io::Result<usize>> {
            if self.takes { Poll::Ready(Ok(buf.len())) } else { Poll::Pending }
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    fn script(reads: impl IntoIterator<Item = io::Result<Vec<u8>>>) -> Transport<Script> {
        let reads = reads.into_iter().collect();
        Transport::new(Script { reads, ended: false, takes: false })
    }

    fn context() -> Context<'static> {
        Context::from_waker(Waker::noop())
    }

    /// A read of so many octets, as OpenSSL makes one.
    fn read(transport: &mut Transport<Script>, room: usize) -> Poll<io::Result<Vec<u8>>> {
        let mut octets = vec![0; room];
        let mut buf = ReadBuf::new(&mut octets);
        let read = Pin::new(transport).poll_read(&mut context(), &mut buf);
        read.map_ok(|()| buf.filled().to_vec())
    }

    fn given(transport: &mut Transport<Script>, room: usize) -> Vec<u8> {
        match read(transport, room) {
            Poll::Ready(Ok(octets)) => octets,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn one_read_serves_for_the_parts_of_several_records() {
        let first: Vec<u8> = (0..100).collect();
        let mut transport = script([Ok(first.clone()), Ok(vec![7; AHEAD + 1])]);
        assert!(transport.poll_ready(&mut context()).is_ready());
        assert_eq!(given(&mut transport, 5), first[..5]);
        assert_eq!(transport.io.reads.len(), 1);
        assert_eq!(given(&mut transport, 40), first[5..45]);
        // Never more than came, though more is asked for than is kept at most.
        assert_eq!(given(&mut transport, 2 * AHEAD), first[45..]);
        assert_eq!(transport.io.reads.len(), 1);
        assert!(transport.ahead.is_empty(), "memory for nothing");
        assert_eq!(given(&mut transport, 2 * AHEAD), vec![7; AHEAD + 1]);
        assert!(transport.ahead.is_empty(), "a copy for nothing");
        assert!(read(&mut transport, 5).is_pending());
        assert!(transport.poll_ready(&mut context()).is_pending());
    }

    #[test]
    fn how_it_ended_is_told_once_and_behind_what_came_before() {
        let mut transport = script([Ok(vec![1, 2, 3]), Ok(Vec::new())]);
        for _ in 0..2 {
            assert!(transport.poll_ready(&mut context()).is_ready());
        }
        assert_eq!(given(&mut transport, 5), [1, 2, 3]);
        for _ in 0..2 {
            assert!(transport.poll_ready(&mut context()).is_ready());
        }
        assert_eq!(given(&mut transport, 5), []);

        let mut transport = script([Ok(vec![1]), Err(io::ErrorKind::ConnectionReset.into())]);
        assert_eq!(given(&mut transport, 5), [1]);
        assert!(transport.poll_ready(&mut context()).is_ready());
        match read(&mut transport, 2 * AHEAD) {
            Poll::Ready(Err(error)) => assert_eq!(error.kind(), io::ErrorKind::ConnectionReset),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn openssl_is_asked_to_read_while_it_has_something_to_write() {
        let mut transport = script([]);
        let write = |transport: &mut Transport<Script>| {
            Pin::new(transport).poll_write(&mut context(), b"an answer")
        };
        assert!(transport.poll_ready(&mut context()).is_pending());
        assert!(write(&mut transport).is_pending());
        assert!(transport.poll_ready(&mut context()).is_ready());
        transport.io.takes = true;
        assert!(write(&mut transport).is_ready());
        assert!(transport.poll_ready(&mut context()).is_pending());
    }
}
