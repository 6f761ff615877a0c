//! Tickets by keys that several hosts share.
//!
//! ```text
//!  ticket = name of the key (16) | seed (32) | AES-256-GCM { time (8) | session } | tag (16)
//! ```
//!
//! Each ticket has a key and a nonce of its own, derived (HKDF, RFC 5869) from the shared key and a random
//! seed of 256 bits: no two tickets are made with the same ones, on however many hosts. What the shared key is
//! derived with beside holds apart what must not meet: an acceptor that asks clients for certificates
//! takes no ticket of one that does not, or that shows them other authorities.
//!
//! What cannot be read (a foreign key's, one that is too old, garbage) is no ticket, and the handshake is a
//! whole one; nothing here fails for a client.

use std::fmt;

use aws_lc_rs::{
    aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey},
    digest, hkdf,
    rand::{SecureRandom, SystemRandom},
};
use rustls::server::ProducesTickets;
use rustls_pki_types::UnixTime;
use zeroize::Zeroizing;

use crate::{ClientTrust, TicketKeys};

/// How long a ticket is taken, in seconds. The shared keys should not live much longer themselves: each one read
/// opens every TLS 1.2 session of its time.
const LIFETIME: u64 = 6 * 60 * 60;

/// How far ahead another host's clock may be, in seconds.
const AHEAD: u64 = 5 * 60;

/// The longest session that a ticket is made of, in octets: a client sends all of it again. One with the
/// chain of a client's certificates may be longer; it gets none.
const SESSION: usize = 16 * 1024;

const NAME: usize = 16;
const SEED: usize = 32;
const KEY: usize = 32;
const TIME: usize = 8;
const TAG: usize = 16;

pub(super) struct SharedTickets {
    current: SharedKey,
    previous: Option<SharedKey>,
}

struct SharedKey {
    name: [u8; NAME],
    tickets: hkdf::Prk,
}

/// As many octets as are wanted.
struct Length(usize);

impl hkdf::KeyType for Length {
    fn len(&self) -> usize {
        self.0
    }
}

impl SharedTickets {
    pub(super) fn new(keys: &TicketKeys, clients: Option<&ClientTrust>) -> Self {
        let boundary = boundary(clients);
        Self {
            current: SharedKey::new(keys.current(), &boundary),
            previous: keys.previous().map(|key| SharedKey::new(key, &boundary)),
        }
    }

    fn seal(&self, session: &[u8], now: u64) -> Option<Vec<u8>> {
        if session.len() > SESSION {
            return None;
        }
        let mut ticket = Vec::with_capacity(NAME + SEED + TIME + session.len() + TAG);
        ticket.extend_from_slice(&self.current.name);
        ticket.resize(NAME + SEED, 0);
        SystemRandom::new().fill(&mut ticket[NAME..]).ok()?;
        let (key, nonce) = self.current.ticket_key(&ticket[NAME..])?;
        ticket.extend_from_slice(&now.to_be_bytes());
        ticket.extend_from_slice(session);
        let (head, sealed) = ticket.split_at_mut(NAME + SEED);
        let tag = key.seal_in_place_separate_tag(nonce, Aad::from(&*head), sealed).ok()?;
        ticket.extend_from_slice(tag.as_ref());
        Some(ticket)
    }

    fn open(&self, ticket: &[u8], now: u64) -> Option<Vec<u8>> {
        let (head, sealed) = ticket.split_at_checked(NAME + SEED)?;
        if sealed.len() > TIME + SESSION + TAG {
            return None;
        }
        let (name, seed) = head.split_at(NAME);
        let key = [Some(&self.current), self.previous.as_ref()]
            .into_iter()
            .flatten()
            .find(|key| key.name == name)?;
        let (key, nonce) = key.ticket_key(seed)?;
        let mut opened = sealed.to_vec();
        let plain = key.open_in_place(nonce, Aad::from(head), &mut opened).ok()?;
        let (time, session) = plain.split_first_chunk::<TIME>()?;
        let made = u64::from_be_bytes(*time);
        let taken = made <= now.saturating_add(AHEAD) && now < made.saturating_add(LIFETIME);
        taken.then(|| session.to_vec())
    }
}

