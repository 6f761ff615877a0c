//! `smtp.tcp`, `smtp2.tcp`, `smtp3.tcp`: access rules in the text form that `tcprules` compiles.
//!
//! A rule is `address:allow` or `address:deny`, then any number of `,NAME="value"`, where any
//! character that the value does not hold may stand for the quotes. Lines that begin with `#` are
//! comments. The address is a whole IPv4 address, a prefix that ends with a dot, either with one
//! range (`192.0.2.1-20`, `192.0.2-5.`), or nothing at all: every client. The most specific rule
//! applies, whatever its place in the file; of two rules for one address the first does.
//!
//! Not honoured, and said so: rules for host names (`=host`), which would need the client's name from DNS;
//! rules for `user@address`, which would need the ident protocol; IPv6 addresses, whose form the
//! documented rules do not have. IPv6 clients are under the rule for every client. A line that is no
//! rule at all is an error: `tcprules` refuses the whole file for it, and a `deny` that is
//! not understood must not become an `allow`.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr};

use super::shell_words::is_name;
use super::{lines, unusable_text};
use crate::diagnostic::{Diagnostic, quoted};
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
        self.variables.iter().rev().find(|(key, _)| key.value == name).map(|(_, value)| value)
    }
}

/// The rules of one file.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    rules: Vec<Rule>,
    index: HashMap<Key, usize>,
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
        let longest = match client.to_canonical() {
            IpAddr::V4(address) => Some(address.octets()),
            IpAddr::V6(_) => None,
        };
        let prefixes =
            longest.into_iter().flat_map(|octets| (1..=4).rev().map(move |n| (octets, n)));
        prefixes
            .map(|(octets, length)| Key::new(&octets[..length]))
            .chain([Key::new(&[])])
            .find_map(|key| self.index.get(&key))
            .map(|&index| &self.rules[index])
    }

    /// Every rule of the file, in order, those included that no client address can meet.
    pub fn all(&self) -> &[Rule] {
        &self.rules
    }
}

impl Key {
    fn new(prefix: &[u8]) -> Self {
        let mut octets = [0; 4];
        octets[..prefix.len()].copy_from_slice(prefix);
        Self { octets, length: u8::try_from(prefix.len()).unwrap_or(4) }
    }
}

/// Reads the rules of a file.
pub fn parse(bytes: &[u8], file: FileId) -> (Rules, Vec<Diagnostic>) {
    let mut rules = Rules::default();
    let mut diagnostics = Vec::new();
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
                diagnostics.push(bad_rule("this line is no text", line.span(file)));
                continue;
            }
        };
        match rule(text, line.start, file) {
            Ok(rule) => {
                index(&mut rules, &rule, &mut diagnostics);
                rules.rules.push(rule);
            }
            Err(diagnostic) => diagnostics.push(*diagnostic),
        }
    }
    (rules, diagnostics)
}

fn bad_rule(message: &str, span: Span) -> Diagnostic {
    Diagnostic::error("bad-access-rule", message).at(span).with_help(
        "a rule is `address:allow` or `address:deny`, then `,NAME=\"value\"` for each variable",
    )
}

