//! The commands of extensions, letters outside ASCII, and the named tolerances: what is taken,
//! how it prints, what is refused and where.
#![allow(clippy::unwrap_used)]

use proptest::prelude::*;
use smtp_proto::wire::{
    AddressError, AttributeValue, Attributes, Auth, Bdat, ClientName, ClientNames, Command,
    CommandError, EtrnKind, EtrnNode, Extension, ForwardPath, InitialResponse, Mailbox, Mechanism,
    Query, ReversePath, Syntax, Text, UnknownParameters, Verb,
};

/// Everything that can be offered, with nothing tolerated.
fn all() -> Syntax {
    Syntax { extensions: Extension::ALL.iter().copied().collect(), ..Syntax::default() }
}

fn lenient() -> Syntax {
    Syntax { client_names: ClientNames::Lenient, ..Syntax::default() }
}

fn parse(line: &str) -> Result<Command<'_>, CommandError> {
    Command::parse_with(line.as_bytes(), &all())
}

#[test]
fn what_is_taken_and_how_it_prints() {
    let cases = [
        ("lhlo mx.example.org", "LHLO mx.example.org"),
        ("BDAT 0", "BDAT 0"),
        ("bdat 86 last", "BDAT 86 LAST"),
        ("BDAT 18446744073709551615 LAST  ", "BDAT 18446744073709551615 LAST"),
        ("BDAT 000000000000000000000000000007", "BDAT 7"),
        ("auth plain", "AUTH PLAIN"),
        ("AUTH PLAIN =", "AUTH PLAIN ="),
        ("AUTH scram-sha-1 biwsbj11c2Vy", "AUTH SCRAM-SHA-1 biwsbj11c2Vy"),
        ("AUTH X_20_LETTERS_OR_FEW AA==", "AUTH X_20_LETTERS_OR_FEW AA=="),
        ("AUTH LOGIN +/+=", "AUTH LOGIN +/+="),
        ("ETRN example.org", "ETRN example.org"),
        ("ETRN @example.org", "ETRN @example.org"),
        ("ETRN [192.0.2.1]", "ETRN [192.0.2.1]"),
        ("etrn #A-queue!", "ETRN #A-queue!"),
        ("EXPN staff", "EXPN staff"),
        ("VRFY jos\u{e9} SMTPUTF8", "VRFY jos\u{e9} SMTPUTF8"),
        ("EXPN staff smtputf8", "EXPN staff SMTPUTF8"),
        ("VRFY SMTPUTF8", "VRFY SMTPUTF8"),
        ("XCLIENT NAME=a.example ADDR=192.0.2.1", "XCLIENT NAME=a.example ADDR=192.0.2.1"),
        ("xforward ident=+41 SOURCE=LOCAL", "XFORWARD ident=+41 SOURCE=LOCAL"),
        ("XCLIENT ADDR=IPV6:2001:db8::1", "XCLIENT ADDR=IPV6:2001:db8::1"),
        ("MAIL FROM:<jos\u{e9}@b> SMTPUTF8", "MAIL FROM:<jos\u{e9}@b> SMTPUTF8"),
        (
            "MAIL FROM:<a@b\u{fc}cher.example> SMTPUTF8",
            "MAIL FROM:<a@b\u{fc}cher.example> SMTPUTF8",
        ),
        (
            "MAIL FROM:<\"\u{6f22} \u{5b57}\"@b> SMTPUTF8",
            "MAIL FROM:<\"\u{6f22} \u{5b57}\"@b> SMTPUTF8",
        ),
        ("MAIL FROM:<@r\u{fc}:a@b> SMTPUTF8", "MAIL FROM:<a@b> SMTPUTF8"),
        ("RCPT TO:<\u{1f600}@\u{4f8b}.example>", "RCPT TO:<\u{1f600}@\u{4f8b}.example>"),
        ("RCPT TO:<PostMaster@b>", "RCPT TO:<PostMaster@b>"),
    ];
    for (line, printed) in cases {
        let command = parse(line).unwrap_or_else(|error| panic!("{line}: {error}"));
        assert_eq!(command.to_string(), printed, "{line}");
        assert_eq!(parse(printed), Ok(command), "{line}");
    }
}

