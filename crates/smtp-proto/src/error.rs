//! Errors, by whose fault they are.
//!
//! Does: name what a peer did against the protocol ([`PeerMisbehaved`]) and what a caller did
//! against a session ([`ApiMisuse`]). Does not: choose words for the peer; each fault has its
//! reply in one table, `server::replies`. Fails: nothing here fails.

use thiserror::Error;

/// A client sent what the protocol, or this server's limits, do not allow.
///
/// It is never a reason to trust the rest of the connection less than the reply says: those that
/// make what follows ambiguous end the session, the others are answered and the session goes on.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PeerMisbehaved {
    /// The line begins with no verb that SMTP knows (RFC 5321 section 4.2.4).
    #[error("the command is not known")]
    Unrecognised,
    /// The verb is known, and this server does not offer it (RFC 5321 section 4.2.4).
    #[error("the command is not implemented")]
    NotImplemented,
    /// The line holds an octet that is not printable ASCII (RFC 5321 section 4.1.2).
    #[error("the command is not printable ASCII")]
    NotAscii,
    /// The argument breaks the command's grammar (RFC 5321 section 4.1.2).
    #[error("the command has a syntax error")]
    Syntax,
    /// A parameter of MAIL or RCPT is not one that was offered (RFC 5321 section 4.1.1.11).
    #[error("the command has a parameter that was not offered")]
    UnknownParameter,
    /// HOLDFOR or HOLDUNTIL goes beyond what was offered (RFC 4865 section 4.2).
    #[error("the message is to be held for longer than was offered")]
    HeldTooLong,
    /// BY leaves less time than was offered, in a message that is to be returned then (RFC 2852
    /// section 3).
    #[error("the message is to be delivered sooner than was offered")]
    DeliverByTooSoon,
    /// A command without arguments got one.
    #[error("the command takes no parameters")]
    ParametersNotAllowed,
    /// A transaction was begun before EHLO or HELO (RFC 5321 section 4.1.4).
    #[error("EHLO or HELO must come first")]
    HelloFirst,
    /// A transaction was begun before LHLO (RFC 2033 section 4.1).
    #[error("LHLO must come first")]
    LhloFirst,
    /// RCPT or DATA came before MAIL (RFC 5321 section 4.1.4).
    #[error("MAIL must come first")]
    MailFirst,
    /// DATA came before any RCPT (RFC 5321 section 4.1.4).
    #[error("RCPT must come first")]
    RcptFirst,
    /// DATA came after every RCPT was refused (RFC 2920 section 3.1).
    #[error("no recipient was accepted")]
    NoValidRecipients,
    /// MAIL came inside a transaction (RFC 5321 section 4.1.4).
    #[error("MAIL was already given")]
    NestedMail,
    /// MAIL, RCPT or DATA came between the chunks of a message (RFC 3030 section 2).
    #[error("the message has begun with BDAT")]
    ChunksBegun,
    /// DATA came for a message of BODY=BINARYMIME (RFC 3030 section 3).
    #[error("a binary message must come with BDAT")]
    BinaryNeedsBdat,
    /// AUTH, XCLIENT or XFORWARD came inside a transaction (RFC 4954 section 4).
    #[error("the command cannot stand inside a transaction")]
    InTransaction,
    /// A reverse-path or a parameter outside ASCII, and MAIL does not say SMTPUTF8 (RFC 6531
    /// sections 3.4 and 3.5).
    #[error("the reverse-path needs SMTPUTF8")]
    SenderNeedsUtf8,
    /// Another address outside ASCII where SMTPUTF8 was not said (RFC 6531 section 3.5).
    #[error("the address needs SMTPUTF8")]
    AddressNeedsUtf8,
    /// One RCPT more than the transaction may have (RFC 5321 section 4.5.3.1.10).
    #[error("too many recipients")]
    TooManyRecipients,
    /// The declared or the counted size is over the limit (RFC 1870 section 6).
    #[error("the message is too big")]
    MessageTooBig,
    /// A command line is over the limit (RFC 5321 section 4.5.3.1.4).
    #[error("the command line is too long")]
    LineTooLong,
    /// A line ended in LF without CR (RFC 5321 section 2.3.8).
    #[error("a line ends in LF without CR")]
    BareLf,
    /// Octets were already behind STARTTLS when it was read (RFC 3207 section 4).
    #[error("input came behind STARTTLS, before the handshake")]
    InputBehindStartTls,
    /// Octets were already behind a command that ends a pipelined group when it was read, or
    /// behind any command where PIPELINING was not offered (RFC 2920 section 3.1).
    #[error("input came behind a command that must be waited for")]
    ImproperPipelining,
    /// The client spoke before the greeting (RFC 5321 section 4.3.1).
    #[error("input came before the greeting")]
    EarlyTalker,
    /// The first line is a request of HTTP.
    #[error("the client speaks HTTP")]
    HttpRequest,
    /// The first line is a header field: of a message, or of another protocol's request.
    #[error("the client sends a header field as its first line")]
    HeaderField,
    /// The command needs TLS here (RFC 3207 section 4).
    #[error("STARTTLS must come first")]
    TlsRequired,
    /// The command needs an authenticated client here (RFC 4954 section 6).
    #[error("AUTH must come first")]
    AuthRequired,
    /// AUTH came in clear, where it is offered under TLS alone (RFC 4954 section 4).
    #[error("AUTH needs TLS")]
    AuthNeedsTls,
    /// The mechanism is none of those that were offered (RFC 4954 section 4).
    #[error("the mechanism was not offered")]
    MechanismUnknown,
    /// The client is authenticated already (RFC 4954 section 4).
    #[error("the client is authenticated already")]
    AlreadyAuthenticated,
    /// The client gave the exchange up (RFC 4954 section 4).
    #[error("the client cancelled its authentication")]
    AuthCancelled,
    /// What should be base64 is not (RFC 4954 section 4).
    #[error("a response is not base64")]
    NotBase64,
    /// A line of the exchange is over the limit (RFC 4954 section 6).
    #[error("a response is too long")]
    AuthLineTooLong,
    /// The session made as many errors as it may.
    #[error("too many errors")]
    TooManyErrors,
    /// The session sent as many commands that move no message as it may.
    #[error("too many commands without a message")]
    TooMuchJunk,
    /// The session had as many refusals that are no errors as it may.
    #[error("too many refusals")]
    TooManyRefusals,
    /// The session began as many transactions as it may (RFC 9422 section 4.1).
    #[error("too many messages")]
    TooManyMessages,
    /// The session sent as many octets of refused messages as it may.
    #[error("too many octets of refused messages")]
    TooManyRefusedOctets,
}

