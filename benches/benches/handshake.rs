//! What a handshake costs: the library alone, this workspace's acceptor and connector around it, and
//! the whole way of an SMTP connection through STARTTLS. Both ends are counted, in memory, on one
//! thread: full handshakes, TLS 1.3, an ECDSA P-256 leaf under a P-256 root, verified.

use std::{hint::black_box, sync::Arc};

use criterion::{Criterion, criterion_group, criterion_main};
use smtp_proto::{
    client, server,
    wire::{ClientName, Extension},
};
use smtp_testkit::pki::{Authority, Leaf};
use smtp_tls::{
    Acceptor, AfterEhlo, Backend, Certificate, ClientPolicy, Connector, Identity, Roots,
    ServerPolicy, Stream, Version, pem_sections,
};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream};

const HOST: &str = "mx.example.org";
const ROOM: usize = 64 * 1024;

struct Ends {
    acceptor: Acceptor,
    connector: Connector,
    policy: ClientPolicy,
}

fn der(pem: &str) -> Vec<u8> {
    pem_sections(pem.as_bytes()).expect("PEM")[0].der.clone()
}

fn ends(backend: Backend, root: &Authority, leaf: &Leaf) -> Ends {
    let sections = pem_sections(leaf.chain_and_key().as_bytes()).expect("PEM");
    let identity = Identity::from_pem_sections(&sections).expect("an identity");
    let mut server = ServerPolicy::new(Arc::new(identity));
    server.resumption = smtp_tls::Resumption::Off;
    server.versions = (Version::Tls13, Version::Tls13);
    let mut policy =
        ClientPolicy::verified(Roots::Pem(vec![Certificate::from_der(der(&root.certificate()))]));
    policy.versions = server.versions;
    Ends {
        acceptor: Acceptor::new(backend, &server).expect("an acceptor"),
        connector: Connector::new(backend, &policy).expect("a connector"),
        policy,
    }
}

async fn handshake(ends: &Ends) {
    let (near, far) = tokio::io::duplex(ROOM);
    let (near, far) = tokio::join!(ends.acceptor.accept(near), ends.connector.connect(HOST, far));
    let (near, far) = (near.expect("accepted"), far.expect("connected"));
    assert!(!far.1.resumed);
    black_box((near, far));
}

/// A connection that is in clear, and later is not.
enum Connection {
    Clear(DuplexStream),
    Tls(Stream<DuplexStream>),
}

impl Connection {
    async fn write(&mut self, octets: &[u8]) {
        async fn all(io: &mut (impl AsyncWrite + Unpin), octets: &[u8]) {
            io.write_all(octets).await.expect("written");
            io.flush().await.expect("flushed");
        }
        match self {
            Self::Clear(io) => all(io, octets).await,
            Self::Tls(io) => all(io, octets).await,
        }
    }

    async fn read(&mut self, buffer: &mut [u8]) -> usize {
        async fn some(io: &mut (impl AsyncRead + Unpin), buffer: &mut [u8]) -> usize {
            io.read(buffer).await.unwrap_or(0)
        }
        match self {
            Self::Clear(io) => some(io, buffer).await,
            Self::Tls(io) => some(io, buffer).await,
        }
    }

    fn clear(self) -> DuplexStream {
        match self {
            Self::Clear(io) => io,
            Self::Tls(_) => unreachable!("a session asks for one handshake"),
        }
    }

    async fn close(self) {
        if let Self::Tls(mut io) = self {
            // The other side may be gone already: after QUIT nobody waits for it.
            let _ = io.shutdown().await;
        }
    }
}

async fn serve(acceptor: &Acceptor, config: Arc<server::Config>, io: DuplexStream) -> bool {
    let mut io = Connection::Clear(io);
    let mut session = server::Session::new(config);
    loop {
        match session.poll_output() {
            server::Output::Transmit(octets) => io.write(octets).await,
            server::Output::StartTls => {
                io = Connection::Tls(acceptor.accept(io.clear()).await.expect("accepted").0);
                session.tls_established().expect("in order");
            }
            server::Output::Wait(_) => match io.read(session.input()).await {
                0 => session.end_of_input(),
                octets => session.received(octets).expect("in order"),
            },
            server::Output::Close => {
                io.close().await;
                return session.under_tls();
            }
            _ => {}
        }
    }
}

