//! What a client session is told before it starts.
//!
//! Does: name every switch, with its default. Does not: decide about TLS; that is the answer to
//! [`Output::Ehlo`](super::Output::Ehlo). Fails: never.

use alloc::string::String;

use crate::wire::{BareLf, ClientName, MessagePolicy};

/// How a client session behaves; one value serves any number of sessions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    host_name: String,
    /// TLS from the first octet: the session asks for the handshake before it reads the greeting
    /// (RFC 8314, 3.3). Default: off.
    pub implicit_tls: bool,
    /// LMTP in the place of SMTP: LHLO, and a reply for each recipient at the end of a message
    /// (RFC 2033). Default: off.
    pub lmtp: bool,
    /// Whether a message goes in chunks.
    pub chunking: Chunking,
    /// AUTH without TLS, which shows the credentials to everybody on the way. Default: off.
    pub auth_in_clear: bool,
    /// What becomes of a bare LF in what the server says.
    pub bare_lf: BareLf,
    /// What happens to a message with octets above 127 where 8BITMIME is not offered.
    pub eight_bit: EightBit,
    /// What happens to a message with UTF-8 in its header where SMTPUTF8 is not offered.
    pub utf8_header: Utf8Header,
    /// What a message must be to be sent: line ends, NUL, long lines.
    pub message: MessagePolicy,
}

impl Config {
    /// A configuration that greets as `host_name` (RFC 5321, 4.1.1.1: the client's own
    /// fully qualified name, or an address literal).
    pub fn new(host_name: ClientName<'_>) -> Self {
        Self {
            host_name: host_name.as_str().into(),
            implicit_tls: false,
            lmtp: false,
            chunking: Chunking::default(),
            auth_in_clear: false,
            bare_lf: BareLf::default(),
            eight_bit: EightBit::default(),
            utf8_header: Utf8Header::default(),
            message: MessagePolicy::default(),
        }
    }

    /// The name that EHLO and HELO carry.
    pub fn host_name(&self) -> &str {
        &self.host_name
    }
}

/// Whether a message goes in chunks (RFC 3030), where no final dot is looked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Chunking {
    /// With BDAT where the server offers CHUNKING, else with DATA.
    #[default]
    WhenOffered,
    /// With DATA.
    Never,
}

/// What happens to a message with octets above 127 when the server does not offer 8BITMIME
/// (RFC 6152, 3 leaves converting it or refusing it).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EightBit {
    /// Every recipient is rejected locally, and nothing is sent.
    #[default]
    Refuse,
    /// The message is sent as it is, without `BODY=8BITMIME`: what most servers bear.
    SendAsIs,
}

/// What happens to a message with UTF-8 in its header, to addresses in ASCII, when the server does
/// not offer SMTPUTF8 (RFC 6531, 3.1 does not allow to send it). Where it is offered it is declared.
///
/// A session does not look into headers: it goes by
/// [`MessageFacts::utf8_header`](super::MessageFacts::utf8_header), and where that is not known by
/// what the envelope declares.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Utf8Header {
    /// Every recipient is rejected locally, and nothing is sent.
    #[default]
    Refuse,
    /// The message is sent as it is.
    SendAsIs,
}
