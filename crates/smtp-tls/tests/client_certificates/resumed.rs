//! A session that is resumed is judged again: what was revoked in between does not relay.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use smtp_testkit::pki::Authority;
use smtp_testkit::pki::client::{Client, List};
use smtp_testkit::process::{Finished, require_peer, run, temp_dir};
use smtp_tls::{
    Acceptor, Backend, ClientRefusal, ClientTrust, ClientVerdict, Identity, Resumption,
    ServerPolicy, TicketKeys, TlsInfo, pem_sections,
};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;

use crate::{NOW, TIM, judge_of, relays, trust, with_lists};

/// One session of `openssl s_client`, and what the server saw.
async fn session(openssl: &Path, acceptor: &Acceptor, arguments: &[&str]) -> (TlsInfo, Finished) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut command = Command::new(openssl);
    command.args(["s_client", "-ign_eof", "-connect"]);
    command.arg(listener.local_addr().unwrap().to_string()).args(arguments);
    let client = tokio::task::spawn_blocking(move || run(&mut command, b""));
    let served = async {
        let (socket, _) = listener.accept().await.unwrap();
        let (mut stream, info) = acceptor.accept(socket).await.unwrap();
        // What comes behind the tickets shows that they were read.
        stream.write_all(b"220 hello\r\n").await.unwrap();
        stream.shutdown().await.unwrap();
        info
    };
    let info = tokio::time::timeout(Duration::from_secs(20), served).await.expect("it came");
    (info, client.await.unwrap())
}

#[tokio::test]
async fn a_revocation_takes_effect_on_the_sessions_of_before() {
    let Some(openssl) = require_peer("openssl") else { return };
    let root = Authority::root("root");
    let leaf = root.issue_client(&Client::new(TIM));
    let revoked: &[&str] = &[&leaf.certificate];
    let before = with_lists(trust(&[&root]), &[&root.list(&List::default())]);
    let after = with_lists(
        trust(&[&root]),
        &[&root.list(&List { revoked, since: Some(2024), ..List::default() })],
    );
    let own = smtp_testkit::pki::self_signed(&["mx.example.org"]);
    let sections = pem_sections(own.chain_and_key().as_bytes()).unwrap();
    let identity = Arc::new(Identity::from_pem_sections(&sections).unwrap());
    let keys = TicketKeys::from_octets(&(0..80).collect::<Vec<_>>()).unwrap();
    let policy = |clients: &ClientTrust| ServerPolicy {
        clients: Some(Arc::new(clients.clone())),
        resumption: Resumption::Shared(keys.clone()),
        ..ServerPolicy::new(Arc::clone(&identity))
    };
    let folder = temp_dir();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (certificate, key, saved) = (path("leaf.pem"), path("key.pem"), path("session.pem"));
    std::fs::write(&certificate, &leaf.certificate).unwrap();
    std::fs::write(&key, &leaf.key).unwrap();

    for backend in Backend::available() {
        let first = Acceptor::new(*backend, &policy(&before)).unwrap();
        let second = Acceptor::new(*backend, &policy(&after)).unwrap();
        for version in ["-tls1_2", "-tls1_3"] {
            let arguments = |file| [version, "-cert", &certificate, "-key", &key, file, &saved];
            let (info, ran) = session(&openssl, &first, &arguments("-sess_out")).await;
            assert!(!info.resumed, "{backend:?} {version}: {ran:#?}");
            let judge = |by: &ClientTrust, info: &TlsInfo| {
                judge_of(by.clone()).judge(&info.client_chain, NOW)
            };
            assert_eq!(judge(&before, &info), relays());

            // It saves nothing where it was given nothing to save.
            let kept = std::fs::exists(&saved).unwrap();
            assert!(kept || *backend == Backend::OpenSsl, "{version}");
            let again = arguments("-sess_in");
            let again = if kept { &again[..] } else { &again[..5] };
            let (info, ran) = session(&openssl, &second, again).await;
            let seen = format!("{backend:?} {version}: {ran:#?}");
            // OpenSSL gives no ticket after a client certificate: the handshake is whole again.
            assert_eq!(info.resumed, *backend == Backend::Rustls, "{seen}");
            assert_eq!(judge(&before, &info), relays(), "{seen}");
            let verdict = judge(&after, &info);
            assert_eq!(verdict, ClientVerdict::Refused(ClientRefusal::Revoked), "{seen}");
            let _ = std::fs::remove_file(&saved);
        }
    }
}
