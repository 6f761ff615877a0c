//! A message to its recipients: plan, attempts, report.
//!
//! Does: group recipients by route and effective policy, open one connection for each group, send,
//! and report. Does not: queue, retry later, or look up where a domain's mail goes. Fails: never as
//! a whole; every recipient has its outcome.

use std::sync::Arc;

use smtp_proto::client::{Envelope, Rejection};
use smtp_proto::wire::{AddressError, ForwardPath, LineEnds, ReversePath};
use smtp_tls::{ClientPolicy, Fallback, Level};

use crate::config::Config;
use crate::connect::{self, Route, SUBMISSIONS};
use crate::connection::{Attempt, Connection};
use crate::error::{OpenError, Reason};
use crate::message::Message;
use crate::report::{Outcome, RecipientReport, Report, TlsRecord, WhyClear};
use crate::transport::Connectors;

/// Sends messages. One serves a whole program: it keeps what TLS sessions need to be resumed.
#[derive(Debug)]
pub struct Client {
    config: Config,
    connectors: Connectors,
}

/// Who sends: a mailbox, or nobody (`<>`, RFC 5321, 4.5.5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sender(String);

impl Sender {
    /// Reads a mailbox with or without brackets, or `<>`.
    ///
    /// # Errors
    /// The text is no reverse-path.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        ReversePath::parse(text).map(|path| Self(path.to_string()))
    }

    fn path(&self) -> ReversePath<'_> {
        ReversePath::parse(&self.0).expect("a path that was printed parses")
    }
}

/// To whom, where, and under which policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recipient {
    address: String,
    route: Route,
    policy: ClientPolicy,
}

impl Recipient {
    /// Reads the address: a mailbox or `postmaster`, with or without brackets.
    ///
    /// # Errors
    /// The text is no forward-path.
    pub fn new(address: &str, route: Route, policy: ClientPolicy) -> Result<Self, AddressError> {
        let path = ForwardPath::parse(address)?;
        Ok(Self { address: path.as_str().to_owned(), route, policy })
    }

    /// The address, without brackets.
    pub fn address(&self) -> &str {
        &self.address
    }

    fn path(&self) -> ForwardPath<'_> {
        ForwardPath::parse(&self.address).expect("a path that was printed parses")
    }
}

/// The recipients that may share a connection, by their places in the caller's order.
struct Group {
    route: Route,
    policy: ClientPolicy,
    members: Vec<usize>,
}

impl Client {
    /// A client.
    pub fn new(config: Config) -> Self {
        Self { config, connectors: Connectors::default() }
    }

    /// Its configuration.
    pub const fn config(&self) -> &Config {
        &self.config
    }

    /// Sends a message to its recipients, one group of equal route and policy after the other.
    pub async fn deliver(
        &self,
        sender: &Sender,
        recipients: &[Recipient],
        message: &Message,
    ) -> Report {
        let mut entries: Vec<Option<(Outcome, TlsRecord)>> = vec![None; recipients.len()];
        for group in groups(recipients) {
            self.deliver_group(sender, recipients, message, &group, &mut entries).await;
        }
        let entries = recipients.iter().zip(entries).map(|(recipient, entry)| {
            let (outcome, tls) = entry.expect("every recipient is in a group");
            RecipientReport {
                address: recipient.address.clone(),
                outcome,
                tls,
                origin: recipient.policy.origin,
            }
        });
        Report { recipients: entries.collect() }
    }

    /// Opens a connection, for any number of messages under one policy.
    ///
    /// # Errors
    /// No connection under this policy: the reason, and how far TLS came.
    pub async fn open(
        &self,
        route: &Route,
        policy: &ClientPolicy,
    ) -> Result<Connection, OpenError> {
        let policy = effective(route, policy);
        match self.attempt(route, policy.clone()).await {
            Ok(connection) => Ok(connection),
            Err(Attempt::Failed(error)) => Err(*error),
            Err(Attempt::RetryClear(error)) => {
                tracing::warn!(%route, %error, "handshake failed; trying once in clear");
                let clear =
                    ClientPolicy { level: Level::None, fallback: Fallback::Never, ..policy };
                let record = TlsRecord::Clear(WhyClear::HandshakeFailed(error.to_string()));
                match self.attempt(route, clear).await {
                    Ok(mut connection) => {
                        connection.record(record);
                        Ok(connection)
                    }
                    Err(Attempt::Failed(error)) => Err(*error),
                    Err(Attempt::RetryClear(error)) => Err(OpenError {
                        reason: Reason::Handshake(error),
                        tls: TlsRecord::Unsettled,
                    }),
                }
            }
        }
    }

    async fn attempt(&self, route: &Route, policy: ClientPolicy) -> Result<Connection, Attempt> {
        // A policy that cannot be put to work is found out before anybody is connected to.
        let connector = match policy.uses_tls() {
            true => Some(
                self.connectors
                    .get(self.config.backend, &policy)
                    .await
                    .map_err(|error| Attempt::failed(Reason::Policy(error)))?,
            ),
            false => None,
        };
        let stream =
            connect::connect(route, self.config.timeouts.connect).await.map_err(Attempt::failed)?;
        Connection::open(stream, route.bare_host(), &self.config, policy, connector.as_ref()).await
    }

    async fn deliver_group(
        &self,
        sender: &Sender,
        recipients: &[Recipient],
        message: &Message,
        group: &Group,
        entries: &mut [Option<(Outcome, TlsRecord)>],
    ) {
        let mut settle = |members: &[usize], outcomes: Vec<Outcome>, tls: &TlsRecord| {
            for (member, outcome) in members.iter().zip(outcomes) {
                entries[*member] = Some((outcome, tls.clone()));
            }
        };
        let all = &group.members;
        if let (LineEnds::Refuse, Some(bare)) =
            (self.config.session.message.line_ends, message.bare_line_end())
        {
            let outcome = Outcome::Rejected(Rejection::Message(bare));
            return settle(all, vec![outcome; all.len()], &TlsRecord::Unsettled);
        }
        let mut connection = match self.open(&group.route, &group.policy).await {
            Ok(connection) => connection,
            Err(OpenError { reason, tls }) => {
                let outcome = Outcome::deferred(Arc::new(reason));
                return settle(all, vec![outcome; all.len()], &tls);
            }
        };
        for members in all.chunks(self.config.recipients_per_transaction.max(1)) {
            let mut envelope = Envelope::new(&sender.path());
            for member in members {
                envelope.add(&recipients[*member].path());
            }
            let outcomes = connection.send(envelope, message).await;
            settle(members, outcomes, connection.tls());
        }
        connection.quit().await;
    }
}

/// The policy that holds on a route: on port 465 TLS begins with the first octet.
fn effective(route: &Route, policy: &ClientPolicy) -> ClientPolicy {
    let implicit = policy.implicit || route.port == SUBMISSIONS;
    // Which rule asked for it is the recipient's, and does not keep equal policies apart.
    ClientPolicy { implicit, origin: None, ..policy.clone() }
}

fn groups(recipients: &[Recipient]) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for (member, recipient) in recipients.iter().enumerate() {
        let policy = effective(&recipient.route, &recipient.policy);
        let same = |group: &&mut Group| group.route == recipient.route && group.policy == policy;
        match groups.iter_mut().find(same) {
            Some(group) => group.members.push(member),
            None => {
                groups.push(Group { route: recipient.route.clone(), policy, members: vec![member] })
            }
        }
    }
    groups
}
