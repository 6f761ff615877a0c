//! One connection in memory, both sides on one thread.

use std::future::Future;
use std::hint::black_box;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

use smtp_tls::{Acceptor, Backend, Connector};

use super::bare;
use super::bare::rustls::Outcome;
use super::case::{Case, Group, Library, Side, Tls};
use super::clock::{Clock, Phase, Spent};
use super::material::Material;
use super::memory;
use super::ours;

/// Connections before the first that counts.
const WARM: usize = 3;

/// Whose side is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    /// This workspace's.
    Ours,
    /// The library alone.
    Bare,
}

/// Subject and peer, ready for any number of connections.
#[derive(Debug)]
pub struct Prepared {
    case: Case,
    subject: Subject,
    peer: Peer,
}

/// What a connection was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// What the subject took.
    pub spent: Spent,
    /// Octets that it was sent, and that it sent.
    pub octets: (usize, usize),
    /// The suite and the group, as the peer knows them.
    pub negotiated: String,
}

enum Subject {
    OurServer(ours::Server),
    OurClient(ours::Client),
    RustlsServer(bare::rustls::Server),
    RustlsClient(bare::rustls::Client),
    #[cfg(feature = "openssl")]
    OpenSslServer(bare::openssl::Server),
    #[cfg(feature = "openssl")]
    OpenSslClient(bare::openssl::Client),
}

enum Peer {
    Server(bare::rustls::Server),
    Client(bare::rustls::Client),
}

impl Prepared {
    /// Makes both sides, and lets them have a few connections. The material has a key of the case's
    /// kind.
    ///
    /// # Panics
    ///
    /// If the case is not possible here.
    #[must_use]
    pub fn new(who: Who, case: Case, material: &Material) -> Self {
        let backend = backend(case.library);
        let subject = match (who, case.side, case.library) {
            (Who::Ours, Side::Server, _) => {
                let policy = material.server_policy(&case);
                let acceptor = Acceptor::new(backend, &policy).expect("an acceptor");
                let judge = policy.judge();
                Subject::OurServer(ours::Server::new(acceptor, judge, case.path))
            }
            (Who::Ours, Side::Client, _) => {
                let policy = material.client_policy(&case);
                let connector = Connector::new(backend, &policy).expect("a connector");
                Subject::OurClient(ours::Client::new(connector, policy))
            }
            (Who::Bare, Side::Server, Library::Rustls) => {
                Subject::RustlsServer(bare::rustls::Server::subject(&case, material))
            }
            (Who::Bare, Side::Client, Library::Rustls) => {
                Subject::RustlsClient(bare::rustls::Client::subject(&case, material))
            }
            #[cfg(feature = "openssl")]
            (Who::Bare, Side::Server, Library::OpenSsl) => {
                Subject::OpenSslServer(bare::openssl::Server::subject(&case, material))
            }
            #[cfg(feature = "openssl")]
            (Who::Bare, Side::Client, Library::OpenSsl) => {
                Subject::OpenSslClient(bare::openssl::Client::subject(&case, material))
            }
            #[cfg(not(feature = "openssl"))]
            (_, _, Library::OpenSsl) => panic!("built without OpenSSL"),
        };
        let peer = match case.side {
            Side::Server => Peer::Client(bare::rustls::Client::peer(&case, material)),
            Side::Client => Peer::Server(bare::rustls::Server::peer(&case, material)),
        };
        let prepared = Self { case, subject, peer };
        // Uncounted: what happens once, and what a resumed one needs before it.
        for _ in 0..WARM {
            prepared.connect(false);
        }
        prepared
    }

    /// Goes through one connection.
    ///
    /// # Panics
    ///
    /// If it is not one of the case.
    #[must_use]
    pub fn run(&self) -> Seen {
        let (seen, outcome, resumed) = self.connect(true);
        let case = &self.case;
        let group = match (case.tls, case.resumed, case.group) {
            (Tls::V12, true, _) => None,
            (_, _, Group::X25519) => Some(rustls::NamedGroup::X25519),
            (_, _, Group::X25519MlKem768) => Some(rustls::NamedGroup::X25519MLKEM768),
        };
        let is_of_case = outcome.resumed == case.resumed
            && resumed == case.resumed
            && outcome.tls13 == (case.tls == Tls::V13)
            && outcome.group == group;
        assert!(is_of_case, "{case}: {outcome:?}, {resumed}");
        seen
    }

    fn connect(&self, counted: bool) -> (Seen, Outcome, bool) {
        let (near, far) = memory::pair();
        let meter = near.meter();
        let (clock, untimed) = (Clock::default(), Clock::default());
        let subject = pin!(async {
            let resumed = match &self.subject {
                Subject::OurServer(server) => server.serve(near, &clock).await,
                Subject::OurClient(client) => client.send(near, &clock).await,
                Subject::RustlsServer(server) => server.serve(near, &clock).await.resumed,
                Subject::RustlsClient(client) => client.send(near, &clock).await.resumed,
                #[cfg(feature = "openssl")]
                Subject::OpenSslServer(server) => server.serve(near, &clock).await,
                #[cfg(feature = "openssl")]
                Subject::OpenSslClient(client) => client.send(near, &clock).await,
            };
            clock.enter(Phase::Close);
            resumed
        });
        let peer = pin!(async {
            match &self.peer {
                Peer::Server(server) => server.serve(far, &untimed).await,
                Peer::Client(client) => client.send(far, &untimed).await,
            }
        });
        let (resumed, outcome) = drive(subject, peer, &clock, counted);
        let negotiated = format!("{:?} {:?}", outcome.suite, outcome.group);
        let seen = Seen { spent: clock.spent(), octets: meter.carried(), negotiated };
        (seen, outcome, resumed)
    }
}

pub(super) const fn backend(library: Library) -> Backend {
    match library {
        Library::Rustls => Backend::Rustls,
        Library::OpenSsl => Backend::OpenSsl,
    }
}

impl std::fmt::Debug for Subject {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Subject")
    }
}

impl std::fmt::Debug for Peer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Peer")
    }
}

/// Lets each side go on in turn, until both are done.
fn drive<S, P>(
    mut subject: Pin<&mut impl Future<Output = S>>,
    mut peer: Pin<&mut impl Future<Output = P>>,
    clock: &Clock,
    counted: bool,
) -> (S, P) {
    /// More turns than any connection takes: a pair that waits for each other is a panic.
    const TURNS: usize = 100;
    let mut context = Context::from_waker(Waker::noop());
    let (mut served, mut sent) = (None, None);
    for _ in 0..TURNS {
        if served.is_none() {
            clock.resume();
            let polled = match counted {
                true => poll_subject(subject.as_mut(), &mut context),
                false => subject.as_mut().poll(&mut context),
            };
            clock.pause();
            if let Poll::Ready(done) = polled {
                served = Some(done);
            }
        }
        if sent.is_none()
            && let Poll::Ready(done) = peer.as_mut().poll(&mut context)
        {
            sent = Some(done);
        }
        if let (true, true) = (served.is_some(), sent.is_some())
            && let (Some(served), Some(sent)) = (served.take(), sent.take())
        {
            return (served, sent);
        }
    }
    panic!("both sides wait for each other");
}

/// The one function in which a subject's work is done, where it counts: whoever counts instructions
/// counts in here.
#[inline(never)]
pub fn poll_subject<F: Future>(subject: Pin<&mut F>, context: &mut Context<'_>) -> Poll<F::Output> {
    black_box(subject.poll(context))
}
