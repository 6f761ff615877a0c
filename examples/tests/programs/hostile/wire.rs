//! One end of a connection, in clear or inside TLS, as far as the misdeeds need it.

use std::io;
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use smtp_testkit::peer::{PATIENCE, Peer};
use smtp_testkit::pki::Leaf;
use smtp_tls::{
    Acceptor, Backend, ClientPolicy, Connector, HandshakeError, Identity, ServerPolicy, Stream,
    TlsInfo, pem_sections,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::runtime::{Builder, Runtime};
use tokio::time::timeout;

/// What both have in common.
pub(super) trait Wire {
    fn try_send(&mut self, octets: &[u8]) -> io::Result<()>;

    /// One line; `None` at the end, however it comes.
    fn read_line(&mut self) -> Option<Vec<u8>>;

    /// Closes without a word: inside TLS without `close_notify`.
    fn leave(self: Box<Self>);

    /// Closes by a reset.
    fn reset(self: Box<Self>);

    fn send(&mut self, text: &str) {
        self.try_send(text.as_bytes()).unwrap_or_else(|error| panic!("cannot send: {error}"));
    }

    fn line(&mut self, line: &str) {
        self.send(&format!("{line}\r\n"));
    }

    fn expect_reply(&mut self, code: &str) -> String {
        loop {
            let line = self.read_line().unwrap_or_else(|| panic!("{code} expected at the end"));
            let line = String::from_utf8(line).unwrap();
            assert!(line.starts_with(code) && line.ends_with("\r\n"), "{code}: {line:?}");
            if !line[code.len()..].starts_with('-') {
                return line;
            }
        }
    }

    fn ask(&mut self, line: &str, code: &str) -> String {
        self.line(line);
        self.expect_reply(code)
    }

    fn expect_end(&mut self) {
        let line = self.read_line().map(|line| String::from_utf8_lossy(&line).into_owned());
        assert_eq!(line, None, "the end is expected");
    }
}

impl Wire for Peer {
    fn try_send(&mut self, octets: &[u8]) -> io::Result<()> {
        Self::try_send(self, octets)
    }

    fn read_line(&mut self) -> Option<Vec<u8>> {
        Self::read_line(self)
    }

    fn leave(self: Box<Self>) {}

    fn reset(self: Box<Self>) {
        Self::reset(*self);
    }
}

/// One end of a TLS session.
pub(super) struct Secured {
    runtime: Runtime,
    stream: Stream<tokio::net::TcpStream>,
    /// The same socket, to be reset.
    socket: TcpStream,
    unread: Vec<u8>,
    pub(super) info: TlsInfo,
}

impl Secured {
    /// The client's end.
    pub(super) fn connect(
        peer: Peer,
        backend: &str,
        policy: &ClientPolicy,
    ) -> Result<Self, HandshakeError> {
        let backend: Backend = backend.parse().unwrap();
        let connector = Connector::new(backend, policy).unwrap();
        Self::shake(peer, async |socket| connector.connect("mx.example.org", socket).await)
    }

    /// The server's end.
    pub(super) fn accept(peer: Peer, certificate: &Leaf) -> Result<Self, HandshakeError> {
        let sections = pem_sections(certificate.chain_and_key().as_bytes()).unwrap();
        let identity = Identity::from_pem_sections(&sections).unwrap();
        let policy = ServerPolicy::new(identity.into());
        let acceptor = Acceptor::new(Backend::default_available().unwrap(), &policy).unwrap();
        Self::shake(peer, async |socket| acceptor.accept(socket).await)
    }

    fn shake(
        peer: Peer,
        hands: impl AsyncFnOnce(
            tokio::net::TcpStream,
        )
            -> Result<(Stream<tokio::net::TcpStream>, TlsInfo), HandshakeError>,
    ) -> Result<Self, HandshakeError> {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let stream = peer.into_stream();
        let socket = stream.try_clone().unwrap();
        stream.set_nonblocking(true).unwrap();
        let (stream, info) = runtime.block_on(async {
            let stream = tokio::net::TcpStream::from_std(stream).unwrap();
            timeout(PATIENCE, hands(stream)).await.expect("a handshake in time")
        })?;
        Ok(Self { runtime, stream, socket, unread: Vec::new(), info })
    }
}

impl Secured {
    /// Says `close_notify`, and can still read.
    pub(super) fn half_close(&mut self) {
        let stream = &mut self.stream;
        // Where it fails the other end has closed already.
        let _ = self.runtime.block_on(async { timeout(PATIENCE, stream.shutdown()).await });
    }
}

impl Wire for Secured {
    fn try_send(&mut self, octets: &[u8]) -> io::Result<()> {
        let stream = &mut self.stream;
        self.runtime.block_on(async {
            let sent = async {
                stream.write_all(octets).await?;
                stream.flush().await
            };
            timeout(PATIENCE, sent).await.expect("a peer that reads, or goes")
        })
    }

    fn read_line(&mut self) -> Option<Vec<u8>> {
        loop {
            if let Some(end) = self.unread.iter().position(|octet| *octet == b'\n') {
                return Some(self.unread.drain(..=end).collect());
            }
            let mut buffer = [0; 4096];
            let read = self.runtime.block_on(async {
                timeout(PATIENCE, self.stream.read(&mut buffer)).await.expect("a line in time")
            });
            match read {
                Ok(octets @ 1..) => self.unread.extend_from_slice(&buffer[..octets]),
                Ok(0) | Err(_) if self.unread.is_empty() => return None,
                Ok(0) | Err(_) => return Some(std::mem::take(&mut self.unread)),
            }
        }
    }

    fn leave(self: Box<Self>) {}

    fn reset(self: Box<Self>) {
        // It is reset once the last of both is closed, which is behind this.
        Peer::from_stream(self.socket).reset();
    }
}

/// Waits a moment: long enough that what was sent before is on its way alone.
pub(super) fn pause() {
    std::thread::sleep(Duration::from_millis(40));
}

/// A port of the host under test.
pub(super) fn at(port: u16) -> SocketAddr {
    ([127, 0, 0, 1], port).into()
}
