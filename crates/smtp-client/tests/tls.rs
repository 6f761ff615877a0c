//! Every outgoing policy against servers with, without and with broken TLS, on each library at
//! either end.
#![cfg(any(feature = "rustls", feature = "openssl"))]
#![allow(clippy::unwrap_used)]

mod common;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use common::{STEPS, config, is_deferred, patient};
use smtp_client::tls::{
    Acceptor, Backend, Certificate, ClientPolicy, Fallback, Identity, Level, OriginId, Roots,
    ServerPolicy, pem_sections,
};
use smtp_client::{
    AuthRecord, Authentication, Client, Config, Recipient, RecipientReport, Route, TlsRecord,
    WhyClear,
};
use smtp_testkit::peer::Peer;
use smtp_testkit::pki::{self, Authority};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio::time::timeout;

const HOST: &str = "mx.example.com";

/// Less than any phase may take in [`patient`].
const SOON: Duration = Duration::from_secs(10);

fn acceptor(backend: Backend, leaf: &pki::Leaf) -> Acceptor {
    let sections = pem_sections(leaf.chain_and_key().as_bytes()).unwrap();
    let identity = Identity::from_pem_sections(&sections).unwrap();
    Acceptor::new(backend, &ServerPolicy::new(Arc::new(identity))).unwrap()
}

fn trusted(authority: &Authority) -> Roots {
    let sections = pem_sections(authority.certificate().as_bytes()).unwrap();
    Roots::Pem(vec![Certificate::from_der(sections[0].der.clone())])
}

/// Every library at either end.
fn pairs() -> impl Iterator<Item = (Backend, Backend)> {
    let available = Backend::available();
    available.iter().flat_map(move |client| available.iter().map(move |server| (*client, *server)))
}

async fn line(stream: &mut (impl AsyncRead + Unpin)) -> Option<String> {
    let mut line = Vec::new();
    while !line.ends_with(b"\n") {
        line.push(stream.read_u8().await.ok()?);
    }
    Some(String::from_utf8(line).unwrap())
}

async fn expect(stream: &mut (impl AsyncRead + Unpin), prefix: &str) {
    let line = line(stream).await.unwrap_or_else(|| panic!("gone before {prefix}"));
    assert!(line.starts_with(prefix), "expected {prefix}, got {line:?}");
}

async fn say(stream: &mut (impl AsyncWrite + Unpin), text: &str) {
    stream.write_all(text.as_bytes()).await.unwrap();
    stream.flush().await.unwrap();
}

/// MAIL to the final dot, and QUIT.
async fn take_message(stream: &mut (impl AsyncRead + AsyncWrite + Unpin)) {
    for (command, reply) in &STEPS[2..] {
        match *command {
            "." => while line(stream).await.unwrap() != ".\r\n" {},
            command => expect(stream, command).await,
        }
        say(stream, &format!("{reply}\r\n")).await;
    }
    expect(stream, "QUIT").await;
    say(stream, "221 bye\r\n").await;
}

/// Greets, and answers EHLO with what is offered.
async fn greet(stream: &mut (impl AsyncRead + AsyncWrite + Unpin), ehlo: &str) {
    say(stream, "220 mx.example.com\r\n").await;
    expect(stream, "EHLO client.example.org").await;
    say(stream, ehlo).await;
}

const OFFER: &str = "250-mx.example.com\r\n250 STARTTLS\r\n";

async fn starttls(stream: &mut TcpStream, reply: &str) {
    greet(stream, OFFER).await;
    expect(stream, "STARTTLS").await;
    say(stream, reply).await;
}

async fn listen<F>(script: impl FnOnce(TcpListener) -> F) -> (Route, JoinHandle<()>)
where
    F: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    (Route::new("127.0.0.1", port), tokio::spawn(script(listener)))
}

async fn accept(listener: &TcpListener) -> TcpStream {
    listener.accept().await.unwrap().0
}

/// Whether a connection waits; the client is done, so none comes later.
async fn another(listener: &TcpListener) -> bool {
    timeout(Duration::from_millis(100), listener.accept()).await.is_ok()
}

fn named(policy: ClientPolicy) -> ClientPolicy {
    ClientPolicy { server_name: Some(HOST.into()), origin: Some(OriginId(7)), ..policy }
}

async fn send(config: Config, route: &Route, policy: ClientPolicy) -> RecipientReport {
    let to = Recipient::new("b@example.com", route.clone(), policy).unwrap();
    let client = Client::new(config);
    let mut report = common::deliver_by(&client, &[to], &common::message()).await;
    report.recipients.remove(0)
}

