//! What a server is told before it begins.
//!
//! Does: hold services and the policy of a connection as plain data. Does not: read files. Fails:
//! nothing here fails.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use smtp_proto::server::{Config, Phase, Tls};
use smtp_tls::Acceptor;
use tokio::time::Instant;

/// One deadline over a TLS handshake, unless a policy says less.
pub const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(30);

/// How long a peer may keep the server waiting between two messages, unless a policy says
/// otherwise: for a thousand recipients, one at a time, more than three seconds each.
pub const PATIENCE: Duration = Duration::from_secs(60 * 60);

/// How long open sessions may go on after the server was told to stop.
pub const DRAIN_TIMEOUT: Duration = Duration::from_secs(30);

/// Connections of one service at a time, unless told otherwise.
pub const CONCURRENCY: usize = 1000;

/// How a connection is served.
///
/// What is offered and who makes the handshake are said in one call, so a policy that offers TLS
/// without having it cannot be written, nor one that has it and forgets to offer it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ConnectionPolicy {
    pub(crate) smtp: Arc<Config>,
    pub(crate) acceptor: Option<Acceptor>,
    /// How long the peer may be silent (qmail's `timeoutsmtpd`); RFC 5321's times if `None`. A
    /// write that the peer does not take is bounded by it too.
    pub idle_timeout: Option<Duration>,
    /// One deadline over the whole handshake.
    pub handshake_timeout: Duration,
    /// How long the peer may keep the server waiting in all since its session began, or its last
    /// message was accepted: for commands, for a message that is refused already and only read to
    /// its end, and for room to write replies to. Then it is told 421, or not even that.
    ///
    /// RFC 5321 section 4.5.3.2.7 wants five minutes for each command, and lets a peer that uses
    /// them all stay for weeks; this is what ends it. It is never less than the time for one
    /// command. The time of handlers and sinks is not counted, nor that of a message which is
    /// taken: that one is bounded by the silence between two of its reads, and by its size.
    pub patience: Duration,
}

impl ConnectionPolicy {
    /// Serves `smtp` in clear, whatever its `tls` says.
    #[must_use]
    pub fn new(smtp: Arc<Config>) -> Self {
        let policy = Self {
            smtp,
            acceptor: None,
            idle_timeout: None,
            handshake_timeout: HANDSHAKE_TIMEOUT,
            patience: PATIENCE,
        };
        policy.with_tls(Tls::Unavailable, None)
    }

    /// The same, with STARTTLS (RFC 3207).
    #[must_use]
    pub fn with_starttls(self, acceptor: Acceptor) -> Self {
        self.with_tls(Tls::StartTls, Some(acceptor))
    }

    /// The same, with TLS from the first octet (RFC 8314 section 3.3).
    #[must_use]
    pub fn with_implicit_tls(self, acceptor: Acceptor) -> Self {
        self.with_tls(Tls::Implicit, Some(acceptor))
    }

    fn with_tls(mut self, tls: Tls, acceptor: Option<Acceptor>) -> Self {
        if self.smtp.tls != tls {
            Arc::make_mut(&mut self.smtp).tls = tls;
        }
        Self { acceptor, ..self }
    }

    /// The same, with the peer's silence bounded. A handshake gets no more than that either.
    #[must_use]
    pub fn with_idle_timeout(self, timeout: Duration) -> Self {
        Self {
            idle_timeout: Some(timeout),
            handshake_timeout: self.handshake_timeout.min(timeout),
            ..self
        }
    }

    /// The same, with another [`patience`](Self::patience).
    #[must_use]
    pub fn with_patience(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    /// The protocol's settings.
    #[must_use]
    pub fn smtp(&self) -> &Config {
        &self.smtp
    }

    pub(crate) fn timeout(&self, phase: Phase) -> Duration {
        match (phase, self.idle_timeout) {
            (Phase::Greeting(delay), _) => delay,
            (_, Some(timeout)) => timeout,
            (_, None) => phase.timeout(),
        }
    }
}

/// The moment after `time`; for a time that no clock reaches, one that nobody lives to see.
pub(crate) fn deadline(time: Duration) -> Instant {
    const FAR: Duration = Duration::from_secs(30 * 365 * 24 * 60 * 60);
    let now = Instant::now();
    now.checked_add(time).unwrap_or(now + FAR)
}

/// One service: a name, its addresses, and how its connections are served.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Service {
    /// The name, as handlers and logs see it.
    pub name: String,
    /// Where it listens. `[::]` means IPv6 alone; all addresses are `0.0.0.0` and `[::]`.
    pub listen: Vec<SocketAddr>,
    /// The most connections at a time, over all its addresses. One more is told 421 and closed.
    /// Services of one name count together.
    pub concurrency: usize,
    /// How its connections are served, where the handler does not say otherwise.
    pub policy: Arc<ConnectionPolicy>,
}

impl Service {
    /// A service with [`CONCURRENCY`] connections.
    pub fn new(name: impl Into<String>, listen: Vec<SocketAddr>, policy: ConnectionPolicy) -> Self {
        Self { name: name.into(), listen, concurrency: CONCURRENCY, policy: Arc::new(policy) }
    }

    /// The same, with another cap.
    #[must_use]
    pub fn with_concurrency(self, concurrency: usize) -> Self {
        Self { concurrency, ..self }
    }
}
