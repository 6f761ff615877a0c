//! The three SMTP services: where each listens, how many clients it takes, and which TLS it is asked for.
//!
//! Service `smtp` is described by the `smtp.*` files, `smtp2` and `smtp3` by a file of assignments each.
//! Precedence is the default, then the file, and each value keeps its origin; the process environment
//! gives no more than TLSCIPHERS, for which see [`policy`](crate::policy). What is *offered* under TLS depends on the certificate and is decided in
//! [`policy`](crate::policy).
//!
//! A value that cannot be used breaks its service and no other: the service keeps an error that
//! names it, and [`Service::runs`] is false.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use smtp_tls::ServerPolicy;

use crate::access::{self, AccessFiles};
use crate::diagnostic::{Diagnostic, Severity, quoted, shown};
use crate::limits::MAX_CONCURRENCY;
use crate::read::assignments::{self, Assignments, Lookup};
use crate::read::flag::{self, Reading};
use crate::read::tcprules::Rules;
use crate::setting::{Found, Gather, Setting};
use crate::snapshot::{FileId, Origin, Spanned};

/// What a service is asked to do about TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TlsMode {
    /// No TLS.
    None,
    /// STARTTLS is offered (RFC 3207).
    StartTls,
    /// TLS from the first byte (RFC 8314, section 3.3), called SMTPS.
    Implicit,
}

/// What a service offers: what it is asked for, as far as there is a certificate for it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ServiceTls {
    /// No TLS.
    None,
    /// STARTTLS under this policy.
    StartTls(ServerPolicy),
    /// TLS from the first byte under this policy.
    Implicit(ServerPolicy),
}

impl ServiceTls {
    /// The policy, where there is TLS.
    #[must_use]
    pub const fn policy(&self) -> Option<&ServerPolicy> {
        match self {
            Self::None => None,
            Self::StartTls(policy) | Self::Implicit(policy) => Some(policy),
        }
    }

    /// The same, to change it.
    pub(crate) const fn policy_mut(&mut self) -> Option<&mut ServerPolicy> {
        match self {
            Self::None => None,
            Self::StartTls(policy) | Self::Implicit(policy) => Some(policy),
        }
    }
}

/// One SMTP service.
#[derive(Clone, Debug)]
pub struct Service {
    /// `smtp`, `smtp2` or `smtp3`.
    pub name: &'static str,
    /// Whether the files ask for it.
    pub enabled: Setting<bool>,
    /// Whether an error names it. Such a service must not start.
    pub broken: bool,
    /// The address it listens on; `None`: every IPv4 and IPv6 address of the host.
    pub address: Setting<Option<IpAddr>>,
    /// The port it listens on; 0 only where the service is off.
    pub port: Setting<u16>,
    /// How many connections it serves at once.
    pub concurrency: Setting<usize>,
    /// What it is asked to do about TLS.
    pub tls_mode: Setting<TlsMode>,
    /// What it offers.
    pub tls: ServiceTls,
    /// Its cipher string before any rule for a client: `None` is the backend's default.
    pub tls_ciphers: Setting<Option<String>>,
    /// Whether SMTP AUTH is asked for. It is not offered yet.
    pub smtp_auth: Setting<bool>,
    pub(crate) rules: Arc<Rules>,
    /// TLSCIPHERS as the file of the service exports it.
    pub(crate) exported_ciphers: Option<Setting<String>>,
}

impl Service {
    /// Whether the service is to be started: asked for, and not broken.
    #[must_use]
    pub const fn runs(&self) -> bool {
        self.enabled.value && !self.broken
    }

    /// The addresses to listen on. The IPv6 one of a service on every address is for IPv6 alone.
    #[must_use]
    pub fn listen(&self) -> Vec<SocketAddr> {
        let port = self.port.value;
        match self.address.value {
            Some(address) => vec![SocketAddr::new(address, port)],
            None => vec![
                SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), port),
                SocketAddr::new(Ipv6Addr::UNSPECIFIED.into(), port),
            ],
        }
    }

    /// Its access rules, as written.
    #[must_use]
    pub fn rules(&self) -> &Rules {
        &self.rules
    }
}

