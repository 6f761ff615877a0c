//! The command line of `hvmail-smtpd`.

use std::path::{Path, PathBuf};

use clap::{ArgGroup, Parser, ValueEnum};
use hvmail_control::source::DEFAULT_ROOT;
use smtp_tls::Backend;

/// Serves the SMTP services of a GreenArrow / qmail control directory.
#[derive(Debug, Parser)]
#[command(name = "hvmail-smtpd", version)]
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
    /// Refuse to start when anything is an error, instead of leaving broken services down
    #[arg(long)]
    pub(super) strict: bool,
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
}
