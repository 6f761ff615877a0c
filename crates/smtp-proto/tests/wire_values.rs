//! The parameters of MAIL and RCPT: each value in both directions, the refused forms beside it, and
//! what a list may hold.
#![allow(clippy::unwrap_used)]

use std::borrow::Cow;

use proptest::prelude::*;
use smtp_proto::limits;
use smtp_proto::wire::{
    BodyType, Command, CommandError as E, DeliverBy, DeliverByMode, EnvelopeId, Extension,
    Extensions, Hold, Interval, MailParameters, NoSupportAction, Notify, OriginalAddress,
    OriginalRecipient, Priority, RcptParameters, Ret, Rrvs, Submitter, Syntax, Timestamp,
    UnknownParameters, Utf8Address, Verb,
};

fn everything() -> Syntax {
    Syntax { extensions: Extension::ALL.iter().copied().collect(), ..Syntax::default() }
}

fn keeping() -> Syntax {
    let mut syntax = everything();
    syntax.unknown_parameters = UnknownParameters::Keep;
    syntax
}

fn mail<'a>(line: &'a str, syntax: &Syntax) -> Result<MailParameters<'a>, E> {
    match Command::parse_with(line.as_bytes(), syntax)? {
        Command::Mail(mail) => Ok(mail.parameters),
        other => panic!("{other:?}"),
    }
}

fn rcpt<'a>(line: &'a str, syntax: &Syntax) -> Result<RcptParameters<'a>, E> {
    match Command::parse_with(line.as_bytes(), syntax)? {
        Command::Rcpt(rcpt) => Ok(rcpt.parameters),
        other => panic!("{other:?}"),
    }
}

/// `(as written, as printed)`: both read as one value.
const MAIL: &[(&str, &str)] = &[
    ("SIZE=500000", "SIZE=500000"),
    ("size=00", "SIZE=0"),
    ("SIZE=99999999999999999999", "SIZE=18446744073709551615"),
    ("BODY=8BITMIME", "BODY=8BITMIME"),
    ("body=binarymime", "BODY=BINARYMIME"),
    ("BODY=7bit", "BODY=7BIT"),
    ("smtputf8", "SMTPUTF8"),
    ("RET=HDRS", "RET=HDRS"),
    ("ret=full", "RET=FULL"),
    ("ENVID=QQ314159", "ENVID=QQ314159"),
    ("ENVID=a+20b+09c+2B+3D", "ENVID=a+20b+09c+2B+3D"),
    ("AUTH=e+3Dmc2@example.com", "AUTH=e+3Dmc2@example.com"),
    ("AUTH=e+3dmc2@example.com", "AUTH=e+3dmc2@example.com"),
    ("AUTH=<>", "AUTH=<>"),
    ("AUTH=+3C+3E", "AUTH=<>"),
    ("AUTH=<+3E", "AUTH=<>"),
    ("AUTH=+22a+20b+22@[127.0.0.1]", "AUTH=+22a+20b+22@[127.0.0.1]"),
    ("requiretls", "REQUIRETLS"),
    ("MT-PRIORITY=6", "MT-PRIORITY=6"),
    ("mt-priority=-9", "MT-PRIORITY=-9"),
    ("MT-PRIORITY=0", "MT-PRIORITY=0"),
    ("HOLDFOR=1", "HOLDFOR=1"),
    ("HOLDFOR=999999999", "HOLDFOR=999999999"),
    ("HOLDUNTIL=2007-05-01T12:00:00Z", "HOLDUNTIL=2007-05-01T12:00:00Z"),
    ("holduntil=2024-02-29t23:59:60.5-23:59", "HOLDUNTIL=2024-02-29t23:59:60.5-23:59"),
    ("BY=120;R", "BY=120;R"),
    ("BY=+999999999;nt", "BY=999999999;NT"),
    ("by=-999999999;N", "BY=-999999999;N"),
    ("BY=0;N", "BY=0;N"),
    ("BY=007;rT", "BY=7;RT"),
];

