//! What clients call themselves.
//!
//! Does: read the argument of EHLO, HELO and LHLO, as strictly as a session asks. Does not: resolve
//! it, or hold it against where the client connects from. Fails: as the other addresses do.

use core::fmt;

use super::domain::{address_literal, domain_name, label};
use super::{AddressError, ascii, whole};
use crate::limits;
use crate::wire::grammar::{self, Cause, Class, Miss, Parsed, expected, stop};
use crate::wire::syntax::ClientNames;

/// What a client calls itself in EHLO, HELO and LHLO: a domain or an address literal, or what
/// [`ClientNames::Lenient`] takes.
///
/// A named tolerance: labels may hold underscores, which host names in the wild do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ClientName<'a>(pub(super) &'a str);

impl<'a> ClientName<'a> {
    /// Reads a name.
    ///
    /// # Errors
    /// The text is neither a domain nor an address literal, or is over [`limits::DOMAIN`].
    pub fn parse(text: &'a str) -> Result<Self, AddressError> {
        ascii(text)?;
        whole(text, client_name)
    }

    /// Reads what [`ClientNames`] lets a client call itself.
    ///
    /// # Errors
    /// The text is no such name, or is over [`limits::DOMAIN`].
    pub fn parse_with(text: &'a str, names: ClientNames) -> Result<Self, AddressError> {
        match names {
            ClientNames::Strict => Self::parse(text),
            ClientNames::Lenient => whole(text, lenient_client_name),
        }
    }

    /// The name as it was written.
    #[must_use]
    pub const fn as_str(&self) -> &'a str {
        self.0
    }
}

impl fmt::Display for ClientName<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// `Domain / address-literal`, with underscores.
pub(in crate::wire) fn client_name(input: &str) -> Parsed<'_, ClientName<'_>> {
    let (rest, name) = if input.starts_with('[') {
        address_literal(input)?
    } else {
        domain_name(input, label(false).or(Class::UNDERSCORE))?
    };
    Ok((rest, ClientName(name)))
}

/// `1*255( VCHAR / UTF8-non-ascii )`, without control characters and spaces of any kind.
fn lenient_client_name(input: &str) -> Parsed<'_, ClientName<'_>> {
    let end = input.find(|c: char| c.is_whitespace() || c.is_control()).unwrap_or(input.len());
    let (name, rest) = input.split_at(end);
    match name.len() {
        0 => expected(input, "a name"),
        1..=limits::DOMAIN => Ok((rest, ClientName(name))),
        _ => stop(input.len(), Cause::DomainTooLong),
    }
}

/// The whole text as a client's name.
pub(in crate::wire) fn client_name_with(
    text: &str,
    names: ClientNames,
) -> Result<ClientName<'_>, Miss> {
    match names {
        ClientNames::Strict => grammar::whole(text, client_name),
        ClientNames::Lenient => grammar::whole(text, lenient_client_name),
    }
}
