//! Whose address a certificate has, and what cannot be one.

use smtp_testkit::pki::Authority;
use smtp_testkit::pki::client::{Attribute, COMMON_NAME, Client, EMAIL_ADDRESS, string};
use smtp_tls::{CertificateAddresses, ClientRefusal, ClientTrust, ClientVerdict, UnusableAddress};

use crate::{TIM, judge, refusal, relays, trust};

const ANN: &[u8] = b"ann@example.org";

const fn email(value: &[u8]) -> Attribute<'_> {
    (EMAIL_ADDRESS, string::IA5, value)
}

const CLIENT: Attribute<'_> = (COMMON_NAME, string::UTF8, b"a client");

fn subject(names: &[&[Attribute<'_>]]) -> ClientVerdict {
    let root = Authority::root("root");
    judge(&trust(&[&root]), &root.issue_client(&Client::with_subject(names)))
}

fn unlisted(octets: &[u8]) -> ClientVerdict {
    let address = smtp_tls::ClientAddress::from_octets(octets).unwrap();
    ClientVerdict::Refused(ClientRefusal::NotListed(address))
}

fn unusable(reason: UnusableAddress) -> ClientVerdict {
    ClientVerdict::Refused(ClientRefusal::AddressUnusable(reason))
}

#[test]
fn the_first_address_of_the_subject_counts() {
    let tim = email(TIM.as_bytes());
    assert_eq!(subject(&[&[tim]]), relays());
    assert_eq!(subject(&[&[CLIENT, tim]]), relays());
    assert_eq!(subject(&[&[CLIENT], &[tim], &[email(ANN)]]), relays());
    assert_eq!(subject(&[&[tim, email(ANN)]]), relays());
    assert_eq!(subject(&[&[email(ANN)], &[tim]]), unlisted(ANN));
    assert_eq!(subject(&[&[email(ANN), tim]]), unlisted(ANN));
    let none = ClientVerdict::Refused(ClientRefusal::NoAddress);
    assert_eq!(subject(&[]), none);
    assert_eq!(subject(&[&[]]), none);
    assert_eq!(subject(&[&[CLIENT]]), none);
    // An empty one is the first, too.
    assert_eq!(subject(&[&[email(b"")], &[tim]]), none);
    // A name that looks like an address is a name.
    assert_eq!(subject(&[&[(COMMON_NAME, string::UTF8, TIM.as_bytes())]]), none);
    assert_eq!(ClientRefusal::NoAddress.reply_text(), "contains no email address");
}

#[test]
fn an_address_is_compared_whole_and_without_regard_to_case() {
    let root = Authority::root("root");
    let trust = ClientTrust::new(trust(&[&root]).authorities, ["Tim@Example.ORG", "bob"]);
    let verdict = |address: &str| judge(&trust, &root.issue_client(&Client::new(address)));
    for address in ["tim@example.org", "TIM@EXAMPLE.ORG", "tIm@eXample.oRg", "bob", "BOB"] {
        let ClientVerdict::Relay(shown) = verdict(address) else { panic!("{address}") };
        assert_eq!(shown.as_str(), address);
    }
    for address in ["tim@example.or", "tim@example.orgs", "im@example.org", "<tim@example.org>"] {
        assert_eq!(verdict(address), unlisted(address.as_bytes()));
    }
    let text = "email address not in my list of tlsclients";
    let refused = refusal(&trust, &root.issue_client(&Client::new("eve@example.org")));
    assert_eq!(refused.reply_text(), text);
}

#[test]
fn nothing_is_hidden_in_an_address() {
    let hostile: [&[u8]; 12] = [
        b"tim@example.org\0",
        b"tim@example.org\0@evil.example",
        b"\0tim@example.org",
        b"tim@example.org\n",
        b"tim@example.org\r\nX-Forged: yes",
        b" tim@example.org",
        b"tim@example.org ",
        b"tim\t@example.org",
        b"tim@example.org\x7f",
        b"tim@example.org\x1b[2J",
        b"t\xc4\xb1m@example.org",
        b"tim@example.org\xff",
    ];
    for octets in hostile {
        for tag in [string::IA5, string::UTF8, string::PRINTABLE] {
            let verdict = subject(&[&[(EMAIL_ADDRESS, tag, octets)]]);
            assert!(
                matches!(verdict, ClientVerdict::Refused(ClientRefusal::AddressUnusable(_))),
                "{octets:?}: {verdict:?}"
            );
        }
    }
    let long = [b'a'; 321];
    let too_long = UnusableAddress::TooLong { octets: 321 };
    assert_eq!(subject(&[&[email(&long)]]), unusable(too_long));
    assert_eq!(
        subject(&[&[email(&vec![b'a'; 60_000])]]),
        unusable(UnusableAddress::TooLong { octets: 60_000 })
    );
    // Even an address that somebody listed so.
    let root = Authority::root("root");
    let trust = ClientTrust::new(trust(&[&root]).authorities, ["tim@example.org\0"]);
    let leaf = root.issue_client(&Client::new("tim@example.org\0"));
    let refused = refusal(&trust, &leaf);
    assert!(matches!(refused, ClientRefusal::AddressUnusable(_)));
    assert_eq!(refused.reply_text(), "email address not in my list of tlsclients");
}

#[test]
fn strings_of_wide_characters_are_no_address() {
    let wide: Vec<u8> = TIM.bytes().flat_map(|octet| [0, octet]).collect();
    let wider: Vec<u8> = TIM.bytes().flat_map(|octet| [0, 0, 0, octet]).collect();
    for (tag, value) in [
        (string::BMP, &wide[..]),
        (string::UNIVERSAL, &wider),
        (string::TELETEX, TIM.as_bytes()),
        // OCTET STRING, and a NULL that has something in it.
        (0x04, TIM.as_bytes()),
        (0x05, TIM.as_bytes()),
    ] {
        let verdict = subject(&[&[(EMAIL_ADDRESS, tag, value)]]);
        assert_eq!(verdict, unusable(UnusableAddress::StringType { tag }));
    }
    // A string in pieces (BER) is not taken for a whole one.
    let pieces = [&[0x16, 3][..], b"tim", &[0x16, 12], b"@example.org"].concat();
    let verdict = subject(&[&[(EMAIL_ADDRESS, 0x36, &pieces)]]);
    assert_eq!(verdict, unusable(UnusableAddress::StringType { tag: 0x36 }));
    // In the names before it, any type may stand.
    let before = (COMMON_NAME, string::UNIVERSAL, &wider[..]);
    assert_eq!(subject(&[&[before], &[email(TIM.as_bytes())]]), relays());
}

#[test]
fn alternative_names_count_where_that_is_said() {
    let root = Authority::root("root");
    let subject_alone = trust(&[&root]);
    let counted = CertificateAddresses::SubjectAndAlternativeNames;
    let both = ClientTrust { counted, ..subject_alone.clone() };
    let issue = |names: &[&[Attribute<'_>]], alternative: &[&str]| {
        let alternative = alternative.iter().map(|&it| it.to_owned()).collect();
        root.issue_client(&Client { alternative, ..Client::with_subject(names) })
    };
    let none = ClientVerdict::Refused(ClientRefusal::NoAddress);
    let leaf = issue(&[&[CLIENT]], &["ann@example.org", "TIM@example.org"]);
    assert_eq!(judge(&subject_alone, &leaf), none);
    let ClientVerdict::Relay(address) = judge(&both, &leaf) else { panic!() };
    assert_eq!(address.as_str(), "TIM@example.org");
    // What cannot be used does not keep the others from it.
    let leaf = issue(&[&[email(b"x\0")]], &["", "a b@example.org", TIM]);
    assert_eq!(judge(&both, &leaf), relays());
    assert!(matches!(
        judge(&subject_alone, &leaf),
        ClientVerdict::Refused(ClientRefusal::AddressUnusable(_))
    ));
    // The second address of the subject still does not count.
    let leaf = issue(&[&[email(ANN)], &[email(TIM.as_bytes())]], &[]);
    assert_eq!(judge(&both, &leaf), unlisted(ANN));
    assert_eq!(judge(&both, &issue(&[&[CLIENT]], &[])), none);
}

/// A subject with anything in it is judged without a panic, and never relays by what it hides.
#[test]
fn no_subject_is_too_strange() {
    let mut seed = 0x2545_f491_4f6c_dd1d_u64;
    let mut random = |below: usize| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        usize::try_from(seed >> 33).unwrap() % below
    };
    let root = Authority::root("root");
    let trust = trust(&[&root]);
    let good = Client::new(TIM);
    for _ in 0..300 {
        let mut subject = good.subject.clone();
        for _ in 0..=random(2) {
            // Tags, lengths and octets, but the outermost length, which frames the certificate.
            let at = 2 + random(subject.len() - 2);
            subject[at] = u8::try_from(random(256)).unwrap();
        }
        let same = subject == good.subject;
        let leaf = root.issue_client(&Client { subject: subject.clone(), ..good.clone() });
        match judge(&trust, &leaf) {
            ClientVerdict::Relay(address) => {
                assert_eq!(address.as_str().to_ascii_lowercase(), TIM);
                // In the name beside it, anything may stand.
                let shown =
                    subject.windows(TIM.len()).any(|it| it.eq_ignore_ascii_case(TIM.as_bytes()));
                assert!(same || shown, "{subject:02x?}");
            }
            ClientVerdict::NotShown => panic!("it was shown"),
            ClientVerdict::Refused(_) => {}
        }
    }
}
