//! A TCP connection to a host.
//!
//! Does: find the host's addresses and try each in order. Does not: look up MX records, or speak.
//! Fails: with what the last address said; every address has its own time.

use std::fmt;
use std::io;
use std::time::Duration;

use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;

use crate::auth::Authentication;
use crate::error::Reason;

/// Where to connect.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Route {
    /// A host name, or an IP address with or without brackets. Its MX records are not asked for.
    pub host: String,
    /// The port. On 465 TLS begins with the first octet (RFC 8314, 3.3), whatever the policy says.
    pub port: u16,
    authentication: Option<Authentication>,
}

/// The port on which TLS begins with the first octet (RFC 8314, 7.3).
pub const SUBMISSIONS: u16 = 465;

impl Route {
    /// A route to a host's port.
    pub fn new(host: impl Into<String>, port: u16) -> Self {
        Self { host: host.into(), port, authentication: None }
    }

    /// This route, where the server is shown who sends. Other routes' servers are not, to the same
    /// host or another.
    #[must_use]
    pub fn authenticated(self, authentication: Authentication) -> Self {
        Self { authentication: Some(authentication), ..self }
    }

    /// What the server is shown of who sends.
    pub const fn authentication(&self) -> Option<&Authentication> {
        self.authentication.as_ref()
    }

    /// The host without the brackets of a literal: what is resolved, and what a certificate names.
    pub(crate) fn bare_host(&self) -> &str {
        let host = self.host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        let host = host.unwrap_or(&self.host);
        host.strip_prefix("IPv6:").unwrap_or(host)
    }
}

/// `host:port`
impl fmt::Display for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.bare_host() {
            host if host.contains(':') => write!(f, "[{host}]:{}", self.port),
            host => write!(f, "{host}:{}", self.port),
        }
    }
}

/// Connects to the first address of the host that takes it.
pub(crate) async fn connect(route: &Route, time: Duration) -> Result<TcpStream, Reason> {
    let resolve = |error| Reason::Resolve { host: route.host.clone(), error };
    let addresses = within(time, lookup_host((route.bare_host(), route.port))).await;
    let mut last = io::Error::from(io::ErrorKind::NotFound);
    for address in addresses.map_err(resolve)? {
        match within(time, TcpStream::connect(address)).await {
            Ok(stream) => {
                // Commands leave as groups already; without this the last one waits for an ACK.
                stream.set_nodelay(true).ok();
                tracing::debug!(%route, %address, "connected");
                return Ok(stream);
            }
            Err(error) => {
                tracing::debug!(%route, %address, %error, "cannot connect");
                last = error;
            }
        }
    }
    Err(Reason::Connect { to: route.to_string(), error: last })
}

async fn within<T>(time: Duration, work: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    timeout(time, work).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}
