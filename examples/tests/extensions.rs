//! The client and the server over loopback sockets, under TLS of each library: AUTH, BDAT, LMTP.
#![cfg(any(feature = "rustls", feature = "openssl"))]
#![allow(clippy::unwrap_used)]

use std::future::pending;
use std::io;
use std::mem;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use smtp_client::wire::{BodyType, ClientName, MailParameters};
use smtp_client::{
    AuthRecord, Client, Config, Message, Recipient, Report, Route, Sender, TlsRecord,
};
use smtp_proto::server::{Commit, Verdict};
use smtp_proto::wire::sasl::Exchange;
use smtp_proto::wire::{Capability, Detail, Rcpt, Refusal};
use smtp_server::auth::{Authentication, Passwords};
use smtp_server::{
    Acceptor, Admission, ConnectionPolicy, Context, HandlerSession, Peer, Server, Service, Sink,
};
use smtp_testkit::pki;
use smtp_tls::{Backend, ClientPolicy, Identity, ServerPolicy, pem_sections};
use tokio::task::JoinHandle;

const TEXT: &[u8] = b"Subject: hello\n\n.Hello.\n";
const RECEIVED: &[u8] = b"Subject: hello\r\n\r\n.Hello.\r\n";

/// A message as it was committed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Arrived {
    by: Option<String>,
    to: Vec<String>,
    body: Option<BodyType>,
    octets: Vec<u8>,
}

type Inbox = Arc<Mutex<Vec<Arrived>>>;

/// Takes mail for all but `nobody`; what is for `full` is refused behind the message.
struct Session {
    inbox: Inbox,
    to: Vec<String>,
    passwords: Passwords,
}

struct Draft {
    inbox: Inbox,
    message: Arrived,
    lmtp: bool,
}

impl HandlerSession for Session {
    type Sink = Draft;

    async fn authenticate(&mut self, _: &Context<'_>, exchange: Exchange<'_>) -> Authentication {
        let right = |name: String, password: smtp_client::wire::sasl::Secret| async move {
            Ok(name == "tim" && password.as_octets() == b"tanstaaf")
        };
        self.passwords.answer(exchange, right).await
    }

    async fn rcpt(&mut self, _: &Context<'_>, rcpt: Rcpt<'_>) -> Verdict {
        let address = rcpt.forward_path.as_str();
        if address.starts_with("nobody@") {
            return Verdict::Refuse(Refusal::permanent(Detail::new(1, 1), "nobody there"));
        }
        self.to.push(address.to_owned());
        Verdict::Accept
    }

    async fn data(&mut self, context: &Context<'_>) -> Result<Draft, Refusal> {
        let message = Arrived {
            by: context.authenticated.map(str::to_owned),
            to: mem::take(&mut self.to),
            body: context.body,
            octets: Vec::new(),
        };
        Ok(Draft { inbox: self.inbox.clone(), message, lmtp: context.lmtp })
    }

    fn reset(&mut self) {
        self.to.clear();
    }
}

impl Sink for Draft {
    async fn write(&mut self, octets: &[u8]) -> io::Result<()> {
        self.message.octets.extend_from_slice(octets);
        Ok(())
    }

    async fn commit(self) -> Commit {
        let one = |to: &String| match to.starts_with("full@") {
            true => Commit::Refused(Refusal::transient(Detail::new(2, 2), "full")),
            false => Commit::Accepted(None),
        };
        let commit = match self.lmtp {
            true => Commit::PerRecipient(self.message.to.iter().map(one).collect()),
            false => Commit::Accepted(None),
        };
        self.inbox.lock().unwrap().push(self.message);
        commit
    }
}

struct Running {
    address: SocketAddr,
    inbox: Inbox,
    task: JoinHandle<()>,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A server with STARTTLS, with these settings changed.
fn serve(backend: Backend, change: impl FnOnce(&mut smtp_proto::server::Config)) -> Running {
    let leaf = pki::self_signed(&["localhost"]);
    let sections = pem_sections(leaf.chain_and_key().as_bytes()).unwrap();
    let policy = ServerPolicy::new(Arc::new(Identity::from_pem_sections(&sections).unwrap()));
    let mut config = smtp_proto::server::Config::new("mx.example.com");
    change(&mut config);
    let connection = ConnectionPolicy::new(Arc::new(config))
        .with_starttls(Acceptor::new(backend, &policy).unwrap());
    let inbox = Inbox::default();
    let of = inbox.clone();
    let mut server = Server::new(move |_: &Peer<'_>| {
        Admission::Serve(Session {
            inbox: of.clone(),
            to: Vec::new(),
            passwords: Passwords::default(),
        })
    });
    let loopback = vec![SocketAddr::from(([127, 0, 0, 1], 0))];
    let addresses = server.bind(Service::new("extensions", loopback, connection)).unwrap();
    let task = tokio::spawn(async move {
        server.serve(pending()).await;
    });
    Running { address: addresses[0], inbox, task }
}

