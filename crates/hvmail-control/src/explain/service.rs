//! What each SMTP service does, and what its access rules change for some of its clients.

use smtp_tls::{CertificateDescription, Resumption, ServerPolicy};

use super::{Explained, Value, Whence, by_default, explained, overridden, whence};
use crate::cipher_strings::{self, UNKNOWN};
use crate::diagnostic::{Diagnostic, Place, Severity, printable};
use crate::read::tcprules;
use crate::snapshot::{Location, Origin};
use crate::{Control, ServiceTls, TlsMode};

/// Whether a service runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// It is to be started.
    Runs,
    /// No file asks for it.
    Off,
    /// It is asked for, and an error names it.
    Broken,
}

/// One SMTP service.
#[derive(Clone, Debug)]
pub struct Service {
    /// `smtp`, `smtp2` or `smtp3`.
    pub name: &'static str,
    /// Whether it runs.
    pub state: State,
    /// What is in force for it.
    pub settings: Vec<Explained>,
    /// What it offers to clients that no rule gives anything else; nothing where that is [`unusable`](Self::unusable).
    pub tls: ServiceTls,
    /// Why it offers nobody any TLS, though it is asked to: what is written of that cannot be read.
    pub unusable: Option<Unusable>,
    /// Its access rules, in the order of the file. The most specific one counts, not the first.
    pub rules: Vec<Rule>,
}

/// Why nobody knows what a service may offer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unusable {
    /// What it is asked to do about TLS.
    pub mode: TlsMode,
    /// What is wrong, in one line.
    pub reason: String,
    /// Where: `path:line:column`, or a path where it is about a file as a whole.
    pub place: String,
    /// The file.
    whence: Whence,
}

/// An access rule: what holds for the clients at some addresses.
#[derive(Clone, Debug)]
pub struct Rule {
    /// The addresses, as written; empty for every one.
    pub address: String,
    /// Whether they may connect.
    pub allow: bool,
    /// Where it is written.
    pub whence: Whence,
    /// RELAYCLIENT, where the rule has it and allows: mail for any domain is taken.
    pub relay: Option<Explained>,
    /// TLSCIPHERS, where the rule has it and allows: it overrides the service's.
    pub ciphers: Option<Explained>,
    /// Whether a session can be under it: it allows, and some client is under it.
    pub used: bool,
    /// What is offered instead, where the rule has TLSCIPHERS and is used, and the service offers something.
    pub tls: Option<ServiceTls>,
    /// The names of its variables that have no effect: of one that denies, all of them.
    pub without_effect: Vec<String>,
}

/// Every service, whether it runs or not.
#[must_use]
pub fn services(control: &Control) -> Vec<Service> {
    control.services.iter().map(|service| of(control, service)).collect()
}

fn of(control: &Control, service: &crate::Service) -> Service {
    let address = |address: &Option<std::net::IpAddr>| match address {
        Some(address) => Value::Text(address.to_string()),
        None => Value::Text("*".to_owned()),
    };
    let unusable = unusable(control, service);
    let number = |number: usize| Value::Number(u64::try_from(number).unwrap_or(u64::MAX));
    let mut settings = vec![
        explained(control, "enabled", &service.enabled, |on| Value::Flag(*on)),
        explained(control, "address", &service.address, address),
        explained(control, "port", &service.port, |port| Value::Number((*port).into())),
        explained(control, "concurrency", &service.concurrency, |count| number(*count)),
        explained(control, "smtp_auth", &service.smtp_auth, |on| Value::Flag(*on)),
        access_rules(control, service),
        explained(control, "tls_mode", &service.tls_mode, |mode| {
            Value::Text(word(*mode).to_owned())
        }),
        match &unusable {
            Some(unusable) => Explained {
                whence: unusable.whence.clone(),
                ..by_default("ciphers", cipher_strings::FILE, Value::Unknown)
            },
            None => explained(control, "ciphers", &service.tls_ciphers, ciphers),
        },
    ];
    match service.tls.policy() {
        None => {
            settings.push(by_default("certificate", "tls_certificate_files", Value::Nothing));
        }
        Some(policy) => settings.extend(of_policy(control, policy)),
    }
    let certificate = settings.iter_mut().find(|explained| explained.setting == "certificate");
    if let Some(certificate) = certificate {
        let replaced = control.certificate_replaced.iter().rev().copied();
        certificate.overrode = overridden(control, replaced);
    }
    Service {
        name: service.name,
        state: match (service.enabled.value, service.broken) {
            (false, _) => State::Off,
            (true, true) => State::Broken,
            (true, false) => State::Runs,
        },
        settings,
        tls: if unusable.is_some() { ServiceTls::None } else { service.tls.clone() },
        rules: of_rules(control, service, unusable.is_some()),
        unusable,
    }
}

/// What keeps a service from knowing its cipher string, and where that shows.
fn unusable(control: &Control, service: &crate::Service) -> Option<Unusable> {
    let known = &control.diagnostics;
    let of_service = known.iter().find(|it| it.code == UNKNOWN && it.concerns(service.name))?;
    let Place::File(path) = &of_service.place else { return None };
    let is_cause = |cause: &&Diagnostic| {
        cause.severity == Severity::Error
            && cause.code != UNKNOWN
            && match &cause.place {
                Place::Span(span) => control.snapshot.path(span.file) == path,
                place => *place == of_service.place,
            }
    };
    let cause = known.iter().find(is_cause).unwrap_or(of_service);
    let location = cause.location(&control.snapshot);
    let whole = || Location { path: path.clone(), line: 1, column: 1 };
    Some(Unusable {
        mode: service.tls_mode.value,
        reason: format!("nobody knows which ciphers it may use: {}", cause.message),
        place: location.as_ref().map_or_else(|| printable(path), ToString::to_string),
        whence: Whence::File(location.unwrap_or_else(whole)),
    })
}

