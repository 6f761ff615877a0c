//! The other end of a socket, over the standard library alone.
//!
//! Does: connect or listen on the loopback range, send octets as they are given, read lines and
//! check how they begin, half-close, reset. Does not: know SMTP, TLS or an async runtime. Fails:
//! by panicking with the whole exchange so far.

use std::fmt::Write as _;
use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, Shutdown, SocketAddr, TcpListener, TcpStream, ToSocketAddrs};
use std::time::{Duration, Instant};

use socket2::{Domain, Socket, Type};

use crate::transcript::escape;

/// How long a peer waits for a line unless it is told otherwise.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// A connection to the program under test.
#[derive(Debug)]
pub struct Peer {
    stream: TcpStream,
    unread: Vec<u8>,
    patience: Duration,
    exchange: String,
}

/// A listening socket on 127.0.0.1.
#[derive(Debug)]
pub struct Listener {
    listener: TcpListener,
}

impl Listener {
    /// Listens on a port that the system chooses.
    pub fn new() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("loopback has a free port");
        Self { listener }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.listener.local_addr().expect("a bound socket has an address")
    }

    /// Waits for one connection.
    ///
    /// # Panics
    /// When none comes within [`PATIENCE`].
    pub fn accept(&self) -> Peer {
        self.listener.set_nonblocking(true).expect("a socket takes the non-blocking mode");
        let deadline = Instant::now() + PATIENCE;
        loop {
            match self.listener.accept() {
                Ok((stream, _)) => {
                    stream.set_nonblocking(false).expect("a socket takes the blocking mode");
                    return Peer::from_stream(stream);
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    assert!(Instant::now() < deadline, "nobody connected to {}", self.address());
                    std::thread::sleep(Duration::from_millis(5));
                }
                Err(error) => panic!("cannot accept on {}: {error}", self.address()),
            }
        }
    }
}

impl Listener {
    /// Checks that nobody waits to be accepted: a program that has ended made no connection.
    ///
    /// # Panics
    /// When somebody does.
    pub fn expect_nobody(&self) {
        self.listener.set_nonblocking(true).expect("a socket takes the non-blocking mode");
        match self.listener.accept() {
            Ok((_, from)) => panic!("{from} connected to {}", self.address()),
            Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock, "{error}"),
        }
    }
}

impl Default for Listener {
    fn default() -> Self {
        Self::new()
    }
}

impl Peer {
    /// Connects.
    ///
    /// # Panics
    /// When the connection is refused.
    pub fn connect(address: impl ToSocketAddrs) -> Self {
        let stream = TcpStream::connect(address).unwrap_or_else(|error| panic!("connect: {error}"));
        Self::from_stream(stream)
    }

    /// Connects from a source address that the test names, as 127.0.0.2.
    ///
    /// # Panics
    /// When the address is not the host's, or the connection is refused.
    pub fn connect_from(source: impl Into<IpAddr>, address: SocketAddr) -> Self {
        let connect = || {
            let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
            socket.bind(&SocketAddr::new(source.into(), 0).into())?;
            socket.connect(&address.into())?;
            std::io::Result::Ok(socket)
        };
        let socket = connect().unwrap_or_else(|error| panic!("connect to {address}: {error}"));
        Self::from_stream(socket.into())
    }

    /// Takes over a connected stream.
    pub fn from_stream(stream: TcpStream) -> Self {
        stream.set_nodelay(true).expect("a TCP socket takes TCP_NODELAY");
        Self { stream, unread: Vec::new(), patience: PATIENCE, exchange: String::new() }
    }

    /// How long it waits for each line from now on.
    pub fn with_patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Sends these octets, as one segment where they fit.
    ///
    /// # Panics
    /// When the other end no longer takes them.
    pub fn send(&mut self, octets: impl AsRef<[u8]>) -> &mut Self {
        if let Err(error) = self.try_send(octets) {
            self.fail(&format!("cannot send: {error}"));
        }
        self
    }

