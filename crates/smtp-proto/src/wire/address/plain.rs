//! The commonest addresses, in one go: ASCII, a dot-string, a domain.
//!
//! Does: take what the grammar in [`super`] takes just so, limits and all. Does not: take anything
//! else, or say what is wrong with it. Fails: `None`, and then the grammar is asked.

use super::{ClientName, Mailbox};
use crate::limits;
use crate::wire::grammar::Class;

/// `Mailbox ">"` behind the bracket that opens a path, and what stands behind it.
#[inline(always)]
pub(in crate::wire) fn path(text: &str) -> Option<(Mailbox<'_>, &str)> {
    let octets = text.as_bytes();
    let local_part = dot_string(octets)?;
    let end = domain(octets, local_part + 1, Some(b'>'), Class::LABEL)?;
    if local_part > limits::LOCAL_PART || end + "<>".len() > limits::PATH {
        return None;
    }
    let (text, behind) = (text.get(..end)?, text.get(end + 1..)?);
    Some((Mailbox { text, local_part: local_part as u8 }, behind))
}

/// `Domain`, with underscores, as the whole text.
#[inline(always)]
pub(in crate::wire) fn client_name(text: &str) -> Option<ClientName<'_>> {
    let octets = text.as_bytes();
    domain(octets, 0, None, Class::LABEL.or(Class::UNDERSCORE))?;
    Some(ClientName(text))
}

/// `Atom *("." Atom) "@"`: where the @ stands.
#[inline(always)]
fn dot_string(octets: &[u8]) -> Option<usize> {
    let mut atom = 0;
    loop {
        let end = Class::ATEXT.run(octets, atom);
        if end == atom {
            return None;
        }
        match *octets.get(end)? {
            b'.' => atom = end + 1,
            b'@' => return Some(end),
            _ => return None,
        }
    }
}

/// `sub-domain *("." sub-domain)` from `start` up to `closing`, `None` for the end of the text:
/// where that is.
#[inline(always)]
fn domain(octets: &[u8], start: usize, closing: Option<u8>, class: Class) -> Option<usize> {
    let mut label = start;
    loop {
        let end = class.run(octets, label);
        let ([first, ..], [.., last]) = (octets.get(label..end)?, octets.get(label..end)?) else {
            return None;
        };
        if end - label > limits::DOMAIN_LABEL || *first == b'-' || *last == b'-' {
            return None;
        }
        match octets.get(end) {
            Some(b'.') => label = end + 1,
            behind if behind.copied() == closing && end - start <= limits::DOMAIN => {
                return Some(end);
            }
            _ => return None,
        }
    }
}
