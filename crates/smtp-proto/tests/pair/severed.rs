//! The connection ends anywhere, for both sides or for one: every recipient has one outcome, and
//! none is a lie.

use proptest::prelude::*;
use smtp_proto::client::Outcome;

use crate::orders::{Choice, EAGER, act, choices};
use crate::script::{Answer, Script, any_script, chosen};
use crate::world::{Turn, World};

/// Whose octets are counted up to the cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Counted {
    Up,
    Down,
}

/// What the cut does, and who hears of it how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cut {
    /// Nothing passes any more, either way; both hear the end.
    Both,
    /// Nothing reaches the server any more; what it says still reaches the client.
    ToServer,
    /// Nothing reaches the client any more; what it says still reaches the server.
    ToClient,
    /// Nothing passes, and nobody hears of it: their time runs out.
    Silence,
    /// Nothing passes; the server hears the end, the client's time runs out.
    SilentToClient,
    /// The other way round.
    SilentToServer,
}

const CUTS: [Cut; 6] = [
    Cut::Both,
    Cut::ToServer,
    Cut::ToClient,
    Cut::Silence,
    Cut::SilentToClient,
    Cut::SilentToServer,
];

/// Runs until both sides have closed, with the cut before octet `at` of the counted direction, and
/// checks what must hold; `false` where the conversation was over before.
fn sever(script: &Script, order: &[Choice], counted: Counted, cut: Cut, at: usize) -> bool {
    let mut world = World::new(script);
    let mut severed = false;
    let mut idle = 0;
    for &choice in order.iter().cycle() {
        if world.is_over() {
            break;
        }
        let passed = match counted {
            Counted::Up => world.up.passed,
            Counted::Down => world.down.passed,
        };
        if !severed && passed == at {
            severed = true;
            if cut != Cut::ToClient {
                world.up.cut();
            }
            if cut != Cut::ToServer {
                world.down.cut();
            }
        }
        // No read goes past the cut.
        let left = if severed { usize::MAX } else { at - passed };
        let choice = match (choice, counted) {
            (Choice::ServerReads(most), Counted::Up) => Choice::ServerReads(most.min(left)),
            (Choice::ClientReads(most), Counted::Down) => Choice::ClientReads(most.min(left)),
            (choice, _) => choice,
        };
        if act(&mut world, choice) || world.handshake() {
            idle = 0;
            continue;
        }
        idle += 1;
        if idle <= order.len() {
            continue;
        }
        idle = 0;
        let (mut up, mut down) = (usize::MAX, usize::MAX);
        match counted {
            Counted::Up => up = left,
            Counted::Down => down = left,
        }
        let moved = world.step_server()
            || world.step_client(usize::MAX)
            || world.read_server(up)
            || world.read_client(down);
        if !moved {
            hear_of_it(&mut world, cut);
        }
    }
    check(script, &world, (counted, cut, at));
    severed
}

/// Nothing can happen any more but that a side hears the end, or its time runs out.
fn hear_of_it(world: &mut World<'_>, cut: Cut) {
    let (server, client) = (world.server_turn, world.client_turn);
    let silent_to_server = matches!(cut, Cut::Silence | Cut::SilentToServer);
    let silent_to_client = matches!(cut, Cut::Silence | Cut::SilentToClient);
    if server != Turn::Closed && (world.up.dead || client == Turn::Closed) {
        if silent_to_server { world.time_out_server() } else { world.end_server() }
    } else if client != Turn::Closed && (world.down.dead || server == Turn::Closed) {
        if silent_to_client { world.time_out_client() } else { world.end_client() }
    } else {
        panic!("both sides wait, and nothing is on its way: {server:?} {client:?}");
    }
}

fn check(script: &Script, world: &World<'_>, context: (Counted, Cut, usize)) {
    for (number, (mail, story)) in script.mails.iter().zip(&world.stories).enumerate() {
        if number >= world.begun() {
            assert!(story.outcomes.is_empty() && story.body.is_none(), "{context:?} {story:?}");
            continue;
        }
        // The world checks that outcomes come once, and one for each.
        assert_eq!(story.outcomes.len(), mail.recipients.len(), "{context:?} {story:?}");
        for (recipient, outcome) in story.outcomes.iter().enumerate() {
            let taken = story.taken_for.contains(&recipient);
            let honest = match outcome {
                Outcome::Delivered { .. } => taken,
                Outcome::Deferred { may_have_been_accepted: true, .. } => world.end_said[number],
                Outcome::Deferred { may_have_been_accepted: false, .. } => !taken,
                Outcome::Rejected(_) => !taken,
            };
            assert!(honest, "{context:?}: recipient {recipient} of {mail:?}: {story:?}");
            let refused = mail.mail == Answer::No
                || mail.recipients[recipient] == Answer::No
                || mail.data == Answer::No
                || mail.commit.contains(&Answer::No);
            let rejected = matches!(outcome, Outcome::Rejected(_));
            assert!(refused || !rejected, "{context:?}: nobody refused: {mail:?} {story:?}");
            if story.body.is_some() {
                let mut whole = mail.body.clone();
                if !whole.is_empty() && !whole.ends_with(b"\r\n") {
                    whole.extend(b"\r\n");
                }
                assert_eq!(story.body.as_ref(), Some(&whole), "{context:?}: half a message");
            }
        }
    }
}

/// Octets to the server one at a time, the rest at once.
const SLOWLY_UP: [Choice; 4] = [
    Choice::ClientActs(3),
    Choice::ServerReads(1),
    Choice::ServerActs,
    Choice::ClientReads(usize::MAX),
];

/// The other way round.
const SLOWLY_DOWN: [Choice; 4] = [
    Choice::ServerActs,
    Choice::ClientReads(1),
    Choice::ClientActs(usize::MAX),
    Choice::ServerReads(usize::MAX),
];

#[test]
fn cut_at_every_octet_nobody_lies_about_a_recipient() {
    for script in chosen() {
        for cut in CUTS {
            for counted in [Counted::Up, Counted::Down] {
                let mut at = 0;
                while sever(&script, &EAGER, counted, cut, at) {
                    at += 1;
                }
                assert!(at > 100, "the conversation is {at} octets long");
            }
        }
    }
}

#[test]
fn cut_while_one_side_is_slow_nobody_lies_about_a_recipient() {
    for script in chosen() {
        for (order, counted) in [(SLOWLY_UP, Counted::Up), (SLOWLY_DOWN, Counted::Down)] {
            for (first, cut) in CUTS.into_iter().enumerate() {
                // Some octets for each cut.
                let mut at = first;
                while sever(&script, &order, counted, cut, at) {
                    at += 5 * CUTS.len() + 1;
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn cut_anywhere_in_any_order_nobody_lies_about_a_recipient(
        script in any_script(),
        order in choices(),
        cut in proptest::sample::select(CUTS.to_vec()),
        down in any::<bool>(),
        at in 0_usize..1200,
    ) {
        let counted = if down { Counted::Down } else { Counted::Up };
        sever(&script, &order, counted, cut, at);
    }
}
