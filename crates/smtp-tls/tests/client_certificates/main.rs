//! Which client certificates open the relay.
#![cfg(feature = "client-certificates")]
#![allow(clippy::unwrap_used, reason = "tests")]

mod address;
mod chain;
mod lists;
mod openssl;
#[cfg(any(feature = "rustls", feature = "openssl"))]
mod resumed;

use std::sync::Arc;

use smtp_testkit::pki::{Authority, Leaf, client::der};
use smtp_tls::{
    Certificate, ClientAddress, ClientJudge, ClientRefusal, ClientTrust, ClientVerdict, OriginId,
    RevocationList,
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

fn judge(trust: &ClientTrust, leaf: &Leaf) -> ClientVerdict {
    ClientJudge::new(Arc::new(trust.clone())).judge(&chain(leaf), NOW)
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
