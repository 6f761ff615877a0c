//! Revocation lists, over the whole chain.

use smtp_testkit::pki::client::{Client, Flaw, List, extension, section};
use smtp_testkit::pki::{Authority, Validity};
use smtp_tls::{ClientRefusal, OriginId};

use crate::{TIM, judge, judge_of, refusal, relays, trust, with_lists};

const ORIGIN: Option<OriginId> = Some(OriginId(0));

fn tim() -> Client {
    Client::new(TIM)
}

#[test]
fn a_certificate_on_its_issuer_s_list_is_revoked() {
    let root = Authority::root("root");
    let (leaf, other) = (root.issue_client(&tim()), root.issue_client(&tim()));
    let list = root.list(&List { revoked: &[&other.certificate], ..List::default() });
    let trust = with_lists(trust(&[&root]), &[&list]);
    assert_eq!(judge(&trust, &leaf), relays());
    assert_eq!(refusal(&trust, &other), ClientRefusal::Revoked);
    assert_eq!(ClientRefusal::Revoked.reply_text(), "certificate revoked");
}

#[test]
fn every_issuer_of_the_chain_needs_a_list() {
    let root = Authority::root("root");
    let below = root.intermediate("below");
    let leaf = below.issue_client(&tim());
    let (of_root, of_below) = (root.list(&List::default()), below.list(&List::default()));
    let trust = trust(&[&root]);
    let with = |lists: &[&str]| with_lists(trust.clone(), lists);
    assert_eq!(judge(&trust, &leaf), relays());
    assert_eq!(judge(&with(&[&of_root, &of_below]), &leaf), relays());
    let missing = |issuer: &str| ClientRefusal::CrlMissing { issuer: issuer.to_owned() };
    assert_eq!(refusal(&with(&[&of_root]), &leaf), missing("CN=below"));
    assert_eq!(refusal(&with(&[&of_below]), &leaf), missing("CN=root"));
    assert_eq!(refusal(&with(&[]), &leaf), missing("CN=root"));
    assert_eq!(missing("").reply_text(), "unable to get certificate CRL");
    // The authority in the middle is revoked, and with it all that it issued.
    let middle = below.certificate();
    let of_root = root.list(&List { revoked: &[&middle], ..List::default() });
    assert_eq!(refusal(&with(&[&of_root, &of_below]), &leaf), ClientRefusal::Revoked);
}

#[test]
fn trust_in_the_middle_does_not_save_it_from_the_root_s_list() {
    let root = Authority::root("root");
    let below = root.intermediate("below");
    let leaf = below.issue_client(&tim());
    let middle = below.certificate();
    let of_root = root.list(&List { revoked: &[&middle], ..List::default() });
    let of_below = below.list(&List::default());
    // With the root among the authorities its list counts; without it, nobody could revoke.
    let both = with_lists(trust(&[&below, &root]), &[&of_root, &of_below]);
    assert_eq!(refusal(&both, &leaf), ClientRefusal::Revoked);
    let alone = with_lists(trust(&[&below]), &[&of_root, &of_below]);
    assert_eq!(judge(&alone, &leaf), relays());
}

#[test]
fn a_list_has_its_time() {
    let root = Authority::root("root");
    let leaf = root.issue_client(&tim());
    let list = |validity, since| root.list(&List { validity, since, revoked: &[] });
    let expired = list(Validity::Expired, None);
    let refused = refusal(&with_lists(trust(&[&root]), &[&expired]), &leaf);
    assert_eq!(
        refused,
        ClientRefusal::CrlExpired {
            issuer: "CN=root".into(),
            next_update: 978_307_200,
            origin: ORIGIN
        }
    );
    assert_eq!((refused.reply_text(), refused.origin()), ("CRL has expired", ORIGIN));
    let not_yet = list(Validity::NotYet, None);
    let refused = refusal(&with_lists(trust(&[&root]), &[&not_yet]), &leaf);
    assert!(matches!(refused, ClientRefusal::CrlNotYetValid { origin: ORIGIN, .. }), "{refused}");
    assert_eq!(refused.reply_text(), "CRL is not yet valid");

    // Of several the last one that was made holds, in whichever order they stand.
    let now = list(Validity::Now, None);
    for lists in [[&*expired, &*now, &*not_yet], [&*not_yet, &*now, &*expired]] {
        assert_eq!(judge(&with_lists(trust(&[&root]), &lists), &leaf), relays());
    }
    let revoked = &[&*leaf.certificate];
    let later = root.list(&List { revoked, since: Some(2024), ..List::default() });
    for lists in [[&*now, &*later], [&*later, &*now]] {
        let trust = with_lists(trust(&[&root]), &lists);
        assert_eq!(refusal(&trust, &leaf), ClientRefusal::Revoked);
    }
}

