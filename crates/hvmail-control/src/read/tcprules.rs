//! `smtp.tcp`, `smtp2.tcp`, `smtp3.tcp`: access rules in the text form that `tcprules` compiles.
//!
//! A rule is `address:allow` or `address:deny`, then any number of `,NAME="value"`, where any
//! character that the value does not hold may stand for the quotes. Lines that begin with `#` are
//! comments. The address is a whole IPv4 address, a prefix that ends with a dot, either with one
//! range (`192.0.2.1-20`, `192.0.2-5.`), or nothing at all: every client. The most specific rule
//! applies, whatever its place in the file; of two rules for one address the first does.
//!
//! The documented rules have no form for IPv6. Ours: a whole address or a prefix, in brackets or not
//! (`2001:db8::1:allow`, `[2001:db8::]/32:deny`); the longest prefix applies, and an IPv6 client that
//! none meets is under the rule for every client.
//!
//! Not honoured, and said so: rules for host names (`=host`), which would need the client's name from DNS;
//! rules for `user@address`, which would need the ident protocol; addresses that no client ever has
//! (`10.0.0.0/8`, a blank in front). Such a rule is a warning where it allows, and an error where it
//! denies: it would let in whom it is to keep out. A line that is no rule at all is an error as well:
//! `tcprules` refuses the whole file for it, and a `deny` that is not understood must not become an
//! `allow`. So are more rules than [`MAX_ACCESS_ADDRESSES`].

use std::collections::{BTreeMap, HashMap, HashSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::shell_words::is_name;
use super::{lines, unusable_text};
use crate::diagnostic::{Bounded, Diagnostic, Severity, quoted};
use crate::limits::{MAX_ACCESS_ADDRESSES, MAX_RULE_VARIABLES};
use crate::snapshot::{FileId, Span, Spanned};

/// One rule as written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// The text before the colon.
    pub address: Spanned<String>,
    /// Whether the client may connect.
    pub allow: bool,
    /// What the rule adds to the environment of the service, in order; the last of a name wins.
    pub variables: Vec<(Spanned<String>, Spanned<String>)>,
    /// The whole rule.
    pub span: Span,
}

impl Rule {
    /// The value that this rule gives to a variable.
    pub fn variable(&self, name: &str) -> Option<&Spanned<String>> {
        self.values(name).next_back()
    }

    /// The values of a variable that a later one of this rule replaces, in order.
    pub fn replaced(&self, name: &str) -> impl Iterator<Item = &Spanned<String>> {
        let mut values = self.values(name);
        values.next_back();
        values
    }

    /// The names of its variables, each once, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let mut seen = HashSet::new();
        let names = self.variables.iter().map(|(name, _)| name.value.as_str());
        names.filter(move |name| seen.insert(*name))
    }

    fn values(&self, name: &str) -> impl DoubleEndedIterator<Item = &Spanned<String>> {
        self.variables.iter().filter(move |(key, _)| key.value == name).map(|(_, value)| value)
    }
}

/// The rules of one file.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    rules: Vec<Rule>,
    /// For each rule whether some address finds it.
    found: Vec<bool>,
    index: HashMap<Key, usize>,
    /// By length, then by the prefix itself.
    ipv6: BTreeMap<u8, HashMap<u128, usize>>,
}

/// An IPv6 address of which the first `length` bits count; the others are 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Ipv6Prefix {
    bits: u128,
    length: u8,
}

/// The first octets of an address: four of them for a whole address, none for every client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Key {
    octets: [u8; 4],
    length: u8,
}

impl Rules {
    /// The rule for a client: its address, then shorter and shorter prefixes, then the rule
    /// for every client. `None`: no rule speaks of it, which `tcpserver` takes as allowed.
    pub fn find(&self, client: IpAddr) -> Option<&Rule> {
        let specific = match client.to_canonical() {
            IpAddr::V4(address) => {
                let octets = address.octets();
                (1..=4).rev().find_map(|n| self.index.get(&Key::new(&octets[..n])))
            }
            IpAddr::V6(address) => self.ipv6.iter().rev().find_map(|(length, prefixes)| {
                prefixes.get(&Ipv6Prefix::new(address, *length).bits)
            }),
        };
        specific.or_else(|| self.index.get(&Key::new(&[]))).map(|&index| &self.rules[index])
    }

