//! Lines, one octet at a time.

/// What a text is divided into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Item {
    /// A line of so many octets, its line end included.
    Line {
        /// The octets.
        len: usize,
        /// Its LF has no CR before it.
        bare: bool,
    },
    /// A line that has no end within the limit; it is not looked at further.
    TooLong,
}

/// The lines of a text in order, and how many octets are left that end in none.
#[must_use]
pub fn lines(text: &[u8], limit: usize) -> (Vec<Item>, usize) {
    let mut items = Vec::new();
    let mut len = 0;
    let mut before = None;
    for octet in text {
        if len >= limit {
            items.push(Item::TooLong);
            return (items, 0);
        }
        len += 1;
        if *octet == b'\n' {
            items.push(Item::Line { len, bare: before != Some(b'\r') });
            len = 0;
            before = None;
        } else {
            before = Some(*octet);
        }
    }
    if len >= limit {
        items.push(Item::TooLong);
        len = 0;
    }
    (items, len)
}
