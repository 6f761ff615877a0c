//! Many idle TLS connections to one server.

use std::io::{self, Read, Write};
use std::sync::Arc;

use clap::Args;
use smtp_client::session::Envelope;
use smtp_client::tls::{Backend, ClientPolicy};
use smtp_client::wire::{ClientName, ForwardPath, ReversePath};
use smtp_client::{Client, Config, Connection, Message, Route};
use tokio::runtime::Builder;
use tokio::task::JoinSet;

use crate::{Outcome, parse_route};

/// Open connections with STARTTLS, and hold them until standard input ends
///
/// Each has said EHLO inside TLS. Once all are open, a line `open N` is printed.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The server
    #[arg(value_name = "HOST:PORT", value_parser = parse_route)]
    server: Route,
    /// Connections
    #[arg(short, long, value_name = "N", default_value_t = 2000)]
    connections: u64,
    /// Messages that each connection sends before it is idle
    #[arg(short, long, value_name = "N", default_value_t = 0)]
    messages: u64,
    /// The TLS library of this side: rustls or openssl
    #[arg(long, value_name = "LIBRARY")]
    tls: Option<Backend>,
    /// The recipient
    #[arg(long, value_name = "ADDRESS", default_value = "load@example.org")]
    to: String,
}

/// Handshakes at a time: enough to keep a server busy, too few to wait in its backlog.
const AT_A_TIME: u64 = 32;

pub(crate) fn run(arguments: &Arguments) -> Outcome {
    let mut config = Config::new(ClientName::parse("load.example")?);
    config.backend = arguments.tls;
    let client = Arc::new(Client::new(config));
    let forward_path = ForwardPath::parse(&arguments.to)?;
    let envelope = Envelope::new(&ReversePath::parse("load@example.com")?).to(&forward_path);

    let runtime = Builder::new_current_thread().enable_all().build()?;
    let open = runtime.block_on(async {
        let mut opening = JoinSet::new();
        let mut open = Vec::new();
        for begun in 0..arguments.connections {
            if begun >= AT_A_TIME
                && let Some(opened) = opening.join_next().await
            {
                open.push(opened??);
            }
            let (client, server) = (Arc::clone(&client), arguments.server.clone());
            opening.spawn(connect(client, server, envelope.clone(), arguments.messages));
        }
        while let Some(opened) = opening.join_next().await {
            open.push(opened??);
        }
        Ok::<_, Box<dyn std::error::Error + Send + Sync>>(open)
    })?;
    println!("open {}", open.len());
    io::stdout().flush()?;
    io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}

async fn connect(
    client: Arc<Client>,
    server: Route,
    envelope: Envelope,
    messages: u64,
) -> Result<Connection, Box<dyn std::error::Error + Send + Sync>> {
    let mut connection = client.open(&server, &ClientPolicy::required()).await?;
    let message = Message::from_bytes("Subject: load\r\n\r\nload\r\n");
    for _ in 0..messages {
        let outcomes = connection.send(envelope.clone(), &message).await;
        if let Some(outcome) = outcomes.iter().find(|outcome| !outcome.is_delivered()) {
            return Err(outcome.to_string().into());
        }
    }
    Ok(connection)
}
