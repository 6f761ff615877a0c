//! Reverse-paths, forward-paths, mailboxes and domains (RFC 5321, 4.1.2 and 4.1.3).
//!
//! Does: read what stands on the wire and what a caller passes, and keep it as it was written,
//! so it prints back unchanged. All of these values can only be made by parsing, so none can put
//! a line end, a control character or a parameter on the wire. Does not: resolve, compare or
//! rewrite addresses; letters outside ASCII are refused. Fails: [`AddressError`], with the offset.
//!
//! Stricter than the grammar: an IPv4 literal has no leading zeros. Source routes are taken and
//! dropped, as RFC 5321 asks (appendix C).

use core::fmt;
use core::net::{Ipv4Addr, Ipv6Addr};

use nom::Parser;
use nom::branch::alt;
use nom::bytes::complete::{tag_no_case, take_while, take_while1};
use nom::character::complete::{char, satisfy};
use nom::combinator::{opt, recognize, value};
use nom::multi::many0_count;
use nom::sequence::{delimited, preceded, terminated};
use thiserror::Error;

use super::grammar::{
    self, Cause, Miss, Parsed, expect, fail, is_atext, is_dcontent, is_let_dig, is_qtext,
};
use super::syntax::ClientNames;
use crate::limits;

/// Why a text is no address. Offsets are octets from the start of the text that was parsed.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum AddressError {
    /// An octet outside printable ASCII.
    #[error("an octet outside printable ASCII at offset {at}")]
    NotPrintableAscii {
        /// Where it stands.
        at: usize,
    },
    /// The grammar wants something else here.
    #[error("{expected} expected at offset {at}")]
    Syntax {
        /// Where the text leaves the grammar.
        at: usize,
        /// What could have stood there.
        expected: &'static str,
    },
    /// The local-part is over [`limits::LOCAL_PART`].
    #[error("the local-part at offset {at} is too long")]
    LocalPartTooLong {
        /// Where it starts.
        at: usize,
    },
    /// The domain is over [`limits::DOMAIN`], or a label of it over [`limits::DOMAIN_LABEL`].
    #[error("the domain at offset {at} is too long")]
    DomainTooLong {
        /// Where it starts.
        at: usize,
    },
    /// The path is over [`limits::PATH`].
    #[error("the path at offset {at} is too long")]
    PathTooLong {
        /// Where it starts.
        at: usize,
    },
}

impl AddressError {
    /// The offset, in octets.
    #[must_use]
    pub const fn at(self) -> usize {
        match self {
            Self::NotPrintableAscii { at }
            | Self::Syntax { at, .. }
            | Self::LocalPartTooLong { at }
            | Self::DomainTooLong { at }
            | Self::PathTooLong { at } => at,
        }
    }

    /// What a parser's error means in a text of `whole` octets.
    pub(super) fn from_miss(miss: Miss, whole: usize) -> Self {
        let at = miss.at(whole);
        match miss.cause {
            Cause::Expected(expected) => Self::Syntax { at, expected },
            Cause::LocalPartTooLong => Self::LocalPartTooLong { at },
            Cause::DomainTooLong => Self::DomainTooLong { at },
            Cause::PathTooLong => Self::PathTooLong { at },
        }
    }
}

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
}

impl fmt::Display for Domain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Literal(literal) => literal.fmt(f),
        }
    }
}

/// `local-part@domain`, as it was written, without a source route.
///
/// ```
/// use smtp_proto::wire::{Domain, Mailbox};
///
/// let mailbox = Mailbox::parse("\"a b\"@example.org")?;
/// assert_eq!(mailbox.local_part(), "\"a b\"");
/// assert_eq!(mailbox.domain(), Domain::Name("example.org"));
/// assert!(Mailbox::parse("a@example.org> SIZE=1").is_err());
/// # Ok::<(), smtp_proto::wire::AddressError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Mailbox<'a> {
    text: &'a str,
    local_part: usize,
    domain: Domain<'a>,
}

