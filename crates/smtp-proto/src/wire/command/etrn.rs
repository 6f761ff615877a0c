//! The argument of ETRN.

use core::fmt;

use crate::wire::{address, grammar};

/// Which waiting mail ETRN asks to be sent (RFC 1985, 5). Prints as it was written.
///
/// ```
/// use smtp_proto::wire::{EtrnKind, EtrnNode};
///
/// let node = EtrnNode::parse("@example.org").unwrap();
/// assert_eq!((node.kind(), node.name()), (EtrnKind::Subdomains, "example.org"));
/// assert_eq!(EtrnNode::parse("@"), None);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct EtrnNode<'a> {
    kind: EtrnKind,
    name: &'a str,
}

/// What the name of an [`EtrnNode`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EtrnKind {
    /// One host: a domain or an address literal.
    Host,
    /// `@`: a domain with all that is below it.
    Subdomains,
    /// `#`: a queue of the server; its names are the server's own.
    Queue,
}

impl<'a> EtrnNode<'a> {
    /// `[option-char] node-name`, the option being `@` or `#`; `None` when the text is none.
    #[must_use]
    pub fn parse(text: &'a str) -> Option<Self> {
        let (kind, name) = match text.as_bytes().first()? {
            b'@' => (EtrnKind::Subdomains, &text[1..]),
            b'#' => (EtrnKind::Queue, &text[1..]),
            _ => (EtrnKind::Host, text),
        };
        let good = match kind {
            EtrnKind::Host => grammar::whole(name, address::client_name).is_ok(),
            EtrnKind::Subdomains => {
                !name.starts_with('[') && grammar::whole(name, address::client_name).is_ok()
            }
            EtrnKind::Queue => {
                !name.is_empty() && name.bytes().all(|octet| octet.is_ascii_graphic())
            }
        };
        good.then_some(Self { kind, name })
    }

    /// What the name is.
    #[must_use]
    pub const fn kind(self) -> EtrnKind {
        self.kind
    }

    /// The name, without the option before it.
    #[must_use]
    pub const fn name(self) -> &'a str {
        self.name
    }
}

impl fmt::Display for EtrnNode<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.kind {
            EtrnKind::Host => "",
            EtrnKind::Subdomains => "@",
            EtrnKind::Queue => "#",
        })?;
        f.write_str(self.name)
    }
}
