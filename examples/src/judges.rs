//! The judges of client certificates that one reading of the control directory asks for.
//!
//! Does: make one for each list of clients that may relay by certificate, however many policies have it.
//! Does not: judge. Fails: never; what a judge cannot use is told by it.

use std::sync::Arc;

use hvmail_control::ServiceTls;
use smtp_tls::{ClientJudge, ClientTrust, Unhonoured};

/// One for all services, as a rule: it is the same files for all.
#[derive(Debug, Default)]
pub(crate) struct Judges(Vec<Arc<ClientJudge>>);

impl Judges {
    /// Makes the judge of such a policy; `None` where clients are asked for no certificate, or there is
    /// one already.
    pub(crate) fn add(&mut self, tls: &ServiceTls) -> Option<&ClientJudge> {
        if self.find(tls).is_some() {
            return None;
        }
        self.0.push(Arc::new(tls.policy()?.judge()?));
        self.0.last().map(Arc::as_ref)
    }

    /// Who judges the certificates that clients show under such a policy, where they are asked for any.
    pub(crate) fn find(&self, tls: &ServiceTls) -> Option<&Arc<ClientJudge>> {
        let trust = clients(tls)?;
        self.0.iter().find(|judge| judge.trust() == trust)
    }

    /// The authorities and revocation lists that cannot be used under such a policy.
    pub(crate) fn unhonoured(&mut self, tls: &ServiceTls) -> Vec<Unhonoured> {
        self.add(tls);
        self.find(tls).map_or_else(Vec::new, |judge| judge.unhonoured().to_vec())
    }
}

fn clients(tls: &ServiceTls) -> Option<&Arc<ClientTrust>> {
    tls.policy()?.clients.as_ref()
}
