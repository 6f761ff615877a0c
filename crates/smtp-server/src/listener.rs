//! One listening socket with its connections.
//!
//! Does: accept under the generation that is current, cap, close when told, and drain when the
//! server stops. Does not: read or write a connection, except for the one line that an excess one
//! is told. Fails: a failing accept is logged and tried again.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use smtp_proto::server::{Tls, replies};
use socket2::SockRef;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{oneshot, watch};
use tokio::task::{JoinError, JoinSet};
use tokio::time::{Instant, sleep_until, timeout_at};
use tracing::{debug, error, warn};

use crate::config::deadline;
use crate::connection::{Connection, stop};
use crate::generation::{Generation, Place, Standing};
use crate::handler::{Admission, Handler, Peer};
use crate::server::Drained;
use crate::socket::{BACKLOG, Bound};
use crate::transport::Transport;

/// How long accepting rests when the host has no descriptor or memory left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What a listener is served with.
#[derive(Debug)]
pub(crate) struct Listener<H> {
    local: SocketAddr,
    socket: Arc<TcpListener>,
    current: watch::Receiver<Arc<Generation<H>>>,
    stopping: watch::Receiver<bool>,
    drain: Duration,
    close: oneshot::Receiver<()>,
    closed: oneshot::Sender<()>,
}

/// Who opened a listener closes it with this.
#[derive(Debug)]
pub(crate) struct Close {
    close: oneshot::Sender<()>,
    closed: oneshot::Receiver<()>,
}

impl Close {
    /// Closes the socket, once everybody is accepted who has connected by now.
    pub(crate) fn begin(self) -> oneshot::Receiver<()> {
        drop(self.close);
        self.closed
    }
}

impl<H: Handler> Listener<H> {
    pub(crate) fn new(
        bound: &Bound,
        current: watch::Receiver<Arc<Generation<H>>>,
        stopping: watch::Receiver<bool>,
        drain: Duration,
    ) -> (Self, Close) {
        let (close, told) = oneshot::channel();
        let (done, closed) = oneshot::channel();
        let socket = Arc::clone(&bound.socket);
        let local = bound.local;
        let listener = Self { local, socket, current, stopping, drain, close: told, closed: done };
        (listener, Close { close, closed })
    }

    /// Accepts until it is told to close or the server stops, and stays with the connections until
    /// they have ended.
    pub(crate) async fn serve(mut self) -> Drained {
        let mut connections = JoinSet::new();
        let mut stopping = self.stopping.clone();
        let mut rest: Option<Instant> = None;
        loop {
            tokio::select! {
                biased;
                () = stop(&mut stopping) => break,
                _ = &mut self.close => break,
                Some(ended) = connections.join_next() => log_end(ended),
                accepted = accept(&self.socket, rest) => {
                    rest = None;
                    match accepted {
                        Ok((socket, address)) => self.admit(&mut connections, socket, address),
                        Err(error) => rest = self.accept_failed(&error),
                    }
                }
            }
        }
        self.accept_waiting(&mut connections);
        let Self { socket, current, closed, drain, .. } = self;
        // What is left here may live for hours, and needs nothing of this but the connections.
        drop((socket, current));
        drop(closed);
        finish(connections, stopping, drain).await
    }

    fn admit(&self, connections: &mut JoinSet<()>, socket: TcpStream, address: SocketAddr) {
        let generation = Arc::clone(&self.current.borrow());
        let Some(standing) = generation.services.get(&self.local) else {
            // A listener is closed before the generation that does not know it begins.
            error!(local = %self.local, "nothing stands behind this address");
            return;
        };
        let Some(place) = standing.place() else {
            refuse_excess(standing, &socket, address);
            return;
        };
        connections.spawn(connection(Box::new(Arrival {
            socket,
            address,
            handler: Arc::clone(&generation.handler),
            standing: Arc::clone(standing),
            stopping: self.stopping.clone(),
            place,
        })));
    }

    /// Accepts who has connected already: a socket that is closed resets those that wait in it.
    ///
    /// The host itself is asked, for the runtime may not have heard of them yet; and no more often
    /// than there can be, for others may come all the time.
    fn accept_waiting(&self, connections: &mut JoinSet<()>) {
        for _ in 0..=BACKLOG {
            match accept_now(&self.socket) {
                Ok((socket, address)) => self.admit(connections, socket, address),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
                Err(error) => {
                    warn!(local = %self.local, "accept failed, who waits is reset: {error}");
                    return;
                }
            }
        }
    }