const RCPT: &[(&str, &str)] = &[
    ("NOTIFY=NEVER", "NOTIFY=NEVER"),
    ("NOTIFY=success", "NOTIFY=SUCCESS"),
    ("notify=delay,FAILURE,Success", "NOTIFY=SUCCESS,FAILURE,DELAY"),
    ("NOTIFY=DELAY,DELAY", "NOTIFY=DELAY"),
    ("ORCPT=rfc822;Bob@Big-Bucks.COM", "ORCPT=rfc822;Bob@Big-Bucks.COM"),
    ("ORCPT=rfc822;Eric@Bombs.AF.MIL", "ORCPT=rfc822;Eric@Bombs.AF.MIL"),
    ("ORCPT=rfc822;a+2Bb+20;c", "ORCPT=rfc822;a+2Bb+20;c"),
    (
        "ORCPT=UTF-8;a\\x{E9}@b\\x{10FFFF}\\x{20}\\x{5C}",
        "ORCPT=UTF-8;a\\x{E9}@b\\x{10FFFF}\\x{20}\\x{5C}",
    ),
    ("ORCPT=utf-8;jos\u{e9}@\u{4f8b}.example", "ORCPT=utf-8;jos\u{e9}@\u{4f8b}.example"),
    ("RRVS=2014-04-03T23:01:00Z", "RRVS=2014-04-03T23:01:00Z"),
    ("RRVS=2014-04-03T23:01:00Z;r", "RRVS=2014-04-03T23:01:00Z"),
    ("rrvs=1999-12-31T23:59:59-08:00;c", "RRVS=1999-12-31T23:59:59-08:00;C"),
];

#[test]
fn every_value_in_both_directions() {
    let syntax = everything();
    for (written, printed) in MAIL {
        let line = format!("MAIL FROM:<a@b> {written}");
        let parameters = mail(&line, &syntax).unwrap_or_else(|error| panic!("{line}: {error}"));
        assert_eq!(parameters.to_string(), format!(" {printed}"));
        assert_ne!(parameters, MailParameters::default());
        assert_eq!(mail(&format!("MAIL FROM:<a@b> {printed}"), &syntax), Ok(parameters), "{line}");
    }
    for (written, printed) in RCPT {
        let line = format!("RCPT TO:<a@b> {written}");
        let parameters = rcpt(&line, &syntax).unwrap_or_else(|error| panic!("{line}: {error}"));
        assert_eq!(parameters.to_string(), format!(" {printed}"));
        assert_ne!(parameters, RcptParameters::default());
        assert_eq!(rcpt(&format!("RCPT TO:<a@b> {printed}"), &syntax), Ok(parameters), "{line}");
    }
}

#[test]
fn what_the_values_are() {
    let line = "MAIL FROM:<> SIZE=5 BODY=BINARYMIME SMTPUTF8 RET=HDRS ENVID=a+20b AUTH=a@b \
                REQUIRETLS MT-PRIORITY=-3 HOLDFOR=86400 BY=-5;NT";
    let expected = MailParameters {
        size: Some(5),
        body: Some(BodyType::BinaryMime),
        smtputf8: true,
        ret: Some(Ret::Headers),
        envid: EnvelopeId::parse("a+20b"),
        auth: Submitter::parse("a@b"),
        requiretls: true,
        mt_priority: Priority::new(-3),
        hold: Interval::new(86_400).map(Hold::For),
        by: DeliverBy::new(-5, DeliverByMode::Notify, true),
        ..MailParameters::default()
    };
    let parameters = mail(line, &everything()).unwrap();
    assert_eq!(parameters, expected);
    let envid = parameters.envid.unwrap().xtext();
    assert_eq!(envid.to_octets(), Cow::<[u8]>::Owned(b"a b".to_vec()));
    let by = parameters.by.unwrap();
    assert_eq!((by.seconds(), by.mode(), by.trace()), (-5, DeliverByMode::Notify, true));
    let Some(Submitter::Mailbox(submitter)) = parameters.auth else { panic!() };
    assert!(matches!(submitter.xtext().to_octets(), Cow::Borrowed(b"a@b")));

    let line =
        "RCPT TO:<a@b> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;a+2Bb@c RRVS=2014-04-03T23:01:00Z;C";
    let parameters = rcpt(line, &everything()).unwrap();
    assert_eq!(parameters.notify, Notify::of(true, false, true));
    let orcpt = parameters.orcpt.unwrap();
    assert_eq!(orcpt.kind(), "rfc822");
    let OriginalAddress::Xtext(address) = orcpt.address() else { panic!() };
    assert_eq!(&*address.to_octets(), b"a+b@c");
    let rrvs = parameters.rrvs.unwrap();
    assert_eq!(
        (rrvs.since().unix_seconds(), rrvs.action()),
        (1_396_566_060, NoSupportAction::Continue)
    );
}

