//! OpenSSL's own client against every backend: it resumes, and gets neither early data nor a
//! renegotiation.
#![cfg(any(feature = "rustls", feature = "openssl"))]
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::{
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use common::*;
use smtp_testkit::process::{require_peer, temp_dir};
use smtp_tls::{Acceptor, Backend, Resumption, ServerPolicy, TlsInfo, Version};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    time::timeout,
};

const PATIENCE: Duration = Duration::from_secs(30);

/// What a session came to: its facts, what the client said, and what it printed.
struct Came {
    info: TlsInfo,
    received: Vec<u8>,
    printed: String,
}

/// Accepts one client with these arguments. Once it has printed the server's greeting it is given the
/// `input`; then it runs until one side ends.
async fn meets(openssl: &Path, acceptor: &Acceptor, arguments: &[&str], input: &str) -> Came {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let mut client = Command::new(openssl)
        .args(["s_client", "-connect", &address, "-servername", HOST])
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let input = input.to_owned();
    let context = format!("{} {arguments:?} {input:?}", acceptor.backend());
    let program = tokio::task::spawn_blocking(move || {
        let mut stdin = client.stdin.take().unwrap();
        let mut stdout = BufReader::new(client.stdout.take().unwrap());
        let mut printed = Vec::new();
        while !String::from_utf8_lossy(&printed).contains("220 greeting")
            && stdout.read_until(b'\n', &mut printed).unwrap() > 0
        {}
        let _ = stdin.write_all(input.as_bytes());
        std::io::copy(&mut stdout, &mut printed).unwrap();
        let ended = client.wait_with_output().unwrap();
        printed.extend(ended.stderr);
        String::from_utf8_lossy(&printed).into_owned()
    });
    let session = async {
        let (transport, _) = listener.accept().await.unwrap();
        let (mut stream, info) = acceptor.accept(transport).await.unwrap();
        stream.write_all(b"220 greeting\r\n").await.unwrap();
        stream.flush().await.unwrap();
        let mut received = Vec::new();
        let mut octets = [0; 256];
        while let Ok(n @ 1..) = stream.read(&mut octets).await {
            received.extend_from_slice(&octets[..n]);
            if received.ends_with(b"QUIT\n") {
                break;
            }
        }
        let _ = stream.shutdown().await;
        (info, received)
    };
    let (info, received) = timeout(PATIENCE, session).await.expect(&context);
    let printed = timeout(PATIENCE, program).await.unwrap().unwrap();
    Came { info, received, printed }
}

fn policy(version: Version) -> ServerPolicy {
    ServerPolicy { versions: (version, version), ..server(&leaf(&root())) }
}

#[tokio::test]
async fn it_resumes_in_both_versions_and_not_where_that_is_off() {
    let Some(openssl) = require_peer("openssl") else { return };
    let folder = temp_dir();
    let file = folder.path().join("session");
    let file = file.to_str().unwrap();
    for backend in Backend::available() {
        for version in [Version::Tls12, Version::Tls13] {
            for resumption in [Resumption::Local, Resumption::Off] {
                let _ = std::fs::remove_file(file);
                let policy = ServerPolicy { resumption: resumption.clone(), ..policy(version) };
                let acceptor = Acceptor::new(*backend, &policy).unwrap();
                let context = format!("{backend} {version} {resumption:?}");
                let first = ["-ign_eof", "-sess_out", file];
                let came = meets(&openssl, &acceptor, &first, "QUIT\n").await;
                assert!(!came.info.resumed && came.received == b"QUIT\n", "{context}");
                let on = resumption != Resumption::Off;
                // Under TLS 1.3 there is a session where there is a ticket alone. Under TLS 1.2 there may be one
                // without, and it is of no use.
                let kept = std::fs::exists(file).unwrap();
                assert!(on || version == Version::Tls12 || !kept, "{context}: a ticket");
                if kept {
                    let second = ["-ign_eof", "-sess_in", file];
                    let came = meets(&openssl, &acceptor, &second, "QUIT\n").await;
                    assert_eq!(came.info.resumed, on, "{context}: {}", came.printed);
                    assert_eq!(came.printed.contains("Reused, TLSv1."), on, "{context}");
                } else {
                    assert!(!on, "{context}");
                }
            }
        }
    }
}

#[tokio::test]
async fn early_data_is_neither_offered_nor_read() {
    let Some(openssl) = require_peer("openssl") else { return };
    let folder = temp_dir();
    let (file, early) = (folder.path().join("session"), folder.path().join("early"));
    std::fs::write(&early, "MAIL FROM:<early@example>\r\n").unwrap();
    let (file, early) = (file.to_str().unwrap(), early.to_str().unwrap());
    for backend in Backend::available() {
        let acceptor = Acceptor::new(*backend, &policy(Version::Tls13)).unwrap();
        meets(&openssl, &acceptor, &["-ign_eof", "-sess_out", file], "QUIT\n").await;
        let second = ["-ign_eof", "-sess_in", file, "-early_data", early];
        let came = meets(&openssl, &acceptor, &second, "QUIT\n").await;
        assert!(came.info.resumed, "{backend}: {}", came.printed);
        assert_eq!(String::from_utf8(came.received).unwrap(), "QUIT\n", "{backend}");
        assert!(!came.printed.contains("Early data was accepted"), "{backend}: {}", came.printed);
        assert!(came.printed.contains("Max Early Data: 0"), "{backend}: {}", came.printed);
    }
}

#[tokio::test]
async fn a_renegotiation_is_refused() {
    let Some(openssl) = require_peer("openssl") else { return };
    for backend in Backend::available() {
        let acceptor = Acceptor::new(*backend, &policy(Version::Tls12)).unwrap();
        // R alone, at the beginning of what it reads at once, is the client's word for it.
        let came = meets(&openssl, &acceptor, &[], "R\n").await;
        assert!(came.printed.contains("RENEGOTIATING"), "{backend}: {}", came.printed);
        assert!(came.printed.contains("no renegotiation"), "{backend}: {}", came.printed);
        assert!(came.received.is_empty(), "{backend}: {:?}", came.received);
    }
}