fn with(backend: Backend) -> Config {
    Config { backend: Some(backend), ..patient() }
}

fn policies(authority: &Authority) -> [ClientPolicy; 4] {
    [
        ClientPolicy::plaintext(),
        ClientPolicy::opportunistic(),
        ClientPolicy::required(),
        ClientPolicy::verified(trusted(authority)),
    ]
    .map(named)
}

#[tokio::test]
async fn starttls_that_is_offered_is_used_by_every_level_but_none() {
    let authority = Authority::root("roots");
    let leaf = authority.issue(&[HOST]);
    for (client, server) in pairs() {
        for policy in policies(&authority) {
            let acceptor = acceptor(server, &leaf);
            let secure = policy.level != Level::None;
            let (route, server) = listen(|listener| async move {
                let mut stream = accept(&listener).await;
                if secure {
                    starttls(&mut stream, "220-go\r\n220 ahead\r\n").await;
                    let (mut stream, info) = acceptor.accept(stream).await.unwrap();
                    assert_eq!(info.server_name.as_deref(), Some(HOST));
                    expect(&mut stream, "EHLO client.example.org").await;
                    say(&mut stream, "250 mx.example.com\r\n").await;
                    take_message(&mut stream).await;
                } else {
                    greet(&mut stream, OFFER).await;
                    take_message(&mut stream).await;
                }
            })
            .await;
            let entry = send(with(client), &route, policy.clone()).await;
            server.await.unwrap();
            assert!(entry.outcome.is_delivered(), "{client} {policy:?}: {}", entry.outcome);
            assert_eq!(entry.origin, Some(OriginId(7)));
            match &entry.tls {
                TlsRecord::Encrypted(info) if secure => assert_eq!(info.backend, client),
                TlsRecord::Clear(WhyClear::Policy) if !secure => {}
                other => panic!("{policy:?}: {other:?}"),
            }
        }
    }
}

#[tokio::test]
async fn without_starttls_only_the_levels_that_allow_it_send_in_clear() {
    let authority = Authority::root("roots");
    for ehlo in ["250 mx.example.com\r\n", "250-mx.example.com\r\n250 XXXXXXXA\r\n"] {
        for policy in policies(&authority) {
            let clear = policy.level <= Level::Opportunistic;
            let (route, server) = listen(|listener| async move {
                let mut stream = accept(&listener).await;
                greet(&mut stream, ehlo).await;
                if clear {
                    take_message(&mut stream).await;
                } else {
                    expect(&mut stream, "QUIT").await;
                    say(&mut stream, "221 bye\r\n").await;
                    assert_eq!(line(&mut stream).await, None);
                }
                assert!(!another(&listener).await);
            })
            .await;
            let entry = send(patient(), &route, policy.clone()).await;
            server.await.unwrap();
            if clear {
                assert!(entry.outcome.is_delivered(), "{policy:?}: {}", entry.outcome);
                let why = match policy.level {
                    Level::None => WhyClear::Policy,
                    _ => WhyClear::NotOffered,
                };
                assert_eq!(entry.tls, TlsRecord::Clear(why));
            } else {
                assert_eq!(
                    entry.outcome.to_string(),
                    "deferred 451 4.7.4 TLS is required, but the server does not offer STARTTLS"
                );
                assert_eq!(entry.tls, TlsRecord::Unsettled);
            }
        }
    }
}

#[tokio::test]
async fn starttls_that_is_refused_by_a_reply() {
    let authority = Authority::root("roots");
    for reply in ["454 4.7.0 not now", "502 5.5.1 what", "554 5.7.0 no"] {
        for policy in policies(&authority).into_iter().skip(1) {
            let clear = policy.level == Level::Opportunistic;
            let (route, server) = listen(|listener| async move {
                let mut stream = accept(&listener).await;
                starttls(&mut stream, &format!("{reply}\r\n")).await;
                if clear {
                    take_message(&mut stream).await;
                } else {
                    expect(&mut stream, "QUIT").await;
                }
                assert!(!another(&listener).await);
            })
            .await;
            let entry = send(patient(), &route, policy).await;
            server.await.unwrap();
            if clear {
                assert!(entry.outcome.is_delivered(), "{}", entry.outcome);
                assert!(matches!(entry.tls, TlsRecord::Clear(WhyClear::Refused(_))));
            } else {
                assert!(is_deferred(&entry.outcome, false), "{:?}", entry.outcome);
                let text = format!(
                    "deferred 451 4.7.4 TLS is required, but the server refused STARTTLS: {reply}"
                );
                assert_eq!(entry.outcome.to_string(), text);
                assert_eq!(entry.outcome.reply().unwrap().to_string(), reply);
            }
        }
    }
}

