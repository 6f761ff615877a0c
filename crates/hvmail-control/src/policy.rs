//! From settings to what each service offers under TLS, and what one client is allowed.
//!
//! A cipher string comes from the first of these that says something: a rule for the client in
//! `smtp.tcp`, TLSCIPHERS as the file of the service exports it, TLSCIPHERS in the process environment, the
//! lines of `tls.tlsserverciphers` joined by `:`. An empty one is `DEFAULT`: the backend's own choice. A file
//! that is there and cannot be read as text breaks each service that would have its string from it, and so does
//! a string that OpenSSL refuses, whatever the backend; in an access rule it breaks each service under
//! the rules. One in a rule that denies, or that no client is ever under, is in force for no session, and is
//! a warning.
//!
//! Without a usable certificate STARTTLS is not offered, with a warning for each service, and a
//! service that is asked to speak TLS from the first byte is broken.

use std::collections::HashSet;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use smtp_tls::{CipherString, ClientTrust, DhParameters, Identity, ServerPolicy};

use crate::cipher_strings::{self, Global};
use crate::diagnostic::{Diagnostic, Severity};
use crate::listener::{Service, ServiceTls, TlsMode};
use crate::outgoing::timeout;
use crate::read::flag;
use crate::read::tcprules::Rule;
use crate::setting::{Gather, Setting};
use crate::snapshot::{Origin, OriginId, Origins};

/// What holds for every service and client.
#[derive(Clone, Debug)]
pub struct Inbound {
    /// The largest message taken, in octets (`databytes`); `None`: no limit.
    pub max_message_size: Setting<Option<u64>>,
    /// How long a client may be silent (`timeoutsmtpd`). The default is the five minutes of RFC 5321,
    /// section 4.5.3.2.7; qmail's own is longer.
    pub idle_timeout: Setting<Duration>,
}

/// What one client is allowed on one service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerRules {
    /// Whether it may connect at all.
    pub allow: bool,
    /// RELAYCLIENT, if it has it: mail for any domain is taken, with this behind each recipient.
    pub relay: Option<String>,
    /// What is offered to it.
    pub tls: ServiceTls,
    /// The cipher string in force for it, with what it overrides; `None`: the backend's default.
    pub tls_ciphers: Setting<Option<String>>,
    /// Every variable of the rule, in order.
    pub variables: Vec<(String, String)>,
    /// The rule that applies, if one does.
    pub origin: Option<OriginId>,
}

/// What an access rule with a cipher string of its own makes of a service.
#[derive(Clone, Debug)]
pub struct RuleTls<'a> {
    /// The rule.
    pub rule: &'a Rule,
    /// What is offered to clients under it.
    pub tls: ServiceTls,
    /// The cipher string in force for them, with what it overrides; `None`: the backend's default.
    pub tls_ciphers: Setting<Option<String>>,
}

const DEFAULT_IDLE_TIMEOUT: Duration = Duration::from_secs(300);
/// The limit that the vendor ships, in force where `databytes` is there and cannot be understood: a
/// limit was wanted.
const SHIPPED_DATABYTES: u64 = 1_024_000;

/// Reads the limits of the inbound side.
pub(crate) fn inbound(gather: &mut Gather<'_>) -> Inbound {
    let before = gather.diagnostics.so_far().len();
    let mut max_message_size = gather
        .one_value("databytes", None, |bytes, file| flag::number(bytes, file, 0..=u64::MAX), 0)
        .map(|octets| Some(octets).filter(|octets| *octets > 0));
    let said = &mut gather.diagnostics.so_far_mut()[before..];
    if let Some(error) = said.iter_mut().find(|d| d.severity == Severity::Error) {
        error.help = Some(format!(
            "until it is mended, the limit is {SHIPPED_DATABYTES} octets, as shipped"
        ));
        max_message_size.value = Some(SHIPPED_DATABYTES);
    }
    let idle_timeout =
        timeout(gather, "timeoutsmtpd").map(|value| value.unwrap_or(DEFAULT_IDLE_TIMEOUT));
    Inbound { max_message_size, idle_timeout }
}

/// What every service offers under TLS, whatever its ciphers.
pub(crate) struct Offered {
    pub(crate) identity: Option<Arc<Identity>>,
    pub(crate) dh: Vec<DhParameters>,
    pub(crate) clients: Option<Arc<ClientTrust>>,
}

impl Offered {
    fn policy(&self, ciphers: Option<CipherString>) -> Option<ServerPolicy> {
        let identity = self.identity.as_ref()?;
        Some(ServerPolicy {
            ciphers,
            dh: self.dh.clone(),
            clients: self.clients.clone(),
            ..ServerPolicy::new(Arc::clone(identity))
        })
    }
}

