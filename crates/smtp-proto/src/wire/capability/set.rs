//! All that a server says it can do.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::{Capability, Limits, Mechanisms};
use crate::limits;
use crate::wire::extension::{Extension, Extensions};
use crate::wire::reply::{Code, Reply, TEXT};

/// All that a server says it can do. [`Default`] is nothing, as after HELO.
///
/// ```
/// use smtp_proto::wire::{Capabilities, Code, Extension, Reply};
///
/// let text = "mx.example.org\nsize 1000\nLIMITS RCPTMAX=20\nAUTH PLAIN LOGIN\nX-NEW";
/// let capabilities = Capabilities::from_reply(&Reply::new(Code::OK, None, text));
/// assert!(capabilities.has(Extension::Size));
/// assert!(!capabilities.has(Extension::StartTls));
/// assert_eq!(capabilities.size_limit(), Some(1000));
/// assert_eq!(capabilities.limits().rcpt_max, Some(20));
/// assert_eq!(capabilities.auth().collect::<Vec<_>>(), ["PLAIN", "LOGIN"]);
/// assert_eq!(capabilities.other().collect::<Vec<_>>(), ["X-NEW"]);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Capabilities {
    extensions: Extensions,
    size_limit: Option<u64>,
    /// The parameters of the other extensions that have some, as they are printed.
    parameters: Vec<(Extension, String)>,
    other: Vec<String>,
}

impl Capabilities {
    /// Reads the reply to EHLO. A reply that does not accept has none. The first line is the
    /// server's name, never a capability; a later one that is no capability is passed over.
    #[must_use]
    pub fn from_reply(reply: &Reply) -> Self {
        if reply.code() != Code::OK {
            return Self::default();
        }
        reply.lines().skip(1).filter_map(Capability::parse).collect()
    }

    /// Whether an extension is among them.
    #[must_use]
    pub const fn has(&self, extension: Extension) -> bool {
        self.extensions.contains(extension)
    }

    /// The extensions, without their values.
    #[must_use]
    pub const fn extensions(&self) -> Extensions {
        self.extensions
    }

    /// The largest message in octets; `None` where no limit is given, or no SIZE.
    #[must_use]
    pub const fn size_limit(&self) -> Option<u64> {
        self.size_limit
    }

    /// How much the server takes; no limit without LIMITS.
    #[must_use]
    pub fn limits(&self) -> Limits {
        self.parameters(Extension::Limits).and_then(Limits::parse).unwrap_or_default()
    }

    /// The mechanisms of AUTH, as written.
    pub fn auth(&self) -> impl Iterator<Item = &str> {
        Mechanisms::new(self.parameters(Extension::Auth).unwrap_or_default()).iter()
    }

