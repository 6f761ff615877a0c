//! Many messages to one server, in clear.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use clap::Args;
use smtp_client::session::Envelope;
use smtp_client::tls::ClientPolicy;
use smtp_client::wire::{ForwardPath, ReversePath};
use smtp_client::{Client, Connection, Message, Route};
use tokio::runtime::Builder;
use tokio::task::JoinSet;

use crate::{Outcome, client, parse_route, rate};

/// Send messages in clear, and print how many a second were taken
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The server
    #[arg(value_name = "HOST:PORT", value_parser = parse_route)]
    server: Route,
    /// Connections at a time
    #[arg(short, long, value_name = "C", default_value_t = 1)]
    connections: u64,
    /// Messages in all
    #[arg(short, long, value_name = "N", default_value_t = 20_000)]
    messages: u64,
    /// Octets of a message, behind its header
    #[arg(short, long, value_name = "OCTETS", default_value_t = 1024)]
    length: usize,
    /// Take a new connection for each message
    #[arg(short, long)]
    reconnect: bool,
    /// Threads that the connections share
    #[arg(short, long, value_name = "T", default_value_t = 1)]
    threads: usize,
    /// The recipient
    #[arg(long, value_name = "ADDRESS", default_value = "load@example.org")]
    to: String,
}

struct Load {
    client: Client,
    server: Route,
    envelope: Envelope,
    message: Message,
    reconnect: bool,
    /// Messages that nobody has begun to send.
    left: AtomicU64,
}

pub(crate) fn run(arguments: &Arguments) -> Outcome {
    let forward_path = ForwardPath::parse(&arguments.to)?;
    let load = Arc::new(Load {
        client: client(),
        server: arguments.server.clone(),
        envelope: Envelope::new(&ReversePath::parse("load@example.com")?).to(&forward_path),
        message: Message::from_bytes(message(arguments.length)),
        reconnect: arguments.reconnect,
        left: AtomicU64::new(arguments.messages),
    });
    let mut builder = match arguments.threads {
        0 | 1 => Builder::new_current_thread(),
        _ => Builder::new_multi_thread(),
    };
    let runtime = builder.worker_threads(arguments.threads.max(1)).enable_all().build()?;
    let begun = Instant::now();
    runtime.block_on(async {
        let mut connections = JoinSet::new();
        for _ in 0..arguments.connections {
            connections.spawn(Arc::clone(&load).send());
        }
        while let Some(ended) = connections.join_next().await {
            ended??;
        }
        Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
    })?;
    println!("{}", rate(arguments.messages, begun.elapsed()));
    Ok(())
}

impl Load {
    /// One connection's work, until no message is left.
    async fn send(self: Arc<Self>) -> Outcome {
        let mut open: Option<Connection> = None;
        while self.claim() {
            let mut connection = match open.take() {
                Some(connection) => connection,
                None => self.client.open(&self.server, &ClientPolicy::plaintext()).await?,
            };
            let outcomes = connection.send(self.envelope.clone(), &self.message).await;
            if let Some(outcome) = outcomes.iter().find(|outcome| !outcome.is_delivered()) {
                return Err(outcome.to_string().into());
            }
            match self.reconnect {
                true => connection.quit().await,
                false => open = Some(connection),
            }
        }
        if let Some(connection) = open {
            connection.quit().await;
        }
        Ok(())
    }

    fn claim(&self) -> bool {
        let less = |left: u64| left.checked_sub(1);
        self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less).is_ok()
    }
}

/// A header, and lines of 80 octets with their ends, as smtp-source sends them.
fn message(length: usize) -> Vec<u8> {
    let mut message = b"From: <load@example.com>\r\nTo: <load@example.org>\r\n\
        Date: Thu, 1 Jan 1970 00:00:00 +0000\r\nMessage-Id: <0001.0001.0001@load.example>\r\n\r\n"
        .to_vec();
    let end = message.len() + length;
    while message.len() < end {
        let line = (end - message.len()).min(80);
        message.extend(std::iter::repeat_n(b'X', line.saturating_sub(2)));
        message.extend_from_slice(b"\r\n");
    }
    message
}
