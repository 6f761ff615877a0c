//! A new set of services in the place of the old one, while it serves: which sockets stay, who is
//! served by what, and what happens if an address cannot be had.

use std::io::ErrorKind;
use std::net::{SocketAddr, TcpListener};

use smtp_server::{ApplyError, BindError, Server, Service};

use super::ends::Nobody;
use super::live::{any_port, is_closed, is_of, live, named, served, service, until, wildcard};

/// The same port of another address. As long as one of them listens, the host gives the other to
/// nobody who wants any port.
fn beside(address: SocketAddr) -> SocketAddr {
    ([127, 0, 0, 2], address.port()).into()
}

fn not_bound(error: ApplyError) -> BindError {
    match error {
        ApplyError::Bind(error) => error,
        ApplyError::Stopped => panic!("it has stopped"),
    }
}

#[test]
fn a_listener_that_stays_serves_new_connections_in_the_new_way() {
    let live = live(&["smtp"]);
    let at = live.at[0];
    let mut old = served(at, "smtp", 0);
    let applied = live.apply(1, &[("smtp", at)]);
    assert_eq!(applied.listening, named(&[("smtp", at)]));
    assert_eq!((applied.opened, applied.closed), (Vec::new(), Vec::new()));
    let mut new = served(at, "smtp", 1);
    live.apply(2, &[("smtp", at)]);
    is_of(&mut old, "smtp", 0);
    is_of(&mut new, "smtp", 1);
    served(at, "smtp", 2);
}

#[test]
fn listeners_are_opened_and_closed_and_open_sessions_go_on() {
    let live = live(&["smtp", "smtp2"]);
    let [smtp, smtp2] = live.at[..] else { panic!() };
    let mut old = served(smtp2, "smtp2", 0);
    old.ask("MAIL FROM:<s@a.example>", "250");
    old.ask("RCPT TO:<r@b.example>", "250");
    old.ask("DATA", "354");
    // The service of `smtp2` moves to another port, and a third service comes.
    let applied = live.apply(1, &[("smtp3", any_port()), ("smtp", smtp), ("smtp2", any_port())]);
    let [(_, smtp3), (_, other), (_, moved)] = applied.listening[..] else { panic!() };
    assert_eq!(applied.listening, named(&[("smtp3", smtp3), ("smtp", smtp), ("smtp2", smtp2)]));
    assert_eq!((other, moved), (smtp, smtp2), "port 0 is the port that it was before");
    assert_eq!((applied.opened, applied.closed), (named(&[("smtp3", smtp3)]), Vec::new()));

    let applied = live.apply(2, &[("smtp", smtp), ("smtp2", smtp3)]);
    assert_eq!(applied.listening, named(&[("smtp", smtp), ("smtp2", smtp3)]));
    assert_eq!((applied.opened, applied.closed), (Vec::new(), named(&[("smtp2", smtp2)])));
    assert!(is_closed(smtp2));
    served(smtp, "smtp", 2);
    served(smtp3, "smtp2", 2);
    old.line("text").ask(".", "250");
    is_of(&mut old, "smtp2", 0);

    let _holds_the_port = TcpListener::bind(beside(smtp)).unwrap();
    let applied = live.apply(3, &[]);
    assert_eq!(applied.closed, named(&[("smtp", smtp), ("smtp2", smtp3)]));
    assert!(is_closed(smtp) && is_closed(smtp3));
    is_of(&mut old, "smtp2", 0);
    live.apply(4, &[("smtp", smtp)]);
    served(smtp, "smtp", 4);
}

#[test]
fn services_may_swap_their_addresses() {
    let live = live(&["smtp", "smtp2"]);
    let [one, two] = live.at[..] else { panic!() };
    let mut old = served(one, "smtp", 0);
    let applied = live.apply(1, &[("smtp", two), ("smtp2", one)]);
    assert_eq!(applied.listening, named(&[("smtp", two), ("smtp2", one)]));
    assert_eq!((applied.opened, applied.closed), (Vec::new(), Vec::new()));
    served(two, "smtp", 1);
    served(one, "smtp2", 1);
    is_of(&mut old, "smtp", 0);
}

#[test]
fn a_wildcard_takes_the_place_of_its_address_and_the_reverse() {
    let live = live(&["smtp"]);
    let one = live.at[0];
    let all = wildcard(one);
    let other = beside(one);
    for number in 0..4 {
        let applied = live.apply(4 * number + 1, &[("smtp", all)]);
        assert_eq!(applied.opened, named(&[("smtp", all)]));
        assert_eq!(applied.closed, named(&[("smtp", one)]));
        served(one, "smtp", 4 * number + 1);
        served(other, "smtp", 4 * number + 1);
        // It stays so, however often it is said.
        let applied = live.apply(4 * number + 2, &[("all", all)]);
        assert_eq!(applied.listening, named(&[("all", all)]));
        assert_eq!((applied.opened, applied.closed), (Vec::new(), Vec::new()));
        served(one, "all", 4 * number + 2);
        served(other, "all", 4 * number + 2);

        let applied = live.apply(4 * number + 3, &[("other", other), ("smtp", one)]);
        assert_eq!(applied.opened, named(&[("other", other), ("smtp", one)]));
        assert_eq!(applied.closed, named(&[("all", all)]));
        served(one, "smtp", 4 * number + 3);
        served(other, "other", 4 * number + 3);
        assert!(is_closed(([127, 0, 0, 3], one.port()).into()));
        let applied = live.apply(4 * number + 4, &[("smtp", one)]);
        assert_eq!(applied.closed, named(&[("other", other)]));
        assert!(is_closed(other));
    }
    // Nobody else may have the port, then or later.
    let _inside = live.runtime.enter();
    let mut second = Server::new(Nobody);
    for address in [one, all] {
        let error = second.bind(service("second", 0, &[address])).unwrap_err();
        assert_eq!(error.source.kind(), ErrorKind::AddrInUse);
    }
    drop(_inside);
    live.apply(20, &[("smtp", all)]);
    live.apply(21, &[]);
    assert!(is_closed(one), "the address went with its wildcard");
}

