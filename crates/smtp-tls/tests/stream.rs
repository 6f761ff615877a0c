//! What a session promises about reading, writing and its end, on every backend alike.
#![cfg(any(feature = "rustls", feature = "openssl"))]
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::{
    future::poll_fn,
    io::{ErrorKind, IoSlice},
    pin::Pin,
    task::Poll,
    time::Duration,
};

use common::*;
use smtp_tls::{Acceptor, Backend, ClientPolicy, Connector, Stream, Version};
use tokio::{
    io::{AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream},
    time::{Instant, timeout},
};

type Session = Stream<DuplexStream>;

/// An established pair over a transport that holds `room` octets.
async fn established(
    (near, far): (Backend, Backend),
    version: Version,
    room: usize,
) -> (Session, Session) {
    let leaf = leaf(&root());
    let mut policy = server(&leaf);
    policy.versions = (version, version);
    let acceptor = Acceptor::new(near, &policy).unwrap();
    let connector = Connector::new(far, &ClientPolicy::required()).unwrap();
    let (a, b) = tokio::io::duplex(room);
    let (near, far) = tokio::join!(acceptor.accept(a), connector.connect(HOST, b));
    let (near, mut far) = (near.unwrap().0, far.unwrap().0);
    // Session tickets are still on their way; a reader takes them in passing.
    let idle = timeout(Duration::from_millis(20), far.read(&mut [0; 1])).await;
    assert!(idle.is_err(), "{idle:?}");
    (near, far)
}

async fn everywhere<F: Future<Output = ()>>(test: impl Fn(Session, Session, String) -> F) {
    for pair in pairs() {
        for version in [Version::Tls12, Version::Tls13] {
            let (near, far) = established(pair, version, 64 * 1024).await;
            test(near, far, format!("{pair:?} {version}")).await;
        }
    }
}

#[tokio::test]
async fn close_notify_is_the_end_and_stays_it() {
    everywhere(|mut near, mut far, context| async move {
        near.write_all(b"221 bye\r\n").await.unwrap();
        near.shutdown().await.unwrap();
        near.shutdown().await.unwrap();
        let mut rest = Vec::new();
        far.read_to_end(&mut rest).await.expect(&context);
        assert_eq!(rest, b"221 bye\r\n", "{context}");
        assert_eq!(far.read(&mut [0; 8]).await.expect(&context), 0);
        far.shutdown().await.expect(&context);
        assert_eq!(near.read(&mut [0; 8]).await.expect(&context), 0);
    })
    .await;
}

/// A shutdown that waits for nobody to wake it ends at the deadline all the same, because it is asked
/// once more then: that it ended before is what counts.
async fn shuts_down_at_once(mut stream: Session, context: &str) {
    const PATIENCE: Duration = Duration::from_secs(5);
    let begun = Instant::now();
    let _ = timeout(PATIENCE, stream.shutdown()).await;
    assert!(begun.elapsed() < PATIENCE, "{context}");
}

#[tokio::test]
async fn a_shutdown_behind_a_peer_that_is_gone_does_not_wait_for_it() {
    everywhere(|near, far, context| async move {
        drop(near);
        shuts_down_at_once(far, &context).await;
    })
    .await;
    everywhere(|near, far, context| async move {
        drop(far);
        shuts_down_at_once(near, &context).await;
    })
    .await;
}

#[tokio::test]
async fn an_end_without_close_notify_is_an_error_after_all_data() {
    everywhere(|mut near, mut far, context| async move {
        for part in [&b"354 "[..], b"go ", b"on\r\n"] {
            near.write_all(part).await.unwrap();
            near.flush().await.unwrap();
        }
        drop(near);
        let mut rest = Vec::new();
        let error = far.read_to_end(&mut rest).await.unwrap_err();
        assert_eq!(rest, b"354 go on\r\n", "{context}");
        assert_eq!(error.kind(), ErrorKind::UnexpectedEof, "{context}");
        let again = far.read(&mut [0; 8]).await.unwrap_err();
        assert_eq!(again.kind(), ErrorKind::UnexpectedEof, "{context}");
    })
    .await;
}

