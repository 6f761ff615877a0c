//! Reading the control directory again, while it is served.
//!
//! Does: on SIGHUP, where `--watch` asks for it on a change of the files that were read, and when the
//! certificate that this program made is to be made anew, read the directory on a thread of its own, and
//! hand what comes of it to the server. Several signals that come while it reads are one. Does not: touch
//! a connection that is open. Fails: never; a reading with any error, or with an address that cannot be
//! had, is refused whole, said to be so, and what is served stays. For the certificate, errors that the
//! start passed over are passed over again.

use std::convert::Infallible;
use std::fmt;
use std::future::pending;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use smtp_server::{ApplyError, ServerHandle};
use tokio::signal::unix::Signal;
use tokio::sync::oneshot;
use tokio::time::{Interval, MissedTickBehavior, interval_at};

use super::generation::{Generation, Kept, Refused, Setup};
use super::reception::Reception;
use super::watch::{Looks, Watch};
use crate::print;

/// How long a certificate that could not be made anew is left alone. It has 30 days.
const RENEWAL_PAUSE: Duration = Duration::from_secs(60 * 60);

/// How long the clock is not looked at while the certificate is in its time: the host may sleep, and the
/// clock be set.
const CLOCK_PAUSE: Duration = Duration::from_secs(60);

const DRAINING: &str = "the server is draining";

/// Whether the server was told to stop.
pub(super) type Draining = Arc<AtomicBool>;

/// Reads again when it is asked to.
pub(super) struct Reloads {
    setup: Arc<Setup>,
    server: ServerHandle<Reception>,
    kept: Arc<Kept>,
    listening: Vec<Line>,
    /// What was read well, and lacks an address.
    waiting: Option<Generation>,
    watch: Watch,
    looking: Option<Interval>,
    /// When the certificate was last to be made anew.
    renewed: Option<tokio::time::Instant>,
    hangup: Signal,
    draining: Draining,
}

/// A listener, as the log has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line {
    service: String,
    address: SocketAddr,
    tls: &'static str,
}

impl Line {
    pub(super) fn new(kept: &Kept, service: &str, address: SocketAddr) -> Self {
        // Only what is served listens.
        let tls = kept.words.get(service).copied().unwrap_or("none");
        Self { service: service.to_owned(), address, tls }
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { service, address, tls } = self;
        write!(f, "listening service={service} addr={address} tls={tls}")
    }
}

/// Why the directory is read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Cause {
    Signal,
    Change,
    /// The certificate that this program made nears its end.
    Certificate,
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Signal => "signal",
            Self::Change => "change",
            Self::Certificate => "certificate",
        })
    }
}

impl Reloads {
    /// Goes on from what is served.
    pub(super) fn new(
        setup: Arc<Setup>,
        server: ServerHandle<Reception>,
        (kept, looks): (Arc<Kept>, Looks),
        listening: Vec<Line>,
        hangup: Signal,
        draining: Draining,
    ) -> Self {
        let mut watch = Watch::default();
        watch.took(looks);
        let looking = setup.arguments.watch().map(every);
        let (waiting, renewed) = (None, None);
        Self { setup, server, kept, listening, waiting, watch, looking, renewed, hangup, draining }
    }

    /// Reads whenever there is a cause.
    pub(super) async fn run(mut self) -> Infallible {
        loop {
            let waits = self.waiting.is_some();
            let cause = tokio::select! {
                biased;
                () = hung_up(&mut self.hangup) => Some(Cause::Signal),
                cause = looked(&mut self.watch, self.looking.as_mut(), waits) => cause,
                () = renewal_is_due(self.kept.renewal_due, self.renewed) => {
                    self.renewed = Some(tokio::time::Instant::now());
                    Some(Cause::Certificate)
                }
            };
            let Some(cause) = cause else {
                // That the address still cannot be had was said.
                if let Some(generation) = self.waiting.take() {
                    let _ = self.apply(generation).await;
                }
                continue;
            };
            if let Err(reason) = self.reload(cause).await {
                print::line(format_args!("reload refused: {reason}"));
            }
        }
    }

