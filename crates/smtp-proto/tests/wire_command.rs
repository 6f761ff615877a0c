//! Commands and addresses: what is taken, what is refused and why, and that what is printed reads
//! back as the same value.
#![allow(clippy::unwrap_used)]

use std::net::Ipv4Addr;

use proptest::prelude::*;
use smtp_proto::wire::{
    AddressError, AddressLiteral, BodyType, ClientName, Command, CommandError, Domain, ForwardPath,
    Mailbox, ReversePath, Text, Verb,
};

fn parse(line: &str) -> Result<Command<'_>, CommandError> {
    Command::parse(line.as_bytes())
}

#[test]
fn what_is_taken_and_how_it_prints() {
    let cases = [
        ("EHLO mx.example.org", "EHLO mx.example.org"),
        ("ehlo [192.0.2.1]", "EHLO [192.0.2.1]"),
        ("EHLO [IPv6:2001:db8::1]", "EHLO [IPv6:2001:db8::1]"),
        ("EHLO [x-tag:what]", "EHLO [x-tag:what]"),
        ("HELO my_host", "HELO my_host"),
        ("HELO 192.0.2.1", "HELO 192.0.2.1"),
        ("MAIL FROM:<>", "MAIL FROM:<>"),
        ("mail from:<a@b>", "MAIL FROM:<a@b>"),
        ("MAIL FROM: <a@b>", "MAIL FROM:<a@b>"),
        ("MAIL FROM:<a@b> SIZE=10", "MAIL FROM:<a@b> SIZE=10"),
        ("MAIL FROM:<a@b> body=8bitmime size=010", "MAIL FROM:<a@b> SIZE=10 BODY=8BITMIME"),
        ("MAIL FROM:<> BODY=7BIT", "MAIL FROM:<> BODY=7BIT"),
        ("MAIL FROM:<a@b> SIZE=99999999999999999999", "MAIL FROM:<a@b> SIZE=18446744073709551615"),
        ("MAIL FROM:<@r1,@r2.example:a@b>", "MAIL FROM:<a@b>"),
        ("RCPT TO:<@r1:a@b>", "RCPT TO:<a@b>"),
        ("RCPT TO:<a.b+c@example.org>", "RCPT TO:<a.b+c@example.org>"),
        ("RCPT TO:<\"a b\\\"@c\"@[127.0.0.1]>", "RCPT TO:<\"a b\\\"@c\"@[127.0.0.1]>"),
        ("RCPT TO:<\"\"@b>", "RCPT TO:<\"\"@b>"),
        ("RCPT TO:<PostMaster>", "RCPT TO:<postmaster>"),
        ("RCPT TO:<postmaster@b>", "RCPT TO:<postmaster@b>"),
        ("RCPT TO: <a@b>  ", "RCPT TO:<a@b>"),
        ("DATA", "DATA"),
        ("data  ", "DATA"),
        ("RSET ", "RSET"),
        ("QUIT", "QUIT"),
        ("StartTls ", "STARTTLS"),
        ("NOOP", "NOOP"),
        ("NOOP anything <goes>", "NOOP"),
        ("VRFY <a@b>", "VRFY <a@b>"),
        ("HELP", "HELP"),
        ("HELP ", "HELP"),
        ("help mail", "HELP mail"),
    ];
    for (line, printed) in cases {
        let command = parse(line).unwrap_or_else(|error| panic!("{line}: {error}"));
        assert_eq!(command.to_string(), printed, "{line}");
        assert_eq!(parse(printed), Ok(command), "{line}");
    }
}

