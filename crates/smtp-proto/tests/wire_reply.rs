//! Replies and capabilities: what is printed is well formed whatever was given, what is read is
//! bounded, and each reads back.
#![allow(clippy::unwrap_used)]

use proptest::prelude::*;
use smtp_proto::limits;
use smtp_proto::wire::{
    BareLf, Class, Code, Detail, EnhancedCode, Refusal, Reply, ReplyError, ReplyParser, ReplyStatus,
};

fn print(reply: &Reply) -> String {
    let mut out = Vec::new();
    reply.write_to(&mut out);
    String::from_utf8(out).unwrap()
}

fn read(input: &[u8]) -> Result<ReplyStatus, ReplyError> {
    ReplyParser::new().feed(input)
}

/// Reads an input that arrives in pieces, as a caller with a buffer does.
fn read_in_pieces(input: &[u8], cuts: &[usize]) -> Result<Option<(Reply, usize)>, ReplyError> {
    let mut parser = ReplyParser::new();
    let mut buffer = Vec::new();
    let (mut start, mut taken) = (0, 0);
    for end in cuts.iter().copied().chain([input.len()]) {
        buffer.extend_from_slice(&input[start..end]);
        start = end;
        match parser.feed(&buffer)? {
            ReplyStatus::Complete { reply, consumed } => {
                return Ok(Some((reply, taken + consumed)));
            }
            ReplyStatus::Incomplete { consumed } => {
                taken += consumed;
                buffer.drain(..consumed);
            }
        }
    }
    Ok(None)
}

const OK: Code = Code::OK;

#[test]
fn how_replies_print() {
    let detail = Some(Detail::new(7, 1));
    let cases = [
        (Reply::new_static(OK, None, "ok"), "250 ok\r\n"),
        (Reply::new_static(OK, Some(Detail::new(0, 0)), "ok"), "250 2.0.0 ok\r\n"),
        (
            Reply::new_static(Code::MAILBOX_NAME, detail, "sorry (#5.7.1)"),
            "553 5.7.1 sorry (#5.7.1)\r\n",
        ),
        (Reply::new_static(Code::LOCAL_ERROR, detail, "x"), "451 4.7.1 x\r\n"),
        (Reply::new_static(Code::START_MAIL_INPUT, detail, "go"), "354 go\r\n"),
        (Reply::new(Code::START_MAIL_INPUT, detail, "go"), "354 go\r\n"),
        (Reply::new_static(OK, None, ""), "250\r\n"),
        (Reply::new_static(OK, detail, ""), "250 2.7.1\r\n"),
        (Reply::new_static(OK, None, "a\n\nb"), "250-a\r\n250-\r\n250 b\r\n"),
        (Reply::new(OK, None, "a\r\nb\r\n"), "250-a\r\n250-b\r\n250\r\n"),
        (Reply::new(OK, detail, "a\nb"), "250-2.7.1 a\r\n250 2.7.1 b\r\n"),
        (Reply::new(OK, None, "a\rb\0c\u{7f}d\u{e4}e\tf\x1b"), "250 a?b?c?d?e f?\r\n"),
        (Reply::multiline(OK, None, ["a\n250 b", "c\r"]), "250-a 250 b\r\n250 c\r\n"),
        (Reply::multiline(OK, None, [""; 0]), "250\r\n"),
        (Reply::new(OK, Some(Detail::new(255, 10)), "x"), "250 2.255.10 x\r\n"),
        (Reply::new(OK, detail, "2.0.0 x"), "250 2.7.1 2.0.0 x\r\n"),
        (Reply::new(OK, None, "2.0.0 a\nb"), "250-2.0.0 a\r\n250 2.0.0 b\r\n"),
    ];
    for (reply, wire) in cases {
        assert_eq!(print(&reply), wire);
    }
}

#[test]
fn long_text_goes_on_in_further_lines() {
    let words = "word ".repeat(300);
    let printed =
        print(&Reply::new(Code::TRANSACTION_FAILED, Some(Detail::new(7, 1)), words.trim_end()));
    assert!(printed.lines().count() > 1);
    assert!(printed.split_inclusive("\r\n").all(|line| line.len() <= limits::REPLY_LINE));
    assert!(!printed.contains("wor\r\n"), "cut within a word");
    let printed = print(&Reply::new(OK, None, "x".repeat(2000)));
    assert!(printed.split_inclusive("\r\n").all(|line| line.len() <= limits::REPLY_LINE));
    assert_eq!(printed.matches('x').count(), 2000);
}

