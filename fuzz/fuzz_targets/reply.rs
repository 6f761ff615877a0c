//! Any octets, cut anywhere, as what a server sends: the same replies as an oracle reads line by
//! line, within the limits, not an octet behind them taken; each prints as replies that read back
//! as the same value, and so do the capabilities that it names.
#![no_main]

use hvmail_fuzz::choices;
use hvmail_fuzz::oracle;
use libfuzzer_sys::fuzz_target;
use smtp_proto::limits;
use smtp_proto::wire::{Capabilities, Capability, Class, Code, Reply, ReplyParser, ReplyStatus};

fuzz_target!(|input: &[u8]| {
    let (text, mut choices) = choices::split(input);
    let mut parser = ReplyParser::new();
    let (mut start, mut end, mut reply_start) = (0, 0, 0);
    loop {
        match parser.feed(&text[start..end]) {
            Ok(ReplyStatus::Complete { reply, consumed }) => {
                start += consumed;
                assert!(start <= end && !parser.is_within_reply());
                check(&reply, &text[reply_start..start]);
                reply_start = start;
            }
            Ok(ReplyStatus::Incomplete { consumed }) => {
                start += consumed;
                assert!(start <= end && end - start < limits::REPLY_LINE_READ);
                assert_eq!(parser.is_within_reply(), start > reply_start);
                assert!(start - reply_start <= limits::REPLY_OCTETS_READ);
                if end == text.len() {
                    assert_eq!(oracle::reply::first(&text[reply_start..]), Ok(None));
                    return;
                }
                end += choices.cut(text.len() - end);
            }
            Err(error) => {
                // It stays.
                assert_eq!(parser.feed(b"250 ok\r\n"), Err(error));
                let long = text.len() - reply_start > limits::REPLY_LINE_READ
                    || text[reply_start..].iter().filter(|octet| **octet == b'\n').count()
                        > limits::REPLY_LINES_READ;
                assert!(long || oracle::reply::first(&text[reply_start..]).is_err(), "{error}");
                return;
            }
        }
    }
});

fn check(reply: &Reply, octets: &[u8]) {
    let expected = match oracle::reply::first(octets) {
        Ok(Some(expected)) => expected,
        other => panic!("{reply} is not {other:?}"),
    };
    assert_eq!(expected.octets, octets.len());
    assert_eq!(reply.code().get(), expected.code);
    assert_eq!(reply.lines().count(), expected.lines.len());
    assert!(reply.text().len() <= limits::REPLY_OCTETS_READ);
    if let Some(enhanced) = reply.enhanced() {
        assert_eq!(enhanced.class, reply.code().class());
        assert_ne!(enhanced.class, Class::Intermediate);
        let first = &expected.lines[0];
        assert!(first.starts_with(enhanced.to_string().as_bytes()), "{enhanced} in {first:?}");
    }
    for (line, expected) in reply.lines().zip(&expected.lines) {
        assert!(line.chars().all(|c| matches!(c, ' '..='~')));
        // What is cut off is an enhanced code, in front.
        let ends = expected.len() - line.len();
        assert!(line.bytes().zip(&expected[ends..]).all(|(is, was)| is == *was
            || (is == b' ' && *was == b'\t')
            || (is == b'?' && !matches!(was, b' '..=b'~'))));
        assert!(ends == 0 || reply.enhanced().is_some());
    }
    prints_back(reply);
    capabilities(reply);
    let abridged = reply.clone().abridged(40);
    assert!(abridged.text().len() <= 43 && abridged.code() == reply.code());
    prints_back(&abridged);
}

/// What is printed holds nothing but lines of this reply; where no line had to be divided, it
/// reads back as the same value.
fn prints_back(reply: &Reply) {
    let mut wire = Vec::new();
    reply.write_to(&mut wire);
    for line in wire.split_inclusive(|octet| *octet == b'\n') {
        let line = line.strip_suffix(b"\r\n").expect("each line ends in CRLF");
        assert!(line.iter().all(|octet| matches!(octet, b' '..=b'~')));
        assert!(line.len() + 2 <= limits::REPLY_LINE);
    }
    let Ok(Some(read)) = oracle::reply::first(&wire) else { panic!("{wire:?} is no reply") };
    assert_eq!(read.octets, wire.len(), "one reply");
    assert_eq!(read.code, reply.code().get());
    let divided = read.lines.len() > reply.lines().count();
    if divided
        || read.lines.len() > limits::REPLY_LINES_READ
        || wire.len() > limits::REPLY_OCTETS_READ
    {
        return;
    }
    match ReplyParser::new().feed(&wire) {
        Ok(ReplyStatus::Complete { reply: back, consumed }) => {
            assert_eq!(consumed, wire.len());
            assert_eq!(back, *reply, "{wire:?}");
        }
        other => panic!("{other:?} of {wire:?}"),
    }
}

fn capabilities(reply: &Reply) {
    let capabilities = Capabilities::from_reply(reply);
    if reply.code() != Code::OK {
        assert_eq!(capabilities, Capabilities::default());
        return;
    }
    for capability in capabilities.iter() {
        let printed = capability.to_string();
        assert_eq!(Capability::parse(&printed), Some(capability), "{printed}");
    }
    let back = Capabilities::from_reply(&capabilities.to_reply("mx.example.org"));
    assert_eq!(back, capabilities);
}