/// Fills in what each service offers, and gives those that cannot offer it a diagnostic. Of a
/// configuration that does not parse nobody knows which certificate it names, so none is missed.
pub(crate) fn apply(
    gather: &mut Gather<'_>,
    services: &mut [Service],
    offered: &Offered,
    configuration_is_good: bool,
) {
    let global = Global::read(gather);
    global.report_unknown(gather, services);
    for service in services.iter_mut() {
        service.tls_ciphers = global.of_service(gather, service);
    }
    cipher_strings::judge(gather, &global, services);
    for service in services {
        let policy = offered.policy(cipher_strings::as_policy(&service.tls_ciphers));
        service.tls = match (service.tls_mode.value, policy) {
            (TlsMode::None, _) => ServiceTls::None,
            (TlsMode::StartTls, Some(policy)) => ServiceTls::StartTls(policy),
            (TlsMode::Implicit, Some(policy)) => ServiceTls::Implicit(policy),
            (mode, None) => {
                let missed = configuration_is_good || mode == TlsMode::Implicit;
                if service.enabled.value && missed {
                    let said =
                        without_certificate(&gather.origins, service, mode, configuration_is_good);
                    gather.say(said);
                }
                ServiceTls::None
            }
        };
    }
}

fn without_certificate(
    origins: &Origins,
    service: &Service,
    mode: TlsMode,
    configuration_is_good: bool,
) -> Diagnostic {
    let name = service.name;
    let why = if configuration_is_good {
        "there is no usable certificate"
    } else {
        "greenarrow.conf cannot be used"
    };
    let diagnostic = if mode == TlsMode::Implicit {
        Diagnostic::error(
            "no-certificate",
            format!("{name} cannot speak TLS from the first byte: {why}"),
        )
    } else {
        Diagnostic::warning(
            "no-certificate",
            format!("{name} does not offer STARTTLS, so mail arrives in clear: {why}"),
        )
    };
    let diagnostic = diagnostic
        .for_service(name)
        .with_help("name one in greenarrow.conf: general { tls_certificate_files … }");
    match origins.get(service.tls_mode.origin) {
        Some(Origin::File(span)) => diagnostic.at(*span),
        _ => diagnostic,
    }
}

/// What `peer` is allowed on `service`.
pub(crate) fn for_peer(service: &Service, origins: &Origins, peer: IpAddr) -> PeerRules {
    let rule = service.rules().find(peer);
    let (tls, tls_ciphers) = tls_under(service, origins, rule);
    PeerRules {
        allow: rule.is_none_or(|rule| rule.allow),
        relay: rule.and_then(|rule| rule.variable("RELAYCLIENT")).map(|value| value.value.clone()),
        tls,
        tls_ciphers,
        variables: rule.map_or_else(Vec::new, |rule| {
            rule.variables
                .iter()
                .map(|(name, value)| (name.value.clone(), value.value.clone()))
                .collect()
        }),
        origin: rule.and_then(|rule| origins.find(&Origin::File(rule.span))),
    }
}

/// What each rule with a cipher string of its own makes of `service`, where a session can be under it.
pub(crate) fn of_rules<'a>(
    service: &'a Service,
    origins: &'a Origins,
) -> impl Iterator<Item = RuleTls<'a>> {
    let rules =
        service.rules().by_use().filter(|(rule, used)| *used && cipher_strings::has_own(rule));
    rules.map(|(rule, _)| {
        let (tls, tls_ciphers) = tls_under(service, origins, Some(rule));
        RuleTls { rule, tls, tls_ciphers }
    })
}

/// Everything that `service` may offer: its own policy first, then what its rules make of it.
pub(crate) fn of_service(service: &Service, origins: &Origins) -> Vec<ServiceTls> {
    let mut policies = vec![service.tls.clone()];
    let mut seen: HashSet<ServiceTls> = policies.iter().cloned().collect();
    for RuleTls { tls, .. } in of_rules(service, origins) {
        if seen.insert(tls.clone()) {
            policies.push(tls);
        }
    }
    policies
}

/// What a service offers under a rule, and the cipher string in force there.
fn tls_under(
    service: &Service,
    origins: &Origins,
    rule: Option<&Rule>,
) -> (ServiceTls, Setting<Option<String>>) {
    let ciphers = cipher_strings::under_rule(service, origins, rule);
    let mut tls = service.tls.clone();
    if let Some(policy) = tls.policy_mut() {
        policy.ciphers = cipher_strings::as_policy(&ciphers);
    }
    (tls, ciphers)
}
