//! Handshakes that go wrong: peers that talk something else, stop, or break off at any point.
#![cfg(any(feature = "rustls", feature = "openssl"))]
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::time::Duration;

use common::*;
use smtp_tls::{Acceptor, Backend, ClientPolicy, Connector, Fault, HandshakeError, Version};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream},
    time::timeout,
};

const SOON: Duration = Duration::from_secs(5);

fn acceptor(backend: Backend) -> Acceptor {
    Acceptor::new(backend, &server(&leaf(&root()))).unwrap()
}

fn connector(backend: Backend) -> Connector {
    Connector::new(backend, &ClientPolicy::required()).unwrap()
}

/// What comes of accepting from a client that sends `bytes` and keeps the connection open, and what
/// the client is sent.
async fn accept_from(backend: Backend, bytes: &[u8]) -> (HandshakeError, Vec<u8>) {
    let (near, mut far) = tokio::io::duplex(64 * 1024);
    far.write_all(bytes).await.unwrap();
    let error = timeout(SOON, acceptor(backend).accept(near)).await.unwrap().unwrap_err();
    let mut sent = Vec::new();
    timeout(SOON, far.read_to_end(&mut sent)).await.unwrap().unwrap();
    (error, sent)
}

#[tokio::test]
async fn a_client_that_speaks_no_tls_is_told_apart() {
    for backend in Backend::available() {
        for bytes in [
            &b"EHLO client.example\r\nMAIL FROM:<a@b.example>\r\n"[..],
            b"GET / HTTP/1.1\r\nHost: mx.example\r\n\r\n",
            &[0; 64],
            &[0xff; 64],
            // An SSL 2 hello, whole.
            &[&b"\x80\x1c\x01\x00\x02\x00\x03\x00\x00\x00\x10\x01\x00\x80"[..], &[9; 16]].concat(),
        ] {
            let (error, _) = accept_from(*backend, bytes).await;
            assert_eq!(error.fault(), Fault::Peer, "{backend} {bytes:?}: {error:?}");
            assert!(!error.to_string().contains('\n'), "{error}");
        }
        let (error, _) = accept_from(*backend, b"EHLO client.example\r\n").await;
        assert!(matches!(error, HandshakeError::NotTls), "{backend}: {error:?}");
    }
}

#[tokio::test]
async fn a_failed_accept_sends_its_alert_first_and_ends_the_transport() {
    // A record that holds no ClientHello.
    let record = b"\x16\x03\x01\x00\x06\x07\x00\x00\x02\x00\x00";
    for backend in Backend::available() {
        let (error, sent) = accept_from(*backend, record).await;
        assert_eq!(error.fault(), Fault::Peer, "{backend}: {error:?}");
        assert_eq!(sent.first(), Some(&21), "{backend}: no alert in {sent:?}");
        assert_eq!(sent.len(), 7, "{backend}");
        assert_eq!(sent[5], 2, "{backend}: not fatal");
    }
}

#[tokio::test]
async fn a_server_that_speaks_no_tls_is_told_apart() {
    for backend in Backend::available() {
        for bytes in [&b"220 mx.example ESMTP\r\n"[..], b"454 TLS not available\r\n", &[0; 64]] {
            let (near, mut far) = tokio::io::duplex(64 * 1024);
            far.write_all(bytes).await.unwrap();
            let connector = connector(*backend);
            let attempt = connector.connect(HOST, near);
            let error = timeout(SOON, attempt).await.unwrap().unwrap_err();
            assert_eq!(error.fault(), Fault::Peer, "{backend} {bytes:?}: {error:?}");
            if bytes[0] != 0 {
                assert!(matches!(error, HandshakeError::NotTls), "{backend}: {error:?}");
            }
        }
    }
}

/// A reply, or the beginning of one, put behind the server's 220: it shows whatever follows it.
#[tokio::test(start_paused = true)]
async fn octets_that_are_no_tls_are_named_however_few_and_whatever_follows() {
    for backend in Backend::available() {
        let connector = connector(*backend);
        for bytes in [&b"2"[..], b"25", b"250 ", b"250 queued\r\n", b"\0", b"\x13", b"\x18"] {
            for closes in [false, true] {
                for before in [false, true] {
                    let (near, mut far) = tokio::io::duplex(64 * 1024);
                    let peer = async {
                        if !before {
                            // The ClientHello first, as one who is awake to it would do.
                            far.read_exact(&mut [0; 5]).await.unwrap();
                        }
                        far.write_all(bytes).await.unwrap();
                        if closes {
                            drop(far);
                        } else {
                            std::future::pending::<()>().await;
                        }
                    };
                    let attempt = timeout(SOON, connector.connect(HOST, near));
                    let context = format!("{backend} {bytes:?} closes: {closes} {before}");
                    let ended = tokio::select! {
                        ended = attempt => ended,
                        () = async { peer.await; std::future::pending().await } => unreachable!(),
                    };
                    let error = ended.expect(&context).unwrap_err();
                    assert!(matches!(error, HandshakeError::NotTls), "{context}: {error:?}");
                }
            }
        }
    }
}