fn config(backend: Backend) -> Config {
    let mut config = Config::new(ClientName::parse("client.example.org").unwrap());
    config.backend = Some(backend);
    config
}

/// Delivers over TLS; says what became of each recipient, and what arrived.
async fn deliver(
    config: Config,
    route: &Route,
    server: &Running,
    to: &[&str],
    parameters: MailParameters<'_>,
    message: &[u8],
) -> (Report, Vec<Arrived>) {
    let to: Vec<_> = to
        .iter()
        .map(|to| Recipient::new(to, route.clone(), ClientPolicy::required()).unwrap())
        .collect();
    let sender = Sender::parse("a@example.org").unwrap().with(parameters);
    let message = Message::from_bytes(message.to_vec());
    let report = Client::new(config).deliver(&sender, &to, &message).await;
    for recipient in &report.recipients {
        assert!(matches!(recipient.tls, TlsRecord::Encrypted(_)), "{report:?}");
    }
    let arrived = mem::take(&mut *server.inbox.lock().unwrap());
    (report, arrived)
}

fn words(report: &Report) -> Vec<&'static str> {
    report.recipients.iter().map(|recipient| recipient.outcome.word()).collect()
}

fn route(server: &Running) -> Route {
    Route::new("127.0.0.1", server.address.port())
}

#[tokio::test]
async fn who_sends_is_known_by_the_right_password_alone() {
    for &backend in Backend::available() {
        let server = serve(backend, |config| {
            config.capabilities.insert(Passwords::CAPABILITY);
            config.auth_required = true;
        });
        for (password, right) in [("tanstaaf", true), ("tanstaaF", false)] {
            let authentication = smtp_client::Authentication::password("tim", password).unwrap();
            let route = route(&server).authenticated(authentication);
            let none = MailParameters::default();
            let (report, arrived) =
                deliver(config(backend), &route, &server, &["b@example.com"], none, TEXT).await;
            let entry = &report.recipients[0];
            if right {
                assert_eq!(words(&report), ["delivered"], "{backend:?}: {report:?}");
                let plain = AuthRecord::Authenticated { mechanism: "PLAIN".to_owned() };
                assert_eq!(entry.auth, plain);
                assert_eq!(arrived.len(), 1);
                assert_eq!(arrived[0].by.as_deref(), Some("tim"));
                assert_eq!(arrived[0].octets, RECEIVED);
            } else {
                assert_eq!(words(&report), ["deferred"], "{backend:?}: {report:?}");
                assert_eq!(entry.outcome.code(), 535, "{}", entry.outcome);
                assert_eq!(arrived, []);
            }
        }
    }
}

/// Neither NUL nor a lone line end goes behind DATA; a dot is nothing special in a chunk.
#[tokio::test]
async fn octets_that_are_no_lines_arrive_in_chunks_as_they_are() {
    let octets = b"\n.\r\n\0\r.\n\xff".repeat(16 * 1024);
    for &backend in Backend::available() {
        let server = serve(backend, |config| {
            config.capabilities.insert(Capability::Chunking);
            config.capabilities.insert(Capability::BinaryMime);
        });
        let binary =
            || MailParameters { body: Some(BodyType::BinaryMime), ..MailParameters::default() };
        let to = ["b@example.com", "nobody@example.com"];
        let (report, arrived) =
            deliver(config(backend), &route(&server), &server, &to, binary(), &octets).await;
        assert_eq!(words(&report), ["delivered", "rejected"], "{backend:?}: {report:?}");
        let body = Some(BodyType::BinaryMime);
        assert_eq!((arrived.len(), arrived[0].body), (1, body));
        assert_eq!(arrived[0].to, ["b@example.com"]);
        assert!(arrived[0].octets == octets, "{backend:?}");
    }
}

#[tokio::test]
async fn each_recipient_of_lmtp_has_an_outcome_of_its_own() {
    for (&backend, chunking) in
        Backend::available().iter().flat_map(|backend| [(backend, false), (backend, true)])
    {
        let server = serve(backend, |config| {
            config.lmtp = true;
            if chunking {
                config.capabilities.insert(Capability::Chunking);
            }
        });
        let mut config = config(backend);
        config.session.lmtp = true;
        let to = ["b@example.com", "nobody@example.com", "full@example.com", "c@example.com"];
        let none = MailParameters::default();
        let (report, arrived) = deliver(config, &route(&server), &server, &to, none, TEXT).await;
        let expected = ["delivered", "rejected", "deferred", "delivered"];
        assert_eq!(words(&report), expected, "{backend:?} {chunking}: {report:?}");
        let codes: Vec<_> = report.recipients.iter().map(|entry| entry.outcome.code()).collect();
        assert_eq!(codes, [250, 550, 451, 250], "{report:?}");
        assert_eq!(arrived.len(), 1);
        assert_eq!(arrived[0].to, [to[0], to[2], to[3]]);
        assert_eq!(arrived[0].octets, RECEIVED);
    }
}