#[test]
fn a_list_is_its_issuer_s() {
    let (root, namesake) = (Authority::root("root"), Authority::root("root"));
    let leaf = root.issue_client(&tim());
    let forged = namesake.list(&List::default());
    let refused = refusal(&with_lists(trust(&[&root]), &[&forged]), &leaf);
    let of = ClientRefusal::CrlSignature { issuer: "CN=root".into(), origin: ORIGIN };
    assert_eq!(refused, of);
    assert_eq!(refused.reply_text(), "CRL signature failure");
    // An authority that changed its key and kept its name has a list by each.
    let (first, second) = (root.list(&List::default()), namesake.list(&List::default()));
    let both = trust(&[&root, &namesake]);
    for lists in [[&*first, &*second], [&*second, &*first]] {
        let trust = with_lists(both.clone(), &lists);
        for authority in [&root, &namesake] {
            assert_eq!(judge(&trust, &authority.issue_client(&tim())), relays());
        }
    }
    // Who may not sign lists has signed none.
    let silent = Authority::flawed_root("silent", Flaw::SignsNoLists);
    let leaf = silent.issue_client(&tim());
    assert_eq!(judge(&trust(&[&silent]), &leaf), relays());
    let trust = with_lists(trust(&[&silent]), &[&silent.list(&List::default())]);
    let refused = refusal(&trust, &leaf);
    assert_eq!(refused, ClientRefusal::CrlSigner);
    assert_eq!(refused.reply_text(), "key usage does not include CRL signing");
    let silent = root.flawed_intermediate("silent below", Flaw::SignsNoLists);
    let lists = [&*root.list(&List::default()), &*silent.list(&List::default())];
    let trust = with_lists(crate::trust(&[&root]), &lists);
    assert_eq!(refusal(&trust, &silent.issue_client(&tim())), ClientRefusal::CrlSigner);
}

#[test]
fn a_list_that_cannot_be_used_is_not_as_good_as_none() {
    let (root, other) = (Authority::root("root"), Authority::root("other"));
    let leaf = root.issue_client(&tim());
    let good = root.list(&List::default());
    let delta = root.delta_list();
    let garbage = section("X509 CRL", b"\x30\x03\x02\x01\x01");
    let cases = [
        (&delta, "a revocation list cannot be used: it lists changes alone (a delta CRL)"),
        (&garbage, "a revocation list cannot be used: it is no CRL"),
    ];
    for (bad, why) in cases {
        let alone = with_lists(trust(&[&root]), &[bad]);
        let refused = refusal(&alone, &leaf);
        assert_eq!((refused.to_string().as_str(), refused.origin()), (why, ORIGIN));
        assert_eq!(refused.reply_text(), "unable to get certificate CRL");
        let told = judge_of(alone);
        assert_eq!(told.unhonoured()[0].origin, ORIGIN);
        // Another that is good does not stand in for it.
        for lists in [[&**bad, &*good], [&*good, &**bad]] {
            let refused = refusal(&with_lists(trust(&[&root]), &lists), &leaf);
            assert_eq!(refused.to_string(), why);
            let place = lists.iter().position(|it| it == bad).and_then(|at| at.try_into().ok());
            assert_eq!(refused.origin(), place.map(OriginId));
        }
    }
    // The list of somebody else is none.
    let trust = with_lists(trust(&[&root]), &[&other.list(&List::default()), &other.delta_list()]);
    assert_eq!(refusal(&trust, &leaf), ClientRefusal::CrlMissing { issuer: "CN=root".into() });
}

#[test]
fn the_last_list_holds_whether_or_not_it_names_its_key() {
    let root = Authority::root("root");
    let leaf = root.as_of_unnamed_key(&root.issue_client(&tim()));
    let newer = List { revoked: &[&leaf.certificate], since: Some(2024), ..List::default() };
    let (unnamed, named) = (List::default(), List::default());
    for (old, new) in [
        (root.list_of_unnamed_key(&unnamed), root.list(&newer)),
        (root.list(&named), root.list_of_unnamed_key(&newer)),
    ] {
        for lists in [[&*old, &*new], [&*new, &*old]] {
            let trust = with_lists(trust(&[&root]), &lists);
            assert_eq!(refusal(&trust, &leaf), ClientRefusal::Revoked);
        }
    }
}

/// id-ce-deltaCRLIndicator, id-ce-issuingDistributionPoint, and one that nobody knows.
const DELTA: &[u8] = &[0x55, 0x1d, 27];
const PART: &[u8] = &[0x55, 0x1d, 28];
const UNKNOWN: &[u8] = &[0x55, 0x1d, 99];

