//! What is known of a connection at the moment of a question.
//!
//! Does: hold it, and name the protocol as a trace header does. Does not: verify what the client
//! says of itself. Fails: nothing here fails.

use smtp_proto::server::{Hello, Session};
use smtp_proto::wire::BodyType;
use smtp_tls::TlsInfo;

use crate::handler::Peer;

/// What is known of a connection at the moment of a question.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Context<'a> {
    /// Who is at the other end.
    pub peer: Peer<'a>,
    /// The name that the client gave itself, unverified; inside TLS, the one it gave there.
    pub hello: Option<Hello<'a>>,
    /// What the TLS handshake negotiated, under TLS.
    pub tls: Option<&'a TlsInfo>,
    /// Who the client is, once [`HandlerSession::authenticate`] said so.
    ///
    /// [`HandlerSession::authenticate`]: crate::HandlerSession::authenticate
    pub authenticated: Option<&'a str>,
    /// The session speaks LMTP.
    pub lmtp: bool,
    /// MAIL came with SMTPUTF8: addresses and headers may be outside ASCII (RFC 6531).
    pub smtputf8: bool,
    /// What MAIL said of the message's text; it binds a client only where it says
    /// [`BodyType::BinaryMime`].
    pub body: Option<BodyType>,
}

impl<'a> Context<'a> {
    /// A context, for whoever drives a handler without this crate's server.
    #[must_use]
    pub const fn new(peer: Peer<'a>, hello: Option<Hello<'a>>, tls: Option<&'a TlsInfo>) -> Self {
        Self { peer, hello, tls, authenticated: None, lmtp: false, smtputf8: false, body: None }
    }

    /// The protocol's name behind `with` in Received: `SMTP`, `ESMTPSA`, `LMTPS` and so on (RFC 3848;
    /// RFC 6531 section 4.3). There is no name for HELO under TLS: it is `ESMTPS` too.
    #[must_use]
    pub fn protocol(&self) -> &'static str {
        let names = match (self.lmtp, self.smtputf8) {
            (false, false) => ["ESMTP", "ESMTPA", "ESMTPS", "ESMTPSA"],
            (false, true) => ["UTF8SMTP", "UTF8SMTPA", "UTF8SMTPS", "UTF8SMTPSA"],
            (true, false) => ["LMTP", "LMTPA", "LMTPS", "LMTPSA"],
            (true, true) => ["UTF8LMTP", "UTF8LMTPA", "UTF8LMTPS", "UTF8LMTPSA"],
        };
        match (self.tls.is_some(), self.authenticated.is_some()) {
            (false, false) if names[0] == "ESMTP" && !self.hello.is_some_and(|it| it.extended) => {
                "SMTP"
            }
            (false, false) => names[0],
            (false, true) => names[1],
            (true, false) => names[2],
            (true, true) => names[3],
        }
    }
}

/// The same, kept beside the session so that a question can be asked with it.
#[derive(Debug, Default)]
pub(crate) struct Known {
    lmtp: bool,
    pub(crate) tls: Option<TlsInfo>,
    pub(crate) identity: Option<Box<str>>,
    name: Box<str>,
    /// `None` while there is no name, then whether EHLO gave it.
    extended: Option<bool>,
    smtputf8: bool,
    body: Option<BodyType>,
}

impl Known {
    pub(crate) fn new(lmtp: bool) -> Self {
        Self { lmtp, ..Self::default() }
    }

    /// Forgets what the session has forgotten: behind STARTTLS, and behind XCLIENT.
    pub(crate) fn follow(&mut self, session: &Session) {
        if !session.authenticated() {
            self.identity = None;
        }
        if session.hello().is_none() {
            self.extended = None;
        }
    }

    pub(crate) fn set_name(&mut self, hello: Hello<'_>) {
        self.name = hello.name.into();
        self.extended = Some(hello.extended);
    }

    pub(crate) fn begin_transaction(&mut self, smtputf8: bool, body: Option<BodyType>) {
        self.smtputf8 = smtputf8;
        self.body = body;
    }

    pub(crate) fn end_transaction(&mut self) {
        self.smtputf8 = false;
        self.body = None;
    }

    pub(crate) fn context<'a>(&'a self, peer: Peer<'a>) -> Context<'a> {
        Context {
            peer,
            hello: self.extended.map(|extended| Hello { name: &self.name, extended }),
            tls: self.tls.as_ref(),
            authenticated: self.identity.as_deref(),
            lmtp: self.lmtp,
            smtputf8: self.smtputf8,
            body: self.body,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 3848 section 2, RFC 6531 section 4.3, and RFC 5321 section 4.4 for SMTP itself.
    #[test]
    fn protocols_have_their_registered_names() {
        let address = "192.0.2.7:4000".parse().unwrap();
        let peer = Peer::new("smtp", address, address);
        let name = |extended, lmtp, smtputf8, authenticated| {
            let hello = Some(Hello { name: "a.example", extended });
            Context { lmtp, smtputf8, authenticated, ..Context::new(peer, hello, None) }.protocol()
        };
        assert_eq!(name(false, false, false, None), "SMTP");
        assert_eq!(name(true, false, false, None), "ESMTP");
        assert_eq!(name(true, false, false, Some("tim")), "ESMTPA");
        assert_eq!(name(true, false, true, None), "UTF8SMTP");
        assert_eq!(name(true, false, true, Some("tim")), "UTF8SMTPA");
        assert_eq!(name(true, true, false, None), "LMTP");
        assert_eq!(name(true, true, false, Some("tim")), "LMTPA");
        assert_eq!(name(true, true, true, None), "UTF8LMTP");
        assert_eq!(Context::new(peer, None, None).protocol(), "SMTP");
    }
}
