//! A TLS library alone, driven by hand over a transport in memory.
//!
//! Does: carry the octets of the script: what any program that uses the library cannot do without.
//! Does not: parse, check or keep what it carries. Fails: by panicking.

pub(super) mod alone;
#[cfg(feature = "openssl")]
pub(super) mod openssl;
pub(super) mod rustls;

use std::io::{Read, Write};

use super::case::Path;
use super::clock::{Clock, Phase};
use super::memory::End;
use super::script::{BYE, EHLO, GREETING, OFFER, OFFER_INSIDE, QUIT, READY, ROOM, STARTTLS};

/// What a session of a library can do once its handshake is done.
pub(super) trait Session {
    /// Reads some octets; none once the other side has said close_notify.
    async fn hear(&mut self, into: &mut [u8]) -> usize;
    /// Writes all of these in one record.
    fn say(&mut self, octets: &[u8]);
    /// Says close_notify.
    fn close(&mut self);
}

/// A server's words before the handshake.
pub(super) async fn offer(end: &mut End, path: Path) {
    if path == Path::StartTls {
        clear_say(end, GREETING);
        clear_hear(end).await;
        clear_say(end, OFFER);
        clear_hear(end).await;
        clear_say(end, READY);
    }
}

/// A server's words behind it.
pub(super) async fn serve(session: &mut impl Session, path: Path, clock: &Clock) {
    let mut room = [0; ROOM];
    if path == Path::Smtps {
        session.say(GREETING);
    }
    line(session, &mut room).await;
    session.say(OFFER_INSIDE);
    line(session, &mut room).await;
    session.say(BYE);
    clock.enter(Phase::Close);
    session.close();
    while session.hear(&mut room).await > 0 {}
}

/// A client's words before the handshake.
pub(super) async fn ask(end: &mut End, path: Path) {
    if path == Path::StartTls {
        clear_hear(end).await;
        clear_say(end, EHLO);
        clear_hear(end).await;
        clear_say(end, STARTTLS);
        clear_hear(end).await;
    }
}

/// A client's words behind it.
pub(super) async fn send(session: &mut impl Session, path: Path, clock: &Clock) {
    let mut room = [0; ROOM];
    if path == Path::Smtps {
        line(session, &mut room).await;
    }
    session.say(EHLO);
    line(session, &mut room).await;
    session.say(QUIT);
    line(session, &mut room).await;
    clock.enter(Phase::Close);
    session.close();
}

async fn line(session: &mut impl Session, room: &mut [u8]) {
    let octets = session.hear(room).await;
    assert!(room[..octets].ends_with(b"\r\n"), "not a whole line");
}

fn clear_say(end: &mut End, octets: &[u8]) {
    end.write_all(octets).expect("written");
}

async fn clear_hear(end: &mut End) {
    let mut room = [0; ROOM];
    end.readable().await;
    let octets = end.read(&mut room).expect("read");
    assert!(room[..octets].ends_with(b"\r\n"), "not a whole line");
}