    /// The capability of an extension, with its values.
    #[must_use]
    pub fn get(&self, extension: Extension) -> Option<Capability<'_>> {
        match extension {
            _ if !self.has(extension) => None,
            Extension::Size => Some(Capability::Size(self.size_limit)),
            _ => Capability::of(extension, self.parameters(extension).unwrap_or_default()),
        }
    }

    /// The keywords that are not known, with their parameters.
    pub fn other(&self) -> impl Iterator<Item = &str> {
        self.other.iter().map(String::as_str)
    }

    /// Adds a capability, in the place of the same one with other values; mechanisms of AUTH are
    /// added to those that are there.
    ///
    /// Left out are: what is no line of an EHLO reply, or too long for one; LIMITS without a limit
    /// (a server's session, which puts its own in, is given any);
    /// and [`Other`](Capability::Other)s over [`limits::OTHER_CAPABILITIES`].
    pub fn insert(&mut self, capability: Capability<'_>) {
        match capability {
            Capability::Size(limit) => {
                self.size_limit = limit.filter(|limit| *limit > 0);
                self.extensions = self.extensions.with(Extension::Size);
            }
            Capability::Auth(mechanisms) => self.insert_auth(mechanisms),
            Capability::Limits(limits) if !limits.has_any() => {}
            Capability::Other(line) => self.insert_other(line),
            // These have no values that could be at fault.
            Capability::Pipelining
            | Capability::EightBitMime
            | Capability::EnhancedStatusCodes
            | Capability::StartTls
            | Capability::Chunking
            | Capability::BinaryMime
            | Capability::SmtpUtf8
            | Capability::Dsn
            | Capability::RequireTls => {
                let extension = capability.extension().into_iter().collect();
                self.extensions = self.extensions.union(extension);
            }
            _ => self.insert_known(&capability.to_string()),
        }
    }

    /// As [`insert`](Self::insert), by value.
    #[must_use]
    pub fn with(mut self, capability: Capability<'_>) -> Self {
        self.insert(capability);
        self
    }

    /// Takes an extension away.
    pub fn remove(&mut self, extension: Extension) {
        self.extensions = self.extensions.without(extension);
        self.parameters.retain(|(of, _)| *of != extension);
        if extension == Extension::Size {
            self.size_limit = None;
        }
    }

    /// All of them, in the order in which they are printed: the known ones as in
    /// [`Extension::ALL`], then the others.
    pub fn iter(&self) -> impl Iterator<Item = Capability<'_>> {
        let known = self.extensions.iter().filter_map(|extension| self.get(extension));
        known.chain(self.other().map(Capability::Other))
    }

    /// The reply to EHLO: `greeting` (the server's name, perhaps with a text behind it; cut off
    /// where it does not fit in one line), then a line for each.
    #[must_use]
    pub fn to_reply(&self, greeting: &str) -> Reply {
        // A greeting that went on in a second line would pass for a capability.
        let end = (0..=greeting.len().min(TEXT)).rev().find(|end| greeting.is_char_boundary(*end));
        let greeting = &greeting[..end.unwrap_or_default()];
        let lines = self.iter().map(|capability| capability.to_string());
        Reply::multiline(Code::OK, None, core::iter::once(greeting.to_string()).chain(lines))
    }

    fn parameters(&self, extension: Extension) -> Option<&str> {
        let found = self.parameters.iter().find(|(of, _)| *of == extension);
        found.map(|(_, parameters)| parameters.as_str())
    }

    /// Takes a line for what it reads as: it may be a capability that is known.
    fn insert_other(&mut self, line: &str) {
        match Capability::parse(line) {
            Some(Capability::Other(line)) if self.takes_other(line) => {
                self.other.push(line.to_string());
            }
            Some(Capability::Other(_)) | None => {}
            Some(known) => self.insert(known),
        }
    }

    fn takes_other(&self, line: &str) -> bool {
        line.len() <= TEXT && self.other.len() < limits::OTHER_CAPABILITIES
    }

    /// Takes what a known capability printed, unless its values make something else of it.
    fn insert_known(&mut self, line: &str) {
        let known = Capability::parse(line).and_then(|capability| capability.extension());
        let Some(extension) = known.filter(|_| line.len() <= TEXT) else { return };
        let parameters = line.split_once(' ').map_or("", |(_, parameters)| parameters);
        self.set(extension, parameters.to_string());
    }

    /// Puts an extension in the place of the same one. In one order, whatever that of the
    /// insertions: equal sets are equal.
    fn set(&mut self, extension: Extension, parameters: String) {
        self.remove(extension);
        self.extensions = self.extensions.with(extension);
        if !parameters.is_empty() {
            self.parameters.push((extension, parameters));
            self.parameters.sort_by_key(|(of, _)| *of);
        }
    }

    fn insert_auth(&mut self, mechanisms: Mechanisms<'_>) {
        let mut names = String::from(self.parameters(Extension::Auth).unwrap_or_default());
        for name in mechanisms.iter() {
            let fits = "AUTH ".len() + names.len() + " ".len() + name.len() <= TEXT;
            if fits && !Mechanisms::new(&names).has(name) {
                names.extend([if names.is_empty() { "" } else { " " }, name]);
            }
        }
        self.set(Extension::Auth, names);
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
