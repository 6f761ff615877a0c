//! The vectors themselves are tested: a plain server, or a plain client, passes every one, and each
//! is failed by one that makes a mistake on purpose.
#![allow(clippy::unwrap_used)]

mod client;
mod server;

use std::collections::BTreeMap;
use std::fmt::Debug;

use smtp_testkit::transcript::Schedule;
use smtp_testkit::vector::{FOREIGN, Miss, Subject, Vector, Why, once};

/// What misses: as one segment, and octet by octet where it is short.
fn misses<S: Subject>(vector: &Vector, make: impl Fn() -> S) -> impl Iterator<Item = Miss> {
    let bytes = (vector.sent().len() < 500).then_some(Schedule::Bytes);
    [Schedule::Whole]
        .into_iter()
        .chain(bytes)
        .filter_map(move |schedule| once(vector, FOREIGN, schedule, make()).err().map(|miss| *miss))
}

/// Holds every vector of the folders to a side without a fault, and to one with each fault.
fn each_is_passed_and_failed<F: Copy + Debug, S: Subject>(
    folders: &[&str],
    faults: &[F],
    make: fn(&Vector, Option<F>) -> S,
) {
    let mut failing = vec![false; faults.len()];
    let mut failed: BTreeMap<String, bool> = BTreeMap::new();
    let vectors = folders.iter().flat_map(|name| Vector::load_folder(&Vector::folder().join(name)));
    for vector in vectors {
        if let Some(miss) = misses(&vector, || make(&vector, None)).next() {
            panic!("without a fault: {miss}");
        }
        // The sizes of one file are tested together.
        let file = vector.name.split('@').next().unwrap().to_owned();
        let fails = failed.entry(file).or_default();
        if vector.sent().len() > 3_000 {
            continue;
        }
        for (at, fault) in faults.iter().enumerate() {
            let missed = misses(&vector, || make(&vector, Some(*fault)))
                .any(|miss| miss.why == Why::Violated);
            failing[at] |= missed;
            *fails |= missed;
        }
    }
    let unfailed: Vec<&String> =
        failed.iter().filter(|(_, fails)| !**fails).map(|(file, _)| file).collect();
    assert!(unfailed.is_empty(), "no fault fails {unfailed:#?}");
    let idle: Vec<&F> =
        faults.iter().zip(failing).filter(|(_, fails)| !fails).map(|(fault, _)| fault).collect();
    assert!(idle.is_empty(), "faults that fail no vector: {idle:?}");
}

#[test]
fn every_vector_for_a_server_can_be_passed_and_can_be_failed() {
    let folders = ["smuggling", "starttls-server"];
    each_is_passed_and_failed(&folders, &server::faults(), server::Plain::new);
}

#[test]
fn every_vector_for_a_client_can_be_passed_and_can_be_failed() {
    let folders = ["smuggling-outbound", "starttls-client"];
    each_is_passed_and_failed(&folders, &client::FAULTS, client::Plain::new);
}