    /// As [`Peer::send`], for a test in which the other end may have gone.
    pub fn try_send(&mut self, octets: impl AsRef<[u8]>) -> std::io::Result<()> {
        let octets = octets.as_ref();
        let shown = &octets[..octets.len().min(200)];
        let _ = writeln!(self.exchange, "  > {}", escape(shown));
        self.stream.write_all(octets)
    }

    /// Sends one line; CRLF is added.
    pub fn line(&mut self, line: &str) -> &mut Self {
        self.send(format!("{line}\r\n"))
    }

    /// Reads one line with its line end; `None` when the stream ended before an octet of it.
    /// A reset counts as an end, and a fragment before the end is given as it is.
    ///
    /// # Panics
    /// When nothing comes in time.
    pub fn read_line(&mut self) -> Option<Vec<u8>> {
        let deadline = Instant::now() + self.patience;
        loop {
            if let Some(end) = self.unread.iter().position(|&octet| octet == b'\n') {
                let line: Vec<u8> = self.unread.drain(..=end).collect();
                let _ = writeln!(self.exchange, "  < {}", escape(&line));
                return Some(line);
            }
            if self.fill(deadline) == Fill::Ended {
                if self.unread.is_empty() {
                    let _ = writeln!(self.exchange, "  < (end)");
                    return None;
                }
                return Some(std::mem::take(&mut self.unread));
            }
        }
    }

    /// Reads one line and checks how it begins; gives it without its line end.
    ///
    /// # Panics
    /// When the line begins otherwise, is no CRLF line, or none comes in time.
    pub fn expect(&mut self, prefix: &str) -> String {
        let Some(line) = self.read_line() else {
            self.fail(&format!("expected {prefix:?}, and the stream ended"));
        };
        let Some(line) = line.strip_suffix(b"\r\n") else {
            self.fail(&format!("a line that does not end with CRLF: {}", escape(&line)));
        };
        let line = String::from_utf8_lossy(line).into_owned();
        if !line.starts_with(prefix) {
            self.fail(&format!("expected {prefix:?}, got {line:?}"));
        }
        line
    }

    /// Reads the lines of one reply: `code-…` as long as they come, then `code …` or `code`.
    /// Gives them without their line ends.
    ///
    /// # Panics
    /// As [`Peer::expect`].
    pub fn expect_reply(&mut self, code: &str) -> Vec<String> {
        let mut lines = Vec::new();
        loop {
            let line = self.expect(code);
            let more = line[code.len()..].starts_with('-');
            lines.push(line);
            if !more {
                return lines;
            }
        }
    }

    /// Sends a line and reads the reply to it.
    pub fn ask(&mut self, line: &str, code: &str) -> Vec<String> {
        self.line(line).expect_reply(code)
    }

    /// Checks that the other end closes, and says nothing before it does.
    ///
    /// # Panics
    /// When it says something, or stays open for as long as the peer waits.
    pub fn expect_end(&mut self) {
        if let Some(line) = self.read_line() {
            self.fail(&format!("expected the end of the stream, got {}", escape(&line)));
        }
    }

    /// Checks that the other end says nothing and stays open for this long.
    ///
    /// # Panics
    /// When it says something, or closes.
    pub fn expect_silence(&mut self, time: Duration) {
        let deadline = Instant::now() + time;
        while self.unread.is_empty() {
            match self.try_fill(deadline) {
                Fill::Late => return,
                Fill::Some => {}
                Fill::Ended => self.fail("expected silence, and the stream ended"),
            }
        }
        let unread = escape(&self.unread);
        self.fail(&format!("expected silence, got {unread}"));
    }

    /// Reads until `octets` have come, and gives exactly those.
    ///
    /// # Panics
    /// When the stream ends before, or they do not come in time.
    pub fn read_exact(&mut self, octets: usize) -> Vec<u8> {
        let deadline = Instant::now() + self.patience;
        while self.unread.len() < octets {
            if self.fill(deadline) == Fill::Ended {
                self.fail(&format!("expected {octets} octets, and the stream ended"));
            }
        }
        self.unread.drain(..octets).collect()
    }