#[test]
fn what_is_refused_and_why() {
    use CommandError as E;
    use Verb::{Data, Ehlo, Mail, Quit, Rcpt, StartTls, Vrfy};
    let syntax = |verb, at, expected| E::Syntax { verb, at, expected };
    let address = |verb, at, expected| {
        let error = AddressError::Syntax { at, expected };
        E::Address { verb, error }
    };
    let cases = [
        ("", E::Unrecognised),
        (" NOOP", E::Unrecognised),
        ("GET / HTTP/1.1", E::Unrecognised),
        ("MAILFROM:<a@b>", E::Unrecognised),
        ("DATA:", E::Unrecognised),
        ("ATRN example.org", E::NotImplemented(Verb::Atrn)),
        ("SOML FROM:<a@b>", E::NotImplemented(Verb::Soml)),
        ("NOOP \0", E::NotPrintableAscii { at: 5 }),
        ("MAIL FROM:<a\r@b>", E::NotPrintableAscii { at: 12 }),
        ("RCPT TO:<a\t@b>", E::NotPrintableAscii { at: 10 }),
        ("DATA\t", E::NotPrintableAscii { at: 4 }),
        ("QUIT\r", E::NotPrintableAscii { at: 4 }),
        ("RCPT TO:<\u{e4}@b>", E::NotPrintableAscii { at: 9 }),
        ("NOOP \x7f", E::NotPrintableAscii { at: 5 }),
        ("DATA x", E::ParametersNotAllowed(Data)),
        ("QUIT  x", E::ParametersNotAllowed(Quit)),
        ("STARTTLS x", E::ParametersNotAllowed(StartTls)),
        ("EHLO", syntax(Ehlo, 4, "a domain")),
        ("EHLO a b", syntax(Ehlo, 6, "the end of the text")),
        ("EHLO -a", syntax(Ehlo, 5, "a label without a hyphen at its edge")),
        ("EHLO [1.2.3]", syntax(Ehlo, 6, "an address literal")),
        ("EHLO [IPv6:1.2.3.4]", syntax(Ehlo, 11, "an IPv6 address")),
        ("VRFY", syntax(Vrfy, 4, "a text")),
        ("MAIL", syntax(Mail, 4, "FROM:")),
        ("MAIL <a@b>", syntax(Mail, 5, "FROM:")),
        ("MAIL  FROM:<a@b>", syntax(Mail, 5, "FROM:")),
        ("MAIL TO:<a@b>", syntax(Mail, 5, "FROM:")),
        ("MAIL FROM:a@b", syntax(Mail, 10, "\"<\"")),
        ("MAIL FROM:", syntax(Mail, 10, "\"<\"")),
        ("MAIL FROM:  <a@b>", syntax(Mail, 11, "\"<\"")),
        ("MAIL FROM:<a@b>x", syntax(Mail, 15, "a space")),
        ("MAIL FROM:<a@b>SIZE=1", syntax(Mail, 15, "a space")),
        ("MAIL FROM:<a@b>  SIZE=1", syntax(Mail, 16, "a parameter")),
        ("MAIL FROM:<a@b> =1", syntax(Mail, 16, "a parameter")),
        ("MAIL FROM:<a@b> -A=1", syntax(Mail, 16, "a parameter")),
        ("MAIL FROM:<a@b> SIZE=1=2", syntax(Mail, 22, "a space")),
        ("MAIL FROM:<postmaster>", address(Mail, 21, "\"@\"")),
        ("MAIL FROM:<a@b", address(Mail, 14, "\">\"")),
        ("MAIL FROM:<a b@c>", address(Mail, 12, "\"@\"")),
        ("MAIL FROM:<a..b@c>", address(Mail, 12, "\"@\"")),
        ("MAIL FROM:<.a@c>", address(Mail, 11, "a local-part")),
        ("MAIL FROM:<@b>", address(Mail, 13, "\",\" or \":\"")),
        ("MAIL FROM:<\"a@c>", address(Mail, 11, "a local-part")),
        ("MAIL FROM:<a@>", address(Mail, 13, "a domain")),
        ("MAIL FROM:<a@b.>", address(Mail, 14, "\">\"")),
        ("MAIL FROM:<a@b_c>", address(Mail, 14, "\">\"")),
        ("MAIL FROM:<a@b@c>", address(Mail, 14, "\">\"")),
        ("MAIL FROM:<<a@b>>", address(Mail, 11, "a local-part")),
        ("MAIL FROM:<a@[127.0.0.256]>", address(Mail, 14, "an address literal")),
        ("RCPT TO:<>", address(Rcpt, 9, "a local-part")),
        ("RCPT TO:<a@b>, <c@d>", syntax(Rcpt, 13, "a space")),
        ("RCPT TO:<a@b> NOTIFY=NEVER", E::UnknownParameter { verb: Rcpt, at: 14 }),
        ("RCPT TO:<a@b> SIZE=1", E::UnknownParameter { verb: Rcpt, at: 14 }),
        ("MAIL FROM:<a@b> SIZE=1 RET=HDRS", E::UnknownParameter { verb: Mail, at: 23 }),
        ("MAIL FROM:<a@b> SIZE=1 size=1", E::DuplicateParameter { verb: Mail, at: 23 }),
        ("MAIL FROM:<> BODY=7BIT BODY=7BIT", E::DuplicateParameter { verb: Mail, at: 23 }),
    ];
    for (line, error) in cases {
        assert_eq!(parse(line), Err(error), "{line}");
    }
    for value in ["SIZE", "SIZE=-1", "SIZE=1k", "BODY", "BODY=BINARYMIME"] {
        let line = format!("MAIL FROM:<a@b> {value}");
        let error = parse(&line).unwrap_err();
        assert!(matches!(error, E::InvalidParameter { verb: Mail, at: 16, .. }), "{line}: {error}");
    }
    assert_eq!(Command::parse(b"\x16\x03\x01\x02\0"), Err(E::NotPrintableAscii { at: 0 }));
    assert_eq!(Command::parse(b"EHLO \xff"), Err(E::NotPrintableAscii { at: 5 }));
}

