//! One reading of the control directory, as something to serve.
//!
//! Does: read the directory, say everything there is to say about it, judge it, and make what serves
//! it. Does not: listen. Fails: where nothing can be served; with `--strict`, and where a server runs
//! already, at the first error.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use hvmail_control::diagnostic::{Diagnostic, Severity};
use hvmail_control::{Control, Service, ServiceTls, TlsMode};
use smtp_server::Service as Listening;
use smtp_tls::{Backend, CertificateAddresses, Resumption, TicketKeys};

use super::arguments::Arguments;
use super::directory::{self, Loaded};
use super::policies::{self, Policies};
use super::reception::Reception;
use super::store::Store;
use super::ticket_keys;
use super::watch::Looks;
use crate::acceptors::Acceptors;
use crate::exit::Failure;
use crate::print;

/// What holds for every reading.
#[derive(Clone, Debug)]
pub(super) struct Setup {
    pub(super) arguments: Arguments,
    pub(super) backend: Backend,
    /// Where messages go; `None`: nowhere.
    pub(super) maildir: Option<PathBuf>,
}

/// A reading, ready to be served.
#[derive(Clone, Debug)]
pub(super) struct Generation {
    pub(super) reception: Reception,
    pub(super) services: Vec<Listening>,
    pub(super) kept: Arc<Kept>,
}

/// What the reading after this one goes on from.
#[derive(Debug)]
pub(super) struct Kept {
    /// The services that are served, each with the word for its TLS.
    pub(super) words: HashMap<&'static str, &'static str>,
    pub(super) store: Store,
    pub(super) acceptors: Acceptors,
    /// When the certificate in force is to be made anew, in seconds since 1970, where this program made it.
    pub(super) renewal_due: Option<u64>,
    host_name: String,
    ticket_keys: Option<TicketKeys>,
    /// The errors that it is served with: a start passes over those that leave a service.
    errors: Vec<String>,
}

/// The errors that keep a reading from being served, beside those that leave nothing to serve.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// None: what they are about stays down.
    Fatal,
    /// Those that what is served does not have: nobody asked for this reading.
    New,
    /// All.
    All,
}

impl Generation {
    /// Reads the directory; a server that runs already has `before`. What the files were is told, whatever
    /// comes of it.
    pub(super) fn read(
        setup: &Setup,
        before: Option<&Kept>,
        refused: Refused,
    ) -> (Result<Self, Failure>, Looks) {
        let arguments = &setup.arguments;
        let keys = || read_ticket_keys(arguments, before);
        let beside = arguments.ticket_keys.as_deref();
        let (loaded, looks) = directory::load(arguments.directory(), beside, keys);
        (loaded.and_then(|loaded| Self::of(loaded, setup, before, refused)), looks)
    }

    fn of(
        loaded: Loaded<Result<Option<TicketKeys>, Failure>>,
        setup: &Setup,
        before: Option<&Kept>,
        refused: Refused,
    ) -> Result<Self, Failure> {
        let Setup { arguments, backend, maildir } = setup;
        let Loaded { control, keys, lacks_certificate, said } = loaded;
        let control = match arguments.tls13_only {
            true => control.with_tls13_alone(),
            false => control,
        };
        said.iter().for_each(print::line);
        print::diagnostics(&control);
        if before.is_none() {
            say_what_stays_down(&control);
        }
        print::certificate(&control);
        // Of the wrong names that somebody gave, all are wrong for good.
        let chosen: Vec<_> = choose(&control, &arguments.services)?
            .into_iter()
            .map(|service| service.name)
            .collect();
        if control.is_fatal() {
            let why = match control.configuration_is_good() {
                true => "no service is left",
                false => "greenarrow.conf is not understood",
            };
            let directory = arguments.directory().display();
            return Err(Failure::bad_configuration(format!("{directory} cannot be served: {why}")));
        }
        let failure = || match before {
            Some(_) => Failure::bad_configuration("there are errors"),
            None => Failure::bad_configuration("--strict: there are errors"),
        };
        let mut errors = errors(&control, &arguments.services);
        let is_refused = |errors: &[String]| match refused {
            Refused::Fatal => false,
            Refused::New => {
                errors.iter().any(|error| !before.is_some_and(|it| it.errors.contains(error)))
            }
            Refused::All => !errors.is_empty(),
        };
        if is_refused(&errors) || (lacks_certificate && refused != Refused::Fatal) {
            return Err(failure());
        }

        let ticket_keys = keys?;
        let control = adjust(control, arguments, ticket_keys.as_ref());
        let services: Vec<&Service> =
            chosen.iter().filter_map(|name| control.service(name)).collect();
        keeps_tls(&services, before)?;
        let host_name = directory::host_name(&control);
        let store = match (before, maildir) {
            (Some(before), None) => before.store.clone(),
            (Some(before), Some(_)) if before.host_name == host_name => before.store.clone(),
            (_, Some(path)) => Store::maildir(path, &host_name)?,
            (None, None) => Store::discard(),
        };
        let mut acceptors = Acceptors::new(*backend);
        let before = before.map(|before| &before.acceptors);
        let (policies, unfit) =
            Policies::build(&control, &services, &host_name, &mut acceptors, before);
        for service in &unfit {
            let error = format!("service {}: {}", service.name, service.reason);
            print::line(format_args!("hvmail-smtpd: {error}"));
            errors.push(error);
        }
        if is_refused(&errors) {
            return Err(failure());
        }
        let services: Vec<_> =
            services.into_iter().filter(|service| policies.has(service.name)).collect();
        if services.is_empty() {
            return Err(Failure::bad_configuration("no service is left"));
        }

        let words =
            services.iter().map(|service| (service.name, policies::word(&service.tls))).collect();
        let services = services.iter().map(|service| listener(service, &policies)).collect();
        let renewal_due = control.certificate_renewal_due();
        let kept = Kept {
            words,
            store: store.clone(),
            acceptors,
            renewal_due,
            host_name,
            ticket_keys,
            errors,
        };
        let reception = Reception::new(Arc::new(control), policies, store);
        let kept = Arc::new(kept);
        Ok(Self { reception, services, kept })
    }
}