    /// Closes the sending direction, and can still read.
    pub fn half_close(&mut self) {
        let _ = self.stream.shutdown(Shutdown::Write);
    }

    /// Ends the connection with a reset.
    pub fn reset(self) {
        socket2::SockRef::from(&self.stream)
            .set_linger(Some(Duration::ZERO))
            .expect("a TCP socket takes SO_LINGER");
    }

    /// The address of the other end.
    pub fn remote_address(&self) -> SocketAddr {
        self.stream.peer_addr().expect("a connected socket has a peer")
    }

    /// The stream, for a handshake.
    ///
    /// # Panics
    /// When octets were already read from it: a handshake would miss them.
    pub fn into_stream(self) -> TcpStream {
        if !self.unread.is_empty() {
            let unread = escape(&self.unread);
            self.fail(&format!("the stream is given up with {unread} unread"));
        }
        self.stream
    }

    fn fill(&mut self, deadline: Instant) -> Fill {
        let filled = self.try_fill(deadline);
        if filled == Fill::Late {
            let unread = escape(&self.unread);
            self.fail(&format!("nothing more came in {:?}; unread: {unread}", self.patience));
        }
        filled
    }

    fn try_fill(&mut self, deadline: Instant) -> Fill {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Fill::Late;
        }
        self.stream.set_read_timeout(Some(left)).expect("a socket takes a read timeout");
        let mut buffer = [0; 4096];
        match self.stream.read(&mut buffer) {
            Ok(0) => Fill::Ended,
            Ok(read) => {
                self.unread.extend_from_slice(&buffer[..read]);
                Fill::Some
            }
            Err(error) => match error.kind() {
                ErrorKind::ConnectionReset | ErrorKind::BrokenPipe => Fill::Ended,
                ErrorKind::WouldBlock | ErrorKind::TimedOut => Fill::Late,
                ErrorKind::Interrupted => Fill::Some,
                _ => self.fail(&format!("cannot read: {error}")),
            },
        }
    }

    fn fail(&self, what: &str) -> ! {
        panic!("{what}\nthe exchange so far:\n{}", self.exchange)
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Fill {
    Some,
    Ended,
    Late,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair() -> (Peer, Peer) {
        let listener = Listener::new();
        let near = Peer::connect(listener.address());
        (near, listener.accept())
    }

    #[test]
    fn lines_replies_and_the_end() {
        let (mut near, mut far) = pair();
        far.send("250-one\r\n250 two\r\n354").send(" go\r\n");
        assert_eq!(near.expect_reply("250"), ["250-one", "250 two"]);
        assert_eq!(near.expect("354"), "354 go");
        far.send("frag");
        far.half_close();
        assert_eq!(near.read_line().as_deref(), Some(&b"frag"[..]));
        near.expect_end();
        near.line("still open");
        far.expect("still");
    }

    #[test]
    fn a_reset_is_an_end() {
        let (mut near, far) = pair();
        far.reset();
        near.expect_end();
    }

    #[test]
    fn a_source_address_is_the_test_s_choice_and_nobody_else_comes() {
        let listener = Listener::new();
        listener.expect_nobody();
        let _near = Peer::connect_from([127, 0, 0, 2], listener.address());
        assert_eq!(listener.accept().remote_address().ip(), IpAddr::from([127, 0, 0, 2]));
        let _second = Peer::connect(listener.address());
        assert!(std::panic::catch_unwind(|| listener.expect_nobody()).is_err());
    }

    #[test]
    fn silence_is_told_from_an_answer() {
        let (mut near, mut far) = pair();
        near.expect_silence(Duration::from_millis(20));
        far.line("now");
        let spoke = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            near.expect_silence(Duration::from_secs(5));
        }));
        assert!(spoke.is_err());
    }

    #[test]
    #[should_panic(expected = "expected \"250\", got \"550 no\"")]
    fn another_answer_fails_the_test() {
        let (mut near, mut far) = pair();
        far.line("550 no");
        near.expect("250");
    }
}
