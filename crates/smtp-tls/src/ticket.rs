//! Keys of session tickets that several hosts share.
//!
//! Plain data, and secret: a library's adapter makes and reads tickets with them. Whoever has the keys
//! can read every TLS 1.2 session that a ticket was given for, so they are kept in memory alone where that
//! can be had, and replaced often.

use std::{
    fmt,
    hash::{Hash, Hasher},
};

use thiserror::Error;
use zeroize::Zeroizing;

use crate::OriginId;

/// One or two keys: tickets are made with the current one, and those of the previous one are still
/// taken. They never show in `Debug` output, and are overwritten when they are dropped.
///
/// Equal keys are equal wherever they were read.
#[derive(Clone)]
pub struct TicketKeys {
    current: Key,
    previous: Option<Key>,
    origin: Option<OriginId>,
}

impl PartialEq for TicketKeys {
    fn eq(&self, other: &Self) -> bool {
        let Self { current, previous, origin: _ } = self;
        *current == other.current && *previous == other.previous
    }
}

impl Eq for TicketKeys {}

type Key = Zeroizing<[u8; TicketKeys::LENGTH]>;

/// The octets are no ticket keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum MalformedTicketKeys {
    /// They are neither one key nor two.
    #[error(
        "{found} octets are no ticket keys: one is {length} octets, two are {two}",
        length = TicketKeys::LENGTH,
        two = 2 * TicketKeys::LENGTH
    )]
    Length {
        /// How many there are.
        found: usize,
    },
    /// A key is one octet over and over: a file that was never filled, or a placeholder. Whoever guesses it
    /// reads every session.
    #[error("a key of one octet over and over is not random")]
    NotRandom,
}

impl TicketKeys {
    /// The octets of one key. All of them must come from a source of randomness that is fit for keys.
    pub const LENGTH: usize = 80;

    /// The current key, and behind it the previous one where there is one.
    ///
    /// # Errors
    /// [`MalformedTicketKeys`] if they are neither one key nor two, or one of them is an octet repeated.
    pub fn from_octets(octets: &[u8]) -> Result<Self, MalformedTicketKeys> {
        let malformed = MalformedTicketKeys::Length { found: octets.len() };
        let (current, rest) = octets.split_first_chunk().ok_or(malformed)?;
        let previous: Option<Key> = match rest {
            [] => None,
            rest => Some(Zeroizing::new(rest.try_into().map_err(|_| malformed)?)),
        };
        let is_random = |key: &[u8; Self::LENGTH]| key.iter().any(|octet| *octet != key[0]);
        if !is_random(current) || !previous.as_deref().is_none_or(is_random) {
            return Err(MalformedTicketKeys::NotRandom);
        }
        Ok(Self { current: Zeroizing::new(*current), previous, origin: None })
    }

    /// The same keys, with where they came from.
    #[must_use]
    pub fn with_origin(self, origin: OriginId) -> Self {
        Self { origin: Some(origin), ..self }
    }

    /// The same keys, with the current one of `before` as the previous one where these have none and
    /// their current one is another: tickets that were given before a change are still taken.
    #[must_use]
    pub fn following(self, before: &Self) -> Self {
        if self.previous.is_some() {
            return self;
        }
        let previous = if self.current == before.current {
            before.previous.clone()
        } else {
            Some(before.current.clone())
        };
        Self { previous, ..self }
    }

    /// The key that tickets are made with.
    #[must_use]
    pub fn current(&self) -> &[u8; Self::LENGTH] {
        &self.current
    }

    /// The key whose tickets are still taken.
    #[must_use]
    pub fn previous(&self) -> Option<&[u8; Self::LENGTH]> {
        self.previous.as_deref()
    }

    /// Where they came from, if that was said.
    #[must_use]
    pub const fn origin(&self) -> Option<OriginId> {
        self.origin
    }
}

impl fmt::Debug for TicketKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = 1 + usize::from(self.previous.is_some());
        write!(f, "TicketKeys({count}, redacted)")
    }
}

/// By one octet: a hash is no place for a key.
impl Hash for TicketKeys {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.current[0].hash(state);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LENGTH: usize = TicketKeys::LENGTH;

    /// The octets of a key, which are not random but pass for it.
    fn octets(first: u8) -> [u8; LENGTH] {
        let mut octets = [first; LENGTH];
        octets[LENGTH - 1] = !first;
        octets
    }

    fn key(first: u8) -> TicketKeys {
        TicketKeys::from_octets(&octets(first)).unwrap()
    }

    #[test]
    fn one_key_or_two() {
        let one = key(1);
        assert_eq!((one.current(), one.previous()), (&octets(1), None));
        let two = TicketKeys::from_octets(&[octets(1), octets(2)].concat()).unwrap();
        assert_eq!((two.current(), two.previous()), (&octets(1), Some(&octets(2))));
        for found in [0, 1, LENGTH - 1, LENGTH + 1, 2 * LENGTH - 1, 2 * LENGTH + 1, 3 * LENGTH] {
            let error = TicketKeys::from_octets(&vec![1; found]).unwrap_err();
            assert_eq!(error, MalformedTicketKeys::Length { found });
            assert!(error.to_string().contains("80 octets, two are 160"), "{error}");
        }
    }

    #[test]
    fn one_octet_over_and_over_is_no_key() {
        for octet in [0, b'0', 0xff] {
            let repeated = [octet; LENGTH];
            for octets in [
                repeated.to_vec(),
                [repeated, octets(1)].concat(),
                [octets(1), repeated].concat(),
                [[1; LENGTH], [2; LENGTH]].concat(),
            ] {
                let refused = TicketKeys::from_octets(&octets).unwrap_err();
                assert_eq!(refused, MalformedTicketKeys::NotRandom);
            }
        }
    }

    #[test]
    fn the_key_before_is_kept_for_one_change() {
        let second = key(2).following(&key(1));
        assert_eq!(second.previous(), Some(&octets(1)));
        assert_eq!(key(2).following(&second), second);
        assert_eq!(key(3).following(&second).previous(), Some(&octets(2)));
        let pair = TicketKeys::from_octets(&[octets(4), octets(3)].concat()).unwrap();
        assert_eq!(pair.clone().following(&key(1)), pair);
    }

    #[test]
    fn a_key_never_shows() {
        assert_eq!(format!("{:?}", key(115)), "TicketKeys(1, redacted)");
    }
}
