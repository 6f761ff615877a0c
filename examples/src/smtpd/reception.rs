//! Who is served, and which recipients are taken: the access rules and `rcpthosts`.
//!
//! Does: what qmail does with `tcprules`, `RELAYCLIENT` and `rcpthosts`. Does not: route; a message
//! that is taken is stored, for whatever domain it is. Fails: by a reply to the client.

use std::sync::Arc;

use hvmail_control::Control;
use smtp_proto::server::Verdict;
use smtp_proto::wire::{Code, Detail, Domain, ForwardPath, Mail, Rcpt, Refusal, Reply};
use smtp_server::maildir::Envelope;
use smtp_server::{Admission, Context, Handler, HandlerSession, Peer};
use tracing::{error, info};

use super::policies::Policies;
use super::store::{Store, Stored};

/// One control directory's rules, for all connections.
#[derive(Debug)]
pub(super) struct Reception {
    control: Arc<Control>,
    policies: Policies,
    store: Store,
}

impl Reception {
    pub(super) const fn new(control: Arc<Control>, policies: Policies, store: Store) -> Self {
        Self { control, policies, store }
    }
}

impl Handler for Reception {
    type Session = Client;

    fn connect(&self, peer: &Peer<'_>) -> Admission<Client> {
        let Some(service) = self.control.service(peer.service) else { return Admission::Refuse };
        let rules = self.control.for_peer(service, peer.address.ip());
        if !rules.allow {
            let place = rules.origin.and_then(|origin| self.control.location(origin));
            let place = place.map(|place| place.to_string()).unwrap_or_default();
            info!(service = peer.service, peer = %peer.address, rule = place, "connection denied");
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
    envelope: Envelope,
}

impl HandlerSession for Client {
    type Sink = Stored;

    async fn mail(&mut self, _: &Context<'_>, mail: Mail<'_>) -> Verdict {
        self.envelope = Envelope::new(mail.reverse_path.as_str());
        Verdict::Accept
    }

    async fn rcpt(&mut self, _: &Context<'_>, rcpt: Rcpt<'_>) -> Verdict {
        let address = rcpt.forward_path.as_str();
        match &self.relay {
            Some(suffix) => self.envelope.add_recipient(format!("{address}{suffix}")),
            None if self.control.accepts(domain(&rcpt.forward_path).as_deref()) => {
                self.envelope.add_recipient(address);
            }
            None => {
                return Verdict::Refuse(not_in_rcpthosts());
            }
        }
        Verdict::Accept
    }

    async fn data(&mut self, context: &Context<'_>) -> Result<Stored, Refusal> {
        Ok(self.store.sink(context, &self.envelope))
    }

    fn reset(&mut self) {
        self.envelope = Envelope::default();
    }
}

/// qmail's reply, to the letter behind the enhanced status code.
fn not_in_rcpthosts() -> Refusal {
    Refusal::new(Reply::new_static(
        Code::MAILBOX_NAME,
        Some(Detail::new(7, 1)),
        "sorry, that domain isn't in my list of allowed rcpthosts (#5.7.1)",
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
