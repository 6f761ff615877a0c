//! Listeners and their connections.
//!
//! Does: listen, accept, cap the connections of a service, and drain when told to stop. Does not:
//! read or write a connection, except for the one line that an excess one is told. Fails:
//! [`BindError`] for an address that cannot be had; a failing accept is logged and tried again.

use std::future::Future;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use smtp_proto::server::{Tls, replies};
use socket2::{Domain, Protocol, SockRef, Socket, Type};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::{JoinError, JoinSet};
use tokio::time::{sleep, timeout_at};
use tracing::{debug, error, warn};

use crate::config::{DRAIN_TIMEOUT, Service, deadline};
use crate::connection::{Connection, stop};
use crate::error::BindError;
use crate::handler::{Admission, Handler, Peer};

/// Connections that the host keeps ready between two accepts.
const BACKLOG: i32 = 1024;

/// How long accepting rests when the host has no descriptor or memory left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// A server: one handler, and the services that it stands behind.
#[derive(Debug)]
pub struct Server<H> {
    handler: Arc<H>,
    listeners: Vec<Listener>,
    drain: Duration,
}

#[derive(Debug)]
struct Listener {
    service: Arc<Service>,
    socket: TcpListener,
    local: SocketAddr,
    permits: Arc<Semaphore>,
}

/// How a server ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Drained {
    /// Connections that were open when it was told to stop, and ended by themselves.
    pub finished: usize,
    /// Connections that were cut at the deadline.
    pub cut: usize,
}

impl<H: Handler> Server<H> {
    /// A server without services.
    pub fn new(handler: H) -> Self {
        Self { handler: Arc::new(handler), listeners: Vec::new(), drain: DRAIN_TIMEOUT }
    }

    /// The same, with another time for open sessions to end once it is told to stop.
    #[must_use]
    pub fn with_drain_timeout(self, drain: Duration) -> Self {
        Self { drain, ..self }
    }

    /// Listens on all addresses of a service, and gives those it has: port 0 becomes a real one.
    ///
    /// `[::]` is passed over on a host without IPv6 if the service has `0.0.0.0` on the same
    /// port. It must be called inside a tokio runtime.
    ///
    /// # Errors
    /// The first address that cannot be had. Then the service has none, and the others stay.
    pub fn bind(&mut self, service: Service) -> Result<Vec<SocketAddr>, BindError> {
        let service = Arc::new(service);
        let permits = Arc::new(Semaphore::new(service.concurrency.min(Semaphore::MAX_PERMITS)));
        let mut listeners = Vec::new();
        for &address in &service.listen {
            let socket = match listen(address) {
                Ok(socket) => socket,
                Err(error) if is_spare(address, &service.listen) && lacks_ipv6(&error) => {
                    warn!(service = service.name, %address, "this host has no IPv6");
                    continue;
                }
                Err(source) => {
                    return Err(BindError { service: service.name.clone(), address, source });
                }
            };
            let local = socket.local_addr().map_err(|source| BindError {
                service: service.name.clone(),
                address,
                source,
            })?;
            let (service, permits) = (Arc::clone(&service), Arc::clone(&permits));
            listeners.push(Listener { service, socket, local, permits });
        }
        let addresses = listeners.iter().map(|listener| listener.local).collect();
        self.listeners.append(&mut listeners);
        Ok(addresses)
    }

    /// Each service's name with an address on which it listens, in the order of binding.
    pub fn listening(&self) -> impl Iterator<Item = (&str, SocketAddr)> {
        self.listeners.iter().map(|listener| (listener.service.name.as_str(), listener.local))
    }

    /// Serves until `stop` is done. Then nothing more is accepted, open sessions are told 421 at
    /// their next command or behind the message that is on its way, and what is still open after
    /// the drain timeout is cut. A message that is still coming then is not kept. One whose commit
    /// is under way may be kept although its 250 is not said any more: its sender will send it
    /// again, which is the lesser harm.
    ///
    /// Dropping the future cuts everything at once.
    pub async fn serve(self, stop: impl Future<Output = ()>) -> Drained {
        let (stopping, watching) = watch::channel(false);
        let mut listeners = JoinSet::new();
        for listener in self.listeners {
            let handler = Arc::clone(&self.handler);
            listeners.spawn(listener.serve(handler, watching.clone(), self.drain));
        }
        stop.await;
        stopping.send_replace(true);
        let mut drained = Drained::default();
        while let Some(ended) = listeners.join_next().await {
            match ended {
                Ok(one) => {
                    drained.finished += one.finished;
                    drained.cut += one.cut;
                }
                Err(error) => log_panic("listener", &error),
            }
        }
        drained
    }
}