async fn send(ends: &Ends, config: Arc<client::Config>, io: DuplexStream) -> bool {
    let mut io = Connection::Clear(io);
    let mut session = client::Session::new(config);
    loop {
        match session.poll_output() {
            client::Output::Transmit(octets) => io.write(octets).await,
            client::Output::Ehlo(ask, capabilities) => {
                let next = match ends.policy.after_ehlo(capabilities.has(Extension::StartTls)) {
                    AfterEhlo::StartTls => client::AfterHello::StartTls,
                    AfterEhlo::Continue | AfterEhlo::Stop(_) => client::AfterHello::Quit,
                };
                session.answer(ask, next).expect("in order");
            }
            client::Output::StartTls => {
                let established = ends.connector.connect(HOST, io.clear()).await;
                io = Connection::Tls(established.expect("connected").0);
                session.tls_established().expect("in order");
            }
            client::Output::Ready => session.quit().expect("in order"),
            client::Output::Wait(_) => match io.read(session.input()).await {
                0 => session.end_of_input(),
                octets => session.received(octets).expect("in order"),
            },
            client::Output::Close => {
                io.close().await;
                return session.under_tls() && session.failure().is_none();
            }
            _ => {}
        }
    }
}

/// 220, EHLO, STARTTLS, the handshake, EHLO, QUIT.
async fn connection(
    ends: &Ends,
    serving: &Arc<server::Config>,
    sending: &Arc<client::Config>,
) -> (bool, bool) {
    let (near, far) = tokio::io::duplex(ROOM);
    tokio::join!(
        serve(&ends.acceptor, Arc::clone(serving), near),
        send(ends, Arc::clone(sending), far)
    )
}

mod bare_rustls {
    use rustls::{
        ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection,
        client::Resumption,
        crypto::aws_lc_rs::default_provider,
        pki_types::{CertificateDer, PrivateKeyDer, ServerName},
        server::NoServerSessionStorage,
        version::TLS13,
    };

    use super::*;

    pub(super) struct Bare(Arc<ServerConfig>, Arc<ClientConfig>);

    impl Bare {
        pub(super) fn new(root: &Authority, leaf: &Leaf) -> Self {
            let chain = vec![CertificateDer::from(der(&leaf.certificate))];
            let key = PrivateKeyDer::Pkcs8(der(&leaf.key).into());
            let mut server = ServerConfig::builder_with_provider(default_provider().into())
                .with_protocol_versions(&[&TLS13])
                .expect("a version")
                .with_no_client_auth()
                .with_single_cert(chain, key)
                .expect("a certificate");
            server.session_storage = Arc::new(NoServerSessionStorage {});
            server.send_tls13_tickets = 0;
            let mut roots = RootCertStore::empty();
            roots.add(CertificateDer::from(der(&root.certificate()))).expect("a root");
            let mut client = ClientConfig::builder_with_provider(default_provider().into())
                .with_protocol_versions(&[&TLS13])
                .expect("a version")
                .with_root_certificates(roots)
                .with_no_client_auth();
            client.resumption = Resumption::disabled();
            Self(Arc::new(server), Arc::new(client))
        }

        pub(super) fn handshake(&self) {
            let name = ServerName::try_from(HOST).expect("a name");
            let mut client = ClientConnection::new(Arc::clone(&self.1), name).expect("a client");
            let mut server = ServerConnection::new(Arc::clone(&self.0)).expect("a server");
            let mut octets = Vec::with_capacity(8 * 1024);
            while client.is_handshaking() || server.is_handshaking() {
                client.write_tls(&mut octets).expect("in memory");
                server.read_tls(&mut octets.as_slice()).expect("in memory");
                server.process_new_packets().expect("accepted");
                octets.clear();
                while server.wants_write() {
                    server.write_tls(&mut octets).expect("in memory");
                }
                client.read_tls(&mut octets.as_slice()).expect("in memory");
                client.process_new_packets().expect("connected");
                octets.clear();
            }
            black_box((client, server));
        }
    }
}

#[cfg(feature = "openssl")]
mod bare_openssl {
    use std::{
        cell::RefCell,
        collections::VecDeque,
        io::{self, Read, Write},
        rc::Rc,
    };

    use openssl::{
        pkey::PKey,
        ssl::{
            ErrorCode, Ssl, SslContext, SslContextBuilder, SslMethod, SslSessionCacheMode,
            SslStream, SslVerifyMode, SslVersion,
        },
        x509::{X509, store::X509StoreBuilder},
    };

