//! rustls alone.

use std::io::{ErrorKind, Read, Write};
use std::sync::Arc;

use rustls::client::Resumption;
use rustls::crypto::aws_lc_rs::{Ticketer, default_provider, kx_group};
use rustls::crypto::{CryptoProvider, SupportedKxGroup};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::server::{NoServerSessionStorage, ServerSessionMemoryCache, WebPkiClientVerifier};
use rustls::version::{TLS12, TLS13};
use rustls::{
    ClientConfig, ClientConnection, Connection, HandshakeKind, RootCertStore, ServerConfig,
    ServerConnection, SupportedProtocolVersion,
};

use super::super::case::{Case, Group, Path, Tls};
use super::super::clock::{Clock, Phase};
use super::super::material::Material;
use super::super::memory::End;
use super::super::script::HOST;
use super::Session;

/// As many as the acceptor keeps.
const SESSIONS: usize = 1024;

/// As many hosts as the connector keeps sessions of.
const HOSTS: usize = 256;

/// What a connection came to, as the peer sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) resumed: bool,
    pub(crate) tls13: bool,
    /// None is negotiated where a TLS 1.2 session is resumed.
    pub(crate) group: Option<rustls::NamedGroup>,
    pub(crate) suite: rustls::CipherSuite,
}

/// A peer speaks the version of the case and no other, and its group first.
fn peer_provider(case: &Case) -> Arc<CryptoProvider> {
    let first: &'static dyn SupportedKxGroup = match case.group {
        Group::X25519 => kx_group::X25519,
        Group::X25519MlKem768 => kx_group::X25519MLKEM768,
    };
    // Under TLS 1.2 OpenSSL takes its P-256 certificate out only for a client that has the curve.
    Arc::new(CryptoProvider { kx_groups: vec![first, kx_group::SECP256R1], ..default_provider() })
}

fn peer_versions(case: &Case) -> &'static [&'static SupportedProtocolVersion] {
    static ONLY_12: [&SupportedProtocolVersion; 1] = [&TLS12];
    static ONLY_13: [&SupportedProtocolVersion; 1] = [&TLS13];
    match case.tls {
        Tls::V12 => &ONLY_12,
        Tls::V13 => &ONLY_13,
    }
}

fn roots(material: &Material) -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from(material.root_der())).expect("a root");
    roots
}

pub(crate) struct Server {
    pub(super) config: Arc<ServerConfig>,
    pub(super) path: Path,
    asks: bool,
}

impl Server {
    /// With what the acceptor has: its versions, suites, groups and ways of resumption.
    pub(crate) fn subject(case: &Case, material: &Material) -> Self {
        Self::new(case, material, Arc::new(default_provider()), &[&TLS12, &TLS13], true)
    }

    /// One to which clients that are measured come.
    pub(crate) fn peer(case: &Case, material: &Material) -> Self {
        Self::new(case, material, peer_provider(case), peer_versions(case), case.resumed)
    }

    fn new(
        case: &Case,
        material: &Material,
        provider: Arc<CryptoProvider>,
        versions: &[&'static SupportedProtocolVersion],
        resumption: bool,
    ) -> Self {
        let (certificate, key) = material.leaf_der();
        let verifier = match case.shown {
            true => {
                let (roots, provider) = (Arc::new(roots(material)), Arc::clone(&provider));
                WebPkiClientVerifier::builder_with_provider(roots, provider)
                    .allow_unauthenticated()
                    .build()
                    .expect("roots")
            }
            false => WebPkiClientVerifier::no_client_auth(),
        };
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(versions)
            .expect("versions")
            .with_client_cert_verifier(verifier)
            .with_single_cert(
                vec![CertificateDer::from(certificate)],
                PrivateKeyDer::Pkcs8(key.into()),
            )
            .expect("a certificate");
        config.ignore_client_order = true;
        if resumption {
            config.ticketer = Ticketer::new().expect("tickets");
            config.session_storage = ServerSessionMemoryCache::new(SESSIONS);
        } else {
            config.session_storage = Arc::new(NoServerSessionStorage {});
            config.send_tls13_tickets = 0;
        }
        Self { config: Arc::new(config), path: case.path, asks: case.shown }
    }

    pub(crate) async fn serve(&self, mut end: End, clock: &Clock) -> Outcome {
        super::offer(&mut end, self.path).await;
        clock.enter(Phase::Handshake);
        let tls = ServerConnection::new(Arc::clone(&self.config)).expect("a server").into();
        let mut by_hand = ByHand { tls, end };
        by_hand.handshake().await;
        assert_eq!(by_hand.tls.peer_certificates().is_some(), self.asks);
        clock.enter(Phase::Inside);
        super::serve(&mut by_hand, self.path, clock).await;
        by_hand.outcome()
    }
}

pub(crate) struct Client {
    pub(super) config: Arc<ClientConfig>,
    name: ServerName<'static>,
    pub(super) path: Path,
}

impl Client {
    /// With what the connector has: its versions, suites, groups and ways of resumption.
    pub(crate) fn subject(case: &Case, material: &Material) -> Self {
        Self::new(case, material, Arc::new(default_provider()), &[&TLS12, &TLS13], true)
    }