/// What a server does in place of a handshake.
async fn no_handshake(how: &str, stream: &mut TcpStream) {
    match how {
        "close" => {}
        "stall" => {
            let mut octets = [0; 1024];
            while matches!(stream.read(&mut octets).await, Ok(octets) if octets > 0) {}
        }
        "alert" => {
            let mut octets = [0; 1024];
            let _ = stream.read(&mut octets).await;
            // A fatal handshake_failure.
            let _ = stream.write_all(&[0x15, 3, 3, 0, 2, 2, 40]).await;
            let _ = stream.read(&mut octets).await;
        }
        _ => unreachable!(),
    }
}

#[tokio::test]
async fn a_failed_handshake_is_retried_in_clear_once_and_only_where_the_policy_says_so() {
    let authority = Authority::root("roots");
    for backend in Backend::available() {
        for how in ["close", "stall", "alert"] {
            for policy in policies(&authority).into_iter().skip(1) {
                for fallback in [Fallback::Never, Fallback::RetryClear] {
                    let policy = ClientPolicy { fallback, ..policy.clone() };
                    let clear = policy.level == Level::Opportunistic
                        && policy.fallback == Fallback::RetryClear;
                    let (route, server) = listen(|listener| async move {
                        let mut stream = accept(&listener).await;
                        starttls(&mut stream, "220 go\r\n").await;
                        no_handshake(how, &mut stream).await;
                        drop(stream);
                        if clear {
                            let mut stream = accept(&listener).await;
                            greet(&mut stream, OFFER).await;
                            take_message(&mut stream).await;
                        }
                        assert!(!another(&listener).await);
                    })
                    .await;
                    let config = Config { backend: Some(*backend), ..config() };
                    let entry = send(config, &route, policy.clone()).await;
                    server.await.unwrap();
                    let context = format!("{backend} {how} {policy:?}: {}", entry.outcome);
                    if clear {
                        assert!(entry.outcome.is_delivered(), "{context}");
                        assert!(
                            matches!(entry.tls, TlsRecord::Clear(WhyClear::HandshakeFailed(_))),
                            "{context}"
                        );
                    } else {
                        assert!(is_deferred(&entry.outcome, false), "{context}");
                        assert!(entry.outcome.text().starts_with("4.7.5 "), "{context}");
                    }
                }
            }
        }
    }
}

/// When somebody puts octets behind the server's 220.
#[derive(Clone, Copy, Debug)]
enum Injected {
    /// In one segment with it.
    With220,
    /// In a segment of their own, as soon as the 220 has left.
    AtOnce,
    /// In a segment of their own, once the client has read the 220 and begun the handshake.
    BehindClientHello,
}

/// Speaks up to STARTTLS, injects `octets`, and leaves or stays; the client is to say no SMTP.
fn inject(mut peer: Peer, octets: &[u8], when: Injected, closes: bool) {
    peer.line("220 mx.example.com").expect("EHLO client.example.org");
    peer.send(OFFER).expect("STARTTLS");
    match when {
        Injected::With220 => {
            peer.send([b"220 go\r\n", octets].concat());
        }
        Injected::AtOnce => {
            peer.send("220 go\r\n");
            let _ = peer.try_send(octets);
        }
        Injected::BehindClientHello => {
            peer.send("220 go\r\n");
            assert_eq!(peer.read_exact(1), [0x16], "the client's handshake");
            let _ = peer.try_send(octets);
        }
    }
    while !closes && let Some(said) = peer.read_line() {
        let smtp = [&b"EHLO"[..], b"MAIL", b"QUIT"];
        assert!(!smtp.iter().any(|verb| said.starts_with(verb)), "{said:?}");
    }
}

