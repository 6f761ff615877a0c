//! The rules of `greenarrow.conf`, said one by one over a tree: what a string in quotes says, and
//! which directives count for an address and a domain.

use std::net::Ipv4Addr;

use hvmail_control::conf::tree::{Argument, Directive, DirectiveId, Tree, Value};

/// A string between double quotes, its escapes undone: those of JSON, others kept.
#[must_use]
pub fn unescaped(inner: &str) -> String {
    let units: Vec<char> = inner.chars().collect();
    let mut text = String::new();
    let mut at = 0;
    while at < units.len() {
        let code = |at: usize| -> Option<u32> {
            let digits = units.get(at..at + 6)?;
            let digits: String = digits.iter().collect();
            let digits = digits.strip_prefix("\\u")?;
            digits.chars().all(|c| c.is_ascii_hexdigit()).then_some(())?;
            u32::from_str_radix(digits, 16).ok()
        };
        let simple = match units[at..] {
            ['\\', c @ ('"' | '\\' | '/'), ..] => Some(c),
            ['\\', 'b', ..] => Some('\u{8}'),
            ['\\', 'f', ..] => Some('\u{c}'),
            ['\\', 'n', ..] => Some('\n'),
            ['\\', 'r', ..] => Some('\r'),
            ['\\', 't', ..] => Some('\t'),
            _ => None,
        };
        if let Some(character) = simple {
            text.push(character);
            at += 2;
        } else if let Some(unit) = code(at) {
            let pair = code(at + 6).and_then(|low| {
                let both = [u16::try_from(unit).ok()?, u16::try_from(low).ok()?];
                let mut decoded = char::decode_utf16(both);
                let first = decoded.next()?.ok()?;
                decoded.next().is_none().then_some(first)
            });
            text.push(pair.or(char::from_u32(unit)).unwrap_or('\u{fffd}'));
            at += if pair.is_some() { 12 } else { 6 };
        } else {
            text.push(units[at]);
            at += 1;
        }
    }
    text
}

/// A directive's name, arguments and depth, as text that two trees can be compared by.
#[must_use]
pub fn without_places(directive: &Directive) -> String {
    let value = |value: &Value| format!("{:?} {:?}", value.quoting, value.text);
    let argument = |argument: &Argument| match argument {
        Argument::Value(one) => value(one),
        Argument::List(values) => format!("{:?}", values.iter().map(value).collect::<Vec<_>>()),
        Argument::Option(option) => format!("{:?}={}", option.key.value, value(&option.value)),
        Argument::Heredoc(heredoc) => format!("<<{} {:?}", heredoc.tag, heredoc.body),
    };
    let arguments: Vec<_> = directive.arguments.iter().map(argument).collect();
    let block = directive.block.as_ref().map(|block| block.children.len());
    format!("{:?} {arguments:?} {block:?} {:?}", directive.name.value, directive.parent)
}

/// What the blocks around a directive name; `None` in each for a block that is not there.
struct Scope {
    general: bool,
    addresses: Option<Vec<String>>,
    domains: Option<Vec<String>>,
}

/// The strings behind the name of a block.
fn names(block: &Directive) -> Vec<String> {
    block.arguments.iter().flat_map(Argument::values).map(|value| value.text.clone()).collect()
}

/// Where a directive counts, if it counts anywhere: directly in `general`, `domain` or `ip_address`, or in
/// a `domain` directly in an `ip_address`; none of these in anything else.
fn scope(tree: &Tree, id: DirectiveId) -> Option<Scope> {
    let parent = |directive: &Directive| directive.parent.and_then(|id| tree.get(id));
    let block = parent(tree.get(id)?)?;
    let outer = parent(block);
    let kind = |block: &Directive| block.name.value.clone();
    let in_nothing = |block: &Directive| block.parent.is_none();
    let scope = match (kind(block).as_str(), outer) {
        ("general", None) => Scope { general: true, addresses: None, domains: None },
        ("domain", None) => Scope { general: false, addresses: None, domains: Some(names(block)) },
        ("ip_address", None) => {
            Scope { general: false, addresses: Some(names(block)), domains: None }
        }
        ("domain", Some(outer)) if kind(outer) == "ip_address" && in_nothing(outer) => {
            let (addresses, domains) = (Some(names(outer)), Some(names(block)));
            Scope { general: false, addresses, domains }
        }
        _ => return None,
    };
    let domains = scope.domains.iter().flatten();
    let matches_something =
        |list: &Option<Vec<String>>| list.as_ref().is_none_or(|l| !l.is_empty());
    let known = scope.domains.is_none() || domains.clone().any(|pattern| is_pattern(pattern));
    (matches_something(&scope.addresses) && known).then_some(scope)
}