    use super::*;

    type Pipe = Rc<RefCell<VecDeque<u8>>>;

    struct Transport {
        from: Pipe,
        to: Pipe,
    }

    impl Read for Transport {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            match self.from.borrow_mut().read(buffer) {
                Ok(0) => Err(io::ErrorKind::WouldBlock.into()),
                other => other,
            }
        }
    }

    impl Write for Transport {
        fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
            self.to.borrow_mut().write(octets)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    pub(super) struct Bare(SslContext, SslContext);

    fn context(method: SslMethod) -> SslContextBuilder {
        let mut context = SslContextBuilder::new(method).expect("a context");
        context.set_min_proto_version(Some(SslVersion::TLS1_3)).expect("a version");
        context.set_session_cache_mode(SslSessionCacheMode::OFF);
        context.set_num_tickets(0).expect("no tickets");
        context
    }

    impl Bare {
        pub(super) fn new(root: &Authority, leaf: &Leaf) -> Self {
            let mut server = context(SslMethod::tls_server());
            let certificate = X509::from_der(&der(&leaf.certificate)).expect("a certificate");
            server.set_certificate(&certificate).expect("a certificate");
            let key = PKey::private_key_from_der(&der(&leaf.key)).expect("a key");
            server.set_private_key(&key).expect("a key");
            let mut client = context(SslMethod::tls_client());
            let mut store = X509StoreBuilder::new().expect("a store");
            let root = X509::from_der(&der(&root.certificate())).expect("a root");
            store.add_cert(root).expect("a root");
            client.set_verify_cert_store(store.build()).expect("a store");
            client.set_verify(SslVerifyMode::PEER);
            Self(server.build(), client.build())
        }

        pub(super) fn handshake(&self) {
            let (up, down) = (Pipe::default(), Pipe::default());
            let server = Ssl::new(&self.0).expect("a server");
            let mut client = Ssl::new(&self.1).expect("a client");
            client.set_hostname(HOST).expect("a name");
            client.param_mut().set_host(HOST).expect("a name");
            let near = Transport { from: Rc::clone(&up), to: Rc::clone(&down) };
            let mut near = SslStream::new(server, near).expect("a stream");
            let mut far =
                SslStream::new(client, Transport { from: down, to: up }).expect("a stream");
            let (mut accepted, mut connected) = (false, false);
            while !(accepted && connected) {
                connected = connected || finished(far.connect());
                accepted = accepted || finished(near.accept());
            }
            black_box((near, far));
        }
    }

    fn finished(result: Result<(), openssl::ssl::Error>) -> bool {
        match result {
            Ok(()) => true,
            Err(error) if error.code() == ErrorCode::WANT_READ => false,
            Err(error) => panic!("{error}"),
        }
    }
}

fn benches(c: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let root = Authority::root("Bench Root");
    let leaf = root.issue(&[HOST]);
    let mut serving = server::Config::new(HOST);
    serving.tls = server::Tls::StartTls;
    let serving = Arc::new(serving);
    let name = ClientName::parse("client.example.org").expect("a name");
    let sending = Arc::new(client::Config::new(name));
    for backend in Backend::available() {
        let ends = ends(*backend, &root, &leaf);
        let whole = runtime.block_on(connection(&ends, &serving, &sending));
        assert_eq!(whole, (true, true), "both sides end under TLS and in order");
        let mut group = c.benchmark_group(format!("handshake/{backend}"));
        match backend {
            Backend::Rustls => {
                let bare = bare_rustls::Bare::new(&root, &leaf);
                group.bench_function("library alone", |b| b.iter(|| bare.handshake()));
            }
            #[cfg(feature = "openssl")]
            Backend::OpenSsl => {
                let bare = bare_openssl::Bare::new(&root, &leaf);
                group.bench_function("library alone", |b| b.iter(|| bare.handshake()));
            }
            #[allow(unreachable_patterns)]
            _ => {}
        }
        group.bench_function("acceptor and connector", |b| {
            b.iter(|| runtime.block_on(handshake(&ends)));
        });
        group.bench_function("SMTP connection with STARTTLS", |b| {
            b.iter(|| runtime.block_on(connection(&ends, &serving, &sending)));
        });
        group.finish();
    }
}

criterion_group!(all, benches);
criterion_main!(all);
