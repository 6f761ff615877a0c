//! The three SMTP services: where each listens, how many clients it takes, and which TLS it is asked for.
//!
//! Service `smtp` is described by the `smtp.*` files, which are read here, `smtp2` and `smtp3` by a file of
//! assignments each: see `assigned_service.rs`. Precedence is the default, then the file, and each value keeps its origin; the process environment
//! gives no more than TLSCIPHERS, for which see [`policy`](crate::policy). What is *offered* under TLS depends on the certificate and is decided in
//! [`policy`](crate::policy).
//!
//! A value that cannot be used breaks its service and no other: the service keeps an error that
//! names it, and [`Service::runs`] is false.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use smtp_tls::ServerPolicy;

use crate::access::AccessFiles;
use crate::assigned_service;
use crate::diagnostic::{Diagnostic, Severity, quoted};
use crate::limits::MAX_CONCURRENCY;
use crate::outgoing::IMPLICIT_TLS_PORT;
use crate::read::flag::{self, Reading};
use crate::read::tcprules::Rules;
use crate::setting::{Gather, Setting};
use crate::snapshot::{FileId, Origin};

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
    /// The file that these are read from.
    pub(crate) rules_file: &'static str,
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
    let second = assigned_service::read(gather, &mut access, &assigned_service::SMTP2);
    let third = assigned_service::read(gather, &mut access, &assigned_service::SMTP3);
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
    report_port_465(gather, &port);
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
    let described = Described {
        name,
        enabled,
        address,
        port,
        concurrency,
        tls_mode,
        smtp_auth,
        exported_ciphers: None,
        rules: "smtp.tcp",
    };
    described.into_service(gather, access)
}

/// The files of the first service have no word for TLS from the first byte.
fn report_port_465(gather: &mut Gather<'_>, port: &Setting<u16>) {
    if port.value != IMPLICIT_TLS_PORT {
        return;
    }
    if let Some(Origin::File(span)) = gather.origins.get(port.origin) {
        let help = "SMTPS is documented for smtp2 and smtp3: give one of them this port";
        gather.say(port_465_alone().at(*span).for_service("smtp").with_help(help));
    }
}

/// What there is to say of a service on the port for TLS from the first byte that does not speak it.
pub(crate) fn port_465_alone() -> Diagnostic {
    Diagnostic::warning(
        "port-465-without-smtps",
        "port 465 alone does not make this SMTPS: clients that speak TLS from the first byte will \
         not get through",
    )
}

pub(crate) const DEFAULT_CONCURRENCY: usize = 100;

/// What the files say of a service.
pub(crate) struct Described {
    pub(crate) name: &'static str,
    pub(crate) enabled: Setting<bool>,
    pub(crate) address: Setting<Option<IpAddr>>,
    pub(crate) port: Setting<u16>,
    pub(crate) concurrency: Setting<usize>,
    pub(crate) tls_mode: Setting<TlsMode>,
    pub(crate) smtp_auth: Setting<bool>,
    pub(crate) exported_ciphers: Option<Setting<String>>,
    /// The file of its access rules.
    pub(crate) rules: &'static str,
}

impl Described {
    /// The service, its access rules read where it is asked for.
    pub(crate) fn into_service(self, gather: &mut Gather<'_>, access: &mut AccessFiles) -> Service {
        let Self { name, enabled, address, port, concurrency, tls_mode, .. } = self;
        if self.smtp_auth.value {
            say_no_auth(gather, name, enabled.value, &self.smtp_auth);
        }
        let rules =
            if enabled.value { access.get(gather, self.rules, name) } else { Arc::default() };
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
            smtp_auth: self.smtp_auth,
            rules,
            rules_file: self.rules,
            exported_ciphers: self.exported_ciphers,
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

pub(crate) const fn starttls_mode(on: bool) -> TlsMode {
    if on { TlsMode::StartTls } else { TlsMode::None }
}

pub(crate) fn parse_address(text: &str) -> Result<Option<IpAddr>, String> {
    if text == "0" {
        return Ok(None);
    }
    text.parse()
        .map(Some)
        .map_err(|_| format!("{} is neither an IP address nor 0 (every address)", quoted(text)))
}

pub(crate) fn parse_concurrency(text: &str) -> Result<usize, String> {
    flag::parse_number(text, 1..=MAX_CONCURRENCY)
        .map(|number| usize::try_from(number).unwrap_or(usize::MAX))
}

fn address(bytes: &[u8], file: FileId) -> Reading<Option<IpAddr>> {
    flag::text(bytes, file).and_then("not-an-address", |text| parse_address(&text))
}

fn concurrency(bytes: &[u8], file: FileId) -> Reading<usize> {
    flag::text(bytes, file).and_then("not-a-number", |text| parse_concurrency(&text))
}