#[tokio::test]
async fn an_injected_reply_ends_the_attempt_and_is_never_retried_in_clear() {
    let injections: [&[u8]; 4] = [
        b"250-evil\r\n250 AUTH PLAIN\r\n",
        b"250 x\r\n250 x\r\n250 x\r\n354 x\r\n250 queued\r\n",
        // A part of a reply alone, whose rest never comes.
        b"25",
        b"2",
    ];
    for backend in Backend::available() {
        for octets in injections {
            for when in [Injected::With220, Injected::AtOnce, Injected::BehindClientHello] {
                for closes in [false, true] {
                    let policy = ClientPolicy {
                        fallback: Fallback::RetryClear,
                        ..named(ClientPolicy::opportunistic())
                    };
                    let context = format!("{backend} {octets:?} {when:?} closes: {closes}");
                    let (going, done) = std::sync::mpsc::channel::<()>();
                    let (route, server) = common::server(move |listener| {
                        inject(listener.accept(), octets, when, closes);
                        // Until the client is done.
                        let _ = done.recv();
                        listener.expect_nobody();
                    });
                    // A stall must not be sat out: the times are longer than this test may take.
                    let attempt = send(with(*backend), &route, policy);
                    let entry = timeout(SOON, attempt).await.expect(&context);
                    drop(going);
                    server.join().expect(&context);
                    let text = entry.outcome.to_string();
                    let expected = "deferred 451 4.7.5 STARTTLS: octets came behind the reply";
                    assert!(text.starts_with(expected), "{context}: {text}");
                    assert_eq!(entry.tls, TlsRecord::Unsettled);
                }
            }
        }
    }
}

#[tokio::test]
async fn a_certificate_matters_to_the_verified_level_alone() {
    let authority = Authority::root("roots");
    let stranger = Authority::root("stranger");
    let leaves = [
        (authority.issue(&["other.example.com"]), "is not valid for"),
        (stranger.issue(&[HOST]), "is not trusted"),
        (pki::self_signed(&[HOST]), "is not trusted"),
        (
            authority.issue_as(&[HOST], pki::Key::Ecdsa, pki::Validity::Expired),
            "is not trusted: it has expired",
        ),
    ];
    for (client, server) in pairs() {
        for (leaf, complaint) in &leaves {
            for policy in policies(&authority).into_iter().skip(1) {
                let verified = policy.level.verified();
                let acceptor = acceptor(server, leaf);
                let (route, server) = listen(|listener| async move {
                    let mut stream = accept(&listener).await;
                    starttls(&mut stream, "220 go\r\n").await;
                    let accepted = acceptor.accept(stream).await;
                    if verified {
                        if let Ok((mut stream, _)) = accepted {
                            assert_eq!(line(&mut stream).await, None);
                        }
                    } else {
                        let (mut stream, _) = accepted.unwrap();
                        expect(&mut stream, "EHLO").await;
                        say(&mut stream, "250 mx.example.com\r\n").await;
                        take_message(&mut stream).await;
                    }
                    assert!(!another(&listener).await);
                })
                .await;
                let entry = send(with(client), &route, policy.clone()).await;
                server.await.unwrap();
                let text = entry.outcome.to_string();
                if verified {
                    assert!(text.starts_with("deferred 451 4.7.5 "), "{client}: {text}");
                    assert!(text.contains(complaint), "{client}, {complaint}: {text}");
                } else {
                    assert!(entry.outcome.is_delivered(), "{client} {policy:?}: {text}");
                }
            }
        }
    }
}

#[tokio::test]
async fn implicit_tls_says_nothing_in_clear_at_any_level() {
    let authority = Authority::root("roots");
    let leaf = authority.issue(&[HOST]);
    for (client, server) in pairs() {
        for policy in policies(&authority) {
            let acceptor = acceptor(server, &leaf);
            let (route, server) = listen(|listener| async move {
                let stream = accept(&listener).await;
                let (mut stream, _) = acceptor.accept(stream).await.unwrap();
                // STARTTLS is offered under TLS, and not taken.
                greet(&mut stream, OFFER).await;
                take_message(&mut stream).await;
            })
            .await;
            let entry = send(with(client), &route, policy.clone().with_implicit_tls()).await;
            server.await.unwrap();
            assert!(entry.outcome.is_delivered(), "{client} {policy:?}: {}", entry.outcome);
            assert!(matches!(entry.tls, TlsRecord::Encrypted(_)));
        }
    }
}

