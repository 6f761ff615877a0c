//! The escapes of a double-quoted string: those of JSON.
//!
//! Pure, on the octets from a backslash on. What JSON does not know is told apart, not judged.

/// What an escape stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Escape {
    /// This character.
    Character(char),
    /// Half of a surrogate pair without its other half: no character.
    LoneSurrogate,
    /// JSON knows no such escape.
    Unknown,
}

/// Reads the escape at the start of `bytes`, and gives the number of octets that it takes. Of an
/// unknown one that is the backslash alone.
pub(super) fn decode(bytes: &[u8]) -> (Escape, usize) {
    let character = match bytes.get(1) {
        Some(b'"') => '"',
        Some(b'\\') => '\\',
        Some(b'/') => '/',
        Some(b'b') => '\u{8}',
        Some(b'f') => '\u{c}',
        Some(b'n') => '\n',
        Some(b'r') => '\r',
        Some(b't') => '\t',
        Some(b'u') => return code_unit(bytes),
        _ => return (Escape::Unknown, 1),
    };
    (Escape::Character(character), 2)
}

fn code_unit(bytes: &[u8]) -> (Escape, usize) {
    let Some(unit) = four_digits(bytes) else {
        return (Escape::Unknown, 1);
    };
    if let Some(character) = char::from_u32(unit) {
        return (Escape::Character(character), 6);
    }
    let low = bytes.get(6..).and_then(four_digits).filter(|low| (0xdc00..0xe000).contains(low));
    if let (0xd800..0xdc00, Some(low)) = (unit, low) {
        let scalar = 0x1_0000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
        if let Some(character) = char::from_u32(scalar) {
            return (Escape::Character(character), 12);
        }
    }
    (Escape::LoneSurrogate, 6)
}

/// The number behind `\u` at the start of `bytes`, where four hexadecimal digits stand there.
fn four_digits(bytes: &[u8]) -> Option<u32> {
    let digits = bytes.get(..6)?.strip_prefix(b"\\u")?;
    digits
        .iter()
        .try_fold(0, |value, digit| char::from(*digit).to_digit(16).map(|digit| value * 16 + digit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_those_of_json() {
        let character = Escape::Character;
        for (bytes, expected) in [
            (&br#"\"x"#[..], (character('"'), 2)),
            (br"\\\\", (character('\\'), 2)),
            (br"\/", (character('/'), 2)),
            (br"\b", (character('\u{8}'), 2)),
            (br"\f", (character('\u{c}'), 2)),
            (br"\n", (character('\n'), 2)),
            (br"\r", (character('\r'), 2)),
            (br"\t", (character('\t'), 2)),
            (br"\u00e9x", (character('\u{e9}'), 6)),
            (br"\uFFFF", (character('\u{ffff}'), 6)),
            (br"\uD83D\uDE00x", (character('\u{1f600}'), 12)),
            (br"\uDBFF\uDFFF", (character('\u{10ffff}'), 12)),
            (br"\uD800\uDC00", (character('\u{10000}'), 12)),
            (br"\uD83D", (Escape::LoneSurrogate, 6)),
            (br"\uD83D\uD83D", (Escape::LoneSurrogate, 6)),
            (br"\uD83D\u0041", (Escape::LoneSurrogate, 6)),
            (br"\uDE00\uDE00", (Escape::LoneSurrogate, 6)),
            (br"\u00e", (Escape::Unknown, 1)),
            (br"\u00eg", (Escape::Unknown, 1)),
            (br"\u+0e9", (Escape::Unknown, 1)),
            (br"\U0041", (Escape::Unknown, 1)),
            (br"\N", (Escape::Unknown, 1)),
            (br"\'", (Escape::Unknown, 1)),
            (b"\\\n", (Escape::Unknown, 1)),
            (br"\", (Escape::Unknown, 1)),
        ] {
            assert_eq!(decode(bytes), expected, "{:?}", String::from_utf8_lossy(bytes));
        }
    }
}