#[test]
fn codes_and_refusals() {
    assert_eq!(Code::new(199), None);
    assert_eq!(Code::new(600), None);
    let classes = [
        (200, Class::Positive),
        (354, Class::Intermediate),
        (499, Class::Transient),
        (599, Class::Permanent),
    ];
    for (code, class) in classes {
        assert_eq!(Code::new(code).unwrap().class(), class);
    }
    assert_eq!(Refusal::new(Reply::new_static(OK, None, "")), None);
    assert_eq!(Refusal::new(Reply::new_static(Code::START_MAIL_INPUT, None, "")), None);
    let refusal = Refusal::permanent(Detail::new(1, 1), "no such mailbox");
    assert_eq!(refusal.to_string(), "550 5.1.1 no such mailbox");
    assert!(refusal.is_permanent());
    assert!(!Refusal::transient(Detail::new(3, 0), "later").is_permanent());
}

#[test]
fn what_is_read() {
    /// The input, its code, the subject and detail of its enhanced code, its text.
    type Case = (&'static str, u16, Option<(u16, u16)>, &'static str);
    let cases: &[Case] = &[
        ("250 ok\r\n", 250, None, "ok"),
        ("250\r\n", 250, None, ""),
        ("250 \r\n", 250, None, ""),
        ("250-\r\n250\r\n", 250, None, "\n"),
        ("250-a\r\n250 b\r\n", 250, None, "a\nb"),
        ("220-a\r\n220-b\r\n220 c\r\n", 220, None, "a\nb\nc"),
        ("550 5.7.1 no\r\n", 550, Some((7, 1)), "no"),
        ("550 5.7.1\r\n", 550, Some((7, 1)), ""),
        ("550-5.7.1 a\r\n550 5.7.1 b\r\n", 550, Some((7, 1)), "a\nb"),
        ("550-5.7.1 a\r\n550 b\r\n", 550, Some((7, 1)), "a\nb"),
        ("550-5.7.1 a\r\n550 5.7.2 b\r\n", 550, Some((7, 1)), "a\n5.7.2 b"),
        ("550-a\r\n550 5.7.1 b\r\n", 550, None, "a\n5.7.1 b"),
        ("550 4.7.1 no\r\n", 550, None, "4.7.1 no"),
        ("550 5.7 no\r\n", 550, None, "5.7 no"),
        ("550 5.07.1 no\r\n", 550, None, "5.07.1 no"),
        ("550 5.7.1000 no\r\n", 550, None, "5.7.1000 no"),
        ("550 5.7.1no\r\n", 550, None, "5.7.1no"),
        ("550 5.7.1\tno\r\n", 550, Some((7, 1)), "no"),
        ("354 3.0.0 go\r\n", 354, None, "3.0.0 go"),
        ("571 5.7.1 no\r\n", 571, Some((7, 1)), "no"),
        ("250 a\tb\0c\x1bd\u{e4}\r\n", 250, None, "a b?c?d??"),
        ("250 a\rb\r\n", 250, None, "a?b"),
        ("250 2.0.0\rok\r\n", 250, None, "2.0.0?ok"),
        ("250 2.0.0\r\r\n", 250, None, "2.0.0?"),
        ("250 2.0.0 \r\r\n", 250, Some((0, 0)), "?"),
        ("250 2.0.0\t\r\r\n", 250, Some((0, 0)), "?"),
        ("250 2.999.999  ok\r\n", 250, Some((999, 999)), " ok"),
    ];
    for (input, code, detail, text) in cases {
        let Ok(ReplyStatus::Complete { reply, consumed }) = read(input.as_bytes()) else {
            panic!("{input:?}: {:?}", read(input.as_bytes()))
        };
        assert_eq!(consumed, input.len(), "{input:?}");
        assert_eq!(reply.code().get(), *code, "{input:?}");
        assert_eq!(reply.text(), *text, "{input:?}");
        let expected = detail.map(|(subject, detail)| EnhancedCode {
            class: Code::new(*code).unwrap().class(),
            subject,
            detail,
        });
        assert_eq!(reply.enhanced(), expected, "{input:?}");
        let printed = print(&reply);
        let printed_back = read(printed.as_bytes());
        let consumed = printed.len();
        let complete = ReplyStatus::Complete { reply: reply.clone(), consumed };
        assert_eq!(printed_back, Ok(complete), "{input:?}");
        for cut in 0..=input.len() {
            let pieces = read_in_pieces(input.as_bytes(), &[cut]);
            assert_eq!(pieces, Ok(Some((reply.clone(), input.len()))), "{input:?} at {cut}");
        }
    }
}

