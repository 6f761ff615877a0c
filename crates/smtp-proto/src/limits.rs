//! Every number of the protocol, with the section of the RFC that sets it.
//!
//! Does: name each bound once. Does not: enforce any of them; the parser or the session that a
//! bound concerns does.

use core::time::Duration;

/// Longest local-part, in octets as written, quotes included (RFC 5321, 4.5.3.1.1).
pub const LOCAL_PART: usize = 64;
/// Longest domain, in octets (RFC 5321, 4.5.3.1.2).
pub const DOMAIN: usize = 255;
/// Longest label of a domain, in octets (RFC 1035, 2.3.4).
pub const DOMAIN_LABEL: usize = 63;
/// Longest reverse-path or forward-path, in octets with its brackets (RFC 5321, 4.5.3.1.3).
pub const PATH: usize = 256;
/// Longest command line, in octets with its CRLF, before any extension (RFC 5321, 4.5.3.1.4).
pub const COMMAND_LINE: usize = 512;
/// Octets that SIZE adds to the longest MAIL line (RFC 1870, 3).
pub const MAIL_LINE_SIZE: usize = 26;
/// Octets that BODY adds to the longest MAIL line (RFC 3030, 3, for BINARYMIME; RFC 6152 names no
/// number, and its values are shorter).
pub const MAIL_LINE_BODY: usize = 16;
/// Octets that SMTPUTF8 adds to the longest MAIL line (RFC 6531, 3.1).
pub const MAIL_LINE_SMTPUTF8: usize = 10;
/// Octets that RET and ENVID add to the longest MAIL line. RFC 3461 names no number: an ENVID of
/// [`ENVELOPE_ID`] octets, each of them encoded (4.4).
pub const MAIL_LINE_DSN: usize = " RET=FULL ENVID=".len() + 3 * ENVELOPE_ID;
/// Octets that AUTH adds to the longest MAIL line (RFC 4954, 3).
pub const MAIL_LINE_AUTH: usize = 500;
/// Octets that REQUIRETLS adds to the longest MAIL line (RFC 8689, 2).
pub const MAIL_LINE_REQUIRETLS: usize = 11;
/// Octets that MT-PRIORITY adds to the longest MAIL line (RFC 6710, 3).
pub const MAIL_LINE_MT_PRIORITY: usize = 15;
/// Octets that HOLDFOR or HOLDUNTIL adds to the longest MAIL line (RFC 4865, 3).
pub const MAIL_LINE_HOLD: usize = 34;
/// Octets that BY adds to the longest MAIL line (RFC 2852, 2).
pub const MAIL_LINE_BY: usize = 17;
/// Octets that NOTIFY and ORCPT add to the longest RCPT line. RFC 3461 names no number: every
/// event (4.1), and an ORCPT of [`ORIGINAL_RECIPIENT`] octets (4.2).
pub const RCPT_LINE_DSN: usize = " NOTIFY=SUCCESS,FAILURE,DELAY ORCPT=".len() + ORIGINAL_RECIPIENT;
/// Octets that RRVS adds to the longest RCPT line (RFC 7293, 3.1).
pub const RCPT_LINE_RRVS: usize = 33;
/// Longest MAIL line with everything offered, in octets with its CRLF.
pub const MAIL_LINE: usize = COMMAND_LINE
    + MAIL_LINE_SIZE
    + MAIL_LINE_BODY
    + MAIL_LINE_SMTPUTF8
    + MAIL_LINE_DSN
    + MAIL_LINE_AUTH
    + MAIL_LINE_REQUIRETLS
    + MAIL_LINE_MT_PRIORITY
    + MAIL_LINE_HOLD
    + MAIL_LINE_BY;
/// Longest RCPT line with everything offered, in octets with its CRLF.
pub const RCPT_LINE: usize = COMMAND_LINE + RCPT_LINE_DSN + RCPT_LINE_RRVS;
/// Longest command line with everything offered: the least that must be accepted. The lines of an
/// AUTH exchange are longer ([`AUTH_LINE`]).
pub const COMMAND_LINE_EXTENDED: usize = if MAIL_LINE > RCPT_LINE { MAIL_LINE } else { RCPT_LINE };
/// Most digits of a SIZE value (RFC 1870, 3).
pub const SIZE_DIGITS: usize = 20;
/// Longest ENVID, in octets once decoded (RFC 3461, 4.4).
pub const ENVELOPE_ID: usize = 100;
/// Longest ORCPT, in octets as written, its type included (RFC 3461, 4.2).
pub const ORIGINAL_RECIPIENT: usize = 500;
/// Longest line of an AUTH exchange, in octets with its line end. RFC 4954 calls 12288 octets a
/// sufficient limit (4); it sets none.
pub const AUTH_LINE: usize = 12_288;
/// Challenges of one AUTH that a client answers. No RFC bounds them; mechanisms have a handful.
pub const AUTH_CHALLENGES: u32 = 32;
/// Highest value of a limit of LIMITS (RFC 9422, 4).
pub const LIMIT: u32 = 999_999;
/// Most capabilities that are not known of one server that are kept. No RFC bounds them; each is
/// at most a line.
pub const OTHER_CAPABILITIES: usize = 64;
/// Most seconds of HOLDFOR (RFC 4865, 3) and, either way, of BY (RFC 2852, 4).
pub const SECONDS: u32 = 999_999_999;
/// Longest name of a SASL mechanism (RFC 4422, 3.1).
pub const SASL_MECHANISM: usize = 20;
/// Longest reply line that is sent, in octets with its CRLF (RFC 5321, 4.5.3.1.5).
pub const REPLY_LINE: usize = 512;
/// Longest line of message text, in octets with its CRLF and without a stuffed dot (RFC 5321,
/// 4.5.3.1.6).
pub const TEXT_LINE: usize = 1000;
/// Recipients of one message that must at least be taken (RFC 5321, 4.5.3.1.8).
pub const RECIPIENTS: usize = 100;

