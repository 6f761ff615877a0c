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
//! ```
//! use std::io::{Read, Write};
//! use smtp_proto::server::{Commit, Config, Output, Session, Verdict};
//!
//! /// Takes every message and counts its octets.
//! fn serve(mut peer: impl Read + Write) -> Result<usize, Box<dyn std::error::Error>> {
//!     let mut session = Session::new(Config::new("mx.example.org").into());
//!     let mut octets = 0;
//!     loop {
//!         match session.poll_output() {
//!             Output::Transmit(reply) => peer.write_all(reply)?,
//!             Output::Mail(ask, _mail) => session.answer(ask, Verdict::Accept)?,
//!             Output::Rcpt(ask, _rcpt) => session.answer(ask, Verdict::Accept)?,
//!             Output::Data(ask) => session.answer(ask, Verdict::Accept)?,
//!             Output::Body(text) => octets += text.len(),
//!             Output::EndOfMessage(ask) => session.answer(ask, Commit::Accepted(None))?,
//!             Output::Wait(_phase) => match peer.read(session.input())? {
//!                 0 => session.end_of_input(),
//!                 n => session.received(n)?,
//!             },
//!             Output::Close => return Ok(octets),
//!             Output::StartTls | Output::Auth(..) | Output::Request(..) => {
//!                 unreachable!("the configuration does not offer it")
//!             }
//!             Output::Hello(_) | Output::Abort | Output::Note(_) => {}
//!         }
//!     }
//! }
//! # struct Peer(std::io::Cursor<&'static [u8]>, Vec<u8>);
//! # impl Read for Peer {
//! #     fn read(&mut self, space: &mut [u8]) -> std::io::Result<usize> { self.0.read(space) }
//! # }
//! # impl Write for Peer {
//! #     fn write(&mut self, octets: &[u8]) -> std::io::Result<usize> { self.1.write(octets) }
//! #     fn flush(&mut self) -> std::io::Result<()> { Ok(()) }
//! # }
//! # let input = b"EHLO a\r\nMAIL FROM:<>\r\nRCPT TO:<b@c>\r\nDATA\r\n..\r\n.\r\nQUIT\r\n";
//! # assert_eq!(serve(Peer(std::io::Cursor::new(input), Vec::new())).unwrap(), 3);
//! ```
//!
//! **Drain, then feed**: every output is taken until the session waits, and only then is input
//! given. To break this is an [`ApiMisuse`](error::ApiMisuse), never a hang; a question that is
//! dropped unanswered tells the peer to try later and ends the session.
//!
//! Octets that came before a TLS handshake are never used after it, and a message ends at CRLF,
//! dot, CRLF alone.
//!
//! # What is read and written
//!
//! | RFC | what | here |
//! |---|---|---|
//! | [5321] | HELO EHLO MAIL RCPT DATA RSET NOOP QUIT VRFY HELP | yes; the handler verifies, or nobody |
//! | 5321 | EXPN | the handler answers, or 502 |
//! | 5321 | SEND, SOML, SAML, TURN of RFC 821 | not supported: 502 |
//! | 5321 | source routes | read and dropped; never written |
//! | [1870] | SIZE | yes |
//! | [2034], [3463] | enhanced status codes | yes |
//! | [2920] | PIPELINING | yes |
//! | [3207] | STARTTLS | yes; the handshake is the driver's |
//! | [6152] | 8BITMIME | yes; nothing is converted |
//! | [8314] | TLS before the greeting | yes; the handshake is the driver's |
//! | [3030] | CHUNKING, BINARYMIME | yes |
//! | [3461] | DSN | its parameters; notifications are the caller's |
//! | [4954] | AUTH | yes; the mechanisms are the caller's |
//! | [6531] | SMTPUTF8: addresses outside ASCII | yes |
//! | [8689] | REQUIRETLS | its parameter; how mail goes on is the caller's |
//! | [9422] | LIMITS | yes |
//! | [1985] | ETRN | the handler answers, or 502 |
//! | [2645] | ATRN | not supported: 502 |
//! | [2033] | LMTP | yes |
//!
//! [1870]: https://www.rfc-editor.org/rfc/rfc1870
//! [1985]: https://www.rfc-editor.org/rfc/rfc1985
//! [2033]: https://www.rfc-editor.org/rfc/rfc2033
//! [2034]: https://www.rfc-editor.org/rfc/rfc2034
//! [2645]: https://www.rfc-editor.org/rfc/rfc2645
//! [2920]: https://www.rfc-editor.org/rfc/rfc2920
//! [3030]: https://www.rfc-editor.org/rfc/rfc3030
//! [3207]: https://www.rfc-editor.org/rfc/rfc3207
//! [3461]: https://www.rfc-editor.org/rfc/rfc3461
//! [3463]: https://www.rfc-editor.org/rfc/rfc3463
//! [4954]: https://www.rfc-editor.org/rfc/rfc4954
//! [5321]: https://www.rfc-editor.org/rfc/rfc5321
//! [6152]: https://www.rfc-editor.org/rfc/rfc6152
//! [6531]: https://www.rfc-editor.org/rfc/rfc6531
//! [8314]: https://www.rfc-editor.org/rfc/rfc8314
//! [8689]: https://www.rfc-editor.org/rfc/rfc8689
//! [9422]: https://www.rfc-editor.org/rfc/rfc9422
#![no_std]
#![cfg_attr(test, allow(clippy::unwrap_used))]

extern crate alloc;

pub mod ask;
pub mod client;
pub mod error;
pub mod limits;
pub mod server;
pub mod wire;
