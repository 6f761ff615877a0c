//! An SMTP sender to embed: TLS by policy, one outcome per recipient.
//!
//! ```no_run
//! use smtp_client::{Client, Config, Message, Recipient, Route, Sender};
//! use smtp_client::tls::ClientPolicy;
//! use smtp_client::wire::ClientName;
//!
//! # async fn send() -> Result<(), smtp_client::wire::AddressError> {
//! let client = Client::new(Config::new(ClientName::parse("client.example.org")?));
//! let route = Route::new("mx.example.com", 25);
//! let recipient = Recipient::new("b@example.com", route, ClientPolicy::opportunistic())?;
//! let message = Message::from_bytes(&b"Subject: hello\n\nHello.\n"[..]);
//! let report = client.deliver(&Sender::parse("a@example.org")?, &[recipient], &message).await;
//! for recipient in &report.recipients {
//!     println!("{} {} tls={}", recipient.address, recipient.outcome, recipient.tls);
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # The way of a message
//!
//! ```text
//! recipients, each with route and policy
//!   └► grouped by both ─► connect ─► greeting, EHLO ─► policy ─► TLS ─► EHLO
//!                                                        └► clear, or QUIT
//!        ─► AUTH ─► MAIL, RCPT…, DATA or BDAT ─► message ─► replies ─► one outcome per recipient ─► Report
//! ```
//!
//! A connection never serves two policies. [`Client::open`] gives one to keep, for many messages.
//!
//! # What an outcome promises
//!
//! - *delivered*: the server answered the final dot, or the last chunk, with 2yz.
//! - *rejected*: a reply 5yz to this recipient's MAIL, RCPT, DATA or message, or a message that
//!   does not fit what the server offers. It stays so when the connection is lost afterwards.
//! - *deferred*: all else. `may_have_been_accepted` says that the final dot may have been sent, so
//!   that another attempt may deliver twice.
//!
//! # TLS
//!
//! | level | STARTTLS offered | not offered, or refused by a reply | handshake failed |
//! |---|---|---|---|
//! | none | not used | clear | |
//! | opportunistic | used | clear | deferred; or, by [`Fallback`](tls::Fallback), one new connection in clear |
//! | required | used | deferred | deferred |
//! | verified | used, and the certificate checked | deferred | deferred |
//!
//! On port 465, and where the policy says `implicit`, TLS begins with the first octet. Octets
//! behind the server's 220 to STARTTLS end the attempt, and are never a reason to go on in clear.
//!
//! # Features
//!
//! `rustls`, `openssl` (`openssl-vendored`): the TLS libraries; see [`tls`]. Without any of them
//! only [`ClientPolicy::plaintext`](tls::ClientPolicy::plaintext) delivers.
//!
//! # What a server offers
//!
//! | extension | used |
//! |---|---|
//! | PIPELINING, SIZE, 8BITMIME, ENHANCEDSTATUSCODES | by itself |
//! | CHUNKING (BDAT) | by itself; [`Chunking::Never`](session::Chunking::Never) keeps to DATA |
//! | LIMITS | by itself: further transactions, further connections, one outcome per recipient |
//! | AUTH | with a route's [`Authentication`], under TLS alone unless told otherwise |
//! | SMTPUTF8 | for addresses outside ASCII, and a header in UTF-8 |
//! | DSN, REQUIRETLS, BINARYMIME, DELIVERBY, FUTURERELEASE, MT-PRIORITY, RRVS | with the typed parameters of [`Sender::with`] and [`Recipient::with`] |
//!
//! What is not offered and is left out stands in [`RecipientReport::left_out`]; what must not be
//! left out is rejected, and nothing is sent. A message that
//! [`Config::session`](Config)`.message` refuses (NUL, long lines, line ends) is found before a
//! connection is opened. `Config::session.lmtp` speaks LMTP (RFC 2033) in the place of SMTP.
//!
//! Not supported: MX look-up, queueing, client certificates, XCLIENT, mechanisms with a security
//! layer, the conversion of messages for servers without 8BITMIME.
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod auth;
mod config;
mod connect;
mod connection;
mod deliver;
mod error;
mod message;
mod parties;
mod report;
mod transport;

pub use auth::{AuthFailure, Authentication, SaslExchange, SaslMechanism};
pub use config::{Config, Timeouts};
pub use connect::{Route, SUBMISSIONS};
pub use connection::Connection;
pub use deliver::Client;
pub use error::{OpenError, Reason};
pub use message::{KEPT_IN_MEMORY, Message};
pub use parties::{Recipient, Sender};
pub use report::{AuthRecord, Outcome, RecipientReport, Report, TlsRecord, WhyClear};

pub use smtp_proto::client as session;
pub use smtp_proto::wire;
pub use smtp_tls as tls;