/// Reads the three services. `tls` and `broken` are still to be filled in.
pub(crate) fn services(gather: &mut Gather<'_>) -> Vec<Service> {
    let mut access = AccessFiles::default();
    let first = first_service(gather, &mut access);
    let second = assigned_service(gather, &mut access, &SMTP2);
    let third = assigned_service(gather, &mut access, &SMTP3);
    vec![first, second, third]
}

/// Gives every later one of two services that want the same address and port an error.
pub(crate) fn report_conflicts(services: &[Service], gather: &mut Gather<'_>) {
    let mut taken: Vec<&Service> = Vec::new();
    for service in services.iter().filter(|service| service.runs()) {
        let overlaps = |other: &&&Service| {
            other.port.value == service.port.value
                && match (other.address.value, service.address.value) {
                    (Some(one), Some(two)) if one.is_ipv4() == two.is_ipv4() => {
                        one == two || one.is_unspecified() || two.is_unspecified()
                    }
                    (Some(_), Some(_)) => false,
                    _ => true,
                }
        };
        let Some(other) = taken.iter().find(overlaps) else {
            taken.push(service);
            continue;
        };
        let port = service.port.value;
        let message = format!("{} listens on port {port} of the same address", other.name);
        let diagnostic = Diagnostic::error("address-in-use", message).for_service(service.name);
        let span_of = |origin| match gather.origins.get(origin) {
            Some(Origin::File(span)) => Some(*span),
            _ => None,
        };
        let diagnostic = match span_of(service.port.origin) {
            Some(span) => diagnostic.at(span),
            None => diagnostic.in_file(gather.loader.resolve(service.name)),
        };
        let diagnostic = match span_of(other.port.origin) {
            Some(span) => diagnostic.with_related(span, format!("the port of {}", other.name)),
            None => diagnostic,
        };
        gather.say(diagnostic);
    }
}

fn first_service(gather: &mut Gather<'_>, access: &mut AccessFiles) -> Service {
    let name = "smtp";
    let service = Some(name);
    let port = gather
        .one_value("smtp.port", service, |bytes, file| flag::number(bytes, file, 0..=65535), 25)
        .map(|port| u16::try_from(port).unwrap_or_default());
    let enabled = port.clone().map(|port| port != 0);
    let address = gather.one_value("smtp.ipaddr", service, address, None);
    let concurrency =
        gather.one_value("smtp.concurrency", service, concurrency, DEFAULT_CONCURRENCY);
    let tls_mode =
        gather.one_value("smtp.starttls", service, flag::switch, true).map(starttls_mode);
    let smtp_auth = gather.one_value("smtp.auth", service, flag::switch, false);
    if matches!(gather.loader.read("smtp.auth"), Ok(None)) {
        gather.say(
            Diagnostic::note(
                "auth-not-offered",
                "this file is absent, and SMTP AUTH is documented to be on by default: it is not \
                 offered",
            )
            .in_file(gather.loader.resolve("smtp.auth"))
            .for_service(name),
        );
    }
    if smtp_auth.value {
        say_no_auth(gather, name, enabled.value, &smtp_auth);
    }
    let rules = if enabled.value { access.get(gather, "smtp.tcp", name) } else { Arc::default() };
    Service {
        name,
        enabled,
        broken: false,
        address,
        port,
        concurrency,
        tls_mode,
        tls: ServiceTls::None,
        tls_ciphers: gather.default(None, "TLSCIPHERS"),
        smtp_auth,
        rules,
        exported_ciphers: None,
    }
}

const DEFAULT_CONCURRENCY: usize = 100;

/// What the documentation says of a service that has a file of its own.
struct Documented {
    name: &'static str,
    enabled: bool,
    port: u16,
    own_rules: &'static str,
}

const SMTP2: Documented =
    Documented { name: "smtp2", enabled: true, port: 587, own_rules: "smtp2.tcp" };
