//! The lines and messages behind AUTH: each in both directions, what is refused, and that no
//! secret is shown.
#![allow(clippy::unwrap_used)]

use proptest::prelude::*;
use smtp_proto::limits;
use smtp_proto::wire::sasl::{
    self, Exchange, External, Login, OAuthBearer, Plain, Response, SaslError, Secret, XOAuth2,
};
use smtp_proto::wire::{ReplyParser, ReplyStatus};

const TOKEN: &str = "vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==";

fn octets(secret: &Secret) -> &[u8] {
    secret.as_octets()
}

#[test]
fn plain_in_both_directions() {
    // RFC 4616, 4, and RFC 4954, 4.1.
    let cases = [
        ("AHRpbQB0YW5zdGFhZnRhbnN0YWFm", ["", "tim", "tanstaaftanstaaf"]),
        ("dGVzdAB0ZXN0ADEyMzQ=", ["test", "test", "1234"]),
        ("VXJzZWwAS3VydAB4aXBqMzBsZXM=", ["Ursel", "Kurt", "xipj30les"]),
        ("AGrDpGdlcgDilIBwdw==", ["", "j\u{e4}ger", "\u{2500}pw"]),
    ];
    for (line, [authorization, authentication, password]) in cases {
        let secret = sasl::decode_initial_response(line).unwrap();
        let plain = Plain::decode(octets(&secret)).unwrap();
        let fields = [plain.authorization_id(), plain.authentication_id(), plain.password()];
        assert_eq!(fields, [authorization, authentication, password]);
        let again = Plain::new(authorization, authentication, password).unwrap();
        assert_eq!(again, plain);
        assert_eq!(sasl::initial_response(octets(&again.encode())).as_str(), line);
    }
    let refused: [&[u8]; 9] = [
        b"",
        b"tim",
        b"tim\0pw",
        b"\0tim\0",
        b"\0\0pw",
        b"\0tim\0pw\0",
        b"\0tim\0p\0w",
        b"a\0tim\0\xff",
        b"\xc0\x80\0tim\0pw",
    ];
    for message in refused {
        assert!(matches!(Plain::decode(message), Err(SaslError::Malformed(_))), "{message:?}");
    }
    for [a, b, c] in [["\0", "b", "c"], ["", "b\0", "c"], ["", "b", "c\0"], ["a", "", "c"]] {
        assert!(Plain::new(a, b, c).is_err());
    }
}

#[test]
fn login_takes_a_name_and_a_password() {
    let name = sasl::decode_response(b"dGlt").unwrap();
    let password = sasl::decode_response(b"dGFuc3RhYWZ0YW5zdGFhZg==").unwrap();
    let (Response::Message(name), Response::Message(password)) = (name, password) else { panic!() };
    let login = Login::new(octets(&name), octets(&password)).unwrap();
    assert_eq!((login.name(), login.password()), ("tim", &b"tanstaaftanstaaf"[..]));
    assert!(Login::new(b"tim", b"any\xff octets").is_ok());
    for (name, password) in [
        (&b""[..], &b"pw"[..]),
        (b"tim", b""),
        (b"t\0m", b"pw"),
        (b"tim", b"p\0w"),
        (b"tim\n", b"pw"),
        (b"tim", b"pw\r"),
        (b"t\xffm", b"pw"),
    ] {
        assert!(matches!(Login::new(name, password), Err(SaslError::Malformed(_))));
    }
    let mut out = Vec::new();
    sasl::write_challenge(Login::NAME_CHALLENGE, &mut out);
    sasl::write_challenge(Login::PASSWORD_CHALLENGE, &mut out);
    assert_eq!(out, b"334 VXNlcm5hbWU6\r\n334 UGFzc3dvcmQ6\r\n");
}

#[test]
fn external_may_be_empty() {
    let secret = sasl::decode_initial_response("=").unwrap();
    assert_eq!(External::decode(octets(&secret)), Ok(External::default()));
    assert_eq!(sasl::initial_response(External::default().encode()).as_str(), "=");
    let external = External::decode(b"fred@example.com").unwrap();
    assert_eq!(external.authorization_id(), "fred@example.com");
    assert_eq!(external.encode(), b"fred@example.com");
    for message in [&b"a\0b"[..], b"\0", b"\xff"] {
        assert!(External::decode(message).is_err());
    }
}

