//! What governs mail that leaves: every rule that is written, and the ones that count for one domain.

use std::collections::HashSet;

use smtp_tls::ClientPolicy;

use super::{Explained, Value, Whence, by_default, explained, overridden, seconds, whence};
use crate::Control;
use crate::conf::lookup::Found;
use crate::conf::pattern::split_wildcard;
use crate::conf::tree::{Argument, Directive as Written};
use crate::limits::MAX_EXPLAINED_DELIVERIES;
use crate::outgoing::{self, UnusableRule};
use crate::snapshot::{Origin, OriginId};

/// The directives that decide.
const DECIDING: [&str; 3] = ["starttls_require", "starttls_use", "smtp_route"];

/// What is written about outgoing mail.
#[derive(Clone, Debug)]
pub struct Outgoing {
    /// What holds for every connection.
    pub settings: Vec<Explained>,
    /// Every directive about outgoing mail, in the order of the files.
    pub directives: Vec<Directive>,
    /// The entries of `smtproutes`, in the order of the file.
    pub routes: Vec<Route>,
    /// What holds for a domain that no block names, or why nobody knows.
    pub otherwise: Result<Delivery, UnusableRule>,
    /// What holds for the domains and IP addresses that a block or a line of `smtproutes` names, where
    /// another TLS policy comes of it than that of `otherwise`, or none at all. Each block is asked about
    /// by itself: a domain that two of them speak of may have [`delivery`] of its own.
    pub named: Vec<NamedDelivery>,
    /// Whether all of these were looked at; not where there are more than [`MAX_EXPLAINED_DELIVERIES`] pairs
    /// of a domain and an IP address.
    pub named_is_whole: bool,
}

/// What holds for mail to a domain that is named, by an IP address where one is named with it.
#[derive(Clone, Debug)]
pub struct NamedDelivery {
    /// The domain. `*.domain` stands for the domains below it that nothing names, and nothing at all for
    /// every domain that nothing names.
    pub domain: String,
    /// The IP address by its name; `None`: any that no block names.
    pub address: Option<String>,
    /// What holds, or why nobody knows.
    pub delivery: Result<Delivery, UnusableRule>,
}

/// A directive of `greenarrow.conf` about outgoing mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Directive {
    /// Its name.
    pub name: &'static str,
    /// Its value, as written.
    pub value: String,
    /// The IP addresses, by name, of the block that it stands in; none: every one.
    pub addresses: Vec<String>,
    /// The domain patterns of the block that it stands in; none: every one.
    pub domains: Vec<String>,
    /// Whether it stands where it can have an effect.
    pub counts: bool,
    /// Where it is written.
    pub whence: Whence,
}

/// An entry of `smtproutes`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// The domain; `.domain` for all below it, and empty for every one.
    pub domain: String,
    /// Where its mail goes; `None`: to the domain's own hosts. An error: what is wrong with the entry.
    pub route: Result<Option<String>, String>,
    /// Where it is written.
    pub whence: Whence,
}

/// What holds for mail to one domain.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// The domain; empty for one that no block names.
    pub domain: String,
    /// The name of the IP address that it leaves by, where one was given.
    pub address: Option<String>,
    /// `tls`, `starttls_use`, `starttls_require`, `route` and `implicit_tls`, in this order.
    pub settings: Vec<Explained>,
    /// What a TLS library is asked for.
    pub policy: ClientPolicy,
}

/// Explains outgoing mail as a whole.
#[must_use]
pub fn outgoing(control: &Control) -> Outgoing {
    let timeout = |name, setting| {
        explained(control, name, setting, |time: &Option<_>| time.map_or(Value::Nothing, seconds))
    };
    let lookup = control.configuration();
    let mut directives: Vec<_> = Vec::new();
    for name in DECIDING {
        let elsewhere: HashSet<_> = lookup.elsewhere(name).map(|found| found.id).collect();
        directives.extend(lookup.occurrences(name).map(|found| {
            let counts = !elsewhere.contains(&found.id);
            (found.directive.span, directive(control, name, &found, counts))
        }));
    }
    directives.sort_by_key(|(span, _)| *span);
    let mut routes: Vec<_> = control.outgoing.entries().collect();
    // Origins are numbered as lines are met.
    routes.sort_by_key(|(.., origin)| origin.0);
    let directives: Vec<_> = directives.into_iter().map(|(_, directive)| directive).collect();
    let otherwise = delivery(control, "", None);
    let (named, named_is_whole) = named(control, &directives, &routes, &otherwise);
    Outgoing {
        settings: vec![
            timeout("connect_timeout", &control.outgoing.timeout_connect),
            timeout("reply_timeout", &control.outgoing.timeout_remote),
        ],
        directives,
        routes: routes
            .into_iter()
            .map(|(domain, route, origin)| Route {
                domain: domain.to_owned(),
                route: route.clone().map(|route| route.map(|route| route.to_string())),
                whence: whence(control, Some(origin), "smtproutes"),
            })
            .collect(),
        otherwise,
        named,
        named_is_whole,
    }
}

/// A line of `smtproutes`: its domain, what it says, and where it stands.
type RouteEntry<'a> = (&'a str, &'a Result<Option<outgoing::Route>, String>, OriginId);