#[test]
fn no_list_stands_in_for_one_that_cannot_be_used() {
    let root = Authority::root("root");
    let below = root.intermediate("below");
    let (leaf, under) = (root.issue_client(&tim()), below.issue_client(&tim()));
    let (old, of_below) = (root.list(&List::default()), below.list(&List::default()));
    let revoked = [&*leaf.certificate, &*under.certificate];
    let newer = List { revoked: &revoked, since: Some(2024), ..List::default() };
    let with =
        |kind, critical, value: &[u8]| root.list_with(&newer, &extension(kind, critical, value));
    let part = "it is for a part of its issuer's certificates alone";
    let delta = "it lists changes alone (a delta CRL)";
    // A full name, as an issuing distribution point begins with one.
    let named = |rest: &[u8]| {
        let name = b"\xa0\x0e\xa0\x0c\x86\x0ahttp://a/b";
        let length = u8::try_from(name.len() + rest.len()).unwrap();
        [&[0x30, length][..], name, rest].concat()
    };
    let cases = [
        (root.delta_list(), delta),
        (with(DELTA, true, b"\x02\x01\x01"), delta),
        (with(DELTA, false, b"\x02\x01\x01"), delta),
        (with(PART, true, b"\x30\x03\x81\x01\xff"), part),
        (with(PART, false, b"\x30\x03\x81\x01\xff"), part),
        (with(PART, true, b"\x30\x03\x82\x01\xff"), part),
        (with(PART, true, b"\x30\x00"), part),
        (with(PART, true, &named(b"")), part),
        (with(PART, true, &named(b"\x81\x01\xff")), part),
        (with(PART, true, &named(b"\x82\x01\xff")), part),
        (
            with(PART, true, b"\x30\x04\x83\x02\x06\x40"),
            "it lists some reasons of revocation alone",
        ),
        (
            with(PART, true, b"\x30\x03\x84\x01\xff"),
            "it lists certificates of other issuers (an indirect CRL)",
        ),
        (with(PART, true, b"\x30\x03\x85\x01\xff"), "its extensions cannot be read or used"),
        (with(UNKNOWN, true, b"\x05\x00"), "it has a critical extension that is not understood"),
        (
            root.list_without_extensions(&newer),
            "it has no extensions, not even the number that RFC 5280 section 5.2 asks for",
        ),
    ];
    for (bad, why) in &cases {
        let why = format!("a revocation list cannot be used: {why}");
        for lists in [[bad, &old, &of_below], [&old, &of_below, bad]] {
            let trust = with_lists(trust(&[&root]), &lists.map(String::as_str));
            let place =
                lists.iter().position(|it| *it == bad).map(|at| OriginId(at.try_into().unwrap()));
            let older = root.as_version_1(&leaf);
            for client in [&leaf, &under, &older] {
                let refused = refusal(&trust, client);
                assert_eq!((refused.to_string(), refused.origin()), (why.clone(), place));
            }
            let judge = judge_of(trust);
            let [told] = judge.unhonoured() else { panic!("{:?}", judge.unhonoured()) };
            assert_eq!(told.origin, place);
            assert!(told.reason.contains("nobody can relay whose chain has CN=root as an issuer"));
        }
    }
    // An extension that need not be understood changes nothing.
    let lists = [&*with(UNKNOWN, false, b"\x05\x00"), &*old];
    assert_eq!(refusal(&with_lists(trust(&[&root]), &lists), &leaf), ClientRefusal::Revoked);
    // In the middle of the chain it counts as well, and for the others it does not.
    let bad = below.delta_list();
    let trust = with_lists(trust(&[&root]), &[&old, &of_below, &bad]);
    assert_eq!(refusal(&trust, &under).origin(), Some(OriginId(2)));
    assert_eq!(judge(&trust, &leaf), relays());
}

#[test]
fn a_list_of_nobody_knows_whom_refuses_everyone() {
    let root = Authority::root("root");
    let leaf = root.issue_client(&tim());
    let garbage = section("X509 CRL", b"\x30\x03\x02\x01\x01");
    let trust = with_lists(trust(&[&root]), &[&root.list(&List::default()), &garbage]);
    let refused = refusal(&trust, &leaf);
    assert!(matches!(refused, ClientRefusal::CrlUnusable { .. }), "{refused}");
    assert_eq!(refused.origin(), Some(OriginId(1)));
    let judge = judge_of(trust);
    assert!(judge.unhonoured()[0].reason.contains("and nobody can relay by certificate: "));
}

#[test]
fn what_is_wrong_with_the_certificate_is_said_before_what_is_wrong_with_a_list() {
    let root = Authority::root("root");
    let leaf = root.issue_client(&Client { validity: Validity::Expired, ..tim() });
    for lists in [&[][..], &[&*root.delta_list()]] {
        let trust = with_lists(trust(&[&root]), lists);
        assert!(matches!(refusal(&trust, &leaf), ClientRefusal::Expired { .. }));
    }
}
