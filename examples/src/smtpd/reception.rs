//! Who is served, and which recipients are taken: the access rules, `rcpthosts` and client
//! certificates.
//!
//! Does: what qmail does with `tcprules`, `RELAYCLIENT` and `rcpthosts`, and what its TLS patch does with
//! the certificate that a client showed: it is judged once, at the first recipient that would be
//! refused, and opens the relay for the rest of the session. Does not: route; a message
//! that is taken is stored, for whatever domain it is. Fails: by a reply to the client.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use hvmail_control::Control;
use smtp_proto::server::Verdict;
use smtp_proto::wire::{Code, Detail, Domain, ForwardPath, Mail, Rcpt, Refusal, Reply};
use smtp_server::maildir::Envelope;
use smtp_server::{Admission, Context, Handler, HandlerSession, Peer};
use smtp_tls::{ClientAddress, ClientJudge, ClientVerdict, TlsInfo};
use tracing::{debug, error, info};

use super::policies::Policies;
use super::store::{Store, Stored};
use crate::print;

/// One control directory's rules, for all connections.
#[derive(Clone, Debug)]
pub(super) struct Reception {
    control: Arc<Control>,
    policies: Arc<Policies>,
    store: Store,
}

impl Reception {
    pub(super) fn new(control: Arc<Control>, policies: Policies, store: Store) -> Self {
        Self { control, policies: Arc::new(policies), store }
    }
}

impl Handler for Reception {
    type Session = Client;

    fn connect(&self, peer: &Peer<'_>) -> Admission<Client> {
        let Some(service) = self.control.service(peer.service) else { return Admission::Refuse };
        let rules = self.control.for_peer(service, peer.address.ip());
        if !rules.allow {
            let place = rules.origin.and_then(|origin| self.control.location(origin));
            let place = place.map(|place| place.to_string());
            info!(
                service = peer.service, peer = %peer.address, rule = place.as_deref(),
                "connection denied"
            );
            return Admission::Refuse;
        }
        let Some(policy) = self.policies.find(service.name, &rules.tls) else {
            error!(service = peer.service, peer = %peer.address, "no policy for this client");
            return Admission::Refuse;
        };
        let client = Client {
            control: Arc::clone(&self.control),
            store: self.store.clone(),
            relay: rules.relay,
            judge: self.policies.judge(&rules.tls),
            verdict: None,
            envelope: Envelope::default(),
        };
        Admission::ServeWith(client, policy)
    }
}

/// One client's connection.
#[derive(Debug)]
pub(super) struct Client {
    control: Arc<Control>,
    store: Store,
    /// RELAYCLIENT's value, which qmail puts behind every recipient.
    relay: Option<String>,
    /// Who judges its certificate, where it is asked for one.
    judge: Option<Arc<ClientJudge>>,
    /// What became of its certificate, once that was of interest.
    verdict: Option<Box<ClientVerdict>>,
    envelope: Envelope,
}

impl Client {
    /// The address in a certificate that lets the client relay; or else the refusal of a recipient
    /// that the other rules do not take.
    fn certified(&mut self, context: &Context<'_>) -> Result<ClientAddress, Refusal> {
        let Some(tls) = context.tls else { return Err(not_in_rcpthosts("")) };
        if self.verdict.is_none() {
            let verdict = self.judge(tls);
            self.log(&context.peer, &verdict);
            self.verdict = Some(Box::new(verdict));
        }
        match self.verdict.as_deref() {
            Some(ClientVerdict::Relay(address)) => Ok(address.clone()),
            Some(ClientVerdict::Refused(refusal)) => {
                Err(not_in_rcpthosts(&format!("{NO_CERTIFICATE}: {}", refusal.reply_text())))
            }
            Some(ClientVerdict::NotShown) | None => Err(not_in_rcpthosts(NO_CERTIFICATE)),
        }
    }

    /// Of a session that is resumed, the certificate is judged again, with what holds now.
    fn judge(&self, tls: &TlsInfo) -> ClientVerdict {
        let Some(judge) = &self.judge else { return ClientVerdict::NotShown };
        // A clock before 1970 finds every certificate not yet valid.
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        judge.judge(&tls.client_chain, now.as_secs())
    }

    fn log(&self, peer: &Peer<'_>, verdict: &ClientVerdict) {
        let Peer { service, address: peer, .. } = *peer;
        match verdict {
            ClientVerdict::Relay(address) => {
                info!(service, %peer, address = address.as_str(), "certificate opens the relay");
            }
            ClientVerdict::NotShown => debug!(service, %peer, "no certificate was shown"),
            ClientVerdict::Refused(refusal) => {
                let place = refusal.origin().and_then(|origin| print::place(&self.control, origin));
                let (reason, place) = (refusal.to_string(), place.as_deref());
                info!(service, %peer, reason, place, "certificate does not open the relay");
            }
        }
    }
}

impl HandlerSession for Client {
    type Sink = Stored;

    async fn mail(&mut self, _: &Context<'_>, mail: Mail<'_>) -> Verdict {
        self.envelope = Envelope::new(mail.reverse_path.as_str());
        if let Some(ClientVerdict::Relay(address)) = self.verdict.as_deref() {
            self.envelope.set_certified(Some(address.clone()));
        }
        Verdict::Accept
    }

    async fn rcpt(&mut self, context: &Context<'_>, rcpt: Rcpt<'_>) -> Verdict {
        let address = rcpt.forward_path.as_str();
        match &self.relay {
            Some(suffix) => self.envelope.add_recipient(format!("{address}{suffix}")),
            None if self.control.accepts(domain(&rcpt.forward_path).as_deref()) => {
                self.envelope.add_recipient(address);
            }
            None => match self.certified(context) {
                Ok(certified) => {
                    self.relay = Some(String::new());
                    self.envelope.set_certified(Some(certified));
                    self.envelope.add_recipient(address);
                }
                Err(refusal) => return Verdict::Refuse(refusal),
            },
        }
        Verdict::Accept
    }

    async fn data(&mut self, context: &Context<'_>) -> Result<Stored, Refusal> {
        // It is the sink's from here on, and not to be kept while the client does nothing.
        let envelope = std::mem::take(&mut self.envelope);
        Ok(self.store.sink(context, &envelope))
    }

    fn reset(&mut self) {
        self.envelope = Envelope::default();
    }
}

/// What qmail's reply adds under TLS.
const NO_CERTIFICATE: &str = "; no valid cert for gatewaying";

/// qmail's reply, to the letter behind the enhanced status code.
fn not_in_rcpthosts(certificate: &str) -> Refusal {
    Refusal::new(Reply::new(
        Code::MAILBOX_NAME,
        Some(Detail::new(7, 1)),
        format!("sorry, that domain isn't in my list of allowed rcpthosts{certificate} (#5.7.1)"),
    ))
    .expect("the code is 5yz")
}

fn domain(path: &ForwardPath<'_>) -> Option<String> {
    match path {
        ForwardPath::Postmaster => None,
        ForwardPath::Mailbox(mailbox) => Some(match mailbox.domain() {
            Domain::Name(name) => name.to_owned(),
            Domain::Literal(literal) => literal.to_string(),
        }),
    }
}