fn rule(text: &str, offset: usize, file: FileId) -> Result<Rule, Box<Diagnostic>> {
    let place = |start: usize, end: usize| Span { file, start: offset + start, end: offset + end };
    let whole = place(0, text.len());
    let Some((address, instructions)) = text.split_once(':') else {
        return Err(Box::new(bad_rule("this line has no colon, so it is no rule", whole)));
    };
    if looks_like_ipv6(text) {
        return Err(Box::new(
            Diagnostic::warning(
                "ipv6-access-rule",
                "rules for IPv6 addresses are not honoured: IPv6 clients are under the rule with no address",
            )
            .at(whole),
        ));
    }
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

/// `2001:db8::1:allow` or `[::1]:allow`: colons where a rule has its first and only one.
fn looks_like_ipv6(text: &str) -> bool {
    let head = text.split(',').next().unwrap_or(text);
    let Some((address, _)) = head.rsplit_once(':') else { return false };
    let address = address.split('/').next().unwrap_or(address);
    address.starts_with('[') || address.contains(':')
}

/// Enters a rule under every key that its address stands for.
fn index(rules: &mut Rules, rule: &Rule, diagnostics: &mut Vec<Diagnostic>) {
    let address = &rule.address;
    let number = rules.rules.len();
    let warn = |message: String| {
        Diagnostic::warning("access-rule-without-effect", message).at(address.span)
    };
    if address.value.contains('@') {
        let message = "a rule for `user@address` would need the ident protocol and is not honoured";
        diagnostics.push(warn(message.to_owned()));
        return;
    }
    if address.value.starts_with('=') {
        let outcome = if rule.allow { "" } else { ": the client is not refused" };
        diagnostics.push(warn(format!(
            "a rule for a host name would need the client's name from DNS and is not honoured{outcome}"
        )));
        return;
    }
    let Some(keys) = keys(&address.value) else {
        let help = match address.value.parse::<Ipv4Addr>() {
            Ok(_) => None,
            Err(_) => Some("write a whole IPv4 address, a prefix that ends with a dot, or nothing"),
        };
        let message = format!("no client ever has the address {}", quoted(&address.value));
        let diagnostic = warn(message);
        diagnostics.push(match help {
            Some(help) => diagnostic.with_help(help),
            None => diagnostic,
        });
        return;
    };
    let mut covered = 0usize;
    let total = keys.len();
    for key in keys {
        if *rules.index.entry(key).or_insert(number) != number {
            covered += 1;
        }
    }
    if covered > 0 {
        let extent = if covered == total { "this rule" } else { "a part of this rule" };
        diagnostics.push(warn(format!(
            "{extent} has no effect: a rule for the same address stands before it"
        )));
    }
}

/// The keys of an address, one range expanded; `None` if no client address can meet it.
fn keys(address: &str) -> Option<Vec<Key>> {
    if address.is_empty() {
        return Some(vec![Key::new(&[])]);
    }
    let (parts, prefix) = match address.strip_suffix('.') {
        Some(parts) => (parts, true),
        None => (address, false),
    };
    let parts: Vec<_> = parts.split('.').collect();
    if parts.len() > 4 || prefix == (parts.len() == 4) {
        return None;
    }
    let ranges = parts.iter().map(|part| octets(part)).collect::<Option<Vec<_>>>()?;
    if ranges.iter().filter(|(low, high)| low != high).count() > 1 {
        return None;
    }
    let mut keys = vec![Vec::new()];
    for (low, high) in ranges {
        keys = keys
            .into_iter()
            .flat_map(|head: Vec<u8>| {
                (low..=high).map(move |octet| head.iter().copied().chain([octet]).collect())
            })
            .collect();
    }
    Some(keys.iter().map(|octets| Key::new(octets)).collect())
}

/// `7` or `7-20`. A number that no address is written with (`07`, `300`) meets nothing.
fn octets(part: &str) -> Option<(u8, u8)> {
    let number = |text: &str| -> Option<u8> {
        let value: u8 = text.parse().ok()?;
        (value.to_string() == text).then_some(value)
    };
    match part.split_once('-') {
        None => number(part).map(|value| (value, value)),
        Some((low, high)) => {
            let (low, high) = (number(low)?, number(high)?);
            (low <= high).then_some((low, high))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::Severity;
    use proptest::prelude::*;

    const FILE: FileId = FileId(2);

    fn read(text: &str) -> (Rules, Vec<Diagnostic>) {
        parse(text.as_bytes(), FILE)
    }

    fn line_for(rules: &Rules, client: &str) -> Option<usize> {
        rules.find(client.parse().unwrap()).map(|rule| rule.span.start)
    }

    #[test]
    fn the_shipped_rules() {
        let (rules, diagnostics) = read("127.0.0.1:allow,RELAYCLIENT=\"\"\n:allow\n");
        assert!(diagnostics.is_empty());
        let local = rules.find("127.0.0.1".parse().unwrap()).unwrap();
        assert_eq!(local.variable("RELAYCLIENT").map(|v| v.value.as_str()), Some(""));
        for client in ["127.0.0.2", "192.0.2.1", "::1", "2001:db8::1"] {
            let rule = rules.find(client.parse().unwrap()).unwrap();
            assert!(rule.allow && rule.variables.is_empty(), "{client}");
        }
        assert_eq!(line_for(&rules, "::ffff:127.0.0.1"), Some(0));
    }

    #[test]
    fn the_most_specific_rule_applies_wherever_it_stands() {
        let text = ":deny\n192.:allow\n192.0.2.:deny\n192.0.:allow\n192.0.2.7:allow\n";
        let (rules, diagnostics) = read(text);
        assert!(diagnostics.is_empty());
        for (client, rule) in [
            ("192.0.2.7", "192.0.2.7:allow"),
            ("192.0.2.8", "192.0.2.:deny"),
            ("192.0.3.8", "192.0.:allow"),
            ("192.1.3.8", "192.:allow"),
            ("19.2.0.2", ":deny"),
        ] {
            let start = line_for(&rules, client).unwrap();
            assert!(text[start..].starts_with(rule), "{client}: {}", &text[start..]);
        }
    }

    #[test]
    fn a_range_stands_for_each_of_its_addresses() {
        let (rules, diagnostics) = read("192.0.2.9-11:allow\n10.2-3.:deny\n0-255.1.:deny\n");
        assert!(diagnostics.is_empty());
        for (client, found) in [
            ("192.0.2.8", None),
            ("192.0.2.9", Some(0)),
            ("192.0.2.11", Some(0)),
            ("192.0.2.12", None),
            ("10.1.0.1", Some(32)),
            ("10.3.255.255", Some(19)),
            ("10.4.0.1", None),
        ] {
            assert_eq!(line_for(&rules, client), found, "{client}");
        }
    }

    #[test]
    fn values_end_at_the_character_that_opened_them() {
        let text = "1.2.3.4:allow,A=\"x,y=z\",B=/\"/,TLSCIPHERS=é!aNULL:HIGHé,A='2'\n";
        let (rules, diagnostics) = read(text);
        assert!(diagnostics.is_empty(), "{diagnostics:?}");
        let rule = &rules.all()[0];
        for (name, value) in [("A", "2"), ("B", "\""), ("TLSCIPHERS", "!aNULL:HIGH")] {
            let found = rule.variable(name).unwrap();
            assert_eq!(found.value, value);
            assert_eq!(&text[found.span.start..found.span.end], value);
        }
        assert_eq!(rule.variables[0].1.value, "x,y=z");
    }

    #[test]
    fn a_line_that_is_no_rule_is_an_error_at_its_place() {
        for (bad, at) in [
            ("allow", 0),
            ("1.2.3.4:dney", 8),
            ("1.2.3.4: allow", 8),
            ("1.2.3.4:allow ,A=\"b\"", 13),
            ("1.2.3.4:allowed", 13),
            ("1.2.3.4:allow,", 13),
            ("1.2.3.4:allow,A", 13),
            ("1.2.3.4:allow,A=", 15),
            ("1.2.3.4:allow,A=\"", 16),
            ("1.2.3.4:allow,A=\"b", 16),
            ("1.2.3.4:allow,A=\"b\"c", 19),
            ("1.2.3.4:allow,A B=\"c\"", 14),
            ("1.2.3.4:al\0low", 0),
        ] {
            let (rules, diagnostics) = read(&format!("#c\n{bad}\n:deny\n"));
            assert_eq!(rules.all().len(), 1, "{bad}");
            assert_eq!(diagnostics.len(), 1, "{bad}");
            assert_eq!(diagnostics[0].code, "bad-access-rule", "{bad}");
            assert_eq!(diagnostics[0].severity, Severity::Error);
            assert_eq!(diagnostics[0].span().unwrap().start, 3 + at, "{bad}");
        }
    }

    #[test]
    fn a_rule_that_meets_nobody_is_told() {
        for rule in [
            "=mail.example:deny",
            "=.example:allow",
            "joe@127.0.0.1:allow",
            "1.2.3:deny",
            "1.2.3.4.:deny",
            "1.2.3.4.5:deny",
            "01.2.3.4:deny",
            "1.2.3.400:deny",
            "1.2.3.9-1:deny",
            "1-2.3-4.5.6:deny",
            "mail.example:deny",
            "192.0.2.0/24:deny",
        ] {
            let (rules, diagnostics) = read(rule);
            let codes: Vec<_> = diagnostics.iter().map(|d| (d.severity, d.code)).collect();
            assert_eq!(codes, [(Severity::Warning, "access-rule-without-effect")], "{rule}");
            assert_eq!(line_for(&rules, "1.2.3.4"), None, "{rule}");
            assert_eq!(rules.all().len(), 1, "kept: {rule}");
        }
        for rule in ["::1:allow", "[::1]:allow,RELAYCLIENT=\"\"", "2001:db8::/32:deny"] {
            let (_, diagnostics) = read(rule);
            assert_eq!(diagnostics[0].code, "ipv6-access-rule", "{rule}");
        }
    }

    #[test]
    fn of_two_rules_for_one_address_the_first_applies_and_the_other_is_told() {
        let (rules, diagnostics) =
            read("1.2.3.4:deny\n1.2.3.4:allow\n1.2.3.4-5:allow\n:deny\n:allow");
        assert_eq!(line_for(&rules, "1.2.3.4"), Some(0));
        assert_eq!(line_for(&rules, "1.2.3.5"), Some(27));
        let places: Vec<_> = diagnostics.iter().map(|d| d.span().unwrap().start).collect();
        assert_eq!(places, [13, 27, 49]);
        assert!(diagnostics[1].message.contains("a part of"));
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(
            proptest::sample::select(&b"12.-:allow,denyA=\"/@[]\n#\xc3\xa9\0"[..]), 0..60)) {
            let (rules, diagnostics) = parse(&bytes, FILE);
            let _ = rules.find("1.2.1.2".parse().unwrap());
            for diagnostic in diagnostics {
                prop_assert!(diagnostic.span().unwrap().end <= bytes.len());
            }
        }
    }
}