    /// Every rule of the file, in order, those included that no client address can meet.
    pub fn all(&self) -> &[Rule] {
        &self.rules
    }

    /// The same, and for each whether a session can be under it: it allows, and [`find`](Self::find) gives it
    /// for an address of its own.
    pub fn by_use(&self) -> impl Iterator<Item = (&Rule, bool)> {
        let found = self.found.iter().copied();
        self.rules.iter().zip(found).map(|(rule, found)| (rule, rule.allow && found))
    }
}

impl Key {
    fn new(prefix: &[u8]) -> Self {
        let mut octets = [0; 4];
        octets[..prefix.len()].copy_from_slice(prefix);
        Self { octets, length: u8::try_from(prefix.len()).unwrap_or(4) }
    }
}

impl Ipv6Prefix {
    fn new(address: Ipv6Addr, length: u8) -> Self {
        let behind = 128_u32.saturating_sub(u32::from(length));
        let mask = u128::MAX.checked_shl(behind).unwrap_or(0);
        Self { bits: u128::from(address) & mask, length }
    }

    /// `2001:db8::1`, `2001:db8::/32`, or either with the address in brackets.
    fn parse(text: &str) -> Option<Self> {
        let (address, length) = match text.split_once('/') {
            Some((address, length)) => (address, canonical(length)?),
            None => (text, 128),
        };
        let address = match address.strip_prefix('[') {
            Some(inner) => inner.strip_suffix(']')?,
            None => address,
        };
        (length <= 128).then_some(())?;
        Some(Self::new(address.parse().ok()?, length))
    }

    /// Whether all its addresses stand for IPv4 addresses (RFC 4291, section 2.5.5.2).
    fn is_within_mapped(self) -> bool {
        self.length >= 96 && self.bits >> 32 == 0xffff
    }

    /// Whether it is the unspecified address, of IPv6 or of IPv4.
    fn is_unspecified(self) -> bool {
        self.length == 128 && Ipv6Addr::from(self.bits).to_canonical().is_unspecified()
    }

    /// The IPv4 address that it stands for, if it stands for one.
    fn ipv4(self) -> Option<Ipv4Addr> {
        (self.length == 128).then(|| Ipv6Addr::from(self.bits).to_ipv4_mapped()).flatten()
    }
}

/// Reads the rules of a file.
pub fn parse(bytes: &[u8], file: FileId) -> (Rules, Vec<Diagnostic>) {
    let mut rules = Rules::default();
    let mut diagnostics = Bounded::default();
    let mut size = 0usize;
    for line in lines(bytes) {
        if line.is_empty() || line.bytes.starts_with(b"#") {
            continue;
        }
        let line = line.trim_end();
        if line.is_empty() {
            continue;
        }
        let text = match std::str::from_utf8(line.bytes) {
            Ok(text) if unusable_text(line.bytes).is_none() => text,
            _ => {
                diagnostics
                    .push(Severity::Error, || bad_rule("this line is no text", line.span(file)));
                continue;
            }
        };
        let rule = match rule(text, line.start, file) {
            Ok(rule) => rule,
            Err(diagnostic) => {
                diagnostics.push(Severity::Error, || *diagnostic);
                continue;
            }
        };
        let (addresses, found) = index(&mut rules, &rule, &mut diagnostics);
        size += addresses + rule.variables.len();
        rules.rules.push(rule);
        rules.found.push(found);
        if size > MAX_ACCESS_ADDRESSES {
            let message = format!(
                "the rules stand for more than {MAX_ACCESS_ADDRESSES} addresses and variables: \
                 nothing behind this line is read"
            );
            let mut said = diagnostics.finish();
            said.push(Diagnostic::error("too-many-access-rules", message).at(line.span(file)));
            return (rules, said);
        }
    }
    (rules, diagnostics.finish())
}

fn bad_rule(message: &str, span: Span) -> Diagnostic {
    Diagnostic::error("bad-access-rule", message).at(span).with_help(
        "a rule is `address:allow` or `address:deny`, then `,NAME=\"value\"` for each variable",
    )
}

