//! What it costs to judge a client's certificate, once in a session, and to make the judge, once for
//! a snapshot.
//!
//! OpenSSL's own verification of the same chain stands beside it where both are compiled in. It reads
//! the certificates before it is measured, which the judge does each time, and looks for no address.

use std::hint::black_box;
use std::sync::Arc;

use criterion::{Criterion, criterion_group, criterion_main};
use smtp_testkit::pki::client::{Client, List, der};
use smtp_testkit::pki::{Authority, Key, Leaf};
use smtp_tls::{
    Certificate, ClientJudge, ClientTrust, ClientVerdict, Identity, KeyKind, PrivateKey,
    RevocationList, ServerPolicy,
};

/// 2026-01-01.
const NOW: u64 = 1_767_225_600;

const ADDRESS: &str = "tim@example.org";

/// As many as a large authority has.
const REVOKED: usize = 2_000;

fn chain(leaf: &Leaf) -> Vec<Certificate> {
    let all = std::iter::once(&leaf.certificate).chain(&leaf.intermediates);
    all.map(|pem| Certificate::from_der(der(pem))).collect()
}

/// Of a server that asks its clients so; of its own certificate nothing is judged.
fn policy(trust: ClientTrust) -> ServerPolicy {
    let key = PrivateKey::from_der(KeyKind::Pkcs8, Vec::new());
    let identity = Identity::new(Certificate::from_der(Vec::new()), Vec::new(), key);
    ServerPolicy { clients: Some(Arc::new(trust)), ..ServerPolicy::new(Arc::new(identity)) }
}

fn judge_of(trust: ClientTrust) -> ClientJudge {
    policy(trust).judge().expect("the policy asks for certificates")
}

fn trust(root: &Authority, lists: Option<&[&str]>) -> ClientTrust {
    let root = Certificate::from_der(der(&root.certificate()));
    let list = |pem: &&str| RevocationList::from_der(der(pem));
    ClientTrust {
        revoked: lists.map(|lists| lists.iter().map(list).collect()),
        ..ClientTrust::new(vec![root], [ADDRESS])
    }
}

fn judge(criterion: &mut Criterion) {
    let root = Authority::root("root");
    let below = root.intermediate("below");
    let client = || Client::new(ADDRESS);
    let plain = root.issue_client(&client());
    let rsa = root.issue_client(&Client { key: Key::Rsa, ..client() });
    let deep = below.issue_client(&client());
    let old = root.as_version_1(&plain);

    let other = root.issue_client(&client()).certificate;
    let many = vec![other.as_str(); REVOKED];
    let lists = [
        root.list(&List { revoked: &many, ..List::default() }),
        below.list(&List { revoked: &many, ..List::default() }),
    ];
    let lists: Vec<_> = lists.iter().map(String::as_str).collect();

    let mut group = criterion.benchmark_group("judge");
    for (name, leaf, lists) in [
        ("below the authority", &plain, None),
        ("below the authority, RSA", &rsa, None),
        ("below the authority, version 1", &old, None),
        ("one between", &deep, None),
        ("one between, lists", &deep, Some(&lists[..])),
    ] {
        let judge = judge_of(trust(&root, lists));
        let chain = chain(leaf);
        assert!(matches!(judge.judge(&chain, NOW), ClientVerdict::Relay(_)), "{name}");
        group.bench_function(format!("{name}/ours"), |bencher| {
            bencher.iter(|| judge.judge(black_box(&chain), NOW));
        });
        #[cfg(feature = "openssl")]
        if lists.is_none() {
            group.bench_function(format!("{name}/openssl"), |bencher| {
                let peer = peer::Peer::new(&root.certificate(), leaf);
                assert!(peer.verify());
                bencher.iter(|| peer.verify());
            });
        }
    }
    group.finish();

    let policy = policy(trust(&root, Some(&lists)));
    criterion.bench_function("judge/made, with two lists of 2,000", |bencher| {
        bencher.iter(|| black_box(&policy).judge());
    });
}

#[cfg(feature = "openssl")]
mod peer {
    use openssl::stack::Stack;
    use openssl::x509::store::{X509Store, X509StoreBuilder};
    use openssl::x509::{X509, X509PurposeId, X509StoreContext};
    use smtp_testkit::pki::Leaf;

    pub(super) struct Peer {
        store: X509Store,
        leaf: X509,
        above: Stack<X509>,
    }

    impl Peer {
        pub(super) fn new(root: &str, leaf: &Leaf) -> Self {
            let read = |pem: &str| X509::from_pem(pem.as_bytes()).expect("a certificate");
            let mut store = X509StoreBuilder::new().expect("a store");
            store.add_cert(read(root)).expect("an authority");
            store.set_purpose(X509PurposeId::SSL_CLIENT).expect("a purpose");
            let mut above = Stack::new().expect("a stack");
            for pem in &leaf.intermediates {
                above.push(read(pem)).expect("room");
            }
            Self { store: store.build(), leaf: read(&leaf.certificate), above }
        }

        pub(super) fn verify(&self) -> bool {
            let mut context = X509StoreContext::new().expect("a context");
            context
                .init(&self.store, &self.leaf, &self.above, |context| context.verify_cert())
                .expect("a verdict")
        }
    }
}

criterion_group!(benches, judge);
criterion_main!(benches);
