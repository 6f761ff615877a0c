//! From the control directory's policies to those of connections, all made before the first one.
//!
//! Does: one TLS acceptor for each policy that any client of a service can get, and one judge for each
//! list of clients that may relay by certificate. Does not: decide who gets which. Fails: a service
//! whose policy the TLS library cannot carry is left out, with the setting's place.

use std::collections::HashMap;
use std::sync::Arc;

use hvmail_control::{Control, Service, ServiceTls};
use smtp_proto::server::{Config, ExtensionsAfterHelo};
use smtp_proto::wire::{Capability, ClientNames, Limits};
use smtp_server::{Acceptor, ConnectionPolicy};
use smtp_tls::{ClientJudge, ConfigError};

use crate::acceptors::Acceptors;
use crate::judges::Judges;
use crate::print;

/// What is offered beside the server's own. Not DSN, DELIVERBY and the like, for a Maildir notifies
/// nobody; not REQUIRETLS, for whoever reads the Maildir knows nothing of it; not BINARYMIME, for
/// its files are lines.
const OFFERED: [Capability<'static>; 2] = [Capability::Chunking, Capability::SmtpUtf8];

/// The connection policies, by service and by what TLS its client is offered.
#[derive(Debug, Default)]
pub(super) struct Policies {
    connections: HashMap<&'static str, HashMap<ServiceTls, Arc<ConnectionPolicy>>>,
    judges: Judges,
}

/// A service that the TLS library cannot serve as it is asked to.
#[derive(Debug)]
pub(super) struct Unfit {
    pub(super) name: &'static str,
    pub(super) reason: String,
}

impl Policies {
    /// Makes the policies of these services, with the acceptors of equal ones that there were before.
    pub(super) fn build(
        control: &Control,
        services: &[&Service],
        host_name: &str,
        acceptors: &mut Acceptors,
        before: Option<&Acceptors>,
    ) -> (Self, Vec<Unfit>) {
        let (mut policies, mut unfit) = (Self::default(), Vec::new());
        for service in services {
            match of_service(control, service, host_name, acceptors, before) {
                Ok(of_service) => {
                    of_service.keys().for_each(|tls| policies.add_judge(control, service, tls));
                    policies.connections.insert(service.name, of_service);
                }
                Err(error) => {
                    let reason = explain(control, &error);
                    unfit.push(Unfit { name: service.name, reason });
                }
            }
        }
        (policies, unfit)
    }

    fn add_judge(&mut self, control: &Control, service: &Service, tls: &ServiceTls) {
        if let Some(judge) = self.judges.add(tls) {
            print::unhonoured(control, service.name, judge.unhonoured());
        }
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.connections.contains_key(name)
    }

    /// The policy of a service for clients that no rule gives another.
    pub(super) fn of_service(&self, service: &Service) -> ConnectionPolicy {
        let policy = self.find(service.name, &service.tls);
        ConnectionPolicy::clone(&policy.expect("a service's own policy is one of its policies"))
    }

    /// The policy of a client.
    pub(super) fn find(&self, service: &str, tls: &ServiceTls) -> Option<Arc<ConnectionPolicy>> {
        self.connections.get(service)?.get(tls).map(Arc::clone)
    }

    /// Who judges the certificates that clients show under such a policy, where they are asked for any.
    pub(super) fn judge(&self, tls: &ServiceTls) -> Option<Arc<ClientJudge>> {
        self.judges.find(tls).map(Arc::clone)
    }
}

/// How the line that tells of a listener names its TLS.
pub(super) const fn word(tls: &ServiceTls) -> &'static str {
    match tls {
        ServiceTls::None => "none",
        ServiceTls::StartTls(_) => "starttls",
        ServiceTls::Implicit(_) => "smtps",
    }
}

fn of_service(
    control: &Control,
    service: &Service,
    host_name: &str,
    acceptors: &mut Acceptors,
    before: Option<&Acceptors>,
) -> Result<HashMap<ServiceTls, Arc<ConnectionPolicy>>, ConfigError> {
    let mut policies = HashMap::new();
    for tls in control.tls_policies(service) {
        let acceptor = match &tls {
            ServiceTls::None => None,
            ServiceTls::StartTls(policy) | ServiceTls::Implicit(policy) => {
                let (acceptor, unhonoured) = acceptors.get(before, policy)?;
                print::unhonoured(control, service.name, &unhonoured);
                Some(acceptor)
            }
        };
        let policy = connection_policy(control, &tls, acceptor, host_name);
        policies.insert(tls, Arc::new(policy));
    }
    Ok(policies)
}

fn connection_policy(
    control: &Control,
    tls: &ServiceTls,
    acceptor: Option<Acceptor>,
    host_name: &str,
) -> ConnectionPolicy {
    let mut smtp = Config::new(host_name);
    smtp.max_message_size = control.inbound.max_message_size.value;
    // Who comes from qmail calls itself what qmail takes.
    smtp.client_names = ClientNames::Lenient;
    // Nor does qmail ask by which of HELO and EHLO a client came.
    smtp.extensions_after_helo = ExtensionsAfterHelo::Take;
    for capability in OFFERED {
        smtp.capabilities.insert(capability);
    }
    let rcpt_max = u32::try_from(smtp.max_recipients).ok();
    smtp.capabilities.insert(Capability::Limits(Limits { rcpt_max, ..Limits::default() }));
    let policy =
        ConnectionPolicy::new(Arc::new(smtp)).with_idle_timeout(control.inbound.idle_timeout.value);
    match (tls, acceptor) {
        (_, None) => policy,
        (ServiceTls::Implicit(_), Some(acceptor)) => policy.with_implicit_tls(acceptor),
        (_, Some(acceptor)) => policy.with_starttls(acceptor),
    }
}

fn explain(control: &Control, error: &ConfigError) -> String {
    match error.origin().and_then(|origin| print::place(control, origin)) {
        Some(place) => format!("{place}: {error}"),
        None => error.to_string(),
    }
}