impl PeerMisbehaved {
    /// Whether it counts against a session's limit of errors. What a client that pipelines, or
    /// one with a large message, meets in good faith does not: it counts as a refusal.
    #[must_use]
    pub const fn counts(self) -> bool {
        !matches!(self, Self::TooManyRecipients | Self::NoValidRecipients | Self::MessageTooBig)
    }
}

/// The caller drove a session against its contract; never caused by what a peer sends.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum ApiMisuse {
    /// An `Ask` was answered on a session that did not ask it.
    #[error("the answer belongs to another session")]
    AnswerToAnotherSession,
    /// An `Ask` was answered after the session had given up on it.
    #[error("the answer comes after the session gave up on its question")]
    AnswerTooLate,
    /// Input was given while output was still waiting: drain, then feed.
    #[error("input was given before all output was taken")]
    InputBeforeDrain,
    /// More octets were reported than the input space holds.
    #[error("more octets were reported than the input space holds")]
    InputOverrun,
    /// A TLS result was reported that the session had not asked for.
    #[error("a TLS result was reported that the session did not ask for")]
    TlsNotAsked,
    /// A transaction or a goodbye was begun while the session was not ready for one.
    #[error("the session is not ready for a transaction")]
    NotReady,
    /// A part of a message was given that the session had not asked for.
    #[error("the session did not ask for the message")]
    BodyNotAsked,
}