#[test]
fn xoauth2_in_both_directions() {
    let message = format!("user=someuser@example.com\x01auth=Bearer {TOKEN}\x01\x01");
    let decoded = XOAuth2::decode(message.as_bytes()).unwrap();
    assert_eq!((decoded.user(), decoded.token()), ("someuser@example.com", TOKEN));
    assert_eq!(octets(&decoded.encode()), message.as_bytes());
    assert_eq!(XOAuth2::new("someuser@example.com", TOKEN), Ok(decoded));
    for message in [
        "",
        "user=a",
        "user=\x01auth=Bearer t\x01\x01",
        "user=a\x01auth=Bearer t\x01",
        "user=a\x01auth=Bearer t",
        "user=a\x01auth=Bearer \x01\x01",
        "user=a\x01auth=Basic t\x01\x01",
        "user=a\x01auth=Bearer t\x01x=y\x01\x01",
        "user=a\0\x01auth=Bearer t\x01\x01",
        "user=a\x01auth=Bearer t\0\x01\x01",
        "user=a\x01auth=Bearer t t\x01\x01",
        "user=a\x01auth=Bearer \u{e4}\x01\x01",
    ] {
        assert!(XOAuth2::decode(message.as_bytes()).is_err(), "{message:?}");
    }
    assert!(XOAuth2::new("a\x01auth=Bearer x", "t").is_err());
    assert!(XOAuth2::new("a", "t\x01\x01").is_err());
}

#[test]
fn oauthbearer_in_both_directions() {
    // RFC 7628, 4.1.
    let message = format!(
        "n,a=user@example.com,\x01host=server.example.com\x01port=587\x01auth=Bearer {TOKEN}\x01\x01"
    );
    let decoded = OAuthBearer::decode(message.as_bytes()).unwrap();
    assert_eq!(decoded.authorization_id(), "user@example.com");
    assert_eq!((decoded.host(), decoded.port()), (Some("server.example.com"), Some(587)));
    assert_eq!(decoded.token(), TOKEN);
    assert_eq!(octets(&decoded.encode()), message.as_bytes());

    let odd = OAuthBearer::new("a=b,c", None, None, "t").unwrap();
    assert_eq!(octets(&odd.encode()), b"n,a=a=3Db=2Cc,\x01auth=Bearer t\x01\x01");
    assert_eq!(OAuthBearer::decode(octets(&odd.encode())), Ok(odd.clone()));
    let passed_over = b"y,,\x01realm=x\x01auth=bearer  t\x01\x01";
    assert_eq!(OAuthBearer::decode(passed_over), OAuthBearer::new("", None, None, "t"));
    for message in [
        "",
        "\x01",
        "p=tls-unique,,\x01auth=Bearer t\x01\x01",
        "n,,auth=Bearer t\x01\x01",
        "n,a=,\x01auth=Bearer t\x01\x01",
        "n,b=x,\x01auth=Bearer t\x01\x01",
        "n,a=x=4D,\x01auth=Bearer t\x01\x01",
        "n,a=x=3d,\x01auth=Bearer t\x01\x01",
        "n,a=x\0,\x01auth=Bearer t\x01\x01",
        "n,,\x01auth=Bearer t\x01",
        "n,,\x01auth=Bearer t",
        "n,,\x01\x01",
        "n,,\x01host=h\x01\x01",
        "n,,\x01port=65536\x01auth=Bearer t\x01\x01",
        "n,,\x01port=+1\x01auth=Bearer t\x01\x01",
        "n,,\x01port=\x01auth=Bearer t\x01\x01",
        "n,,\x01host=a b\x01auth=Bearer t\x01\x01",
        "n,,\x01auth=Bearer t\x01auth=Bearer u\x01\x01",
        "n,,\x01a1=x\x01auth=Bearer t\x01\x01",
        "n,,\x01auth=Bearer \x01\x01",
    ] {
        assert!(OAuthBearer::decode(message.as_bytes()).is_err(), "{message:?}");
    }
}

#[test]
fn only_what_an_encoder_writes_is_base64() {
    for line in [
        "A", "AB", "ABC", "AB=", "A===", "====", "=", "AB==AB==", "AAAAA", " AAAA", "AAAA ",
        "AA\tA", "AA-_", "AAAA\n", "AAAA=", "AAAA==", "AB==", "AAB=", "*A==", "**", "\u{e4}AA",
    ] {
        // AB== and AAB= have bits set that nothing encodes.
        let error = sasl::decode_response(line.as_bytes());
        assert_eq!(error, Err(SaslError::NotBase64), "{line:?}");
    }
    assert_eq!(sasl::decode_initial_response(""), Err(SaslError::NotBase64));
    assert_eq!(sasl::decode_initial_response("*"), Err(SaslError::NotBase64));
    assert_eq!(sasl::decode_response(b"*"), Ok(Response::Cancel));
    assert_eq!(sasl::decode_response(b""), Ok(Response::Message(Vec::new().into())));
    assert_eq!(sasl::decode_response(b"AA=="), Ok(Response::Message(vec![0].into())));

    let most = (limits::AUTH_LINE - 2) / 4 * 4;
    assert!(sasl::decode_response(&vec![b'A'; most]).is_ok());
    let over = vec![b'A'; limits::AUTH_LINE - 1];
    assert_eq!(sasl::decode_response(&over), Err(SaslError::TooLong));
    assert_eq!(sasl::decode_initial_response(&"A".repeat(20_000)), Err(SaslError::TooLong));
}