/// Whether a pattern can match the domain of any recipient.
fn is_pattern(pattern: &str) -> bool {
    if pattern == "*" {
        return true;
    }
    let base = pattern.strip_prefix("[*.]").or_else(|| pattern.strip_prefix("*."));
    let literal = pattern.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    if base.is_none()
        && literal.is_some_and(|inner| {
            !inner.is_empty()
                && inner.chars().all(|c| !c.is_ascii_whitespace() && !"[]\\".contains(c))
        })
    {
        return true;
    }
    let base = base.unwrap_or(pattern);
    let base = base.strip_suffix('.').unwrap_or(base);
    base.split('.').all(|label| {
        let good = |c: char| !c.is_ascii() || c.is_ascii_alphanumeric() || c == '-' || c == '_';
        !label.is_empty() && label.chars().all(good)
    })
}

/// What stands in brackets is the same without them where it is an IPv4 address.
fn plain(domain: &str) -> String {
    let domain = domain.strip_suffix('.').unwrap_or(domain);
    let inner = domain.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let inner = inner.filter(|inner| inner.parse::<Ipv4Addr>().is_ok());
    inner.unwrap_or(domain).to_ascii_lowercase()
}

/// How near a domain's patterns come: 0 for the nearest; `None` where none matches.
fn domain_rank(patterns: &[String], domain: &str) -> Option<usize> {
    let domain = plain(domain);
    let mut wanted = vec![(String::new(), domain.clone()), ("[*.]".to_owned(), domain.clone())];
    let labels: Vec<_> = domain.split('.').collect();
    for cut in 1..labels.len() {
        let parent = labels[cut..].join(".");
        wanted.push(("*.".to_owned(), parent.clone()));
        wanted.push(("[*.]".to_owned(), parent));
    }
    let is_wanted = |pattern: &String, (wildcard, base): &(String, String)| {
        let (own, rest) = ["[*.]", "*."]
            .iter()
            .find_map(|own| Some((*own, pattern.strip_prefix(own)?)))
            .unwrap_or(("", pattern));
        pattern != "*" && is_pattern(pattern) && own == wildcard && plain(rest) == *base
    };
    let named = wanted.iter().position(|want| patterns.iter().any(|p| is_wanted(p, want)));
    named.or_else(|| patterns.iter().any(|p| p == "*").then_some(wanted.len()))
}

/// The place of a scope in the order of the documentation: the first that matches counts.
fn rank(scope: &Scope, address: Option<&str>, domain: &str) -> Option<(u8, usize, u8)> {
    const EVERY_DOMAIN: usize = usize::MAX;
    if scope.general {
        return Some((2, 0, 0));
    }
    let by_domain = match &scope.domains {
        Some(patterns) => domain_rank(patterns, domain)?,
        None => EVERY_DOMAIN,
    };
    let Some(addresses) = &scope.addresses else { return Some((1, by_domain, 1)) };
    let is_own = |name: &String| {
        name != "*" && address.is_some_and(|address| name.eq_ignore_ascii_case(address))
    };
    if addresses.iter().any(is_own) {
        return Some((0, by_domain, 0));
    }
    addresses.iter().any(|name| name == "*").then_some((1, by_domain, 0))
}

/// A directive that counts somewhere, and where.
pub struct Placed<'t> {
    pub id: DirectiveId,
    name: &'t str,
    scope: Scope,
}

/// Every directive that counts anywhere.
#[must_use]
pub fn placed(tree: &Tree) -> Vec<Placed<'_>> {
    tree.directives()
        .filter_map(|(id, directive)| {
            Some(Placed { id, name: &directive.name.value, scope: scope(tree, id)? })
        })
        .collect()
}

/// Every directive of the first place that holds one of this name.
#[must_use]
pub fn find_all(
    placed: &[Placed<'_>],
    name: &str,
    address: Option<&str>,
    domain: &str,
) -> Vec<DirectiveId> {
    let named = placed.iter().filter(|placed| placed.name == name);
    let ranked: Vec<_> = named
        .filter_map(|placed| Some((rank(&placed.scope, address, domain)?, placed.id)))
        .collect();
    let first = ranked.iter().map(|(rank, _)| *rank).min();
    ranked.iter().filter(|(rank, _)| Some(*rank) == first).map(|(_, id)| *id).collect()
}

/// The names of every block of this kind.
#[must_use]
pub fn parameters(tree: &Tree, kind: &str) -> Vec<String> {
    let blocks = tree.directives().filter(|(_, directive)| directive.name.value == kind);
    blocks.flat_map(|(_, block)| names(block)).collect()
}

/// Domains that the patterns of the tree match, and their subdomains; in ASCII, where case is all
/// that makes two of them one.
#[must_use]
pub fn domains(tree: &Tree) -> Vec<String> {
    let mut domains = Vec::new();
    for pattern in parameters(tree, "domain").into_iter().filter(|pattern| pattern.is_ascii()) {
        let base = pattern.trim_start_matches("[*.]").trim_start_matches("*.");
        domains.push(format!("x.{base}"));
        domains.push(base.to_ascii_uppercase());
    }
    domains
}