const SMTP3: Documented =
    Documented { name: "smtp3", enabled: false, port: 901, own_rules: "smtp3.tcp" };

const HONOURED: [&str; 9] = [
    "ENABLED",
    "IPADDR",
    "PORT",
    "CONCURRENCY",
    "TCPRULES_INHERIT",
    "GREENARROW_STARTTLS",
    "SMTP_AUTH",
    "SMTPS",
    "TLSCIPHERS",
];

/// The variables of one service while they are read.
struct Variables<'g, 's> {
    gather: &'g mut Gather<'s>,
    service: &'static str,
    assignments: Assignments,
    /// The service is known to be off, so nothing is broken by what cannot be used.
    off: bool,
}

fn assigned_service(
    gather: &mut Gather<'_>,
    access: &mut AccessFiles,
    documented: &Documented,
) -> Service {
    let name = documented.name;
    let (assignments, readable) = match gather.find(name, Some(name)) {
        Found::File(file) => {
            let (assignments, diagnostics) = gather.parse(file, assignments::parse);
            gather.say_all(diagnostics, Some(name));
            (assignments, Some(file))
        }
        Found::Absent => {
            let path = gather.loader.resolve(name);
            let Documented { enabled, port, .. } = documented;
            let (severity, message) = if *enabled {
                let usual = format!("by default it is documented to run, on port {port}");
                (Severity::Warning, format!("this file is absent, so {name} is off here; {usual}"))
            } else {
                (Severity::Note, format!("this file is absent: {name} is off"))
            };
            gather.say(
                Diagnostic::new(severity, "service-off", message).in_file(path).for_service(name),
            );
            (Assignments::default(), None)
        }
        Found::Unreadable => (Assignments::default(), None),
    };
    let mut read = Variables { gather, service: name, assignments, off: false };
    let enabled = read.enabled(documented, readable);
    let asked_for = read.assignments.get("ENABLED");
    read.off = !enabled.value && readable.is_some() && !matches!(asked_for, Lookup::Unusable(_));
    let address = read.value("IPADDR", None, parse_address);
    let port = read.value("PORT", documented.port, |text| {
        flag::parse_number(text, 1..=65535).map(|port| u16::try_from(port).unwrap_or_default())
    });
    let concurrency = read.value("CONCURRENCY", DEFAULT_CONCURRENCY, parse_concurrency);
    let inherit = read.value("TCPRULES_INHERIT", true, flag::parse_switch);
    let tls_mode = read.tls_mode(&port);
    let smtp_auth = read.value("SMTP_AUTH", false, flag::parse_switch);
    let exported_ciphers = read.exported_ciphers();
    read.report_others(enabled.value);
    if smtp_auth.value {
        say_no_auth(gather, name, enabled.value, &smtp_auth);
    }
    let rules = match (enabled.value, inherit.value) {
        (false, _) => Arc::default(),
        (true, true) => {
            access::report_unused(gather, documented.own_rules, name);
            access.get(gather, "smtp.tcp", name)
        }
        (true, false) => access.get(gather, documented.own_rules, name),
    };
    Service {
        name,
        enabled,
        broken: false,
        address,
        port,
        concurrency,
        tls_mode,
        tls: ServiceTls::None,
        tls_ciphers: gather.default(None, "TLSCIPHERS"),
        smtp_auth,
        rules,
        exported_ciphers,
    }
}