    async fn reload(&mut self, cause: Cause) -> Result<(), String> {
        if self.draining.load(Ordering::Relaxed) {
            return Err(DRAINING.to_owned());
        }
        print::line(format_args!("reloading cause={cause}"));
        let (setup, kept) = (Arc::clone(&self.setup), Arc::clone(&self.kept));
        // Nobody asked for another certificate: what was passed over at the start keeps it from nobody.
        let refused = if cause == Cause::Certificate { Refused::New } else { Refused::All };
        let read = move || Generation::read(&setup, Some(&kept), refused);
        let (generation, looks) = on_a_thread(read).await.map_err(|error| error.to_string())?;
        self.watch.took(looks);
        self.waiting = None;
        self.apply(generation.map_err(|failure| failure.message)?).await
    }

    async fn apply(&mut self, generation: Generation) -> Result<(), String> {
        let Generation { reception, services, kept } = generation.clone();
        let applied =
            self.server.apply(reception, services).await.map_err(|error| match error {
                ApplyError::Stopped => DRAINING.to_owned(),
                ApplyError::Bind(error) => {
                    self.waiting = Some(generation);
                    error.to_string()
                }
            })?;
        let now: Vec<_> = applied
            .listening
            .iter()
            .map(|(service, address)| Line::new(&kept, service, *address))
            .collect();
        self.say(&now, &kept);
        (self.listening, self.kept) = (now, kept);
        Ok(())
    }

    /// Says what is new and what is gone.
    fn say(&self, now: &[Line], kept: &Kept) {
        for Line { service, address, .. } in &self.listening {
            if !now.iter().any(|line| line.address == *address) {
                print::line(format_args!("closed service={service} addr={address}"));
            }
        }
        for line in now.iter().filter(|line| !self.listening.contains(line)) {
            print::line(line);
        }
        let (listeners, acceptors) = (now.len(), kept.acceptors.count());
        let made = kept.acceptors.made();
        print::line(format_args!(
            "reloaded listeners={listeners} tls_configurations={acceptors} new={made}"
        ));
    }
}

/// Returns when the certificate in force is to be made anew; never, where it is not this program's.
async fn renewal_is_due(due: Option<u64>, last: Option<tokio::time::Instant>) {
    let Some(due) = due else { return pending().await };
    if let Some(last) = last {
        tokio::time::sleep_until(last + RENEWAL_PAUSE).await;
    }
    loop {
        let left = due.saturating_sub(print::unix_seconds());
        if left == 0 {
            return;
        }
        tokio::time::sleep(Duration::from_secs(left).min(CLOCK_PAUSE)).await;
    }
}

async fn hung_up(hangup: &mut Signal) {
    if hangup.recv().await.is_none() {
        pending().await
    }
}

/// Returns when the files have changed, and rest; or with no cause to read where they have not, and
/// what was read `waits`. Never, where nobody looks at them.
async fn looked(watch: &mut Watch, looking: Option<&mut Interval>, waits: bool) -> Option<Cause> {
    let Some(looking) = looking else { return pending().await };
    loop {
        looking.tick().await;
        let taken = watch.taken().clone();
        // What cannot be looked at now is looked at the next time.
        let Ok(now) = on_a_thread(move || taken.again()).await else { continue };
        let unchanged = now == *watch.taken();
        if watch.settled(now) {
            return Some(Cause::Change);
        }
        if waits && unchanged {
            return None;
        }
    }
}

fn every(interval: Duration) -> Interval {
    let mut ticks = interval_at(tokio::time::Instant::now() + interval, interval);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}

/// Runs what may wait for a disk. It is no task of the runtime: one that hangs would keep the program
/// from its end.
pub(super) async fn on_a_thread<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> io::Result<T> {
    let (done, answer) = oneshot::channel();
    let work = move || {
        // Who asked may be gone.
        let _ = done.send(work());
    };
    thread::Builder::new().name("control".to_owned()).spawn(work)?;
    answer.await.map_err(|_| io::Error::other("the thread that reads the directory has failed"))
}