#[test]
fn an_address_that_cannot_be_had_changes_nothing() {
    let live = live(&["smtp", "smtp2"]);
    let [smtp, smtp2] = live.at[..] else { panic!() };
    let taken = TcpListener::bind(any_port()).unwrap();
    let busy = taken.local_addr().unwrap();
    let _holds_the_port = TcpListener::bind(beside(busy)).unwrap();
    let free = beside(smtp2);
    let mut old = served(smtp2, "smtp2", 0);
    // Each would close, open, swap and share sockets, if it came so far.
    let sets: [&[(&str, _)]; 4] = [
        &[("smtp", busy)],
        &[("smtp", free), ("smtp2", wildcard(busy))],
        &[("smtp", smtp2), ("smtp2", smtp), ("smtp3", free), ("smtp4", busy)],
        &[("smtp", wildcard(smtp)), ("smtp2", wildcard(smtp2)), ("smtp4", busy)],
    ];
    for (number, set) in sets.into_iter().enumerate() {
        let services = set.iter().map(|&(name, address)| service(name, 9, &[address])).collect();
        let error = live.try_apply(9, services).unwrap_err();
        let &(name, address) = set.last().unwrap();
        assert!(error.to_string().contains(&address.to_string()), "{error}");
        let error = not_bound(error);
        assert_eq!((error.service.as_str(), error.address), (name, address), "{number}");
        assert_eq!(error.source.kind(), ErrorKind::AddrInUse);
        served(smtp, "smtp", 0);
        served(smtp2, "smtp2", 0);
        assert!(is_closed(free) && is_closed(beside(smtp)));
    }
    // Nor can an address be had that the host has not.
    let foreign = "192.0.2.1:2525".parse().unwrap();
    let error = not_bound(live.try_apply(9, vec![service("smtp", 9, &[foreign])]).unwrap_err());
    assert_eq!(error.address, foreign);
    is_of(&mut old, "smtp2", 0);
    drop(taken);
    let applied = live.apply(1, &[("smtp", smtp), ("smtp2", busy)]);
    assert_eq!(applied.closed, named(&[("smtp2", smtp2)]));
    served(smtp, "smtp", 1);
    served(busy, "smtp2", 1);
}

#[test]
fn an_address_has_one_service() {
    let live = live(&["smtp"]);
    let one = live.at[0];
    live.apply(1, &[("smtp", wildcard(one))]);
    // Of a socket that stays, a new one, and a new one beside a wildcard that leaves.
    let holds_the_port = TcpListener::bind(any_port()).unwrap();
    let free = beside(holds_the_port.local_addr().unwrap());
    let other = beside(one);
    for address in [wildcard(one), free, other] {
        let twice = vec![service("smtp", 2, &[address]), service("smtp2", 2, &[address])];
        let error = not_bound(live.try_apply(2, twice).unwrap_err());
        assert_eq!((error.service.as_str(), error.address), ("smtp2", address));
        assert_eq!(error.source.kind(), ErrorKind::AddrInUse);
        served(one, "smtp", 1);
        served(other, "smtp", 1);
    }
}

#[test]
fn a_lower_cap_counts_who_is_there() {
    let live = live(&["smtp"]);
    let at = live.at[0];
    let capped = |number, name: &str, cap| -> Vec<Service> {
        vec![service(name, number, &[at]).with_concurrency(cap)]
    };
    let full = |number| {
        let mut excess = super::live::connect(at);
        excess.expect_reply("421 4.3.2");
        excess.expect_end();
        number
    };
    let mut open: Vec<_> = (0..3).map(|_| served(at, "smtp", 0)).collect();
    live.try_apply(1, capped(1, "smtp", 2)).unwrap();
    full(1);
    // Also over a time in which there is no such service.
    live.try_apply(2, capped(2, "other", 1)).unwrap();
    let one = served(at, "other", 2);
    full(2);
    live.try_apply(3, capped(3, "smtp", 3)).unwrap();
    full(3);
    live.try_apply(4, capped(4, "smtp", 4)).unwrap();
    open.push(served(at, "smtp", 4));
    full(4);
    for peer in &mut open[..3] {
        is_of(peer, "smtp", 0);
    }
    live.try_apply(5, capped(5, "smtp", 1)).unwrap();
    for mut peer in open.drain(1..) {
        peer.ask("QUIT", "221");
        peer.expect_end();
        full(5);
    }
    drop((open, one));
    until("the place is free", || {
        super::live::connect(at).read_line().is_some_and(|line| line.starts_with(b"220 smtp.g5"))
    });
}
