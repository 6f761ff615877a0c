//! Bad input at every door of the programs: each is named, with its place, and ends with the code
//! that the contract gives it; what is not broken runs.

mod send;
mod smtpd;

use smtp_testkit::process::Finished;

/// Checks how a program ended: its code, and its last word on stderr, which says what was wrong.
fn assert_ends(finished: &Finished, code: i32, says: &[&str]) {
    assert_eq!(finished.code, Some(code), "{says:?}: {finished:?}");
    assert_says(finished, says);
}

/// Checks that stderr has one line with all of these, and that no thread panicked.
fn assert_says(finished: &Finished, parts: &[&str]) {
    let has_all = |line: &String| parts.iter().all(|part| line.contains(part));
    assert!(finished.stderr.iter().any(has_all), "no line with {parts:?}: {finished:?}");
    assert!(!finished.stderr.iter().any(|line| line.contains("panicked")), "{finished:?}");
    assert!(!finished.stderr.iter().any(|line| line.contains('\0')), "{finished:?}");
}
