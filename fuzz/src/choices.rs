//! One fuzzer input as what a peer sends and what the target decides.
//!
//! The text stands in front, so that a corpus reads as conversations and a dictionary fits into
//! it. Behind it stand up to [`MOST`] octets of choices, and the last octet says how many.

/// Octets of choices that an input can carry.
pub const MOST: usize = 31;

/// An endless row of choices: the octets of the input, over and over.
#[derive(Clone, Debug)]
pub struct Choices<'a> {
    octets: &'a [u8],
    next: usize,
}

/// Splits an input into its text and its choices.
#[must_use]
pub fn split(input: &[u8]) -> (&[u8], Choices<'_>) {
    let (text, octets) = match input.split_last() {
        Some((count, rest)) => {
            rest.split_at(rest.len() - (usize::from(*count) & MOST).min(rest.len()))
        }
        None => (input, input),
    };
    (text, Choices { octets, next: 0 })
}

impl<'a> Choices<'a> {
    /// The next choice; 0 where there are none.
    pub fn octet(&mut self) -> u8 {
        let Some(octet) = self.octets.get(self.next % self.octets.len().max(1)) else { return 0 };
        self.next += 1;
        *octet
    }

    /// The next choice among `of`.
    pub fn below(&mut self, of: u8) -> u8 {
        self.octet() % of
    }

    /// The front part of a row of choices for one purpose, the rest for others.
    #[must_use]
    pub fn split_at(&self, front: usize) -> (Choices<'a>, Choices<'a>) {
        let (front, rest) = self.octets.split_at(front.min(self.octets.len()));
        (Choices { octets: front, next: 0 }, Choices { octets: rest, next: 0 })
    }

    /// The length of the next piece of so many octets: all of them for the choice 0.
    pub fn cut(&mut self, left: usize) -> usize {
        match self.octet() {
            0 => left,
            octet => usize::from(octet).min(left),
        }
    }

    /// The text in pieces.
    pub fn pieces<'t>(&mut self, mut text: &'t [u8]) -> Vec<&'t [u8]> {
        let mut pieces = Vec::new();
        while !text.is_empty() {
            let (piece, rest) = text.split_at(self.cut(text.len()));
            pieces.push(piece);
            text = rest;
        }
        pieces
    }
}
