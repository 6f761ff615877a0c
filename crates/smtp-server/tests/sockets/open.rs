//! A handler that takes all that a session can ask: it authenticates, answers requests, and decides
//! for each recipient of LMTP.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use smtp_proto::server::{Commit, Config, Verdict};
use smtp_proto::wire::sasl::Exchange;
use smtp_proto::wire::{Code, Command, Detail, Mail, Rcpt, Refusal, Reply};
use smtp_server::auth::{Authentication, Passwords};
use smtp_server::maildir::{Delivery, Envelope, Maildir};
use smtp_server::{Admission, ConnectionPolicy, Context, HandlerSession, Peer, Sink};

use super::common::{Running, Wishes, start_handler};

pub(crate) struct Open {
    maildir: Maildir,
    envelope: Envelope,
    passwords: Passwords,
    /// What RCPT said of NOTIFY, in order.
    notify: Vec<String>,
    /// One for each recipient: whether its message is kept.
    kept: Vec<bool>,
}

pub(crate) struct PerRecipient {
    delivery: Delivery,
    kept: Option<Vec<bool>>,
}

pub(crate) fn start(policy: ConnectionPolicy) -> Running {
    let handler = |maildir: Maildir, _: Arc<Wishes>| {
        move |_: &Peer<'_>| {
            Admission::Serve(Open {
                maildir: maildir.clone(),
                envelope: Envelope::default(),
                passwords: Passwords::default(),
                notify: Vec::new(),
                kept: Vec::new(),
            })
        }
    };
    start_handler(handler, policy, 100, Duration::from_secs(20), Wishes::default())
}

/// In clear, with these settings changed.
pub(crate) fn start_with(change: impl FnOnce(&mut Config)) -> Running {
    let mut config = super::common::config();
    change(&mut config);
    start(ConnectionPolicy::new(Arc::new(config)))
}

impl HandlerSession for Open {
    type Sink = PerRecipient;

    async fn authenticate(&mut self, _: &Context<'_>, exchange: Exchange<'_>) -> Authentication {
        let answer = self.passwords.answer(exchange, |name, password| async move {
            tokio::task::yield_now().await;
            Ok(name == "tim" && password.as_octets() == b"tanstaaf")
        });
        answer.await
    }

    async fn request(&mut self, context: &Context<'_>, command: Command<'_>) -> Reply {
        let ok = |text: String| Reply::new(Code::OK, Some(Detail::new(0, 0)), text);
        match command {
            Command::Vrfy(_) => ok(format!("<{}>", context.authenticated.unwrap_or("nobody"))),
            Command::Xclient(attributes) => {
                let names: Vec<_> = attributes.iter().map(|(name, _)| name).collect();
                assert_eq!(names, ["ADDR"]);
                Reply::new_static(Code::READY, None, "mx.example again")
            }
            other => smtp_proto::server::replies::of_session(other.verb()),
        }
    }

    async fn mail(&mut self, context: &Context<'_>, mail: Mail<'_>) -> Verdict {
        assert_eq!(context.smtputf8, mail.parameters.smtputf8);
        self.envelope = Envelope::new(mail.reverse_path.as_str());
        self.kept.clear();
        Verdict::Accept
    }

    async fn rcpt(&mut self, context: &Context<'_>, rcpt: Rcpt<'_>) -> Verdict {
        let address = rcpt.forward_path.as_str();
        if address.ends_with("@elsewhere.example") && context.authenticated.is_none() {
            return Verdict::Refuse(Refusal::permanent(Detail::new(7, 1), "not for you"));
        }
        self.notify.extend(rcpt.parameters.notify.map(|notify| notify.to_string()));
        self.envelope.add_recipient(address);
        self.kept.push(!address.starts_with("full"));
        Verdict::Accept
    }

    async fn data(&mut self, context: &Context<'_>) -> Result<PerRecipient, Refusal> {
        let kept = context.lmtp.then(|| self.kept.clone());
        Ok(PerRecipient { delivery: self.maildir.deliver(context, &self.envelope), kept })
    }
}

impl Sink for PerRecipient {
    async fn write(&mut self, octets: &[u8]) -> io::Result<()> {
        self.delivery.write(octets).await
    }

    async fn commit(self) -> Commit {
        let commit = self.delivery.commit().await;
        let Some(kept) = self.kept else { return commit };
        let full = || Commit::Refused(Refusal::transient(Detail::new(2, 2), "full"));
        let one = |kept| if kept { commit.clone() } else { full() };
        Commit::PerRecipient(kept.into_iter().map(one).collect())
    }
}
