//! What stands behind the listeners at one time.
//!
//! Does: hold handler and services as one thing that is replaced whole, and count the connections
//! of a service over all generations. Does not: accept, or end a connection. Fails: nothing here
//! fails.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak};

use crate::config::{ConnectionPolicy, Service};

/// A handler, and the service of every listener. Who is accepted takes its part and leaves the
/// rest, so that one long connection does not keep a generation alive.
#[derive(Debug)]
pub(crate) struct Generation<H> {
    pub(crate) handler: Arc<H>,
    pub(crate) services: HashMap<SocketAddr, Arc<Standing>>,
}

/// A service, as connections need it.
#[derive(Debug)]
pub(crate) struct Standing {
    pub(crate) name: Arc<str>,
    pub(crate) policy: Arc<ConnectionPolicy>,
    concurrency: usize,
    open: Arc<AtomicUsize>,
}

impl Standing {
    /// A place under the cap, if there is one.
    pub(crate) fn place(&self) -> Option<Place> {
        let under = |open| (open < self.concurrency).then(|| open + 1);
        let taken = self.open.fetch_update(Ordering::Relaxed, Ordering::Relaxed, under);
        taken.ok().map(|_| Place(Arc::clone(&self.open)))
    }
}

/// One connection among those of its service; dropped, it is free again.
#[derive(Debug)]
pub(crate) struct Place(Arc<AtomicUsize>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The open connections of every service that has some, or that listens.
#[derive(Debug, Default)]
pub(crate) struct Counts(HashMap<Arc<str>, Weak<AtomicUsize>>);

impl Counts {
    /// A service with the connections that others of its name have left it.
    pub(crate) fn stand(&mut self, service: &Service) -> Arc<Standing> {
        self.0.retain(|_, open| open.strong_count() > 0);
        let name: Arc<str> = service.name.as_str().into();
        let known = self.0.get(&name).and_then(Weak::upgrade);
        let open = known.unwrap_or_default();
        self.0.insert(Arc::clone(&name), Arc::downgrade(&open));
        let policy = Arc::clone(&service.policy);
        Arc::new(Standing { name, policy, concurrency: service.concurrency, open })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use smtp_proto::server::Config;

    fn service(name: &str, concurrency: usize) -> Service {
        let policy = ConnectionPolicy::new(Arc::new(Config::new("mx.example.org")));
        Service::new(name, Vec::new(), policy).with_concurrency(concurrency)
    }

    #[test]
    fn a_cap_counts_the_connections_of_earlier_generations() {
        let mut counts = Counts::default();
        let first = counts.stand(&service("smtp", 3));
        let mut places: Vec<_> = (0..3).map(|_| first.place().unwrap()).collect();
        assert!(first.place().is_none());
        drop(first);
        // It is gone, and comes again with a lower cap.
        let other = counts.stand(&service("smtps", 1));
        let second = counts.stand(&service("smtp", 2));
        assert!(second.place().is_none() && other.place().is_some());
        places.pop();
        assert!(second.place().is_none());
        places.pop();
        assert!(second.place().is_some());
    }

    #[test]
    fn a_service_that_is_gone_leaves_nothing() {
        let mut counts = Counts::default();
        for n in 0..100 {
            drop(counts.stand(&service(&n.to_string(), 1)));
        }
        assert_eq!(counts.0.len(), 1);
    }
}