/// The deliveries that differ from the one to a domain that nothing names, in the order in which they are
/// named; and whether every one was looked at.
fn named(
    control: &Control,
    directives: &[Directive],
    routes: &[RouteEntry<'_>],
    otherwise: &Result<Delivery, UnusableRule>,
) -> (Vec<NamedDelivery>, bool) {
    let of_blocks = directives.iter().filter(|directive| directive.counts).flat_map(|directive| {
        let addresses = or_any(&directive.addresses, |name| (name != "*").then_some(name));
        let domains =
            or_any(&directive.domains, Some).flat_map(|pattern| meant(pattern.unwrap_or_default()));
        domains
            .flat_map(move |domain| addresses.clone().map(move |address| (domain.clone(), address)))
    });
    let of_routes = routes.iter().map(|(domain, ..)| match domain.strip_prefix('.') {
        Some(parent) => (format!("*.{parent}"), None),
        None => ((*domain).to_owned(), None),
    });
    let mut seen = HashSet::from([(String::new(), None)]);
    let mut all = Vec::new();
    for (domain, address) in of_blocks.chain(of_routes) {
        if !seen.insert((domain.clone(), address)) {
            continue;
        }
        if seen.len() > MAX_EXPLAINED_DELIVERIES + 1 {
            return (all, false);
        }
        let delivery = delivery(control, &domain, address);
        let alike = match (&delivery, otherwise) {
            (Ok(one), Ok(other)) => one.policy == other.policy,
            (Err(one), Err(other)) => one == other,
            _ => false,
        };
        if !alike {
            all.push(NamedDelivery { domain, address: address.map(str::to_owned), delivery });
        }
    }
    (all, true)
}

/// The names of a block, or once none where it has no names.
fn or_any<'n>(
    names: &'n [String],
    meant: impl Fn(&'n str) -> Option<&'n str> + Clone,
) -> impl Iterator<Item = Option<&'n str>> + Clone {
    let any = names.is_empty().then_some(None);
    names.iter().map(move |name| meant(name)).chain(any)
}

/// The domains to ask about for a pattern. No block names one with a label `*`, so that a wildcard alone
/// matches it.
fn meant(pattern: &str) -> Vec<String> {
    match split_wildcard(pattern) {
        ("[*.]", domain) => vec![domain.to_owned(), format!("*.{domain}")],
        ("", "*") => vec![String::new()],
        _ => vec![pattern.to_owned()],
    }
}

fn directive(control: &Control, name: &'static str, found: &Found<'_>, counts: bool) -> Directive {
    let (mut addresses, mut domains) = (Vec::new(), Vec::new());
    let mut parent = found.directive.parent;
    while let Some(block) = parent.and_then(|id| control.configuration().tree().get(id)) {
        match block.name.value.as_str() {
            "ip_address" => addresses.extend(values(block)),
            "domain" => domains.extend(values(block)),
            _ => {}
        }
        parent = block.parent;
    }
    Directive {
        name,
        value: values(found.directive).collect::<Vec<_>>().join(" "),
        addresses,
        domains,
        counts,
        whence: Whence::File(control.snapshot.location(found.directive.span)),
    }
}

fn values(directive: &Written) -> impl Iterator<Item = String> {
    directive.arguments.iter().flat_map(Argument::values).map(|value| value.text.clone())
}

/// Explains mail to `domain` that leaves by the IP address called `address`.
///
/// # Errors
/// As for [`Control::outgoing_for`]: the mail would be kept.
pub fn delivery(
    control: &Control,
    domain: &str,
    address: Option<&str>,
) -> Result<Delivery, UnusableRule> {
    let rule = control.outgoing_for(domain, address)?;
    let others = |name, winner| others(control, name, (address, domain), winner);
    let switch = |name: &'static str, setting: &crate::Setting<bool>| Explained {
        overrode: others(name, Some(setting.origin)),
        ..explained(control, name, setting, |on| Value::Flag(*on))
    };
    let tls = Explained {
        whence: whence(control, rule.policy.origin, "starttls_use"),
        ..by_default("tls", "starttls_use", Value::Text(rule.policy.level.to_string()))
    };
    let route = rule.route.as_ref();
    let mut overrode = others("smtp_route", rule.route_origin);
    let entry = control.outgoing.entry(domain).filter(|entry| Some(*entry) != rule.route_origin);
    overrode.extend(overridden(control, entry));
    let route_whence = whence(control, rule.route_origin, "smtproutes");
    let route_text = route.map_or(Value::Nothing, |route| Value::Text(route.to_string()));
    let settings = vec![
        tls,
        switch("starttls_use", &rule.starttls_use),
        switch("starttls_require", &rule.starttls_require),
        Explained {
            whence: route_whence.clone(),
            overrode,
            ..by_default("route", "smtproutes", route_text)
        },
        Explained {
            whence: route_whence,
            ..by_default("implicit_tls", "smtproutes", Value::Flag(rule.policy.implicit))
        },
    ];
    Ok(Delivery {
        domain: domain.to_owned(),
        address: address.map(str::to_owned),
        settings,
        policy: rule.policy,
    })
}

/// The directives of this name that are about this mail and did not decide, the strongest first.
fn others(
    control: &Control,
    name: &str,
    (address, domain): (Option<&str>, &str),
    winner: Option<OriginId>,
) -> Vec<super::Overridden> {
    let matching = control.configuration().matching(address, domain);
    let origins = matching
        .all(name)
        .into_iter()
        .filter_map(|found| control.find_origin(&Origin::File(found.directive.span)));
    overridden(control, origins.filter(|origin| Some(*origin) != winner))
}
