//! Chains, validity and purpose.

use std::time::{Duration, Instant};

use smtp_testkit::material;
use smtp_testkit::pki::client::{Client, EMAIL_ADDRESS, Flaw, List, Purpose, Use, string};
use smtp_testkit::pki::{Authority, Key, Leaf, Validity};
use smtp_tls::{Certificate, ClientRefusal, ClientTrust, ClientVerdict, KeyAlgorithm};

use crate::{NOW, TIM, chain, judge, judge_of, refusal, relays, trust};

fn tim() -> Client {
    Client::new(TIM)
}

#[test]
fn a_listed_address_of_an_authority_relays() {
    let root = Authority::root("root");
    let below = root.intermediate("below");
    let twice = below.intermediate("below that");
    let trust = trust(&[&root]);
    for authority in [&root, &below, &twice] {
        assert_eq!(judge(&trust, &authority.issue_client(&tim())), relays());
    }
    let rsa = Client { key: Key::Rsa, ..tim() };
    assert_eq!(judge(&trust, &root.issue_client(&rsa)), relays());
    let judge = judge_of(trust);
    assert_eq!(judge.unhonoured(), []);
    assert_eq!(judge.judge(&[], NOW), ClientVerdict::NotShown);
}

#[test]
fn another_authority_s_certificate_does_not() {
    let (root, other) = (Authority::root("root"), Authority::root("other"));
    // It has the right name, and not the key.
    let namesake = Authority::root("root");
    let below = other.intermediate("below");
    let trust = trust(&[&root]);
    let refused = |leaf: &Leaf| {
        let refusal = refusal(&trust, leaf);
        (refusal.reply_text(), refusal)
    };
    let (text, refusal) = refused(&other.issue_client(&tim()));
    assert_eq!(refusal, ClientRefusal::UnknownIssuer { alone: true });
    assert_eq!(text, "unable to verify the first certificate");
    let (text, refusal) = refused(&below.issue_client(&tim()));
    assert_eq!(refusal, ClientRefusal::UnknownIssuer { alone: false });
    assert_eq!(text, "unable to get local issuer certificate");
    let (text, refusal) = refused(&namesake.issue_client(&tim()));
    assert_eq!(refusal, ClientRefusal::Signature);
    assert_eq!(text, "certificate signature failure");
    let (text, refusal) = refused(&tim().self_signed());
    assert_eq!(refusal, ClientRefusal::SelfSigned);
    assert_eq!(text, "self-signed certificate");
    let mut with_root = other.issue_client(&tim());
    with_root.intermediates.push(other.certificate());
    let (text, refusal) = refused(&with_root);
    assert_eq!(refusal, ClientRefusal::SelfSignedInChain);
    assert_eq!(text, "self-signed certificate in certificate chain");
    // Nothing to trust is not everything.
    let nobody = ClientTrust::new(Vec::new(), [TIM]);
    assert!(matches!(judge(&nobody, &root.issue_client(&tim())), ClientVerdict::Refused(_)));
}

#[test]
fn each_certificate_of_a_chain_has_its_time() {
    let root = Authority::root("root");
    let issue = |validity| root.issue_client(&Client { validity, ..tim() });
    let expired = refusal(&trust(&[&root]), &issue(Validity::Expired));
    assert_eq!(expired, ClientRefusal::Expired { not_after: 978_307_200 });
    assert_eq!(expired.reply_text(), "certificate has expired");
    let not_yet = refusal(&trust(&[&root]), &issue(Validity::NotYet));
    assert_eq!(not_yet, ClientRefusal::NotYetValid { not_before: 4_102_444_800 });
    assert_eq!(not_yet.reply_text(), "certificate is not yet valid");

    let old_intermediate = root.flawed_intermediate("below", Flaw::Expired);
    let leaf = old_intermediate.issue_client(&tim());
    assert!(matches!(refusal(&trust(&[&root]), &leaf), ClientRefusal::Expired { .. }));
    let old_root = Authority::flawed_root("old", Flaw::Expired);
    let leaf = old_root.issue_client(&tim());
    assert!(matches!(refusal(&trust(&[&old_root]), &leaf), ClientRefusal::Expired { .. }));
    // The moments of its first and last second, and those beside them.
    let judge = judge_of(trust(&[&root]));
    let leaf = chain(&issue(Validity::Now));
    let (first, last) = (1_577_836_800, 2_493_072_000);
    for (time, good) in [(first - 1, false), (first, true), (last, true), (last + 1, false)] {
        assert_eq!(judge.judge(&leaf, time) == relays(), good, "{time}");
    }
}

