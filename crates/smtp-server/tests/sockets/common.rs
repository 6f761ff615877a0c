//! A server on loopback with a Maildir, and handlers that do as a test wants.

use std::future;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use smtp_proto::server::{Commit, Config, Verdict};
use smtp_proto::wire::{Mail, Rcpt, Refusal};
use smtp_server::maildir::{Delivery, Envelope, Maildir};
use smtp_server::{
    Admission, ConnectionPolicy, Context, Drained, Handler, HandlerSession, Peer, Server, Service,
    Sink,
};
use smtp_testkit::peer;
use smtp_testkit::process::{TempDir, temp_dir};
use tokio::runtime::Runtime;
use tokio::sync::{Semaphore, oneshot};
use tokio::task::JoinHandle;

/// How long a test waits for what must come.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// What the handlers of a test share with it.
#[derive(Debug)]
pub(crate) struct Wishes {
    /// A permit lets one `write` of a sink through.
    pub(crate) writes: Semaphore,
    /// Octets that sinks took.
    pub(crate) written: AtomicUsize,
    /// A permit lets one `commit` through.
    pub(crate) commits: Semaphore,
    /// Sinks that were dropped before their commit was done.
    pub(crate) dropped: AtomicUsize,
    /// Questions that wait for ever.
    pub(crate) stalled: AtomicUsize,
    /// Calls of `reset`.
    pub(crate) resets: AtomicUsize,
    /// Whether peers are let in at all.
    pub(crate) refuse: bool,
}

impl Default for Wishes {
    fn default() -> Self {
        Self {
            writes: Semaphore::new(Semaphore::MAX_PERMITS),
            written: AtomicUsize::new(0),
            commits: Semaphore::new(Semaphore::MAX_PERMITS),
            dropped: AtomicUsize::new(0),
            stalled: AtomicUsize::new(0),
            resets: AtomicUsize::new(0),
            refuse: false,
        }
    }
}

struct Inbox {
    maildir: Maildir,
    wishes: Arc<Wishes>,
}

pub(crate) struct Session {
    maildir: Maildir,
    envelope: Envelope,
    wishes: Arc<Wishes>,
}

pub(crate) struct Gate {
    delivery: Option<Delivery>,
    wishes: Arc<Wishes>,
}

impl Handler for Inbox {
    type Session = Session;

    fn connect(&self, peer: &Peer<'_>) -> Admission<Session> {
        assert_eq!(peer.service, "smtp");
        if self.wishes.refuse {
            return Admission::Refuse;
        }
        Admission::Serve(Session {
            maildir: self.maildir.clone(),
            envelope: Envelope::default(),
            wishes: Arc::clone(&self.wishes),
        })
    }
}

impl HandlerSession for Session {
    type Sink = Gate;

    async fn mail(&mut self, _: &Context<'_>, mail: Mail<'_>) -> Verdict {
        self.envelope = Envelope::new(mail.reverse_path.as_str());
        Verdict::Accept
    }

    async fn rcpt(&mut self, context: &Context<'_>, rcpt: Rcpt<'_>) -> Verdict {
        assert!(context.hello.is_some());
        assert!(!rcpt.forward_path.as_str().starts_with("panic"), "as the test wants it");
        if rcpt.forward_path.as_str().starts_with("stall") {
            self.wishes.stalled.fetch_add(1, Ordering::SeqCst);
            future::pending::<()>().await;
        }
        self.envelope.add_recipient(rcpt.forward_path.as_str());
        Verdict::Accept
    }

    async fn data(&mut self, context: &Context<'_>) -> Result<Gate, Refusal> {
        let delivery = Some(self.maildir.deliver(context, &self.envelope));
        Ok(Gate { delivery, wishes: Arc::clone(&self.wishes) })
    }

    fn reset(&mut self) {
        self.wishes.resets.fetch_add(1, Ordering::SeqCst);
    }
}

impl Sink for Gate {
    async fn write(&mut self, octets: &[u8]) -> std::io::Result<()> {
        self.wishes.writes.acquire().await.unwrap().forget();
        self.wishes.written.fetch_add(octets.len(), Ordering::SeqCst);
        self.delivery.as_mut().unwrap().write(octets).await
    }

