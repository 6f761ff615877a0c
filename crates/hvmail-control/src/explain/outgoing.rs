//! What governs mail that leaves: every rule that is written, and the ones that count for one domain.

use smtp_tls::ClientPolicy;

use super::{Explained, Value, Whence, by_default, explained, overridden, seconds, whence};
use crate::Control;
use crate::conf::lookup::Found;
use crate::conf::tree::{Argument, Directive as Written};
use crate::outgoing::UnusableRule;
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
        let elsewhere: std::collections::HashSet<_> =
            lookup.elsewhere(name).map(|found| found.id).collect();
        directives.extend(lookup.occurrences(name).map(|found| {
            let counts = !elsewhere.contains(&found.id);
            (found.directive.span, directive(control, name, &found, counts))
        }));
    }
    directives.sort_by_key(|(span, _)| *span);
    let mut routes: Vec<_> = control.outgoing.entries().collect();
    // Origins are numbered as lines are met.
    routes.sort_by_key(|(.., origin)| origin.0);
    Outgoing {
        settings: vec![
            timeout("connect_timeout", &control.outgoing.timeout_connect),
            timeout("reply_timeout", &control.outgoing.timeout_remote),
        ],
        directives: directives.into_iter().map(|(_, directive)| directive).collect(),
        routes: routes
            .into_iter()
            .map(|(domain, route, origin)| Route {
                domain: domain.to_owned(),
                route: route.clone().map(|route| route.map(|route| route.to_string())),
                whence: whence(control, Some(origin), "smtproutes"),
            })
            .collect(),
        otherwise: delivery(control, "", None),
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