impl SharedKey {
    fn new(secret: &[u8; TicketKeys::LENGTH], boundary: &[u8]) -> Self {
        let shared = hkdf::Salt::new(hkdf::HKDF_SHA256, b"hvmail session ticket").extract(secret);
        let derive = |what: &[u8], out: &mut [u8]| {
            shared
                .expand(&[what, boundary], Length(out.len()))
                .and_then(|derived| derived.fill(out))
                .expect("HKDF yields these few octets");
        };
        let mut name = [0; NAME];
        derive(b"name", &mut name);
        let mut tickets = Zeroizing::new([0; KEY]);
        derive(b"tickets", &mut *tickets);
        Self { name, tickets: hkdf::Prk::new_less_safe(hkdf::HKDF_SHA256, &*tickets) }
    }

    fn ticket_key(&self, seed: &[u8]) -> Option<(LessSafeKey, Nonce)> {
        let mut derived = Zeroizing::new([0; KEY + NONCE_LEN]);
        self.tickets.expand(&[seed], Length(derived.len())).ok()?.fill(&mut *derived).ok()?;
        let (key, nonce) = derived.split_at(KEY);
        let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key).ok()?);
        Some((key, Nonce::try_assume_unique_for_key(nonce).ok()?))
    }
}

/// What a session must not be carried across: whether clients are asked for certificates, and of which
/// authorities, in whatever order they are listed.
fn boundary(clients: Option<&ClientTrust>) -> Vec<u8> {
    let Some(trust) = clients else { return b"no clients are asked".to_vec() };
    let hash = |authority: &crate::Certificate| {
        digest::digest(&digest::SHA256, authority.der()).as_ref().to_vec()
    };
    let mut authorities: Vec<_> = trust.authorities.iter().map(hash).collect();
    authorities.sort();
    authorities.dedup();
    [b"clients are asked for".to_vec(), authorities.concat()].concat()
}

impl ProducesTickets for SharedTickets {
    fn enabled(&self) -> bool {
        true
    }

    fn lifetime(&self) -> u32 {
        u32::try_from(LIFETIME).unwrap_or(u32::MAX)
    }

    fn encrypt(&self, plain: &[u8]) -> Option<Vec<u8>> {
        self.seal(plain, UnixTime::now().as_secs())
    }

    fn decrypt(&self, cipher: &[u8]) -> Option<Vec<u8>> {
        self.open(cipher, UnixTime::now().as_secs())
    }
}