#[test]
fn what_is_refused_and_where() {
    use CommandError as E;
    use Verb::{Auth, Bdat, Data, Etrn, Expn, Lhlo, Mail, Rcpt, Vrfy, Xclient, Xforward};
    let syntax = |verb, at, expected| E::Syntax { verb, at, expected };
    let address = |verb, at, expected| {
        let error = AddressError::Syntax { at, expected };
        E::Address { verb, error }
    };
    let raw = |at| E::NotPrintableAscii { at };
    let size = "a chunk's size, under 2^64";
    let mechanism = "the name of a SASL mechanism";
    let response = "base64 or \"=\"";
    let attribute = "an attribute with its value";
    let xtext = |verb, at| E::InvalidParameter { verb, at, expected: "xtext" };
    let cases = [
        ("LHLO", syntax(Lhlo, 4, "a domain")),
        ("BDAT", syntax(Bdat, 4, size)),
        ("BDAT LAST", syntax(Bdat, 5, size)),
        ("BDAT -1", syntax(Bdat, 5, size)),
        ("BDAT +1", syntax(Bdat, 5, size)),
        ("BDAT  1", syntax(Bdat, 5, size)),
        ("BDAT 18446744073709551616", syntax(Bdat, 5, size)),
        ("BDAT 99999999999999999999999 LAST", syntax(Bdat, 5, size)),
        ("BDAT 0x10", syntax(Bdat, 6, "a digit or a space")),
        ("BDAT 1k", syntax(Bdat, 6, "a digit or a space")),
        ("BDAT 1.5", syntax(Bdat, 6, "a digit or a space")),
        ("BDAT 1  LAST", syntax(Bdat, 7, "LAST")),
        ("BDAT 1 FIRST", syntax(Bdat, 7, "LAST")),
        ("BDAT 1 LAST LAST", syntax(Bdat, 7, "LAST")),
        ("BDAT 1\0", raw(6)),
        ("AUTH", syntax(Auth, 4, mechanism)),
        ("AUTH  PLAIN", syntax(Auth, 5, mechanism)),
        ("AUTH PLAIN!", syntax(Auth, 5, mechanism)),
        ("AUTH TWENTY_ONE_LETTERS_XX", syntax(Auth, 5, mechanism)),
        ("AUTH PLAIN ==", syntax(Auth, 11, response)),
        ("AUTH PLAIN A", syntax(Auth, 11, response)),
        ("AUTH PLAIN A===", syntax(Auth, 11, response)),
        ("AUTH PLAIN AA=A", syntax(Auth, 11, response)),
        ("AUTH PLAIN AA-A", syntax(Auth, 11, response)),
        ("AUTH PLAIN AAAA BBBB", syntax(Auth, 11, response)),
        ("AUTH PLAIN  AAAA", syntax(Auth, 11, response)),
        ("ETRN", syntax(Etrn, 4, "a node")),
        ("ETRN @", syntax(Etrn, 5, "a node")),
        ("ETRN #", syntax(Etrn, 5, "a node")),
        ("ETRN #a b", syntax(Etrn, 5, "a node")),
        ("ETRN a b", syntax(Etrn, 5, "a node")),
        ("ETRN @[192.0.2.1]", syntax(Etrn, 5, "a node")),
        ("ETRN \u{fc}", raw(5)),
        ("EXPN", syntax(Expn, 4, "a text")),
        ("VRFY jos\u{e9}", E::Utf8NotDeclared { verb: Vrfy }),
        ("VRFY  SMTPUTF8", syntax(Vrfy, 5, "a text")),
        ("VRFY a\u{7f} SMTPUTF8", raw(6)),
        ("XCLIENT", syntax(Xclient, 7, attribute)),
        ("XCLIENT NAME", syntax(Xclient, 8, attribute)),
        ("XCLIENT =a", syntax(Xclient, 8, attribute)),
        ("XCLIENT N>=a", syntax(Xclient, 8, attribute)),
        ("XCLIENT NAME=a  ADDR=b", syntax(Xclient, 15, attribute)),
        ("XCLIENT NAME=", xtext(Xclient, 8)),
        ("XCLIENT ADDR=b NAME=a+0", xtext(Xclient, 15)),
        ("XCLIENT NAME=a+0g", xtext(Xclient, 8)),
        ("XFORWARD NAME=a=b", xtext(Xforward, 9)),
        ("XFORWARD NAME=a name=b", E::DuplicateParameter { verb: Xforward, at: 16 }),
        ("XFORWARD NAME=\u{e4}", raw(14)),
        ("NOOP \u{e4}", raw(5)),
        ("DATA\u{e4}", raw(4)),
        ("DATA x", E::ParametersNotAllowed(Data)),
        ("EHLO \u{e4}", raw(5)),
        ("\u{e4}", raw(0)),
        ("MAIL FROM:<jos\u{e9}@b>", E::Utf8NotDeclared { verb: Mail }),
        ("MAIL FROM:<a@\u{e9}> SIZE=1", E::Utf8NotDeclared { verb: Mail }),
        ("MAIL FROM:<a\u{1}\u{e9}@b> SMTPUTF8", raw(12)),
        ("RCPT TO:<a@\u{e9}\u{85}b>", address(Rcpt, 13, "a letter of a domain")),
        ("RCPT TO:<a@\u{e9}\u{a0}b>", address(Rcpt, 13, "a letter of a domain")),
        ("RCPT TO:<a@\u{4f8b}\u{3002}example>", address(Rcpt, 14, "a letter of a domain")),
        ("RCPT TO:<a@-\u{e9}>", address(Rcpt, 11, "a label without a hyphen at its edge")),
        ("RCPT TO:<\"a\\\u{e9}\"@b>", address(Rcpt, 9, "a local-part")),
        ("RCPT TO:<a@[x:\u{e9}]>", address(Rcpt, 14, "\"]\"")),
        ("RCPT TO:<@a@b>", address(Rcpt, 11, "\",\" or \":\"")),
        ("RCPT TO:<@a,b:c@d>", address(Rcpt, 12, "\"@\"")),
        ("RCPT TO:<@a:>", address(Rcpt, 12, "a local-part")),
    ];
    for (line, error) in cases {
        assert_eq!(parse(line), Err(error), "{line}");
    }
    for (line, at) in [(&b"MAIL FROM:<\xc3(@b>"[..], 11), (b"EHLO \xe9", 5), (b"VRFY a\xff\n", 6)] {
        assert_eq!(Command::parse_with(line, &all()), Err(raw(at)), "{line:?}");
        assert_eq!(Command::parse_with(line, &lenient()), Err(raw(at)), "{line:?}");
    }
}

