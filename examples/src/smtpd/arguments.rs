//! The command line of `hvmail-smtpd`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::builder::RangedU64ValueParser;
use clap::{ArgGroup, Parser, ValueEnum};
use hvmail_control::source::DEFAULT_ROOT;
use smtp_tls::Backend;

/// The bounds of `--watch`, in seconds: a shorter interval would take what somebody is still writing.
const WATCH: std::ops::RangeInclusive<u64> = 1..=86_400;

const EXIT_CODES: &str = "\
Exit codes: 0 it was told to stop; 75 no address could be had, or the Maildir cannot be opened; 78 the
directory cannot be served, or with --strict has errors; 64 the command line.";

/// Serves the SMTP services of a GreenArrow / qmail control directory.
///
/// SIGHUP reads the directory again, for new connections; SIGTERM lets open sessions end.
#[derive(Clone, Debug, Parser)]
#[command(name = "hvmail-smtpd", version, after_help = EXIT_CODES)]
#[command(group(ArgGroup::new("messages").args(["maildir", "sink", "demo"]).required(true)))]
pub struct Arguments {
    /// The control directory
    #[arg(long, value_name = "DIR", default_value = DEFAULT_ROOT)]
    control: PathBuf,
    /// Keep messages in this Maildir; it is made where it is missing
    #[arg(long, value_name = "DIR")]
    maildir: Option<PathBuf>,
    /// Count messages and throw them away after the final dot, for load measurements
    #[arg(long, value_name = "SINK")]
    sink: Option<Sink>,
    /// Serve only this service (smtp, smtp2 or smtp3); may be repeated
    #[arg(long = "service", value_name = "NAME")]
    pub(super) services: Vec<String>,
    /// The TLS library: rustls or openssl
    #[arg(long, value_name = "LIBRARY")]
    pub(super) tls: Option<Backend>,
    /// Refuse to start when anything is an error, instead of leaving broken services down; a reload
    /// is always judged so
    #[arg(long)]
    pub(super) strict: bool,
    /// Reload also when files have changed: they are looked at every SECONDS (5), and a change is
    /// taken that is as old as that
    #[arg(
        long,
        value_name = "SECONDS",
        num_args = 0..=1,
        default_missing_value = "5",
        value_parser = RangedU64ValueParser::<u64>::new().range(WATCH),
    )]
    watch: Option<u64>,
    /// Offer TLS 1.3 alone
    #[arg(long)]
    pub(super) tls13_only: bool,
    /// Let clients resume sessions on every host that has this FILE: 80 octets of randomness
    /// (umask 077; openssl rand -out FILE 80), best in a tmpfs, or 160: the current key and the one
    /// before. Read again at each reload. rustls alone
    #[arg(long, value_name = "FILE")]
    pub(super) ticket_keys: Option<PathBuf>,
    /// Look for the addresses of tls.tlsclients also among a client certificate's alternative names
    #[arg(long)]
    pub(super) client_cert_san: bool,
    /// Make DIR (control files, certificate, Maildir) where it is missing, and serve it on loopback
    #[arg(long, value_name = "DIR", conflicts_with = "control")]
    pub(super) demo: Option<PathBuf>,
}

/// Where messages go that are not kept.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Sink {
    /// Nowhere.
    Discard,
}

impl Arguments {
    /// The directory that is served.
    pub(super) fn directory(&self) -> &Path {
        self.demo.as_deref().unwrap_or(&self.control)
    }

    /// The Maildir that the command line names.
    pub(super) fn maildir(&self) -> Option<PathBuf> {
        self.maildir.clone()
    }

    /// How often the files are looked at, if at all.
    pub(super) fn watch(&self) -> Option<Duration> {
        self.watch.map(Duration::from_secs)
    }
}
