//! A server, from its first service to its drain.
//!
//! Does: bind services, then take orders until it is told to stop. Does not: accept, or touch a
//! connection. Fails: [`BindError`] for an address that cannot be had.

use std::future::Future;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;

use crate::config::{DRAIN_TIMEOUT, Service};
use crate::error::BindError;
use crate::generation::{Counts, Standing};
use crate::handle::{Order, ServerHandle};
use crate::handler::Handler;
use crate::serving::Serving;
use crate::socket::{Bound, plan};

/// A server: one handler, and the services that it stands behind.
#[derive(Debug)]
pub struct Server<H> {
    handler: Arc<H>,
    bound: Vec<(Arc<Standing>, Bound)>,
    counts: Counts,
    drain: Duration,
    handle: ServerHandle<H>,
    orders: mpsc::Receiver<Order<H>>,
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
        let (handle, orders) = mpsc::channel(1);
        Self {
            handler: Arc::new(handler),
            bound: Vec::new(),
            counts: Counts::default(),
            drain: DRAIN_TIMEOUT,
            handle: ServerHandle::new(handle),
            orders,
        }
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
        let services = [service];
        let planned = plan(&services, &[])?;
        let standing = self.counts.stand(&services[0]);
        let addresses = planned.iter().map(|planned| planned.bound.local).collect();
        let bound = planned.into_iter().map(|planned| (Arc::clone(&standing), planned.bound));
        self.bound.extend(bound);
        Ok(addresses)
    }

    /// Each service's name with an address on which it listens, in the order of binding.
    pub fn listening(&self) -> impl Iterator<Item = (&str, SocketAddr)> {
        self.bound.iter().map(|(service, bound)| (&*service.name, bound.local))
    }

    /// What changes the server while it serves.
    #[must_use]
    pub fn handle(&self) -> ServerHandle<H> {
        self.handle.clone()
    }

    /// Serves until `stop` is done. Then nobody is accepted but who had connected already, open
    /// sessions are told 421 at their next command or behind the message that is on its way, and
    /// what is still open after the drain timeout is cut. A message that is still coming then is
    /// not kept. One whose commit is under way may be kept although its 250 is not said any more:
    /// its sender will send it again, which is the lesser harm.
    ///
    /// Dropping the future cuts everything at once.
    pub async fn serve(self, stop: impl Future<Output = ()>) -> Drained {
        let Self { handler, bound, counts, drain, handle, mut orders } = self;
        drop(handle);
        let mut serving = Serving::begin(handler, bound, counts, drain);
        let mut stop = pin!(stop);
        loop {
            tokio::select! {
                biased;
                () = &mut stop => break,
                Some(()) = serving.listener_ended() => {}
                Some(Order { handler, services, answer }) = orders.recv() => {
                    // Who does not wait for the answer any more wanted the change all the same.
                    let _ = answer.send(serving.apply(handler, services).await);
                }
            }
        }
        // Whoever wants a change now is to hear of the stop, and not to wait for its end.
        drop(orders);
        serving.stop().await
    }
}
