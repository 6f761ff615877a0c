//! Connections from greeting to QUIT over loopback, both sides in this process, each in a thread of its
//! own: for whoever counts what a thread asks of the kernel.

use clap::{Args, ValueEnum};
use hvmail_benches::handshake::{
    Case, Group, Key, Library, Material, Path, Side, Sockets, Tls, Who,
};

use crate::Outcome;

/// Go through connections one after the other, and print the processor's time of each side
///
/// One side is ours or a TLS library alone; the other is always rustls alone.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Connections in all
    #[arg(short, long, value_name = "N", default_value_t = 100)]
    connections: u32,
    /// The side that is looked at
    #[arg(long, default_value = "server")]
    side: SideName,
    /// Its TLS library
    #[arg(long, default_value = "rustls")]
    tls: LibraryName,
    /// How it comes to TLS
    #[arg(long, default_value = "starttls")]
    path: PathName,
    /// TLS 1.2, not 1.3
    #[arg(long)]
    tls12: bool,
    /// Resume a session
    #[arg(long)]
    resumed: bool,
    /// The library alone, not ours
    #[arg(long)]
    alone: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum SideName {
    Server,
    Client,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum LibraryName {
    Rustls,
    Openssl,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum PathName {
    Clear,
    Starttls,
    Smtps,
}

pub(crate) fn run(arguments: &Arguments) -> Outcome {
    let side = match arguments.side {
        SideName::Server => Side::Server,
        SideName::Client => Side::Client,
    };
    let case = Case {
        side,
        library: match arguments.tls {
            LibraryName::Rustls => Library::Rustls,
            LibraryName::Openssl => Library::OpenSsl,
        },
        path: if arguments.path == PathName::Smtps { Path::Smtps } else { Path::StartTls },
        tls: if arguments.tls12 { Tls::V12 } else { Tls::V13 },
        key: Key::P256,
        group: Group::X25519,
        resumed: arguments.resumed,
        shown: false,
    };
    case.is_possible().map_err(|absent| absent.0)?;
    let case = (arguments.path != PathName::Clear).then_some(case);
    let who = if arguments.alone { Who::Bare } else { Who::Ours };
    let sockets = Sockets::new(who, side, case, &Material::new(Key::P256));
    let (server, client) = sockets.run(arguments.connections);
    let micros = |time: std::time::Duration| time.as_secs_f64() * 1e6;
    println!("server {:.1} us, client {:.1} us each", micros(server), micros(client));
    Ok(())
}
