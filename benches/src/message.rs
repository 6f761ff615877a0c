//! Messages to send.
//!
//! Does: make text of an exact length in lines as people's programs write them. Does not: vary;
//! the same arguments give the same octets. Fails: never.

const HEADER: &[u8] = b"From: Newsletter <newsletter@example.org>\r\n\
    To: First Last <first.last@example.net>\r\n\
    Subject: What was measured\r\n\
    Message-ID: <20260102030405.4711@example.org>\r\n\
    \r\n";
const LINE: &[u8] =
    b"The quick brown fox jumps over the lazy dog, and then it jumps over it again\r\n";

/// A message of `octets` octets in lines of `columns`, which are 76 at most, each ended by CRLF, the last one
/// too. No line begins with a dot.
#[must_use]
pub fn text(octets: usize, columns: usize) -> Vec<u8> {
    let columns = columns.clamp(1, LINE.len() - 2);
    let mut text = Vec::with_capacity(octets);
    if octets > 2 * HEADER.len() {
        text.extend_from_slice(HEADER);
    }
    while text.len() < octets {
        // What is left after this line is none, or enough for another.
        let left = octets - text.len();
        let line = if left > columns + 2 { columns.min(left - 5) } else { left.saturating_sub(2) };
        text.extend_from_slice(&LINE[..line]);
        text.extend_from_slice(b"\r\n");
    }
    text.truncate(octets);
    text
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::text;

    #[test]
    fn it_is_whole_lines_of_the_length_that_was_asked_for() {
        for octets in (2..3000).chain([1 << 20]) {
            for columns in [20, 76] {
                let text = text(octets, columns);
                assert_eq!(text.len(), octets);
                assert!(text.ends_with(b"\r\n"), "{octets} {columns}");
                if octets > 1000 {
                    let body = text.windows(4).position(|four| four == b"\r\n\r\n").unwrap() + 4;
                    assert_eq!(
                        text[body..].iter().position(|octet| *octet == b'\r'),
                        Some(columns)
                    );
                }
            }
        }
    }
}