impl<'a> Mailbox<'a> {
    /// Reads `local-part@domain`, without brackets.
    ///
    /// # Errors
    /// The text is no mailbox, or is over a limit (254 octets: a path less its brackets).
    pub fn parse(text: &'a str) -> Result<Self, AddressError> {
        if text.len() + 2 > limits::PATH {
            return Err(AddressError::PathTooLong { at: 0 });
        }
        whole(text, mailbox)
    }

    /// The mailbox as it was written.
    #[must_use]
    pub const fn as_str(&self) -> &'a str {
        self.text
    }

    /// The local-part as it was written, with its quotes.
    #[must_use]
    pub fn local_part(&self) -> &'a str {
        &self.text[..self.local_part]
    }

    /// The domain.
    #[must_use]
    pub const fn domain(&self) -> Domain<'a> {
        self.domain
    }
}

impl fmt::Display for Mailbox<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text)
    }
}

/// Where failures of a message are reported: MAIL's argument. Prints with its brackets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ReversePath<'a> {
    /// `<>`: nowhere (RFC 5321, 4.5.5).
    Null,
    /// `<mailbox>`
    Mailbox(Mailbox<'a>),
}

impl<'a> ReversePath<'a> {
    /// Reads a mailbox with or without brackets, or `<>`. The empty text is refused: a caller
    /// who means the null path writes it.
    ///
    /// # Errors
    /// The text is no reverse-path, or is over a limit.
    pub fn parse(text: &'a str) -> Result<Self, AddressError> {
        if text.starts_with('<') {
            whole(text, reverse_path)
        } else {
            Mailbox::parse(text).map(Self::Mailbox)
        }
    }

    /// The mailbox; `None` for the null path.
    #[must_use]
    pub const fn mailbox(self) -> Option<Mailbox<'a>> {
        match self {
            Self::Null => None,
            Self::Mailbox(mailbox) => Some(mailbox),
        }
    }

    /// The text between the brackets: empty for the null path.
    #[must_use]
    pub const fn as_str(&self) -> &'a str {
        match self {
            Self::Null => "",
            Self::Mailbox(mailbox) => mailbox.as_str(),
        }
    }
}

impl fmt::Display for ReversePath<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<{}>", self.as_str())
    }
}

/// A recipient: RCPT's argument. Prints with its brackets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ForwardPath<'a> {
    /// `<Postmaster>` without a domain, in any case (RFC 5321, 4.5.1). Prints as `<postmaster>`.
    Postmaster,
    /// `<mailbox>`
    Mailbox(Mailbox<'a>),
}

impl<'a> ForwardPath<'a> {
    /// Reads a mailbox or `postmaster`, with or without brackets.
    ///
    /// # Errors
    /// The text is no forward-path, or is over a limit.
    pub fn parse(text: &'a str) -> Result<Self, AddressError> {
        if text.starts_with('<') {
            whole(text, forward_path)
        } else if text.eq_ignore_ascii_case("postmaster") {
            Ok(Self::Postmaster)
        } else {
            Mailbox::parse(text).map(Self::Mailbox)
        }
    }

    /// The mailbox; `None` for the postmaster without a domain.
    #[must_use]
    pub const fn mailbox(self) -> Option<Mailbox<'a>> {
        match self {
            Self::Postmaster => None,
            Self::Mailbox(mailbox) => Some(mailbox),
        }
    }

    /// The text between the brackets.
    #[must_use]
    pub const fn as_str(&self) -> &'a str {
        match self {
            Self::Postmaster => "postmaster",
            Self::Mailbox(mailbox) => mailbox.as_str(),
        }
    }
}

impl fmt::Display for ForwardPath<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<{}>", self.as_str())
    }
}

/// What a client calls itself in EHLO and HELO: a domain or an address literal.
///
/// A named tolerance: labels may hold underscores, which host names in the wild do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ClientName<'a>(&'a str);

