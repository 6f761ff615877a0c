//! What a server says it can do, in its reply to EHLO (RFC 5321, 4.1.1.1).
//!
//! Does: read and print the lines of an EHLO reply; keywords that are not known are kept. Does
//! not: decide what to use. The first line of the reply is the server's name, never a capability.

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

use super::grammar::is_let_dig;
use super::param::size_value;
use super::reply::{Code, Reply, TEXT};

/// One line of an EHLO reply behind the first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Capability<'a> {
    /// Commands may be sent in groups (RFC 2920).
    Pipelining,
    /// MAIL takes SIZE; the largest message in octets, where one is given that is not 0 (RFC 1870).
    Size(Option<u64>),
    /// MAIL takes BODY=8BITMIME (RFC 6152).
    EightBitMime,
    /// Replies carry enhanced status codes (RFC 2034).
    EnhancedStatusCodes,
    /// STARTTLS is taken (RFC 3207).
    StartTls,
    /// Another keyword, with its parameters.
    Other(&'a str),
}

impl<'a> Capability<'a> {
    /// Reads one line, without its code; `None` when it does not start with a keyword.
    ///
    /// `ehlo-line = ehlo-keyword *( SP ehlo-param )`. Parameters of a keyword that takes none are
    /// passed over. `SIZE` with something else than one number is kept as [`Capability::Other`].
    #[must_use]
    pub fn parse(line: &'a str) -> Option<Self> {
        let line = line.trim_end_matches(' ');
        let mut words = line.split(' ');
        let keyword = words.next()?;
        if !is_keyword(keyword) || super::grammar::not_printable(line.as_bytes()).is_some() {
            return None;
        }
        let is = |name: &str| keyword.eq_ignore_ascii_case(name);
        Some(if is("PIPELINING") {
            Self::Pipelining
        } else if is("8BITMIME") {
            Self::EightBitMime
        } else if is("ENHANCEDSTATUSCODES") {
            Self::EnhancedStatusCodes
        } else if is("STARTTLS") {
            Self::StartTls
        } else if is("SIZE") {
            match (words.next().map(size_value), words.next()) {
                (None, _) => Self::Size(None),
                (Some(Some(limit)), None) => Self::Size((limit > 0).then_some(limit)),
                _ => Self::Other(line),
            }
        } else {
            Self::Other(line)
        })
    }
}

impl fmt::Display for Capability<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pipelining => f.write_str("PIPELINING"),
            Self::Size(None) => f.write_str("SIZE"),
            Self::Size(Some(limit)) => write!(f, "SIZE {limit}"),
            Self::EightBitMime => f.write_str("8BITMIME"),
            Self::EnhancedStatusCodes => f.write_str("ENHANCEDSTATUSCODES"),
            Self::StartTls => f.write_str("STARTTLS"),
            Self::Other(line) => f.write_str(line),
        }
    }
}

/// All that a server says it can do. [`Default`] is nothing, as after HELO.
///
/// ```
/// use smtp_proto::wire::{Capabilities, Code, Reply};
///
/// let reply = Reply::new(Code::OK, None, "mx.example.org\nPIPELINING\nsize 1000\nDSN");
/// let capabilities = Capabilities::from_reply(&reply);
/// assert!(capabilities.pipelining);
/// assert_eq!(capabilities.size, Some(Some(1000)));
/// assert!(!capabilities.starttls);
/// assert_eq!(capabilities.other().collect::<Vec<_>>(), ["DSN"]);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Capabilities {
    /// PIPELINING
    pub pipelining: bool,
    /// SIZE, and its limit in octets where there is one.
    pub size: Option<Option<u64>>,
    /// 8BITMIME
    pub eight_bit_mime: bool,
    /// ENHANCEDSTATUSCODES
    pub enhanced_status_codes: bool,
    /// STARTTLS
    pub starttls: bool,
    other: Vec<String>,
}

impl Capabilities {
    /// Reads the reply to EHLO. A reply that does not accept has none; a line that is no
    /// capability is passed over.
    #[must_use]
    pub fn from_reply(reply: &Reply) -> Self {
        if reply.code() != Code::OK {
            return Self::default();
        }
        reply.lines().skip(1).filter_map(Capability::parse).collect()
    }

    /// Adds a capability; an [`Other`](Capability::Other) that is no line of an EHLO reply, or is
    /// too long for one, is left out.
    pub fn insert(&mut self, capability: Capability<'_>) {
        match capability {
            Capability::Pipelining => self.pipelining = true,
            Capability::Size(limit) => self.size = Some(limit),
            Capability::EightBitMime => self.eight_bit_mime = true,
            Capability::EnhancedStatusCodes => self.enhanced_status_codes = true,
            Capability::StartTls => self.starttls = true,
            Capability::Other(line) => match Capability::parse(line) {
                Some(Capability::Other(line)) if line.len() <= TEXT => {
                    self.other.push(line.to_string());
                }
                Some(Capability::Other(_)) | None => {}
                Some(known) => self.insert(known),
            },
        }
    }

    /// The keywords that are not known, with their parameters.
    pub fn other(&self) -> impl Iterator<Item = &str> {
        self.other.iter().map(String::as_str)
    }

    /// All of them, in the order in which they are printed.
    pub fn iter(&self) -> impl Iterator<Item = Capability<'_>> {
        let known = [
            self.pipelining.then_some(Capability::Pipelining),
            self.size.map(Capability::Size),
            self.eight_bit_mime.then_some(Capability::EightBitMime),
            self.enhanced_status_codes.then_some(Capability::EnhancedStatusCodes),
            self.starttls.then_some(Capability::StartTls),
        ];
        known.into_iter().flatten().chain(self.other().map(Capability::Other))
    }

    /// The reply to EHLO: `greeting` (the server's name, perhaps with a text behind it; cut off
    /// where it does not fit in one line), then a line for each.
    #[must_use]
    pub fn to_reply(&self, greeting: &str) -> Reply {
        // A greeting that went on in a second line would pass for a capability.
        let greeting: String = greeting.chars().take(TEXT).collect();
        let lines = self.iter().map(|capability| capability.to_string());
        Reply::multiline(Code::OK, None, core::iter::once(greeting).chain(lines))
    }
}

impl<'a> FromIterator<Capability<'a>> for Capabilities {
    fn from_iter<I: IntoIterator<Item = Capability<'a>>>(capabilities: I) -> Self {
        let mut all = Self::default();
        for capability in capabilities {
            all.insert(capability);
        }
        all
    }
}

/// `ehlo-keyword = (ALPHA / DIGIT) *(ALPHA / DIGIT / "-")`
fn is_keyword(word: &str) -> bool {
    word.starts_with(is_let_dig) && word.chars().all(|c| is_let_dig(c) || c == '-')
}
