//! Both ends of a handshake, in memory.
#![allow(dead_code, reason = "each test program uses its share")]

use std::sync::{Arc, LazyLock};

use smtp_testkit::pki::{Authority, Key, Leaf, Validity};
use smtp_tls::{
    Acceptor, Backend, Certificate, CipherString, ClientPolicy, Connector, HandshakeError,
    Identity, OriginId, Roots, ServerPolicy, Stream, TlsInfo, Version, pem_sections,
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

/// The origin of an identity, and that of a cipher string.
pub(crate) const WHERE: OriginId = OriginId(17);
pub(crate) const OF_STRING: OriginId = OriginId(3);

pub(crate) const BOTH: (Version, Version) = (Version::Tls12, Version::Tls13);
pub(crate) const TLS12: (Version, Version) = (Version::Tls12, Version::Tls12);
pub(crate) const TLS13: (Version, Version) = (Version::Tls13, Version::Tls13);

/// The policy of a certificate with its key, by a cipher string.
pub(crate) fn by_string(
    pem: &str,
    text: Option<&str>,
    versions: (Version, Version),
) -> ServerPolicy {
    let sections = pem_sections(pem.as_bytes()).unwrap();
    let identity = Identity::from_pem_sections(&sections).unwrap().with_origin(WHERE);
    let ciphers = text.map(|text| CipherString { text: text.to_owned(), origin: Some(OF_STRING) });
    ServerPolicy { ciphers, versions, ..ServerPolicy::new(identity.into()) }
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
