//! xtext, octet by octet (RFC 3461, 4), with digits of either case (RFC 4954, 8).

/// What a text stands for; `None` where it is no xtext.
#[must_use]
pub fn decode(text: &str) -> Option<Vec<u8>> {
    let digit = |octet: u8| char::from(octet).to_digit(16);
    let mut out = Vec::new();
    let mut at = 0;
    while let Some(octet) = text.as_bytes().get(at) {
        match *octet {
            b'+' => {
                let high = digit(*text.as_bytes().get(at + 1)?)?;
                let low = digit(*text.as_bytes().get(at + 2)?)?;
                out.push(u8::try_from(16 * high + low).ok()?);
                at += 3;
            }
            b'=' => return None,
            33..=126 => {
                out.push(*octet);
                at += 1;
            }
            _ => return None,
        }
    }
    Some(out)
}