fn rule(text: &str, offset: usize, file: FileId) -> Result<Rule, Box<Diagnostic>> {
    let place = |start: usize, end: usize| Span { file, start: offset + start, end: offset + end };
    let whole = place(0, text.len());
    let Some((address, instructions)) = ipv6_rule(text).or_else(|| text.split_once(':')) else {
        return Err(Box::new(bad_rule("this line has no colon, so it is no rule", whole)));
    };
    let begins = address.len() + 1;
    let (allow, mut at) = if instructions.starts_with("allow") {
        (true, begins + "allow".len())
    } else if instructions.starts_with("deny") {
        (false, begins + "deny".len())
    } else {
        return Err(Box::new(bad_rule(
            "neither `allow` nor `deny` follows the colon",
            place(begins, text.len()),
        )));
    };
    let mut variables = Vec::new();
    while at < text.len() {
        if variables.len() >= MAX_RULE_VARIABLES {
            let message = format!("a rule sets no more than {MAX_RULE_VARIABLES} variables");
            return Err(Box::new(bad_rule(&message, place(at, text.len()))));
        }
        let rest = &text[at..];
        let (name, written) =
            rest.strip_prefix(',').and_then(|rest| rest.split_once('=')).ok_or_else(|| {
                Box::new(bad_rule(
                    "`,NAME=\"value\"` or the end of the line is wanted here",
                    place(at, text.len()),
                ))
            })?;
        let name_at = at + 1;
        if !is_name(name) {
            let message = format!("{} is no name of a variable", quoted(name));
            return Err(Box::new(bad_rule(&message, place(name_at, name_at + name.len()))));
        }
        let quote_at = name_at + name.len() + 1;
        let closed = written.chars().next().and_then(|quote| {
            let value = &written[quote.len_utf8()..];
            Some((quote.len_utf8(), &value[..value.find(quote)?]))
        });
        let Some((quote, value)) = closed else {
            return Err(Box::new(bad_rule(
                "the value is not closed by the character that opens it",
                place(quote_at.min(text.len() - 1), text.len()),
            )));
        };
        let value_at = quote_at + quote;
        variables.push((
            Spanned { value: name.to_owned(), span: place(name_at, name_at + name.len()) },
            Spanned { value: value.to_owned(), span: place(value_at, value_at + value.len()) },
        ));
        at = value_at + value.len() + quote;
    }
    let address = Spanned { value: address.to_owned(), span: place(0, address.len()) };
    Ok(Rule { address, allow, variables, span: whole })
}

/// An IPv6 address or prefix, and what stands behind the colon that follows it.
fn ipv6_rule(text: &str) -> Option<(&str, &str)> {
    let head = text.split(',').next().unwrap_or(text);
    let colon = head.rfind(':')?;
    Ipv6Prefix::parse(&text[..colon])?;
    Some((&text[..colon], &text[colon + 1..]))
}