#[test]
fn what_is_refused() {
    let syntax = everything();
    let long_envid = format!("ENVID={}", "+41".repeat(101));
    let long_orcpt = format!("ORCPT=rfc822;{}", "a".repeat(494));
    let long_auth = format!("AUTH={}@{}", "a".repeat(64), "b.".repeat(95));
    let of_mail = [
        "SIZE",
        "SIZE=-1",
        "SIZE=1k",
        "SIZE=100000000000000000000",
        "BODY",
        "BODY=8BIT",
        "BODY=BINARY",
        "SMTPUTF8=yes",
        "REQUIRETLS=yes",
        "RET",
        "RET=HEADERS",
        "RET=FULL,HDRS",
        "ENVID",
        "ENVID=a+",
        "ENVID=a+4",
        "ENVID=a+4G",
        "ENVID=a+00",
        "ENVID=a+0A",
        "ENVID=a+0D",
        "ENVID=+7F",
        "ENVID=+80",
        &long_envid,
        "AUTH",
        "AUTH=<a@b>",
        "AUTH=a",
        "AUTH=a@",
        "AUTH=a+0D+0A@b",
        "AUTH=+FF@b",
        "AUTH=a@b+3E+20SIZE+3D1",
        "AUTH=<>a",
        "AUTH=+3C+3E+3E",
        &long_auth,
        "MT-PRIORITY",
        "MT-PRIORITY=10",
        "MT-PRIORITY=-10",
        "MT-PRIORITY=+1",
        "MT-PRIORITY=-0",
        "MT-PRIORITY=01",
        "HOLDFOR",
        "HOLDFOR=0",
        "HOLDFOR=01",
        "HOLDFOR=1000000000",
        "HOLDFOR=-1",
        "HOLDFOR=1h",
        "HOLDUNTIL",
        "HOLDUNTIL=now",
        "HOLDUNTIL=2007-05-01",
        "HOLDUNTIL=2007-05-01T12:00:00",
        "BY",
        "BY=120",
        "BY=120;",
        "BY=120;X",
        "BY=120;RX",
        "BY=120;RTT",
        "BY=;R",
        "BY=+;R",
        "BY=1000000000;N",
        "BY=--1;N",
        "BY=120,R",
        "BY=0;R",
        "BY=-1;R",
        "BY=-0;RT",
    ];
    for parameter in of_mail {
        let line = format!("MAIL FROM:<a@b> SIZE=1 {parameter}");
        let line = line.replace("SIZE=1 SIZE", "SIZE");
        let at = line.rfind(' ').unwrap() + 1;
        let error = mail(&line, &syntax).unwrap_err();
        assert!(
            matches!(error, E::InvalidParameter { verb: Verb::Mail, at: place, .. } if place == at),
            "{line}: {error}"
        );
    }
    let of_rcpt = [
        "NOTIFY",
        "NOTIFY=ALWAYS",
        "NOTIFY=NEVER,SUCCESS",
        "NOTIFY=SUCCESS,NEVER",
        "NOTIFY=,",
        "NOTIFY=SUCCESS,",
        "NOTIFY=SUCCESS,,DELAY",
        "ORCPT",
        "ORCPT=a@b",
        "ORCPT=;a@b",
        "ORCPT=rfc822;",
        "ORCPT=rfc@822;a@b",
        "ORCPT=rfc=822;a@b",
        "ORCPT=rfc822;a+0A",
        "ORCPT=rfc822;a+E9",
        "ORCPT=rfc822;a+",
        "ORCPT=rfc822;\u{e9}",
        &long_orcpt,
        "ORCPT=utf-8;",
        "ORCPT=utf-8;a+41",
        "ORCPT=utf-8;a\\",
        "ORCPT=utf-8;\\x{41}",
        "ORCPT=utf-8;\\x{0A}",
        "ORCPT=utf-8;\\x{7F}",
        "ORCPT=utf-8;\\x{D800}",
        "ORCPT=utf-8;\\x{110000}",
        "ORCPT=utf-8;\\x{0E9}",
        "ORCPT=utf-8;\\x{9}",
        "ORCPT=utf-8;\\x{E9",
        "ORCPT=utf-8;\\x{}",
        "ORCPT=utf-8;\\x{85}",
        "ORCPT=utf-8;\u{85}",
        "ORCPT=utf-8;\\x{+E9}",
        "RRVS",
        "RRVS=2014-04-03",
        "RRVS=2014-04-03T23:01:00.5Z",
        "RRVS=2014-04-03T23:01:00Z;",
        "RRVS=2014-04-03T23:01:00Z;X",
        "RRVS=2014-04-03T23:01:00Z;CR",
    ];
    for parameter in of_rcpt {
        let line = format!("RCPT TO:<a@b> {parameter}");
        let error = rcpt(&line, &syntax).unwrap_err();
        assert!(
            matches!(error, E::InvalidParameter { verb: Verb::Rcpt, at: 14, .. }),
            "{line}: {error}"
        );
    }
}

