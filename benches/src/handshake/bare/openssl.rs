//! OpenSSL alone.

use std::io::{ErrorKind, Read, Write};

use openssl::pkey::PKey;
use openssl::ssl::{
    ErrorCode, Ssl, SslContext, SslContextBuilder, SslMethod, SslOptions, SslSessionCacheMode,
    SslStream, SslVerifyMode, SslVersion,
};
use openssl::stack::Stack;
use openssl::x509::X509;
use openssl::x509::store::{X509Store, X509StoreBuilder};

use super::super::case::{Case, Path};
use super::super::clock::{Clock, Phase};
use super::super::material::Material;
use super::super::memory::End;
use super::super::script::HOST;
use super::Session;

/// As many as the acceptor keeps.
const SESSIONS: i32 = 1024;

fn context(method: SslMethod) -> SslContextBuilder {
    let mut context = SslContextBuilder::new(method).expect("a context");
    context.set_min_proto_version(Some(SslVersion::TLS1_2)).expect("a version");
    // The suite is to be the same on both.
    context.set_options(SslOptions::CIPHER_SERVER_PREFERENCE);
    context
}

fn show(context: &mut SslContextBuilder, (certificate, key): (Vec<u8>, Vec<u8>)) {
    let certificate = X509::from_der(&certificate).expect("a certificate");
    context.set_certificate(&certificate).expect("a certificate");
    let key = PKey::private_key_from_der(&key).expect("a key");
    context.set_private_key(&key).expect("a key");
}

fn root(material: &Material) -> X509 {
    X509::from_der(&material.root_der()).expect("a root")
}

fn store(material: &Material) -> X509Store {
    let mut store = X509StoreBuilder::new().expect("a store");
    store.add_cert(root(material)).expect("a root");
    store.build()
}

pub(crate) struct Server {
    pub(super) context: SslContext,
    pub(super) path: Path,
    asks: bool,
}

impl Server {
    pub(crate) fn subject(case: &Case, material: &Material) -> Self {
        let mut context = context(SslMethod::tls_server());
        show(&mut context, material.leaf_der());
        context.set_session_id_context(b"smtp").expect("a context");
        if case.shown {
            let mut names = Stack::new().expect("a stack");
            names.push(root(material).subject_name().to_owned().expect("a name")).expect("room");
            context.set_client_ca_list(names);
            context.set_verify_cert_store(store(material)).expect("a store");
            context.set_verify(SslVerifyMode::PEER);
            // As the acceptor does: a certificate is not to outlive its revocation.
            context.set_session_cache_mode(SslSessionCacheMode::OFF);
            context.set_options(SslOptions::NO_TICKET);
            context.set_num_tickets(0).expect("a number");
        } else {
            context.set_session_cache_mode(SslSessionCacheMode::SERVER);
            context.set_session_cache_size(SESSIONS);
        }
        // Whoever wants to know the name that the client asked for has one; it lengthens each ticket.
        context.set_servername_callback(|_, _| Ok(()));
        Self { context: context.build(), path: case.path, asks: case.shown }
    }

    /// Serves one connection; says whether its TLS session was resumed.
    pub(crate) async fn serve(&self, mut end: End, clock: &Clock) -> bool {
        super::offer(&mut end, self.path).await;
        clock.enter(Phase::Handshake);
        let tls = Ssl::new(&self.context).expect("a server");
        let mut stream = SslStream::new(tls, end).expect("a stream");
        while unfinished(stream.accept()) {
            stream.get_ref().readable().await;
        }
        assert_eq!(stream.ssl().peer_certificate().is_some(), self.asks);
        clock.enter(Phase::Inside);
        super::serve(&mut stream, self.path, clock).await;
        stream.ssl().session_reused()
    }
}

pub(crate) struct Client {
    context: SslContext,
    pub(super) path: Path,
}

impl Client {
    pub(crate) fn subject(case: &Case, material: &Material) -> Self {
        let mut context = context(SslMethod::tls_client());
        context.set_session_cache_mode(SslSessionCacheMode::OFF);
        if case.shown {
            show(&mut context, material.client_der());
        }
        context.set_verify_cert_store(store(material)).expect("a store");
        context.set_verify(SslVerifyMode::PEER);
        Self { context: context.build(), path: case.path }
    }

    pub(super) fn session(&self) -> Ssl {
        let mut tls = Ssl::new(&self.context).expect("a client");
        tls.set_hostname(HOST).expect("a name");
        tls.param_mut().set_host(HOST).expect("a name");
        tls
    }

    /// Goes through one connection; says whether its TLS session was resumed.
    pub(crate) async fn send(&self, mut end: End, clock: &Clock) -> bool {
        super::ask(&mut end, self.path).await;
        clock.enter(Phase::Handshake);
        let mut stream = SslStream::new(self.session(), end).expect("a stream");
        while unfinished(stream.connect()) {
            stream.get_ref().readable().await;
        }
        clock.enter(Phase::Inside);
        super::send(&mut stream, self.path, clock).await;
        stream.ssl().session_reused()
    }
}

fn unfinished(result: Result<(), openssl::ssl::Error>) -> bool {
    match result {
        Ok(()) => false,
        Err(error) if error.code() == ErrorCode::WANT_READ => true,
        Err(error) => panic!("{error}"),
    }
}

impl Session for SslStream<End> {
    async fn hear(&mut self, into: &mut [u8]) -> usize {
        loop {
            match self.read(into) {
                Ok(octets) => return octets,
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.get_ref().readable().await;
                }
                Err(error) => panic!("{error}"),
            }
        }
    }

    fn say(&mut self, octets: &[u8]) {
        self.write_all(octets).expect("in memory");
    }

    fn close(&mut self) {
        self.shutdown().expect("in memory");
    }
}
