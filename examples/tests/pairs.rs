//! The client and the server over loopback sockets: every TLS mode of the server, every outgoing
//! policy, and each TLS library on each side.
#![cfg(any(feature = "rustls", feature = "openssl"))]
#![allow(clippy::unwrap_used)]

use std::future::pending;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use smtp_client::session::{Cause, Phase};
use smtp_client::{
    Client, Message, Outcome, Reason, Recipient, Route, Sender, TlsRecord, WhyClear,
};
use smtp_proto::server::{Commit, Tls, Verdict};
use smtp_proto::wire::{ClientName, Rcpt, Refusal};
use smtp_server::{
    Acceptor, Admission, ConnectionPolicy, Context, Handler, HandlerSession, Peer, Server, Service,
    Sink,
};
use smtp_testkit::pki::{self, Authority, Key, Leaf, Validity};
use smtp_tls::{
    Backend, Certificate, CertificateProblem, ClientPolicy, Fallback, HandshakeError, Identity,
    Level, Resumption, Roots, ServerPolicy, TlsInfo, TlsRefusal, Version, pem_sections,
};
use tokio::task::{JoinHandle, JoinSet};

const NAME: &str = "mx.example.com";
const BODY: &[u8] = b"Subject: pair\n\n.\n..dots\nend\n";
const RECEIVED: &[u8] = b"Subject: pair\r\n\r\n.\r\n..dots\r\nend\r\n";

/// A message that reached the server's sink and was committed there.
#[derive(Debug)]
struct Arrived {
    recipients: Vec<String>,
    tls: Option<TlsInfo>,
    octets: Vec<u8>,
}

#[derive(Clone, Debug, Default)]
struct Inbox(Arc<Mutex<Vec<Arrived>>>);

#[derive(Debug)]
struct Transaction {
    inbox: Inbox,
    recipients: Vec<String>,
}

#[derive(Debug)]
struct Draft(Inbox, Arrived);

impl Handler for Inbox {
    type Session = Transaction;
    fn connect(&self, _: &Peer<'_>) -> Admission<Transaction> {
        Admission::Serve(Transaction { inbox: self.clone(), recipients: Vec::new() })
    }
}

impl HandlerSession for Transaction {
    type Sink = Draft;
    async fn rcpt(&mut self, _: &Context<'_>, rcpt: Rcpt<'_>) -> Verdict {
        self.recipients.push(rcpt.forward_path.as_str().to_owned());
        Verdict::Accept
    }
    async fn data(&mut self, context: &Context<'_>) -> Result<Draft, Refusal> {
        let arrived = Arrived {
            recipients: std::mem::take(&mut self.recipients),
            tls: context.tls.cloned(),
            octets: Vec::new(),
        };
        Ok(Draft(self.inbox.clone(), arrived))
    }
    fn reset(&mut self) {
        self.recipients.clear();
    }
}