#[test]
fn a_parameter_stands_there_once() {
    let syntax = keeping();
    for (written, printed) in MAIL {
        let line = format!("MAIL FROM:<a@b> {written} {printed}");
        let at = line.rfind(' ').unwrap() + 1;
        assert_eq!(mail(&line, &syntax), Err(E::DuplicateParameter { verb: Verb::Mail, at }));
    }
    for (written, printed) in RCPT {
        let line = format!("RCPT TO:<a@b> {written} {printed}");
        let at = line.rfind(' ').unwrap() + 1;
        assert_eq!(rcpt(&line, &syntax), Err(E::DuplicateParameter { verb: Verb::Rcpt, at }));
    }
    // One of the two, never both (RFC 4865, 4.2).
    let line = "MAIL FROM:<a@b> HOLDFOR=1 HOLDUNTIL=2030-01-01T00:00:00Z";
    assert_eq!(mail(line, &syntax), Err(E::DuplicateParameter { verb: Verb::Mail, at: 26 }));
}

#[test]
fn what_was_not_offered_is_unknown_even_where_it_is_wrong() {
    let of = [
        (Extension::Size, Verb::Mail, &["SIZE=1", "SIZE", "SIZE=x"][..]),
        (Extension::SmtpUtf8, Verb::Mail, &["SMTPUTF8", "SMTPUTF8=x"]),
        (Extension::Dsn, Verb::Mail, &["RET=FULL", "RET=x", "ENVID=a", "ENVID=+"]),
        (Extension::Auth, Verb::Mail, &["AUTH=<>", "AUTH=x"]),
        (Extension::RequireTls, Verb::Mail, &["REQUIRETLS", "REQUIRETLS=x"]),
        (Extension::MtPriority, Verb::Mail, &["MT-PRIORITY=1", "MT-PRIORITY=x"]),
        (Extension::FutureRelease, Verb::Mail, &["HOLDFOR=1", "HOLDFOR=x", "HOLDUNTIL=x"]),
        (Extension::DeliverBy, Verb::Mail, &["BY=1;R", "BY=x"]),
        (Extension::Dsn, Verb::Rcpt, &["NOTIFY=NEVER", "NOTIFY=x", "ORCPT=a;b", "ORCPT=x"]),
        (Extension::Rrvs, Verb::Rcpt, &["RRVS=2014-04-03T23:01:00Z", "RRVS=x"]),
    ];
    for (extension, verb, parameters) in of {
        // To keep what is not known is not to take what was not offered.
        let mut syntax = keeping();
        syntax.extensions = syntax.extensions.without(extension);
        for parameter in parameters {
            let (line, at) = match verb {
                Verb::Mail => (format!("MAIL FROM:<a@b> {parameter}"), 16),
                _ => (format!("RCPT TO:<a@b> {parameter}"), 14),
            };
            let error = Command::parse_with(line.as_bytes(), &syntax).unwrap_err();
            assert_eq!(error, E::UnknownParameter { verb, at }, "{line}");
        }
    }
    // BODY comes with two extensions, each with values of its own.
    let body = |value: &str, extensions: Extensions| {
        let syntax = Syntax { extensions, ..Syntax::default() };
        mail(&format!("MAIL FROM:<a@b> BODY={value}"), &syntax).map(|parameters| parameters.body)
    };
    let lines = Extensions::EMPTY.with(Extension::EightBitMime);
    let binary = Extensions::EMPTY.with(Extension::BinaryMime);
    assert!(matches!(body("7BIT", Extensions::EMPTY), Err(E::UnknownParameter { .. })));
    assert!(matches!(body("x", Extensions::EMPTY), Err(E::UnknownParameter { .. })));
    assert!(matches!(body("BINARYMIME", lines), Err(E::InvalidParameter { .. })));
    assert!(matches!(body("8BITMIME", binary), Err(E::InvalidParameter { .. })));
    assert_eq!(body("8BITMIME", lines), Ok(Some(BodyType::EightBitMime)));
    assert_eq!(body("BINARYMIME", binary), Ok(Some(BodyType::BinaryMime)));
    assert_eq!(body("8BITMIME", binary.union(lines)), Ok(Some(BodyType::EightBitMime)));
    // Each verb has its own.
    assert!(matches!(rcpt("RCPT TO:<a@b> SIZE=1", &everything()), Err(E::UnknownParameter { .. })));
    assert!(matches!(
        mail("MAIL FROM:<a@b> NOTIFY=NEVER", &everything()),
        Err(E::UnknownParameter { .. })
    ));
}