/// Writes until the transport refuses, which a peer that closed makes it do.
async fn write_until_refused(stream: &mut Session) -> ErrorKind {
    for _ in 0..64 {
        if let Err(error) = stream.write_all(&[b'x'; 4000]).await {
            return error.kind();
        }
        if let Err(error) = stream.flush().await {
            return error.kind();
        }
    }
    panic!("a peer that is gone took everything");
}

#[tokio::test]
async fn a_reply_sent_before_the_peer_closed_is_read_after_a_write_has_failed() {
    for room in [1000, 64 * 1024] {
        for pair in pairs() {
            for version in [Version::Tls12, Version::Tls13] {
                let (mut near, mut far) = established(pair, version, room).await;
                let context = format!("{pair:?} {version} {room}");
                // As much of a message as the narrow transport holds is on its way, and stuck.
                if room < 4000 {
                    let message = far.write_all(&[b'm'; 200_000]);
                    timeout(Duration::from_millis(5), message).await.expect_err(&context);
                }
                near.write_all(b"552 5.3.4 too ").await.unwrap();
                near.flush().await.unwrap();
                near.write_all(b"big\r\n").await.unwrap();
                near.flush().await.unwrap();
                drop(near);

                let failure = write_until_refused(&mut far).await;
                assert_eq!(failure, ErrorKind::BrokenPipe, "{context}");
                let again = write_until_refused(&mut far).await;
                assert_eq!(again, ErrorKind::BrokenPipe, "{context}");
                assert!(far.flush().await.is_err(), "{context}");
                let mut reply = Vec::new();
                let error = far.read_to_end(&mut reply).await.unwrap_err();
                assert_eq!(reply, b"552 5.3.4 too big\r\n", "{context}");
                assert_eq!(error.kind(), ErrorKind::UnexpectedEof, "{context}");
                let again = far.read(&mut [0; 8]).await.unwrap_err();
                assert_eq!(again.kind(), ErrorKind::UnexpectedEof, "{context}");
            }
        }
    }
}

/// An established pair with a relay between its ends, and what the near one sends: two lines, and
/// its end.
async fn relayed(
    pair: (Backend, Backend),
    version: Version,
) -> (Session, Session, DuplexStream, Vec<u8>) {
    let leaf = leaf(&root());
    let mut policy = server(&leaf);
    policy.versions = (version, version);
    let acceptor = Acceptor::new(pair.0, &policy).unwrap();
    let connector = Connector::new(pair.1, &ClientPolicy::required()).unwrap();
    let (a, mut relay_a) = tokio::io::duplex(64 * 1024);
    let (mut relay_b, b) = tokio::io::duplex(64 * 1024);
    let meeting = async { tokio::join!(acceptor.accept(a), connector.connect(HOST, b)) };
    let (near, far) = tokio::select! {
        (near, far) = meeting => (near.unwrap().0, far.unwrap().0),
        _ = tokio::io::copy_bidirectional(&mut relay_a, &mut relay_b) => unreachable!(),
    };
    // Whatever of the handshake is still in the relay goes on; what comes then does not.
    let mut near = near;
    let mut bytes = vec![0; 4096];
    while let Ok(n) = timeout(Duration::from_millis(5), relay_a.read(&mut bytes)).await {
        relay_b.write_all(&bytes[..n.unwrap()]).await.unwrap();
    }
    near.write_all(b"first\r\n").await.unwrap();
    near.flush().await.unwrap();
    near.write_all(b"second\r\n").await.unwrap();
    near.flush().await.unwrap();
    near.shutdown().await.unwrap();
    let mut sent = Vec::new();
    relay_a.read_to_end(&mut sent).await.unwrap();
    (near, far, relay_b, sent)
}

