//! An SMTP server to embed: listeners, STARTTLS and SMTPS, a durable Maildir.
//!
//! ```text
//!            accept, cap, drain      the one place where a socket      what you write
//!                                    meets a session
//!  TcpListener ─► listener ───────► connection ─────────────────────► Handler ─► HandlerSession
//!                                    │  ▲  │                                          │
//!                          transport ┘  │  └──────────────── octets ───────────────► Sink
//!                   (socket, or TLS)    └ smtp_proto::server::Session     (maildir, discard, yours)
//! ```
//!
//! A whole server, that takes mail for one domain into a Maildir:
//!
//! ```no_run
//! use smtp_proto::{server::Verdict, wire::{Detail, Mail, Rcpt, Refusal}};
//! use smtp_server::{Admission, ConnectionPolicy, Context, HandlerSession, Peer, Server, Service};
//! use smtp_server::maildir::{Delivery, Envelope, Maildir};
//!
//! #[derive(Clone)]
//! struct Session(Maildir, Envelope);
//! impl HandlerSession for Session {
//!     type Sink = Delivery;
//!     async fn mail(&mut self, _: &Context<'_>, mail: Mail<'_>) -> Verdict {
//!         self.1 = Envelope::new(mail.reverse_path.as_str());
//!         Verdict::Accept
//!     }
//!     async fn rcpt(&mut self, _: &Context<'_>, rcpt: Rcpt<'_>) -> Verdict {
//!         if !rcpt.forward_path.as_str().ends_with("@example.org") {
//!             return Verdict::Refuse(Refusal::permanent(Detail::new(7, 1), "not here"));
//!         }
//!         self.1.add_recipient(rcpt.forward_path.as_str());
//!         Verdict::Accept
//!     }
//!     async fn data(&mut self, context: &Context<'_>) -> Result<Delivery, Refusal> {
//!         Ok(self.0.deliver(context, &self.1))
//!     }
//! }
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let smtp = smtp_proto::server::Config::new("mx.example.org").into();
//! let session = Session(Maildir::open("inbox", "mx.example.org")?, Envelope::default());
//! let mut server = Server::new(move |_: &Peer<'_>| Admission::Serve(session.clone()));
//! server.bind(Service::new("smtp", vec!["[::1]:2525".parse()?], ConnectionPolicy::new(smtp)))?;
//! server.serve(std::future::pending()).await;
//! # Ok(())
//! # }
//! ```
//!
//! # What holds
//!
//! - Nothing is read from a peer while a sink or a handler works: who is slow slows the peer.
//! - A message is only kept if it came whole; whatever ends a connection before the sink's
//!   `commit` drops the sink.
//! - A peer that is silent, reads nothing, or dawdles over a handshake is let go in time; one that
//!   only keeps the server waiting, however busily, once its [`patience`] ends.
//! - What the client said in clear is unknown inside TLS, AUTH and the handler's [`Context`]
//!   included.
//!
//! # A change while it serves
//!
//! [`Server::handle`] gives a handle, with which another handler and other services take the place
//! of the first, at one moment and without a connection lost: [`ServerHandle::apply`].
//!
//! ```no_run
//! # use smtp_server::{Handler, Server, Service};
//! # async fn example<H: Handler>(
//! #     server: Server<H>, hangup: impl Future, read: impl Fn() -> (H, Vec<Service>),
//! # ) {
//! let handle = server.handle();
//! let reload = async {
//!     hangup.await;
//!     let (handler, services) = read();
//!     match handle.apply(handler, services).await {
//!         Ok(applied) => println!("closed: {:?}, opened: {:?}", applied.closed, applied.opened),
//!         Err(error) => println!("everything stays as it was: {error}"),
//!     }
//! };
//! tokio::join!(server.serve(std::future::pending()), reload);
//! # }
//! ```
//!
//! # What is supported
//!
//! A session offers PIPELINING, SIZE, 8BITMIME and ENHANCEDSTATUSCODES, and STARTTLS where the policy
//! has it. The rest is switched on in [`Config`]: by a capability, or by the field of that name.
//!
//! | on request | switched on by | what the handler does |
//! |---|---|---|
//! | AUTH (RFC 4954) | `Capability::Auth`, [`auth::Passwords::CAPABILITY`] | [`HandlerSession::authenticate`]; PLAIN and LOGIN by [`auth::Passwords`] |
//! | CHUNKING (RFC 3030) | `Capability::Chunking` | nothing; the last line may lack its end ([`Sink`]) |
//! | BINARYMIME (RFC 3030) | `Capability::BinaryMime` | keeps any octets; the [`maildir`] refuses such a message |
//! | SMTPUTF8 (RFC 6531) | `Capability::SmtpUtf8` | takes addresses outside ASCII; the [`maildir`] does |
//! | LIMITS (RFC 9422) | `Capability::Limits` | nothing; the session fills in its limits |
//! | DSN, REQUIRETLS, DELIVERBY, FUTURERELEASE, MT-PRIORITY, RRVS | the capability | keeps what the extension promises; its parameters are in `Mail` and `Rcpt` |
//! | VRFY, EXPN, HELP, ETRN, XCLIENT, XFORWARD | `requests` | [`HandlerSession::request`] |
//! | LMTP (RFC 2033) | `lmtp` | may answer for each recipient ([`Sink::commit`]) |
//! | limits on messages, recipients, errors, junk, refusals | the `max_…` fields | nothing |
//! | early talkers, improper pipelining | `greeting_delay`, `improper_pipelining` | nothing |
//!
//! Not supported: the PROXY protocol, Unix sockets (LMTP listens on TCP too), and SASL mechanisms
//! other than PLAIN and LOGIN ready to use; a handler can speak any. A message that is taken may
//! come as slowly as the silence between two reads allows, up to its largest size.
//!
//! [`Config`]: smtp_proto::server::Config
//! [`patience`]: ConnectionPolicy::patience
//!
//! # Features
//!
//! `rustls`, `openssl` and `openssl-vendored` are those of `smtp-tls`; without any of them the
//! server speaks clear text alone.
#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod auth;
mod config;
mod connection;
mod context;
pub mod discard;
mod error;
mod generation;
mod handle;
mod handler;
mod listener;
pub mod maildir;
mod patience;
mod server;
mod serving;
mod socket;
mod transport;

pub use config::{
    CONCURRENCY, ConnectionPolicy, DRAIN_TIMEOUT, HANDSHAKE_TIMEOUT, PATIENCE, Service,
};
pub use context::Context;
pub use error::{ApplyError, BindError, storage_refusal};
pub use handle::{Applied, ServerHandle};
pub use handler::{Admission, Handler, HandlerSession, Peer, Sink};
pub use server::{Drained, Server};
pub use smtp_tls::Acceptor;