#[test]
fn what_is_not_known_is_kept_where_that_is_asked() {
    let line = "MAIL FROM:<a@b> X-one SIZE=5 XTWO=a;b NOTIFY=x x-ONE=2";
    assert_eq!(mail(line, &everything()), Err(E::UnknownParameter { verb: Verb::Mail, at: 16 }));
    let syntax = keeping();
    let parameters = mail(line, &syntax).unwrap();
    let others: Vec<_> = parameters.other.iter().collect();
    let expected =
        [("X-one", None), ("XTWO", Some("a;b")), ("NOTIFY", Some("x")), ("x-ONE", Some("2"))];
    assert_eq!(others, expected);
    assert_eq!(parameters.to_string(), " SIZE=5 X-one XTWO=a;b NOTIFY=x x-ONE=2");
    let printed = format!("MAIL FROM:<a@b>{parameters}");
    assert_eq!(mail(&printed, &syntax), Ok(parameters));
    assert_ne!(mail("MAIL FROM:<a@b> SIZE=5 X-one", &syntax), Ok(parameters));
    assert!(mail("MAIL FROM:<a@b> SIZE=5", &syntax).unwrap().other.is_empty());

    let parameters = rcpt("RCPT TO:<a@b> SIZE=x NOTIFY=NEVER Y", &syntax).unwrap();
    assert_eq!(parameters.other.iter().collect::<Vec<_>>(), [("SIZE", Some("x")), ("Y", None)]);
    assert!(parameters.is_ascii());
    let parameters = rcpt("RCPT TO:<a@b> Y=\u{e9}", &syntax).unwrap();
    assert!(!parameters.is_ascii());
    let parameters = mail("MAIL FROM:<a@b> SMTPUTF8 SIZE=5 Y=\u{e9}", &syntax).unwrap();
    assert!(!parameters.is_ascii());
    assert_eq!(parameters.to_string(), " SIZE=5 SMTPUTF8 Y=\u{e9}");
    // The grammar of a list holds for them too.
    for bad in ["X=", "X==", "X=a=b", "-X", "X_Y", "=X", " X"] {
        let line = format!("MAIL FROM:<a@b> {bad}");
        assert!(matches!(mail(&line, &syntax), Err(E::Syntax { .. })), "{line}");
    }
}

