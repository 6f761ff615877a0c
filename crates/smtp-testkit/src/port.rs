//! Ports of the loopback for tests that run at once.
//!
//! Does: give each process ports of its own for as long as it lives, so that a server may be ended and
//! started again on its port. Does not: keep programs that know nothing of this from a port. Fails: by
//! panicking when there is none left.

use std::net::TcpListener;
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Mutex, PoisonError};

/// Below the range that systems take outgoing ports from, so no connection sits on one by chance.
const FIRST: u16 = 10_000;
const COUNT: u16 = 22_000;

/// A port on 127.0.0.1 that nobody listens on, and that no other call is given, in this process or in
/// another one beside it (the latter on Linux alone).
///
/// # Panics
/// When no port is free.
pub fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    static CLAIMS: Mutex<Vec<Claim>> = Mutex::new(Vec::new());
    let begin = u16::try_from(std::process::id() * 61 % u32::from(COUNT)).unwrap_or(0);
    for _ in 0..COUNT {
        let offset = begin.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed)) % COUNT;
        let port = FIRST + offset;
        // Claimed first: to try a port that another test was given could take it from its server.
        let Some(claim) = Claim::of(port) else { continue };
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            CLAIMS.lock().unwrap_or_else(PoisonError::into_inner).push(claim);
            return port;
        }
    }
    panic!("no free port on 127.0.0.1");
}

/// A word between test processes that a port is taken; the system takes it back when the process ends.
#[derive(Debug)]
struct Claim {
    #[cfg(target_os = "linux")]
    _held: std::os::unix::net::UnixListener,
}

impl Claim {
    #[cfg(target_os = "linux")]
    fn of(port: u16) -> Option<Self> {
        use std::os::linux::net::SocketAddrExt;
        use std::os::unix::net::{SocketAddr, UnixListener};

        let name = SocketAddr::from_abstract_name(format!("hvmail-test-port-{port}")).ok()?;
        UnixListener::bind_addr(&name).ok().map(|_held| Self { _held })
    }

    #[cfg(not(target_os = "linux"))]
    fn of(_port: u16) -> Option<Self> {
        Some(Self {})
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_distinct_and_free() {
        let ports: std::collections::HashSet<u16> = (0..20).map(|_| free_port()).collect();
        assert_eq!(ports.len(), 20);
        for port in ports {
            assert!(TcpListener::bind(("127.0.0.1", port)).is_ok(), "{port}");
        }
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_port_is_claimed_while_the_process_lives_and_no_longer() {
        let port = free_port();
        assert!(Claim::of(port).is_none());
        let of_another = Claim::of(FIRST + COUNT).unwrap();
        assert!(Claim::of(FIRST + COUNT).is_none());
        drop(of_another);
        assert!(Claim::of(FIRST + COUNT).is_some());
    }
}
