//! Access rules as `tcprules` takes them: line by line, and for a client the first line that holds
//! the longest form of its address.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// One line that is a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Where its line starts.
    pub start: usize,
    pub address: String,
    pub allow: bool,
    pub variables: Vec<(String, String)>,
}

/// Every line that holds anything but a comment: where it starts, and its rule where it is one.
#[must_use]
pub fn lines(text: &[u8]) -> Vec<(usize, Option<Rule>)> {
    let mut start = 0;
    let mut found = Vec::new();
    for line in text.split(|octet| *octet == b'\n') {
        let end = line.iter().rposition(|octet| !b" \t\r".contains(octet)).map_or(0, |at| at + 1);
        if end > 0 && line[0] != b'#' {
            found.push((start, rule(&line[..end], start)));
        }
        start += line.len() + 1;
    }
    found
}

fn rule(line: &[u8], start: usize) -> Option<Rule> {
    let line = String::from_utf8(line.to_vec()).ok().filter(|line| !line.contains('\0'))?;
    // An IPv6 address has colons of its own: the last in front of the first comma ends it.
    let head = line.split(',').next()?;
    let last = head.rfind(':').filter(|last| ipv6(&line[..*last]).is_some());
    let colon = last.or(line.find(':'))?;
    let (address, rest) = (&line[..colon], &line[colon + 1..]);
    let allow = rest.starts_with("allow");
    let mut rest = rest.strip_prefix("allow").or_else(|| rest.strip_prefix("deny"))?;
    let mut variables = Vec::new();
    while !rest.is_empty() {
        let (name, value) = rest.strip_prefix(',')?.split_once('=')?;
        let is_name = |c: char| c == '_' || c.is_ascii_alphanumeric();
        if !name.chars().all(is_name) || !name.starts_with(|c: char| !c.is_ascii_digit()) {
            return None;
        }
        let quote = value.chars().next()?;
        let (value, behind) = value[quote.len_utf8()..].split_once(quote)?;
        variables.push((name.to_owned(), value.to_owned()));
        rest = behind;
    }
    Some(Rule { start, address: address.to_owned(), allow, variables })
}

/// An IPv6 address or prefix, in brackets or not: its bits and how many of them count.
fn ipv6(text: &str) -> Option<(u128, u32)> {
    let (address, length) = match text.split_once('/') {
        None => (text, "128"),
        Some(both) => both,
    };
    let bare = address.strip_prefix('[').map_or(Some(address), |rest| rest.strip_suffix(']'))?;
    let address: Ipv6Addr = bare.parse().ok()?;
    let length = decimal(length).filter(|length| *length <= 128)?;
    Some((u128::from(address), length))
}

/// Every form that an address with one range stands for: `1.2.3.4-5` is `1.2.3.4` and `1.2.3.5`.
#[must_use]
pub fn forms(address: &str) -> Vec<String> {
    if let Some((bits, 128)) = ipv6(address)
        && let Some(mapped) = Ipv6Addr::from(bits).to_ipv4_mapped()
    {
        return vec![mapped.to_string()].into_iter().filter(|form| form != "0.0.0.0").collect();
    }
    if address == "0.0.0.0" {
        // Nobody comes from there.
        return Vec::new();
    }
    let parts: Vec<&str> = address.split('.').collect();
    let mut ranged = parts.iter().enumerate().filter_map(|(at, part)| {
        let (low, high) = part.split_once('-')?;
        Some((at, number(low)?, number(high)?))
    });
    match (ranged.next(), ranged.next()) {
        (Some((at, low, high)), None) => (low..=high)
            .map(|octet| {
                let mut parts: Vec<String> = parts.iter().map(ToString::to_string).collect();
                parts[at] = octet.to_string();
                parts.join(".")
            })
            .collect(),
        // A range of one number in each of two places is that number.
        (Some(_), Some(_)) => {
            let single = |part: &&str| match part.split_once('-') {
                Some((low, high)) if number(low).is_some() && low == high => low.to_owned(),
                _ => part.to_string(),
            };
            let parts: Vec<String> = parts.iter().map(single).collect();
            let parts = parts.join(".");
            if parts == address { vec![parts] } else { forms(&parts) }
        }
        (None, _) => vec![address.to_owned()],
    }
}

fn number(text: &str) -> Option<u8> {
    decimal(text).and_then(|number| u8::try_from(number).ok())
}

/// A number in the one way to write it.
fn decimal(text: &str) -> Option<u32> {
    text.parse().ok().filter(|number: &u32| number.to_string() == text)
}

/// The forms under which a client is looked up, the longest first.
fn of_client(client: Ipv4Addr) -> [String; 5] {
    let [a, b, c, d] = client.octets();
    [
        format!("{a}.{b}.{c}.{d}"),
        format!("{a}.{b}.{c}."),
        format!("{a}.{b}."),
        format!("{a}."),
        String::new(),
    ]
}

/// Whether a rule for this address speaks of any client.
#[must_use]
pub fn meets_somebody(address: &str) -> bool {
    let is_of_client = |form: &String| {
        let octets: Option<Vec<u8>> =
            form.split('.').filter(|part| !part.is_empty()).map(number).collect();
        let Some(octets) = octets.filter(|octets| octets.len() <= 4) else { return false };
        let mut all = [1; 4];
        all[..octets.len()].copy_from_slice(&octets);
        of_client(Ipv4Addr::from(all)).contains(form)
    };
    let mapped = |bits: u128, length| length >= 96 && bits >> 32 == 0xffff;
    match ipv6(address) {
        // Nobody comes from the unspecified address.
        Some((0, 128)) => false,
        Some((bits, length)) if !mapped(bits, length) => true,
        _ => forms(address).iter().any(is_of_client),
    }
}

/// Rules with what each stands for, to be asked for many clients.
pub struct Rules<'r> {
    rules: Vec<(&'r Rule, Vec<String>, Option<(u128, u32)>)>,
}

impl<'r> Rules<'r> {
    #[must_use]
    pub fn new(rules: &'r [Rule]) -> Self {
        let stands_for = |rule: &'r Rule| (rule, forms(&rule.address), ipv6(&rule.address));
        Self { rules: rules.iter().map(stands_for).collect() }
    }

    /// The rule for a client.
    #[must_use]
    pub fn find(&self, client: IpAddr) -> Option<&'r Rule> {
        let by_form =
            |wanted: &String| self.rules.iter().find(|(_, forms, _)| forms.contains(wanted));
        let by_prefix = |client: u128, wanted: u32| {
            let same = |bits: u128| bits.checked_shr(128 - wanted).unwrap_or(0);
            self.rules.iter().find(|(.., prefix)| {
                prefix.is_some_and(|(bits, length)| length == wanted && same(bits) == same(client))
            })
        };
        let found = match client.to_canonical() {
            IpAddr::V4(client) => of_client(client).iter().find_map(by_form),
            IpAddr::V6(client) => (0..=128)
                .rev()
                .find_map(|length| by_prefix(client.into(), length))
                .or_else(|| by_form(&String::new())),
        };
        found.map(|(rule, ..)| *rule)
    }
}
