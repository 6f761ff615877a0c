//! What one server session is told before it begins.
//!
//! Does: hold the names, limits and switches of a session as plain data. Does not: read files or
//! make certificates; whoever builds a [`Config`] did. Fails: nothing here fails.

use alloc::string::String;
use core::time::Duration;

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

/// What is done about octets behind a command that must be the last of its group (RFC 2920
/// section 3.1), or behind any command where PIPELINING was not offered.
///
/// Octets behind STARTTLS are no matter of choice: they end the session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum ImproperPipelining {
    /// They are read as they come; the first time, [`Event::ImproperPipelining`] says so.
    ///
    /// [`Event::ImproperPipelining`]: super::Event::ImproperPipelining
    #[default]
    Note,
    /// The command is refused, and the session ends.
    Refuse,
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
    /// In clear, only EHLO, HELO, NOOP, QUIT and STARTTLS are answered with other than 530 (RFC
    /// 3207 section 4). RFC 3207 forbids it on a host that takes mail from everybody.
    pub tls_required: bool,
    /// The largest message, in octets as RFC 1870 counts them; `None` is no limit.
    pub max_message_size: Option<u64>,
    /// The most recipients of one transaction (RFC 5321 section 4.5.3.1.8 wants 100 or more).
    pub max_recipients: usize,
    /// The MAIL commands that a session may send, accepted or not; the next is answered with 421.
    /// `None` is no limit.
    pub max_messages: Option<u32>,
    /// What is done about a line that ends in LF without CR.
    pub bare_lf: BareLf,
    /// The longest command line, in octets with its line end.
    pub max_command_line: usize,
    /// The protocol errors that a session may make since its start or its last accepted message;
    /// the last of them is answered with 421 and ends it.
    pub max_errors: u32,
    /// The commands that move no message (EHLO, HELO, NOOP, RSET, VRFY, HELP) that a session may
    /// send between its start or its last accepted message and the next; one more is answered
    /// with 421.
    pub max_junk: u32,
    /// The refusals that are no protocol errors, as of recipients by the handler, that a session
    /// may have since its start or its last accepted message; 421 follows the last of them.
    pub max_refusals: u32,
    /// The octets of refused messages that a session reads to their end, in all; a message that
    /// needs more is refused at once, and ends the session. A message over
    /// [`Config::max_message_size`] counts from its first octet. `None` is no limit.
    pub max_refused_octets: Option<u64>,
    /// How long the greeting is held back. A client that speaks before it is told 554 and ends
    /// the session: who does not wait for the greeting waits for no reply (RFC 5321 section
    /// 4.3.1). Under [`Tls::Implicit`] the time runs from the handshake.
    pub greeting_delay: Option<Duration>,
    /// What is done about a client that does not wait where it has to.
    pub improper_pipelining: ImproperPipelining,
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
            tls_required: false,
            max_message_size: None,
            max_recipients: limits::SERVER_RECIPIENTS,
            max_messages: None,
            bare_lf: BareLf::Reject,
            max_command_line: limits::SERVER_COMMAND_LINE,
            max_errors: limits::SERVER_ERRORS,
            max_junk: limits::SERVER_JUNK,
            max_refusals: limits::SERVER_REFUSALS,
            max_refused_octets: Some(limits::SERVER_REFUSED_OCTETS),
            greeting_delay: None,
            improper_pipelining: ImproperPipelining::Note,
        }
    }
}
