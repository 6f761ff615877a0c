//! What one server session is told before it begins.
//!
//! Does: hold the names, limits and switches of a session as plain data. Does not: read files or
//! make certificates; whoever builds a [`Config`] did. Fails: nothing here fails.

use alloc::string::String;
use core::time::Duration;

use crate::error::PeerMisbehaved;
use crate::limits;
use crate::wire::{
    BareLf, Capabilities, Capability, ClientNames, DeliverByMode, Extension, Extensions, Hold,
    Limits, MailParameters, UnknownParameters, Verb,
};

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
/// section 3.1), or behind any command where PIPELINING was not offered. AUTH must be the last,
/// unless it carries an initial response for a mechanism that is known to need no more (RFC 4954
/// section 4): for this session those are PLAIN and EXTERNAL.
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

/// What is done about a client that said HELO, to which nothing is offered (RFC 5321 section 3.2),
/// and uses an extension nevertheless. STARTTLS is taken either way: mail is better under TLS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum ExtensionsAfterHelo {
    /// It is as if the extension were not offered: 555 to a parameter, 502 to AUTH and BDAT.
    #[default]
    Refuse,
    /// It is taken where EHLO would offer it.
    Take,
}

/// Commands that are put to the handler as [`Output::Request`](super::Output::Request). One that
/// is not gets the session's own answer: 252 to VRFY, 214 to HELP, 502 to the others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[allow(clippy::struct_excessive_bools)]
pub struct Requests {
    /// VRFY: is there such a mailbox?
    pub vrfy: bool,
    /// EXPN: who is on the list?
    pub expn: bool,
    /// HELP.
    pub help: bool,
    /// ETRN: the queue for a host is to be run (RFC 1985).
    pub etrn: bool,
    /// XCLIENT: what a proxy in front says of the client. For trusted proxies only.
    pub xclient: bool,
    /// XFORWARD: what a filter's front end knows of the client. For trusted peers only.
    pub xforward: bool,
}

impl Requests {
    /// Whether the handler answers the command.
    #[must_use]
    pub const fn has(self, verb: Verb) -> bool {
        match verb {
            Verb::Vrfy => self.vrfy,
            Verb::Expn => self.expn,
            Verb::Help => self.help,
            Verb::Etrn => self.etrn,
            Verb::Xclient => self.xclient,
            Verb::Xforward => self.xforward,
            _ => false,
        }
    }

    pub(super) const fn any(self) -> bool {
        self.vrfy || self.expn || self.help || self.etrn || self.xclient || self.xforward
    }
}

/// The settings of a session; one value, behind an `Arc`, serves many of them.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[allow(clippy::struct_excessive_bools)]
pub struct Config {
    /// The name that the server gives itself in its replies to EHLO, HELO and QUIT.
    pub host_name: String,
    /// The text behind `220` on connection. RFC 5321 section 4.2 wants the host name first.
    pub greeting: String,
    /// How TLS stands to the session.
    pub tls: Tls,
    /// In clear, every verb but EHLO, HELO, LHLO, NOOP, QUIT and STARTTLS is answered with 530 (RFC
    /// 3207 section 4). What is no verb, or not well formed behind BDAT, is answered as ever. RFC
    /// 3207 forbids it on a host that takes mail from everybody.
    pub tls_required: bool,
    /// What may be offered in the reply to EHLO, with its values. The session adds SIZE and
    /// STARTTLS by itself, fills in the values of SIZE and LIMITS (but RCPTDOMAINMAX) from its
    /// own limits, and leaves out AUTH and REQUIRETLS in clear, BINARYMIME without CHUNKING (RFC
    /// 3030 section 3), and SMTPUTF8 without 8BITMIME (RFC 6531 section 3.1).
    /// Parameters of MAIL and RCPT are read where their extension is offered, and only there; behind
    /// HELO, [`Config::extensions_after_helo`] says whether it is.
    ///
    /// LIMITS is put here with any limit: without one it is no capability, and not kept.
    ///
    /// ```
    /// use smtp_proto::server::{Config, Output, Session};
    /// use smtp_proto::wire::{Capability, Limits};
    ///
    /// let mut config = Config::new("mx.example.org");
    /// config.max_recipients = 50;
    /// let any = Limits { rcpt_max: Some(1), ..Limits::default() };
    /// config.capabilities.insert(Capability::Limits(any));
    /// let mut session = Session::new(config.into());
    /// while !matches!(session.poll_output(), Output::Wait(_)) {}
    /// session.input()[..8].copy_from_slice(b"EHLO a\r\n");
    /// session.received(8)?;
    /// let mut offered = false;
    /// loop {
    ///     match session.poll_output() {
    ///         Output::Transmit(reply) => offered = reply.ends_with(b"250 LIMITS RCPTMAX=50\r\n"),
    ///         Output::Wait(_) => break,
    ///         _ => {}
    ///     }
    /// }
    /// assert!(offered);
    /// # Ok::<(), smtp_proto::error::ApiMisuse>(())
    /// ```
    ///
    /// What is offered here must be done by the handler. FUTURERELEASE is for message submission
    /// alone (RFC 4865): a session that takes mail from other servers does not offer it.
    pub capabilities: Capabilities,
    /// What is done with extensions behind HELO.
    pub extensions_after_helo: ExtensionsAfterHelo,
    /// AUTH is offered in clear as well, for whoever reads along.
    pub auth_in_clear: bool,
    /// Until AUTH succeeds, every verb but AUTH, EHLO, HELO, LHLO, NOOP, QUIT, RSET, STARTTLS and
    /// XCLIENT is answered with 530 (RFC 4954 section 6).
    pub auth_required: bool,
    /// The session speaks LMTP: LHLO in the place of EHLO and HELO, and a reply for each accepted
    /// recipient behind a message (RFC 2033).
    pub lmtp: bool,
    /// What is done with parameters of MAIL and RCPT that nobody knows.
    pub unknown_parameters: UnknownParameters,
    /// What a client may call itself.
    pub client_names: ClientNames,
    /// Commands that the handler answers.
    pub requests: Requests,
    /// The largest message, in octets as RFC 1870 counts them; `None` is no limit.
    pub max_message_size: Option<u64>,
    /// The most recipients of one transaction (RFC 5321 section 4.5.3.1.8 wants 100 or more). It
    /// is one at least: 0 is read as 1, which is the least that LIMITS can say (RFC 9422).
    pub max_recipients: usize,
    /// The MAIL commands that a session may send, accepted or not; the next is answered with 421.
    /// It is one at least, as [`Config::max_recipients`] is. `None` is no limit.
    pub max_messages: Option<u32>,
    /// What is done about a line that ends in LF without CR.
    pub bare_lf: BareLf,
    /// The longest command line, in octets with its line end; lines of an authentication
    /// exchange may have [`limits::AUTH_LINE`] octets.
    pub max_command_line: usize,
    /// The protocol errors that a session may make since its start or its last accepted message;
    /// the last of them is answered with 421 and ends it.
    pub max_errors: u32,
    /// The commands that move no message (EHLO, HELO, NOOP, RSET, VRFY, HELP, or an empty chunk
    /// that is not the last) that a session may send between its start or its last accepted
    /// message and the next; one more is answered with 421.
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
            capabilities: [
                Capability::Pipelining,
                Capability::EightBitMime,
                Capability::EnhancedStatusCodes,
            ]
            .into_iter()
            .collect(),
            extensions_after_helo: ExtensionsAfterHelo::Refuse,
            auth_in_clear: false,
            auth_required: false,
            lmtp: false,
            unknown_parameters: UnknownParameters::Refuse,
            client_names: ClientNames::Strict,
            requests: Requests::default(),
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

