//! Listening sockets.
//!
//! Does: bind the addresses of services, and keep the sockets that a server has already. Does not:
//! accept, or close a socket that is in use. Fails: [`BindError`] for the first address that cannot
//! be had; then every socket is as it was.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::TcpListener;
use tracing::warn;

use crate::config::Service;
use crate::error::BindError;

/// Connections that the host keeps ready between two accepts.
pub(crate) const BACKLOG: i32 = 1024;

/// A socket that listens.
#[derive(Clone, Debug)]
pub(crate) struct Bound {
    /// The address that the service named; its port may be 0.
    pub(crate) asked: SocketAddr,
    /// The address that the host gave.
    pub(crate) local: SocketAddr,
    pub(crate) socket: Arc<TcpListener>,
}

/// A socket for one address of one service.
#[derive(Debug)]
pub(crate) struct Planned {
    /// Which of the services.
    pub(crate) service: usize,
    pub(crate) bound: Bound,
    /// Which of the sockets that there were before; `None` for a new one.
    pub(crate) kept: Option<usize>,
    /// No service names its address any more, but one names the wildcard that it belongs to.
    pub(crate) covered: bool,
}

/// Gives every address of `services` its socket, in their order: one of `ours` where there is one,
/// whichever service it had, or else a new one. Of a service's port 0, the one it got before.
///
/// Behind these come those of `ours` whose address is a wildcard's now: the host gives them the
/// connections to it as long as they are open, and to close them would lose who connects just then.
/// What else there is of `ours` is to be closed.
pub(crate) fn plan(
    services: &[Service],
    ours: &[(&str, &Bound)],
) -> Result<Vec<Planned>, BindError> {
    let kept = keep(services, ours);
    let leaving: Vec<_> = (0..ours.len())
        .filter(|index| !kept.contains(&Some(*index)))
        .map(|index| ours[index].1)
        .collect();
    let mut planned: Vec<Planned> = Vec::with_capacity(kept.len());
    for ((service, address), kept) in wanted(services).zip(kept) {
        let bound = match kept {
            Some(index) => Bound { asked: address, ..ours[index].1.clone() },
            None => match bind(address, &planned, &leaving) {
                Ok(bound) => bound,
                Err(error)
                    if is_spare(address, &services[service].listen) && lacks_ipv6(&error) =>
                {
                    warn!(service = services[service].name, %address, "this host has no IPv6");
                    continue;
                }
                Err(source) => {
                    let service = services[service].name.clone();
                    return Err(BindError { service, address, source });
                }
            },
        };
        planned.push(Planned { service, bound, kept, covered: false });
    }
    for (index, (_, bound)) in ours.iter().enumerate() {
        let wildcard = planned.iter().find(|planned| covers(&planned.bound, bound.local));
        if let Some(&Planned { service, .. }) = wildcard
            && !planned.iter().any(|planned| planned.kept == Some(index))
        {
            let bound = Bound::clone(bound);
            planned.push(Planned { service, bound, kept: Some(index), covered: true });
        }
    }
    Ok(planned)
}

/// Every address with the number of its service.
fn wanted(services: &[Service]) -> impl Iterator<Item = (usize, SocketAddr)> {
    let numbered = services.iter().enumerate();
    numbered.flat_map(|(index, service)| service.listen.iter().map(move |&at| (index, at)))
}

/// For every wanted address the socket that it keeps. Ports that are named choose first.
fn keep(services: &[Service], ours: &[(&str, &Bound)]) -> Vec<Option<usize>> {
    let mut kept = vec![None; wanted(services).count()];
    for any_port in [false, true] {
        for (place, (service, address)) in wanted(services).enumerate() {
            if (address.port() == 0) != any_port {
                continue;
            }
            let fits = |&(name, bound): &(&str, &Bound)| {
                let named = bound.local == address || bound.asked == address;
                named && (!any_port || name == services[service].name)
            };
            let free = |index: &usize| fits(&ours[*index]) && !kept.contains(&Some(*index));
            kept[place] = (0..ours.len()).find(free);
        }
    }
    kept
}

fn bind(address: SocketAddr, planned: &[Planned], leaving: &[&Bound]) -> io::Result<Bound> {
    // Not left to the host: two that may stand beside a leaving one would get the address twice.
    if planned.iter().any(|other| other.bound.local == address) {
        return Err(io::ErrorKind::AddrInUse.into());
    }
    let socket = match listen(address, false) {
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
            listen_beside(address, leaving).unwrap_or(Err(error))
        }
        other => other,
    }?;
    Ok(Bound { asked: address, local: socket.local_addr()?, socket: Arc::new(socket) })
}

fn listen(address: SocketAddr, beside: bool) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_nonblocking(true)?;
    socket.set_reuse_address(true)?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    if beside {
        port::share(&socket, true)?;
    }
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    if beside {
        port::share(&socket, false)?;
    }
    TcpListener::from_std(socket.into())
}