#[test]
fn what_is_outside_ascii_is_declared() {
    let mut syntax = everything();
    syntax.unknown_parameters = UnknownParameters::Keep;
    for list in
        [" Y=\u{e9}", " SIZE=5 Y=\u{e9}", " SIZE=5 Y=\u{e9} BODY=7BIT", " AUTH=<> X Y=\u{e9}"]
    {
        for path in ["", "a@b", "\"a b\"@c", "\u{e9}@b"] {
            let line = format!("MAIL FROM:<{path}>{list}");
            assert_eq!(
                mail(&line, &syntax),
                Err(E::Utf8NotDeclared { verb: Verb::Mail }),
                "{line}"
            );
            for line in [format!("{line} SMTPUTF8"), format!("MAIL FROM:<{path}> smtputf8{list}")] {
                assert!(!mail(&line, &syntax).unwrap().is_ascii(), "{line}");
            }
        }
    }
    for list in [" Y=z", " SIZE=5 Y=z", " AUTH=jos+C3+A9@b"] {
        let line = format!("MAIL FROM:<a@b>{list}");
        assert!(mail(&line, &syntax).unwrap().is_ascii(), "{line}");
    }
}

#[test]
fn addresses_outside_ascii_need_their_extension() {
    let line = "RCPT TO:<a@b> ORCPT=utf-8;jos\u{e9}@b";
    let parameters = rcpt(line, &everything()).unwrap();
    assert!(!parameters.is_ascii());
    let OriginalAddress::Utf8(address) = parameters.orcpt.unwrap().address() else { panic!() };
    assert_eq!(address.to_text(), "jos\u{e9}@b");
    let mut syntax = everything();
    syntax.extensions = syntax.extensions.without(Extension::SmtpUtf8);
    assert!(Command::parse_with(line.as_bytes(), &syntax).is_err());
    let line = "MAIL FROM:<a@b> AUTH=jos+C3+A9@b";
    let Ok(Some(Submitter::Mailbox(submitter))) =
        mail(line, &everything()).map(|parameters| parameters.auth)
    else {
        panic!()
    };
    assert_eq!(&*submitter.xtext().to_octets(), "jos\u{e9}@b".as_bytes());
    assert!(matches!(mail(line, &syntax), Err(E::InvalidParameter { .. })));
    let encoded = format!("RCPT TO:<a@b> ORCPT=utf-8;{}", Utf8Address::encode_ascii("jos\u{e9}@b"));
    let parameters = rcpt(&encoded, &syntax).unwrap();
    assert!(parameters.is_ascii());
    let OriginalAddress::Utf8(address) = parameters.orcpt.unwrap().address() else { panic!() };
    assert_eq!(address.to_text(), "jos\u{e9}@b");
}

