//! What a user of the server writes: who is served, which mail is taken, where it goes.
//!
//! Does: define the three traits and what they are told. Does not: decide anything; a method
//! that has a default says what that is. Fails: an answer is a [`Verdict`], a [`Refusal`], a
//! [`Commit`], a [`Reply`] or an [`Authentication`]; a panic ends the one connection it happened on.

use std::future::{self, Future};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use smtp_proto::server::{Commit, Verdict, replies};
use smtp_proto::wire::sasl::Exchange;
use smtp_proto::wire::{Command, Mail, Rcpt, Refusal, Reply};

use crate::auth::Authentication;
use crate::config::ConnectionPolicy;
use crate::context::Context;
use crate::error::no_mechanism;

/// Makes one [`HandlerSession`] for every connection.
pub trait Handler: Send + Sync + 'static {
    /// What stands by one connection.
    type Session: HandlerSession + 'static;

    /// Says whether a peer is served, and how. It must not block: it is a look at settings.
    fn connect(&self, peer: &Peer<'_>) -> Admission<Self::Session>;
}

/// A function from a peer to its session is a handler.
impl<F, S> Handler for F
where
    F: Fn(&Peer<'_>) -> Admission<S> + Send + Sync + 'static,
    S: HandlerSession + 'static,
{
    type Session = S;

    fn connect(&self, peer: &Peer<'_>) -> Admission<S> {
        self(peer)
    }
}

/// Who is at the other end of a new connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Peer<'a> {
    /// The name of the service that accepted it.
    pub service: &'a str,
    /// The peer's address.
    pub address: SocketAddr,
    /// The address it connected to.
    pub local: SocketAddr,
}

impl<'a> Peer<'a> {
    /// A peer of `service`.
    #[must_use]
    pub const fn new(service: &'a str, address: SocketAddr, local: SocketAddr) -> Self {
        Self { service, address, local }
    }
}

/// What becomes of a new connection.
#[derive(Clone, Debug)]
pub enum Admission<S> {
    /// It is closed without a word.
    Refuse,
    /// It is served under the policy of its service.
    Serve(S),
    /// It is served under a policy of its own.
    ServeWith(S, Arc<ConnectionPolicy>),
}

/// The mail policy of one connection.
///
/// The methods of a transaction come in order: `mail`, then `rcpt` once or more, then `data`. The
/// peer's time does not run while one of them works. The parameters of MAIL and RCPT come with
/// them, as far as the session offers their extensions: who offers one keeps its promise.
pub trait HandlerSession: Send {
    /// What takes a message.
    type Sink: Sink;

    /// AUTH, or the client's answer to a challenge: what does the mechanism say?
    ///
    /// Asked only for a mechanism that [`Config::capabilities`] names.
    /// [`Passwords`](crate::auth::Passwords) answers for PLAIN and LOGIN. If not told otherwise,
    /// everything is refused with 454. To slow down who guesses, take your time.
    ///
    /// [`Config::capabilities`]: smtp_proto::server::Config::capabilities
    fn authenticate(
        &mut self,
        context: &Context<'_>,
        exchange: Exchange<'_>,
    ) -> impl Future<Output = Authentication> + Send {
        let _ = (context, exchange);
        future::ready(Authentication::Refuse(no_mechanism()))
    }

    /// VRFY, EXPN, HELP, ETRN, XCLIENT or XFORWARD, each only where [`Config::requests`] names it. If
    /// not told otherwise, the session's own answer: it verifies nothing and does nothing.
    ///
    /// A positive reply to XCLIENT makes the session forget who the client is, as behind STARTTLS.
    /// [`Context::peer`] stays the proxy: whoever takes the proxy's word keeps it.
    ///
    /// [`Config::requests`]: smtp_proto::server::Config::requests
    fn request(
        &mut self,
        context: &Context<'_>,
        command: Command<'_>,
    ) -> impl Future<Output = Reply> + Send {
        let _ = context;
        future::ready(replies::of_session(command.verb()))
    }

    /// MAIL: may a transaction begin? Yes, if not told otherwise.
    fn mail(
        &mut self,
        context: &Context<'_>,
        mail: Mail<'_>,
    ) -> impl Future<Output = Verdict> + Send {
        let _ = (context, mail);
        future::ready(Verdict::Accept)
    }

    /// RCPT: is this recipient taken? There is no default: a default would be an open relay.
    fn rcpt(
        &mut self,
        context: &Context<'_>,
        rcpt: Rcpt<'_>,
    ) -> impl Future<Output = Verdict> + Send;

    /// DATA, or the first BDAT: gives the sink for the message, or refuses.
    fn data(
        &mut self,
        context: &Context<'_>,
    ) -> impl Future<Output = Result<Self::Sink, Refusal>> + Send;

    /// The transaction ended without a message. Its sink, if there was one, is dropped already.
    fn reset(&mut self) {}
}

/// Takes one message. Dropped before [`Sink::commit`] is done, nothing of it may stay behind.
///
/// Behind DATA, a message is whole lines. In chunks (BDAT, RFC 3030) its last line may lack its
/// end. Only where [`Context::body`] said [`BINARYMIME`](smtp_proto::wire::BodyType::BinaryMime) it
/// is any octets at all, with line ends or without.
pub trait Sink: Send {
    /// Takes the next piece; line ends are CRLF, dots are removed, a piece may end anywhere. The
    /// next piece is not read from the peer before this is done.
    ///
    /// After an error the sink is dropped, the rest of the message is read and thrown away, and
    /// the peer is told 452 (no space) or 451 (anything else).
    fn write(&mut self, octets: &[u8]) -> impl Future<Output = io::Result<()>> + Send;

    /// The message is whole. [`Commit::Accepted`] must not be said before it is safe.
    ///
    /// In LMTP the answer holds for every recipient, or is a [`Commit::PerRecipient`] with one for
    /// each that `rcpt` accepted, in their order. If that accepts for some, the message is
    /// delivered to these, and the client tries the others again or reports them.
    fn commit(self) -> impl Future<Output = Commit> + Send;
}
