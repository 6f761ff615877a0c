//! The rules for mail that leaves: which TLS it needs, and where it goes.
//!
//! TLS is decided by `starttls_use` and `starttls_require` of `greenarrow.conf`, each looked up on
//! its own for the IP address and the recipient's domain. Requiring means encrypted, not verified, and implies
//! using. Without either there is no STARTTLS. A failed handshake is never followed by clear text: no
//! documented setting asks for that.
//!
//! Without `define_virtual_mtas_in_config_file yes` in `general`, GreenArrow gives blocks of named IP
//! addresses no effect. Ours, there: such a block counts where it asks for more TLS than the rules
//! without it, and never for less, nor for a route; a warning at the first of them says so.
//! `ip_address *` counts either way.
//!
//! The route is `smtp_route`, else the entry of `smtproutes` for the longest part of the domain,
//! else none: the domain's own hosts. A route to port 465 is TLS from the first byte.
//!
//! A rule that is written and cannot be understood is an error when the directory is loaded, and for
//! the domains that it governs: mail is then kept back, neither sent without the TLS that was asked for
//! nor to another host. A `starttls_require` that asks for TLS where it has no effect (outside these blocks,
//! in one whose name nothing has, or in other letters) is an error too: for whom it was meant is not known,
//! so that no mail is kept back for it. What GreenArrow makes of it is not documented.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::time::Duration;

use smtp_tls::ClientPolicy;
use thiserror::Error;

use crate::conf::lookup::{Found as FoundDirective, Lookup, Matching};
use crate::conf::tree::{Directive, DirectiveId};
use crate::diagnostic::{Bounded, Diagnostic, Severity, quoted};
use crate::limits::MAX_TIMEOUT;
use crate::outgoing_report;
use crate::read::{flag, list};
use crate::recipients::why_no_recipient;
use crate::setting::{Found, Gather, Setting};
use crate::snapshot::{Origin, OriginId};

/// A host to hand mail to, instead of the domain's own.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Route {
    /// A host name or an IP address.
    pub host: String,
    /// The port.
    pub port: u16,
}

/// `host:port`, with an IPv6 address in brackets.
impl fmt::Display for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port } = self;
        if host.contains(':') { write!(f, "[{host}]:{port}") } else { write!(f, "{host}:{port}") }
    }
}

/// What holds for mail to one domain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutgoingRule {
    /// The TLS that it needs. Its origin is the rule that decided.
    pub policy: ClientPolicy,
    /// Where it goes; `None`: to the domain's own hosts.
    pub route: Option<Route>,
    /// The rule that named the route.
    pub route_origin: Option<OriginId>,
    /// Whether STARTTLS is used where it is offered.
    pub starttls_use: Setting<bool>,
    /// Whether nothing may be sent in clear.
    pub starttls_require: Setting<bool>,
}

/// The rule for a domain cannot be understood. Mail for the domain is to be kept and tried later.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("the rule for this domain cannot be used: {reason}")]
pub struct UnusableRule {
    /// What is wrong with it.
    pub reason: String,
    /// Where it is written.
    pub origin: Option<OriginId>,
}

/// Everything that governs outgoing mail.
#[derive(Clone, Debug)]
pub struct Outgoing {
    /// How long a connection may take to be made (`timeoutconnect`); `None`: as the client thinks right.
    pub timeout_connect: Setting<Option<Duration>>,
    /// How long the other side may take for each step (`timeoutremote`); `None`: RFC 5321, section
    /// 4.5.3.2.
    pub timeout_remote: Setting<Option<Duration>>,
    switches: HashMap<DirectiveId, Written<bool>>,
    routes_of_blocks: HashMap<DirectiveId, Written<Route>>,
    routes: Routes,
    no_rule: OriginId,
    /// Whether blocks of named IP addresses count for everything, or only for more TLS.
    named_addresses_count: bool,
}

/// What a line says, or why it cannot be used; read when the directory is loaded, so that a lookup
/// reads nothing again.
#[derive(Clone, Debug)]
struct Written<T> {
    value: Result<T, String>,
    origin: OriginId,
}

impl<T> Written<T> {
    fn get(&self) -> Result<&T, UnusableRule> {
        self.value
            .as_ref()
            .map_err(|reason| UnusableRule { reason: reason.clone(), origin: Some(self.origin) })
    }
}