/// Enters a rule under every address that its own stands for, and says how many those are, at
/// least one, and whether any of them was free.
fn index(rules: &mut Rules, rule: &Rule, diagnostics: &mut Bounded) -> (usize, bool) {
    let address = &rule.address;
    let number = rules.rules.len();
    let severity = if rule.allow { Severity::Warning } else { Severity::Error };
    let unmet = |message: &str| {
        let outcome = if rule.allow { "" } else { ", and the client would not be refused" };
        Diagnostic::new(severity, "access-rule-without-effect", format!("{message}{outcome}"))
            .at(address.span)
    };
    if address.value.contains('@') {
        diagnostics.push(severity, || {
            unmet("a rule for `user@address` would need the ident protocol and is not honoured")
        });
        return (1, false);
    }
    if address.value.starts_with('=') {
        diagnostics.push(severity, || {
            unmet(
                "a rule for a host name would need the client's name from DNS and is not honoured",
            )
        });
        return (1, false);
    }
    let ipv6 = Ipv6Prefix::parse(&address.value);
    let ranges = match ipv6.and_then(Ipv6Prefix::ipv4) {
        Some(mapped) => Some(mapped.octets().map(|octet| (octet, octet)).to_vec()),
        None => ranges(&address.value),
    };
    // IPv4 clients are looked up as such, and nobody comes from the unspecified address.
    let unreachable = |prefix: Ipv6Prefix| prefix.length < 128 && prefix.is_within_mapped();
    let unspecified = address.value == "0.0.0.0" || ipv6.is_some_and(Ipv6Prefix::is_unspecified);
    let nobody = unspecified || ipv6.is_some_and(unreachable);
    let (ranges, ipv6) = if nobody { (None, None) } else { (ranges, ipv6) };
    let (mut covered, mut total) = (0usize, 0usize);
    let mut count = |entered: usize| {
        total += 1;
        covered += usize::from(entered != number);
    };
    if let Some(ranges) = ranges {
        for key in keys(&ranges) {
            count(*rules.index.entry(key).or_insert(number));
        }
    } else if let Some(Ipv6Prefix { bits, length }) = ipv6 {
        count(*rules.ipv6.entry(length).or_default().entry(bits).or_insert(number));
    } else {
        diagnostics.push(severity, || {
            let help = match as_dotted_prefix(&address.value) {
                Some(prefix) => format!("write {prefix}"),
                None => "write a whole address, an IPv4 prefix that ends with a dot, or nothing, \
                         from the first column on"
                    .to_owned(),
            };
            unmet(&format!("no client ever has the address {}", quoted(&address.value)))
                .with_help(help)
        });
        return (1, false);
    }
    if covered > 0 {
        let extent = if covered == total { "this rule" } else { "a part of this rule" };
        diagnostics.push(Severity::Warning, || {
            let message =
                format!("{extent} has no effect: a rule for the same address stands before it");
            Diagnostic::warning("access-rule-without-effect", message).at(address.span)
        });
    }
    (total, covered < total)
}

/// `10.` for `10.0.0.0/8`: IPv4 prefixes of whole octets have a form here, others have none.
fn as_dotted_prefix(address: &str) -> Option<String> {
    let (address, bits) = address.trim_ascii().split_once('/')?;
    let address: Ipv4Addr = address.parse().ok()?;
    let octets = match bits {
        "8" => 1,
        "16" => 2,
        "24" => 3,
        "32" => return Some(address.to_string()),
        _ => return None,
    };
    Some(address.octets()[..octets].iter().map(|octet| format!("{octet}.")).collect())
}

/// The octets of an address or a prefix, one of them a range; `None` if no client can meet it.
fn ranges(address: &str) -> Option<Vec<(u8, u8)>> {
    if address.is_empty() {
        return Some(Vec::new());
    }
    let (parts, prefix) = match address.strip_suffix('.') {
        Some(parts) => (parts, true),
        None => (address, false),
    };
    let ranges = parts.split('.').take(5).map(octets).collect::<Option<Vec<_>>>()?;
    let whole = ranges.len() == 4;
    let several = ranges.iter().filter(|(low, high)| low != high).count() > 1;
    (ranges.len() <= 4 && prefix != whole && !several).then_some(ranges)
}

/// The keys of an address, its range expanded.
fn keys(ranges: &[(u8, u8)]) -> impl Iterator<Item = Key> {
    let mut octets: Vec<u8> = ranges.iter().map(|(low, _)| *low).collect();
    let varying = ranges.iter().position(|(low, high)| low != high);
    let (low, high) = varying.map_or((0, 0), |at| ranges[at]);
    (low..=high).map(move |octet| {
        if let Some(at) = varying {
            octets[at] = octet;
        }
        Key::new(&octets)
    })
}

/// `7` or `7-20`. A number that no address is written with (`07`, `300`) meets nothing.
fn octets(part: &str) -> Option<(u8, u8)> {
    match part.split_once('-') {
        None => canonical(part).map(|value| (value, value)),
        Some((low, high)) => {
            let (low, high) = (canonical(low)?, canonical(high)?);
            (low <= high).then_some((low, high))
        }
    }
}

/// A number from 0 to 255 in the one way to write it.
fn canonical(text: &str) -> Option<u8> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    let padded = text.len() > 1 && text.starts_with('0');
    if digits && !padded { text.parse().ok() } else { None }
}

#[cfg(test)]
#[path = "tcprules_tests.rs"]
mod tests;