#[test]
fn a_challenge_is_one_line_whatever_its_length() {
    let most = (limits::AUTH_LINE - "334 \r\n".len()) / 4 * 3;
    for challenge in [Vec::new(), b"x".to_vec(), vec![7; 1000], vec![255; most]] {
        let mut line = Vec::new();
        sasl::write_challenge(&challenge, &mut line);
        assert!(line.starts_with(b"334 ") && line.ends_with(b"\r\n"));
        assert_eq!(line.iter().filter(|octet| **octet == b'\n').count(), 1);
        let status = ReplyParser::new().feed(&line);
        let Ok(ReplyStatus::Complete { reply, consumed }) = status else { panic!("{status:?}") };
        assert_eq!(consumed, line.len());
        assert_eq!(octets(&sasl::decode_challenge(&reply).unwrap()), challenge);
    }
}

#[test]
fn no_secret_is_shown() {
    let shown = [
        format!("{:?}", Plain::new("", "tim", "hunter2").unwrap()),
        format!("{:?}", Plain::new("", "tim", "hunter2").unwrap().encode()),
        format!("{:?}", Login::new(b"tim", b"hunter2").unwrap()),
        format!("{:?}", XOAuth2::new("tim", "hunter2").unwrap()),
        format!("{:?}", OAuthBearer::new("tim", None, None, "hunter2").unwrap()),
        format!("{:?}", Exchange::Response(b"hunter2")),
        format!("{:?}", Exchange::Begin { mechanism: "PLAIN", initial_response: Some(b"hunter2") }),
        format!("{:?}", sasl::decode_response(b"aHVudGVyMg==").unwrap()),
        Plain::decode(b"hunter2").unwrap_err().to_string(),
    ];
    for text in shown {
        let octets = format!("{:?}", b"hunter2");
        assert!(
            !text.contains("hunter2") && !text.contains(octets.trim_matches(['[', ']'])),
            "{text}"
        );
    }
}

/// Base64 the slow way: bit by bit, as RFC 4648, 4 says it.
fn naive_base64(octets: &[u8]) -> String {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let bits: Vec<u8> =
        octets.iter().flat_map(|octet| (0..8).rev().map(move |bit| octet >> bit & 1)).collect();
    let mut text: String = bits
        .chunks(6)
        .map(|six| {
            let index =
                (0..6).fold(0, |index, bit| index << 1 | six.get(bit).copied().unwrap_or(0));
            char::from(ALPHABET[usize::from(index)])
        })
        .collect();
    while !text.len().is_multiple_of(4) {
        text.push('=');
    }
    text
}

proptest! {
    #[test]
    fn base64_is_that_of_the_rfc(message in proptest::collection::vec(any::<u8>(), 0..64)) {
        let line = sasl::encode(&message);
        prop_assert_eq!(line.as_str(), naive_base64(&message));
        let back = sasl::decode_response(line.as_bytes());
        prop_assert_eq!(back, Ok(Response::Message(message.into())));
    }

    #[test]
    fn a_line_that_is_taken_is_what_is_written(line in "[A-Za-z0-9+/=]{0,12}") {
        if let Ok(Response::Message(message)) = sasl::decode_response(line.as_bytes()) {
            let again = sasl::encode(octets(&message));
            prop_assert_eq!(again.as_str(), line);
        }
    }

    #[test]
    fn messages_that_are_taken_are_what_is_written(
        message in "(n,|user=|a=)?[a-z,=\\x00\\x01]{0,6}(,?\\x01auth=Bearer )?[a-z\\x00]{0,4}(\\x01\\x01)?",
    ) {
        let message = message.as_bytes();
        if let Ok(plain) = Plain::decode(message) {
            let again = plain.encode();
            prop_assert_eq!(octets(&again), message);
        }
        if let Ok(external) = External::decode(message) {
            prop_assert_eq!(external.encode(), message);
        }
        if let Ok(oauth) = XOAuth2::decode(message) {
            let again = oauth.encode();
            prop_assert_eq!(octets(&again), message);
        }
        if let Ok(oauth) = OAuthBearer::decode(message) {
            let again = oauth.encode();
            prop_assert_eq!(OAuthBearer::decode(octets(&again)), Ok(oauth.clone()));
        }
    }
}
