//! How a client delivers: its name, its TLS library, its times.
//!
//! Does: name every setting with its unit and its default. Does not: say where a message goes or
//! under which TLS policy; that comes with each recipient. Fails: never.

use std::time::Duration;

use smtp_proto::client::Phase;
use smtp_proto::limits;
use smtp_proto::wire::ClientName;
use smtp_tls::Backend;
use tokio::time::Instant;

/// What holds for all deliveries of one [`Client`](crate::Client).
#[derive(Clone, Debug)]
pub struct Config {
    /// The session's own settings: the name in EHLO, 8-bit messages, line ends.
    /// `implicit_tls` is set for each connection by its policy and port.
    pub session: smtp_proto::client::Config,
    /// The TLS library; `None`: the preferred one that is compiled in.
    pub backend: Option<Backend>,
    /// How long each step may take.
    pub timeouts: Timeouts,
    /// The most recipients that one transaction has; more are sent in further transactions over
    /// the same connection. Default: 100, what every server takes (RFC 5321 section 4.5.3.1.8).
    pub recipients_per_transaction: usize,
}

impl Config {
    /// A configuration with the defaults, for a client that calls itself `host_name`.
    pub fn new(host_name: ClientName<'_>) -> Self {
        Self {
            session: smtp_proto::client::Config::new(host_name),
            backend: None,
            timeouts: Timeouts::default(),
            recipients_per_transaction: limits::RECIPIENTS,
        }
    }
}

/// How long each step may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// For the look-up of a host's addresses, and again for the connection to each of them
    /// (qmail's `timeoutconnect`). Default: 60 s.
    pub connect: Duration,
    /// For a whole TLS handshake. Default: 60 s.
    pub handshake: Duration,
    /// For each reply, and for each block that is written (qmail's `timeoutremote`); `None`: what
    /// RFC 5321 section 4.5.3.2 gives each phase. Default: `None`.
    pub remote: Option<Duration>,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self { connect: Duration::from_secs(60), handshake: Duration::from_secs(60), remote: None }
    }
}

impl Timeouts {
    /// How long one phase may take. What is said after the outcomes are known waits briefly,
    /// however long the other phases may be.
    pub fn of(&self, phase: Phase) -> Duration {
        match (phase, self.remote) {
            (Phase::Quit, Some(remote)) => remote.min(phase.timeout()),
            (_, Some(remote)) => remote,
            (_, None) => phase.timeout(),
        }
    }
}

/// A time after an instant; one that the clock cannot tell is far away.
pub(crate) fn deadline(since: Instant, time: Duration) -> Instant {
    const FAR: Duration = Duration::from_secs(30 * 365 * 24 * 60 * 60);
    since.checked_add(time).unwrap_or(since + FAR)
}
