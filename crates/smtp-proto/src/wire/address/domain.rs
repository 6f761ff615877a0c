//! What stands behind the @: domains and address literals (RFC 5321, 4.1.2 and 4.1.3).

use core::fmt;
use core::net::{Ipv4Addr, Ipv6Addr};

use nom::Parser;
use nom::bytes::complete::tag_no_case;

use crate::limits;
use crate::wire::grammar::{Cause, Class, Miss, Parsed, expected, stop};

/// An IP address, or an address of another kind, in brackets (RFC 5321, 4.1.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AddressLiteral<'a> {
    /// `[192.0.2.1]`
    V4(Ipv4Addr),
    /// `[IPv6:2001:db8::1]`
    V6(Ipv6Addr),
    /// `[tag:content]`
    General {
        /// The kind of address.
        tag: &'a str,
        /// The address.
        content: &'a str,
    },
}

impl<'a> AddressLiteral<'a> {
    /// What stands between the brackets.
    fn parse(content: &'a str) -> Result<Self, (&'a str, &'static str)> {
        if content.starts_with(|c: char| c.is_ascii_digit())
            && let Ok(address) = content.parse()
        {
            return Ok(Self::V4(address));
        }
        if let Ok((address, _)) = tag_no_case::<_, _, Miss>("IPv6:").parse(content) {
            let parsed = ipv6(address).ok_or((address, "an IPv6 address"))?;
            return Ok(Self::V6(parsed));
        }
        match content.split_once(':') {
            Some((tag, content)) if is_standardized_tag(tag) && !content.is_empty() => {
                Ok(Self::General { tag, content })
            }
            _ => Err((content, "an address literal")),
        }
    }
}

impl fmt::Display for AddressLiteral<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::V4(address) => write!(f, "[{address}]"),
            Self::V6(address) => write!(f, "[IPv6:{address}]"),
            Self::General { tag, content } => write!(f, "[{tag}:{content}]"),
        }
    }
}

/// What stands behind the @ of a mailbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Domain<'a> {
    /// A name, as written.
    Name(&'a str),
    /// An address in brackets.
    Literal(AddressLiteral<'a>),
}

impl<'a> Domain<'a> {
    /// The name; `None` for a literal.
    #[must_use]
    pub const fn name(self) -> Option<&'a str> {
        match self {
            Self::Name(name) => Some(name),
            Self::Literal(_) => None,
        }
    }

    /// The domain of a text that [`domain`] has taken.
    #[inline]
    pub(super) fn of(text: &'a str) -> Self {
        match text.strip_prefix('[').and_then(|text| text.strip_suffix(']')) {
            None => Self::Name(text),
            Some(content) => Self::Literal(
                AddressLiteral::parse(content).expect("the parser has taken the same text"),
            ),
        }
    }
}

impl fmt::Display for Domain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Literal(literal) => literal.fmt(f),
        }
    }
}

/// `Domain / address-literal`
#[inline]
pub(super) fn domain(input: &str, label: Class) -> Parsed<'_, &str> {
    if input.starts_with('[') { address_literal(input) } else { domain_name(input, label) }
}

/// The octets of a label of a domain: `Let-dig / "-"`, and those of a U-label (RFC 6531, 3.3).
pub(super) const fn label(utf8: bool) -> Class {
    Class::LET_DIG.or(Class::HYPHEN).or_utf8(utf8)
}

/// `Domain = sub-domain *("." sub-domain)`, `sub-domain = Let-dig [Ldh-str]`,
/// `Ldh-str = *( ALPHA / DIGIT / "-" ) Let-dig` (RFC 5321, 4.1.2), `sub-domain =/ U-label`
/// (RFC 6531, 3.3)
///
/// Of U-labels the octets, the length and what can never stand in one are checked: spaces,
/// control characters, other characters for a dot. Which letters IDNA takes is the resolver's.
#[inline]
pub(super) fn domain_name(input: &str, class: Class) -> Parsed<'_, &str> {
    let octets = input.as_bytes();
    let left = |at: usize| octets.len() - at;
    let mut start = 0;
    let end = loop {
        let end = class.run(octets, start);
        let (Some(first), Some(last)) = (octets[start..end].first(), octets[start..end].last())
        else {
            if start == 0 {
                return expected(input, "a domain");
            }
            // A dot with nothing behind it is not of the domain.
            break start - 1;
        };
        if *first == b'-' || *last == b'-' {
            return stop(left(start), Cause::Expected("a label without a hyphen at its edge"));
        }
        if end - start > limits::DOMAIN_LABEL {
            return stop(left(start), Cause::DomainTooLong);
        }
        match octets.get(end) {
            Some(b'.') => start = end + 1,
            _ => break end,
        }
    };
    if end > limits::DOMAIN {
        return stop(input.len(), Cause::DomainTooLong);
    }
    let (name, rest) = input.split_at(end);
    if class.has(0x80)
        && !name.is_ascii()
        && let Some(at) = name.find(is_never_in_a_label)
    {
        return stop(left(at), Cause::Expected("a letter of a domain"));
    }
    Ok((rest, name))
}

