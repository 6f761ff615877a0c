//! The line of a text that something is said about, fit for a terminal.
//!
//! Does: cut a very long line down to what is around the place, and keep the place pointed at. What could
//! drive a terminal, or reorder what it shows, is replaced by a character that shows. Does not: draw.

use std::ops::Range;

/// The most characters of a line that is kept whole. Who draws it may still cut it to its width.
const WHOLE: usize = 1000;
/// How many characters are kept of a longer one.
const WIDTH: usize = 100;
/// How many of these stand before the place.
const BEFORE: usize = 40;

/// One line, or the part of it around a place. Tabs are left in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Excerpt {
    /// What is shown.
    pub(super) text: String,
    /// The place in it, in octets.
    pub(super) span: Range<usize>,
    /// Whether it begins where the line does.
    pub(super) from_start: bool,
}

impl Excerpt {
    /// The first line of the octets from `span` on. A place that goes on behind the line ends with it.
    pub(super) fn new(bytes: &[u8], span: Range<usize>) -> Self {
        let start = span.start.min(bytes.len());
        let end = span.end.clamp(start, bytes.len());
        let before = bytes[..start].iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let behind = bytes[start..].iter().position(|byte| *byte == b'\n');
        let line_end = behind.map_or(bytes.len(), |at| start + at);
        let end = end.min(line_end);

        // A line may be as long as the file: no more of it is looked at than can be kept. The cut
        // may go through a character of several octets, which then shows as one that cannot be read.
        let octets = 4 * WHOLE;
        let head = &bytes[before.max(start.saturating_sub(octets))..start];
        let tail_end = line_end.min(start.saturating_add(octets));
        let middle = &bytes[start..end.min(tail_end)];
        let tail = &bytes[end.min(tail_end)..tail_end];
        let cut = head.len() < start - before || tail_end < line_end;

        let (head, middle) = (characters(head), characters(middle));
        let tail = characters(trim_end(tail));
        let cut = cut || head.len() + middle.len() + tail.len() > WHOLE;
        let shown_before = if cut { head.len().min(BEFORE) } else { head.len() };
        let from_start = !cut || (shown_before == head.len() && head.len() == start - before);
        let mut excerpt = Self { text: String::new(), span: 0..0, from_start };
        if !from_start {
            excerpt.text.push_str("...");
        }
        let mut room = if cut { WIDTH } else { WHOLE };
        excerpt.show(&head[head.len() - shown_before..], &mut room);
        excerpt.span.start = excerpt.text.len();
        let mut whole = excerpt.show(&middle, &mut room);
        excerpt.span.end = excerpt.text.len();
        whole &= excerpt.show(&tail, &mut room);
        if !whole || tail_end < line_end {
            excerpt.text.push_str("...");
        }
        excerpt
    }

    /// Adds as many characters as there is room for; whether that was all of them.
    fn show(&mut self, characters: &[char], room: &mut usize) -> bool {
        let count = characters.len().min(*room);
        *room -= count;
        let tab_or_safe = |c: &char| if *c == '\t' { *c } else { safe(*c) };
        self.text.extend(characters[..count].iter().map(tab_or_safe));
        count == characters.len()
    }
}

/// Text for a terminal: nothing in it moves the cursor, sets a colour or reorders what is shown.
pub(super) fn visible(text: &str) -> String {
    text.chars().map(safe).collect()
}

fn characters(bytes: &[u8]) -> Vec<char> {
    String::from_utf8_lossy(bytes).chars().collect()
}

/// Without the CR of a line's end.
fn trim_end(bytes: &[u8]) -> &[u8] {
    bytes.strip_suffix(b"\r").unwrap_or(bytes)
}

/// The character, or the one that stands for it.
fn safe(character: char) -> char {
    match character {
        // Unicode's pictures of the control characters, in their order.
        '\0'..='\u{1f}' => char::from_u32(0x2400 + u32::from(character)).unwrap_or('\u{fffd}'),
        '\u{7f}' => '\u{2421}',
        // Control sequences in one character, line separators, and marks that set a direction.
        '\u{80}'..='\u{9f}'
        | '\u{ad}'
        | '\u{61c}'
        | '\u{200b}'..='\u{200f}'
        | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}'
        | '\u{feff}' => '\u{fffd}',
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pointed(bytes: &[u8], span: Range<usize>) -> (String, String) {
        let Excerpt { text, span, from_start: _ } = Excerpt::new(bytes, span);
        let at = text[span].to_owned();
        (text, at)
    }

    fn texts(text: &str, at: &str) -> (String, String) {
        (text.to_owned(), at.to_owned())
    }

    #[test]
    fn a_place_is_shown_in_its_line() {
        let file = b"one\ntwo three\r\nfour";
        assert_eq!(pointed(file, 8..13), texts("two three", "three"));
        assert_eq!(pointed(file, 0..3), texts("one", "one"));
        assert_eq!(pointed(file, 4..19), texts("two three\u{240d}", "two three\u{240d}"));
        assert_eq!(pointed(file, 15..19), texts("four", "four"));
        assert_eq!(pointed(file, 19..19), texts("four", ""));
        assert_eq!(pointed(file, 99..200), texts("four", ""));
        assert_eq!(pointed(b"", 0..0), texts("", ""));
        assert_eq!(pointed(b"a\n", 2..2), texts("", ""));
    }

    #[test]
    fn what_could_drive_a_terminal_is_shown_as_another_character() {
        let file = "\ta\u{1b}[31mb\u{9b}2J\u{202e}c\u{7f}\r\n".as_bytes();
        let (text, at) = pointed(file, 2..8);
        assert_eq!(text, "\ta\u{241b}[31mb\u{fffd}2J\u{fffd}c\u{2421}");
        assert_eq!(at, "\u{241b}[31mb");
        assert_eq!(pointed(b"a\xff\xfeb", 1..3), texts("a\u{fffd}\u{fffd}b", "\u{fffd}\u{fffd}"));
        assert_eq!(visible("a\nb\u{200b}"), "a\u{240a}b\u{fffd}");
    }

    #[test]
    fn a_long_line_is_cut_to_what_is_around_the_place() {
        let line = "abcdefghij".repeat(100_000);
        for (span, at) in [
            (0..3, "abc"),
            (500..503, "abc"),
            (999_997..1_000_000, "hij"),
            (1_000_000..1_000_000, ""),
        ] {
            let (text, pointed) = pointed(line.as_bytes(), span.clone());
            assert_eq!(pointed, at, "{span:?}");
            assert!(text.chars().count() <= WIDTH + 6, "{text}");
            assert!(text.contains("..."));
            assert_eq!(Excerpt::new(line.as_bytes(), span).from_start, !text.starts_with("..."));
        }
        let (text, _) = pointed(&line.as_bytes()[..WHOLE], 500..503);
        assert_eq!(text.len(), WHOLE);
        let (text, at) = pointed(line.as_bytes(), 10..1_000_000);
        assert!(at.len() > WIDTH / 2 && text.ends_with("..."), "{text}");
        let wide = "\u{e9}".repeat(2000);
        let (text, at) = pointed(wide.as_bytes(), 1000..1002);
        assert_eq!(at, "\u{e9}");
        assert!(text.starts_with("...") && text.ends_with("..."));
    }
}