impl fmt::Debug for SharedTickets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SharedTickets(redacted)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Certificate;

    const NOW: u64 = 1_800_000_000;

    fn keys(octets: &[u8]) -> TicketKeys {
        let octets: Vec<_> = octets.iter().flat_map(|n| (*n..).take(TicketKeys::LENGTH)).collect();
        TicketKeys::from_octets(&octets).unwrap()
    }

    fn trust(authorities: &[u8]) -> ClientTrust {
        let authorities = authorities.iter().map(|n| Certificate::from_der(vec![*n; 99])).collect();
        ClientTrust::new(authorities, ["a@example"])
    }

    #[test]
    fn hosts_with_a_key_in_common_read_each_others_tickets() {
        let tickets = |octets| SharedTickets::new(&keys(octets), None);
        let session = b"a session".to_vec();
        let ticket = tickets(&[1]).seal(&session, NOW).unwrap();
        for reader in [&[1][..], &[1, 2], &[2, 1]] {
            assert_eq!(tickets(reader).open(&ticket, NOW), Some(session.clone()), "{reader:?}");
        }
        for reader in [&[2][..], &[2, 3], &[3, 2]] {
            assert_eq!(tickets(reader).open(&ticket, NOW), None, "{reader:?}");
        }
        // Made with the current one.
        let ticket = tickets(&[2, 1]).seal(&session, NOW).unwrap();
        assert!(tickets(&[2]).open(&ticket, NOW).is_some());
        assert!(tickets(&[1]).open(&ticket, NOW).is_none());
    }

    #[test]
    fn what_clients_are_asked_for_is_a_boundary() {
        let policies = [None, Some(trust(&[1])), Some(trust(&[2])), Some(trust(&[1, 2]))];
        let tickets =
            |clients: &Option<ClientTrust>| SharedTickets::new(&keys(&[1]), clients.as_ref());
        for (a, giver) in policies.iter().enumerate() {
            let ticket = tickets(giver).seal(b"s", NOW).unwrap();
            for (b, taker) in policies.iter().enumerate() {
                assert_eq!(tickets(taker).open(&ticket, NOW).is_some(), a == b, "{a} {b}");
            }
        }
        // The order does not matter, nor who may relay: that is judged each time.
        let mut other = trust(&[2, 1, 1]);
        other.addresses.clear();
        let ticket = tickets(&policies[3]).seal(b"s", NOW).unwrap();
        assert!(tickets(&Some(other)).open(&ticket, NOW).is_some());
    }

    #[test]
    fn a_ticket_lives_as_long_as_it_says() {
        let tickets = SharedTickets::new(&keys(&[1]), None);
        let ticket = tickets.seal(b"s", NOW).unwrap();
        for (now, taken) in [
            (NOW, true),
            (NOW + LIFETIME - 1, true),
            (NOW + LIFETIME, false),
            (NOW - AHEAD, true),
            (NOW - AHEAD - 1, false),
            (0, false),
            (u64::MAX, false),
        ] {
            assert_eq!(tickets.open(&ticket, now).is_some(), taken, "{now}");
        }
        assert_eq!(u64::from(tickets.lifetime()), LIFETIME);
    }

    #[test]
    fn garbage_is_no_ticket() {
        let tickets = SharedTickets::new(&keys(&[1, 2]), None);
        let ticket = tickets.seal(b"a session", NOW).unwrap();
        assert_eq!(ticket.len(), NAME + SEED + TIME + 9 + TAG);
        for length in 0..ticket.len() {
            assert_eq!(tickets.open(&ticket[..length], NOW), None, "{length}");
        }
        for position in 0..ticket.len() {
            let mut changed = ticket.clone();
            changed[position] ^= 1;
            assert_eq!(tickets.open(&changed, NOW), None, "{position}");
        }
        assert_eq!(tickets.open(&[ticket, vec![0]].concat(), NOW), None);
        assert_eq!(tickets.open(&vec![0; 1 << 20], NOW), None);
        let named = [&tickets.current.name[..], &vec![0; 1 << 20]].concat();
        assert_eq!(tickets.open(&named, NOW), None);
    }

    #[test]
    fn a_session_has_its_bounds_and_no_two_tickets_are_alike() {
        let tickets = SharedTickets::new(&keys(&[1]), None);
        let longest = vec![7; SESSION];
        let ticket = tickets.seal(&longest, NOW).unwrap();
        assert_eq!(tickets.open(&ticket, NOW), Some(longest.clone()));
        assert_eq!(tickets.seal(&[longest, vec![7]].concat(), NOW), None);
        let empty = tickets.seal(&[], NOW).unwrap();
        assert_eq!(tickets.open(&empty, NOW), Some(Vec::new()));
        let (one, two) = (tickets.seal(b"s", NOW).unwrap(), tickets.seal(b"s", NOW).unwrap());
        assert_eq!(one[..NAME], two[..NAME]);
        assert_ne!(one[NAME..NAME + SEED], two[NAME..NAME + SEED]);
        assert_ne!(one[NAME + SEED..], two[NAME + SEED..]);
        assert_eq!(format!("{tickets:?}"), "SharedTickets(redacted)");
    }
}