    async fn commit(mut self) -> Commit {
        self.wishes.commits.acquire().await.unwrap().forget();
        let delivery = self.delivery.take().unwrap();
        delivery.commit().await
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        if self.delivery.is_some() {
            self.wishes.dropped.fetch_add(1, Ordering::SeqCst);
        }
    }
}

/// A running server.
pub(crate) struct Running {
    runtime: Runtime,
    stop: Option<oneshot::Sender<()>>,
    serving: Option<JoinHandle<Drained>>,
    root: TempDir,
    pub(crate) address: SocketAddr,
    pub(crate) wishes: Arc<Wishes>,
}

pub(crate) fn config() -> Config {
    Config::new("mx.example")
}

pub(crate) fn clear() -> ConnectionPolicy {
    ConnectionPolicy::new(Arc::new(config()))
}

pub(crate) fn start(policy: ConnectionPolicy) -> Running {
    start_with(policy, 100, Duration::from_secs(20), Wishes::default())
}

pub(crate) fn start_with(
    policy: ConnectionPolicy,
    concurrency: usize,
    drain: Duration,
    wishes: Wishes,
) -> Running {
    let inbox = |maildir, wishes| Inbox { maildir, wishes };
    start_handler(inbox, policy, concurrency, drain, wishes)
}

/// The same with a handler of the test's own.
pub(crate) fn start_handler<H: Handler>(
    handler: impl FnOnce(Maildir, Arc<Wishes>) -> H,
    policy: ConnectionPolicy,
    concurrency: usize,
    drain: Duration,
    wishes: Wishes,
) -> Running {
    let runtime = Runtime::new().unwrap();
    let root = temp_dir();
    let wishes = Arc::new(wishes);
    let maildir = Maildir::open(root.path().join("inbox"), "mx.example").unwrap();
    let inbox = handler(maildir, Arc::clone(&wishes));
    let (stop, stopped) = oneshot::channel();
    let mut server = Server::new(inbox).with_drain_timeout(drain);
    let address = {
        let _inside = runtime.enter();
        let service = Service::new("smtp", vec!["127.0.0.1:0".parse().unwrap()], policy)
            .with_concurrency(concurrency);
        server.bind(service).unwrap()[0]
    };
    assert_eq!(server.listening().collect::<Vec<_>>(), [("smtp", address)]);
    let serving = runtime.spawn(server.serve(async {
        // A test that is over without a word stops its server as well.
        let _ = stopped.await;
    }));
    Running { runtime, stop: Some(stop), serving: Some(serving), root, address, wishes }
}

impl Running {
    pub(crate) fn connect(&self) -> peer::Peer {
        peer::Peer::connect(self.address).with_patience(PATIENCE)
    }

    /// A peer that has read the greeting and said EHLO.
    pub(crate) fn greeted(&self) -> peer::Peer {
        let mut peer = self.connect();
        peer.expect_reply("220");
        peer.ask("EHLO a.example", "250");
        peer
    }

    /// A peer that may send its message.
    pub(crate) fn in_data(&self) -> peer::Peer {
        let mut peer = self.greeted();
        peer.ask("MAIL FROM:<s@a.example>", "250");
        peer.ask("RCPT TO:<r@b.example>", "250");
        peer.ask("DATA", "354");
        peer
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

    pub(crate) fn files(&self, folder: &str) -> Vec<PathBuf> {
        let folder = self.root.path().join("inbox").join(folder);
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect()
    }

    pub(crate) fn messages(&self) -> Vec<String> {
        let read = |path| std::fs::read_to_string(path).unwrap();
        self.files("new").into_iter().map(read).collect()
    }

    /// Waits until something holds.
    pub(crate) fn until(&self, what: &str, mut holds: impl FnMut(&Self) -> bool) {
        for _ in 0..1000 {
            if holds(self) {
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!("never: {what}");
    }

    /// Waits until a message was dropped and nothing of it is left.
    pub(crate) fn nothing_is_kept(&self) {
        self.until("nothing is left in tmp", |running| running.files("tmp").is_empty());
        assert_eq!(self.messages(), [""; 0]);
    }
}
