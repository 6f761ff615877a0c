//! A server that serves: its listeners, and what stands behind them.
//!
//! Does: put a new set of services in the place of the old one, and tell everything to stop. Does
//! not: accept, or touch a connection. Fails: [`BindError`], before anything has changed.

use std::collections::HashMap;
use std::mem;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::{JoinError, JoinSet};

use crate::config::Service;
use crate::error::BindError;
use crate::generation::{Counts, Generation, Standing};
use crate::handle::Applied;
use crate::handler::Handler;
use crate::listener::{Close, Listener, log_panic};
use crate::server::Drained;
use crate::socket::{Bound, Planned, plan};

/// A server that serves.
#[derive(Debug)]
pub(crate) struct Serving<H> {
    current: watch::Sender<Arc<Generation<H>>>,
    stopping: watch::Sender<bool>,
    open: Vec<Open>,
    counts: Counts,
    drain: Duration,
    /// One for every open listener, and for every closed one that still has connections.
    listeners: JoinSet<Drained>,
}

/// A listener that accepts.
#[derive(Debug)]
struct Open {
    service: Arc<Standing>,
    bound: Bound,
    /// See [`Planned::covered`].
    covered: bool,
    close: Close,
}

impl<H: Handler> Serving<H> {
    pub(crate) fn begin(
        handler: Arc<H>,
        bound: Vec<(Arc<Standing>, Bound)>,
        counts: Counts,
        drain: Duration,
    ) -> Self {
        let services = bound.iter().map(|(service, bound)| (bound.local, Arc::clone(service)));
        let generation = Generation { handler, services: services.collect() };
        let mut serving = Self {
            current: watch::Sender::new(Arc::new(generation)),
            stopping: watch::Sender::new(false),
            open: Vec::new(),
            counts,
            drain,
            listeners: JoinSet::new(),
        };
        for (service, bound) in bound {
            let open = serving.accept(service, bound);
            serving.open.push(open);
        }
        serving
    }

    /// See [`ServerHandle::apply`](crate::ServerHandle::apply).
    ///
    /// The order is what makes it whole: what can fail comes first; a listener is closed while its
    /// own generation lasts; and all others change over at one moment.
    pub(crate) async fn apply(
        &mut self,
        handler: Arc<H>,
        services: Vec<Service>,
    ) -> Result<Applied, BindError> {
        let ours: Vec<_> =
            self.open.iter().map(|open| (&*open.service.name, &open.bound)).collect();
        let planned = plan(&services, &ours)?;

        let standing: Vec<_> = services.iter().map(|service| self.counts.stand(service)).collect();
        let before: Vec<_> = self.listening().collect();
        let mut old: Vec<_> = mem::take(&mut self.open).into_iter().map(Some).collect();
        let taken = planned.into_iter().map(|planned| {
            let kept = planned.kept.and_then(|index| old[index].take());
            (Arc::clone(&standing[planned.service]), planned, kept.map(|open| open.close))
        });
        let next: Vec<_> = taken.collect();
        close(old.into_iter().flatten()).await;

        let behind = next.iter().map(|(service, it, _)| (it.bound.local, Arc::clone(service)));
        let services = behind.collect::<HashMap<SocketAddr, _>>();
        self.current.send_replace(Arc::new(Generation { handler, services }));

        for (service, Planned { bound, covered, .. }, close) in next {
            let open = match close {
                Some(close) => Open { service, bound, covered, close },
                None => self.accept(service, bound),
            };
            self.open.push(open);
        }
        Ok(Applied::between(before, self.listening().collect()))
    }

    fn listening(&self) -> impl Iterator<Item = (String, SocketAddr)> {
        let named = self.open.iter().filter(|open| !open.covered);
        named.map(|open| (open.service.name.to_string(), open.bound.local))
    }

    fn accept(&mut self, service: Arc<Standing>, bound: Bound) -> Open {
        let (current, stopping) = (self.current.subscribe(), self.stopping.subscribe());
        let (listener, close) = Listener::new(&bound, current, stopping, self.drain);
        self.listeners.spawn(listener.serve());
        Open { service, bound, covered: false, close }
    }

    /// Waits until a closed listener has no connection left; `None` where no listener is.
    pub(crate) async fn listener_ended(&mut self) -> Option<()> {
        self.listeners.join_next().await.map(|ended| {
            count(ended);
        })
    }

    /// Stops accepting, and waits for the connections.
    pub(crate) async fn stop(mut self) -> Drained {
        self.stopping.send_replace(true);
        // Each listener closes its socket when it is the last to have it.
        self.open.clear();
        let mut drained = Drained::default();
        while let Some(ended) = self.listeners.join_next().await {
            let one = count(ended);
            drained.finished += one.finished;
            drained.cut += one.cut;
        }
        drained
    }
}

/// Returns when their sockets are closed.
async fn close(listeners: impl Iterator<Item = Open>) {
    let closing: Vec<_> = listeners.map(|open| open.close.begin()).collect();
    for closed in closing {
        // It ends by being dropped, whatever became of the listener.
        let _ = closed.await;
    }
}

fn count(ended: Result<Drained, JoinError>) -> Drained {
    ended.unwrap_or_else(|error| {
        log_panic("listener", &error);
        Drained::default()
    })
}
