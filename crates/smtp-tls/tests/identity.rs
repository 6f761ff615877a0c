//! Identities from PEM sections in any order, and what certificates say of themselves.
#![allow(clippy::unwrap_used, reason = "tests")]

use smtp_testkit::pki::{Authority, Key, Validity, self_signed, unrelated_key};
use smtp_tls::{Identity, MaterialError, PemKind, Unused, UnusedReason, pem_sections};

/// Every order of the parts.
fn orders(parts: &[String]) -> Vec<Vec<String>> {
    if parts.is_empty() {
        return vec![Vec::new()];
    }
    (0..parts.len())
        .flat_map(|first| {
            let mut rest = parts.to_vec();
            let head = rest.remove(first);
            orders(&rest).into_iter().map(move |mut order| {
                order.insert(0, head.clone());
                order
            })
        })
        .collect()
}

fn assemble(text: &str) -> Result<smtp_tls::Assembly, MaterialError> {
    Identity::assemble(&pem_sections(text.as_bytes()).unwrap())
}

fn chain(identity: &Identity) -> Vec<String> {
    identity.chain().iter().map(smtp_tls::Certificate::to_pem).collect()
}

fn same(ours: &[String], theirs: &[String]) -> bool {
    let der = |text: &String| pem_sections(text.as_bytes()).unwrap().remove(0).der.clone();
    ours.iter().map(der).eq(theirs.iter().map(der))
}

#[test]
fn roles_are_told_in_every_order() {
    let root = Authority::root("Root");
    for kind in [Key::Ecdsa, Key::Rsa] {
        let leaf = root.intermediate("Upper").intermediate("Lower").issue_as(
            &["mx.example"],
            kind,
            Validity::Now,
        );
        let mut parts = vec![leaf.key.clone(), leaf.certificate.clone(), root.certificate()];
        parts.extend(leaf.intermediates.iter().cloned());
        let mut expected = vec![leaf.certificate.clone()];
        expected.extend(leaf.intermediates.iter().cloned());
        expected.push(root.certificate());
        let orders = orders(&parts);
        assert_eq!(orders.len(), 120);
        for order in orders {
            let made = assemble(&order.concat()).unwrap();
            assert_eq!(made.unused, []);
            assert!(same(&chain(&made.identity), &expected));
            assert_eq!(made.identity.leaf(), &made.identity.chain()[0]);
            let there: Vec<_> = made.chain.iter().map(|&section| order[section].clone()).collect();
            assert!(same(&there, &expected));
        }
    }
}

#[test]
fn a_key_that_does_not_tell_its_public_half_takes_what_issued_none_of_the_others() {
    let issued = include_str!("material/ec-issued-certificate.pem").to_owned();
    let issuer = include_str!("material/ec-issuer-certificate.pem").to_owned();
    let key = include_str!("material/ec-sec1-without-public.pem").to_owned();
    for order in orders(&[issuer.clone(), key, issued.clone()]) {
        let made = assemble(&order.concat()).unwrap();
        assert!(same(&chain(&made.identity), &[issued.clone(), issuer.clone()]));
        assert_eq!(made.unused, []);
    }
}

#[test]
fn what_does_not_belong_is_named_and_left_out() {
    let root = Authority::root("Root");
    let leaf = root.issue(&["mx.example"]);
    let stranger = Authority::root("Stranger").certificate();
    let parameters = "-----BEGIN DH PARAMETERS-----\nMAYCAQACAQI=\n-----END DH PARAMETERS-----\n";
    let text = [
        stranger.as_str(),
        &leaf.key,
        parameters,
        &leaf.certificate,
        &leaf.certificate,
        &leaf.key,
        &root.certificate(),
    ]
    .concat();
    let made = assemble(&text).unwrap();
    assert!(same(&chain(&made.identity), &[leaf.certificate, root.certificate()]));
    assert_eq!(
        made.unused,
        [
            Unused { section: 0, reason: UnusedReason::UnrelatedCertificate },
            Unused { section: 2, reason: UnusedReason::OtherKind(PemKind::DhParameters) },
            Unused { section: 4, reason: UnusedReason::Duplicate },
            Unused { section: 5, reason: UnusedReason::Duplicate },
        ]
    );
}

