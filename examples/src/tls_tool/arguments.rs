//! The command line of `hvmail-tls`.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use hvmail_control::source::DEFAULT_ROOT;

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
    /// Make or renew the five temporary key files
    #[command(name = "update-tmprsadh", after_help = UPDATE_HELP)]
    UpdateTmprsadh(UpdateTmprsadh),
}

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
one (without OpenSSL it writes tls.dh2048.pem alone); 64 the command line.

Examples:
  hvmail-tls update-tmprsadh
  hvmail-tls update-tmprsadh --owner qmaild:qmail /var/hvmail/control";
