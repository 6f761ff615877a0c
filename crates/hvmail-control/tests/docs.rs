//! The table of settings: each setting of the vendor's page has a row, and each test in a row is there.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::Path;

use smtp_testkit::document::has_test;

/// The settings of GreenArrow's page "TLS Encryption for SMTP", as it names them.
const PAGE: [&str; 24] = [
    "SMTPS=1",
    "export SMTPS",
    "PORT=465",
    "smtp.starttls",
    "GREENARROW_STARTTLS",
    "tls_certificate_files",
    "tls_certificate_auto_generate",
    "tls.servercert.pem",
    "tls.dh2048.pem",
    "tls.dh1024.pem",
    "tls.dh512.pem",
    "tls.rsa1024.pem",
    "tls.rsa512.pem",
    "update_tmprsadh",
    "tls.tlsserverciphers",
    "TLSCIPHERS",
    "tls.clientca.pem",
    "tls.clientcrl.pem",
    "tls.tlsclients",
    "starttls_use",
    "starttls_require",
    "port 465",
    "svc -tu",
    "hvmail_init restart",
];

/// The cells of each row of the table, without its head.
fn rows() -> Vec<Vec<String>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/settings.md");
    let text = fs::read_to_string(path).unwrap();
    let rows = text.lines().filter_map(|line| line.strip_prefix("| ")?.strip_suffix(" |"));
    let cells = rows.map(|row| row.split(" | ").map(str::to_owned).collect());
    cells.skip(1).collect()
}

fn in_backquotes(cell: &str) -> impl Iterator<Item = &str> {
    cell.split('`').skip(1).step_by(2)
}

#[test]
fn every_setting_of_the_page_has_a_row() {
    let rows = rows();
    for setting in PAGE {
        let named = |row: &&Vec<String>| {
            row[0].contains(&format!("`{setting}`")) || row[0].starts_with(setting)
        };
        assert!(rows.iter().any(|row| named(&row)), "{setting} has no row");
    }
}

#[test]
fn every_row_is_whole_and_its_tests_are_there() {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut tests = 0;
    for row in rows() {
        assert_eq!(row.len(), 6, "{row:?}");
        assert!(row.iter().all(|cell| !cell.trim().is_empty()), "{row:?}");
        let before = tests;
        for span in in_backquotes(&row[5]) {
            let (file, name) = span.split_once("::").unwrap_or_else(|| panic!("{span}: no test"));
            let places = [package.join(file), package.join("../..").join(file)];
            let place = places.iter().find(|place| place.is_file());
            let place = place.unwrap_or_else(|| panic!("{span}: no file {file}"));
            assert!(has_test(&fs::read_to_string(place).unwrap(), name), "no test {span}");
            tests += 1;
        }
        assert!(tests > before, "{} has no test", row[0]);
    }
    assert!(tests > 40, "{tests} tests are named");
}