impl Variables<'_, '_> {
    /// The value in force of a variable: the default, or what the file assigns last. One that
    /// cannot be used breaks the service.
    fn value<T>(
        &mut self,
        name: &'static str,
        default: T,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Setting<T> {
        let mut setting = self.gather.default(default, name);
        if let Some(written) = self.written(name) {
            match parse(&written.value) {
                Ok(value) => {
                    for id in written.replaced {
                        setting.replaced.push(id);
                    }
                    let before = std::mem::replace(&mut setting.origin, written.origin);
                    setting.replaced.insert(0, before);
                    setting.value = value;
                }
                Err(message) => self.error("unusable-value", format!("{name}: {message}"), name),
            }
        }
        setting
    }

    /// What the file assigns to a variable; one that cannot be known is an error, and nothing.
    fn written(&mut self, name: &str) -> Option<Setting<String>> {
        match self.assignments.get(name) {
            Lookup::Unset => None,
            Lookup::Set { value, replaced } => {
                let origins = &mut self.gather.origins;
                let replaced =
                    replaced.iter().map(|span| origins.id(Origin::File(*span))).collect();
                let origin = origins.id(Origin::File(value.span));
                Some(Setting { value: value.value.clone(), origin, replaced })
            }
            Lookup::Unusable(_) => {
                let message = format!("the value of {name} cannot be known without running this");
                self.error("unusable-value", message, name);
                None
            }
        }
    }

    fn error(&mut self, code: &'static str, message: String, variable: &str) {
        let severity = if self.off { Severity::Warning } else { Severity::Error };
        let diagnostic = Diagnostic::new(severity, code, message).for_service(self.service);
        self.say_at(diagnostic, variable);
    }

    /// Says something at the place where a variable is assigned, or else exported.
    fn say_at(&mut self, diagnostic: Diagnostic, variable: &str) {
        let span = match self.assignments.get(variable) {
            Lookup::Set { value, .. } => Some(value.span),
            Lookup::Unusable(span) => Some(span),
            Lookup::Unset => self.assignments.exported(variable),
        };
        self.gather.say(match span {
            Some(span) => diagnostic.at(span),
            None => diagnostic.in_file(self.gather.loader.resolve(self.service)),
        });
    }

    fn warning(&mut self, code: &'static str, message: String, variable: &str, help: &str) {
        let diagnostic =
            Diagnostic::warning(code, message).for_service(self.service).with_help(help);
        self.say_at(diagnostic, variable);
    }

    /// Whether the service is asked for. A file that is absent or says nothing at all turns it off:
    /// the documented default is that of a file with other settings in it.
    fn enabled(&mut self, documented: &Documented, file: Option<FileId>) -> Setting<bool> {
        let says_something = self.assignments.names().next().is_some();
        if let (Some(file), false) = (file, says_something) {
            let path = self.gather.loader.snapshot().path(file).to_path_buf();
            let message = format!("this file assigns nothing: {} is off", self.service);
            self.gather.say(
                Diagnostic::warning("empty-file", message).in_file(path).for_service(self.service),
            );
        }
        let default = documented.enabled && says_something;
        self.value("ENABLED", default, flag::parse_switch)
    }

    /// SMTPS needs the exported variable; the port alone decides nothing.
    fn tls_mode(&mut self, port: &Setting<u16>) -> Setting<TlsMode> {
        let starttls = self.value("GREENARROW_STARTTLS", true, flag::parse_switch);
        let mut mode = starttls.map(starttls_mode);
        let exported = self.assignments.exported("SMTPS").is_some();
        let Some(smtps) = self.written("SMTPS") else {
            if exported && self.assignments.get("SMTPS") == Lookup::Unset {
                self.warning(
                    "smtps-without-value",
                    "SMTPS is exported and never assigned: there is no TLS from the first byte"
                        .to_owned(),
                    "SMTPS",
                    "write SMTPS=1 before it",
                );
            }
            self.report_port_465(port, &mode);
            return mode;
        };
        let wants = !matches!(smtps.value.as_str(), "" | "0");
        if exported {
            if !wants {
                self.warning(
                    "ambiguous-smtps",
                    format!(
                        "SMTPS is exported as {}; that its presence alone counts, whatever its \
                         value, is our reading, so the service speaks TLS from the first byte",
                        quoted(&smtps.value)
                    ),
                    "SMTPS",
                    "remove the export to turn SMTPS off, or write SMTPS=1",
                );
            }
            mode.replaced.push(mode.origin);
            mode.replaced.extend(smtps.replaced);
            mode.origin = smtps.origin;
            mode.value = TlsMode::Implicit;
        } else if wants {
            self.warning(
                "smtps-not-exported",
                "SMTPS is assigned and not exported, so it does not reach the service: there is no \
                 TLS from the first byte"
                    .to_owned(),
                "SMTPS",
                "add a line `export SMTPS`",
            );
        }
        if mode.value != TlsMode::Implicit && !wants {
            self.report_port_465(port, &mode);
        }
        mode
    }

    fn report_port_465(&mut self, port: &Setting<u16>, mode: &Setting<TlsMode>) {
        if port.value == 465 && mode.value != TlsMode::Implicit {
            self.warning(
                "port-465-without-smtps",
                "port 465 alone does not make this SMTPS: clients that speak TLS from the first \
                 byte will not get through"
                    .to_owned(),
                "PORT",
                "add `SMTPS=1` and `export SMTPS`",
            );
        }
    }

    fn exported_ciphers(&mut self) -> Option<Setting<String>> {
        let ciphers = self.written("TLSCIPHERS")?;
        // A shell exports what it assigns to a variable that it found in its environment.
        let inherited = self.gather.loader.environment("TLSCIPHERS").is_some();
        if inherited || self.assignments.exported("TLSCIPHERS").is_some() {
            return Some(ciphers);
        }
        self.warning(
            "ciphers-not-exported",
            "TLSCIPHERS is assigned and not exported, so it does not reach the service".to_owned(),
            "TLSCIPHERS",
            "add a line `export TLSCIPHERS`",
        );
        None
    }

    /// Every other variable has no effect here, and each is named.
    fn report_others(&mut self, enabled: bool) {
        let others: Vec<(String, Spanned<String>)> = self
            .assignments
            .names()
            .filter(|name| !HONOURED.contains(name))
            .filter_map(|name| match self.assignments.get(name) {
                Lookup::Set { value, .. } => Some((name.to_owned(), value.clone())),
                _ => None,
            })
            .collect();
        for (name, value) in others {
            // RELAYCLIENT lets clients relay by being there, whatever it holds.
            let off = matches!(value.value.as_str(), "" | "0") && name != "RELAYCLIENT";
            let severity = if off || !enabled { Severity::Note } else { Severity::Warning };
            let message = format!("{} has no effect: it is not honoured", shown(&name));
            self.gather.say(
                Diagnostic::new(severity, "not-honoured", message)
                    .at(value.span)
                    .for_service(self.service),
            );
        }
    }
}

fn say_no_auth(gather: &mut Gather<'_>, service: &str, enabled: bool, auth: &Setting<bool>) {
    let severity = if enabled { Severity::Warning } else { Severity::Note };
    let diagnostic = Diagnostic::new(
        severity,
        "auth-not-offered",
        "SMTP AUTH is asked for and is not offered yet: clients cannot log in",
    )
    .for_service(service)
    .with_help("clients may relay by their address: see RELAYCLIENT in smtp.tcp");
    gather.say(match gather.origins.get(auth.origin) {
        Some(Origin::File(span)) => diagnostic.at(*span),
        _ => diagnostic,
    });
}

const fn starttls_mode(on: bool) -> TlsMode {
    if on { TlsMode::StartTls } else { TlsMode::None }
}

fn parse_address(text: &str) -> Result<Option<IpAddr>, String> {
    if text == "0" {
        return Ok(None);
    }
    text.parse()
        .map(Some)
        .map_err(|_| format!("{} is neither an IP address nor 0 (every address)", quoted(text)))
}

fn parse_concurrency(text: &str) -> Result<usize, String> {
    flag::parse_number(text, 1..=MAX_CONCURRENCY)
        .map(|number| usize::try_from(number).unwrap_or(usize::MAX))
}

fn address(bytes: &[u8], file: FileId) -> Reading<Option<IpAddr>> {
    flag::text(bytes, file).and_then("not-an-address", |text| parse_address(&text))
}

fn concurrency(bytes: &[u8], file: FileId) -> Reading<usize> {
    flag::text(bytes, file).and_then("not-a-number", |text| parse_concurrency(&text))
}