    /// What a session offers, in clear or under TLS.
    pub(super) fn offered(&self, under_tls: bool) -> Extensions {
        let mut offered = self.capabilities.extensions().with(Extension::Size);
        offered = match self.tls {
            Tls::StartTls if !under_tls => offered.with(Extension::StartTls),
            Tls::Unavailable | Tls::StartTls | Tls::Implicit => {
                offered.without(Extension::StartTls)
            }
        };
        if !under_tls {
            offered = offered.without(Extension::RequireTls);
            if !self.auth_in_clear {
                offered = offered.without(Extension::Auth);
            }
        }
        if !offered.contains(Extension::Chunking) {
            offered = offered.without(Extension::BinaryMime);
        }
        if !offered.contains(Extension::EightBitMime) {
            offered = offered.without(Extension::SmtpUtf8);
        }
        offered
    }

    /// Whether MAIL asks for more than was offered with its parameter's extension.
    pub(super) fn beyond_the_offer(&self, asked: &MailParameters<'_>) -> Option<PeerMisbehaved> {
        if let Some(hold) = asked.hold
            && let Some(Capability::FutureRelease { interval, until }) =
                self.capabilities.get(Extension::FutureRelease)
        {
            let too_long = match hold {
                Hold::For(asked) => asked > interval,
                Hold::Until(asked) => asked.unix_seconds() > until.unix_seconds(),
            };
            if too_long {
                return Some(PeerMisbehaved::HeldTooLong);
            }
        }
        if let Some(by) = asked.by
            && by.mode() == DeliverByMode::Return
            && let Some(Capability::DeliverBy(Some(least))) =
                self.capabilities.get(Extension::DeliverBy)
            && i64::from(by.seconds()) < i64::from(least)
        {
            return Some(PeerMisbehaved::DeliverByTooSoon);
        }
        None
    }

    /// How many recipients a transaction may have.
    pub(super) fn recipients(&self) -> usize {
        self.max_recipients.max(1)
    }

    /// How many MAIL commands a session may send, if there is an end to them.
    pub(super) fn messages(&self) -> Option<u32> {
        self.max_messages.map(|most| most.max(1))
    }

    /// What LIMITS says: the session's own limits, so that it never takes less (RFC 9422).
    pub(super) fn limits(&self) -> Limits {
        let most = |limit: u32| limit.min(limits::LIMIT);
        Limits {
            mail_max: self.messages().map(most),
            rcpt_max: Some(most(u32::try_from(self.recipients()).unwrap_or(u32::MAX))),
            rcpt_domain_max: self.capabilities.limits().rcpt_domain_max,
        }
    }
}