/// An error says what is wrong; this says what it means for the service.
fn say_what_stays_down(control: &Control) {
    let broken = |service: &&Service| service.enabled.value && service.broken;
    for service in control.services.iter().filter(broken) {
        print::line(format_args!("hvmail-smtpd: service {} stays down", service.name));
    }
}

/// The errors about what is to be served: everything, or the named services alone.
fn errors(control: &Control, names: &[String]) -> Vec<String> {
    let concerned = |diagnostic: &&Diagnostic| {
        let of_all = names.is_empty() || diagnostic.services.is_empty();
        let concerned = of_all || names.iter().any(|name| diagnostic.concerns(name));
        diagnostic.severity == Severity::Error && concerned
    };
    let all = control.diagnostics.iter().filter(concerned);
    all.map(|diagnostic| diagnostic.display(&control.snapshot).to_string()).collect()
}

/// The services to serve: those that run, or the named ones of them, each once.
fn choose<'c>(control: &'c Control, names: &[String]) -> Result<Vec<&'c Service>, Failure> {
    if names.is_empty() {
        return Ok(control.services.iter().filter(|service| service.runs()).collect());
    }
    let mut chosen = Vec::new();
    for name in names {
        let service = control.service(name).ok_or_else(|| {
            Failure::usage(format!("--service {name}: the services are smtp, smtp2 and smtp3"))
        })?;
        if !service.runs() {
            let why = if service.broken { "broken" } else { "off" };
            let place = control.location(service.enabled.origin);
            let place = place.map(|place| format!(" ({place})")).unwrap_or_default();
            return Err(Failure::bad_configuration(format!("service {name} is {why}{place}")));
        }
        if !chosen.iter().any(|other: &&Service| other.name == service.name) {
            chosen.push(service);
        }
    }
    Ok(chosen)
}

fn read_ticket_keys(
    arguments: &Arguments,
    before: Option<&Kept>,
) -> Result<Option<TicketKeys>, Failure> {
    let Some(path) = &arguments.ticket_keys else { return Ok(None) };
    let before = before.and_then(|before| before.ticket_keys.as_ref());
    ticket_keys::read(path, before).map(Some).map_err(|error| {
        Failure::bad_configuration(format!("--ticket-keys {}: {error}", path.display()))
    })
}

/// What the command line says of TLS goes over what the directory says.
fn adjust(control: Control, arguments: &Arguments, keys: Option<&TicketKeys>) -> Control {
    let mut control = match arguments.client_cert_san {
        true => {
            control.with_certificate_addresses(CertificateAddresses::SubjectAndAlternativeNames)
        }
        false => control,
    };
    for service in &mut control.services {
        let (ServiceTls::StartTls(policy) | ServiceTls::Implicit(policy)) = &mut service.tls else {
            continue;
        };
        if let Some(keys) = keys {
            policy.resumption = Resumption::Shared(keys.clone());
        }
    }
    control
}

/// A service that has TLS, and is still asked for it, does not go on without because the certificate
/// is gone: at a start that is a warning, for mail is better taken in clear than not at all.
fn keeps_tls(services: &[&Service], before: Option<&Kept>) -> Result<(), Failure> {
    let had_tls = |name| before.is_some_and(|b| b.words.get(name).is_some_and(|w| *w != "none"));
    let loses = |service: &&&Service| {
        had_tls(service.name)
            && service.tls_mode.value != TlsMode::None
            && service.tls == ServiceTls::None
    };
    match services.iter().find(loses) {
        Some(service) => Err(Failure::bad_configuration(format!(
            "service {} would be left without TLS: there is no usable certificate",
            service.name
        ))),
        None => Ok(()),
    }
}

fn listener(service: &Service, policies: &Policies) -> Listening {
    Listening::new(service.name, service.listen(), policies.of_service(service))
        .with_concurrency(service.concurrency.value)
}