#[test]
fn it_is_for_clients_where_it_says_what_for() {
    let root = Authority::root("root");
    let trust = trust(&[&root]);
    let issue = |purposes: &[Purpose], uses: &[Use]| {
        let (purposes, uses) = (purposes.to_vec(), uses.to_vec());
        root.issue_client(&Client { purposes, uses, ..tim() })
    };
    let good: [(&[Purpose], &[Use]); 4] = [
        (&[], &[]),
        (&[Purpose::ClientAuth], &[Use::KeyAgreement]),
        (
            &[Purpose::ServerAuth, Purpose::ClientAuth],
            &[Use::DigitalSignature, Use::KeyEncipherment],
        ),
        (&[], &[Use::DigitalSignature]),
    ];
    for (purposes, uses) in good {
        assert_eq!(judge(&trust, &issue(purposes, uses)), relays(), "{purposes:?} {uses:?}");
    }
    let bad: [(&[Purpose], &[Use]); 4] = [
        (&[Purpose::ServerAuth], &[Use::DigitalSignature]),
        (&[Purpose::EmailProtection], &[]),
        (&[Purpose::Any], &[]),
        (&[Purpose::ClientAuth], &[Use::KeyEncipherment]),
    ];
    for (purposes, uses) in bad {
        let refused = refusal(&trust, &issue(purposes, uses));
        assert_eq!(refused, ClientRefusal::Purpose, "{purposes:?} {uses:?}");
    }
    assert_eq!(ClientRefusal::Purpose.reply_text(), "unsuitable certificate purpose");
}

#[test]
fn only_authorities_issue() {
    let root = Authority::root("root");
    let under = |flaw| root.flawed_intermediate("below", flaw);
    for flaw in [Flaw::NoAuthority, Flaw::SignsNoCertificates] {
        let leaf = under(flaw).issue_client(&tim());
        assert_eq!(refusal(&trust(&[&root]), &leaf), ClientRefusal::NotAnAuthority, "{flaw:?}");
    }
    let leaf = under(Flaw::LastOfPath).issue_client(&tim());
    assert_eq!(judge(&trust(&[&root]), &leaf), relays());
    let leaf = under(Flaw::LastOfPath).intermediate("too far").issue_client(&tim());
    assert_eq!(refusal(&trust(&[&root]), &leaf), ClientRefusal::PathLength);
    // Listed among the authorities it is one for itself alone.
    for flaw in [Flaw::NoAuthority, Flaw::SignsNoCertificates] {
        let not_one = Authority::flawed_root("not one", flaw);
        let leaf = not_one.issue_client(&tim());
        assert!(
            matches!(refusal(&trust(&[&not_one]), &leaf), ClientRefusal::UnknownIssuer { .. }),
            "{flaw:?}"
        );
    }
    let authority = root.issue_client(&Client { is_authority: true, ..tim() });
    assert_eq!(refusal(&trust(&[&root]), &authority), ClientRefusal::AuthorityAsClient);
}

