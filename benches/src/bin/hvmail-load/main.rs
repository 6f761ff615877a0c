//! Load for measurements: messages, idle TLS connections, and what a disk alone can do.
//!
//! Does: put a server under the load that was asked for, through the client library, and print what
//! came of it. Does not: compare; `scripts/measure` puts the figures beside those of others. Fails:
//! 69 as soon as one message or connection is not taken, for a figure over failures says nothing;
//! 64 for the command line.

#[cfg(feature = "rustls")]
mod connections;
mod disk;
mod idle;
mod send;

use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use smtp_client::wire::ClientName;
use smtp_client::{Client, Config, Route};

/// Puts load on a server or on a disk, and prints what came of it.
#[derive(Debug, Parser)]
#[command(name = "hvmail-load", version)]
enum Command {
    Send(send::Arguments),
    Idle(idle::Arguments),
    Disk(disk::Arguments),
    #[cfg(feature = "rustls")]
    Connections(connections::Arguments),
}

type Outcome = Result<(), Box<dyn std::error::Error + Send + Sync>>;

fn main() -> ExitCode {
    let command = match Command::try_parse() {
        Ok(command) => command,
        Err(error) => {
            // A closed stdout or stderr leaves nothing to say it with.
            let _ = error.print();
            return if error.use_stderr() { ExitCode::from(64) } else { ExitCode::SUCCESS };
        }
    };
    let outcome = match command {
        Command::Send(arguments) => send::run(&arguments),
        Command::Idle(arguments) => idle::run(&arguments),
        Command::Disk(arguments) => disk::run(&arguments),
        #[cfg(feature = "rustls")]
        Command::Connections(arguments) => connections::run(&arguments),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("hvmail-load: {error}");
            ExitCode::from(69)
        }
    }
}

fn client() -> Client {
    Client::new(Config::new(ClientName::parse("load.example").expect("a name")))
}

fn parse_route(text: &str) -> Result<Route, String> {
    let (host, port) = text.rsplit_once(':').ok_or("expected HOST:PORT")?;
    let port = port.parse().map_err(|_| format!("{port:?} is no port"))?;
    Ok(Route::new(host, port))
}

/// `12345 messages/s (20000 in 1.620 s)`
fn rate(messages: u64, time: Duration) -> String {
    let seconds = time.as_secs_f64();
    let rate = messages as f64 / seconds;
    format!("{rate:.0} messages/s ({messages} in {seconds:.3} s)")
}
