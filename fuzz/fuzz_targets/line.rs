//! Any octets, cut anywhere, under any limit: the same lines as one octet at a time, none longer
//! than the limit, and no octet before a line end is looked at twice for it.
#![no_main]

use hvmail_fuzz::choices;
use hvmail_fuzz::oracle::line::{Item, lines};
use libfuzzer_sys::fuzz_target;
use smtp_proto::wire::line::octets_to_line_end;
use smtp_proto::wire::{Line, LineEnd, LineScanner};

fuzz_target!(|input: &[u8]| {
    let (text, mut choices) = choices::split(input);
    let limit = 1 + usize::from(choices.octet());
    let (expected, left) = lines(text, limit);

    let mut scanner = LineScanner::new(limit);
    let (mut found, mut start, mut end) = (Vec::new(), 0, 0);
    'input: loop {
        match scanner.scan(&text[start..end]) {
            Line::Complete { len, end: line_end } => {
                assert!(len <= limit && start + len <= end);
                let line = &text[start..start + len];
                let bare = line_end == LineEnd::BareLf;
                assert_eq!(line.ends_with(b"\r\n"), !bare);
                assert_eq!(octets_to_line_end(line), Some(len));
                assert!(!line[..len - line_end.octets()].contains(&b'\n'));
                found.push(Item::Line { len, bare });
                start += len;
            }
            Line::TooLong => {
                assert!(end - start >= limit);
                found.push(Item::TooLong);
                // What is left of it is passed over.
                assert_eq!(expected.last(), Some(&Item::TooLong));
                break 'input;
            }
            Line::Incomplete => {
                // A buffer of `limit` octets is all that a caller needs.
                assert!(end - start < limit);
                if end == text.len() {
                    assert_eq!(end - start, left);
                    break 'input;
                }
                end += choices.cut(text.len() - end);
            }
        }
    }
    assert_eq!(found, expected);
});
