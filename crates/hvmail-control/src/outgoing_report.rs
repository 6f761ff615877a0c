//! What there is to say about the rules for outgoing mail taken together: those that have no effect
//! because of others.
//!
//! Does: name each such rule, with the one that wins. Does not: read a rule, or decide. Fails: never.

use std::collections::HashSet;

use crate::conf::lookup::{Found, Lookup};
use crate::conf::pattern::split_wildcard;
use crate::conf::tree::Directive;
use crate::diagnostic::{Bounded, Diagnostic, Severity, quoted};
use crate::setting::Gather;

/// The most lookups that are made to find which requirement an exception is one from.
const MAX_LOOKUPS: usize = 100_000;

/// Says what there is to say. `named_addresses_count`: blocks of named IP addresses have their effect.
pub(crate) fn report(gather: &mut Gather<'_>, lookup: &Lookup, named_addresses_count: bool) {
    contradictions(gather, lookup);
    address_patterns(gather, lookup);
    if named_addresses_count {
        lost_requirements(gather, lookup);
    }
}

/// The directive that asks for the most.
pub(crate) const REQUIRES: &str = "starttls_require";

/// Where to write it.
pub(crate) const WHERE_IT_COUNTS: &str =
    "write starttls_require inside `general {}`, an `ip_address` block or a `domain` block";

/// Whether mail goes with less TLS than a directive asks for, where it is not in force: what it says is
/// anything but `no`.
pub(crate) fn asks(directive: &Directive) -> bool {
    !directive.boolean().is_ok_and(|said| !said.value)
}

/// What there is to say of a directive that no lookup finds. Of one in a block that names nothing, the block
/// was told already.
pub(crate) fn out_of_place(lookup: &Lookup, directive: &Directive) -> Vec<Diagnostic> {
    let name = &directive.name.value;
    let nothing = names_nothing(lookup, directive);
    let said = if name == REQUIRES && asks(directive) {
        let why = if nothing {
            "nothing has the name of its block"
        } else {
            "it stands in no block where it counts"
        };
        Diagnostic::error("requirement-not-in-force", format!("{name} is not in force: {why}"))
            .with_help(WHERE_IT_COUNTS)
    } else if nothing {
        return Vec::new();
    } else {
        let message = format!("{name} has no effect in this place: it is not honoured here");
        Diagnostic::warning("not-honoured", message)
            .with_help("it is honoured in general, ip_address and domain")
    };
    vec![said.at(directive.span)]
}

/// Whether a directive that no lookup finds stands where it would count, but for the names of its
/// block: that is said of the block.
fn names_nothing(lookup: &Lookup, directive: &Directive) -> bool {
    let parent = |of: &Directive| of.parent.and_then(|id| lookup.tree().get(id));
    let Some(block) = parent(directive) else { return false };
    let above = parent(block).map(|above| (above.name.value.as_str(), above.parent));
    match block.name.value.as_str() {
        "domain" => matches!(above, None | Some(("ip_address", None))),
        "ip_address" => above.is_none(),
        _ => false,
    }
}

/// The name of an IP address is exact, or `*` alone: one that looks like a pattern or a network
/// matches only an address that is called so.
fn address_patterns(gather: &mut Gather<'_>, lookup: &Lookup) {
    let mut said = Bounded::default();
    for (_, block) in lookup.tree().roots().filter(|(_, root)| root.name.value == "ip_address") {
        let names = block.arguments.iter().flat_map(|argument| argument.values());
        for name in
            names.filter(|name| name.text != "*" && name.text.contains(['*', '?', '[', '/']))
        {
            said.push(Severity::Warning, || {
                let message = format!(
                    "{} is taken as the name of one IP address, not as a pattern",
                    quoted(&name.text)
                );
                Diagnostic::warning("address-pattern", message)
                    .at(block.span)
                    .with_help("write the names one by one, or * for every address")
            });
        }
    }
    gather.say_all(said.finish(), None);
}

