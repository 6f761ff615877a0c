//! What one server session is told before it begins.
//!
//! Does: hold the names, limits and switches of a session as plain data. Does not: read files or
//! make certificates; whoever builds a [`Config`] did. Fails: nothing here fails.

use alloc::string::String;

use crate::limits;
use crate::wire::BareLf;

/// How TLS stands to a session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Tls {
    /// There is none: STARTTLS is not offered, and answered with 502.
    #[default]
    Unavailable,
    /// The session begins in clear and offers STARTTLS (RFC 3207).
    StartTls,
    /// The handshake comes before the greeting (RFC 8314 section 3.3); STARTTLS is not offered.
    Implicit,
}

/// The settings of a session; one value, behind an `Arc`, serves many of them.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Config {
    /// The name that the server gives itself in its replies to EHLO, HELO and QUIT.
    pub host_name: String,
    /// The text behind `220` on connection. RFC 5321 section 4.2 wants the host name first.
    pub greeting: String,
    /// How TLS stands to the session.
    pub tls: Tls,
    /// The largest message, in octets as RFC 1870 counts them; `None` is no limit.
    pub max_message_size: Option<u64>,
    /// The most recipients of one transaction (RFC 5321 section 4.5.3.1.8 wants 100 or more).
    pub max_recipients: usize,
    /// What is done about a line that ends in LF without CR.
    pub bare_lf: BareLf,
    /// The longest command line, in octets with its line end.
    pub max_command_line: usize,
    /// The protocol errors that a session may make since its start or its last accepted message;
    /// the last of them is answered with 421 and ends it.
    pub max_errors: u32,
}

impl Config {
    /// A session of `host_name` without TLS, with no limit on message size, and with the limits
    /// of [`crate::limits`] for the rest.
    ///
    /// ```
    /// use smtp_proto::server::{Config, Tls};
    /// let mut config = Config::new("mx.example.org");
    /// config.tls = Tls::StartTls;
    /// config.max_message_size = Some(10_000_000);
    /// assert_eq!(config.greeting, "mx.example.org ESMTP");
    /// ```
    pub fn new(host_name: impl Into<String>) -> Self {
        let host_name = host_name.into();
        let mut greeting = host_name.clone();
        greeting.push_str(" ESMTP");
        Self {
            host_name,
            greeting,
            tls: Tls::Unavailable,
            max_message_size: None,
            max_recipients: limits::SERVER_RECIPIENTS,
            bare_lf: BareLf::Reject,
            max_command_line: limits::SERVER_COMMAND_LINE,
            max_errors: limits::SERVER_ERRORS,
        }
    }
}