#[test]
fn letters_outside_ascii_only_where_they_are_offered() {
    for line in [
        "MAIL FROM:<jos\u{e9}@b> SMTPUTF8",
        "RCPT TO:<a@\u{e9}>",
        "VRFY \u{e9} SMTPUTF8",
        "EXPN \u{e9} SMTPUTF8",
    ] {
        let at = line.find('\u{e9}').unwrap();
        assert_eq!(Command::parse(line.as_bytes()), Err(CommandError::NotPrintableAscii { at }));
        assert_eq!(
            Command::parse_with(line.as_bytes(), &lenient()),
            Err(CommandError::NotPrintableAscii { at })
        );
        assert!(parse(line).is_ok(), "{line}");
    }
    let at = "jos".len();
    let refused = Err(AddressError::NotPrintableAscii { at });
    assert_eq!(Mailbox::parse("jos\u{e9}@b").map(drop), refused);
    assert_eq!(ReversePath::parse("jos\u{e9}@b").map(drop), refused);
    assert_eq!(ForwardPath::parse("jos\u{e9}@b").map(drop), refused);
    assert!(!Mailbox::parse_utf8("jos\u{e9}@b").unwrap().is_ascii());
    assert!(!ReversePath::parse_utf8("<jos\u{e9}@b>").unwrap().is_ascii());
    assert!(ForwardPath::parse_utf8("<jose@b>").unwrap().is_ascii());
    assert_eq!(Text::parse("\u{e9}"), None);
    assert_eq!(Query::new(Text::parse_utf8("\u{e9}").unwrap(), false), None);
}

