//! The judge and `openssl verify` say the same of the same chains, or the difference has a reason.

use std::path::PathBuf;
use std::process::Command;

use smtp_testkit::pki::client::{Client, Flaw, List, Purpose, Use, der, section};
use smtp_testkit::pki::{Authority, Key, Leaf, Validity};
use smtp_testkit::process::{TempDir, require_peer, run, temp_dir};
use smtp_tls::{Certificate, ClientTrust, ClientVerdict};

use crate::{NOW, TIM, chain, judge_of, relays, with_lists};

/// What is expected of the two.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Expected {
    /// They agree that the client may relay.
    Both,
    /// They agree that it may not, and OpenSSL has our text among its reasons.
    Neither,
    /// They agree that it may not, for another reason.
    NeitherFor(&'static str),
    /// OpenSSL takes it and we do not.
    OpenSslAlone(&'static str),
    /// We take it and OpenSSL does not.
    WeAlone(&'static str),
}
use Expected::*;

struct Case {
    name: String,
    authorities: Vec<String>,
    lists: Option<Vec<String>>,
    leaf: Leaf,
    expected: Expected,
}

struct OpenSsl {
    program: PathBuf,
    folder: TempDir,
}

impl OpenSsl {
    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    /// Whether it is verified, and each reason why not. As qmail has it: every certificate of the chain
    /// needs a list as soon as there is one file of lists.
    fn verify(&self, case: &Case) -> (bool, Vec<String>) {
        let mut command = Command::new(&self.program);
        command.args(["verify", "-purpose", "sslclient", "-no-CApath", "-no-CAstore"]);
        command.args(["-attime", &NOW.to_string()]);
        command.arg("-CAfile").arg(self.write("authorities.pem", &case.authorities.concat()));
        if let Some(lists) = &case.lists {
            command.arg("-crl_check").arg("-crl_check_all");
            if !lists.is_empty() {
                command.arg("-CRLfile").arg(self.write("lists.pem", &lists.concat()));
            }
        }
        if !case.leaf.intermediates.is_empty() {
            let above = case.leaf.intermediates.concat();
            command.arg("-untrusted").arg(self.write("chain.pem", &above));
        }
        command.arg(self.write("leaf.pem", &case.leaf.certificate));
        let finished = run(&mut command, b"");
        let said = finished.stderr.iter().filter_map(|line| line.split_once(" lookup: "));
        (finished.code == Some(0), said.map(|(_, reason)| reason.trim().to_owned()).collect())
    }
}

fn ours(case: &Case) -> ClientVerdict {
    let der = |pem: &String| Certificate::from_der(der(pem));
    let trust = ClientTrust::new(case.authorities.iter().map(der).collect(), [TIM]);
    let trust = match &case.lists {
        Some(lists) => with_lists(trust, &lists.iter().map(String::as_str).collect::<Vec<_>>()),
        None => trust,
    };
    judge_of(trust).judge(&chain(&case.leaf), NOW)
}

fn check(openssl: &OpenSsl, case: &Case) {
    let verdict = ours(case);
    let (verified, reasons) = openssl.verify(case);
    let name = &case.name;
    let seen = format!("{name}: {verdict:?}, openssl: {verified} {reasons:?}");
    let we = verdict == relays();
    match case.expected {
        Both => assert!(we && verified, "{seen}"),
        Neither | NeitherFor(_) => {
            let ClientVerdict::Refused(refusal) = &verdict else { panic!("{seen}") };
            assert!(!verified, "{seen}");
            let shared = reasons.iter().any(|reason| reason == refusal.reply_text());
            assert_eq!(shared, case.expected == Neither, "{seen}: {}", refusal.reply_text());
        }
        OpenSslAlone(_) => assert!(!we && verified, "{seen}"),
        WeAlone(_) => assert!(we && !verified, "{seen}"),
    }
}

fn openssl() -> Option<OpenSsl> {
    Some(OpenSsl { program: require_peer("openssl")?, folder: temp_dir() })
}

#[test]
fn every_kind_of_chain() {
    let Some(openssl) = openssl() else { return };
    let tim = || Client::new(TIM);
    let root = Authority::root("root");
    let other = Authority::root("other");
    let namesake = Authority::root("root");
    let below = root.intermediate("below");
    let twice = below.intermediate("twice");
    let mut cases = Vec::new();
    let mut case = |name: &str, authorities: &[&Authority], lists, leaf: Leaf, expected| {
        let authorities = authorities.iter().map(|it| it.certificate()).collect();
        cases.push(Case { name: name.into(), authorities, lists, leaf, expected });
    };
    let good = root.issue_client(&tim());
    case("good", &[&root], None, good.clone(), Both);
    case("good, RSA", &[&root], None, root.issue_client(&Client { key: Key::Rsa, ..tim() }), Both);
    case("good, below", &[&root], None, below.issue_client(&tim()), Both);
    case("good, twice below", &[&root], None, twice.issue_client(&tim()), Both);
    let not_sent = Leaf { intermediates: Vec::new(), ..below.issue_client(&tim()) };
    case("between not sent, and listed", &[&root, &below], None, not_sent.clone(), Both);
    case(
        "between not sent",
        &[&root],
        None,
        not_sent,
        NeitherFor("our text is how it ends where it is not stopped at its first error"),
    );
    let validities = [("expired", Validity::Expired), ("not yet", Validity::NotYet)];
    for (name, validity) in validities {
        case(name, &[&root], None, root.issue_client(&Client { validity, ..tim() }), Neither);
    }
    let all = [
        Flaw::Expired,
        Flaw::NoAuthority,
        Flaw::SignsNoCertificates,
        Flaw::LastOfPath,
        Flaw::ForServers,
    ];
    for flaw in all {
        let flawed = root.flawed_intermediate("flawed", flaw);
        let leaf = flawed.intermediate("under it").issue_client(&tim());
        case(&format!("under {flaw:?}"), &[&root], None, leaf, Neither);
    }
    for flaw in all.into_iter().filter(|flaw| *flaw != Flaw::LastOfPath) {
        let flawed = Authority::flawed_root("flawed", flaw);
        let expected = match flaw {
            Flaw::Expired | Flaw::ForServers => Neither,
            _ => NeitherFor("an authority that may issue none is none to us"),
        };
        let leaf = flawed.issue_client(&tim());
        case(
            &format!("root {flaw:?}, version 1"),
            &[&flawed],
            None,
            flawed.as_version_1(&leaf),
            expected,
        );
        case(&format!("root {flaw:?}"), &[&flawed], None, leaf, expected);
    }
    let constraints: [(&[&str], &[&str], Expected); 5] = [
        (&["example.org"], &[], Both),
        (&[TIM], &["other.example"], Both),
        (&[".example.org"], &[], Neither),
        (&["other.example"], &[], Neither),
        (&[], &["example.org"], NeitherFor("it tells what is excluded from what is not permitted")),
    ];
    for (permitted, excluded, expected) in constraints {
        let below = root.constrained_intermediate("constrained", permitted, excluded);
        let name = format!("permitted {permitted:?}, excluded {excluded:?}");
        case(&name, &[&root], None, below.issue_client(&tim()), expected);
    }
    let once = root.flawed_intermediate("last", Flaw::LastOfPath);
    case("path length kept", &[&root], None, once.issue_client(&tim()), Both);
    for (purposes, uses, expected) in [
        (vec![], vec![], Both),
        (vec![Purpose::ClientAuth, Purpose::ServerAuth], vec![Use::KeyAgreement], Both),
        (vec![Purpose::ServerAuth], vec![], Neither),
        (vec![Purpose::Any], vec![], Neither),
        (vec![], vec![Use::KeyEncipherment], Neither),
    ] {
        let name = format!("{purposes:?} {uses:?}");
        case(
            &name,
            &[&root],
            None,
            root.issue_client(&Client { purposes, uses, ..tim() }),
            expected,
        );
    }
    case(
        "other authority, alone",
        &[&root],
        None,
        other.issue_client(&tim()),
        NeitherFor("our text is how it ends where it is not stopped at its first error"),
    );
    let under_other = other.intermediate("b").issue_client(&tim());
    case("other authority", &[&root], None, under_other.clone(), Neither);
    let mut with_root = under_other;
    with_root.intermediates.push(other.certificate());
    case("other authority and its root", &[&root], None, with_root, Neither);
    case(
        "an authority's name and not its key",
        &[&root],
        None,
        namesake.issue_client(&tim()),
        NeitherFor("it goes by key identifiers before it looks at signatures"),
    );
    case("signs itself", &[&root], None, tim().self_signed(), Neither);
    case(
        "trust ends below the root",
        &[&below],
        None,
        below.issue_client(&tim()),
        WeAlone("an authority need not be a root; openssl has -partial_chain for that"),
    );
    let old = root.as_version_1(&good);
    case("version 1", &[&root], None, old.clone(), Both);
    let old_expired = root.issue_client(&Client { validity: Validity::Expired, ..tim() });
    case("version 1, expired", &[&root], None, root.as_version_1(&old_expired), Neither);
    case(
        "version 1, below",
        &[&root],
        None,
        below.as_version_1(&below.issue_client(&tim())),
        OpenSslAlone("of a client of version 1 the issuer has to be listed"),
    );
    let below_old = below.as_version_1(&below.issue_client(&tim()));
    case(
        "version 1, below, and listed",
        &[&below],
        None,
        below_old,
        WeAlone("an authority need not be a root; openssl has -partial_chain for that"),
    );
    case(
        "version 1, by a namesake",
        &[&root],
        None,
        namesake.as_version_1(&namesake.issue_client(&tim())),
        Neither,
    );
    case(
        "version 1, other authority",
        &[&root],
        None,
        other.as_version_1(&other.issue_client(&tim())),
        NeitherFor("our text is how it ends where it is not stopped at its first error"),
    );
    case(
        "an authority as client",
        &[&root],
        None,
        root.issue_client(&Client { is_authority: true, ..tim() }),
        OpenSslAlone("webpki takes no authority for a client"),
    );

    let list = |of: &Authority, it: &List<'_>| of.list(it);
    let now = List::default();
    let revoked = List { revoked: &[&good.certificate], ..now };
    let deep = twice.issue_client(&tim());
    let all = || vec![list(&root, &now), list(&below, &now), list(&twice, &now)];
    let single = |it: String| Some(vec![it]);
    case("no list", &[&root], Some(vec![]), good.clone(), Neither);
    case("version 1, no list", &[&root], Some(vec![]), old.clone(), Neither);
    case("version 1, on no list", &[&root], single(list(&root, &now)), old.clone(), Both);
    case("version 1, revoked", &[&root], single(list(&root, &revoked)), old.clone(), Neither);
    let expired_list = list(&root, &List { validity: Validity::Expired, ..now });
    case("version 1, list expired", &[&root], single(expired_list), old.clone(), Neither);
    case("version 1, the list of another", &[&root], single(list(&other, &now)), old, Neither);
    case("on no list", &[&root], single(list(&root, &now)), good.clone(), Both);
    case("revoked", &[&root], single(list(&root, &revoked)), good.clone(), Neither);
    case("the list of another", &[&root], single(list(&other, &now)), good.clone(), Neither);
    for (name, validity) in validities {
        let list = list(&root, &List { validity, ..now });
        case(&format!("list {name}"), &[&root], single(list), good.clone(), Neither);
    }
    case(
        "the list of a namesake",
        &[&root],
        single(list(&namesake, &now)),
        good.clone(),
        NeitherFor("it goes by key identifiers before it looks at signatures"),
    );
    let mut broken = der(&list(&root, &now));
    *broken.last_mut().unwrap() ^= 1;
    let broken = section("X509 CRL", &broken);
    case("the signature of a list", &[&root], single(broken), good.clone(), Neither);
    case("every list", &[&root], Some(all()), deep.clone(), Both);
    for missing in 0..3 {
        let mut lists = all();
        lists.remove(missing);
        case(&format!("without list {missing}"), &[&root], Some(lists), deep.clone(), Neither);
        let mut lists = all();
        let of = [&root, &below, &twice][missing];
        lists[missing] = list(of, &List { validity: Validity::Expired, ..now });
        case(&format!("list {missing} expired"), &[&root], Some(lists), deep.clone(), Neither);
    }
    let middle = below.certificate();
    let mut lists = all();
    lists[0] = list(&root, &List { revoked: &[&middle], ..now });
    case("between revoked", &[&root], Some(lists.clone()), deep.clone(), Neither);
    case("between revoked and listed", &[&below, &root], Some(lists), deep, Neither);
    let silent = Authority::flawed_root("silent", Flaw::SignsNoLists);
    case(
        "may sign no list",
        &[&silent],
        single(list(&silent, &now)),
        silent.issue_client(&tim()),
        Neither,
    );
    let later = List { since: Some(2024), ..revoked };
    let two = Some(vec![list(&root, &now), list(&root, &later)]);
    case("of two lists the later", &[&root], two, good.clone(), Neither);
    case("a delta list alone", &[&root], single(root.delta_list()), good, Neither);
    assert!(cases.len() > 45, "{}", cases.len());
    for case in &cases {
        check(&openssl, case);
    }
}

/// A certificate that is an authority for itself.
#[test]
fn pinned_certificates() {
    let Some(openssl) = openssl() else { return };
    let tim = || Client::new(TIM);
    let root = Authority::root("root");
    let itself = |name: &str, lists, leaf: Leaf, expected| Case {
        name: name.into(),
        authorities: vec![leaf.certificate.clone()],
        lists,
        leaf,
        expected,
    };
    let expired = Client { validity: Validity::Expired, ..tim() };
    let authority = Client { is_authority: true, ..tim() };
    let server = Client { purposes: vec![Purpose::ServerAuth], ..tim() };
    for case in [
        itself("signs itself", None, tim().self_signed(), Both),
        itself("an authority", None, authority.self_signed(), Both),
        itself("expired", None, expired.self_signed(), Neither),
        itself("a server's", None, server.self_signed(), Neither),
        itself("with lists", Some(vec![]), tim().self_signed(), Neither),
        itself(
            "issued by another",
            None,
            root.issue_client(&tim()),
            WeAlone("trust ends at what is listed; openssl has -partial_chain for that"),
        ),
    ] {
        check(&openssl, &case);
    }
}

/// Chains, lists and times by chance: nobody relays here whom OpenSSL would refuse.
#[test]
fn chains_by_chance() {
    let Some(openssl) = openssl() else { return };
    let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = |below: u64| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        (seed >> 33) % below
    };
    let root = Authority::root("root");
    let (a, b) = (root.intermediate("a"), root.intermediate("b"));
    let c = a.intermediate("c");
    let authorities = [&root, &a, &b, &c];
    let (mut relayed, mut refused) = (0, 0);
    for n in 0..60 {
        let issuer = authorities[usize::try_from(random(4)).unwrap()];
        let validity = if random(8) == 0 { Validity::Expired } else { Validity::Now };
        let purposes = if random(8) == 0 { vec![Purpose::ServerAuth] } else { vec![] };
        let mut leaf = issuer.issue_client(&Client { validity, purposes, ..Client::new(TIM) });
        if random(2) == 0 {
            leaf.intermediates.reverse();
        }
        let serials = [leaf.certificate.clone(), a.certificate(), c.certificate()];
        let lists = (random(4) != 0).then(|| {
            let mut lists = Vec::new();
            for authority in authorities {
                let revoked: Vec<&str> =
                    serials.iter().filter(|_| random(10) == 0).map(String::as_str).collect();
                let validity = if random(10) == 0 { Validity::Expired } else { Validity::Now };
                if random(10) != 0 {
                    lists.push(authority.list(&List { revoked: &revoked, validity, since: None }));
                }
            }
            lists
        });
        // Each with its issuer: where trust ends below a root, openssl does not take it.
        let listed = [&[&root][..], &[&root, &a], &[&root, &b], &[&root, &a, &c]];
        let listed = listed[usize::try_from(random(4)).unwrap()];
        let trusted = listed.iter().map(|it| it.certificate()).collect();
        let case = Case { name: format!("{n}"), authorities: trusted, lists, leaf, expected: Both };
        let (verdict, (verified, reasons)) = (ours(&case), openssl.verify(&case));
        assert_eq!(verdict == relays(), verified, "{n}: {verdict:?}, openssl: {reasons:?}");
        if verified { relayed += 1 } else { refused += 1 }
    }
    assert!(relayed > 10 && refused > 10, "{relayed} relayed, {refused} refused");
}