#[tokio::test]
async fn a_peer_that_closes_at_once_is_the_networks_fault() {
    for backend in Backend::available() {
        let (near, far) = tokio::io::duplex(1024);
        drop(far);
        let error = acceptor(*backend).accept(near).await.unwrap_err();
        assert!(matches!(error, HandshakeError::PeerClosed), "{backend}: {error:?}");
        let (near, far) = tokio::io::duplex(1024);
        drop(far);
        let error = connector(*backend).connect(HOST, near).await.unwrap_err();
        assert_eq!(error.fault(), Fault::Network, "{backend}: {error:?}");
    }
}

/// Relays a handshake and breaks it off after `limit` octets in one direction.
async fn relay(mut from: DuplexStream, mut to: DuplexStream, limit: [usize; 2]) {
    let mut left = limit;
    let (mut a, mut b) = ([0; 1], [0; 1]);
    while left.iter().all(|left| *left > 0) {
        tokio::select! {
            n = from.read(&mut a) => match n {
                Ok(1) if to.write_all(&a).await.is_ok() => left[0] -= 1,
                _ => return,
            },
            n = to.read(&mut b) => match n {
                Ok(1) if from.write_all(&b).await.is_ok() => left[1] -= 1,
                _ => return,
            },
        }
    }
}

#[tokio::test]
async fn a_handshake_broken_off_at_any_point_is_an_error_and_never_a_hang() {
    let leaf = leaf(&root());
    for pair in pairs() {
        for version in [Version::Tls12, Version::Tls13] {
            let mut policy = server(&leaf);
            policy.versions = (version, version);
            let acceptor = Acceptor::new(pair.0, &policy).unwrap();
            let connector = connector(pair.1);
            for cut in (1..200).step_by(9) {
                for limit in [[cut, usize::MAX], [usize::MAX, cut]] {
                    let (a, relay_a) = tokio::io::duplex(64 * 1024);
                    let (relay_b, b) = tokio::io::duplex(64 * 1024);
                    let all = async {
                        tokio::join!(
                            acceptor.accept(a),
                            connector.connect(HOST, b),
                            relay(relay_b, relay_a, limit)
                        )
                    };
                    let (near, _, ()) = timeout(SOON, all).await.unwrap();
                    let error = near.unwrap_err();
                    assert_eq!(error.fault(), Fault::Network, "{pair:?} {cut} {error:?}");
                }
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn one_flipped_bit_in_the_hellos_fails_the_handshake() {
    let leaf = leaf(&root());
    for pair in pairs() {
        let acceptor = Acceptor::new(pair.0, &server(&leaf)).unwrap();
        let connector = connector(pair.1);
        let (mut refused, mut stalled) = (0, Vec::new());
        for position in 0..180 {
            let (a, mut relay_a) = tokio::io::duplex(64 * 1024);
            let (mut relay_b, b) = tokio::io::duplex(64 * 1024);
            let relay = async move {
                let mut hello = [0; 181];
                relay_b.read_exact(&mut hello).await.unwrap();
                hello[position] ^= 1;
                relay_a.write_all(&hello).await.unwrap();
                let _ = tokio::io::copy_bidirectional(&mut relay_a, &mut relay_b).await;
                // Both ends go, and whoever still waits learns it.
                drop((relay_a, relay_b));
                std::future::pending().await
            };
            let both = async { tokio::join!(acceptor.accept(a), connector.connect(HOST, b)) };
            tokio::select! {
                (near, far) = both => {
                    let failed = near.is_err() || far.is_err();
                    // The record's own version is ignored (RFC 8446 section 5.1), or it is not.
                    assert!(failed || matches!(position, 1 | 2), "{pair:?} {position}");
                    refused += usize::from(failed);
                }
                () = relay => unreachable!(),
                // The clock runs on only when both sides wait for more.
                () = tokio::time::sleep(SOON) => stalled.push(position),
            }
        }
        // Where a length stands, a larger one waits for more: the record's and the hello's.
        assert!(stalled.iter().all(|position| (3..9).contains(position)), "{pair:?} {stalled:?}");
        assert!(refused >= 170, "{pair:?}: {refused}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_stalls_is_cut_off_by_the_callers_deadline() {
    let deadline = Duration::from_secs(30);
    for backend in Backend::available() {
        for bytes in [&b""[..], b"\x16", b"\x16\x03\x01\x02\x00\x01"] {
            let (near, mut far) = tokio::io::duplex(1024);
            far.write_all(bytes).await.unwrap();
            let acceptor = acceptor(*backend);
            assert!(timeout(deadline, acceptor.accept(near)).await.is_err(), "{backend}");
            // The transport went with the future.
            let mut rest = Vec::new();
            far.read_to_end(&mut rest).await.unwrap();
        }
        let (near, mut far) = tokio::io::duplex(64 * 1024);
        let connector = connector(*backend);
        assert!(timeout(deadline, connector.connect(HOST, near)).await.is_err(), "{backend}");
        let mut hello = Vec::new();
        far.read_to_end(&mut hello).await.unwrap();
        assert_eq!(hello.first(), Some(&22));
    }
}
