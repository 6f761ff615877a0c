//! `hvmail-smtpd`: the services of a control directory.
//!
//! Does: load the directory, say everything there is to say about it, listen, serve, drain on
//! SIGTERM. Does not: change the directory, except to make what `--demo` or
//! `tls_certificate_auto_generate` asks for. Fails: 78 when the directory cannot be served, 75 when
//! no address could be had, 64 for the command line; one broken service stays down and the others
//! run, unless `--strict`.

mod arguments;
mod demo;
mod directory;
mod policies;
mod reception;
mod store;

use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;

use hvmail_control::diagnostic::Severity;
use hvmail_control::{Control, Service};
use smtp_server::{Server, Service as Listening};
use tokio::signal::unix::{SignalKind, signal};

pub use self::arguments::Arguments;
use self::policies::Policies;
use self::reception::Reception;
use self::store::Store;
use crate::exit::{Exit, Failure};
use crate::{print, tls};

/// SIGXFSZ, which a write beyond the host's limit on file sizes (RLIMIT_FSIZE) raises. This is its
/// number on every system but Linux on MIPS and PA-RISC.
const FILE_SIZE_SIGNAL: i32 = 25;

/// Runs the program.
///
/// # Errors
/// What keeps it from serving; nothing once it has begun to.
pub fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    log();
    let backend = tls::backend(arguments.tls)?;
    let demo = arguments.demo.as_deref().map(demo::make).transpose()?;
    let control = Arc::new(directory::load(arguments.directory())?);
    print::diagnostics(&control);
    say_what_stays_down(&control);
    print::certificate(&control);
    let services = choose(&control, &arguments.services)?;
    if control.is_fatal() {
        let why = match control.configuration_is_good() {
            true => "no service is left",
            false => "greenarrow.conf is not understood",
        };
        let directory = arguments.directory().display();
        return Err(Failure::bad_configuration(format!("{directory} cannot be served: {why}")));
    }
    if arguments.strict && concerned(&control, &arguments.services) {
        return Err(Failure::bad_configuration("--strict: there are errors"));
    }

    let host_name = directory::host_name(&control);
    let store = match arguments.maildir().or_else(|| demo.map(|demo| demo.maildir)) {
        Some(path) => Store::maildir(&path, &host_name)?,
        None => Store::discard(),
    };
    let (policies, mut unfit) = Policies::build(&control, &services, &host_name, backend);
    for service in &unfit {
        print::line(format_args!("hvmail-smtpd: service {}: {}", service.name, service.reason));
    }
    let services: Vec<_> =
        services.into_iter().filter(|service| policies.has(service.name)).collect();
    if services.is_empty() || (arguments.strict && !unfit.is_empty()) {
        return Err(match unfit.pop() {
            Some(_) if arguments.strict => Failure::bad_configuration("--strict: there are errors"),
            _ => Failure::bad_configuration("no service is left"),
        });
    }

    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::try_later(format!("cannot start threads: {error}")))?;
    let listening: Vec<_> = services.iter().map(|service| listener(service, &policies)).collect();
    let reception = Reception::new(Arc::clone(&control), policies, store.clone());
    let code = runtime.block_on(serve(reception, listening, arguments.strict))?;
    if let Store::Discard(discard) = store {
        let (messages, octets) = (discard.messages(), discard.octets());
        print::line(format_args!("discarded messages={messages} octets={octets}"));
    }
    Ok(code)
}

/// An error says what is wrong; this says what it means for the service.
fn say_what_stays_down(control: &Control) {
    let broken = |service: &&Service| service.enabled.value && service.broken;
    for service in control.services.iter().filter(broken) {
        print::line(format_args!("hvmail-smtpd: service {} stays down", service.name));
    }
}

/// Whether an error is about what is to be served: everything, or the named services alone.
fn concerned(control: &Control, names: &[String]) -> bool {
    control.diagnostics.iter().any(|diagnostic| {
        let named = |service: &str| names.is_empty() || names.iter().any(|name| name == service);
        diagnostic.severity == Severity::Error && diagnostic.service.as_deref().is_none_or(named)
    })
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

fn listener(service: &Service, policies: &Policies) -> (Listening, &'static str) {
    let policy = policies.of_service(service);
    let listening = Listening::new(service.name, service.listen(), policy)
        .with_concurrency(service.concurrency.value);
    (listening, policies::word(&service.tls))
}

async fn serve(
    reception: Reception,
    services: Vec<(Listening, &'static str)>,
    strict: bool,
) -> Result<ExitCode, Failure> {
    let handler = |kind| {
        signal(kind).map_err(|error| Failure::try_later(format!("cannot take signals: {error}")))
    };
    let (mut terminate, mut interrupt) =
        (handler(SignalKind::terminate())?, handler(SignalKind::interrupt())?);
    // Without a handler, a message larger than the limit ends the program, and every connection
    // with it; with one, only the write fails.
    let _file_size = handler(SignalKind::from_raw(FILE_SIZE_SIGNAL))?;
    let mut server = Server::new(reception);
    let mut lines: Vec<(String, SocketAddr, &str)> = Vec::new();
    for (service, word) in services {
        let name = service.name.clone();
        match server.bind(service) {
            Ok(addresses) => {
                lines.extend(addresses.into_iter().map(|address| (name.clone(), address, word)));
            }
            Err(error) if strict => return Err(Failure::try_later(format!("--strict: {error}"))),
            Err(error) => print::line(format_args!("hvmail-smtpd: {error}")),
        }
    }
    if lines.is_empty() {
        return Err(Failure { exit: Exit::TryLater, message: "no service could listen".into() });
    }
    for (name, address, word) in lines {
        print::line(format_args!("listening service={name} addr={address} tls={word}"));
    }
    let drained = server
        .serve(async move {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            print::line("draining");
        })
        .await;
    print::line(format_args!("drained finished={} cut={}", drained.finished, drained.cut));
    Ok(ExitCode::SUCCESS)
}

/// Sessions are logged to stderr; `RUST_LOG` says how much (`info` without it).
fn log() {
    let filter = tracing_subscriber::EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("info"));
    let log = tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_ansi(false)
        // It would say on stderr that stderr cannot be written to, and panic there.
        .log_internal_errors(false)
        .with_env_filter(filter);
    // A second call in one process keeps the first log.
    let _ = log.try_init();
}
