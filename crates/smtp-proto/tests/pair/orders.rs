//! Whoever acts when, and however much is read or sent at once: the story is the same.

use proptest::prelude::*;
use smtp_proto::client::Outcome;

use crate::script::{Answer, Mail, Script, any_script, chosen};
use crate::world::{Story, Turn, World};

/// What happens next, and how much of it.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Choice {
    ServerActs,
    ClientActs(usize),
    ServerReads(usize),
    ClientReads(usize),
}

pub(crate) fn choices() -> impl Strategy<Value = Vec<Choice>> {
    let much = || prop_oneof![Just(1_usize), 1_usize..40, Just(100_000)];
    let choice = prop_oneof![
        Just(Choice::ServerActs),
        much().prop_map(Choice::ClientActs),
        much().prop_map(Choice::ServerReads),
        much().prop_map(Choice::ClientReads),
    ];
    proptest::collection::vec(choice, 1..200)
}

/// Carries out one choice; says whether it did anything.
pub(crate) fn act(world: &mut World<'_>, choice: Choice) -> bool {
    match choice {
        Choice::ServerActs => world.step_server(),
        Choice::ClientActs(piece) => world.step_client(piece),
        Choice::ServerReads(most) => world.read_server(most),
        Choice::ClientReads(most) => world.read_client(most),
    }
}

/// Runs to the end by the choices, over and over; the connection ends only as the sides end it.
pub(crate) fn run(script: &Script, choices: &[Choice]) -> Vec<Story> {
    let mut world = World::new(script);
    let mut idle = 0;
    for &choice in choices.iter().cycle() {
        if world.is_over() {
            break;
        }
        if act(&mut world, choice) || world.handshake() {
            idle = 0;
            continue;
        }
        idle += 1;
        if idle <= choices.len() {
            continue;
        }
        // None of the choices does anything: what they lack is done for them.
        idle = 0;
        let most = usize::MAX;
        let moved = world.step_server()
            || world.step_client(most)
            || world.read_server(most)
            || world.read_client(most);
        if moved {
            continue;
        }
        match (world.server_turn, world.client_turn) {
            (Turn::Reads, Turn::Closed) => world.end_server(),
            (Turn::Closed, Turn::Reads) => world.end_client(),
            turns => panic!("both sides wait, and nothing is on its way: {turns:?}"),
        }
    }
    assert_eq!(world.begun(), script.mails.len(), "every transaction is begun");
    world.stories
}

/// What the script alone says must come of a message.
fn assert_as_written(script: &Script, mail: &Mail, story: &Story) {
    let goes = mail.mail == Answer::Yes && mail.recipients.contains(&Answer::Yes);
    assert_eq!(story.body.is_some(), !story.taken_for.is_empty(), "{mail:?} {story:?}");
    if !goes {
        assert!(story.body.is_none(), "{mail:?} {story:?}");
    }
    let mut accepted = 0;
    assert_eq!(story.under_tls, script.starttls, "{mail:?} {story:?}");
    for (number, (answer, outcome)) in mail.recipients.iter().zip(&story.outcomes).enumerate() {
        let nth = accepted;
        accepted += usize::from(*answer == Answer::Yes);
        let decides = match (mail.mail, answer, mail.data) {
            (Answer::Yes, Answer::Yes, Answer::Yes) => mail.commit(script.lmtp, nth),
            (Answer::Yes, Answer::Yes, data) => data,
            (Answer::Yes, recipient, _) => *recipient,
            (mail, ..) => mail,
        };
        let fits = match decides {
            Answer::Yes => matches!(outcome, Outcome::Delivered { .. }),
            Answer::No => matches!(outcome, Outcome::Rejected(_)),
            Answer::Later => {
                matches!(outcome, Outcome::Deferred { may_have_been_accepted: false, .. })
            }
        };
        assert!(fits, "recipient {number} of {mail:?}: {outcome:?}");
        assert_eq!(story.taken_for.contains(&number), decides == Answer::Yes);
    }
}

/// Each side acts and reads as soon as it can.
pub(crate) const EAGER: [Choice; 4] = [
    Choice::ServerActs,
    Choice::ClientActs(usize::MAX),
    Choice::ServerReads(usize::MAX),
    Choice::ClientReads(usize::MAX),
];

#[test]
fn what_the_script_says_comes_of_every_message() {
    for script in chosen() {
        let stories = run(&script, &EAGER);
        for (mail, story) in script.mails.iter().zip(&stories) {
            assert_as_written(&script, mail, story);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_story_is_the_same_in_every_order(
        script in any_script(),
        first in choices(),
        second in choices(),
    ) {
        let stories = run(&script, &EAGER);
        for (mail, story) in script.mails.iter().zip(&stories) {
            assert_as_written(&script, mail, story);
        }
        prop_assert_eq!(&run(&script, &first), &stories);
        prop_assert_eq!(&run(&script, &second), &stories);
    }
}
