//! `explain`: every setting in force, where it comes from, and what becomes of it under TLS.
//!
//! Does: take the answers of the control directory, ask the TLS library about each policy, and print
//! both as text or as JSON. Does not: change the directory. Fails: 78 where the rules for outgoing mail
//! cannot be used; what can be said is said all the same.

mod dhe;
mod json;
mod text;

use std::cell::RefCell;
use std::collections::HashMap;
use std::process::ExitCode;

use hvmail_control::diagnostic::{Severity, printable};
use hvmail_control::explain::{self, Delivery, Explained, Outgoing, Service, State};
use hvmail_control::outgoing::UnusableRule;
use hvmail_control::{Control, ServiceTls, TlsMode};
use smtp_tls::{Acceptor, Backend, ClientPolicy, ConfigError, Connector, Unhonoured};

use super::arguments::Explain;
use super::directory;
use crate::acceptors::Acceptors;
use crate::exit::{Exit, Failure};
use crate::judges::Judges;
use crate::{print, tls};

/// What was asked for.
struct Report<'c> {
    control: &'c Control,
    backend: Backend,
    judges: RefCell<Judges>,
    /// What holds for every service; `None` where only outgoing mail was asked for.
    host: Option<Vec<Explained>>,
    services: Option<Vec<Service>>,
    mail: Mail,
    /// Rules in thousands have a few policies among them.
    acceptors: RefCell<Acceptors>,
    /// Blocks in thousands ask for a few policies too.
    connectors: RefCell<HashMap<ClientPolicy, Connector>>,
}

/// What the library offers under a policy, and what it does not honour of it.
type Taken = (Acceptor, Vec<Unhonoured>);

/// What was asked about outgoing mail.
enum Mail {
    Nothing,
    All(Box<Outgoing>),
    To(Box<Result<Delivery, UnusableRule>>),
}

/// Runs the command.
pub(super) fn run(arguments: &Explain) -> Result<ExitCode, Failure> {
    let backend = tls::backend(arguments.tls)?;
    if let Some(domain) = arguments.to.as_deref()
        && (domain.is_empty() || domain.contains(|c: char| c == '@' || c.is_whitespace()))
    {
        return Err(Failure::usage(format!("--to {domain:?}: a domain, without a mailbox")));
    }
    let control = directory::load(&arguments.directory)?;
    if let Some(name) = arguments.from_ip.as_deref()
        && !control.names_ip_address(name)
    {
        let message = "no ip_address block has this name: the rules for every address count";
        print::line(format_args!("hvmail-tls: --from-ip {name:?}: {message}"));
    }
    let report = Report::new(&control, arguments, backend)?;
    let drawn = if arguments.json { json::draw(&report) } else { text::draw(&report) };
    print::out(drawn.trim_end())?;
    let errors = {
        let mut acceptors = report.acceptors.borrow_mut();
        let said = directory::diagnostics(&control, backend, &mut acceptors);
        directory::count(&said, Severity::Error)
    };
    if errors > 0 {
        let root = printable(control.snapshot.root());
        print::line(format_args!(
            "hvmail-tls: errors in {root}: {errors}; `hvmail-tls check` shows them"
        ));
    }
    Ok(if report.is_whole() { ExitCode::SUCCESS } else { Exit::BadConfiguration.into() })
}

impl<'c> Report<'c> {
    fn new(control: &'c Control, arguments: &Explain, backend: Backend) -> Result<Self, Failure> {
        let everything = arguments.to.is_none() && arguments.service.is_none();
        let mut services = explain::services(control);
        if let Some(name) = &arguments.service {
            services.retain(|service| service.name == name);
            if services.is_empty() {
                return Err(Failure::usage(format!(
                    "--service {name}: the services are smtp, smtp2 and smtp3"
                )));
            }
        }
        let about_services = everything || arguments.service.is_some();
        let mail = match &arguments.to {
            Some(domain) => {
                let address = arguments.from_ip.as_deref();
                Mail::To(Box::new(explain::delivery(control, domain, address)))
            }
            None if everything => Mail::All(Box::new(explain::outgoing(control))),
            None => Mail::Nothing,
        };
        let mut acceptors = Acceptors::new(backend);
        for service in &mut services {
            dhe::in_force(service, &mut acceptors);
        }
        Ok(Self {
            control,
            backend,
            judges: RefCell::default(),
            host: about_services.then(|| explain::host(control)),
            services: about_services.then_some(services),
            mail,
            acceptors: RefCell::new(acceptors),
            connectors: RefCell::default(),
        })
    }

    /// Whether every rule that was asked about can be used.
    fn is_whole(&self) -> bool {
        match &self.mail {
            Mail::Nothing => true,
            Mail::All(outgoing) => outgoing.otherwise.is_ok(),
            Mail::To(delivery) => delivery.is_ok(),
        }
    }

    /// What the library makes of a service's policy; `None` where it offers no TLS.
    fn acceptor(&self, tls: &ServiceTls) -> Option<Result<Taken, ConfigError>> {
        tls.policy().map(|policy| self.acceptors.borrow_mut().get(None, policy))
    }

    /// Whether a service runs: not where the library cannot serve one of the policies that its clients may get.
    fn state(&self, service: &Service) -> State {
        let of_rules = service.rules.iter().filter_map(|rule| rule.tls.as_ref());
        let mut offered = std::iter::once(&service.tls).chain(of_rules);
        let refused = |tls| matches!(self.acceptor(tls), Some(Err(_)));
        match service.state {
            State::Runs if offered.any(refused) => State::Broken,
            state => state,
        }
    }

    /// What the library makes of a delivery's policy; `None` where it uses no TLS.
    fn connector(&self, delivery: &Delivery) -> Option<Result<Connector, ConfigError>> {
        delivery.policy.uses_tls().then(|| {
            let mut connectors = self.connectors.borrow_mut();
            if let Some(known) = connectors.get(&delivery.policy) {
                return Ok(known.clone());
            }
            let made = Connector::new(self.backend, &delivery.policy)?;
            // What is not honoured has the place of this policy.
            if made.unhonoured().is_empty() {
                connectors.insert(delivery.policy.clone(), made.clone());
            }
            Ok(made)
        })
    }
}

/// How a delivery comes to TLS.
const fn mode_of(policy: &ClientPolicy) -> &'static str {
    if policy.implicit { "smtps" } else { "starttls" }
}

/// How a service is asked to come to TLS.
const fn asked(mode: TlsMode) -> &'static str {
    match mode {
        TlsMode::None => "none",
        TlsMode::StartTls => "starttls",
        TlsMode::Implicit => "smtps",
    }
}

/// How a service comes to TLS.
const fn mode(tls: &ServiceTls) -> &'static str {
    match tls {
        ServiceTls::None => "none",
        ServiceTls::StartTls(_) => "starttls",
        ServiceTls::Implicit(_) => "smtps",
    }
}
