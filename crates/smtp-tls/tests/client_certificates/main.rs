//! Which client certificates open the relay.
#![cfg(feature = "client-certificates")]
#![allow(clippy::unwrap_used, reason = "tests")]

mod address;
mod chain;
mod lists;
mod openssl;
#[cfg(any(feature = "rustls", feature = "openssl"))]
mod resumed;

use smtp_testkit::pki::{Authority, Leaf, client::der};
use smtp_tls::{
    Certificate, ClientAddress, ClientJudge, ClientRefusal, ClientTrust, ClientVerdict, Identity,
    KeyKind, OriginId, PrivateKey, RevocationList, ServerPolicy,
};

/// 2026-01-01.
const NOW: u64 = 1_767_225_600;

const TIM: &str = "tim@example.org";

fn certificate(pem: &str) -> Certificate {
    Certificate::from_der(der(pem))
}

fn chain(leaf: &Leaf) -> Vec<Certificate> {
    let above = leaf.intermediates.iter().map(|pem| certificate(pem));
    std::iter::once(certificate(&leaf.certificate)).chain(above).collect()
}

fn trust(authorities: &[&Authority]) -> ClientTrust {
    let authorities = authorities.iter().map(|it| certificate(&it.certificate())).collect();
    ClientTrust::new(authorities, [TIM])
}

/// With these lists, the first of which has origin 0.
fn with_lists(trust: ClientTrust, lists: &[&str]) -> ClientTrust {
    let list = |(n, pem): (usize, &&str)| {
        let origin = OriginId(u32::try_from(n).unwrap());
        RevocationList::from_der(der(pem)).with_origin(origin)
    };
    ClientTrust { revoked: Some(lists.iter().enumerate().map(list).collect()), ..trust }
}

/// The judge of a server that asks its clients so. It needs no certificate of its own for that.
fn judge_of(trust: ClientTrust) -> ClientJudge {
    let key = PrivateKey::from_der(KeyKind::Pkcs8, Vec::new());
    let identity = Identity::new(Certificate::from_der(Vec::new()), Vec::new(), key);
    let asks = ServerPolicy { clients: Some(trust.into()), ..ServerPolicy::new(identity.into()) };
    asks.judge().unwrap()
}

fn judge(trust: &ClientTrust, leaf: &Leaf) -> ClientVerdict {
    judge_of(trust.clone()).judge(&chain(leaf), NOW)
}

fn refusal(trust: &ClientTrust, leaf: &Leaf) -> ClientRefusal {
    match judge(trust, leaf) {
        ClientVerdict::Refused(refusal) => refusal,
        other => panic!("{other:?}"),
    }
}

fn relays() -> ClientVerdict {
    ClientVerdict::Relay(ClientAddress::from_octets(TIM.as_bytes()).unwrap())
}

/// There is no judge where nobody is asked, and otherwise the one of what is asked for.
#[test]
fn a_policy_has_the_judge_of_its_own_trust() {
    let root = Authority::root("root");
    let judge = judge_of(trust(&[&root]));
    assert_eq!(**judge.trust(), trust(&[&root]));
    let key = PrivateKey::from_der(KeyKind::Pkcs8, Vec::new());
    let identity = Identity::new(Certificate::from_der(Vec::new()), Vec::new(), key);
    assert!(ServerPolicy::new(identity.into()).judge().is_none());
}
