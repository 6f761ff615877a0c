//! Vectors over a socket: against whoever listens at an address.

use std::fmt;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream, ToSocketAddrs};
use std::time::Duration;

use super::memory::Inside;
use super::run::{Connection, Received};

/// A stream of octets, in clear or under TLS.
pub trait Stream {
    /// Sends all of these octets at once.
    ///
    /// # Errors
    /// The other side takes nothing more.
    fn send(&mut self, octets: &[u8]) -> io::Result<()>;
    /// Reads what comes within this time: 0 at the end, [`ErrorKind::TimedOut`] when nothing does.
    ///
    /// # Errors
    /// As said, and where the connection broke.
    fn read(&mut self, buffer: &mut [u8], patience: Duration) -> io::Result<usize>;
    /// Closes the sending direction.
    fn end(&mut self);
}

impl Stream for TcpStream {
    fn send(&mut self, octets: &[u8]) -> io::Result<()> {
        self.write_all(octets)
    }

    fn read(&mut self, buffer: &mut [u8], patience: Duration) -> io::Result<usize> {
        self.set_read_timeout(Some(patience))?;
        Read::read(self, buffer).map_err(|error| match error.kind() {
            ErrorKind::WouldBlock => ErrorKind::TimedOut.into(),
            _ => error,
        })
    }

    fn end(&mut self) {
        // Where it fails the other side has closed already.
        let _ = self.shutdown(Shutdown::Write);
    }
}

/// Shakes hands over a socket; `None` where that fails.
pub type Upgrade<'u> = Box<dyn FnMut(TcpStream) -> Option<Box<dyn Stream>> + 'u>;

/// A vector's connection to an address.
pub struct Socket<'u> {
    clear: Option<TcpStream>,
    under_tls: Option<Box<dyn Stream>>,
    upgrade: Upgrade<'u>,
    patience: Duration,
}

impl fmt::Debug for Socket<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Socket")
            .field("clear", &self.clear)
            .field("under_tls", &self.under_tls.is_some())
            .finish_non_exhaustive()
    }
}

impl<'u> Socket<'u> {
    /// Connects. `upgrade` makes a handshake as a client; a tester without TLS gives `None`.
    ///
    /// # Errors
    /// Nobody accepts.
    pub fn connect(
        address: impl ToSocketAddrs,
        patience: Duration,
        upgrade: Upgrade<'u>,
    ) -> io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        Ok(Self { clear: Some(stream), under_tls: None, upgrade, patience })
    }

    fn stream(&mut self) -> Option<&mut dyn Stream> {
        match (&mut self.under_tls, &mut self.clear) {
            (Some(stream), _) => Some(stream.as_mut()),
            (None, Some(stream)) => Some(stream),
            (None, None) => None,
        }
    }
}

impl Connection for Socket<'_> {
    fn send(&mut self, octets: &[u8]) {
        if let Some(stream) = self.stream() {
            // A server may close before it has read all: what it said is still read.
            let _ = stream.send(octets);
        }
    }

    fn receive(&mut self) -> Received {
        let patience = self.patience;
        let Some(stream) = self.stream() else { return Received::End };
        let mut buffer = [0; 4096];
        match stream.read(&mut buffer, patience) {
            Ok(0) => Received::End,
            Ok(read) => Received::Octets(buffer[..read].to_vec()),
            Err(error) if error.kind() == ErrorKind::TimedOut => Received::Nothing,
            Err(_) => Received::End,
        }
    }

    fn handshake(&mut self) -> bool {
        let Some(stream) = self.clear.take() else { return false };
        self.under_tls = (self.upgrade)(stream);
        self.under_tls.is_some()
    }

    fn end(&mut self) {
        if let Some(stream) = self.stream() {
            stream.end();
        }
    }

    fn inside(&self) -> Inside {
        Inside::default()
    }
}