#[tokio::test]
async fn a_session_is_resumed_on_the_next_connection_where_the_library_can() {
    let authority = Authority::root("roots");
    let leaf = authority.issue(&[HOST]);
    for (client, server) in pairs() {
        let acceptor = acceptor(server, &leaf);
        let (route, server) = listen(|listener| async move {
            for _ in 0..2 {
                let mut stream = accept(&listener).await;
                starttls(&mut stream, "220 go\r\n").await;
                let (mut stream, _) = acceptor.accept(stream).await.unwrap();
                expect(&mut stream, "EHLO").await;
                say(&mut stream, "250 mx.example.com\r\n").await;
                take_message(&mut stream).await;
            }
        })
        .await;
        let sender = Client::new(with(client));
        let policy = named(ClientPolicy::verified(trusted(&authority)));
        let mut resumed = Vec::new();
        for _ in 0..2 {
            let to = Recipient::new("b@example.com", route.clone(), policy.clone()).unwrap();
            let report = common::deliver_by(&sender, &[to], &common::message()).await;
            assert!(report.all_delivered(), "{:?}", report.recipients);
            let TlsRecord::Encrypted(info) = &report.recipients[0].tls else { panic!() };
            resumed.push(info.resumed);
        }
        server.await.unwrap();
        // OpenSSL's binding has no safe way to hand a session to the next connection.
        assert_eq!(resumed, [false, client == Backend::Rustls], "{client}");
    }
}

/// What was offered in clear is forgotten at the handshake (RFC 3207, 4.2), AUTH with it; and no
/// secret leaves before it.
#[tokio::test]
async fn credentials_go_over_tls_and_to_whom_asks_for_them_there() {
    const BOTH: &str = "250-mx.example.com\r\n250-AUTH PLAIN\r\n250 STARTTLS\r\n";
    const AUTH: &str = "250-mx.example.com\r\n250 AUTH PLAIN\r\n";
    let authority = Authority::root("root");
    let leaf = authority.issue(&[HOST]);
    let policies = [ClientPolicy::opportunistic(), ClientPolicy::verified(trusted(&authority))];
    for (policy, (client, server)) in
        policies.into_iter().flat_map(|policy| pairs().map(move |pair| (policy.clone(), pair)))
    {
        for (in_clear, under_tls) in [(OFFER, AUTH), (BOTH, AUTH), (BOTH, "250 mx\r\n")] {
            let acceptor = acceptor(server, &leaf);
            let offered = under_tls == AUTH;
            let (route, server) = listen(move |listener| async move {
                let mut stream = accept(&listener).await;
                greet(&mut stream, in_clear).await;
                expect(&mut stream, "STARTTLS\r\n").await;
                say(&mut stream, "220 go\r\n").await;
                let (mut stream, _) = acceptor.accept(stream).await.unwrap();
                expect(&mut stream, "EHLO client.example.org").await;
                say(&mut stream, under_tls).await;
                if offered {
                    expect(&mut stream, "AUTH PLAIN AHRpbQB0YW5zdGFhZnRhbnN0YWFm\r\n").await;
                    say(&mut stream, "235 2.7.0 ok\r\n").await;
                    take_message(&mut stream).await;
                } else {
                    expect(&mut stream, "QUIT").await;
                    say(&mut stream, "221 bye\r\n").await;
                }
            })
            .await;
            let password = Authentication::password("tim", "tanstaaftanstaaf").unwrap();
            let route = route.authenticated(password);
            let report = send(with(client), &route, named(policy.clone())).await;
            server.await.unwrap();
            let shown = report.outcome.to_string();
            if offered {
                assert!(report.outcome.is_delivered(), "{shown}");
                let mechanism = "PLAIN".to_owned();
                assert_eq!(report.auth, AuthRecord::Authenticated { mechanism });
            } else {
                assert!(shown.starts_with("deferred 451 4.7.4 "), "{shown}");
                assert_eq!(report.auth, AuthRecord::Unsettled);
            }
            assert!(matches!(report.tls, TlsRecord::Encrypted(_)), "{:?}", report.tls);
        }
    }
}

/// A handshake that failed is no reason to show anything in clear.
#[tokio::test]
async fn credentials_are_not_shown_when_clear_text_is_fallen_back_to() {
    let policy = ClientPolicy { fallback: Fallback::RetryClear, ..ClientPolicy::opportunistic() };
    let (route, server) = listen(move |listener| async move {
        let mut stream = accept(&listener).await;
        starttls(&mut stream, "220 go\r\n").await;
        no_handshake("alert", &mut stream).await;
        drop(stream);
        let mut stream = accept(&listener).await;
        greet(&mut stream, "250-mx.example.com\r\n250 AUTH PLAIN\r\n").await;
        expect(&mut stream, "QUIT").await;
        say(&mut stream, "221 bye\r\n").await;
    })
    .await;
    let password = Authentication::password("tim", "tanstaaftanstaaf").unwrap();
    let report = send(patient(), &route.authenticated(password), policy).await;
    server.await.unwrap();
    let shown = report.outcome.to_string();
    assert_eq!(shown, "deferred 451 4.7.11 credentials are not sent in clear");
}
