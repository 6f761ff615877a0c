//! STARTTLS and implicit TLS, on every backend that is compiled in.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use smtp_proto::server::Tls;
use smtp_server::{Acceptor, ConnectionPolicy};
use smtp_testkit::pki::{Authority, Key, Validity};
use smtp_tls::{
    Backend, ClientPolicy, Connector, Identity, ServerPolicy, Stream, TlsInfo, pem_sections,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::common::{Running, Wishes, config, start, start_with};

fn policy(backend: Backend, tls: Tls) -> ConnectionPolicy {
    let leaf = Authority::root("Test Root").issue_as(&["mx.example"], Key::Ecdsa, Validity::Now);
    let sections = pem_sections(leaf.chain_and_key().as_bytes()).unwrap();
    let identity = Arc::new(Identity::from_pem_sections(&sections).unwrap());
    let acceptor = Acceptor::new(backend, &ServerPolicy::new(identity)).unwrap();
    let policy = ConnectionPolicy::new(Arc::new(config()));
    match tls {
        Tls::Unavailable => policy,
        Tls::StartTls => policy.with_starttls(acceptor),
        Tls::Implicit => policy.with_implicit_tls(acceptor),
    }
}

/// A client that reads and writes lines, in clear and then inside TLS.
struct Client<IO> {
    stream: IO,
    unread: Vec<u8>,
}

trait Wire: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin {}
impl<T: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin> Wire for T {}

impl<IO: Wire> Client<IO> {
    fn new(stream: IO) -> Self {
        Self { stream, unread: Vec::new() }
    }

    async fn send(&mut self, text: &str) {
        self.stream.write_all(text.as_bytes()).await.unwrap();
        self.stream.flush().await.unwrap();
    }

    /// The lines of one reply.
    async fn reply(&mut self, code: &str) -> String {
        loop {
            let text = String::from_utf8_lossy(&self.unread).into_owned();
            let mut len = 0;
            for line in text.split_inclusive("\r\n") {
                len += line.len();
                if line.ends_with("\r\n") && line.as_bytes()[3] == b' ' {
                    assert!(line.starts_with(code), "expected {code}, got {text:?}");
                    self.unread.drain(..len);
                    return text[..len].to_owned();
                }
            }
            let mut buffer = [0; 4096];
            let n = self.stream.read(&mut buffer).await.unwrap();
            assert!(n > 0, "expected {code}, got the end behind {text:?}");
            self.unread.extend_from_slice(&buffer[..n]);
        }
    }

    async fn ask(&mut self, line: &str, code: &str) -> String {
        self.send(&format!("{line}\r\n")).await;
        self.reply(code).await
    }

    /// Whatever comes up to the end; an end that is not clean is an error.
    async fn rest(mut self) -> io::Result<Vec<u8>> {
        let mut rest = self.unread;
        self.stream.read_to_end(&mut rest).await?;
        Ok(rest)
    }
}

type Secured = Client<Stream<TcpStream>>;

async fn handshake(backend: Backend, socket: TcpStream) -> (Secured, TlsInfo) {
    let connector = Connector::new(backend, &ClientPolicy::required()).unwrap();
    let (stream, info) = connector.connect("mx.example", socket).await.unwrap();
    (Client::new(stream), info)
}

async fn in_clear(address: SocketAddr) -> Client<TcpStream> {
    let mut client = Client::new(TcpStream::connect(address).await.unwrap());
    client.reply("220").await;
    client
}

async fn starttls(backend: Backend, address: SocketAddr) -> (Secured, TlsInfo) {
    let mut client = in_clear(address).await;
    let capabilities = client.ask("EHLO clear.example", "250").await;
    assert!(capabilities.ends_with("250 STARTTLS\r\n"), "{capabilities}");
    client.ask("MAIL FROM:<clear@a.example>", "250").await;
    client.ask("STARTTLS", "220 2.0.0 ready for tls").await;
    assert!(client.unread.is_empty());
    handshake(backend, client.stream).await
}

async fn implicit(backend: Backend, address: SocketAddr) -> (Secured, TlsInfo) {
    let (mut client, info) = handshake(backend, TcpStream::connect(address).await.unwrap()).await;
    client.reply("220").await;
    (client, info)
}

async fn open(tls: Tls, backend: Backend, address: SocketAddr) -> (Secured, TlsInfo) {
    match tls {
        Tls::Implicit => implicit(backend, address).await,
        _ => starttls(backend, address).await,
    }
}

fn each(mut test: impl FnMut(Backend, Tls)) {
    assert!(!Backend::available().is_empty());
    for &backend in Backend::available() {
        for tls in [Tls::StartTls, Tls::Implicit] {
            test(backend, tls);
        }
    }
}

#[test]
fn a_message_comes_through_tls_and_its_trace_says_so() {
    each(|backend, tls| {
        for &client in Backend::available() {
            let running = start(policy(backend, tls));
            let suite = running.block_on(async {
                let (mut peer, info) = open(tls, client, running.address).await;
                assert_eq!(info.backend, client);
                // Nothing of before the handshake is known.
                peer.ask("RCPT TO:<r@b.example>", "503").await;
                let capabilities = peer.ask("EHLO tls.example", "250").await;
                assert!(!capabilities.contains("STARTTLS"), "{capabilities}");
                peer.ask("STARTTLS", "502 5.5.1").await;
                peer.ask("MAIL FROM:<s@a.example>", "250").await;
                peer.ask("RCPT TO:<r@b.example>", "250").await;
                peer.ask("DATA", "354").await;
                peer.ask("text\r\n.", "250").await;
                peer.ask("QUIT", "221").await;
                // The end is a clean one: close_notify came before it.
                assert_eq!(peer.rest().await.unwrap(), b"");
                info.suite
            });
            let messages = running.messages();
            let with = format!(
                "Received: from unknown (HELO tls.example) (127.0.0.1)\n  \
                 by mx.example with ESMTPS ({suite} encrypted); "
            );
            assert_eq!(messages.len(), 1);
            assert!(messages[0].contains(&with), "{backend} {tls:?} {}", messages[0]);
        }
    });
}

#[test]
fn a_large_message_comes_through_tls_whole() {
    each(|backend, tls| {
        let running = start(policy(backend, tls));
        let text = format!("{}\r\n", "0123456789".repeat(7)).repeat(20_000);
        running.block_on(async {
            let (mut peer, _) = open(tls, backend, running.address).await;
            peer.ask("EHLO tls.example", "250").await;
            peer.ask("MAIL FROM:<>\r\nRCPT TO:<r@b.example>\r\nNOOP", "250").await;
            peer.reply("250").await;
            peer.reply("250").await;
            peer.ask("DATA", "354").await;
            peer.send(&text).await;
            peer.ask(".", "250").await;
        });
        assert!(running.messages()[0].ends_with(&text.replace("\r\n", "\n")));
    });
}

#[test]
fn a_command_behind_starttls_is_refused_whole_or_as_a_fragment() {
    for &backend in Backend::available() {
        let running = start(policy(backend, Tls::StartTls));
        for behind in ["RSET\r\n", "MAIL FROM:<x@a.example>\r\nDATA\r\n", "M", "\r\n"] {
            running.block_on(async {
                let mut peer = in_clear(running.address).await;
                peer.ask("EHLO a.example", "250").await;
                peer.send(&format!("STARTTLS\r\n{behind}")).await;
                peer.reply("554 5.5.0").await;
                assert_eq!(peer.rest().await.unwrap(), b"", "{behind:?}");
            });
        }
    }
}

#[test]
fn a_command_in_a_segment_of_its_own_behind_starttls_is_never_answered() {
    for &backend in Backend::available() {
        let running = start(policy(backend, Tls::StartTls));
        running.block_on(async {
            let mut peer = in_clear(running.address).await;
            peer.ask("STARTTLS", "220").await;
            // It is no ClientHello: the handshake fails, and nothing is said in clear.
            peer.send("EHLO a.example\r\nMAIL FROM:<x@a.example>\r\n").await;
            let rest = peer.rest().await.unwrap_or_default();
            assert!(!rest.contains(&b'\n') && !rest.starts_with(b"2"), "{backend} {rest:?}");
        });
        running.block_on(async {
            starttls(backend, running.address).await.0.ask("NOOP", "250").await;
        });
    }
}

#[test]
fn a_handshake_has_one_deadline() {
    each(|backend, tls| {
        let limit = Duration::from_millis(400);
        let mut hasty = policy(backend, tls);
        hasty.handshake_timeout = limit;
        let running = start(hasty);
        running.block_on(async {
            for trickle in [false, true] {
                let mut socket = match tls {
                    Tls::Implicit => TcpStream::connect(running.address).await.unwrap(),
                    _ => {
                        let mut peer = in_clear(running.address).await;
                        peer.ask("STARTTLS", "220").await;
                        peer.stream
                    }
                };
                let since = Instant::now();
                // The head of a ClientHello, one octet at a time, buys no more time.
                for octet in [0x16, 3, 1, 1, 0, 1, 0, 0, 0xfc, 3, 3] {
                    if trickle && since.elapsed() < limit * 2 {
                        let _ = socket.write_all(&[octet]).await;
                        tokio::time::sleep(limit / 6).await;
                    }
                }
                let mut rest = Vec::new();
                let _ = socket.read_to_end(&mut rest).await;
                assert!(!rest.contains(&b'\n'), "{backend} {rest:?}");
                let took = since.elapsed();
                assert!(took >= limit / 2 && took < limit * 20, "{backend} {tls:?} {took:?}");
            }
        });
    });
}

#[test]
fn a_peer_that_leaves_a_handshake_is_forgotten() {
    each(|backend, tls| {
        let running = start(policy(backend, tls));
        running.block_on(async {
            for octets in [&b""[..], &[0x16], &[0x16, 3, 1, 2, 0], b"EHLO a\r\n"] {
                let mut socket = match tls {
                    Tls::Implicit => TcpStream::connect(running.address).await.unwrap(),
                    _ => {
                        let mut peer = in_clear(running.address).await;
                        peer.ask("STARTTLS", "220").await;
                        peer.stream
                    }
                };
                socket.write_all(octets).await.unwrap();
                drop(socket);
            }
            open(tls, backend, running.address).await.0.ask("NOOP", "250").await;
        });
    });
}

#[test]
fn a_stream_that_is_cut_inside_a_message_leaves_nothing() {
    each(|backend, tls| {
        let running = start(policy(backend, tls));
        let ends = ["text\r\n", "text\r\n.", "text\r\n.\r"];
        for clean in [false, true] {
            for end in ends {
                running.block_on(async {
                    let (mut peer, _) = open(tls, backend, running.address).await;
                    peer.ask("EHLO tls.example", "250").await;
                    peer.ask("MAIL FROM:<s@a.example>", "250").await;
                    peer.ask("RCPT TO:<r@b.example>", "250").await;
                    peer.ask("DATA", "354").await;
                    peer.send(end).await;
                    if clean {
                        peer.stream.shutdown().await.unwrap();
                    }
                });
            }
        }
        running.until("all sinks are dropped", |running| {
            running.wishes.dropped.load(Ordering::SeqCst) == 2 * ends.len()
        });
        running.nothing_is_kept();
    });
}

#[test]
fn a_silent_peer_is_told_inside_tls() {
    each(|backend, tls| {
        let hasty = policy(backend, tls).with_idle_timeout(Duration::from_millis(500));
        let running = start(hasty);
        running.block_on(async {
            let (mut peer, _) = open(tls, backend, running.address).await;
            peer.reply("421 4.4.2").await;
            assert_eq!(peer.rest().await.unwrap(), b"");
        });
    });
}

#[test]
fn over_the_cap_of_an_smtps_service_nothing_is_said_in_clear() {
    for &backend in Backend::available() {
        let running: Running = start_with(
            policy(backend, Tls::Implicit),
            1,
            Duration::from_secs(20),
            Wishes::default(),
        );
        running.block_on(async {
            let (mut first, _) = implicit(backend, running.address).await;
            let excess = Client::new(TcpStream::connect(running.address).await.unwrap());
            assert_eq!(excess.rest().await.unwrap_or_default(), b"");
            first.ask("NOOP", "250").await;
        });
    }
}