/// The word for what a service is asked to do about TLS.
const fn word(mode: TlsMode) -> &'static str {
    match mode {
        TlsMode::None => "none",
        TlsMode::StartTls => "starttls",
        TlsMode::Implicit => "smtps",
    }
}

fn ciphers(string: &Option<String>) -> Value {
    Value::Text(string.clone().unwrap_or_else(|| "DEFAULT".to_owned()))
}

fn access_rules(control: &Control, service: &crate::Service) -> Explained {
    let rules = service.rules().all();
    let count = u64::try_from(rules.len()).unwrap_or(u64::MAX);
    let of_count = by_default("access_rules", service.rules_file, Value::Number(count));
    match rules.first() {
        Some(first) => Explained {
            whence: Whence::File(control.snapshot.location_at(first.span.file, 0)),
            ..of_count
        },
        None => of_count,
    }
}

/// What a TLS policy says beside the cipher string.
fn of_policy(control: &Control, policy: &ServerPolicy) -> Vec<Explained> {
    let mut settings = Vec::new();
    let mut push = |setting, value, whence| {
        settings.push(Explained { whence, ..by_default(setting, setting, value) });
    };
    let from = |origin, file| whence(control, origin, file);
    let leaf = policy.identity.leaf().describe();
    let leaf = leaf.map_or_else(|error| Value::Text(error.to_string()), |leaf| certificate(&leaf));
    push("certificate", leaf, from(policy.identity.origin(), "tls_certificate_files"));
    let (lowest, highest) = policy.versions;
    let mut versions = vec![lowest.to_string(), highest.to_string()];
    versions.dedup();
    push("tls_versions", Value::Texts(versions), Whence::Fixed);
    for group in &policy.dh {
        push(
            "dh_group",
            Value::Text(format!("{} bits", group.bits())),
            from(group.origin(), "tls.dh2048.pem"),
        );
    }
    if policy.dh.is_empty() {
        push("dh_group", Value::Text("RFC 7919".to_owned()), from(None, "tls.dh2048.pem"));
    }
    let resumption = match policy.resumption {
        Resumption::Off => "off",
        Resumption::Local => "local",
        Resumption::Shared(_) => "shared",
    };
    push("session_resumption", Value::Text(resumption.to_owned()), Whence::Fixed);
    let clients = policy.clients.as_ref();
    let addresses = clients.map_or(Value::Nothing, |clients| {
        Value::Texts(clients.addresses.iter().cloned().collect())
    });
    let asked_by = from(clients.and_then(|clients| clients.origin), "tls.tlsclients");
    push("client_certificates", addresses, asked_by);
    if let (Some(_), Some(last)) = (clients, settings.last_mut()) {
        last.vendor_unsupported = true;
    }
    settings
}

/// The names in a certificate, or its subject where it has none.
fn certificate(leaf: &CertificateDescription) -> Value {
    if leaf.names.is_empty() {
        return Value::Text(leaf.subject.clone());
    }
    Value::Texts(leaf.names.clone())
}

fn of_rules(control: &Control, service: &crate::Service, offers_nothing: bool) -> Vec<Rule> {
    let mut own = control.tls_by_rule(service).peekable();
    let rules = service.rules().by_use();
    rules
        .map(|(rule, used)| {
            let tls = own.next_if(|own| own.rule.span == rule.span).map(|own| own.tls);
            let tls = tls.filter(|_| !offers_nothing);
            Rule { used, tls, ..of_rule(control, service, rule) }
        })
        .collect()
}

fn of_rule(control: &Control, service: &crate::Service, rule: &tcprules::Rule) -> Rule {
    let place = |span| Whence::File(control.snapshot.location(span));
    let own = (rule.allow && cipher_strings::has_own(rule))
        .then(|| cipher_strings::under_rule(service, &control.origins, Some(rule)));
    let ciphers = own.map(|own| explained(control, "ciphers", &own, ciphers));
    let replaced = |name| {
        let written: Vec<_> = rule.replaced(name).map(|value| Origin::File(value.span)).collect();
        written.into_iter().rev().filter_map(|origin| control.find_origin(&origin))
    };
    let relay = rule.variable("RELAYCLIENT").filter(|_| rule.allow).map(|value| Explained {
        whence: place(value.span),
        overrode: overridden(control, replaced("RELAYCLIENT")),
        ..by_default("relay", "RELAYCLIENT", Value::Text(value.value.clone()))
    });
    let has_effect = |name: &str| rule.allow && ["RELAYCLIENT", "TLSCIPHERS"].contains(&name);
    let without_effect = rule.names().filter(|name| !has_effect(name));
    Rule {
        address: rule.address.value.clone(),
        allow: rule.allow,
        whence: place(rule.span),
        relay,
        used: false,
        tls: None,
        ciphers,
        without_effect: without_effect.map(str::to_owned).collect(),
    }
}