impl<'a> ClientName<'a> {
    /// Reads a name.
    ///
    /// # Errors
    /// The text is neither a domain nor an address literal, or is over [`limits::DOMAIN`].
    pub fn parse(text: &'a str) -> Result<Self, AddressError> {
        whole(text, client_name)
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

fn whole<'a, T>(
    text: &'a str,
    parser: impl FnMut(&'a str) -> Parsed<'a, T>,
) -> Result<T, AddressError> {
    if let Some(at) = grammar::not_printable(text.as_bytes()) {
        return Err(AddressError::NotPrintableAscii { at });
    }
    grammar::whole(text, parser).map_err(|miss| AddressError::from_miss(miss, text.len()))
}

/// `Reverse-path = Path / "<>"`
pub(super) fn reverse_path(input: &str) -> Parsed<'_, ReversePath<'_>> {
    if let Some(rest) = input.strip_prefix("<>") {
        return Ok((rest, ReversePath::Null));
    }
    path.map(ReversePath::Mailbox).parse(input)
}

/// `"<Postmaster>" / Forward-path`, `Forward-path = Path`
pub(super) fn forward_path(input: &str) -> Parsed<'_, ForwardPath<'_>> {
    alt((
        value(ForwardPath::Postmaster, tag_no_case("<postmaster>")),
        path.map(ForwardPath::Mailbox),
    ))
    .parse(input)
}

/// `Path = "<" [ A-d-l ":" ] Mailbox ">"`
fn path(input: &str) -> Parsed<'_, Mailbox<'_>> {
    let (rest, mailbox) = delimited(
        expect("\"<\"", char('<')),
        preceded(opt(source_route), mailbox),
        expect("\">\"", char('>')),
    )
    .parse(input)?;
    if input.len() - rest.len() > limits::PATH {
        return fail(input, Cause::PathTooLong);
    }
    Ok((rest, mailbox))
}

/// `A-d-l ":"`, `A-d-l = At-domain *( "," At-domain )`, `At-domain = "@" Domain`
fn source_route(input: &str) -> Parsed<'_, &str> {
    let at_domain = || preceded(char('@'), domain_name(is_let_dig));
    recognize((
        at_domain(),
        many0_count(preceded(char(','), at_domain())),
        expect("\":\"", char(':')),
    ))
    .parse(input)
}

/// `Mailbox = Local-part "@" ( Domain / address-literal )`
fn mailbox(input: &str) -> Parsed<'_, Mailbox<'_>> {
    let (rest, local_part) = local_part(input)?;
    let (rest, _) = expect("\"@\"", char('@')).parse(rest)?;
    let (rest, domain) = domain(rest)?;
    let text = &input[..input.len() - rest.len()];
    Ok((rest, Mailbox { text, local_part: local_part.len(), domain }))
}

/// `Local-part = Dot-string / Quoted-string`
fn local_part(input: &str) -> Parsed<'_, &str> {
    let (rest, text) = expect("a local-part", alt((dot_string, quoted_string))).parse(input)?;
    if text.len() > limits::LOCAL_PART {
        return fail(input, Cause::LocalPartTooLong);
    }
    Ok((rest, text))
}

/// `Dot-string = Atom *("." Atom)`, `Atom = 1*atext`
fn dot_string(input: &str) -> Parsed<'_, &str> {
    let atom = || take_while1(is_atext);
    recognize((atom(), many0_count(preceded(char('.'), atom())))).parse(input)
}

/// `Quoted-string = DQUOTE *QcontentSMTP DQUOTE`, `QcontentSMTP = qtextSMTP / quoted-pairSMTP`,
/// `quoted-pairSMTP = %d92 %d32-126`
fn quoted_string(input: &str) -> Parsed<'_, &str> {
    let quoted_pair = recognize((char('\\'), satisfy(|c| matches!(c, ' '..='~'))));
    recognize((char('"'), many0_count(alt((take_while1(is_qtext), quoted_pair))), char('"')))
        .parse(input)
}

