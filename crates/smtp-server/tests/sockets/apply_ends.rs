//! What a change of services leaves behind, and what it does about a server that stops.

use std::net::SocketAddr;
use std::sync::{Arc, Weak};
use std::time::Duration;

use smtp_proto::server::Config;
use smtp_server::{ApplyError, Drained, Server, Service};
use tokio::runtime::{Builder, Runtime};

use super::live::{
    Live, Numbered, any_port, connect, dialogue, greeted, is_closed, is_of, live, live_on, named,
    served, service, until,
};

/// A server whose one thread moves only while a test waits for the server: who connects in between
/// is connected to the host alone.
fn by_hand() -> Live {
    live_on(Builder::new_current_thread().enable_all().build().unwrap(), &["smtp", "smtp2"])
}

const WAITING: usize = 40;

#[test]
fn who_waits_at_a_closed_listener_is_served_or_told() {
    let live = by_hand();
    let [one, two] = live.at[..] else { panic!() };
    let capped = |number, listen: &[_]| service("smtp", number, listen).with_concurrency(WAITING);
    live.try_apply(1, vec![capped(1, &[one]), service("smtp2", 1, &[two])]).unwrap();
    let mut waiting: Vec<_> = (0..WAITING + 5).map(|_| connect(one)).collect();
    let mut stays = connect(two);
    let applied = live.try_apply(2, vec![capped(2, &[]), service("smtp2", 2, &[two])]).unwrap();
    assert_eq!(applied.closed, named(&[("smtp", one)]));
    assert!(is_closed(one));
    let Live { runtime, stop, serving, .. } = live;
    let thread = std::thread::spawn(move || runtime.block_on(serving.unwrap()));
    for mut excess in waiting.split_off(WAITING) {
        excess.expect_reply("421 4.3.2");
        excess.expect_end();
    }
    for mut peer in waiting {
        assert_eq!(greeted(&mut peer), "smtp.g1.example");
        is_of(&mut peer, "smtp", 1);
    }
    // Its listener stays: it may have been accepted before the change or behind it.
    let word = greeted(&mut stays);
    stays.ask("VRFY you", &format!("250 2.0.0 {word}"));
    drop((stays, stop));
    thread.join().unwrap().unwrap();
}

#[test]
fn who_waits_when_it_stops_is_told() {
    let mut live = by_hand();
    let [one, two] = live.at[..] else { panic!() };
    live.apply(1, &[("smtp", one), ("smtp2", two)]);
    let waiting: Vec<_> = (0..WAITING).map(|_| connect(one)).collect();
    live.tell_to_stop();
    let Live { runtime, serving, .. } = live;
    let thread = std::thread::spawn(move || runtime.block_on(serving.unwrap()));
    for mut peer in waiting {
        peer.expect_reply("220 smtp.g1");
        peer.expect_reply("421 4.3.2");
        peer.expect_end();
    }
    assert_eq!(thread.join().unwrap().unwrap(), Drained { finished: WAITING, cut: 0 });
    assert!(is_closed(one) && is_closed(two));
}

#[test]
fn a_drain_is_of_all_generations_and_nothing_is_changed_in_it() {
    let mut live = live(&["smtp", "smtp2"]);
    let [smtp, smtp2] = live.at[..] else { panic!() };
    let kept = served(smtp, "smtp", 0);
    let mut closed = served(smtp2, "smtp2", 0);
    let mut gone = served(smtp2, "smtp2", 0);
    live.apply(1, &[("smtp", smtp)]);
    let tasks = || live.runtime.metrics().num_alive_tasks();
    let before = tasks();
    gone.ask("QUIT", "221");
    drop(gone);
    until("it has ended", || tasks() < before);
    let new = served(smtp, "smtp", 1);
    closed.ask("MAIL FROM:<s@a.example>", "250");
    closed.ask("RCPT TO:<r@b.example>", "250");
    closed.ask("DATA", "354");
    live.tell_to_stop();
    for mut peer in [kept, new] {
        peer.expect_reply("421 4.3.2");
        peer.expect_end();
    }
    // A message is under way, on a listener that is long closed: it is waited for.
    let error = live.try_apply(2, vec![service("smtp", 2, &[smtp])]).unwrap_err();
    assert!(matches!(error, ApplyError::Stopped), "{error}");
    assert!(is_closed(smtp));
    closed.line("text").ask(".", "250");
    closed.expect_reply("421 4.3.2");
    closed.expect_end();
    drop(closed);
    assert_eq!(live.drained(), Drained { finished: 3, cut: 0 });
    let error = live.try_apply(3, Vec::new()).unwrap_err();
    assert!(matches!(error, ApplyError::Stopped), "{error}");
}

#[test]
fn what_is_open_at_the_deadline_is_cut_in_all_generations() {
    let runtime = Runtime::new().unwrap();
    let mut server = Server::new(Numbered(0)).with_drain_timeout(Duration::from_millis(200));
    let at = {
        let _inside = runtime.enter();
        server.bind(service("smtp", 0, &[any_port()])).unwrap()[0]
    };
    let handle = server.handle();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let serving = runtime.spawn(server.serve(async {
        let _ = stopped.await;
    }));
    let in_data = |number| {
        let mut peer = served(at, "smtp", number);
        peer.ask("MAIL FROM:<s@a.example>", "250");
        peer.ask("RCPT TO:<r@b.example>", "250");
        peer.ask("DATA", "354");
        peer
    };
    let mut peers = vec![in_data(0)];
    runtime.block_on(handle.apply(Numbered(1), vec![service("smtp", 1, &[at])])).unwrap();
    peers.push(in_data(1));
    runtime.block_on(handle.apply(Numbered(2), Vec::new())).unwrap();
    drop(stop);
    assert_eq!(runtime.block_on(serving).unwrap(), Drained { finished: 0, cut: 2 });
    for mut peer in peers {
        peer.expect_end();
    }
}