/// What IDNA allows in no U-label (RFC 5892, 2.6), as far as it can be mistaken for structure:
/// spaces, control characters, and the three other characters that IDNA2003 read as a dot.
fn is_never_in_a_label(c: char) -> bool {
    !c.is_ascii()
        && (c.is_control()
            || c.is_whitespace()
            || matches!(c, '\u{3002}' | '\u{ff0e}' | '\u{ff61}'))
}

/// `address-literal = "[" ( IPv4-address-literal / IPv6-address-literal /
/// General-address-literal ) "]"`, `IPv4-address-literal = Snum 3("." Snum)`,
/// `IPv6-address-literal = "IPv6:" IPv6-addr`,
/// `General-address-literal = Standardized-tag ":" 1*dcontent`
pub(super) fn address_literal(input: &str) -> Parsed<'_, &str> {
    let Some(inside) = input.strip_prefix('[') else {
        return expected(input, "\"[\"");
    };
    let (content, rest) = inside.split_at(Class::DCONTENT.run(inside.as_bytes(), 0));
    let Some(rest) = rest.strip_prefix(']') else {
        return expected(rest, "\"]\"");
    };
    let literal = &input[..input.len() - rest.len()];
    if literal.len() > limits::DOMAIN {
        return stop(input.len(), Cause::DomainTooLong);
    }
    match AddressLiteral::parse(content) {
        Ok(_) => Ok((rest, literal)),
        Err((from, what)) => stop(from.len() + "]".len() + rest.len(), Cause::Expected(what)),
    }
}

/// `IPv6-addr = IPv6-full / IPv6-comp / IPv6v4-full / IPv6v4-comp` (RFC 5321, 4.1.3), where `::`
/// stands for two groups at least.
fn ipv6(text: &str) -> Option<Ipv6Addr> {
    let address = text.parse().ok()?;
    if text.contains("::") {
        let groups = text.split(':').filter(|group| !group.is_empty()).count();
        if groups + usize::from(text.contains('.')) > 6 {
            return None;
        }
    }
    Some(address)
}

/// `Standardized-tag = Ldh-str`
fn is_standardized_tag(tag: &str) -> bool {
    let octets = tag.as_bytes();
    let class = Class::LET_DIG.or(Class::HYPHEN);
    class.run(octets, 0) == octets.len() && octets.last().is_some_and(|last| *last != b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ipv6_is_that_of_the_rfc() {
        for good in [
            "::",
            "::1",
            "1::",
            "2001:db8::1",
            "1:2:3:4:5:6:7:8",
            "1:2:3::4:5:6",
            "1:2:3:4:5:6::",
            "::1:2:3:4:5:6",
            "::ffff:192.0.2.1",
            "1:2:3:4:5:6:192.0.2.1",
            "1:2::3:4:192.0.2.1",
            "ABCD::ef",
        ] {
            assert_eq!(ipv6(good), good.parse().ok(), "{good}");
            assert!(ipv6(good).is_some(), "{good}");
        }
        for bad in [
            "",
            ":",
            ":::",
            "1",
            "1:2:3:4:5:6:7",
            "1:2:3:4:5:6:7:8:9",
            "1:2:3:4:5:6:7::",
            "::1:2:3:4:5:6:7",
            "1:2:3::4:5:6:7",
            "1::2::3",
            "12345::",
            "g::",
            "::1.2.3",
            "::1.2.3.256",
            "1:2:3::4:5:192.0.2.1",
            "::192.0.2.1:1",
            "::1%eth0",
            " ::1",
        ] {
            assert_eq!(ipv6(bad), None, "{bad}");
        }
    }
}