    /// When to go on.
    fn accept_failed(&self, error: &io::Error) -> Option<Instant> {
        warn!(local = %self.local, "accept failed: {error}");
        let aborted = error.kind() == io::ErrorKind::ConnectionAborted;
        (!aborted).then(|| deadline(ACCEPT_PAUSE))
    }
}

async fn accept(
    socket: &TcpListener,
    rest: Option<Instant>,
) -> io::Result<(TcpStream, SocketAddr)> {
    if let Some(until) = rest {
        sleep_until(until).await;
    }
    socket.accept().await
}

fn accept_now(socket: &TcpListener) -> io::Result<(TcpStream, SocketAddr)> {
    let (accepted, address) = SockRef::from(socket).accept()?;
    accepted.set_nonblocking(true)?;
    let address = address.as_socket().ok_or(io::ErrorKind::ConnectionAborted)?;
    Ok((TcpStream::from_std(accepted.into())?, address))
}

/// Waits until all have ended; once the server stops, no longer than `drain`.
async fn finish(
    mut connections: JoinSet<()>,
    mut stopping: watch::Receiver<bool>,
    drain: Duration,
) -> Drained {
    loop {
        tokio::select! {
            biased;
            () = stop(&mut stopping) => break,
            ended = connections.join_next() => match ended {
                Some(ended) => log_end(ended),
                None => return Drained::default(),
            },
        }
    }
    let mut drained = Drained::default();
    let deadline = deadline(drain);
    while let Ok(Some(ended)) = timeout_at(deadline, connections.join_next()).await {
        log_end(ended);
        drained.finished += 1;
    }
    drained.cut = connections.len();
    connections.shutdown().await;
    drained
}

/// Who gets no place is told so here, without a task of its own.
fn refuse_excess(standing: &Standing, socket: &TcpStream, address: SocketAddr) {
    debug!(service = &*standing.name, peer = %address, "too many connections");
    // In clear there is a word for it; where TLS comes first, only the close.
    if standing.policy.smtp.tls != Tls::Implicit {
        // Asked of the host itself: the runtime may not know yet that a fresh socket can be
        // written to. It has room for one line; if not, the close has to do.
        let _ = SockRef::from(socket).send(replies::TOO_MANY_CONNECTIONS.as_bytes());
    }
}

/// What a connection begins with. Boxed, for a future has room to its end for what it was given.
struct Arrival<H> {
    socket: TcpStream,
    address: SocketAddr,
    handler: Arc<H>,
    standing: Arc<Standing>,
    stopping: watch::Receiver<bool>,
    place: Place,
}

impl<H: Handler> Arrival<H> {
    /// `None`: there is nobody to serve.
    #[allow(clippy::boxed_local, reason = "moved out of by the future, it would stay with that")]
    fn admit(self: Box<Self>, service: &str) -> Option<(Place, Connection<'_, H::Session>)> {
        let Self { socket, address, handler, standing, stopping, place } = *self;
        // The peer may be gone already.
        let local = socket.local_addr().ok()?;
        if let Err(error) = socket.set_nodelay(true) {
            debug!(peer = %address, "no TCP_NODELAY: {error}");
        }
        let peer = Peer { service, address, local };
        let (session, policy) = match handler.connect(&peer) {
            Admission::Refuse => return None,
            Admission::Serve(session) => (session, Arc::clone(&standing.policy)),
            Admission::ServeWith(session, policy) => (session, policy),
        };
        let transport = Some(Transport::Clear(socket));
        Some((place, Connection { peer, policy, handler: session, stopping, transport }))
    }
}

async fn connection<H: Handler>(arrival: Box<Arrival<H>>) {
    let service = Arc::clone(&arrival.standing.name);
    // A long connection keeps nothing else of its generation.
    let Some((place, mut connection)) = arrival.admit(&service) else { return };
    connection.serve().await;
    drop(connection);
    drop(place);
}

fn log_end(ended: Result<(), JoinError>) {
    if let Err(error) = ended {
        log_panic("connection", &error);
    }
}

pub(crate) fn log_panic(what: &str, error: &JoinError) {
    if error.is_panic() {
        error!("a {what} panicked: {error}");
    }
}