/// Listens although sockets that are to be closed stand in the way: a wildcard address where one of
/// its addresses is wanted, or the reverse. `None` if none of them does.
///
/// On Linux a specific address and its wildcard may listen on one port if both sockets, of one
/// user, say `SO_REUSEPORT` at the moment when the second one is bound. They say it for that moment
/// alone: for good, a second server could be started on the port by mistake. A kernel that wants
/// more than that leaves the address in use, and everything as it was. On the BSDs `SO_REUSEADDR`
/// is enough, and this is not reached.
fn listen_beside(address: SocketAddr, leaving: &[&Bound]) -> Option<io::Result<TcpListener>> {
    let in_the_way: Vec<_> =
        leaving.iter().filter(|bound| overlap(bound.local, address)).copied().collect();
    if in_the_way.is_empty() {
        return None;
    }
    let share = |yes| in_the_way.iter().try_for_each(|bound| port::share(&bound.socket, yes));
    let socket = share(true).and_then(|()| listen(address, true));
    // Whatever came of it, the port is exclusive again.
    Some(share(false).and(socket))
}

/// Whether `wildcard` is that of a specific address.
fn covers(wildcard: &Bound, address: SocketAddr) -> bool {
    wildcard.local.ip().is_unspecified() && overlap(wildcard.local, address)
}

/// Whether one of them is the other's wildcard.
fn overlap(one: SocketAddr, other: SocketAddr) -> bool {
    one.port() == other.port()
        && one.is_ipv4() == other.is_ipv4()
        && one.ip().is_unspecified() != other.ip().is_unspecified()
}

#[cfg(any(target_os = "linux", target_os = "android"))]
mod port {
    use std::io;
    use std::os::fd::AsFd;

    use socket2::SockRef;

    pub(super) fn share(socket: &impl AsFd, yes: bool) -> io::Result<()> {
        SockRef::from(socket).set_reuse_port(yes)
    }
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
mod port {
    use std::io;

    pub(super) fn share<S>(_: &S, _: bool) -> io::Result<()> {
        Ok(())
    }
}

/// Whether an address is `[::]` beside a `0.0.0.0` with its port.
fn is_spare(address: SocketAddr, all: &[SocketAddr]) -> bool {
    address.ip() == Ipv6Addr::UNSPECIFIED
        && all.contains(&SocketAddr::from((Ipv4Addr::UNSPECIFIED, address.port())))
}

fn lacks_ipv6(error: &io::Error) -> bool {
    // EAFNOSUPPORT has no `ErrorKind`; 97 is its number on Linux, the others say it by kind.
    error.raw_os_error() == Some(97)
        || matches!(error.kind(), io::ErrorKind::AddrNotAvailable | io::ErrorKind::Unsupported)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A second server that is started by mistake is to find the port in use, however it asks.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    #[tokio::test]
    async fn a_port_is_shared_for_a_moment_alone() {
        let is_shared =
            |bound: &Bound| socket2::SockRef::from(&*bound.socket).reuse_port().unwrap();
        let in_use =
            |bound: io::Result<Bound>| bound.unwrap_err().kind() == io::ErrorKind::AddrInUse;
        let one = bind("127.0.0.1:0".parse().unwrap(), &[], &[]).unwrap();
        let all = SocketAddr::from((Ipv4Addr::UNSPECIFIED, one.local.port()));
        assert!(in_use(bind(all, &[], &[])));
        let foreign = std::net::TcpListener::bind(("127.0.0.2", all.port())).unwrap();
        assert!(in_use(bind(all, &[], &[&one])));
        assert!(!is_shared(&one));
        drop(foreign);
        let all = bind(all, &[], &[&one]).unwrap();
        assert!(!is_shared(&one) && !is_shared(&all));
    }

    #[test]
    fn a_wildcard_is_of_its_port_and_its_kind_of_address() {
        for (one, other, expected) in [
            ("0.0.0.0:25", "192.0.2.1:25", true),
            ("[::]:25", "[2001:db8::1]:25", true),
            ("0.0.0.0:25", "192.0.2.1:26", false),
            ("0.0.0.0:25", "[2001:db8::1]:25", false),
            ("[::]:25", "192.0.2.1:25", false),
            ("[::]:25", "0.0.0.0:25", false),
            ("0.0.0.0:25", "0.0.0.0:25", false),
            ("192.0.2.1:25", "192.0.2.2:25", false),
        ] {
            let (one, other): (SocketAddr, SocketAddr) =
                (one.parse().unwrap(), other.parse().unwrap());
            assert_eq!(overlap(one, other), expected, "{one} {other}");
            assert_eq!(overlap(other, one), expected, "{other} {one}");
        }
    }
}
