//! Who resumes whose sessions: one acceptor its own, and hosts that share a key each other's, as long as
//! the same is asked of clients.
#![cfg(feature = "rustls")]
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::sync::Arc;

use common::*;
use smtp_testkit::pki::{Authority, client::Client};
use smtp_tls::{
    Acceptor, Backend, CipherString, ClientPolicy, ClientTrust, Connector, Resumption,
    ServerPolicy, TicketKeys, TlsInfo, Version,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const VERSIONS: [Version; 2] = [Version::Tls12, Version::Tls13];

fn keys(octets: &[u8]) -> Resumption {
    let octets: Vec<_> = octets.iter().flat_map(|n| (*n..).take(TicketKeys::LENGTH)).collect();
    Resumption::Shared(TicketKeys::from_octets(&octets).unwrap())
}

fn host(policy: &ServerPolicy, resumption: Resumption) -> Acceptor {
    let acceptor =
        Acceptor::new(Backend::Rustls, &ServerPolicy { resumption, ..policy.clone() }).unwrap();
    assert_eq!(acceptor.unhonoured(), []);
    acceptor
}

/// One session with the client, to its end.
async fn visit(connector: &Connector, acceptor: &Acceptor) -> TlsInfo {
    let (near, far) = run(acceptor, connector, HOST).await;
    let ((mut near, info), (mut far, far_info)) = (near.unwrap(), far.unwrap());
    assert_eq!(info.resumed, far_info.resumed);
    near.write_all(b"x").await.unwrap();
    near.shutdown().await.unwrap();
    let mut rest = Vec::new();
    far.read_to_end(&mut rest).await.unwrap();
    assert_eq!(rest, b"x");
    info
}

fn connector(policy: &ClientPolicy) -> Connector {
    Connector::new(Backend::Rustls, policy).unwrap()
}

#[tokio::test]
async fn hosts_with_one_key_file_resume_each_others_sessions_through_one_rotation() {
    let root = root();
    for version in VERSIONS {
        let policy = ServerPolicy { versions: (version, version), ..server(&leaf(&root)) };
        let (one, two) = (host(&policy, keys(&[1])), host(&policy, keys(&[1])));
        let client = connector(&trusting(&root));
        assert!(!visit(&client, &one).await.resumed, "{version}");
        for acceptor in [&two, &one, &two, &two] {
            assert!(visit(&client, acceptor).await.resumed, "{version}");
        }
        // The last ticket is of the first key.
        let rotated = host(&policy, keys(&[2, 1]));
        assert!(visit(&client, &rotated).await.resumed, "{version}");

        let client = connector(&trusting(&root));
        assert!(!visit(&client, &one).await.resumed, "{version}");
        let again = host(&policy, keys(&[3, 2]));
        assert!(!visit(&client, &again).await.resumed, "{version}");
        assert!(visit(&client, &again).await.resumed, "{version}");
        // Nor by one with keys of its own.
        let own = host(&policy, Resumption::Local);
        assert!(!visit(&client, &own).await.resumed, "{version}");
        let off = host(&policy, Resumption::Off);
        let client = connector(&trusting(&root));
        for _ in 0..3 {
            assert!(!visit(&client, &off).await.resumed, "{version}");
        }
    }
}

#[tokio::test]
async fn a_session_never_crosses_which_suites_are_offered() {
    let root = root();
    let offering = |text: &str| {
        let ciphers = Some(CipherString { text: text.to_owned(), origin: None });
        let policy = ServerPolicy { ciphers, ..server(&leaf(&root)) };
        Acceptor::new(Backend::Rustls, &ServerPolicy { resumption: keys(&[1]), ..policy }).unwrap()
    };
    let (long, short) = (offering("ECDHE+AES256"), offering("ECDHE+AES128"));
    let versions = (Version::Tls12, Version::Tls12);
    let client = connector(&ClientPolicy { versions, ..trusting(&root) });
    for (acceptor, resumed) in
        [(&long, false), (&long, true), (&short, false), (&short, true), (&long, false)]
    {
        let info = visit(&client, acceptor).await;
        assert_eq!(info.resumed, resumed, "{}", info.suite);
        assert!(acceptor.offer().tls12.iter().any(|suite| suite.name() == info.suite));
    }
}

#[tokio::test]
async fn a_session_never_crosses_what_clients_are_asked_for() {
    let root = root();
    let authorities = [Authority::root("A"), Authority::root("B")];
    let client = authorities[0].intermediate("Middle").issue_client(&Client::new("a@example"));
    let showing =
        ClientPolicy { identity: Some(identity(&client.chain_and_key())), ..trusting(&root) };
    for version in VERSIONS {
        let plain = ServerPolicy { versions: (version, version), ..server(&leaf(&root)) };
        let asking = |authority: &Authority, addresses: &[&str]| {
            let trust = ClientTrust::new(certificates(&authority.certificate()), addresses);
            ServerPolicy { clients: Some(Arc::new(trust)), ..plain.clone() }
        };
        let policies =
            [plain.clone(), asking(&authorities[0], &["a@example"]), asking(&authorities[1], &[])];
        let hosts: Vec<_> = policies.iter().map(|policy| host(policy, keys(&[1]))).collect();
        for client_policy in [&showing, &trusting(&root)] {
            for (from, first) in hosts.iter().enumerate() {
                for (to, second) in hosts.iter().enumerate() {
                    let client = connector(client_policy);
                    assert!(!visit(&client, first).await.resumed);
                    let info = visit(&client, second).await;
                    assert_eq!(info.resumed, from == to, "{version} {from} {to}");
                }
            }
        }
        // Whom the certificates open the relay for is judged each time: the chain is there for it.
        let (first, second) =
            (&hosts[1], host(&asking(&authorities[0], &["b@example"]), keys(&[1])));
        let client_of = connector(&showing);
        visit(&client_of, first).await;
        let info = visit(&client_of, &second).await;
        assert!(info.resumed);
        assert_eq!(info.client_chain[..], certificates(&client.chain()), "{version}");
    }
}

#[cfg(feature = "openssl")]
#[test]
fn openssl_says_that_it_takes_no_shared_keys() {
    use smtp_tls::{Loss, OriginId};
    let Resumption::Shared(keys) = keys(&[1]) else { unreachable!() };
    let mut policy = server(&leaf(&root()));
    policy.resumption = Resumption::Shared(keys.with_origin(OriginId(8)));
    let acceptor = Acceptor::new(Backend::OpenSsl, &policy).unwrap();
    let [only] = acceptor.unhonoured() else { panic!("{:?}", acceptor.unhonoured()) };
    assert_eq!((only.setting, only.origin), ("resumption", Some(OriginId(8))));
    assert_eq!(only.loss, Loss::Partial);
}