#[test]
fn times_are_those_of_the_calendar() {
    let known = [
        ("1970-01-01T00:00:00Z", 0),
        ("1969-12-31T23:59:59Z", -1),
        ("1985-04-12T23:20:50.52Z", 482_196_050),
        ("1996-12-19T16:39:57-08:00", 851_042_397),
        ("1990-12-31T23:59:60Z", 662_688_000),
        ("1990-12-31T15:59:60-08:00", 662_688_000),
        ("1937-01-01T12:00:27.87+00:20", -1_041_337_173),
        ("2000-02-29T00:00:00Z", 951_782_400),
        ("2100-03-01T00:00:00z", 4_107_542_400),
        ("0000-01-01T00:00:00Z", -62_167_219_200),
        ("0001-01-01T00:00:00Z", -62_135_596_800),
        ("9999-12-31T23:59:59Z", 253_402_300_799),
    ];
    for (text, seconds) in known {
        assert_eq!(Timestamp::parse(text).unwrap().unix_seconds(), seconds, "{text}");
    }
    for bad in [
        "",
        "2007-05-01",
        "2007-05-01T12:00:00",
        "2007-05-01 12:00:00Z",
        "2007-00-01T12:00:00Z",
        "2007-13-01T12:00:00Z",
        "2007-05-00T12:00:00Z",
        "2007-05-32T12:00:00Z",
        "2007-04-31T12:00:00Z",
        "2007-02-29T12:00:00Z",
        "1900-02-29T12:00:00Z",
        "2007-05-01T24:00:00Z",
        "2007-05-01T12:60:00Z",
        "2007-05-01T12:00:61Z",
        "2007-05-01T12:00:00.Z",
        "2007-05-01T12:00:00,5Z",
        "2007-05-01T12:00:00+2:00",
        "2007-05-01T12:00:00+0200",
        "2007-05-01T12:00:00+24:00",
        "2007-05-01T12:00:00+02:60",
        "2007-05-01T12:00:00Zx",
        "+007-05-01T12:00:00Z",
        "2007-5-01T12:00:00Z",
        "2007-05-01T12:00:00\u{ff3a}",
    ] {
        assert_eq!(Timestamp::parse(bad), None, "{bad}");
    }
    // Every day once, from the day before: no month is longer or shorter than it should be.
    let mut previous = Timestamp::parse("1899-12-31T00:00:00Z").unwrap().unix_seconds();
    let mut days = 0;
    for year in 1900..=2105 {
        for month in 1..=12 {
            for day in 1..=31 {
                let text = format!("{year:04}-{month:02}-{day:02}T00:00:00Z");
                let Some(time) = Timestamp::parse(&text) else { continue };
                assert_eq!(time.unix_seconds(), previous + 86_400, "{text}");
                previous = time.unix_seconds();
                days += 1;
            }
        }
    }
    assert_eq!(days, 206 * 365 + 50);
}

#[test]
fn values_can_only_be_made_right() {
    assert_eq!((Interval::new(0), Interval::new(1_000_000_000)), (None, None));
    assert_eq!((Priority::new(10), Priority::new(-10)), (None, None));
    assert_eq!(Notify::of(false, false, false), None);
    let by = |seconds, mode| DeliverBy::new(seconds, mode, false);
    assert_eq!(by(0, DeliverByMode::Return), None);
    assert_eq!(by(-1, DeliverByMode::Return), None);
    assert!(by(-1, DeliverByMode::Notify).is_some());
    assert_eq!(by(1_000_000_000, DeliverByMode::Notify), None);
    assert_eq!(by(i32::MIN, DeliverByMode::Notify), None);
    let fraction = Timestamp::parse("2014-04-03T23:01:00.5Z").unwrap();
    assert_eq!(Rrvs::new(fraction, NoSupportAction::Reject), None);
    let values = ["a b", "a\r\nDATA", "a=b", "", "\u{e9}", "a\0"];
    for value in values {
        assert_eq!(EnvelopeId::parse(value), None, "{value:?}");
        assert_eq!(OriginalRecipient::parse(&format!("rfc822;{value}")), None, "{value:?}");
        assert_eq!(Submitter::parse(value), None, "{value:?}");
    }
    assert!(EnvelopeId::parse(&"+41".repeat(limits::ENVELOPE_ID)).is_some());
}