#[test]
fn limits_count_octets() {
    let local = "\u{e9}".repeat(32);
    assert!(Mailbox::parse_utf8(&format!("{local}@b")).is_ok());
    let error = AddressError::LocalPartTooLong { at: 0 };
    assert_eq!(Mailbox::parse_utf8(&format!("{local}a@b")), Err(error));
    let label = "\u{e9}".repeat(31);
    assert!(Mailbox::parse_utf8(&format!("a@{label}a")).is_ok());
    let error = AddressError::DomainTooLong { at: 2 };
    assert_eq!(Mailbox::parse_utf8(&format!("a@{label}aa")), Err(error));
}

#[test]
fn lenient_names_are_words_without_controls() {
    for name in ["a.", "a..b", "-a-", "\u{e9}t\u{e9}", "[", "[1.2.3.4", "a_b", "<>", "\"", "x@y"] {
        let line = format!("EHLO {name}");
        let command = Command::parse_with(line.as_bytes(), &lenient()).unwrap();
        assert_eq!(
            command,
            Command::Ehlo(ClientName::parse_with(name, ClientNames::Lenient).unwrap())
        );
        assert_eq!(command.to_string(), line);
        if name != "a_b" {
            assert!(Command::parse(line.as_bytes()).is_err(), "{line}");
        }
    }
    for line in ["EHLO", "EHLO  a", "EHLO a b", "EHLO a\u{85}", "EHLO a\u{a0}b", "EHLO a\u{2028}b"]
    {
        assert!(Command::parse_with(line.as_bytes(), &lenient()).is_err(), "{line}");
    }
    for octet in (0..0x20).chain([0x7f]) {
        let line = [b"EHLO a".as_slice(), &[octet], b"b"].concat();
        let error = CommandError::NotPrintableAscii { at: 6 };
        assert_eq!(Command::parse_with(&line, &lenient()), Err(error), "{octet}");
    }
    let long = "x".repeat(256);
    assert!(ClientName::parse_with(&long[1..], ClientNames::Lenient).is_ok());
    assert!(ClientName::parse_with(&long, ClientNames::Lenient).is_err());
}

#[test]
fn values_say_what_they_hold() {
    assert_eq!(parse("BDAT 5 LAST"), Ok(Command::Bdat(Bdat { size: 5, last: true })));
    let Ok(Command::Auth(Auth { mechanism, initial_response })) = parse("AUTH plain AGEAYg==")
    else {
        panic!()
    };
    assert!(mechanism.is("PLAIN") && mechanism.as_str() == "plain");
    assert_eq!(initial_response.unwrap().as_str(), "AGEAYg==");
    assert!(!format!("{:?}", parse("AUTH PLAIN AGEAYg==")).contains("AGEAYg"));
    let node = EtrnNode::parse("#q").unwrap();
    assert_eq!((node.kind(), node.name()), (EtrnKind::Queue, "q"));
    let attributes = Attributes::parse("NAME=[TEMPUNAVAIL] ADDR=[unavailable] HELO=a+2Bb").unwrap();
    assert_eq!(attributes.get("name"), Some(AttributeValue::TemporarilyUnavailable));
    assert_eq!(attributes.get("Addr"), Some(AttributeValue::Unavailable));
    let Some(AttributeValue::Known(name)) = attributes.get("HELO") else { panic!() };
    assert_eq!(&*name.to_octets(), b"a+b");
    assert_eq!(attributes.iter().count(), 3);
    assert_eq!(attributes.get("PORT"), None);
}

