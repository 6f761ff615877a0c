//! The order of suites, and the moves that rules make in it.
//!
//! Does: begin in OpenSSL's order of preference, and move suites as its rules do. Suites that are
//! not in the list keep an order too, which they come back in. Does not: read strings
//! ([`string`](super::string)).

use std::cmp::Reverse;
use std::sync::LazyLock;

use super::table::SUITES;
use super::words::{AES, AES_GCM, Criteria};
use super::{Authentication, Encryption, KeyExchange, Mac, Operator, Protocol, Release, Suite};

static PREFERRED_3_0: LazyLock<Vec<&Suite>> = LazyLock::new(|| Ranking::preferred(Release::V3_0));
static PREFERRED_3_2: LazyLock<Vec<&Suite>> = LazyLock::new(|| Ranking::preferred(Release::V3_2));

#[derive(Clone, Copy)]
struct Place {
    suite: &'static Suite,
    listed: bool,
}

/// Every suite that is not removed for good, in order.
pub(super) struct Ranking {
    places: Vec<Place>,
    moved: Vec<Place>,
    release: Release,
}

impl Ranking {
    /// All suites in OpenSSL's order of preference, none of them listed.
    pub(super) fn new(release: Release) -> Self {
        let suites = match release {
            Release::V3_0 => &PREFERRED_3_0,
            Release::V3_2 => &PREFERRED_3_2,
        };
        Self::of(suites.iter().copied(), release)
    }

    fn of(suites: impl Iterator<Item = &'static Suite>, release: Release) -> Self {
        let places = suites.map(|suite| Place { suite, listed: false }).collect();
        Self { places, moved: Vec::with_capacity(SUITES.len()), release }
    }

    /// In the end: ephemeral key exchange with AEAD, ephemeral key exchange, other AEAD, the rest;
    /// within these, TLS 1.2, then strength, then ECDHE with ECDSA, other ECDHE, then AES-GCM,
    /// ChaCha20, other AES.
    fn preferred(release: Release) -> Vec<&'static Suite> {
        let mut ranking = Self::of(SUITES.iter().rev(), release);
        let ecdhe = Criteria::key_exchange(KeyExchange::Ecdhe as u32);
        let all = Criteria::default();

        let with_ecdsa = ecdhe.with_authentication(Authentication::Ecdsa as u32);
        ranking.apply(Operator::Add, &with_ecdsa);
        ranking.apply(Operator::Add, &ecdhe);
        ranking.apply(Operator::Delete, &ecdhe);
        let chacha20 = Encryption::ChaCha20Poly1305 as u32;
        for encryption in [AES_GCM, chacha20, AES & !AES_GCM] {
            ranking.apply(Operator::Add, &Criteria::encryption(encryption));
        }
        ranking.apply(Operator::Add, &all);
        for last in [
            Criteria::mac(Mac::Md5 as u32),
            Criteria::authentication(Authentication::Anonymous as u32),
            Criteria::key_exchange(KeyExchange::Rsa as u32),
            Criteria::key_exchange(KeyExchange::Psk as u32),
        ] {
            ranking.apply(Operator::Last, &last);
        }
        ranking.sort_by_strength();
        let ephemeral = Criteria::key_exchange(KeyExchange::Dhe as u32 | KeyExchange::Ecdhe as u32);
        ranking.first(&Criteria::protocol(Protocol::Tls12));
        ranking.first(&Criteria::mac(Mac::Aead as u32));
        ranking.first(&ephemeral);
        ranking.first(&ephemeral.with_mac(Mac::Aead as u32));
        ranking.into_list()
    }

    /// Applies a rule; whether there was a suite, listed or not, that it speaks of.
    pub(super) fn apply(&mut self, operator: Operator, criteria: &Criteria) -> bool {
        match operator {
            Operator::Add => self.shift(criteria, false, End::Last, true),
            Operator::Last => self.shift(criteria, true, End::Last, true),
            Operator::Delete => self.shift(criteria, true, End::First, false),
            Operator::Remove => {
                let before = self.places.len();
                self.places.retain(|place| !criteria.admit(place.suite, self.release));
                self.places.len() < before
            }
        }
    }

    /// Sorts what is listed by strength, the strongest first; equals keep their order.
    pub(super) fn sort_by_strength(&mut self) {
        let release = self.release;
        self.places
            .sort_by_key(|place| place.listed.then(|| Reverse(place.suite.strength_bits(release))));
    }

    /// What is listed, in order.
    pub(super) fn into_list(self) -> Vec<&'static Suite> {
        self.places.into_iter().filter(|place| place.listed).map(|place| place.suite).collect()
    }

    fn first(&mut self, criteria: &Criteria) {
        self.shift(criteria, true, End::First, true);
    }

    /// Moves the suites that a rule speaks of, of the listed or of the others, to an end of the
    /// order; among themselves they keep theirs.
    fn shift(&mut self, criteria: &Criteria, from: bool, to: End, listed: bool) -> bool {
        let Self { places, moved, release } = self;
        let mut spoken_of = false;
        moved.clear();
        places.retain(|place| {
            let admitted = criteria.admit(place.suite, *release);
            spoken_of |= admitted;
            let moves = admitted && place.listed == from;
            if moves {
                moved.push(Place { listed, ..*place });
            }
            !moves
        });
        match to {
            End::Last => places.append(moved),
            End::First => {
                moved.append(places);
                std::mem::swap(places, moved);
            }
        }
        spoken_of
    }
}

#[derive(Clone, Copy)]
enum End {
    First,
    Last,
}
