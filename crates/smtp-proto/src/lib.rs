//! SMTP without IO: octets in, questions and octets out, for both sides of a session.
//!
//! ```text
//!                 ┌───────────────────── Session ─────────────────────┐
//!  from the peer  │  wire::line ──▶ wire::command ──▶ state ──┬─▶ questions ──▶ to the caller
//!  ──── octets ───┼─▶                                         │       answers ◀─┤
//!                 │  wire::data ──▶ message text ─────────────┼─▶ Body          │
//!  to the peer    │                                           ▼                 │
//!  ◀─── octets ───┼── one queue of output ◀────────── wire::reply ◀─────────────┤
//!                 └───────────────────────────────────────────────────┘
//! ```
//!
//! This is the server's half; the [client's](client) is its mirror image, with replies read and
//! commands written. The crate knows no socket, no clock, no runtime and no TLS library: a session
//! says how long it waits and when to shake hands, and its driver does it.
//!
//! # The loop
//!
//! A driver takes outputs until the session waits, then feeds it. Here are both drivers, with two
//! vectors for a connection; the message goes to one recipient, and the other is refused.
//!
//! ```
//! use smtp_proto::client::{self, AfterHello, Envelope, MessageFacts, Outcome};
//! use smtp_proto::server::{self, Commit, Verdict};
//! use smtp_proto::wire::{ClientName, Detail, ForwardPath, Refusal, ReversePath};
//!
//! /// Reads from a connection: the octets that fit.
//! fn read(connection: &mut Vec<u8>, space: &mut [u8]) -> usize {
//!     let n = connection.len().min(space.len());
//!     space[..n].copy_from_slice(&connection[..n]);
//!     connection.drain(..n);
//!     n
//! }
//!
//! let config = client::Config::new(ClientName::parse("a.example")?);
//! let mut client = client::Session::new(config.into());
//! let mut envelope = Envelope::new(&ReversePath::parse("me@a.example")?);
//! envelope.add(&ForwardPath::parse("you@b.example")?);
//! envelope.add(&ForwardPath::parse("nobody@b.example")?);
//! let mut mails = vec![envelope];
//! let mut text: &[u8] = b"Subject: hello\n\n.\n";
//!
//! let mut server = server::Session::new(server::Config::new("b.example").into());
//! let (mut to_server, mut to_client) = (Vec::new(), Vec::new());
//! let (mut taken, mut outcomes) = (Vec::new(), Vec::new());
//! 'conversation: loop {
//!     loop {
//!         use server::Output;
//!         match server.poll_output() {
//!             Output::Transmit(replies) => to_client.extend_from_slice(replies),
//!             Output::Mail(ask, _) => server.answer(ask, Verdict::Accept)?,
//!             Output::Rcpt(ask, rcpt) => {
//!                 let verdict = match rcpt.forward_path.as_str() {
//!                     "you@b.example" => Verdict::Accept,
//!                     _ => Verdict::Refuse(Refusal::permanent(Detail::new(1, 1), "who?")),
//!                 };
//!                 server.answer(ask, verdict)?;
//!             }
//!             Output::Data(ask) => server.answer(ask, Verdict::Accept)?,
//!             Output::Body(part) => taken.extend_from_slice(part),
//!             Output::EndOfMessage(ask) => server.answer(ask, Commit::Accepted(None))?,
//!             Output::Wait(_phase) => match read(&mut to_server, server.input()) {
//!                 0 => break,
//!                 n => server.received(n)?,
//!             },
//!             Output::Close => break,
//!             Output::Hello(_) | Output::Abort | Output::Note(_) => {}
//!             Output::StartTls | Output::Auth(..) | Output::Request(..) => {
//!                 unreachable!("the configuration does not offer it")
//!             }
//!         }
//!     }
//!     loop {
//!         use client::Output;
//!         match client.poll_output() {
//!             Output::Transmit(commands) => to_server.extend_from_slice(commands),
//!             Output::Ehlo(ask, _offered) => client.answer(ask, AfterHello::Proceed)?,
//!             Output::Ready => match mails.pop() {
//!                 Some(envelope) => client.begin(envelope, MessageFacts::default())?,
//!                 None => client.quit()?,
//!             },
//!             Output::Body if text.is_empty() => client.end_of_body()?,
//!             Output::Body => text = &text[client.body(text)?..],
//!             Output::Outcomes(of_each) => outcomes = of_each,
//!             Output::Wait(_phase) => match read(&mut to_client, client.input()) {
//!                 0 => break,
//!                 n => client.received(n)?,
//!             },
//!             Output::Close => break 'conversation,
//!             Output::Note(_) => {}
//!             Output::StartTls | Output::StartTlsRefused(..) | Output::AuthChallenge(..) => {
//!                 unreachable!("it was not asked for")
//!             }
//!         }
//!     }
//! }
//! assert_eq!(taken, b"Subject: hello\r\n\r\n.\r\n");
//! assert!(matches!(outcomes[..], [Outcome::Delivered { .. }, Outcome::Rejected(_)]));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! A driver over sockets reads where this one finds no octets, says
//! [`end_of_input`](server::Session::end_of_input) or [`timed_out`](server::Session::timed_out)
//! where nothing comes, and shakes hands at [`StartTls`](server::Output::StartTls). A client's driver
//! reads while it writes: a server may answer before the message is over.
//!
//! # The invariant
//!
//! **Drain, then feed**: every output is taken until the session waits, and only then is input
//! given. To break this is an [`ApiMisuse`](error::ApiMisuse), never a hang; a question that is
//! dropped unanswered tells the peer to try later and ends the session. A client takes input while it
//! asks for the message, too. A session that is told of no octets waits on: who reads the end of a
//! stream as none and never says `end_of_input` waits for ever.
//!
//! Octets that came before a TLS handshake are never used after it, and a message ends at CRLF,
//! dot, CRLF alone, or with the octets that its chunks count.
//!
//! # What is read and written
//!
//! The grammar in [`wire`] reads and prints every command, parameter, capability and reply of this
//! table. A server takes parameters where [`server::Config::capabilities`] offers their extension,
//! behind HELO only where [`server::Config::extensions_after_helo`] says so, and puts them to its
//! caller; a client sends those that are offered, and the column says what
//! becomes of the others.
//!
//! | RFC | what | server | client |
//! |---|---|---|---|
//! | [5321] | HELO EHLO MAIL RCPT DATA RSET NOOP QUIT | yes | yes; NOOP is not sent |
//! | 5321 | VRFY, HELP | the caller answers, or 252 and 214 | not sent |
//! | 5321 | EXPN | the caller answers, or 502 | not sent |
//! | 5321 | source routes | read and dropped | never sent |
//! | 5321 | SEND, SOML, SAML, TURN of RFC 821 | not supported: 502 | not supported |
//! | [1845] | CHECKPOINT | not supported | not supported |
//! | [1870] | SIZE | early, and of what comes | declared; too large is rejected |
//! | [1985] | ETRN | the caller answers, or 502 | not sent |
//! | [2033] | LMTP | yes | yes |
//! | [2034], [3463] | enhanced status codes | in every reply that may have one | read |
//! | [2645] | ATRN | not supported: 502 | not supported |
//! | [2852] | DELIVERBY: BY | read | not offered: rejected |
//! | [2920] | PIPELINING | yes | within a bounded window |
//! | [3030] | CHUNKING | yes | where it is offered |
//! | 3030 | BINARYMIME | yes | not offered: rejected |
//! | [3207] | STARTTLS | yes; the driver shakes hands | yes; the driver shakes hands |
//! | [3461] | DSN: RET ENVID NOTIFY ORCPT | read; notifications are the caller's | not offered: left out, with a note |
//! | [3848] | names of protocols in Received | not supported: trace is the caller's | – |
//! | [3865], [3885], [4141], [4405] | NO-SOLICITING, MTRK, CONPERM, SUBMITTER | not supported | not supported |
//! | [4468] | BURL | not supported: 500 | not supported |
//! | [4865] | FUTURERELEASE: HOLDFOR HOLDUNTIL | read | not offered: rejected |
//! | [4954] | AUTH, with any mechanism of the caller's | yes | yes |
//! | 4954 | AUTH of MAIL | read | sent once authenticated, else left out, with a note |
//! | 4954 | security layers of SASL | not supported | not supported |
//! | [4616], [7628] | messages of PLAIN and OAUTHBEARER; of LOGIN, EXTERNAL, XOAUTH2 too | [`wire::sasl`] | [`wire::sasl`] |
//! | [6152] | 8BITMIME | yes; nothing is converted | not offered: [`client::EightBit`] |
//! | [6531] | SMTPUTF8 | yes | sent where it is needed; not offered: rejected |
//! | [6533] | addresses outside ASCII in ORCPT | read | yes |
//! | [6710] | MT-PRIORITY | read | not offered: left out, with a note |
//! | [7293] | RRVS | read | not offered: the recipient is rejected |
//! | [8314] | TLS before the greeting | yes; the driver shakes hands | yes; the driver shakes hands |
//! | [8689] | REQUIRETLS | under TLS; how mail goes on is the caller's | not offered: rejected |
//! | [9422] | LIMITS | says its own limits | obeyed |
//! | – | XCLIENT, XFORWARD | the caller answers, or 502 | not sent |
//!
//! A capability that is not known is kept as [`Other`](wire::Capability::Other), and a parameter that
//! is not known is refused with 555, or kept for the caller
//! ([`UnknownParameters`](wire::UnknownParameters)).
//!
//! # Features
//!
//! `std`, on by default: the vector instructions that the processor has are found at run time. Without
//! it the crate needs `alloc` alone, and does the same.
//!
//! # What holds it
//!
//! In the repository, `docs/limits.md`, `docs/smuggling.md` and `docs/starttls.md` say of every
//! number and rule which test holds it. The attacks are data, for any implementation, in
//! `crates/smtp-testkit/vectors`.
//!
//! [1845]: https://www.rfc-editor.org/rfc/rfc1845
//! [1870]: https://www.rfc-editor.org/rfc/rfc1870
//! [1985]: https://www.rfc-editor.org/rfc/rfc1985
//! [2033]: https://www.rfc-editor.org/rfc/rfc2033
//! [2034]: https://www.rfc-editor.org/rfc/rfc2034
//! [2645]: https://www.rfc-editor.org/rfc/rfc2645
//! [2852]: https://www.rfc-editor.org/rfc/rfc2852
//! [2920]: https://www.rfc-editor.org/rfc/rfc2920
//! [3030]: https://www.rfc-editor.org/rfc/rfc3030
//! [3207]: https://www.rfc-editor.org/rfc/rfc3207
//! [3461]: https://www.rfc-editor.org/rfc/rfc3461
//! [3463]: https://www.rfc-editor.org/rfc/rfc3463
//! [3848]: https://www.rfc-editor.org/rfc/rfc3848
//! [3865]: https://www.rfc-editor.org/rfc/rfc3865
//! [3885]: https://www.rfc-editor.org/rfc/rfc3885
//! [4141]: https://www.rfc-editor.org/rfc/rfc4141
//! [4405]: https://www.rfc-editor.org/rfc/rfc4405
//! [4468]: https://www.rfc-editor.org/rfc/rfc4468
//! [4616]: https://www.rfc-editor.org/rfc/rfc4616
//! [4865]: https://www.rfc-editor.org/rfc/rfc4865
//! [4954]: https://www.rfc-editor.org/rfc/rfc4954
//! [5321]: https://www.rfc-editor.org/rfc/rfc5321
//! [6152]: https://www.rfc-editor.org/rfc/rfc6152
//! [6531]: https://www.rfc-editor.org/rfc/rfc6531
//! [6533]: https://www.rfc-editor.org/rfc/rfc6533
//! [6710]: https://www.rfc-editor.org/rfc/rfc6710
//! [7293]: https://www.rfc-editor.org/rfc/rfc7293
//! [7628]: https://www.rfc-editor.org/rfc/rfc7628
//! [8314]: https://www.rfc-editor.org/rfc/rfc8314
//! [8689]: https://www.rfc-editor.org/rfc/rfc8689
//! [9422]: https://www.rfc-editor.org/rfc/rfc9422
//!
//! # What a server does with a command
//!
//! Printed from the code, for the ordinary case: well formed, in clear, with STARTTLS, PIPELINING,
//! AUTH and CHUNKING offered. `ask` is a question to the caller, and the arrow is where a yes leads;
//! after a no, and after a message, the session takes commands again. `docs/states.md` in the
//! repository has the other cases.
//!
#![doc = include_str!("server/states.md")]
//!
//! # What a reply means to a client
//!
//! Printed from the code. `defers` and `rejects` are outcomes of the recipients that the command
//! concerns; a session that cannot go on closes.
//!
#![doc = include_str!("client/states.md")]
#![no_std]
#![cfg_attr(test, allow(clippy::unwrap_used))]

extern crate alloc;

pub mod ask;
pub mod client;
pub mod error;
pub mod limits;
pub mod server;
pub mod wire;