#[test]
fn what_is_missing_or_does_not_fit_is_an_error() {
    let root = Authority::root("Root");
    let leaf = root.issue(&["mx.example"]);
    let rsa = root.issue_as(&["mx.example"], Key::Rsa, Validity::Now);
    let error = |text: &str| assemble(text).unwrap_err();
    assert_eq!(error(&leaf.certificate), MaterialError::NoPrivateKey);
    assert_eq!(error(""), MaterialError::NoPrivateKey);
    assert_eq!(error(&leaf.key), MaterialError::NoCertificate);
    assert_eq!(
        error(&(leaf.certificate.clone() + &unrelated_key())),
        MaterialError::KeyMismatch { section: 1 }
    );
    assert_eq!(
        error(&(rsa.certificate.clone() + &leaf.key)),
        MaterialError::KeyMismatch { section: 1 }
    );
    assert_eq!(
        error(&(leaf.certificate.clone() + &rsa.key)),
        MaterialError::KeyMismatch { section: 1 }
    );
    assert_eq!(
        error(&(leaf.certificate.clone() + &leaf.key + &rsa.key)),
        MaterialError::SeveralPrivateKeys { section: 2 }
    );
    let broken = "-----BEGIN CERTIFICATE-----\nMAMCAQA=\n-----END CERTIFICATE-----\n";
    let broken = error(&(leaf.certificate.clone() + broken + &leaf.key));
    assert!(matches!(broken, MaterialError::Malformed { section: 1, .. }), "{broken:?}");
    assert!(!broken.to_string().contains('\n'));
    let encrypted =
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\nQUJD\n-----END ENCRYPTED PRIVATE KEY-----\n";
    assert_eq!(
        error(&(leaf.certificate + encrypted)),
        MaterialError::EncryptedPrivateKey { section: 1 }
    );
}

#[test]
fn a_file_of_many_sections_takes_no_time_and_too_many_are_an_error() {
    let root = Authority::root("Root");
    let leaf = root.issue(&["mx.example"]);
    // As many as are taken, each of the same name, so that key identifiers must tell them apart.
    let others: String = (0..40).map(|_| Authority::root("Root").certificate()).collect();
    let text = others + &root.certificate() + &leaf.key + &leaf.certificate;
    let made = assemble(&text).unwrap();
    assert!(same(&chain(&made.identity), &[leaf.certificate.clone(), root.certificate()]));
    assert_eq!(made.unused.len(), 40);

    let parameters = "-----BEGIN DH PARAMETERS-----\nMAYCAQACAQI=\n-----END DH PARAMETERS-----\n";
    let most = parameters.repeat(1022) + &leaf.key + &leaf.certificate;
    assert_eq!(assemble(&most).unwrap().unused.len(), 1022);
    let error = assemble(&(most + parameters)).unwrap_err();
    assert_eq!(error, MaterialError::TooManySections { section: 1024 });
    assert_eq!(error.section(), Some(1024));
}

#[test]
fn a_self_signed_certificate_is_a_chain_of_one() {
    let leaf = self_signed(&["mx.example"]);
    let made = assemble(&(leaf.key.clone() + &leaf.certificate)).unwrap();
    assert_eq!(made.identity.chain().len(), 1);
}

#[test]
fn no_prefix_of_a_certificate_is_one() {
    let leaf = self_signed(&["mx.example"]);
    let der = pem_sections(leaf.certificate.as_bytes()).unwrap().remove(0).der.clone();
    for length in 0..der.len() {
        let cut = smtp_tls::Certificate::from_der(der[..length].to_vec());
        assert!(cut.describe().is_err(), "{length}");
        assert!(format!("{cut:?}").contains("unreadable"));
    }
}

#[test]
fn a_certificate_says_its_names_and_its_time() {
    let root = Authority::root("Root");
    let names = ["mx.example", "*.example", "192.0.2.7", "2001:db8::7"];
    let what = |validity| {
        let leaf = root.issue_as(&names, Key::Ecdsa, validity);
        let pem = pem_sections(leaf.certificate.as_bytes()).unwrap().remove(0);
        smtp_tls::Certificate::from_der(pem.der.clone()).describe().unwrap()
    };
    let now = what(Validity::Now);
    assert_eq!(now.names, names);
    assert_eq!((now.subject.as_str(), now.issuer.as_str()), ("CN=mx.example", "CN=Root"));
    // 2020-01-01 to 2049-01-01.
    assert_eq!((now.not_before, now.not_after), (1_577_836_800, 2_493_072_000));
    assert!(now.is_valid_at(1_577_836_800) && now.is_valid_at(2_493_072_000));
    assert!(!now.is_valid_at(1_577_836_799) && !now.is_valid_at(2_493_072_001));
    assert!(!what(Validity::Expired).is_valid_at(1_700_000_000));
    assert!(!what(Validity::NotYet).is_valid_at(1_700_000_000));
}