#[test]
fn lengths_are_bounded() {
    let local = "l".repeat(64);
    let label = "d".repeat(63);
    let domain = [label.as_str(); 3].join(".");
    assert_eq!(Mailbox::parse(&format!("{local}@b")).unwrap().local_part(), local);
    assert!(Mailbox::parse(&format!("a@{domain}")).is_ok());
    let long = Mailbox::parse(&format!("{local}l@b")).map(drop);
    assert_eq!(long, Err(AddressError::LocalPartTooLong { at: 0 }));
    let long = Mailbox::parse(&format!("a@{label}d")).map(drop);
    assert_eq!(long, Err(AddressError::DomainTooLong { at: 2 }));

    // 64 + 1 + 189 is 254, which brackets make 256.
    let longest = format!("{local}@{}", &domain[..189]);
    assert!(Mailbox::parse(&longest).is_ok());
    let line = format!("RCPT TO:<{longest}>");
    assert!(parse(&line).is_ok());
    let over = format!("{local}@{}", &domain[..190]);
    assert_eq!(Mailbox::parse(&over), Err(AddressError::PathTooLong { at: 0 }));
    let error = AddressError::PathTooLong { at: 8 };
    let line = format!("RCPT TO:<{over}>");
    assert_eq!(parse(&line), Err(CommandError::Address { verb: Verb::Rcpt, error }));

    let name = format!("{domain}.{}", "d".repeat(63));
    assert_eq!(name.len(), 255);
    assert!(ClientName::parse(&name).is_ok());
    let over = format!("{domain}.d.{}", "d".repeat(62));
    assert_eq!(ClientName::parse(&over), Err(AddressError::DomainTooLong { at: 0 }));
}

#[test]
fn parts_of_an_address() {
    let mailbox = Mailbox::parse("\"a@b\"@[192.0.2.7]").unwrap();
    assert_eq!(mailbox.local_part(), "\"a@b\"");
    let literal = AddressLiteral::V4(Ipv4Addr::new(192, 0, 2, 7));
    assert_eq!(mailbox.domain(), Domain::Literal(literal));
    assert_eq!(mailbox.domain().to_string(), "[192.0.2.7]");
    let mailbox = Mailbox::parse("A@Example.ORG").unwrap();
    assert_eq!(mailbox.domain().name(), Some("Example.ORG"));
    assert_eq!(mailbox.as_str(), "A@Example.ORG");
    let general = Mailbox::parse("a@[tag:c,d]").unwrap().domain();
    let literal = AddressLiteral::General { tag: "tag", content: "c,d" };
    assert_eq!(general, Domain::Literal(literal));
}

#[test]
fn paths_are_read_with_and_without_brackets() {
    let mailbox = Mailbox::parse("a@b").unwrap();
    for text in ["a@b", "<a@b>", "<@r:a@b>"] {
        assert_eq!(ReversePath::parse(text), Ok(ReversePath::Mailbox(mailbox)), "{text}");
        assert_eq!(ForwardPath::parse(text), Ok(ForwardPath::Mailbox(mailbox)), "{text}");
    }
    assert_eq!(ReversePath::parse("<>"), Ok(ReversePath::Null));
    assert!(ReversePath::parse("").is_err());
    assert!(ReversePath::parse("postmaster").is_err());
    assert!(ForwardPath::parse("<>").is_err());
    for text in ["postmaster", "<POSTMASTER>"] {
        assert_eq!(ForwardPath::parse(text), Ok(ForwardPath::Postmaster));
    }
    for text in ["a@b>", "<a@b", "<a@b> ", " a@b", "a@b SIZE=1", "<a@b> SIZE=1", "a@b\r\nDATA"] {
        assert!(ReversePath::parse(text).is_err(), "{text}");
        assert!(ForwardPath::parse(text).is_err(), "{text}");
    }
}

#[test]
fn a_free_text_is_one_printable_line() {
    assert_eq!(Text::parse("a b").unwrap().as_str(), "a b");
    for text in ["", " a", "a ", "a\r\nQUIT", "a\0", "\u{e4}"] {
        assert_eq!(Text::parse(text), None, "{text}");
    }
}