    /// One that comes to the servers that are measured.
    pub(crate) fn peer(case: &Case, material: &Material) -> Self {
        Self::new(case, material, peer_provider(case), peer_versions(case), case.resumed)
    }

    fn new(
        case: &Case,
        material: &Material,
        provider: Arc<CryptoProvider>,
        versions: &[&'static SupportedProtocolVersion],
        resumption: bool,
    ) -> Self {
        let config = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(versions)
            .expect("versions")
            .with_root_certificates(roots(material));
        let mut config = match case.shown {
            true => {
                let (certificate, key) = material.client_der();
                let chain = vec![CertificateDer::from(certificate)];
                let key = PrivateKeyDer::Pkcs8(key.into());
                config.with_client_auth_cert(chain, key).expect("a certificate")
            }
            false => config.with_no_client_auth(),
        };
        config.resumption = match resumption {
            true => Resumption::in_memory_sessions(HOSTS),
            false => Resumption::disabled(),
        };
        let name = ServerName::try_from(HOST).expect("a name");
        Self { config: Arc::new(config), name, path: case.path }
    }

    pub(crate) async fn send(&self, mut end: End, clock: &Clock) -> Outcome {
        super::ask(&mut end, self.path).await;
        clock.enter(Phase::Handshake);
        let config = Arc::clone(&self.config);
        let tls = ClientConnection::new(config, self.name.clone()).expect("a client").into();
        let mut by_hand = ByHand { tls, end };
        by_hand.handshake().await;
        clock.enter(Phase::Inside);
        super::send(&mut by_hand, self.path, clock).await;
        by_hand.outcome()
    }
}

struct ByHand {
    tls: Connection,
    end: End,
}

impl ByHand {
    async fn handshake(&mut self) {
        loop {
            self.flush();
            if !self.tls.is_handshaking() {
                return;
            }
            self.receive().await;
        }
    }

    async fn receive(&mut self) -> usize {
        self.end.readable().await;
        let octets = self.tls.read_tls(&mut self.end).expect("in memory");
        self.tls.process_new_packets().expect("what the peer sends is good");
        octets
    }

    fn flush(&mut self) {
        while self.tls.wants_write() {
            self.tls.write_tls(&mut self.end).expect("in memory");
        }
    }

    fn outcome(&self) -> Outcome {
        Outcome {
            resumed: self.tls.handshake_kind() == Some(HandshakeKind::Resumed),
            tls13: self.tls.protocol_version() == Some(rustls::ProtocolVersion::TLSv1_3),
            group: self.tls.negotiated_key_exchange_group().map(|group| group.name()),
            suite: self.tls.negotiated_cipher_suite().expect("a suite").suite(),
        }
    }
}

impl Session for ByHand {
    async fn hear(&mut self, into: &mut [u8]) -> usize {
        loop {
            match self.tls.reader().read(into) {
                Ok(octets) => return octets,
                Err(error) if error.kind() == ErrorKind::WouldBlock => self.receive().await,
                Err(error) => panic!("{error}"),
            };
        }
    }

    fn say(&mut self, octets: &[u8]) {
        self.tls.writer().write_all(octets).expect("room for a line");
        self.flush();
    }

    fn close(&mut self) {
        self.tls.send_close_notify();
        self.flush();
    }
}