#[test]
fn what_is_no_reply() {
    let cases: &[(&[u8], ReplyError)] = &[
        (b"\r\n", ReplyError::NoCode),
        (b"ok\r\n", ReplyError::NoCode),
        (b"25\r\n", ReplyError::NoCode),
        (b"2500\r\n", ReplyError::NoCode),
        (b"250x\r\n", ReplyError::NoCode),
        (b"250\tx\r\n", ReplyError::NoCode),
        (b"199 x\r\n", ReplyError::NoCode),
        (b"600 x\r\n", ReplyError::NoCode),
        (b"+50 x\r\n", ReplyError::NoCode),
        (b" 250 x\r\n", ReplyError::NoCode),
        (b"HTTP/1.1 400 Bad Request\r\n", ReplyError::NoCode),
        (b"250-a\r\nb\r\n", ReplyError::NoCode),
        (b"250-a\r\n251 b\r\n", ReplyError::CodeChanged { first: 250, other: 251 }),
        (b"250 ok\n", ReplyError::BareLf),
        (b"250-a\r\n250 b\n", ReplyError::BareLf),
    ];
    for (input, error) in cases {
        for cut in 0..=input.len() {
            let pieces = read_in_pieces(input, &[cut]);
            assert_eq!(pieces, Err(*error), "{} at {cut}", input.escape_ascii());
        }
    }
    let mut lenient = ReplyParser::with_bare_lf(BareLf::Normalize);
    let status = lenient.feed(b"250-a\n250 b\nx");
    let reply = Reply::new(OK, None, "a\nb");
    assert_eq!(status, Ok(ReplyStatus::Complete { reply, consumed: 12 }));
}

#[test]
fn an_error_stays() {
    let mut parser = ReplyParser::new();
    assert_eq!(parser.feed(b"ok\r\n"), Err(ReplyError::NoCode));
    assert_eq!(parser.feed(b"250 ok\r\n"), Err(ReplyError::NoCode));
}

#[test]
fn replies_follow_each_other() {
    let mut parser = ReplyParser::new();
    let input = b"250-a\r\n250 b\r\n550 5.1.1 c\r\n";
    let Ok(ReplyStatus::Complete { consumed, .. }) = parser.feed(input) else { panic!() };
    assert!(!parser.is_within_reply());
    let Ok(ReplyStatus::Complete { reply, .. }) = parser.feed(&input[consumed..]) else { panic!() };
    assert_eq!(reply.to_string(), "550 5.1.1 c");
    assert_eq!(parser.feed(b"250-a\r\n25"), Ok(ReplyStatus::Incomplete { consumed: 7 }));
    assert!(parser.is_within_reply());
}

#[test]
fn memory_is_bounded() {
    let mut line = b"250 ".to_vec();
    line.resize(limits::REPLY_LINE_READ - 2, b'x');
    let mut whole = line.clone();
    whole.extend_from_slice(b"\r\n");
    assert!(matches!(read(&whole), Ok(ReplyStatus::Complete { .. })));
    line.extend_from_slice(b"xx");
    assert_eq!(read(&line), Err(ReplyError::LineTooLong));

    let mut parser = ReplyParser::new();
    let mut lines = 0;
    let error = loop {
        match parser.feed(b"250-\r\n") {
            Ok(_) => lines += 1,
            Err(error) => break error,
        }
    };
    assert_eq!((error, lines), (ReplyError::TooLong, limits::REPLY_LINES_READ));

    let mut parser = ReplyParser::new();
    whole[3] = b'-';
    let mut octets = 0;
    while parser.feed(&whole).is_ok() {
        octets += whole.len();
    }
    assert_eq!(parser.feed(&whole), Err(ReplyError::TooLong));
    assert!(octets <= limits::REPLY_OCTETS_READ);
}