/// The entries of `smtproutes` by domain, each a route or none (`domain:`); or why nobody knows what
/// it routes.
type Routes = Result<HashMap<String, Written<Option<Route>>>, String>;

/// Reads the files, and checks every rule of `greenarrow.conf`, so that none fails unseen later.
pub(crate) fn read(gather: &mut Gather<'_>, lookup: &Lookup) -> Outgoing {
    let mut switches = HashMap::new();
    let mut routes_of_blocks = HashMap::new();
    for name in ["starttls_use", "starttls_require", "smtp_route"] {
        let without_effect: HashSet<_> = lookup.elsewhere(name).map(|found| found.id).collect();
        for found in lookup.occurrences(name) {
            let origin = gather.origins.id(Origin::File(found.directive.span));
            let written = if name == "smtp_route" {
                enter(&mut routes_of_blocks, &found, origin, directive_route(&found))
            } else {
                let said = found.directive.boolean().map(|said| said.value);
                let said = said.map_err(|error| Box::new(error.into()));
                enter(&mut switches, &found, origin, said)
            };
            if let Err(mut diagnostic) = written {
                if without_effect.contains(&found.id) {
                    diagnostic.severity = Severity::Warning;
                }
                gather.say(*diagnostic);
            }
        }
        for found in lookup.elsewhere(name) {
            gather.say_all(outgoing_report::out_of_place(lookup, found.directive), None);
        }
        gather.say_all(lookup.overridden(name), None);
    }
    let named_addresses_count = named_addresses_count(gather, lookup);
    outgoing_report::report(gather, lookup, named_addresses_count);
    Outgoing {
        timeout_connect: timeout(gather, "timeoutconnect"),
        timeout_remote: timeout(gather, "timeoutremote"),
        switches,
        routes_of_blocks,
        routes: routes(gather),
        no_rule: gather.origins.id(Origin::Default("starttls_use")),
        named_addresses_count,
    }
}

/// Keeps what a directive says; where that cannot be understood, it is to be said as well.
fn enter<T>(
    entered: &mut HashMap<DirectiveId, Written<T>>,
    found: &FoundDirective<'_>,
    origin: OriginId,
    said: Result<T, Box<Diagnostic>>,
) -> Result<(), Box<Diagnostic>> {
    let (value, outcome) = match said {
        Ok(value) => (Ok(value), Ok(())),
        Err(diagnostic) => (Err(diagnostic.message.clone()), Err(diagnostic)),
    };
    entered.insert(found.id, Written { value, origin });
    outcome
}

/// Whether `define_virtual_mtas_in_config_file` is on; where it is not, the first block that is
/// without effect for it is told.
fn named_addresses_count(gather: &mut Gather<'_>, lookup: &Lookup) -> bool {
    const SWITCH: &str = "define_virtual_mtas_in_config_file";
    match lookup.general(SWITCH).map(|found| found.directive.boolean()) {
        Some(Ok(said)) if said.value => return true,
        Some(Err(error)) => gather.say(error.into()),
        _ => {}
    }
    let named = |directive: &Directive| {
        let mut names = directive.arguments.iter().flat_map(|argument| argument.values());
        directive.name.value == "ip_address" && names.any(|name| name.text != "*")
    };
    let first = lookup.tree().roots().find(|(_, directive)| named(directive));
    if let Some((_, block)) = first {
        let message = format!(
            "{SWITCH} is not yes, so GreenArrow gives blocks of named IP addresses no effect; here \
             they count where they ask for more TLS, and nowhere else"
        );
        gather.say(
            Diagnostic::warning("named-addresses-off", message)
                .at(block.span)
                .with_help(format!("write {SWITCH} yes in general to have them count")),
        );
    }
    false
}

/// The seconds in a one-value file.
pub(crate) fn timeout(gather: &mut Gather<'_>, name: &'static str) -> Setting<Option<Duration>> {
    gather.one_value(
        name,
        None,
        |bytes, file| {
            flag::text(bytes, file).and_then("not-a-number", |text| {
                flag::parse_number(&text, 1..=MAX_TIMEOUT.as_secs())
                    .map(|seconds| Some(Duration::from_secs(seconds)))
            })
        },
        None,
    )
}

