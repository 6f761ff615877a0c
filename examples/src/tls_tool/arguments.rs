//! The command line of `hvmail-tls`.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use hvmail_control::source::DEFAULT_ROOT;
use smtp_tls::Backend;

use super::owner::OwnerArgument;

/// Checks and explains the TLS settings of a GreenArrow / qmail control directory.
#[derive(Debug, Parser)]
#[command(name = "hvmail-tls", version)]
pub struct Arguments {
    #[command(subcommand)]
    pub(super) command: Command,
}

/// What is to be done.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Say everything there is to say about a control directory
    #[command(after_help = CHECK_HELP)]
    Check(Check),
    /// Say what an OpenSSL cipher string means, and what a TLS library keeps of it
    #[command(after_help = CIPHERS_HELP)]
    Ciphers(Ciphers),
    /// Say what is in force, where each setting comes from, and what it overrode
    #[command(after_help = EXPLAIN_HELP)]
    Explain(Explain),
    /// Make or renew the five temporary key files
    #[command(name = "update-tmprsadh", after_help = UPDATE_HELP)]
    UpdateTmprsadh(UpdateTmprsadh),
}

#[derive(Args, Debug)]
pub(super) struct Check {
    /// The control directory
    #[arg(value_name = "DIR", default_value = DEFAULT_ROOT)]
    pub(super) directory: PathBuf,
    /// The TLS library that is to serve it: rustls or openssl
    #[arg(long, value_name = "LIBRARY")]
    pub(super) tls: Option<Backend>,
}

const CHECK_HELP: &str = "\
Each diagnostic has its file, line and column, and the text that it is about. What the TLS library cannot
honour is among them, and what is to be said of the certificate today. Nothing in the directory is changed.
Colours are used on a terminal, unless NO_COLOR is set.

Exit codes: 0 no errors (there may be warnings); 78 errors, or no such directory; 64 the command line.

Examples:
  hvmail-tls check
  hvmail-tls check --tls openssl ./control";

#[derive(Args, Debug)]
pub(super) struct Ciphers {
    /// The cipher string, as it stands in tls.tlsserverciphers or TLSCIPHERS
    #[arg(value_name = "STRING", default_value = "DEFAULT", allow_hyphen_values = true)]
    pub(super) string: String,
    /// The TLS library: rustls or openssl
    #[arg(long, value_name = "LIBRARY")]
    pub(super) tls: Option<Backend>,
}

const CIPHERS_HELP: &str = "\
Each line of the output is a suite of TLS 1.2 or older, in the order of preference, and what becomes of it.
Words without effect are named on stderr with their place. No certificate is looked at: a server offers of
these suites the ones that fit its key.

Exit codes: 0 the string can be used; 78 OpenSSL would refuse it, or the library keeps none of it; 64 the
command line.

Examples:
  hvmail-tls ciphers
  hvmail-tls ciphers 'ECDHE+AESGCM:!aNULL' --tls openssl";

#[derive(Args, Debug)]
pub(super) struct Explain {
    /// The control directory
    #[arg(value_name = "DIR", default_value = DEFAULT_ROOT)]
    pub(super) directory: PathBuf,
    /// Explain mail to this domain alone
    #[arg(long, value_name = "DOMAIN")]
    pub(super) to: Option<String>,
    /// The IP address, by its name in greenarrow.conf, that the mail leaves by
    #[arg(long, value_name = "NAME", requires = "to")]
    pub(super) from_ip: Option<String>,
    /// Explain this service alone (smtp, smtp2 or smtp3)
    #[arg(long, value_name = "NAME")]
    pub(super) service: Option<String>,
    /// The TLS library: rustls or openssl
    #[arg(long, value_name = "LIBRARY")]
    pub(super) tls: Option<Backend>,
    /// Print JSON
    #[arg(long)]
    pub(super) json: bool,
}

const EXPLAIN_HELP: &str = "\
Each setting has its value, the place that decides (FILE:LINE:COLUMN, an environment variable, or the default
of what is absent), and what else was written and did not count. For each service, and for each access
rule that changes it, there is what the TLS library offers, what a modern client gets of it, and what
the library does not honour. Private keys are never shown.

Exit codes: 0 explained; 78 no such directory, or rules for the outgoing mail in question that cannot be
used; 64 the command line.

Examples:
  hvmail-tls explain
  hvmail-tls explain --service smtp2 --tls openssl
  hvmail-tls explain --to example.com --from-ip mailer1
  hvmail-tls explain --json | jq '.services[] | {name, state, tls: .tls.modern_peer}'";

#[derive(Args, Debug)]
pub(super) struct UpdateTmprsadh {
    /// The control directory
    #[arg(value_name = "DIR", default_value = DEFAULT_ROOT)]
    pub(super) directory: PathBuf,
    /// Whose the files are to be, by names or numbers; without it, whose the replaced file is
    #[arg(long, value_name = "USER:GROUP")]
    pub(super) owner: Option<OwnerArgument>,
    /// Write the group of RFC 7919 to tls.dh2048.pem instead of searching for one of its own
    #[arg(long)]
    pub(super) standard_group: bool,
}

const UPDATE_HELP: &str = "\
The files are tls.rsa512.pem, tls.rsa1024.pem, tls.dh512.pem, tls.dh1024.pem and tls.dh2048.pem. Each is
replaced whole or stays as it was, whatever becomes of the others, with mode 0600. A symbolic link is
itself replaced. The search for the group of 2048 bits can take minutes.

Exit codes: 0 all five are new; 75 something outside failed for one of them; 69 this build cannot make
one (without OpenSSL it writes tls.dh2048.pem alone); 78 no such directory; 64 the command line.

Examples:
  hvmail-tls update-tmprsadh
  hvmail-tls update-tmprsadh --owner qmaild:qmail /var/hvmail/control";