fn domain() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-zA-Z0-9]([a-zA-Z0-9-]{0,10}[a-zA-Z0-9])?(\\.[a-z0-9]{1,8}){0,3}",
        any::<[u8; 4]>().prop_map(|[a, b, c, d]| format!("[{a}.{b}.{c}.{d}]")),
        any::<[u16; 8]>().prop_map(|s| format!("[IPv6:{}]", std::net::Ipv6Addr::from(s))),
        "\\[[a-hj-z][a-z0-9]{0,5}:[!-Z^-~]{1,10}\\]",
    ]
}

fn mailbox() -> impl Strategy<Value = String> {
    let local = prop_oneof![
        "[a-zA-Z0-9!#$%&'*+/=?^_`{|}~-]{1,12}(\\.[a-z0-9+]{1,8}){0,3}",
        "\"([ !#-\\[\\]-~]|\\\\[ -~]){0,12}\"",
    ];
    (local, domain()).prop_map(|(local, domain)| format!("{local}@{domain}"))
}

/// Text with much in it that could break out of a command.
fn hostile() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("\r\n".to_owned()),
        Just("\n".to_owned()),
        Just("\0".to_owned()),
        Just(">".to_owned()),
        Just("<".to_owned()),
        Just("> SIZE=1".to_owned()),
        Just("\"".to_owned()),
        Just("\\".to_owned()),
        Just("[".to_owned()),
        Just("]".to_owned()),
        Just(" ".to_owned()),
        Just("@".to_owned()),
        mailbox(),
        ".{0,4}",
    ];
    prop_oneof![
        3 => proptest::collection::vec(piece, 0..6).prop_map(|pieces| pieces.concat()),
        1 => mailbox(),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2048))]

    #[test]
    fn mail_reads_back(
        mailbox in proptest::option::of(mailbox()),
        size in proptest::option::of(any::<u64>()),
        body in proptest::option::of(prop_oneof![
            Just(BodyType::SevenBit), Just(BodyType::EightBitMime)
        ]),
    ) {
        let mut line = format!("MAIL FROM:<{}>", mailbox.as_deref().unwrap_or_default());
        if let Some(size) = size { line += &format!(" SIZE={size}"); }
        if let Some(body) = body { line += &format!(" BODY={body}"); }
        let Ok(Command::Mail(mail)) = parse(&line) else { panic!("{line}: {:?}", parse(&line)) };
        prop_assert_eq!(mail.reverse_path.as_str(), mailbox.as_deref().unwrap_or_default());
        prop_assert_eq!((mail.parameters.size, mail.parameters.body), (size, body));
        prop_assert_eq!(Command::Mail(mail).to_string(), line);
    }

    #[test]
    fn rcpt_and_ehlo_read_back(mailbox in mailbox(), name in domain()) {
        for line in [format!("RCPT TO:<{mailbox}>"), format!("EHLO {name}"), format!("HELO {name}")] {
            prop_assert_eq!(parse(&line).unwrap().to_string(), line);
        }
    }

    #[test]
    fn no_address_adds_to_a_command(text in hostile()) {
        if let Ok(path) = ReversePath::parse(&text) {
            let line = format!("MAIL FROM:{path}");
            let Ok(Command::Mail(mail)) = parse(&line) else { panic!("{line}") };
            prop_assert_eq!(mail, smtp_proto::wire::Mail::new(path));
        }
        if let Ok(path) = ForwardPath::parse(&text) {
            let line = format!("RCPT TO:{path}");
            let Ok(Command::Rcpt(rcpt)) = parse(&line) else { panic!("{line}") };
            prop_assert_eq!(rcpt, smtp_proto::wire::Rcpt::new(path));
        }
        if let Ok(name) = ClientName::parse(&text) {
            let line = format!("EHLO {name}");
            prop_assert_eq!(parse(&line), Ok(Command::Ehlo(name)));
        }
        if let Some(word) = Text::parse(&text) {
            let line = format!("HELP {word}");
            prop_assert_eq!(parse(&line), Ok(Command::Help(Some(word))));
        }
    }

    #[test]
    fn whatever_is_taken_reads_back(
        verb in prop_oneof![Just("MAIL FROM:"), Just("RCPT TO:"), Just("EHLO "), Just("HELP "), Just("")],
        rest in hostile(),
    ) {
        let line = format!("{verb}{rest}");
        if let Ok(command) = parse(&line) {
            let printed = command.to_string();
            prop_assert!(printed.bytes().all(|octet| (0x20..=0x7e).contains(&octet)));
            prop_assert_eq!(parse(&printed), Ok(command));
        }
    }

    #[test]
    fn any_octets_give_an_answer(line in proptest::collection::vec(any::<u8>(), 0..64)) {
        if let Err(error) = Command::parse(&line) {
            prop_assert!(!error.to_string().is_empty());
        }
    }
}