impl Outgoing {
    /// What holds for mail to `domain` that leaves by the IP address called `address`.
    pub(crate) fn rule(
        &self,
        lookup: &Lookup,
        domain: &str,
        address: Option<&str>,
    ) -> Result<OutgoingRule, UnusableRule> {
        let matching = lookup.matching(address, domain);
        let said = |found: Option<FoundDirective<'_>>| {
            let Some(written) = found.and_then(|found| self.switches.get(&found.id)) else {
                return Ok(Setting { value: false, origin: self.no_rule, replaced: Vec::new() });
            };
            let (value, origin) = (*written.get()?, written.origin);
            Ok(Setting { value, origin, replaced: Vec::new() })
        };
        let switch = |name| -> Result<Setting<bool>, UnusableRule> {
            let named = said(matching.find(name))?;
            if self.named_addresses_count || named.value {
                return Ok(named);
            }
            said(matching.find_for_any_address(name))
        };
        let starttls_use = switch("starttls_use")?;
        let starttls_require = switch("starttls_require")?;
        let (route, route_origin) = self.route(&matching, domain)?;
        let (policy, decided_by) = match (starttls_require.value, starttls_use.value) {
            (true, _) => (ClientPolicy::required(), starttls_require.origin),
            (false, true) => (ClientPolicy::opportunistic(), starttls_use.origin),
            (false, false) => (ClientPolicy::plaintext(), starttls_use.origin),
        };
        let implicit = route.as_ref().is_some_and(|route| route.port == IMPLICIT_TLS_PORT);
        let policy = if implicit { policy.with_implicit_tls() } else { policy };
        Ok(OutgoingRule {
            policy: ClientPolicy { origin: Some(decided_by), ..policy },
            route,
            route_origin,
            starttls_use,
            starttls_require,
        })
    }

    fn route(
        &self,
        matching: &Matching<'_>,
        domain: &str,
    ) -> Result<(Option<Route>, Option<OriginId>), UnusableRule> {
        let found = if self.named_addresses_count {
            matching.find("smtp_route")
        } else {
            matching.find_for_any_address("smtp_route")
        };
        if let Some(written) = found.and_then(|found| self.routes_of_blocks.get(&found.id)) {
            return Ok((Some(written.get()?.clone()), Some(written.origin)));
        }
        let routes = self
            .routes
            .as_ref()
            .map_err(|reason| UnusableRule { reason: reason.clone(), origin: None })?;
        match entry_for(routes, domain) {
            None => Ok((None, None)),
            Some(written) => Ok((written.get()?.clone(), Some(written.origin))),
        }
    }

    /// The entries of `smtproutes`, in no order, and where each is written; none where it cannot be read.
    pub(crate) fn entries(
        &self,
    ) -> impl Iterator<Item = (&str, &Result<Option<Route>, String>, OriginId)> {
        let routes = self.routes.iter().flatten();
        routes.map(|(domain, entry)| (domain.as_str(), &entry.value, entry.origin))
    }

    /// Where the entry of `smtproutes` for `domain` is written.
    pub(crate) fn entry(&self, domain: &str) -> Option<OriginId> {
        entry_for(self.routes.as_ref().ok()?, domain).map(|entry| entry.origin)
    }
}

/// The entry for the longest part of the domain.
fn entry_for<'r, T>(
    routes: &'r HashMap<String, Written<T>>,
    domain: &str,
) -> Option<&'r Written<T>> {
    if routes.is_empty() {
        return None;
    }
    // Entries are in ASCII. What has no A-labels may still have a way out for every domain.
    let domain = match domain.is_ascii() {
        true => domain.to_ascii_lowercase(),
        false => idna::domain_to_ascii(domain).unwrap_or_else(|_| domain.to_lowercase()),
    };
    let suffixes = domain.match_indices('.').map(|(dot, _)| &domain[dot..]);
    let candidates = std::iter::once(domain.as_str()).chain(suffixes).chain([""]);
    candidates.filter_map(|key| routes.get(key)).next()
}

/// The port on which TLS starts with the first byte (RFC 8314, section 3.3).
pub(crate) const IMPLICIT_TLS_PORT: u16 = 465;
/// The port of a route that names none.
const SMTP_PORT: u16 = 25;

