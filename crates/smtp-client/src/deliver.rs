//! A message to its recipients: plan, attempts, report.
//!
//! Does: group recipients by route and effective policy, open a connection for each group, send in
//! as many transactions and connections as the server's limits ask for, and report. Does not: queue, retry later, or look up where a domain's mail goes. Fails: never as
//! a whole; every recipient has its outcome.

use std::sync::Arc;

use smtp_proto::client::{Cause, Failure, Phase};
use smtp_proto::wire::Extensions;
use smtp_tls::{ClientPolicy, Fallback, Level};

use crate::config::Config;
use crate::connect::{self, Route};
use crate::connection::{self, Attempt, Connection};
use crate::error::{OpenError, Reason};
use crate::message::Message;
use crate::parties::{Group, Recipient, Sender, effective, groups};
use crate::report::{AuthRecord, Outcome, RecipientReport, Report, TlsRecord, WhyClear};
use crate::transport::Connectors;

/// Sends messages. One serves a whole program: it keeps what TLS sessions need to be resumed.
#[derive(Debug)]
pub struct Client {
    config: Config,
    connectors: Connectors,
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
    ///
    /// A group takes as many transactions, and as many connections, as the server's limits make it
    /// (RFC 9422; RFC 5321, 4.5.3.1.10).
    pub async fn deliver(
        &self,
        sender: &Sender,
        recipients: &[Recipient],
        message: &Message,
    ) -> Report {
        let reports = vec![None; recipients.len()];
        let mut delivery = Delivery { client: self, sender, recipients, message, reports };
        for group in groups(sender, recipients) {
            delivery.deliver_to(group).await;
        }
        let reports = delivery.reports.into_iter();
        let report = |report: Option<_>| report.expect("every recipient is in a group");
        Report { recipients: reports.map(report).collect() }
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
        let (config, authentication) = (&self.config, route.authentication());
        let host = route.bare_host();
        Connection::open(stream, host, config, policy, connector.as_ref(), authentication).await
    }
}

/// One message on its way to its recipients.
struct Delivery<'a> {
    client: &'a Client,
    sender: &'a Sender,
    recipients: &'a [Recipient],
    message: &'a Message,
    /// What became of each recipient that is settled.
    reports: Vec<Option<RecipientReport>>,
}

/// How a connection stood when an outcome came of it.
struct Standing {
    tls: TlsRecord,
    auth: AuthRecord,
    left_out: Extensions,
}

impl Standing {
    fn unsettled(route: &Route, tls: TlsRecord) -> Self {
        let auth = match route.authentication() {
            Some(_) => AuthRecord::Unsettled,
            None => AuthRecord::NotWanted,
        };
        Self { tls, auth, left_out: Extensions::EMPTY }
    }

    fn of(connection: &Connection) -> Self {
        Self {
            tls: connection.tls().clone(),
            auth: connection.auth().clone(),
            left_out: connection.left_out(),
        }
    }
}

impl Delivery<'_> {
    async fn deliver_to(&mut self, group: Group) {
        let Group { route, policy, members } = group;
        let refused = connection::refused(
            self.message,
            self.sender.envelope().body(),
            &self.client.config.session.message,
        );
        if let Some(outcome) = refused {
            return self.settle_all(
                &members,
                &outcome,
                &Standing::unsettled(&route, TlsRecord::Unsettled),
            );
        }
        let mut left = members;
        while !left.is_empty() {
            let mut connection = match self.client.open(&route, &policy).await {
                Ok(connection) => connection,
                Err(OpenError { reason, tls }) => {
                    let outcome = Outcome::deferred(Arc::new(reason));
                    return self.settle_all(&left, &outcome, &Standing::unsettled(&route, tls));
                }
            };
            left = self.over(&mut connection, left).await;
            connection.quit().await;
        }
    }

    /// Sends over one connection, in as many transactions as are needed. Gives those whom the server
    /// does not take over this connection any more: fewer than there were.
    async fn over(&mut self, connection: &mut Connection, mut left: Vec<usize>) -> Vec<usize> {
        let mut settled_any = false;
        while !left.is_empty() {
            let behind = left.split_off(left.len().min(self.transaction(connection)));
            let mut envelope = self.sender.envelope();
            for member in &left {
                self.recipients[*member].add_to(&mut envelope);
            }
            let outcomes = connection.send(envelope, self.message).await;
            let standing = Standing::of(connection);
            let delivered = outcomes.iter().any(Outcome::is_delivered);
            let over_limit = outcomes.iter().all(is_over_limit);
            let mut again = Vec::new();
            for (member, outcome) in left.into_iter().zip(outcomes) {
                // Whoever is one too many now has room when others are done with, and not before.
                let has_room_later = is_over_limit(&outcome) && (settled_any || !over_limit)
                    || is_one_too_many(&outcome) && delivered;
                match has_room_later {
                    true => again.push(member),
                    false => self.settle(member, outcome, &standing),
                }
            }
            again.extend(behind);
            left = again;
            settled_any = true;
            let is_full = !connection.is_open() && !connection.has_failed();
            if over_limit || is_full {
                break;
            }
        }
        left
    }

    /// How many recipients one transaction may have.
    fn transaction(&self, connection: &Connection) -> usize {
        let most = connection.recipients_per_transaction().map_or(usize::MAX, |most| most as usize);
        most.min(self.client.config.recipients_per_transaction).max(1)
    }

    fn settle_all(&mut self, members: &[usize], outcome: &Outcome, standing: &Standing) {
        members.iter().for_each(|member| self.settle(*member, outcome.clone(), standing));
    }

    fn settle(&mut self, member: usize, outcome: Outcome, standing: &Standing) {
        let recipient = &self.recipients[member];
        self.reports[member] = Some(RecipientReport {
            address: recipient.address().to_owned(),
            outcome,
            tls: standing.tls.clone(),
            auth: standing.auth.clone(),
            left_out: standing.left_out,
            origin: recipient.policy.origin,
        });
    }
}

/// Whether the recipient was not sent, since the server had said that it takes fewer (RFC 9422).
fn is_over_limit(outcome: &Outcome) -> bool {
    failure(outcome).is_some_and(|failure| failure.cause == Cause::LimitReached)
}

/// Whether the server says that the transaction has too many recipients (RFC 5321, 4.5.3.1.10): a
/// 452, or the 552 of old, that does not name another limit.
fn is_one_too_many(outcome: &Outcome) -> bool {
    let Some(Failure { phase: Phase::Rcpt, cause: Cause::Refused, reply: Some(reply) }) =
        failure(outcome)
    else {
        return false;
    };
    let names_recipients =
        reply.enhanced().is_none_or(|enhanced| (enhanced.subject, enhanced.detail) == (5, 3));
    matches!(reply.code().get(), 452 | 552) && names_recipients
}

fn failure(outcome: &Outcome) -> Option<&Failure> {
    match outcome {
        Outcome::Deferred { reason, .. } => match &**reason {
            Reason::Session(failure) => Some(failure),
            _ => None,
        },
        _ => None,
    }
}