impl Listener {
    async fn serve<H: Handler>(
        self,
        handler: Arc<H>,
        stopping: watch::Receiver<bool>,
        drain: Duration,
    ) -> Drained {
        let mut connections = JoinSet::new();
        let mut told = stopping.clone();
        loop {
            tokio::select! {
                biased;
                () = stop(&mut told) => break,
                Some(ended) = connections.join_next() => log_end(ended),
                accepted = self.socket.accept() => match accepted {
                    Ok((socket, address)) => {
                        if let Some(permit) = self.permit(&socket, address) {
                            let (handler, stopping) = (Arc::clone(&handler), stopping.clone());
                            let service = Arc::clone(&self.service);
                            connections.spawn(connection(
                                socket, address, service, handler, stopping, permit,
                            ));
                        }
                    }
                    Err(error) => self.accept_failed(&error).await,
                },
            }
        }
        drop(self.socket);
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

    /// A place under the cap, or none; who gets none is told so here, without a task of its own.
    fn permit(&self, socket: &TcpStream, address: SocketAddr) -> Option<OwnedSemaphorePermit> {
        let permit = Arc::clone(&self.permits).try_acquire_owned().ok();
        if permit.is_none() {
            debug!(service = self.service.name, peer = %address, "too many connections");
            // In clear there is a word for it; where TLS comes first, only the close.
            if self.service.policy.smtp.tls != Tls::Implicit {
                // Asked of the host itself: the runtime may not know yet that a fresh socket can be
                // written to. It has room for one line; if not, the close has to do.
                let _ = SockRef::from(socket).send(replies::TOO_MANY_CONNECTIONS.as_bytes());
            }
        }
        permit
    }

    async fn accept_failed(&self, error: &io::Error) {
        warn!(service = self.service.name, "accept failed: {error}");
        if error.kind() != io::ErrorKind::ConnectionAborted {
            sleep(ACCEPT_PAUSE).await;
        }
    }
}

async fn connection<H: Handler>(
    socket: TcpStream,
    address: SocketAddr,
    service: Arc<Service>,
    handler: Arc<H>,
    stopping: watch::Receiver<bool>,
    permit: OwnedSemaphorePermit,
) {
    // The peer may be gone already; then there is nothing to serve.
    let Ok(local) = socket.local_addr() else { return };
    if let Err(error) = socket.set_nodelay(true) {
        debug!(peer = %address, "no TCP_NODELAY: {error}");
    }
    let peer = Peer { service: &service.name, address, local };
    let (handler, policy) = match handler.connect(&peer) {
        Admission::Refuse => return,
        Admission::Serve(session) => (session, Arc::clone(&service.policy)),
        Admission::ServeWith(session, policy) => (session, policy),
    };
    Connection { peer, policy, handler, stopping }.serve(socket).await;
    drop(permit);
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_nonblocking(true)?;
    socket.set_reuse_address(true)?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

/// Whether an address is `[::]` beside a `0.0.0.0` with its port.
fn is_spare(address: SocketAddr, all: &[SocketAddr]) -> bool {
    address.ip() == Ipv6Addr::UNSPECIFIED
        && all.contains(&SocketAddr::from((Ipv4Addr::UNSPECIFIED, address.port())))
}

fn lacks_ipv6(error: &io::Error) -> bool {
    // EAFNOSUPPORT has no `ErrorKind`; 97 is its number on Linux, the others say it by kind.
    error.raw_os_error() == Some(97)
        || matches!(error.kind(), io::ErrorKind::AddrNotAvailable | io::ErrorKind::Unsupported)
}

fn log_end(ended: Result<(), JoinError>) {
    if let Err(error) = ended {
        log_panic("connection", &error);
    }
}

fn log_panic(what: &str, error: &JoinError) {
    if error.is_panic() {
        error!("a {what} panicked: {error}");
    }
}
