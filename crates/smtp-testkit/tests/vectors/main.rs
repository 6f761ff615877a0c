//! The vectors themselves are tested: a plain server passes every one, and each is failed by one that
//! makes a mistake on purpose.
#![allow(clippy::unwrap_used)]

mod server;

use std::collections::BTreeMap;

use smtp_testkit::transcript::Schedule;
use smtp_testkit::vector::{FOREIGN, Miss, Vector, Why, once};

use server::{Fault, Plain};

/// What misses: as one segment, and octet by octet where it is short.
fn misses(vector: &Vector, fault: Option<Fault>) -> impl Iterator<Item = Miss> {
    let bytes = (vector.sent().len() < 500).then_some(Schedule::Bytes);
    [Schedule::Whole].into_iter().chain(bytes).filter_map(move |schedule| {
        once(vector, FOREIGN, schedule, Plain::new(vector, fault)).err().map(|miss| *miss)
    })
}

#[test]
fn every_vector_for_a_server_can_be_passed_and_can_be_failed() {
    let faults = server::faults();
    let mut failing = vec![false; faults.len()];
    let mut failed: BTreeMap<String, bool> = BTreeMap::new();
    for folder in ["smuggling", "starttls-server"] {
        for vector in Vector::load_folder(&Vector::folder().join(folder)) {
            if let Some(miss) = misses(&vector, None).next() {
                panic!("without a fault: {miss}");
            }
            // The sizes of one file are tested together.
            let file = vector.name.split('@').next().unwrap().to_owned();
            let fails = failed.entry(file).or_default();
            for (at, fault) in faults.iter().enumerate() {
                if vector.sent().len() > 3_000 {
                    break;
                }
                let missed = misses(&vector, Some(*fault)).any(|miss| miss.why == Why::Violated);
                failing[at] |= missed;
                *fails |= missed;
            }
        }
    }
    let unfailed: Vec<&String> =
        failed.iter().filter(|(_, fails)| !**fails).map(|(file, _)| file).collect();
    assert!(unfailed.is_empty(), "no fault fails {unfailed:#?}");
    let idle: Vec<&Fault> =
        faults.iter().zip(failing).filter(|(_, fails)| !fails).map(|(fault, _)| fault).collect();
    assert!(idle.is_empty(), "faults that fail no vector: {idle:?}");
}
