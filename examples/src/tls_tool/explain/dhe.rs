//! The group of DHE that is in force, which the TLS library chooses.
//!
//! Does: put the one in force in the place of all that there are in the control directory, which become what
//! it overrode. Does not: choose. Fails: never; where the library cannot serve a policy, no group is in force.

use hvmail_control::explain::{Explained, Overridden, Service, Value, Whence};
use smtp_tls::DheGroup;

use crate::acceptors::Acceptors;

/// The name of the setting.
const SETTING: &str = "dh_group";

/// Which group, in a few words.
pub(super) fn words(group: DheGroup) -> String {
    match group.of_policy {
        Some(_) => format!("{} bits", group.bits),
        None => format!("{} bits, of RFC 7919", group.bits),
    }
}

/// Says of a service which group its clients get that no rule gives other ciphers.
pub(super) fn in_force(service: &mut Service, acceptors: &mut Acceptors) {
    let Some(policy) = service.tls.policy() else { return };
    let taken = acceptors.get(None, policy).ok();
    let group = taken.and_then(|(acceptor, _)| acceptor.offer().dhe);
    let Some(first) = service.settings.iter().position(|it| it.setting == SETTING) else { return };
    // One for each group of the policy, in its order, and one in their place where it has none.
    let mut files: Vec<_> = service.settings.extract_if(.., |it| it.setting == SETTING).collect();
    let mut told = files[0].clone();
    if policy.dh.is_empty() {
        files.clear();
    }
    told.whence = Whence::Default("tls.dh2048.pem");
    if let Some(at) = group.and_then(|group| group.of_policy)
        && at < files.len()
    {
        told.whence = files.remove(at).whence;
    }
    told.value = group.map_or(Value::Nothing, |group| Value::Text(words(group)));
    let overridden =
        |file: Explained| Overridden { whence: file.whence, text: Some(file.value.to_string()) };
    told.overrode = files.into_iter().map(overridden).collect();
    service.settings.insert(first, told);
}
