//! What can be asked of a server while it serves.
//!
//! Does: hand a new handler with its services to the server, and bring back what came of it. Does
//! not: carry it out. Fails: [`ApplyError`]; then the server goes on as it was.

use std::collections::HashSet;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};

use crate::config::Service;
use crate::error::{ApplyError, BindError};

/// Changes a server while it serves; [`Server::handle`](crate::Server::handle) gives it.
pub struct ServerHandle<H> {
    orders: mpsc::Sender<Order<H>>,
}

/// What the server has after a change. A service's name stands with every address.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Applied {
    /// Where it listens now, in the order of the services and their addresses.
    pub listening: Vec<(String, SocketAddr)>,
    /// Those of them whose address was not among these before.
    pub opened: Vec<(String, SocketAddr)>,
    /// Those that there were before, and whose address is not among these now.
    pub closed: Vec<(String, SocketAddr)>,
}

impl Applied {
    pub(crate) fn between(
        before: Vec<(String, SocketAddr)>,
        listening: Vec<(String, SocketAddr)>,
    ) -> Self {
        let addresses = |list: &[(String, SocketAddr)]| -> HashSet<SocketAddr> {
            list.iter().map(|&(_, address)| address).collect()
        };
        let (old, new) = (addresses(&before), addresses(&listening));
        let opened = listening.iter().filter(|(_, address)| !old.contains(address));
        let opened = opened.cloned().collect();
        let closed = before.into_iter().filter(|(_, address)| !new.contains(address)).collect();
        Self { listening, opened, closed }
    }
}

/// A change on its way to the server.
#[derive(Debug)]
pub(crate) struct Order<H> {
    pub(crate) handler: Arc<H>,
    pub(crate) services: Vec<Service>,
    pub(crate) answer: oneshot::Sender<Result<Applied, BindError>>,
}

impl<H> ServerHandle<H> {
    pub(crate) const fn new(orders: mpsc::Sender<Order<H>>) -> Self {
        Self { orders }
    }

    /// Puts `handler` and `services` in the place of those that the server has, whole or not at
    /// all. It waits until the server serves, and returns when the change is done.
    ///
    /// - Every connection is served to its end by the handler and the service that stood there
    ///   together when it was accepted. Those that are open go on, also where their listener is
    ///   closed; a stop drains them with the others.
    /// - An address that stays keeps its socket, whichever service had it before: nobody is refused
    ///   or dropped, and who was not accepted yet is served under the new set. A port 0 stays the
    ///   port that it became for the service of that name.
    /// - All that is new listens before anything is closed. That holds where a wildcard address
    ///   takes the place of a specific one on its port, or the reverse: an address that both mean
    ///   is never without a listener.
    /// - A listener is closed when everybody is accepted who had connected to it. Whose TCP
    ///   handshake is half done at that moment is reset.
    /// - [`Service::concurrency`] counts the open connections of earlier services of that name. A
    ///   lower cap ends none of them: it is full until there are fewer.
    ///
    /// Of several calls one comes after the other. Whoever drops the future before its end does not
    /// know whether the change was made: it is never made by halves.
    ///
    /// ```
    /// # use smtp_server::{ApplyError, Handler, ServerHandle, Service};
    /// async fn reload<H: Handler>(
    ///     server: &ServerHandle<H>,
    ///     handler: H,
    ///     services: Vec<Service>,
    /// ) -> Result<(), ApplyError> {
    ///     for (service, address) in server.apply(handler, services).await?.opened {
    ///         println!("{service} listens on {address}");
    ///     }
    ///     Ok(())
    /// }
    /// ```
    ///
    /// # Errors
    /// [`ApplyError::Bind`] for the first address that cannot be had: nothing has changed. On Linux
    /// that is also a wildcard, or an address of one, that is to take the other's place as above
    /// after the process has changed its user. [`ApplyError::Stopped`] once the server was told to
    /// stop, or is gone.
    pub async fn apply(
        &self,
        handler: impl Into<Arc<H>>,
        services: Vec<Service>,
    ) -> Result<Applied, ApplyError> {
        let (answer, answered) = oneshot::channel();
        let order = Order { handler: handler.into(), services, answer };
        self.orders.send(order).await.map_err(|_| ApplyError::Stopped)?;
        Ok(answered.await.map_err(|_| ApplyError::Stopped)??)
    }
}

impl<H> Clone for ServerHandle<H> {
    fn clone(&self) -> Self {
        Self { orders: self.orders.clone() }
    }
}

impl<H> fmt::Debug for ServerHandle<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerHandle").finish_non_exhaustive()
    }
}