#[test]
fn an_authority_names_no_mail_address_that_it_may_not() {
    let root = Authority::root("root");
    let under = |permitted: &[&str], excluded: &[&str]| {
        root.constrained_intermediate("below", permitted, excluded)
    };
    let good = [
        under(&["example.org"], &[]),
        under(&["other.example", TIM], &["example.com"]),
        under(&[], &[".example.org", "tom@example.org"]),
    ];
    for authority in &good {
        assert_eq!(judge(&trust(&[&root]), &authority.issue_client(&tim())), relays());
        assert_eq!(judge(&trust(&[authority]), &authority.issue_client(&tim())), relays());
    }
    for authority in [
        under(&["other.example"], &[]),
        under(&[], &["example.org"]),
        under(&["example.org"], &["TIM@example.org"]),
    ] {
        let deeper = authority.intermediate("deeper");
        for leaf in [authority.issue_client(&tim()), deeper.issue_client(&tim())] {
            for trusted in [&root, &authority] {
                assert_eq!(refusal(&trust(&[trusted]), &leaf), ClientRefusal::NameConstraints);
            }
        }
        let old = authority.as_version_1(&authority.issue_client(&tim()));
        assert_eq!(refusal(&trust(&[&authority]), &old), ClientRefusal::NameConstraints);
    }
}

#[test]
fn trust_ends_at_an_authority_that_is_no_root() {
    let root = Authority::root("root");
    let below = root.intermediate("below");
    let beside = root.intermediate("beside");
    let trust = trust(&[&below]);
    assert_eq!(judge(&trust, &below.issue_client(&tim())), relays());
    assert!(matches!(judge(&trust, &beside.issue_client(&tim())), ClientVerdict::Refused(_)));
    assert!(matches!(judge(&trust, &root.issue_client(&tim())), ClientVerdict::Refused(_)));
}

#[test]
fn an_authority_on_the_way_need_not_be_sent() {
    let root = Authority::root("root");
    let below = root.intermediate("below");
    let leaf = Leaf { intermediates: Vec::new(), ..below.issue_client(&tim()) };
    assert!(matches!(judge(&trust(&[&root]), &leaf), ClientVerdict::Refused(_)));
    assert_eq!(judge(&trust(&[&root, &below]), &leaf), relays());
}

#[test]
fn a_certificate_may_be_its_own_authority() {
    let listed = |leaf: &Leaf| ClientTrust::new(vec![chain(leaf).remove(0)], [TIM]);
    let plain = tim().self_signed();
    assert_eq!(judge(&listed(&plain), &plain), relays());
    let as_authority = Client { is_authority: true, ..tim() }.self_signed();
    assert_eq!(judge(&listed(&as_authority), &as_authority), relays());
    let root = Authority::root("root");
    let issued = root.issue_client(&tim());
    assert_eq!(judge(&listed(&issued), &issued), relays());
    let old = root.as_version_1(&issued);
    assert_eq!(judge(&listed(&old), &old), relays());

    // For itself alone, in its time, for its purpose.
    let twin = tim().self_signed();
    assert_eq!(refusal(&listed(&plain), &twin), ClientRefusal::SelfSigned);
    let expired = Client { validity: Validity::Expired, ..tim() }.self_signed();
    assert!(matches!(refusal(&listed(&expired), &expired), ClientRefusal::Expired { .. }));
    let server = Client { purposes: vec![Purpose::ServerAuth], ..tim() };
    let server = server.self_signed();
    assert_eq!(refusal(&listed(&server), &server), ClientRefusal::Purpose);
    // Whoever keeps lists cannot revoke it.
    let with_lists = crate::with_lists(listed(&plain), &[]);
    assert!(matches!(refusal(&with_lists, &plain), ClientRefusal::CrlMissing { .. }));
}