impl Sink for Draft {
    async fn write(&mut self, octets: &[u8]) -> io::Result<()> {
        self.1.octets.extend_from_slice(octets);
        Ok(())
    }
    async fn commit(self) -> Commit {
        self.0.0.lock().unwrap().push(self.1);
        Commit::Accepted(None)
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

fn serve(mode: Tls, backend: Backend, policy: &ServerPolicy, idle: Duration) -> Running {
    let smtp = smtp_proto::server::Config::new(NAME);
    let connection = ConnectionPolicy::new(Arc::new(smtp)).with_idle_timeout(idle);
    let acceptor = || Acceptor::new(backend, policy).unwrap();
    let connection = match mode {
        Tls::Unavailable => connection,
        Tls::StartTls => connection.with_starttls(acceptor()),
        Tls::Implicit => connection.with_implicit_tls(acceptor()),
    };
    let inbox = Inbox::default();
    let mut server = Server::new(inbox.clone());
    let loopback = vec![SocketAddr::from(([127, 0, 0, 1], 0))];
    let addresses = server.bind(Service::new("pair", loopback, connection)).unwrap();
    let task = tokio::spawn(async move {
        server.serve(pending()).await;
    });
    Running { address: addresses[0], inbox, task }
}

fn client(backend: Backend) -> Client {
    let name = ClientName::parse("client.example.org").unwrap();
    let mut config = smtp_client::Config::new(name);
    config.backend = Some(backend);
    Client::new(config)
}

/// What one delivery showed on both sides.
#[derive(Debug)]
struct Seen {
    outcome: Outcome,
    tls: TlsRecord,
    arrived: Vec<Arrived>,
}

async fn deliver(client: &Client, server: &Running, policy: ClientPolicy) -> Seen {
    let route = Route::new("127.0.0.1", server.address.port());
    let recipient = Recipient::new("b@example.com", route, policy).unwrap();
    let sender = Sender::parse("a@example.org").unwrap();
    let report = client.deliver(&sender, &[recipient], &Message::from_bytes(BODY)).await;
    let [entry] = <[_; 1]>::try_from(report.recipients).expect("one entry for one recipient");
    let arrived = std::mem::take(&mut *server.inbox.0.lock().unwrap());
    Seen { outcome: entry.outcome, tls: entry.tls, arrived }
}

fn server_policy(leaf: &Leaf) -> ServerPolicy {
    let sections = pem_sections(leaf.chain_and_key().as_bytes()).unwrap();
    ServerPolicy::new(Arc::new(Identity::from_pem_sections(&sections).unwrap()))
}

fn roots(authority: &Authority) -> Roots {
    let sections = pem_sections(authority.certificate().as_bytes()).unwrap();
    Roots::Pem(sections.iter().map(|section| Certificate::from_der(section.der.clone())).collect())
}

fn client_policy(level: Level, implicit: bool, roots: &Roots) -> ClientPolicy {
    let policy = ClientPolicy::verified(roots.clone());
    ClientPolicy { level, implicit, server_name: Some(NAME.to_owned()), ..policy }
}

/// Each library on each side: (server, client).
fn sides() -> impl Iterator<Item = (Backend, Backend)> {
    let all = Backend::available();
    all.iter().flat_map(move |&server| all.iter().map(move |&client| (server, client)))
}

fn run(test: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap().block_on(test);
}

fn assert_delivered(seen: &Seen, case: &str) {
    assert!(seen.outcome.is_delivered(), "{case}: {seen:?}");
    let [arrived] = seen.arrived.as_slice() else { panic!("{case}: {seen:?}") };
    assert_eq!(arrived.recipients, ["b@example.com"], "{case}");
    assert_eq!(arrived.octets, RECEIVED, "{case}");
}

fn assert_encrypted(
    seen: &Seen,
    (server, client): (Backend, Backend),
    version: Version,
    case: &str,
) {
    assert_delivered(seen, case);
    let TlsRecord::Encrypted(ours) = &seen.tls else { panic!("{case}: {seen:?}") };
    let Some(theirs) = &seen.arrived[0].tls else { panic!("{case}: {seen:?}") };
    assert_eq!((ours.backend, theirs.backend), (client, server), "{case}");
    assert_eq!((ours.version, theirs.version), (version, version), "{case}");
    assert_eq!(ours.suite, theirs.suite, "{case}");
    assert_eq!(ours.suite_iana, theirs.suite_iana, "{case}");
    assert_eq!(ours.resumed, theirs.resumed, "{case}");
    for side in [ours, theirs] {
        assert_eq!(side.server_name.as_deref(), Some(NAME), "{case}: {side:?}");
    }
    // A library may not tell its group, and no two tell another.
    if let (Some(ours), Some(theirs)) = (&ours.group, &theirs.group) {
        assert_eq!(ours, theirs, "{case}");
    }
}

/// Whether this is the reason for which a message should be deferred.
type Wanted = fn(&Reason) -> bool;

fn assert_deferred(seen: &Seen, wanted: Wanted, case: &str) {
    let Outcome::Deferred { reason, may_have_been_accepted } = &seen.outcome else {
        panic!("{case}: {seen:?}");
    };
    assert!(wanted(reason), "{case}: {seen:?}");
    assert!(!may_have_been_accepted, "{case}");
    assert!(seen.arrived.is_empty(), "{case}: {seen:?}");
    assert!(!matches!(seen.tls, TlsRecord::Encrypted(_)), "{case}: {seen:?}");
}

#[derive(Clone, Copy, Debug)]
enum Expected {
    Encrypted,
    Clear(WhyClearKind),
    /// TLS is required and not offered.
    NotOffered,
    /// The client shakes hands with a server that speaks first, in clear.
    NotTls,
    /// The client waits for a greeting that only comes behind a handshake.
    NoGreeting,
}

#[derive(Clone, Copy, Debug)]
enum WhyClearKind {
    Policy,
    NotOffered,
}

/// (mode of the server, level, TLS from the first octet) and what comes of it.
const TABLE: [(Tls, Level, bool, Expected); 24] = {
    use Expected::{Clear, Encrypted, NoGreeting, NotOffered, NotTls};
    use WhyClearKind as Why;
    [
        (Tls::Unavailable, Level::None, false, Clear(Why::Policy)),
        (Tls::Unavailable, Level::Opportunistic, false, Clear(Why::NotOffered)),
        (Tls::Unavailable, Level::Required, false, NotOffered),
        (Tls::Unavailable, Level::Verified, false, NotOffered),
        (Tls::Unavailable, Level::None, true, NotTls),
        (Tls::Unavailable, Level::Opportunistic, true, NotTls),
        (Tls::Unavailable, Level::Required, true, NotTls),
        (Tls::Unavailable, Level::Verified, true, NotTls),
        (Tls::StartTls, Level::None, false, Clear(Why::Policy)),
        (Tls::StartTls, Level::Opportunistic, false, Encrypted),
        (Tls::StartTls, Level::Required, false, Encrypted),
        (Tls::StartTls, Level::Verified, false, Encrypted),
        (Tls::StartTls, Level::None, true, NotTls),
        (Tls::StartTls, Level::Opportunistic, true, NotTls),
        (Tls::StartTls, Level::Required, true, NotTls),
        (Tls::StartTls, Level::Verified, true, NotTls),
        (Tls::Implicit, Level::None, false, NoGreeting),
        (Tls::Implicit, Level::Opportunistic, false, NoGreeting),
        (Tls::Implicit, Level::Required, false, NoGreeting),
        (Tls::Implicit, Level::Verified, false, NoGreeting),
        (Tls::Implicit, Level::None, true, Encrypted),
        (Tls::Implicit, Level::Opportunistic, true, Encrypted),
        (Tls::Implicit, Level::Required, true, Encrypted),
        (Tls::Implicit, Level::Verified, true, Encrypted),
    ]
};

#[test]
fn every_mode_meets_every_policy_with_each_library_on_each_side() {
    let authority = Authority::root("test root");
    let server_policy = server_policy(&authority.issue(&[NAME]));
    let roots = roots(&authority);
    run(async {
        let mut cases = JoinSet::new();
        for ((mode, level, implicit, expected), sides) in
            TABLE.into_iter().flat_map(|row| sides().map(move |sides| (row, sides)))
        {
            let (server_policy, roots) = (server_policy.clone(), roots.clone());
            cases.spawn(async move {
                // Where both sides wait, the server is the one that gives up, and soon.
                let idle = match expected {
                    Expected::NoGreeting => Duration::from_millis(300),
                    _ => Duration::from_secs(60),
                };
                let server = serve(mode, sides.0, &server_policy, idle);
                let policy = client_policy(level, implicit, &roots);
                let seen = deliver(&client(sides.1), &server, policy).await;
                let case = format!("{mode:?} {level:?} implicit={implicit} {sides:?}");
                check(&seen, expected, sides, &case);
            });
        }
        assert_eq!(cases.len(), TABLE.len() * sides().count());
        while let Some(case) = cases.join_next().await {
            if let Err(error) = case {
                std::panic::resume_unwind(error.into_panic());
            }
        }
    });
}

fn check(seen: &Seen, expected: Expected, sides: (Backend, Backend), case: &str) {
    match expected {
        Expected::Encrypted => assert_encrypted(seen, sides, Version::Tls13, case),
        Expected::Clear(why) => {
            assert_delivered(seen, case);
            assert_eq!(seen.arrived[0].tls, None, "{case}");
            let why = match why {
                WhyClearKind::Policy => WhyClear::Policy,
                WhyClearKind::NotOffered => WhyClear::NotOffered,
            };
            assert_eq!(seen.tls, TlsRecord::Clear(why), "{case}");
        }
        Expected::NotOffered => assert_deferred(
            seen,
            |reason| matches!(reason, Reason::Tls { refusal: TlsRefusal::NotOffered, .. }),
            case,
        ),
        Expected::NotTls => assert_deferred(
            seen,
            |reason| matches!(reason, Reason::Handshake(HandshakeError::NotTls)),
            case,
        ),
        Expected::NoGreeting => assert_deferred(
            seen,
            |reason| {
                matches!(reason, Reason::Session(failure)
                    if failure.phase == Phase::Greeting && failure.cause == Cause::ConnectionLost)
            },
            case,
        ),
    }
}

#[test]
fn a_bad_certificate_stops_a_verified_policy_alone() {
    let authority = Authority::root("test root");
    let below = authority.intermediate("test intermediate");
    let roots = roots(&authority);
    let untrusted: Wanted = |reason| {
        matches!(
            reason,
            Reason::Handshake(HandshakeError::CertificateNotTrusted {
                problem: CertificateProblem::UnknownIssuer
            })
        )
    };
    let rows: [(&str, Leaf, Option<Wanted>); 7] = [
        ("RSA", authority.issue_as(&[NAME], Key::Rsa, Validity::Now), None),
        ("behind an intermediate", below.issue(&["other.example.com", NAME]), None),
        ("of another authority", Authority::root("other root").issue(&[NAME]), Some(untrusted)),
        ("self-signed", pki::self_signed(&[NAME]), Some(untrusted)),
        (
            "of another name",
            authority.issue(&["other.example.com"]),
            Some(|reason| {
                matches!(reason, Reason::Handshake(HandshakeError::NameMismatch { expected })
                    if expected == NAME)
            }),
        ),
        (
            "expired",
            authority.issue_as(&[NAME], Key::Ecdsa, Validity::Expired),
            Some(|reason| {
                matches!(
                    reason,
                    Reason::Handshake(HandshakeError::CertificateNotTrusted {
                        problem: CertificateProblem::Expired
                    })
                )
            }),
        ),
        (
            "not yet valid",
            authority.issue_as(&[NAME], Key::Ecdsa, Validity::NotYet),
            Some(|reason| {
                matches!(
                    reason,
                    Reason::Handshake(HandshakeError::CertificateNotTrusted {
                        problem: CertificateProblem::NotYetValid
                    })
                )
            }),
        ),
    ];
    run(async {
        for (name, leaf, refused) in rows {
            let policy = server_policy(&leaf);
            for (mode, sides) in [Tls::StartTls, Tls::Implicit]
                .into_iter()
                .flat_map(|mode| sides().map(move |sides| (mode, sides)))
            {
                let server = serve(mode, sides.0, &policy, Duration::from_secs(60));
                let client = client(sides.1);
                let implicit = mode == Tls::Implicit;
                for level in [Level::Opportunistic, Level::Required, Level::Verified] {
                    let case = format!("{name}: {mode:?} {level:?} {sides:?}");
                    let policy = client_policy(level, implicit, &roots);
                    let seen = deliver(&client, &server, policy).await;
                    match refused {
                        Some(reason) if level == Level::Verified => {
                            assert_deferred(&seen, reason, &case);
                        }
                        _ => assert_encrypted(&seen, sides, Version::Tls13, &case),
                    }
                }
            }
        }
    });
}

#[test]
fn versions_meet_in_the_middle_or_not_at_all() {
    use Version::{Tls12, Tls13};
    let authority = Authority::root("test root");
    let both = server_policy(&authority.issue(&[NAME]));
    let roots = roots(&authority);
    let rows = [
        ((Tls12, Tls12), (Tls12, Tls13), Some(Tls12)),
        ((Tls12, Tls13), (Tls12, Tls12), Some(Tls12)),
        ((Tls13, Tls13), (Tls12, Tls13), Some(Tls13)),
        ((Tls12, Tls12), (Tls13, Tls13), None),
        ((Tls13, Tls13), (Tls12, Tls12), None),
    ];
    run(async {
        for ((server, client_versions, agreed), sides) in
            rows.into_iter().flat_map(|row| sides().map(move |sides| (row, sides)))
        {
            let policy = ServerPolicy { versions: server, ..both.clone() };
            let server = serve(Tls::StartTls, sides.0, &policy, Duration::from_secs(60));
            let client = client(sides.1);
            for (level, fallback) in [
                (Level::Opportunistic, Fallback::Never),
                (Level::Opportunistic, Fallback::RetryClear),
                (Level::Required, Fallback::RetryClear),
                (Level::Verified, Fallback::RetryClear),
            ] {
                let case =
                    format!("{policy:?} {client_versions:?} {level:?} {fallback:?} {sides:?}");
                let wanted = ClientPolicy {
                    versions: client_versions,
                    fallback,
                    ..client_policy(level, false, &roots)
                };
                let seen = deliver(&client, &server, wanted).await;
                match (agreed, level, fallback) {
                    (Some(version), ..) => assert_encrypted(&seen, sides, version, &case),
                    (None, Level::Opportunistic, Fallback::RetryClear) => {
                        assert_delivered(&seen, &case);
                        let TlsRecord::Clear(WhyClear::HandshakeFailed(_)) = seen.tls else {
                            panic!("{case}: {seen:?}");
                        };
                        assert_eq!(seen.arrived[0].tls, None, "{case}");
                    }
                    _ => assert_deferred(
                        &seen,
                        |reason| {
                            matches!(
                                reason,
                                Reason::Handshake(
                                    HandshakeError::Alert(_)
                                        | HandshakeError::NoSharedParameters(_)
                                )
                            )
                        },
                        &case,
                    ),
                }
            }
        }
    });
}

#[test]
fn a_session_is_resumed_where_the_policy_lets_it() {
    let authority = Authority::root("test root");
    let on = server_policy(&authority.issue(&[NAME]));
    let roots = roots(&authority);
    run(async {
        for (resumption, version, sides) in [true, false].into_iter().flat_map(|resumption| {
            [Version::Tls12, Version::Tls13]
                .into_iter()
                .flat_map(move |version| sides().map(move |sides| (resumption, version, sides)))
        }) {
            let resumption_policy = if resumption { Resumption::Local } else { Resumption::Off };
            let policy = ServerPolicy {
                resumption: resumption_policy,
                versions: (version, version),
                ..on.clone()
            };
            let server = serve(Tls::StartTls, sides.0, &policy, Duration::from_secs(60));
            let client = client(sides.1);
            let mut resumed = Vec::new();
            for delivery in 1..=3 {
                let case = format!("{resumption} {version:?} {sides:?} delivery {delivery}");
                let policy = client_policy(Level::Verified, false, &roots);
                let seen = deliver(&client, &server, policy).await;
                assert_encrypted(&seen, sides, version, &case);
                let TlsRecord::Encrypted(info) = seen.tls else { unreachable!() };
                resumed.push(info.resumed);
            }
            // The OpenSSL adapter's client keeps no sessions.
            let again = resumption && sides.1 == Backend::Rustls;
            assert_eq!(resumed, [false, again, again], "{resumption} {version:?} {sides:?}");
        }
    });
}
