//! The same connections over loopback.
//!
//! Does: put each side in a thread of its own, with `smtp-server` or `smtp-client` as the subject, or
//! tokio-rustls or tokio-openssl alone, and take the processor's time of each thread. Does not: tell
//! the phases of a connection apart; one in clear and one under SMTPS do. Fails: by panicking.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use smtp_client::{Client, Route};
use smtp_proto::server::Verdict;
use smtp_proto::wire::{ClientName, Detail, Rcpt, Refusal};
use smtp_server::discard::{Discard, DiscardSink};
use smtp_server::{Admission, ConnectionPolicy, Context, HandlerSession, Peer, Server, Service};
use smtp_tls::{Acceptor, ClientPolicy};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{mpsc, oneshot};

use super::bare::alone;
use super::case::{Case, Path, Side};
use super::material::Material;
use super::run::{Who, backend};
use super::script::{HOST, NAME};

/// Both sides over loopback, ready for any number of connections, one after the other.
#[derive(Debug)]
pub struct Sockets {
    asked: Option<mpsc::UnboundedSender<oneshot::Sender<Duration>>>,
    server: Option<JoinHandle<()>>,
    runtime: Runtime,
    caller: Caller,
}

enum Caller {
    Ours(Box<Client>, Route, Box<ClientPolicy>),
    Alone(alone::Client, SocketAddr),
}

enum Listener {
    Ours(ConnectionPolicy),
    Alone(alone::Server),
}

impl Sockets {
    /// Makes both sides, and lets them have a few connections. Without a case they speak in clear.
    #[must_use]
    pub fn new(who: Who, side: Side, case: Option<Case>, material: &Material) -> Self {
        let listener = match (who, side) {
            (Who::Ours, Side::Server) => Listener::Ours(connection_policy(case, material)),
            (Who::Bare, Side::Server) => Listener::Alone(alone::Server::subject(case, material)),
            (_, Side::Client) => Listener::Alone(alone::Server::peer(case, material)),
        };
        let (asked, asking) = mpsc::unbounded_channel();
        let (bound, address) = std::sync::mpsc::channel();
        let server = thread::spawn(move || {
            runtime().block_on(listen(listener, asking, |address| {
                bound.send(address).expect("somebody waits for it");
            }));
        });
        let address = address.recv().expect("it listens");
        let caller = match (who, side) {
            (Who::Ours, Side::Client) => {
                let mut config = smtp_client::Config::new(ClientName::parse(NAME).expect("a name"));
                config.backend = case.map(|case| backend(case.library));
                let route = Route::new(address.ip().to_string(), address.port());
                let policy = client_policy(case, material);
                Caller::Ours(Box::new(Client::new(config)), route, Box::new(policy))
            }
            (Who::Bare, Side::Client) => {
                Caller::Alone(alone::Client::subject(case, material), address)
            }
            (_, Side::Server) => Caller::Alone(alone::Client::peer(case, material), address),
        };
        let sockets = Self { asked: Some(asked), server: Some(server), runtime: runtime(), caller };
        let _ = sockets.run(3);
        sockets
    }

    /// Goes through some connections; gives the processor's time of the server and of the client for
    /// each of them.
    #[must_use]
    pub fn run(&self, connections: u32) -> (Duration, Duration) {
        let server = self.server_time();
        let client = thread_time();
        self.runtime.block_on(async {
            for _ in 0..connections {
                self.caller.call().await;
            }
        });
        let client = thread_time() - client;
        ((self.server_time() - server) / connections, client / connections)
    }

    fn server_time(&self) -> Duration {
        let (answer, answered) = oneshot::channel();
        let asked = self.asked.as_ref().expect("it is asked as long as it lives");
        asked.send(answer).expect("the server is there");
        answered.blocking_recv().expect("the server answers")
    }
}

impl Drop for Sockets {
    fn drop(&mut self) {
        self.asked = None;
        if let Some(Err(_)) = self.server.take().map(JoinHandle::join)
            && !thread::panicking()
        {
            panic!("the server panicked");
        }
    }
}

impl Caller {
    async fn call(&self) {
        match self {
            Self::Ours(client, route, policy) => {
                let connection = client.open(route, policy).await.expect("a connection");
                connection.quit().await;
            }
            Self::Alone(client, address) => {
                let socket = TcpStream::connect(address).await.expect("connected");
                socket.set_nodelay(true).expect("an option");
                client.send(socket).await;
            }
        }
    }
}

impl std::fmt::Debug for Caller {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Caller")
    }
}

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().expect("a runtime")
}

fn thread_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::try_from(time).expect("time that was spent")
}

fn connection_policy(case: Option<Case>, material: &Material) -> ConnectionPolicy {
    let policy = ConnectionPolicy::new(Arc::new(smtp_proto::server::Config::new(HOST)));
    let Some(case) = case else { return policy };
    let acceptor = Acceptor::new(backend(case.library), &material.server_policy(&case));
    let acceptor = acceptor.expect("an acceptor");
    match case.path {
        Path::StartTls => policy.with_starttls(acceptor),
        Path::Smtps => policy.with_implicit_tls(acceptor),
    }
}

fn client_policy(case: Option<Case>, material: &Material) -> ClientPolicy {
    let Some(case) = case else { return ClientPolicy::plaintext() };
    let mut policy = material.client_policy(&case);
    policy.server_name = Some(HOST.into());
    policy
}

struct NoMail;

impl HandlerSession for NoMail {
    type Sink = DiscardSink;

    async fn rcpt(&mut self, _: &Context<'_>, _: Rcpt<'_>) -> Verdict {
        Verdict::Refuse(Refusal::permanent(Detail::new(7, 1), "nobody"))
    }

    async fn data(&mut self, _: &Context<'_>) -> Result<DiscardSink, Refusal> {
        Ok(Discard::default().sink())
    }
}

/// Serves until nobody can ask any more; who asks is told how much time the thread has taken.
async fn listen(
    listener: Listener,
    mut asking: mpsc::UnboundedReceiver<oneshot::Sender<Duration>>,
    bound: impl FnOnce(SocketAddr),
) {
    let told = async move {
        while let Some(answer) = asking.recv().await {
            // Connections that end are let end first: their client does not wait for it.
            tokio::time::sleep(Duration::from_millis(2)).await;
            answer.send(thread_time()).expect("somebody waits for it");
        }
    };
    let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    match listener {
        Listener::Ours(policy) => {
            let mut server = Server::new(|_: &Peer<'_>| Admission::Serve(NoMail));
            let service = Service::new("bench", vec![any], policy);
            bound(server.bind(service).expect("an address")[0]);
            server.serve(told).await;
        }
        Listener::Alone(server) => {
            let listener = TcpListener::bind(any).await.expect("an address");
            bound(listener.local_addr().expect("an address"));
            let server = Arc::new(server);
            let accept = async {
                loop {
                    let (socket, _) = listener.accept().await.expect("a connection");
                    socket.set_nodelay(true).expect("an option");
                    let server = Arc::clone(&server);
                    tokio::spawn(async move { server.serve(socket).await });
                }
            };
            tokio::select! {
                () = told => {}
                () = accept => {}
            }
        }
    }
}