/// Hands on a prefix of what one side sends, then ends the transport.
async fn cut(pair: (Backend, Backend), version: Version, keep: usize) -> (Vec<u8>, ErrorKind) {
    let (_near, mut far, mut relay, sent) = relayed(pair, version).await;
    assert!(keep < sent.len());
    relay.write_all(&sent[..sent.len() - 1 - keep]).await.unwrap();
    drop(relay);
    let mut got = Vec::new();
    let error = far.read_to_end(&mut got).await.unwrap_err();
    (got, error.kind())
}

#[tokio::test]
async fn octets_in_clear_behind_the_end_are_not_read() {
    for pair in pairs() {
        for version in [Version::Tls12, Version::Tls13] {
            let (_near, mut far, mut relay, sent) = relayed(pair, version).await;
            relay.write_all(&[&sent[..], b"250 queued\r\n"].concat()).await.unwrap();
            let mut got = Vec::new();
            far.read_to_end(&mut got).await.unwrap();
            assert_eq!(got, b"first\r\nsecond\r\n", "{pair:?} {version}");
            relay.write_all(b"250 queued\r\n").await.unwrap();
            assert_eq!(far.read(&mut [0; 8]).await.unwrap(), 0, "{pair:?} {version}");
        }
    }
}

#[tokio::test]
async fn a_transport_cut_at_any_octet_is_never_taken_for_the_end() {
    for pair in pairs() {
        for version in [Version::Tls12, Version::Tls13] {
            // Fewer than close_notify's record and both messages' records are cut off.
            for missing in (0..70).step_by(3) {
                let (got, kind) = cut(pair, version, missing).await;
                assert_eq!(kind, ErrorKind::UnexpectedEof, "{pair:?} {version} {missing}");
                let whole: [&[u8]; 3] = [b"", b"first\r\n", b"first\r\nsecond\r\n"];
                assert!(whole.contains(&got.as_slice()), "{pair:?} {got:?}");
                if missing == 0 {
                    assert_eq!(got, whole[2]);
                }
            }
        }
    }
}

#[tokio::test]
async fn what_is_garbled_on_the_way_is_invalid_data() {
    for pair in pairs() {
        for version in [Version::Tls12, Version::Tls13] {
            let leaf = leaf(&root());
            let mut policy = server(&leaf);
            policy.versions = (version, version);
            let acceptor = Acceptor::new(pair.0, &policy).unwrap();
            let connector = Connector::new(pair.1, &ClientPolicy::required()).unwrap();
            let (a, mut relay_a) = tokio::io::duplex(64 * 1024);
            let (mut relay_b, b) = tokio::io::duplex(64 * 1024);
            let meeting = async { tokio::join!(acceptor.accept(a), connector.connect(HOST, b)) };
            let (mut near, mut far) = tokio::select! {
                (near, far) = meeting => (near.unwrap().0, far.unwrap().0),
                _ = tokio::io::copy_bidirectional(&mut relay_a, &mut relay_b) => unreachable!(),
            };
            far.write_all(b"MAIL FROM:<>\r\n").await.unwrap();
            far.flush().await.unwrap();
            let mut record = vec![0; 4096];
            let n = relay_b.read(&mut record).await.unwrap();
            record.truncate(n);
            *record.last_mut().unwrap() ^= 1;
            relay_a.write_all(&record).await.unwrap();
            let error = near.read(&mut [0; 64]).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidData, "{pair:?} {version} {error}");
            assert!(!error.to_string().contains('\n'));
            let error = near.read(&mut [0; 64]).await.unwrap_err();
            assert_ne!(error.kind(), ErrorKind::UnexpectedEof, "{pair:?} {version} {error}");
        }
    }
}

