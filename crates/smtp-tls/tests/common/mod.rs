//! Both ends of a handshake, in memory.
#![allow(dead_code, reason = "each test program uses its share")]

use std::sync::{Arc, LazyLock};

use smtp_testkit::pki::{Authority, Key, Leaf, Validity};
use smtp_tls::{
    Acceptor, Backend, Certificate, ClientPolicy, Connector, HandshakeError, Identity, Roots,
    ServerPolicy, Stream, TlsInfo, pem_sections,
};
use tokio::io::DuplexStream;

pub(crate) const HOST: &str = "mx.example.org";

pub(crate) type Ended = Result<(Stream<DuplexStream>, TlsInfo), HandshakeError>;

/// Every server backend with every client backend.
pub(crate) fn pairs() -> Vec<(Backend, Backend)> {
    let all = Backend::available();
    all.iter().flat_map(|server| all.iter().map(|client| (*server, *client))).collect()
}

pub(crate) fn identity(pem: &str) -> Arc<Identity> {
    let sections = pem_sections(pem.as_bytes()).unwrap();
    Arc::new(Identity::from_pem_sections(&sections).unwrap())
}

pub(crate) fn certificates(pem: &str) -> Vec<Certificate> {
    let sections = pem_sections(pem.as_bytes()).unwrap();
    sections.iter().map(|section| Certificate::from_der(section.der.clone())).collect()
}

pub(crate) fn root() -> Authority {
    Authority::root("Test Root")
}

pub(crate) fn leaf(root: &Authority) -> Leaf {
    root.issue_as(&[HOST, "192.0.2.7"], Key::Ecdsa, Validity::Now)
}

/// To make a key of RSA takes longer than most of what is tried with it.
pub(crate) static RSA_LEAF: LazyLock<Leaf> =
    LazyLock::new(|| root().issue_as(&[HOST], Key::Rsa, Validity::Now));

pub(crate) fn server(leaf: &Leaf) -> ServerPolicy {
    ServerPolicy::new(identity(&leaf.chain_and_key()))
}

pub(crate) fn trusting(root: &Authority) -> ClientPolicy {
    ClientPolicy::verified(Roots::Pem(certificates(&root.certificate())))
}

pub(crate) async fn run(acceptor: &Acceptor, connector: &Connector, host: &str) -> (Ended, Ended) {
    let (near, far) = tokio::io::duplex(64 * 1024);
    tokio::join!(acceptor.accept(near), connector.connect(host, far))
}

/// One handshake under these policies.
pub(crate) async fn meet(
    (near, far): (Backend, Backend),
    server: &ServerPolicy,
    client: &ClientPolicy,
    host: &str,
) -> (Ended, Ended) {
    let acceptor = Acceptor::new(near, server).unwrap();
    let connector = Connector::new(far, client).unwrap();
    run(&acceptor, &connector, host).await
}