#[test]
fn the_longest_line_fits() {
    let mailbox = format!("{}@{}.d", "l".repeat(64), ["d"; 93].join("."));
    let all = format!(
        "MAIL FROM:<{mailbox}> SIZE=99999999999999999999 BODY=BINARYMIME SMTPUTF8 RET=FULL \
         ENVID={} AUTH={mailbox} REQUIRETLS MT-PRIORITY=-9 HOLDUNTIL=2030-01-01T00:00:00.00Z \
         BY=-999999999;NT",
        "+41".repeat(100),
    );
    assert!(mail(&all, &everything()).is_ok());
    assert!(all.len() + 2 <= limits::COMMAND_LINE_EXTENDED);
    let all = format!(
        "RCPT TO:<{mailbox}> NOTIFY=SUCCESS,FAILURE,DELAY ORCPT=rfc822;{} \
         RRVS=2014-04-03T23:01:00-08:00;C",
        "a".repeat(493),
    );
    assert!(rcpt(&all, &everything()).is_ok());
    assert!(all.len() + 2 <= limits::RCPT_LINE);
}

proptest! {
    #[test]
    fn whatever_is_taken_reads_back(
        mail_list in proptest::collection::vec(proptest::sample::select(MAIL), 0..5),
        rcpt_list in proptest::collection::vec(proptest::sample::select(RCPT), 0..4),
        other in "( X[A-Z-]{0,3}(=[!-<>-~]{1,4})?){0,2}",
    ) {
        let syntax = keeping();
        let list = |list: &[(&str, &str)]| list.iter().map(|(written, _)| format!(" {written}")).collect::<String>();
        let line = format!("MAIL FROM:<>{}{other}", list(&mail_list));
        if let Ok(parameters) = mail(&line, &syntax) {
            let printed = format!("MAIL FROM:<>{parameters}");
            prop_assert_eq!(mail(&printed, &syntax), Ok(parameters));
            prop_assert_eq!(parameters.to_string().matches(' ').count(), line.matches(' ').count() - 1);
        }
        let line = format!("RCPT TO:<a@b>{other}{}", list(&rcpt_list));
        if let Ok(parameters) = rcpt(&line, &syntax) {
            let printed = format!("RCPT TO:<a@b>{parameters}");
            prop_assert_eq!(rcpt(&printed, &syntax), Ok(parameters));
        }
    }

    #[test]
    fn any_value_gives_an_answer_and_reads_back(value in "[!-<>-~]{1,24}") {
        let syntax = keeping();
        for keyword in ["SIZE", "BODY", "RET", "ENVID", "AUTH", "MT-PRIORITY", "HOLDFOR", "HOLDUNTIL", "BY"] {
            if let Ok(parameters) = mail(&format!("MAIL FROM:<> {keyword}={value}"), &syntax) {
                let printed = format!("MAIL FROM:<>{parameters}");
                prop_assert_eq!(mail(&printed, &syntax), Ok(parameters));
            }
        }
        for keyword in ["NOTIFY", "ORCPT", "RRVS"] {
            if let Ok(parameters) = rcpt(&format!("RCPT TO:<a@b> {keyword}={value}"), &syntax) {
                let printed = format!("RCPT TO:<a@b>{parameters}");
                prop_assert_eq!(rcpt(&printed, &syntax), Ok(parameters));
            }
        }
    }
}