/// Longest reply line that is read, in octets with its line end. RFC 5321 allows 512
/// (4.5.3.1.5); servers that put a long policy URL there are read as well, and a challenge of AUTH
/// is one line of up to [`AUTH_LINE`].
pub const REPLY_LINE_READ: usize = AUTH_LINE;
/// Most lines of one reply that are read. No RFC bounds them; an EHLO reply has about twenty.
pub const REPLY_LINES_READ: usize = 256;
/// Most octets of one reply that are read, line ends included. No RFC bounds them.
pub const REPLY_OCTETS_READ: usize = 64 * 1024;

/// Octets of a reply's text that a client keeps for its outcomes, of which it has one for each
/// recipient. No RFC bounds them.
pub const REPLY_TEXT_KEPT: usize = 2048;

/// How long a client waits for the greeting (RFC 5321, 4.5.3.2.1).
pub const WAIT_GREETING: Duration = Duration::from_secs(5 * 60);
/// How long a client waits for the reply to MAIL (RFC 5321, 4.5.3.2.2).
pub const WAIT_MAIL: Duration = Duration::from_secs(5 * 60);
/// How long a client waits for the reply to RCPT (RFC 5321, 4.5.3.2.3).
pub const WAIT_RCPT: Duration = Duration::from_secs(5 * 60);
/// How long a client waits for 354 (RFC 5321, 4.5.3.2.4).
pub const WAIT_DATA_START: Duration = Duration::from_secs(2 * 60);
/// How long one write of message text may take (RFC 5321, 4.5.3.2.5).
pub const WAIT_DATA_BLOCK: Duration = Duration::from_secs(3 * 60);
/// How long a client waits for the reply to the final dot (RFC 5321, 4.5.3.2.6).
pub const WAIT_DATA_END: Duration = Duration::from_secs(10 * 60);
/// How long a server waits for the next command, at least (RFC 5321, 4.5.3.2.7).
pub const WAIT_COMMAND: Duration = Duration::from_secs(5 * 60);

/// Recipients of one transaction that a server session takes unless told otherwise. RFC 5321
/// wants [`RECIPIENTS`] at least (4.5.3.1.8).
pub const SERVER_RECIPIENTS: usize = 1000;
/// Longest command line that a server session takes unless told otherwise, in octets with its
/// line end: more than [`COMMAND_LINE_EXTENDED`], so that what is refused is refused by grammar.
pub const SERVER_COMMAND_LINE: usize = 2048;
const _: () = assert!(SERVER_COMMAND_LINE > COMMAND_LINE_EXTENDED);
/// Errors with which a server session ends unless told otherwise. No RFC sets it.
pub const SERVER_ERRORS: u32 = 20;
/// Commands that move no message, with which a server session puts up between two messages unless
/// told otherwise. No RFC sets it.
pub const SERVER_JUNK: u32 = 100;
/// Refusals that are no errors (recipients that do not exist, and the like) with which a server
/// session ends unless told otherwise: more than [`SERVER_RECIPIENTS`], so that one message whose
/// recipients are all refused still gets an answer to each. No RFC sets it.
pub const SERVER_REFUSALS: u32 = 5000;
/// Octets of refused messages that a server session reads to their end unless told otherwise, so
/// that the client sees why. No RFC sets it.
pub const SERVER_REFUSED_OCTETS: u64 = 128 * 1024 * 1024;
/// Octets of replies to RSET, MAIL and RCPT that a server session holds back for the rest of a
/// pipelined group (RFC 2920, 3.2, wants them sent as a unit; it sets no bound).
pub const SERVER_HELD_REPLIES: usize = 4096;
/// Octets of input buffer that a server session keeps between commands.
pub const SERVER_IDLE_BUFFER: usize = 1024;
/// Octets of reply buffer that a server session keeps between replies.
pub const SERVER_IDLE_REPLIES: usize = 512;
/// Octets of input buffer that a client session keeps while no reply fills it.
pub const CLIENT_IDLE_BUFFER: usize = 1024;
/// Octets of output buffer that a client session keeps between messages.
pub const CLIENT_IDLE_OUTPUT: usize = 256;
/// Octets of input buffer with which a server session begins to read a message: one read has most
/// of the short ones whole.
pub const SERVER_FIRST_BODY_BUFFER: usize = 8 * 1024;
/// Octets of input buffer to which a server session grows while a message comes fast.
pub const SERVER_BODY_BUFFER: usize = 64 * 1024;

/// How long a client waits for the reply to QUIT. No RFC names a time: the outcomes are known.
pub const WAIT_QUIT: Duration = Duration::from_secs(10);

/// The octets of unanswered commands that a client has under way; RFC 2920, 3.1 calls 4096 octets
/// the usual window.
pub const PIPELINE_OCTETS: usize = 4096;
/// The unanswered commands that a client has under way: with replies of [`REPLY_LINE`] octets each,
/// 32 KiB, which any socket buffers.
pub const PIPELINE_COMMANDS: usize = 64;
/// The unanswered chunks that a client has under way: with [`BODY_CHUNK`] octets each, what a
/// server that refuses the first of them reads in vain. No RFC sets it.
pub const PIPELINE_CHUNKS: usize = 16;
/// The octets of a message that a client encodes at once, and sends in one chunk at least
/// (RFC 3030, 2 wants a reasonable size).
pub const BODY_CHUNK: usize = 32 * 1024;
