//! Changes under load: nobody is refused, reset or forgotten where a listener stays, and nobody
//! sees the half of a generation.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use super::live::{any_port, dialogue, live, until, wildcard};

const CHANGES: usize = 300;
const CLIENTS: usize = 4;

/// Connects to these again and again while `change` is called with 1, 2 and so on, each time behind
/// some dialogues more. Every dialogue checks itself. Gives the generations that were seen.
fn under_load(addresses: &[SocketAddr], mut change: impl FnMut(usize)) -> HashSet<String> {
    let (over, done) = (AtomicBool::new(false), AtomicUsize::new(0));
    /// Lets the clients end if a change panics.
    struct Over<'a>(&'a AtomicBool);
    impl Drop for Over<'_> {
        fn drop(&mut self) {
            self.0.store(true, Ordering::SeqCst);
        }
    }
    thread::scope(|scope| {
        let client = |first: usize| {
            let (over, done) = (&over, &done);
            move || {
                let mut seen = HashSet::new();
                let mut next = addresses.iter().cycle().skip(first);
                while !over.load(Ordering::SeqCst) {
                    seen.insert(dialogue(*next.next().unwrap()));
                    done.fetch_add(1, Ordering::SeqCst);
                }
                seen
            }
        };
        let clients: Vec<_> = (0..CLIENTS).map(|first| scope.spawn(client(first))).collect();
        let ending = Over(&over);
        for number in 1..=CHANGES {
            let before = done.load(Ordering::SeqCst);
            change(number);
            until("a client comes through", || {
                clients.iter().any(|client| client.is_finished())
                    || done.load(Ordering::SeqCst) > before + number % 3
            });
        }
        drop(ending);
        clients.into_iter().flat_map(|client| client.join().unwrap()).collect()
    })
}

/// Two services swap their listeners, and a third comes and goes.
#[test]
fn nobody_is_lost_while_services_swap_and_listeners_come_and_go() {
    let live = live(&["smtp", "smtp2"]);
    let [one, two] = live.at[..] else { panic!() };
    let seen = under_load(&[one, two], |number| {
        let [smtp, smtp2] = if number % 2 == 0 { [one, two] } else { [two, one] };
        let mut services = vec![("smtp", smtp), ("smtp2", smtp2)];
        if number % 3 == 0 {
            services.insert(0, ("smtp3", any_port()));
        }
        let applied = live.apply(number, &services);
        assert_eq!(applied.listening.len(), services.len());
    });
    assert!(seen.len() > CHANGES / 2, "{} generations were seen", seen.len());
}

/// An address, and the wildcard on its port, in turn.
#[test]
fn nobody_is_lost_while_a_wildcard_and_its_address_take_turns() {
    let live = live(&["smtp"]);
    let one = live.at[0];
    let seen = under_load(&[one], |number| {
        let address = if number % 2 == 0 { one } else { wildcard(one) };
        let applied = live.apply(number, &[("smtp", address)]);
        assert_eq!((applied.opened.len(), applied.closed.len()), (1, 1));
    });
    assert!(seen.len() > CHANGES / 2, "{} generations were seen", seen.len());
}