/// `Domain / address-literal`
fn domain(input: &str) -> Parsed<'_, Domain<'_>> {
    if input.starts_with('[') {
        return address_literal.map(Domain::Literal).parse(input);
    }
    domain_name(is_let_dig).map(Domain::Name).parse(input)
}

/// `Domain / address-literal`, with underscores.
pub(super) fn client_name(input: &str) -> Parsed<'_, ClientName<'_>> {
    if input.starts_with('[') {
        return recognize(address_literal).map(ClientName).parse(input);
    }
    domain_name(|c| is_let_dig(c) || c == '_').map(ClientName).parse(input)
}

/// The whole text as a client's name.
///
/// Strict: [`client_name`]. Lenient: `1*255( VCHAR / UTF8-non-ascii )`, without control characters.
pub(super) fn client_name_with(text: &str, names: ClientNames) -> Result<ClientName<'_>, Miss> {
    match names {
        ClientNames::Strict => grammar::whole(text, client_name),
        ClientNames::Lenient => grammar::whole(text, |input| {
            let word = |c: char| !c.is_whitespace() && !c.is_control();
            let (rest, name) = expect("a name", take_while1(word)).parse(input)?;
            if name.len() > limits::DOMAIN {
                return fail(input, Cause::DomainTooLong);
            }
            Ok((rest, ClientName(name)))
        }),
    }
}

/// `Domain = sub-domain *("." sub-domain)`, `sub-domain = Let-dig [Ldh-str]`,
/// `Ldh-str = *( ALPHA / DIGIT / "-" ) Let-dig`
fn domain_name<'a>(
    is_inner: impl Fn(char) -> bool + Copy,
) -> impl Parser<&'a str, Output = &'a str, Error = Miss> {
    let sub_domain = move |input: &'a str| {
        let (rest, label) =
            expect("a domain", take_while1(move |c| is_inner(c) || c == '-')).parse(input)?;
        if label.starts_with('-') || label.ends_with('-') {
            return fail(input, Cause::Expected("a label without a hyphen at its edge"));
        }
        if label.len() > limits::DOMAIN_LABEL {
            return fail(input, Cause::DomainTooLong);
        }
        Ok((rest, label))
    };
    move |input: &'a str| {
        let (rest, name) =
            recognize((sub_domain, many0_count(preceded(char('.'), sub_domain)))).parse(input)?;
        if name.len() > limits::DOMAIN {
            return fail(input, Cause::DomainTooLong);
        }
        Ok((rest, name))
    }
}

/// `address-literal = "[" ( IPv4-address-literal / IPv6-address-literal /
/// General-address-literal ) "]"`
fn address_literal(input: &str) -> Parsed<'_, AddressLiteral<'_>> {
    let (rest, content) =
        delimited(char('['), take_while(is_dcontent), expect("\"]\"", char(']'))).parse(input)?;
    if input.len() - rest.len() > limits::DOMAIN {
        return fail(input, Cause::DomainTooLong);
    }
    if let Ok(address) = content.parse() {
        return Ok((rest, AddressLiteral::V4(address)));
    }
    match terminated(tag_no_case("IPv6"), char::<_, Miss>(':')).parse(content) {
        Ok((address, _)) => match address.parse() {
            Ok(address) => Ok((rest, AddressLiteral::V6(address))),
            Err(_) => fail(address_at(input, content, address), Cause::Expected("an IPv6 address")),
        },
        Err(_) => match content.split_once(':') {
            Some((tag, content)) if is_standardized_tag(tag) && !content.is_empty() => {
                Ok((rest, AddressLiteral::General { tag, content }))
            }
            _ => fail(&input[1..], Cause::Expected("an address literal")),
        },
    }
}

/// The input from where a part of the literal's content starts.
fn address_at<'a>(input: &'a str, content: &str, part: &str) -> &'a str {
    &input[1 + content.len() - part.len()..]
}

/// `Standardized-tag = Ldh-str`
fn is_standardized_tag(tag: &str) -> bool {
    tag.ends_with(is_let_dig) && tag.chars().all(|c| is_let_dig(c) || c == '-')
}