fn utf8_mailbox() -> impl Strategy<Value = String> {
    let local = prop_oneof![
        "[a-z\u{e9}\u{4f8b}!#$%+-]{1,6}(\\.[a-z\u{1f600}]{1,3}){0,2}",
        "\"([ !#-\\[\\]-~\u{e9}\u{4f8b}]|\\\\[ -~]){0,8}\"",
    ];
    let domain =
        "[a-z\u{e9}\u{4f8b}]([a-z0-9\u{e9}-]{0,6}[a-z0-9\u{4f8b}])?(\\.[a-z\u{e9}]{1,5}){0,3}";
    (local, domain).prop_map(|(local, domain)| format!("{local}@{domain}"))
}

/// Pieces that could break out of an argument.
fn hostile() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("\r\n".to_owned()),
        Just("\n".to_owned()),
        Just("\r".to_owned()),
        Just("\0".to_owned()),
        Just(" ".to_owned()),
        Just(">".to_owned()),
        Just("<".to_owned()),
        Just("=".to_owned()),
        Just("+0A".to_owned()),
        Just("@".to_owned()),
        Just("#".to_owned()),
        Just("\u{85}".to_owned()),
        Just("\u{2028}".to_owned()),
        Just(" SMTPUTF8".to_owned()),
        Just("NAME=a".to_owned()),
        utf8_mailbox(),
        "[A-Za-z0-9+/]{0,8}",
        ".{0,3}",
    ];
    proptest::collection::vec(piece, 0..6).prop_map(|pieces| pieces.concat())
}