fn directive_route(found: &FoundDirective<'_>) -> Result<Route, Box<Diagnostic>> {
    let text = found.directive.text().map_err(|error| Box::new(error.into()))?;
    parse_route(text.value).map_err(|message| {
        Box::new(
            Diagnostic::error("not-a-route", message)
                .at(text.span)
                .with_help("write smtp_route HOST:PORT"),
        )
    })
}

/// `host`, `host:port`, `[address]:port`.
fn parse_route(text: &str) -> Result<Route, String> {
    let (host, port) = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, "")) => (host, None),
        Some((host, rest)) => (host, rest.strip_prefix(':').or(Some(rest))),
        None => match text.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        },
    };
    let host_character = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':');
    if host.is_empty() || !host.chars().all(host_character) {
        return Err(format!("{} is no host to route mail to", quoted(text)));
    }
    let port = match port {
        None => SMTP_PORT,
        Some(port) => flag::parse_number(port, 1..=65535)
            .map(|port| u16::try_from(port).unwrap_or(SMTP_PORT))
            .map_err(|message| format!("the port of {}: {message}", quoted(text)))?,
    };
    Ok(Route { host: host.to_ascii_lowercase(), port })
}

/// `smtproutes`. Of several entries for one domain the last counts.
fn routes(gather: &mut Gather<'_>) -> Routes {
    let mut routes: HashMap<String, Written<Option<Route>>> = HashMap::new();
    let file = match gather.find("smtproutes", None) {
        Found::File(file) => file,
        Found::Absent => return Ok(routes),
        Found::Unreadable => {
            let path = gather.loader.resolve("smtproutes");
            return Err(format!("{} cannot be read", path.display()));
        }
    };
    let (entries, diagnostics) =
        gather.parse(file, |bytes, file| list::entries(bytes, file, Severity::Error));
    let lost = !diagnostics.is_empty();
    gather.say_all(diagnostics, None);
    if lost {
        // Without a line its domain's mail would go to the domain's own hosts instead.
        return Err("a part of smtproutes is not read: which domains it routes is not known".into());
    }
    let mut said = Bounded::default();
    for entry in entries {
        let Some((domain, target)) = entry.value.split_once(':') else {
            said.push(Severity::Error, || {
                Diagnostic::error("not-a-route", "this line has no colon, so it routes nothing")
                    .at(entry.span)
                    .with_help("write domain:host:port")
            });
            continue;
        };
        let route = if target.is_empty() { Ok(None) } else { parse_route(target).map(Some) };
        if let Err(message) = &route {
            said.push(Severity::Error, || {
                Diagnostic::error("not-a-route", message.clone()).at(entry.span)
            });
        }
        let name = domain.strip_suffix('.').unwrap_or(domain);
        if let Some(help) = why_no_recipient(name).filter(|_| !name.is_empty()) {
            said.push(Severity::Warning, || {
                let message = format!(
                    "no recipient has the domain {}, so mail takes another route",
                    quoted(domain)
                );
                Diagnostic::warning("entry-without-effect", message).at(entry.span).with_help(help)
            });
        }
        let name = name.to_ascii_lowercase();
        let origin = gather.origins.id(Origin::File(entry.span));
        let before = routes.insert(name, Written { value: route, origin });
        let before = before.and_then(|before| gather.origins.get(before.origin));
        if let Some(Origin::File(before)) = before {
            said.push(Severity::Warning, || {
                Diagnostic::warning("replaced", "a later entry for the same domain replaces this")
                    .at(*before)
                    .with_related(entry.span, "the one in force")
            });
        }
    }
    gather.say_all(said.finish(), None);
    Ok(routes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn routes_are_host_and_port() {
        for (text, host, port) in [
            ("relay.example", "relay.example", 25),
            ("Relay.example:465", "relay.example", 465),
            ("192.0.2.1:2525", "192.0.2.1", 2525),
            ("[2001:db8::1]:587", "2001:db8::1", 587),
            ("[192.0.2.1]", "192.0.2.1", 25),
        ] {
            assert_eq!(parse_route(text), Ok(Route { host: host.into(), port }), "{text}");
        }
        for text in ["", ":25", "h:", "h:0", "h:65536", "h:x", "h:25:1", "a b:25", "[h]x", "[]:25"]
        {
            assert!(parse_route(text).is_err(), "{text}");
        }
    }
}