#[test]
fn a_code_at_the_start_of_a_text_is_the_codes() {
    let ok = Some(Detail::new(0, 0));
    // What is given without a code and with one in the text, and what it is the same as.
    let cases = [
        ("2.0.0 ok", ok, "ok"),
        ("2.0.0\tok", ok, "ok"),
        ("2.0.0", ok, ""),
        ("2.0.0 ", ok, ""),
        ("2.0.0\nb", ok, "\nb"),
        ("2.0.0\r\nb", ok, "\r\nb"),
        ("2.0.0 2.0.0 x", ok, "2.0.0 x"),
        ("4.0.0 x", None, "4.0.0 x"),
        ("2.0 x", None, "2.0 x"),
        ("2.00.0 x", None, "2.00.0 x"),
        ("2.0.0000 x", None, "2.0.0000 x"),
        ("2.0.0x", None, "2.0.0x"),
        ("2.0.", None, "2.0."),
        ("2.0", None, "2.0"),
        ("2", None, "2"),
        ("2.0.0\rx", None, "2.0.0\rx"),
        ("2.0.0\u{e9}", None, "2.0.0\u{e9}"),
        ("a\n2.0.0 b", None, "a\n2.0.0 b"),
    ];
    for (text, detail, rest) in cases {
        let same = Reply::new(OK, detail, rest);
        let reply = Reply::new(OK, None, text);
        assert_eq!(reply, same, "{text:?}");
        assert_eq!(Reply::new_static(OK, None, text), same, "{text:?}");
        assert_eq!(reply.enhanced().is_some(), detail.is_some(), "{text:?}");
        assert_eq!(print(&reply), print(&same));
    }
    const FIXED: Reply = Reply::new_static(Code::MAILBOX_UNAVAILABLE, None, "5.1.1 no such user");
    assert_eq!(
        FIXED,
        Reply::new(Code::MAILBOX_UNAVAILABLE, Some(Detail::new(1, 1)), "no such user")
    );
    let go = Reply::new(Code::START_MAIL_INPUT, None, "3.0.0 go");
    assert_eq!((go.enhanced(), go.text()), (None, "3.0.0 go"));
}

fn print_utf8(reply: &Reply) -> String {
    let mut out = Vec::new();
    reply.write_utf8_to(&mut out);
    String::from_utf8(out).unwrap()
}

fn read_utf8(input: &[u8]) -> Reply {
    let mut parser = ReplyParser::new();
    parser.keep_utf8(true);
    match parser.feed(input) {
        Ok(ReplyStatus::Complete { reply, consumed }) if consumed == input.len() => reply,
        other => panic!("{other:?}"),
    }
}

#[test]
fn text_outside_ascii_is_for_those_who_take_it() {
    let reply = Reply::new(
        OK,
        None,
        "2.1.5 Jos\u{e9} <jos\u{e9}@\u{4f8b}.example>\t\u{85}\u{7f}\0\u{1f4e7}",
    );
    assert_eq!(print(&reply), "250 2.1.5 Jos? <jos?@?.example> ????\r\n");
    let wire = "250 2.1.5 Jos\u{e9} <jos\u{e9}@\u{4f8b}.example> ???\u{1f4e7}\r\n";
    assert_eq!(print_utf8(&reply), wire);
    assert_eq!(print_utf8(&read_utf8(wire.as_bytes())), wire);
    // One question mark for each octet that is no UTF-8, and for each control character.
    let kept = read_utf8(b"250 a\xc3\xa9\xc3b\xff\xfe\xc2\x85\xed\xa0\x80\r\n");
    assert_eq!(kept.text(), "a\u{e9}?b??????");
    let Ok(ReplyStatus::Complete { reply, .. }) = read(b"250 a\xc3\xa9\xffb\r\n") else { panic!() };
    assert_eq!(reply.text(), "a???b");
}

#[test]
fn no_character_is_cut_in_two() {
    for character in ["\u{e9}", "\u{4f8b}", "\u{1f4e7}"] {
        for shift in 0..8 {
            let text = "x".repeat(shift) + &character.repeat(700);
            let reply = Reply::new(OK, Some(Detail::new(0, 0)), text.as_str());
            let mut out = Vec::new();
            reply.write_utf8_to(&mut out);
            let mut back = String::new();
            for line in out.split_inclusive(|octet| *octet == b'\n') {
                assert!(line.len() <= limits::REPLY_LINE);
                let line = std::str::from_utf8(line).expect("whole characters");
                back += line[4..].trim_end().strip_prefix("2.0.0 ").unwrap();
            }
            assert_eq!(back, text);
            // As many as fit: no line but the last has room for another.
            let lines: Vec<_> = out.split_inclusive(|octet| *octet == b'\n').collect();
            let least = limits::REPLY_LINE - "999.99".len() - character.len();
            assert!(lines[..lines.len() - 1].iter().all(|line| line.len() > least - 4), "{shift}");
            // In ASCII each of them is one octet.
            assert_eq!(print(&reply).matches('?').count(), 700);
        }
    }
}

fn code() -> impl Strategy<Value = Code> {
    (200u16..600).prop_map(|code| Code::new(code).unwrap())
}

fn detail() -> impl Strategy<Value = Option<Detail>> {
    proptest::option::of(
        any::<(u8, u8)>().prop_map(|(subject, detail)| Detail::new(subject, detail)),
    )
}