#[tokio::test]
async fn much_data_crosses_a_narrow_transport_both_ways_at_once() {
    let message: Vec<u8> = (0..300_000_u32).map(|i| (i % 251) as u8).collect();
    for pair in pairs() {
        for version in [Version::Tls12, Version::Tls13] {
            let (near, far) = established(pair, version, 700).await;
            let (mut near_read, mut near_write) = tokio::io::split(near);
            let (mut far_read, mut far_write) = tokio::io::split(far);
            let (mut up, mut down) = (Vec::new(), Vec::new());
            tokio::join!(
                async {
                    near_write.write_all(&message).await.unwrap();
                    near_write.shutdown().await.unwrap();
                },
                async {
                    far_write.write_all(&message).await.unwrap();
                    far_write.shutdown().await.unwrap();
                },
                async { near_read.read_to_end(&mut up).await.unwrap() },
                async { far_read.read_to_end(&mut down).await.unwrap() },
            );
            assert!(up == message && down == message, "{pair:?} {version}");
        }
    }
}

#[tokio::test]
async fn a_write_given_up_has_taken_exactly_what_it_reported() {
    for pair in pairs() {
        let (mut near, mut far) = established(pair, Version::Tls13, 600).await;
        // Nobody reads: the transport fills up, and the session takes what it takes.
        let mut taken = Vec::new();
        let mut given_up = 0;
        for round in 0_u8..64 {
            let block = [round; 4000];
            let mut write = std::pin::pin!(near.write(&block));
            let polled = poll_fn(|cx| match write.as_mut().poll(cx) {
                Poll::Ready(done) => Poll::Ready(Some(done)),
                Poll::Pending => Poll::Ready(None),
            })
            .await;
            match polled {
                Some(done) => taken.extend_from_slice(&block[..done.unwrap()]),
                // Given up; the next round goes on with other bytes.
                None => given_up += 1,
            }
        }
        assert!(given_up > 0, "{pair:?}: the transport took everything");
        taken.extend_from_slice(b"end");
        let mut got = Vec::new();
        tokio::join!(
            async {
                near.write_all(b"end").await.unwrap();
                near.shutdown().await.unwrap();
            },
            async { far.read_to_end(&mut got).await.unwrap() }
        );
        assert!(got == taken, "{pair:?}: {} of {}", got.len(), taken.len());
    }
}

#[tokio::test]
async fn a_vectored_write_keeps_the_order() {
    everywhere(|mut near, mut far, context| async move {
        assert!(near.is_write_vectored());
        let large = vec![7; 40_000];
        let parts: [&[u8]; 5] = [b"", b"a", b"bc", &large, b"d"];
        let whole = parts.concat();
        let mut sent = 0;
        while sent < whole.len() {
            let mut skip = sent;
            let slices: Vec<_> = parts
                .iter()
                .filter_map(|part| {
                    let from = skip.min(part.len());
                    skip -= from;
                    (!part[from..].is_empty()).then(|| IoSlice::new(&part[from..]))
                })
                .collect();
            let n = poll_fn(|cx| Pin::new(&mut near).poll_write_vectored(cx, &slices)).await;
            sent += n.unwrap();
        }
        near.shutdown().await.unwrap();
        let mut got = Vec::new();
        far.read_to_end(&mut got).await.unwrap();
        assert!(got == whole, "{context}");
    })
    .await;
}

#[tokio::test]
async fn empty_reads_and_writes_change_nothing() {
    everywhere(|mut near, mut far, context| async move {
        assert_eq!(far.read(&mut []).await.unwrap(), 0);
        assert_eq!(near.write(&[]).await.unwrap(), 0);
        near.write_all(b"x").await.unwrap();
        near.flush().await.unwrap();
        assert_eq!(far.read(&mut []).await.unwrap(), 0);
        let mut got = [0; 1];
        far.read_exact(&mut got).await.expect(&context);
        assert_eq!(&got, b"x");
    })
    .await;
}

#[tokio::test]
async fn a_session_is_send_and_shows_its_transport() {
    fn is_send<T: Send>(_: &T) {}
    everywhere(|near, far, _| async move {
        is_send(&near);
        is_send(&far);
        let _: &DuplexStream = near.get_ref();
        assert!(format!("{near:?}").starts_with("Stream("));
    })
    .await;
}
