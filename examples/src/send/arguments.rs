//! The command line of `hvmail-send`.

use std::net::IpAddr;
use std::path::PathBuf;

use clap::Parser;
use hvmail_control::source::DEFAULT_ROOT;
use smtp_client::Route;
use smtp_tls::Backend;

/// Sends one message under the outgoing rules of a GreenArrow / qmail control directory.
#[derive(Debug, Parser)]
#[command(name = "hvmail-send", version)]
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
