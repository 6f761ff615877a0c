//! The command line of `hvmail-send`.

use std::net::IpAddr;
use std::path::PathBuf;

use clap::Parser;
use hvmail_control::source::DEFAULT_ROOT;
use smtp_client::Route;
use smtp_client::wire::{EnvelopeId, Notify, Ret, Xtext};
use smtp_tls::Backend;

const EXIT_CODES: &str = "\
Exit codes: 0 delivered to all; 75 deferred for at least one recipient; 69 rejected for at least one, and
deferred for none; 78 the outgoing rules cannot be read; 64 the command line, or a file that it names.";

/// Sends one message under the outgoing rules of a GreenArrow / qmail control directory.
#[derive(Debug, Parser)]
#[command(name = "hvmail-send", version, after_help = EXIT_CODES)]
pub struct Arguments {
    /// The control directory
    #[arg(long, value_name = "DIR", default_value = DEFAULT_ROOT)]
    pub(super) control: PathBuf,
    /// Hand the message to this host, whatever the rules route
    #[arg(long, value_name = "HOST:PORT", value_parser = parse_route)]
    pub(super) route: Option<Route>,
    /// The name of the sending IP address, for the rules in ip_address blocks
    #[arg(long, value_name = "NAME")]
    pub(super) from_ip: Option<String>,
    /// The TLS library: rustls or openssl
    #[arg(long, value_name = "LIBRARY")]
    pub(super) tls: Option<Backend>,
    /// Raise the rules: TLS is required and the server's certificate must be valid for its name
    #[arg(long)]
    pub(super) verify: bool,
    /// The authorities that --verify trusts, in PEM; the system's without it
    #[arg(long, value_name = "FILE", requires = "verify")]
    pub(super) ca: Option<PathBuf>,
    /// The name that --verify checks and SNI sends; HOST without it
    #[arg(long, value_name = "NAME", requires = "verify", value_parser = parse_host)]
    pub(super) name: Option<String>,
    /// The reverse-path: a mailbox, or <> for none
    #[arg(long, value_name = "A")]
    pub(super) from: String,
    /// A forward-path; may be repeated
    #[arg(long, value_name = "B", required = true)]
    pub(super) to: Vec<String>,
    /// Prove who sends, by AUTH, to the host of --route; the password never goes in clear, and
    /// without --verify any certificate will do
    #[arg(long, value_name = "USER", requires_all = ["auth_password_file", "route"])]
    pub(super) auth_user: Option<String>,
    /// The file whose first line is the password
    #[arg(long, value_name = "FILE", requires = "auth_user")]
    pub(super) auth_password_file: Option<PathBuf>,
    /// When the sender is notified: NEVER, or some of SUCCESS,FAILURE,DELAY
    #[arg(long, value_name = "EVENTS", value_parser = parse_notify)]
    pub(super) notify: Option<Notify>,
    /// How much of the message a notification of failure holds: FULL or HDRS
    #[arg(long, value_name = "PART", value_parser = parse_ret)]
    pub(super) ret: Option<Ret>,
    /// What notifications call this message
    #[arg(long, value_name = "ID", value_parser = parse_envelope_id)]
    pub(super) envid: Option<String>,
    /// Every host on the message's way must use TLS with a valid certificate, or not take it
    #[arg(long, requires = "verify")]
    pub(super) requiretls: bool,
    /// Speak LMTP in the place of SMTP
    #[arg(long, requires = "route")]
    pub(super) lmtp: bool,
    /// The message; standard input without it
    #[arg(value_name = "FILE")]
    pub(super) file: Option<PathBuf>,
}

fn parse_route(text: &str) -> Result<Route, String> {
    let (host, port) = text.rsplit_once(':').ok_or("expected HOST:PORT")?;
    let host = match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        Some(address) => match address.parse::<IpAddr>() {
            Ok(_) => address.to_owned(),
            Err(_) => return Err("only an IP address goes in [ ]".to_owned()),
        },
        None if host.contains(':') => return Err("an IPv6 address goes in [ ]".to_owned()),
        None => parse_host(host)?,
    };
    match port.parse() {
        Ok(0) | Err(_) => Err(format!("{port:?} is no port")),
        Ok(port) => Ok(Route::new(host, port)),
    }
}

fn parse_notify(text: &str) -> Result<Notify, &'static str> {
    Notify::parse(text).ok_or("expected NEVER, or some of SUCCESS,FAILURE,DELAY")
}

fn parse_ret(text: &str) -> Result<Ret, &'static str> {
    Ret::parse(text).ok_or("expected FULL or HDRS")
}

/// The identifier as it goes on the wire.
fn parse_envelope_id(text: &str) -> Result<String, &'static str> {
    let xtext = Xtext::encode(text.as_bytes());
    match EnvelopeId::parse(&xtext) {
        Some(_) => Ok(xtext),
        None => Err("expected 1 to 100 printable characters of ASCII"),
    }
}

/// A name that can be looked up and put in a line of output, or an IP address.
fn parse_host(text: &str) -> Result<String, String> {
    let is_label = |label: &str| {
        let character = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
        !label.is_empty() && label.chars().all(character)
    };
    let name = text.strip_suffix('.').unwrap_or(text);
    match text.parse::<IpAddr>().is_ok() || name.split('.').all(is_label) {
        true => Ok(text.to_owned()),
        false => Err(format!("{text:?} is neither a host name nor an IP address")),
    }
}