#[test]
fn garbage_is_no_certificate() {
    let root = Authority::root("root");
    let judge = judge_of(trust(&[&root]));
    let good = chain(&root.issue_client(&tim())).remove(0);
    let garbage = |octets: &[u8]| Certificate::from_der(octets.to_vec());
    let unreadable = [&b""[..], b"\x30", b"\x30\x80", &[0x30; 300], &[0xff; 70_000]];
    for octets in unreadable {
        let verdict = judge.judge(&[garbage(octets)], NOW);
        assert!(matches!(verdict, ClientVerdict::Refused(ClientRefusal::Malformed(_))));
        let verdict = judge.judge(&[good.clone(), garbage(octets)], NOW);
        assert_ne!(verdict, ClientVerdict::NotShown);
    }
    // Cut anywhere, or with any octet changed, it is none that the authority signed.
    for at in 0..good.der().len() {
        assert_ne!(judge.judge(&[garbage(&good.der()[..at])], NOW), relays(), "{at}");
        let mut changed = good.der().to_vec();
        changed[at] ^= 1;
        assert_ne!(judge.judge(&[garbage(&changed)], NOW), relays(), "{at}");
    }
    // An authority that cannot be read is told, and trusts nobody.
    let trust = ClientTrust { authorities: vec![garbage(b"\x30\x00")], ..trust(&[&root]) };
    let judge = judge_of(trust);
    assert_eq!(judge.unhonoured().len(), 1);
    assert_ne!(judge.judge(&[good], NOW), relays());
}

/// OpenSSL's handshake takes such a key, as it passes over all that its verification finds.
#[test]
fn a_weak_key_proves_nothing() {
    let root = Authority::root("root");
    let issued = root.issue_client(&tim());
    let weak = root.with_key_of(&issued, material::RSA_1024);
    let refused = ClientRefusal::Key(KeyAlgorithm::Rsa { bits: 1024 });
    assert_eq!(refusal(&trust(&[&root]), &weak), refused);
    assert_eq!(refused.reply_text(), "EE certificate key too weak");
    assert_eq!(refusal(&trust(&[&root]), &root.as_version_1(&weak)), refused);
    let itself = ClientTrust::new(vec![chain(&weak).remove(0)], [TIM]);
    assert_eq!(refusal(&itself, &weak), refused);
    let strong = root.issue_client(&Client { key: Key::Rsa, ..tim() });
    let strong = root.with_key_of(&issued, &strong.certificate);
    assert_eq!(judge(&trust(&[&root]), &strong), relays());
}

/// Each of these could be the issuer of each other: there are more paths than anybody can try.
#[test]
fn a_tangle_takes_no_time() {
    let root = Authority::root("root");
    let name = &[&[(EMAIL_ADDRESS, string::IA5, TIM.as_bytes())][..]];
    let leaf = Client::with_subject(name).self_signed();
    let tangle: Vec<_> = (0..60)
        .map(|_| {
            let client = Client { is_authority: true, ..Client::with_subject(name) };
            chain(&client.self_signed()).remove(0)
        })
        .collect();
    let judge = judge_of(trust(&[&root]));
    for many in [60, 16, 3] {
        let mut sent = chain(&leaf);
        sent.extend_from_slice(&tangle[..many]);
        let begin = Instant::now();
        let verdict = judge.judge(&sent, NOW);
        assert_eq!(verdict, ClientVerdict::Refused(ClientRefusal::TooComplex), "{many}");
        assert!(begin.elapsed() < Duration::from_secs(5), "{many}: {:?}", begin.elapsed());
    }
}

/// `openssl x509 -req` makes such certificates where it is told of no extension.
#[test]
fn a_client_s_certificate_may_be_of_version_1() {
    let (root, namesake) = (Authority::root("root"), Authority::root("root"));
    let issue = |by: &Authority, client: Client| by.as_version_1(&by.issue_client(&client));
    let good = issue(&root, tim());
    assert_eq!(judge(&trust(&[&root]), &good), relays());
    assert_eq!(judge(&trust(&[&namesake, &root]), &good), relays());
    assert_eq!(refusal(&trust(&[&namesake]), &good), ClientRefusal::Signature);
    let expired = issue(&root, Client { validity: Validity::Expired, ..tim() });
    assert!(matches!(refusal(&trust(&[&root]), &expired), ClientRefusal::Expired { .. }));
    let revoked = root.list(&List { revoked: &[&good.certificate], ..List::default() });
    let with_list = crate::with_lists(trust(&[&root]), &[&revoked]);
    assert_eq!(refusal(&with_list, &good), ClientRefusal::Revoked);
    let without = crate::with_lists(trust(&[&root]), &[]);
    assert!(matches!(refusal(&without, &good), ClientRefusal::CrlMissing { .. }));
}