/// Text with much in it that could break out of a reply.
fn hostile() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("\r\n".to_owned()),
        Just("\r".to_owned()),
        Just("\n250 ok".to_owned()),
        Just("\0".to_owned()),
        Just("5.7.1 ".to_owned()),
        Just("\u{85}\u{2028}".to_owned()),
        "[ -~]{0,300}",
        ".{0,8}",
    ];
    proptest::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn any_text_prints_as_one_reply(code in code(), detail in detail(), text in hostile()) {
        let reply = Reply::new(code, detail, text);
        let printed = print(&reply);
        let lines: Vec<&str> = printed.split_inclusive("\r\n").collect();
        for (index, line) in lines.iter().enumerate() {
            let text = line.strip_suffix("\r\n").unwrap();
            prop_assert!(line.len() <= limits::REPLY_LINE);
            prop_assert!(text.bytes().all(|octet| (0x20..=0x7e).contains(&octet)), "{line:?}");
            prop_assert!(text.starts_with(&code.to_string()));
            let last = index + 1 == lines.len();
            prop_assert_eq!(text.as_bytes().get(3) == Some(&b'-'), !last);
            if let Some(enhanced) = reply.enhanced() {
                prop_assert_eq!(enhanced.class, code.class());
                prop_assert!(text[4..].starts_with(&enhanced.to_string()));
            }
        }
        let display = reply.to_string();
        prop_assert!(display.bytes().all(|octet| (0x20..=0x7e).contains(&octet)), "{display:?}");
        if lines.len() <= limits::REPLY_LINES_READ {
            let Ok(ReplyStatus::Complete { reply: read, consumed }) = read(printed.as_bytes()) else { panic!() };
            prop_assert_eq!(consumed, printed.len());
            prop_assert_eq!(read.code(), code);
            prop_assert_eq!(read.enhanced(), reply.enhanced());
            prop_assert_eq!(print(&read), printed);
        }
    }

    #[test]
    fn a_plain_reply_reads_back_as_itself(
        code in code(),
        detail in detail(),
        lines in proptest::collection::vec(
            "([245]\\.[0-9]{1,2}\\.[0-9]{1,2} ?){0,2}[ -~\u{e9}\u{4f8b}]{0,40}", 1..6,
        ),
    ) {
        let reply = Reply::multiline(code, detail, &lines);
        let printed = print_utf8(&reply);
        prop_assert_eq!(&read_utf8(printed.as_bytes()), &reply);
        prop_assert_eq!(printed.split_inclusive("\r\n").count(), lines.len());
        // In ASCII too, where the text is.
        let printed = print(&reply);
        let Ok(ReplyStatus::Complete { reply: read, .. }) = read(printed.as_bytes()) else { panic!() };
        prop_assert_eq!(print(&read), printed);
        if lines.iter().all(|line| line.is_ascii()) {
            prop_assert_eq!(read, reply);
        }
    }

    #[test]
    fn any_octets_are_read_the_same_at_every_cut(
        input in proptest::collection::vec(
            prop_oneof![Just(b'2'), Just(b'5'), Just(b'0'), Just(b'-'), Just(b' '), Just(b'\r'), Just(b'\n'), any::<u8>()],
            0..24,
        ),
        head in prop_oneof![Just(""), Just("250-a\r\n"), Just("250 "), Just("550 5.7.1 ")],
    ) {
        let input = [head.as_bytes(), &input].concat();
        let whole = read_in_pieces(&input, &[]);
        for cut in 0..=input.len() {
            prop_assert_eq!(read_in_pieces(&input, &[cut]), whole.clone());
        }
        let each: Vec<usize> = (1..input.len()).collect();
        prop_assert_eq!(read_in_pieces(&input, &each), whole);
    }
}

#[test]
fn an_abridged_reply_says_that_it_is_one() {
    let reply = || Reply::new(Code::LOCAL_ERROR, Some(Detail::new(3, 0)), "one tw\u{f6} three");
    for (octets, text) in [
        (0, "..."),
        (6, "one tw..."),
        (7, "one tw..."),
        (8, "one tw\u{f6}..."),
        (13, "one tw\u{f6} thre..."),
    ] {
        let abridged = reply().abridged(octets);
        assert_eq!(abridged.text(), text);
        assert_eq!((abridged.code(), abridged.enhanced()), (reply().code(), reply().enhanced()));
    }
    assert_eq!(reply().abridged(14), reply());
    assert_eq!(reply().abridged(usize::MAX), reply());
}
