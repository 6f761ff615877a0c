//! What a client session is told before it starts.
//!
//! Does: name every switch, with its default. Does not: decide about TLS; that is the answer to
//! [`Output::Ehlo`](super::Output::Ehlo). Fails: never.

use alloc::string::String;

use crate::wire::{ClientName, LineEnds};

/// How a client session behaves; one value serves any number of sessions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    host_name: String,
    /// TLS from the first octet: the session asks for the handshake before it reads the greeting
    /// (RFC 8314, 3.3). Default: off.
    pub implicit_tls: bool,
    /// What happens to a message with octets above 127 where 8BITMIME is not offered.
    pub eight_bit: EightBit,
    /// What happens to a bare LF or CR in a message.
    pub line_ends: LineEnds,
}

impl Config {
    /// A configuration that greets as `host_name` (RFC 5321, 4.1.1.1: the client's own
    /// fully qualified name, or an address literal).
    pub fn new(host_name: ClientName<'_>) -> Self {
        Self {
            host_name: host_name.as_str().into(),
            implicit_tls: false,
            eight_bit: EightBit::default(),
            line_ends: LineEnds::default(),
        }
    }

    /// The name that EHLO and HELO carry.
    pub fn host_name(&self) -> &str {
        &self.host_name
    }
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
