//! What is taken from a file of assignments is what a shell would make of it.
//!
//! The reader itself runs nothing; here a shell says what is right. The texts hold no expansion, no
//! operator and no slash, and the shell has no PATH, so that nothing but assignments can happen.

#![cfg(unix)]
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::process::{Command, Stdio};

use hvmail_control::read::assignments::{self, Lookup};
use hvmail_control::snapshot::{Loader, Snapshot};
use hvmail_control::source::Memory;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;

const NAMES: [&str; 2] = ["A", "PORT"];

/// The value and whether it is exported, for each name that has a value.
type Variables = BTreeMap<&'static str, (String, bool)>;

fn snapshot(text: &str) -> Snapshot {
    let source = Memory::new().file("smtp2", text);
    let mut loader = Loader::new(&source);
    loader.read("smtp2").unwrap();
    loader.finish()
}

/// What the reader takes; `None` if it has anything to say against the text.
fn read(text: &str) -> Option<Variables> {
    let snapshot = snapshot(text);
    let (file, _, bytes) = snapshot.files().next().unwrap();
    let (assignments, diagnostics) = assignments::parse(bytes, file);
    let variables = NAMES.into_iter().filter_map(|name| match assignments.get(name) {
        Lookup::Set { value, .. } => {
            Some((name, (value.value.clone(), assignments.exported(name).is_some())))
        }
        _ => None,
    });
    diagnostics.is_empty().then(|| variables.collect())
}

/// What a shell makes of the text; `None` if it does not get to its end.
fn shell(directory: &std::path::Path, text: &str) -> Option<Variables> {
    let script = directory.join("smtp2");
    std::fs::write(&script, text).unwrap();
    let show = |name: &str| format!("printf '%s\\0' \"${{{name}-unset}}\"; export -p >{name};");
    let rest: String = NAMES.into_iter().map(show).collect();
    let output = Command::new("/bin/sh")
        .args(["-c", &format!(". ./smtp2; {rest} printf end")])
        .current_dir(directory)
        .env_clear()
        .env("PATH", "/nonexistent")
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8(output.stdout).ok()?;
    let values: Vec<_> = said.strip_suffix("end")?.split('\0').collect();
    let exported = std::fs::read_to_string(directory.join("A")).unwrap();
    let variables = NAMES.into_iter().zip(values).filter(|(_, value)| *value != "unset");
    Some(
        variables
            .map(|(name, value)| {
                let is_exported = exported.lines().any(|line| {
                    let line = line.trim_start_matches("declare -x ").trim_start_matches("export ");
                    line.starts_with(&format!("{name}="))
                });
                (name, (value.to_owned(), is_exported))
            })
            .collect(),
    )
}

fn piece() -> impl Strategy<Value = &'static str> {
    proptest::sample::select(
        &[
            "A=",
            "PORT=",
            "A=",
            "PORT=",
            "export A",
            "export PORT=",
            "export ",
            " ",
            " ",
            "\n",
            "\n",
            ";",
            "'",
            "'",
            "\"",
            "\"",
            "\\",
            "#",
            "x",
            "5",
            "a b",
            "\\\n",
            "=",
            "\t",
        ][..],
    )
}

#[test]
fn a_shell_agrees() {
    let config =
        ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() };
    let compared = std::cell::Cell::new(0_u32);
    let texts = proptest::collection::vec(piece(), 1..14);
    let outcome = TestRunner::new(config).run(&texts, |pieces| {
        let text = pieces.concat() + "\n";
        if let Some(taken) = read(&text) {
            let directory = tempfile::tempdir().unwrap();
            prop_assert_eq!(Some(taken), shell(directory.path(), &text), "{:?}", text);
            compared.set(compared.get() + 1);
        }
        Ok(())
    });
    outcome.unwrap_or_else(|error| panic!("{error}"));
    println!("{} of 400 texts were taken and compared", compared.get());
    assert!(compared.get() >= 20, "only {} texts were compared", compared.get());
}

#[test]
fn a_shell_agrees_on_the_forms_that_are_documented() {
    let directory = tempfile::tempdir().unwrap();
    for text in [
        "PORT=465\nexport PORT\n",
        "PORT=465; export PORT\n",
        "PORT=465 export PORT\n",
        "export PORT=465\n",
        "export PORT\nPORT=465\n",
        "PORT='4'\"6\"\\5 A=1 # two\n",
        "PORT=1\nPORT=2\n",
    ] {
        let taken = read(text);
        assert!(taken.as_ref().is_some_and(|taken| taken.contains_key("PORT")), "{text:?}");
        assert_eq!(taken, shell(directory.path(), text), "{text:?}");
    }
}
