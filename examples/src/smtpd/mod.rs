//! `hvmail-smtpd`: the services of a control directory.
//!
//! Does: load the directory, say everything there is to say about it, listen, serve, load it again on
//! SIGHUP, drain on SIGTERM. Does not: change the directory, except to make what `--demo` or
//! `tls_certificate_auto_generate` asks for. Fails: 78 when the directory cannot be served, 75 when
//! no address could be had, 64 for the command line; one broken service stays down and the others
//! run, unless `--strict`.

mod arguments;
mod demo;
mod directory;
mod generation;
mod policies;
mod reception;
mod reload;
mod store;
mod ticket_keys;
mod watch;

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use smtp_server::Server;
use tokio::signal::unix::{Signal, SignalKind, signal};

pub use self::arguments::Arguments;
use self::generation::{Generation, Refused, Setup};
use self::reception::Reception;
use self::reload::{Draining, Line, Reloads, on_a_thread};
use self::store::Store;
use crate::exit::{Exit, Failure};
use crate::{log, print, tls};

/// SIGXFSZ, which a write beyond the host's limit on file sizes (RLIMIT_FSIZE) raises. This is its
/// number on every system but Linux on MIPS and PA-RISC.
const FILE_SIZE_SIGNAL: i32 = 25;

/// Runs the program.
///
/// # Errors
/// What keeps it from serving; nothing once it has begun to.
pub fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    sessions_are_logged();
    let _log = log::UntilTheEnd;
    let backend = tls::backend(arguments.tls)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::try_later(format!("cannot start threads: {error}")))?;
    runtime.block_on(async {
        let signals = Signals::take()?;
        let demo = arguments.demo.as_deref().map(demo::make).transpose()?;
        let maildir = arguments.maildir().or_else(|| demo.map(|demo| demo.maildir));
        serve(Setup { arguments: arguments.clone(), backend, maildir }, signals).await
    })
}

/// The signals that do not end the program at once. They are taken before the directory is read, so that
/// one that comes meanwhile is not lost.
struct Signals {
    hangup: Signal,
    terminate: Signal,
    interrupt: Signal,
    /// Without a handler, a message larger than the limit ends the program, and every connection
    /// with it; with one, only the write fails.
    _file_size: Signal,
}

impl Signals {
    fn take() -> Result<Self, Failure> {
        let handler = |kind| {
            signal(kind)
                .map_err(|error| Failure::try_later(format!("cannot take signals: {error}")))
        };
        Ok(Self {
            hangup: handler(SignalKind::hangup())?,
            terminate: handler(SignalKind::terminate())?,
            interrupt: handler(SignalKind::interrupt())?,
            _file_size: handler(SignalKind::from_raw(FILE_SIZE_SIGNAL))?,
        })
    }
}

async fn serve(setup: Setup, signals: Signals) -> Result<ExitCode, Failure> {
    let Signals { hangup, mut terminate, mut interrupt, _file_size } = signals;
    let stop = async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    };
    let mut stop = Box::pin(stop);
    let refused = if setup.arguments.strict { Refused::All } else { Refused::Fatal };
    let setup = Arc::new(setup);
    let reading = {
        let setup = Arc::clone(&setup);
        on_a_thread(move || Generation::read(&setup, None, refused))
    };
    let (generation, looks) = tokio::select! {
        read = reading => {
            read.map_err(|error| Failure::try_later(format!("cannot read the directory: {error}")))?
        }
        () = &mut stop => {
            // The thread that reads the directory may hang in a line that nobody reads.
            lines_wait_for_nobody()?;
            print::line("stopped before it served");
            return Ok(ExitCode::SUCCESS);
        }
    };
    let generation = generation?;
    let kept = Arc::clone(&generation.kept);
    let (server, listening) = listen(generation, setup.arguments.strict)?;
    lines_wait_for_nobody()?;
    let store = kept.store.clone();

    let draining = Draining::default();
    let reloads = Reloads::new(
        setup,
        server.handle(),
        (kept, looks),
        listening,
        hangup,
        Arc::clone(&draining),
    );
    let stop = async move {
        stop.await;
        draining.store(true, Ordering::Relaxed);
        print::line("draining");
    };
    let drained = tokio::select! {
        drained = server.serve(stop) => drained,
        never = reloads.run() => match never {},
    };
    print::line(format_args!("drained finished={} cut={}", drained.finished, drained.cut));
    if let Store::Discard(discard) = store {
        let (messages, octets) = (discard.messages(), discard.octets());
        print::line(format_args!("discarded messages={messages} octets={octets}"));
    }
    Ok(ExitCode::SUCCESS)
}

/// Listens for every service that can be had.
fn listen(generation: Generation, strict: bool) -> Result<(Server<Reception>, Vec<Line>), Failure> {
    let Generation { reception, services, kept } = generation;
    let mut server = Server::new(reception);
    for service in services {
        match server.bind(service) {
            Ok(_) => {}
            Err(error) if strict => return Err(Failure::try_later(format!("--strict: {error}"))),
            Err(error) => print::line(format_args!("hvmail-smtpd: {error}")),
        }
    }
    let lines: Vec<_> =
        server.listening().map(|(service, address)| Line::new(&kept, service, address)).collect();
    if lines.is_empty() {
        return Err(Failure { exit: Exit::TryLater, message: "no service could listen".into() });
    }
    for line in &lines {
        print::line(line);
    }
    Ok((server, lines))
}

fn lines_wait_for_nobody() -> Result<(), Failure> {
    log::queue().map_err(|error| Failure::try_later(format!("cannot start threads: {error}")))
}

/// Sessions are logged to stderr; `RUST_LOG` says how much (`info` without it).
fn sessions_are_logged() {
    let filter = tracing_subscriber::EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("info"));
    let log = tracing_subscriber::fmt()
        .with_writer(|| log::Lines)
        .with_ansi(false)
        // It would say on stderr that stderr cannot be written to, and panic there.
        .log_internal_errors(false)
        .with_env_filter(filter);
    // A second call in one process keeps the first log.
    let _ = log.try_init();
}