fn syntaxes() -> impl Strategy<Value = Syntax> {
    (any::<bool>(), any::<bool>(), any::<bool>()).prop_map(|(utf8, lenient, keep)| {
        let extensions = if utf8 { all().extensions } else { Syntax::STRICT.extensions };
        let mut syntax = Syntax { extensions, ..Syntax::default() };
        if lenient {
            syntax.client_names = ClientNames::Lenient;
        }
        if keep {
            syntax.unknown_parameters = UnknownParameters::Keep;
        }
        syntax
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    #[test]
    fn addresses_outside_ascii_read_back(mailbox in utf8_mailbox()) {
        let line = format!("MAIL FROM:<{mailbox}> SMTPUTF8");
        let command = parse(&line).unwrap();
        prop_assert_eq!(command.to_string(), line);
        let line = format!("RCPT TO:<{mailbox}>");
        let Ok(Command::Rcpt(rcpt)) = parse(&line) else { panic!("{line}") };
        let read = rcpt.forward_path.mailbox().unwrap();
        prop_assert_eq!(format!("{}@{}", read.local_part(), read.domain()), mailbox.as_str());
        prop_assert_eq!(Mailbox::parse_utf8(&mailbox), Ok(read));
        prop_assert_eq!(Mailbox::parse(&mailbox).is_ok(), mailbox.is_ascii());
    }

    #[test]
    fn commands_of_extensions_read_back(
        size in any::<u64>(),
        last in any::<bool>(),
        mechanism in "[A-Z0-9_-]{1,20}",
        response in proptest::option::of("([A-Za-z0-9+/]{4}){0,3}([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=|[A-Za-z0-9+/]{4})|="),
        node in "[@]?[a-z0-9]{1,9}(\\.[a-z]{1,4}){0,2}|#[!-~]{1,8}",
        attributes in proptest::collection::btree_map("[A-Z]{1,6}", "([!-*,-<>-~]|\\+[0-9A-F]{2}){1,8}", 1..5),
    ) {
        let bdat = Command::Bdat(Bdat { size, last }).to_string();
        prop_assert_eq!(parse(&bdat), Ok(Command::Bdat(Bdat { size, last })));
        let auth = Command::Auth(Auth {
            mechanism: Mechanism::parse(&mechanism).unwrap(),
            initial_response: response.as_deref().map(|text| InitialResponse::parse(text).unwrap()),
        });
        let printed = auth.to_string();
        prop_assert_eq!(parse(&printed), Ok(auth));
        let line = format!("ETRN {node}");
        prop_assert_eq!(parse(&line).unwrap().to_string(), line);
        let list: Vec<String> = attributes.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let line = format!("XFORWARD {}", list.join(" "));
        prop_assert_eq!(parse(&line).unwrap().to_string(), line);
    }

    #[test]
    fn nothing_adds_to_a_command(text in hostile()) {
        let mut lines = Vec::new();
        if let Ok(path) = ReversePath::parse_utf8(&text) { lines.push((format!("MAIL FROM:{path} SMTPUTF8"), format!("<{}>", path.as_str()))); }
        if let Ok(path) = ForwardPath::parse_utf8(&text) { lines.push((format!("RCPT TO:{path}"), path.to_string())); }
        if let Some(node) = EtrnNode::parse(&text) { lines.push((format!("ETRN {node}"), node.to_string())); }
        if let Some(list) = Attributes::parse(&text) { lines.push((format!("XCLIENT {list}"), list.to_string())); }
        if let Some(name) = Mechanism::parse(&text) { lines.push((format!("AUTH {name}"), name.to_string())); }
        if let Some(first) = InitialResponse::parse(&text) { lines.push((format!("AUTH X {}", first.as_str()), first.as_str().to_owned())); }
        for (line, value) in lines {
            prop_assert!(!line.bytes().any(|octet| octet < 0x20 || octet == 0x7f), "{:?}", line);
            let command = parse(&line).unwrap_or_else(|error| panic!("{line:?}: {error}"));
            prop_assert_eq!(command.to_string(), line.clone());
            prop_assert!(line.contains(&value));
        }
        if let Ok(name) = ClientName::parse_with(&text, ClientNames::Lenient) {
            let line = format!("EHLO {name}");
            prop_assert_eq!(Command::parse_with(line.as_bytes(), &lenient()), Ok(Command::Ehlo(name)));
        }
    }

    #[test]
    fn whatever_is_taken_reads_back(
        syntax in syntaxes(),
        verb in proptest::sample::select(vec![
            "MAIL FROM:<", "RCPT TO:<", "MAIL FROM:<a@b> ", "RCPT TO:<a@b> ", "EHLO ", "LHLO ", "BDAT ",
            "AUTH ", "ETRN ", "VRFY ", "EXPN ", "HELP ", "XCLIENT ", "XFORWARD ", "",
        ]),
        rest in hostile(),
        tail in prop_oneof![Just(""), Just(">"), Just("> SMTPUTF8"), Just(" SMTPUTF8"), Just(" LAST")],
    ) {
        let line = format!("{verb}{rest}{tail}");
        if let Ok(command) = Command::parse_with(line.as_bytes(), &syntax) {
            let printed = command.to_string();
            prop_assert!(!printed.bytes().any(|octet| octet < 0x20 || octet == 0x7f), "{:?}", printed);
            prop_assert_eq!(Command::parse_with(printed.as_bytes(), &syntax), Ok(command));
        }
    }

    #[test]
    fn any_octets_give_an_answer(syntax in syntaxes(), line in proptest::collection::vec(any::<u8>(), 0..48)) {
        if let Ok(command) = Command::parse_with(&line, &syntax) {
            prop_assert!(!command.to_string().is_empty());
        }
    }
}

#[test]
fn no_local_part_holds_what_somebody_takes_for_a_line_end() {
    for c in ('\u{80}'..='\u{9f}').chain(['\u{2028}', '\u{2029}']) {
        for text in [format!("<a{c}b@c.example>"), format!("<\"a{c}b\"@c.example>")] {
            assert!(ForwardPath::parse_utf8(&text).is_err(), "{text:?}");
        }
    }
    for c in ['\u{a1}', '\u{e9}', '\u{2027}', '\u{202f}', '\u{65e5}'] {
        let text = format!("<a{c}b@c.example>");
        assert!(ForwardPath::parse_utf8(&text).is_ok(), "{text:?}");
    }
}
