//! This workspace's way: its sessions, its acceptor and connector, its stream.
//!
//! Driven as `smtp-server` and `smtp-client` drive them, without their clocks, limits and logs: those
//! belong to a socket, and are measured over one. A client's certificate is judged as soon as it is there.

use std::sync::Arc;
use std::time::SystemTime;

use smtp_proto::wire::{ClientName, Extension};
use smtp_proto::{client, server};
use smtp_tls::{
    Acceptor, AfterEhlo, ClientJudge, ClientPolicy, ClientVerdict, Connector, Stream, TlsInfo,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::case::Path;
use super::clock::{Clock, Phase};
use super::memory::End;
use super::script::{HOST, NAME};

/// A connection that is in clear, and later is not.
enum Transport {
    Clear(End),
    Tls(Box<Stream<End>>),
}

impl Transport {
    async fn write(&mut self, octets: &[u8]) {
        match self {
            Self::Clear(end) => end.write_all(octets).await.expect("written"),
            Self::Tls(stream) => {
                stream.write_all(octets).await.expect("written");
                stream.flush().await.expect("flushed");
            }
        }
    }

    async fn read(&mut self, into: &mut [u8]) -> usize {
        match self {
            Self::Clear(end) => end.read(into).await.expect("read"),
            Self::Tls(stream) => stream.read(into).await.expect("read"),
        }
    }

    async fn shutdown(&mut self) {
        match self {
            Self::Clear(end) => end.shutdown().await.expect("shut down"),
            Self::Tls(stream) => stream.shutdown().await.expect("shut down"),
        }
    }

    fn clear(self) -> End {
        match self {
            Self::Clear(end) => end,
            Self::Tls(_) => unreachable!("a session asks for one handshake"),
        }
    }
}

pub(super) struct Server {
    acceptor: Acceptor,
    /// Where clients are asked for a certificate.
    judge: Option<ClientJudge>,
    smtp: Arc<server::Config>,
}

impl Server {
    pub(super) fn new(acceptor: Acceptor, judge: Option<ClientJudge>, path: Path) -> Self {
        let mut smtp = server::Config::new(HOST);
        smtp.tls = match path {
            Path::StartTls => server::Tls::StartTls,
            Path::Smtps => server::Tls::Implicit,
        };
        Self { acceptor, judge, smtp: Arc::new(smtp) }
    }

    fn judge(&self, info: &TlsInfo) {
        let Some(judge) = &self.judge else { return };
        let now = SystemTime::UNIX_EPOCH.elapsed().expect("a clock").as_secs();
        let verdict = judge.judge(&info.client_chain, now);
        assert!(matches!(verdict, ClientVerdict::Relay(_)), "{verdict:?}");
    }

    /// Serves one connection; says whether its TLS session was resumed.
    pub(super) async fn serve(&self, end: End, clock: &Clock) -> bool {
        let mut transport = Transport::Clear(end);
        let mut session = server::Session::new(Arc::clone(&self.smtp));
        let mut resumed = None;
        loop {
            match session.poll_output() {
                server::Output::Transmit(octets) => transport.write(octets).await,
                server::Output::StartTls => {
                    clock.enter(Phase::Handshake);
                    let accepted = self.acceptor.accept(transport.clear()).await;
                    let (stream, info) = accepted.expect("accepted");
                    transport = Transport::Tls(Box::new(stream));
                    self.judge(&info);
                    resumed = Some(info.resumed);
                    clock.enter(Phase::Inside);
                    session.tls_established().expect("in order");
                }
                server::Output::Wait(_) => match transport.read(session.input()).await {
                    0 => session.end_of_input(),
                    octets => session.received(octets).expect("in order"),
                },
                server::Output::Close => break,
                _ => {}
            }
        }
        clock.enter(Phase::Close);
        transport.shutdown().await;
        let mut rest = [0; 256];
        while transport.read(&mut rest).await > 0 {}
        assert!(session.under_tls(), "it ended in clear");
        resumed.expect("a handshake")
    }
}

pub(super) struct Client {
    connector: Connector,
    policy: ClientPolicy,
    smtp: Arc<client::Config>,
}

impl Client {
    pub(super) fn new(connector: Connector, policy: ClientPolicy) -> Self {
        let mut smtp = client::Config::new(ClientName::parse(NAME).expect("a name"));
        smtp.implicit_tls = policy.implicit;
        Self { connector, policy, smtp: Arc::new(smtp) }
    }

    /// Goes through one connection; says whether its TLS session was resumed.
    pub(super) async fn send(&self, end: End, clock: &Clock) -> bool {
        let mut transport = Transport::Clear(end);
        let mut session = client::Session::new(Arc::clone(&self.smtp));
        let mut resumed = None;
        loop {
            match session.poll_output() {
                client::Output::Transmit(octets) => transport.write(octets).await,
                client::Output::Ehlo(ask, capabilities) => {
                    let next = match self.policy.after_ehlo(capabilities.has(Extension::StartTls)) {
                        AfterEhlo::StartTls => client::AfterHello::StartTls,
                        AfterEhlo::Continue => client::AfterHello::Proceed,
                        AfterEhlo::Stop(refusal) => panic!("{refusal:?}"),
                    };
                    session.answer(ask, next).expect("in order");
                }
                client::Output::StartTls => {
                    clock.enter(Phase::Handshake);
                    let connected = self.connector.connect(HOST, transport.clear()).await;
                    let (stream, info) = connected.expect("connected");
                    transport = Transport::Tls(Box::new(stream));
                    resumed = Some(info.resumed);
                    clock.enter(Phase::Inside);
                    session.tls_established().expect("in order");
                }
                client::Output::Ready => session.quit().expect("in order"),
                client::Output::Wait(_) => match transport.read(session.input()).await {
                    0 => session.end_of_input(),
                    octets => session.received(octets).expect("in order"),
                },
                client::Output::Close => break,
                _ => {}
            }
        }
        clock.enter(Phase::Close);
        transport.shutdown().await;
        assert!(session.under_tls() && session.failure().is_none(), "{:?}", session.failure());
        resumed.expect("a handshake")
    }
}
