//! A server whose services and handler are changed while it serves. Each generation has a number,
//! and both its halves say it: the policy in the greeting, the handler when it is asked VRFY.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use smtp_proto::server::{Requests, Verdict};
use smtp_proto::wire::{Code, Command, Detail, Rcpt, Refusal, Reply};
use smtp_server::discard::{Discard, DiscardSink};
use smtp_server::{
    Admission, Applied, ApplyError, ConnectionPolicy, Context, Drained, Handler, HandlerSession,
    Peer, Server, ServerHandle, Service,
};
use smtp_testkit::peer;
use tokio::runtime::Runtime;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::common::{PATIENCE, config};

/// The handler of one generation.
#[derive(Debug)]
pub(crate) struct Numbered(pub(crate) usize);

/// What it made of one connection: the same word as in the greeting.
pub(crate) struct Session(String);

fn word(service: &str, number: usize) -> String {
    format!("{service}.g{number}.example")
}

impl Handler for Numbered {
    type Session = Session;

    fn connect(&self, peer: &Peer<'_>) -> Admission<Session> {
        Admission::Serve(Session(word(peer.service, self.0)))
    }
}

impl HandlerSession for Session {
    type Sink = DiscardSink;

    async fn request(&mut self, context: &Context<'_>, _: Command<'_>) -> Reply {
        assert!(self.0.starts_with(context.peer.service));
        Reply::new(Code::OK, Some(Detail::new(0, 0)), self.0.clone())
    }

    async fn rcpt(&mut self, _: &Context<'_>, _: Rcpt<'_>) -> Verdict {
        Verdict::Accept
    }

    async fn data(&mut self, _: &Context<'_>) -> Result<DiscardSink, Refusal> {
        Ok(Discard::default().sink())
    }
}

/// A service of one generation.
pub(crate) fn service(name: &str, number: usize, listen: &[SocketAddr]) -> Service {
    let mut config = config();
    config.host_name = word(name, number);
    config.greeting = word(name, number);
    config.requests = Requests { vrfy: true, ..Requests::default() };
    Service::new(name, listen.to_vec(), ConnectionPolicy::new(Arc::new(config)))
}

pub(crate) fn any_port() -> SocketAddr {
    "127.0.0.1:0".parse().unwrap()
}

/// The wildcard on the same port.
pub(crate) fn wildcard(address: SocketAddr) -> SocketAddr {
    SocketAddr::from(([0, 0, 0, 0], address.port()))
}

/// A running server.
pub(crate) struct Live {
    pub(crate) runtime: Runtime,
    pub(crate) handle: ServerHandle<Numbered>,
    /// Where each service of the first generation listens.
    pub(crate) at: Vec<SocketAddr>,
    pub(crate) stop: Option<oneshot::Sender<()>>,
    pub(crate) serving: Option<JoinHandle<Drained>>,
}

/// Serves generation 0: these services, each on a port of its own.
pub(crate) fn live(names: &[&str]) -> Live {
    live_on(Runtime::new().unwrap(), names)
}

pub(crate) fn live_on(runtime: Runtime, names: &[&str]) -> Live {
    let mut server = Server::new(Numbered(0)).with_drain_timeout(PATIENCE);
    let at = {
        let _inside = runtime.enter();
        let bind = |name: &&str| server.bind(service(name, 0, &[any_port()])).unwrap()[0];
        names.iter().map(bind).collect()
    };
    let handle = server.handle();
    let (stop, stopped) = oneshot::channel();
    let serving = runtime.spawn(server.serve(async {
        // A test that is over without a word stops its server as well.
        let _ = stopped.await;
    }));
    Live { runtime, handle, at, stop: Some(stop), serving: Some(serving) }
}

impl Live {
    pub(crate) fn try_apply(
        &self,
        number: usize,
        services: Vec<Service>,
    ) -> Result<Applied, ApplyError> {
        self.block_on(self.handle.apply(Numbered(number), services))
    }

    pub(crate) fn apply(&self, number: usize, services: &[(&str, SocketAddr)]) -> Applied {
        let of = |&(name, address)| service(name, number, &[address]);
        self.try_apply(number, services.iter().map(of).collect()).unwrap()
    }

    pub(crate) fn tell_to_stop(&mut self) {
        let _ = self.stop.take().unwrap().send(());
    }

    pub(crate) fn drained(&mut self) -> Drained {
        let serving = self.serving.take().unwrap();
        self.block_on(serving).unwrap()
    }

    pub(crate) fn block_on<F: Future>(&self, future: F) -> F::Output {
        self.runtime.block_on(async { tokio::time::timeout(PATIENCE, future).await.unwrap() })
    }
}

pub(crate) fn connect(address: SocketAddr) -> peer::Peer {
    peer::Peer::connect(address).with_patience(PATIENCE)
}

/// The word of the greeting.
pub(crate) fn greeted(peer: &mut peer::Peer) -> String {
    peer.expect_reply("220 ")[0]["220 ".len()..].to_owned()
}

/// Checks that this connection is served by one whole generation.
pub(crate) fn is_of(peer: &mut peer::Peer, service: &str, number: usize) {
    peer.ask("VRFY you", &format!("250 2.0.0 {}", word(service, number)));
    hello(peer, &word(service, number));
}

fn hello(peer: &mut peer::Peer, word: &str) {
    assert_eq!(peer.ask("EHLO a.example", "250")[0], format!("250-{word}"));
}

/// A new connection, checked in the same way.
pub(crate) fn served(address: SocketAddr, service: &str, number: usize) -> peer::Peer {
    let mut peer = connect(address);
    assert_eq!(greeted(&mut peer), word(service, number));
    hello(&mut peer, &word(service, number));
    is_of(&mut peer, service, number);
    peer
}

/// A whole small dialogue; gives the word of its generation, which every reply must have.
pub(crate) fn dialogue(address: SocketAddr) -> String {
    let mut peer = connect(address);
    let word = greeted(&mut peer);
    hello(&mut peer, &word);
    peer.ask("VRFY you", &format!("250 2.0.0 {word}"));
    peer.ask("QUIT", "221");
    peer.expect_end();
    word
}

pub(crate) fn is_closed(address: SocketAddr) -> bool {
    std::net::TcpStream::connect(address)
        .is_err_and(|error| error.kind() == std::io::ErrorKind::ConnectionRefused)
}

/// Waits until something holds.
pub(crate) fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = std::time::Instant::now() + PATIENCE;
    while !holds() {
        assert!(std::time::Instant::now() < deadline, "never: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

pub(crate) fn named(services: &[(&str, SocketAddr)]) -> Vec<(String, SocketAddr)> {
    services.iter().map(|&(name, address)| (name.to_owned(), address)).collect()
}