#[test]
fn a_server_that_is_dropped_is_stopped_and_one_that_is_to_begin_is_waited_for() {
    let runtime = Runtime::new().unwrap();
    let server = Server::new(Numbered(0));
    let handle = server.handle();
    let waiting = runtime.spawn(async move { handle.apply(Numbered(1), Vec::new()).await });
    drop(server);
    let error = runtime.block_on(waiting).unwrap().unwrap_err();
    assert!(matches!(error, ApplyError::Stopped), "{error}");

    let server = Server::new(Numbered(0));
    let handle = server.handle();
    let early = runtime.spawn(async move {
        handle.apply(Numbered(1), vec![service("smtp", 1, &[any_port()])]).await
    });
    let _serving = runtime.spawn(server.serve(std::future::pending()));
    let applied = runtime.block_on(early).unwrap().unwrap();
    served(applied.listening[0].1, "smtp", 1);
}

#[test]
fn changes_that_are_asked_for_together_come_one_after_the_other() {
    let live = live(&["smtp"]);
    let at = live.at[0];
    let changes = (1..=64).map(|number| {
        let handle = live.handle.clone();
        let services = vec![
            service("smtp", number, &[at]),
            service(&format!("extra{number}"), number, &[any_port()]),
        ];
        live.runtime.spawn(async move { handle.apply(Numbered(number), services).await.unwrap() })
    });
    let changes: Vec<_> = changes.collect();
    let (mut opened, mut closed) = (Vec::new(), Vec::new());
    for change in changes {
        let applied = live.block_on(change).unwrap();
        assert_eq!(applied.listening[0], ("smtp".to_owned(), at));
        opened.extend(applied.opened);
        closed.extend(applied.closed);
    }
    // Everything that one of them opened was closed by the next, except for the last.
    opened.retain(|one| !closed.contains(one));
    let [(name, address)] = &opened[..] else { panic!("{opened:?}") };
    let number = name["extra".len()..].parse().unwrap();
    served(*address, name, number);
    served(at, "smtp", number);
}

#[test]
fn a_thousand_changes_leave_nothing_behind() {
    let live = live(&["smtp"]);
    let at = live.at[0];
    let mut old = served(at, "smtp", 0);
    let tasks = || live.runtime.metrics().num_alive_tasks();
    let before = tasks();
    let mut handlers: Vec<Weak<Numbered>> = Vec::new();
    let mut policies: Vec<Weak<Config>> = Vec::new();
    let mut long = None;
    for number in 1..=1000 {
        let handler = Arc::new(Numbered(number));
        let mut config = super::common::config();
        config.greeting = format!("g{number}");
        let config = Arc::new(config);
        handlers.push(Arc::downgrade(&handler));
        policies.push(Arc::downgrade(&config));
        let policy = smtp_server::ConnectionPolicy::new(config);
        let other = Service::new(format!("other{number}"), vec![any_port()], policy.clone());
        let services = vec![Service::new("smtp", vec![at], policy), other];
        let applied = live.block_on(live.handle.apply(handler, services)).unwrap();
        assert_eq!(applied.opened.len(), 1);
        if number == 500 {
            let mut peer = connect(at);
            peer.expect_reply("220 g500");
            long = Some(peer);
        }
        if number % 50 == 7 {
            // A session that outlives the listener it came from by one generation.
            let mut peer = connect(applied.opened[0].1);
            peer.expect_reply("220");
            live.apply(0, &[("smtp", at)]);
            peer.ask("QUIT", "221");
            peer.expect_end();
        }
    }
    assert_eq!(greeting(at), "g1000");
    live.apply(0, &[("smtp", at)]);
    until("all other tasks have ended", || tasks() <= before + 1);
    // The one session that is left of them has its policy, and no more.
    let policies = |left| {
        let alive = policies.iter().map(|policy| policy.strong_count() > 0);
        alive.eq((1..=1000).map(|number| left && number == 500))
    };
    until("no handler is left", || handlers.iter().all(|it| it.strong_count() == 0));
    until("one policy is left", || policies(true));
    let mut long = long.unwrap();
    long.ask("NOOP", "250");
    long.ask("QUIT", "221");
    drop(long);
    until("nothing is left", || policies(false) && tasks() <= before);
    is_of(&mut old, "smtp", 0);
}

fn greeting(address: SocketAddr) -> String {
    let mut peer = connect(address);
    let word = greeted(&mut peer);
    peer.ask("QUIT", "221");
    peer.expect_end();
    word
}

#[test]
fn a_change_that_nobody_waits_for_is_not_made_by_halves() {
    let live = live(&["smtp"]);
    let at = live.at[0];
    for number in 1..=50 {
        let handle = live.handle.clone();
        let services = vec![service("smtp", number, &[at])];
        let change =
            live.runtime.spawn(async move { handle.apply(Numbered(number), services).await });
        if number % 2 == 0 {
            std::thread::yield_now();
        }
        change.abort();
        // Whichever generation it is, it is whole.
        dialogue(at);
    }
    live.apply(51, &[("smtp", at)]);
    served(at, "smtp", 51);
}