/// `starttls_use no` where `starttls_require yes` holds, written beside it or in a wider block:
/// requiring wins, and that is said.
fn contradictions(gather: &mut Gather<'_>, lookup: &Lookup) {
    let says =
        |found: &Found<'_>, value| found.directive.boolean().is_ok_and(|said| said.value == value);
    let without_effect: HashSet<_> =
        lookup.elsewhere("starttls_use").map(|found| found.id).collect();
    let takes_part = |found: &Found<'_>| !without_effect.contains(&found.id);
    for unused in
        lookup.occurrences("starttls_use").filter(|found| takes_part(found) && says(found, false))
    {
        let (addresses, domains) = governed(lookup, unused.directive);
        let required = addresses
            .iter()
            .flat_map(|address| domains.iter().map(move |domain| (*address, domain)))
            .filter_map(|(address, domain)| lookup.find("starttls_require", address, domain))
            .find(|require| says(require, true));
        if let Some(require) = required {
            gather.say(
                Diagnostic::warning(
                    "starttls-required-and-not-used",
                    "starttls_require yes implies starttls_use yes: this has no effect",
                )
                .at(unused.directive.span)
                .with_related(require.directive.span, "TLS is required here")
                .with_help("write starttls_require no as well to have mail leave in clear"),
            );
        }
    }
}

/// The IP addresses and, for each pattern, one domain that the blocks around a directive name.
fn governed<'l>(
    lookup: &'l Lookup,
    directive: &'l Directive,
) -> (Vec<Option<&'l str>>, Vec<String>) {
    let (mut addresses, mut domains) = (Vec::new(), Vec::new());
    let mut parent = directive.parent;
    while let Some(block) = parent.and_then(|id| lookup.tree().get(id)) {
        let names = block.arguments.iter().flat_map(|argument| argument.values());
        let names = names.map(|name| name.text.as_str());
        match block.name.value.as_str() {
            "ip_address" => addresses.extend(names.map(|name| Some(name).filter(|n| *n != "*"))),
            "domain" => domains.extend(names.map(|pattern| match split_wildcard(pattern) {
                ("*.", base) => format!("any.{base}"),
                (_, "*") => String::new(),
                (_, base) => base.to_owned(),
            })),
            _ => {}
        }
        parent = block.parent;
    }
    if addresses.is_empty() {
        addresses.push(None);
    }
    if domains.is_empty() {
        domains.push(String::new());
    }
    (addresses, domains)
}

/// `starttls_require no` for a named IP address that wins over `starttls_require yes` for a domain: the
/// address comes before the domain, which the one who wrote the domain's rule may not have meant.
fn lost_requirements(gather: &mut Gather<'_>, lookup: &Lookup) {
    const NAME: &str = "starttls_require";
    let without_effect: HashSet<_> = lookup.elsewhere(NAME).map(|found| found.id).collect();
    let (mut required, mut excepted) = (Vec::new(), Vec::new());
    for found in lookup.occurrences(NAME).filter(|found| !without_effect.contains(&found.id)) {
        let Ok(said) = found.directive.boolean() else { continue };
        let (addresses, domains) = governed(lookup, found.directive);
        let addresses: Vec<&str> = addresses.into_iter().flatten().collect();
        if said.value && addresses.is_empty() {
            required.extend(
                domains.into_iter().filter(|domain| !domain.is_empty()).map(|d| (d, found)),
            );
        } else if !said.value {
            excepted.extend(addresses.into_iter().map(|address| (address, found)));
        }
    }
    let (mut said, mut lookups) = (Bounded::default(), 0);
    let mut told = HashSet::new();
    for (address, exception) in excepted {
        let lost = required.iter().find(|(domain, _)| {
            lookups += 1;
            lookups < MAX_LOOKUPS
                && lookup
                    .find(NAME, Some(address), domain)
                    .is_some_and(|found| found.id == exception.id)
        });
        let Some((domain, requirement)) = lost else { continue };
        if !told.insert(exception.id) {
            continue;
        }
        said.push(Severity::Warning, || {
            let message = format!(
                "mail to {} that leaves by {} may be sent in clear: an IP address comes before a domain",
                quoted(domain),
                quoted(address)
            );
            Diagnostic::warning("starttls-requirement-lost", message)
                .at(exception.directive.span)
                .with_related(requirement.directive.span, "TLS is required here")
                .with_help("write the domain's block inside that of the address as well")
        });
    }
    gather.say_all(said.finish(), None);
}
