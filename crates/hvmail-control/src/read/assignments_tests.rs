//! Tests of what is taken from a file of assignments.

use super::*;
use crate::diagnostic::Severity;
use proptest::prelude::*;

const FILE: FileId = FileId(1);

fn value<'a>(assignments: &'a Assignments, name: &str) -> Option<&'a str> {
    match assignments.get(name) {
        Lookup::Set { value, .. } => Some(&value.value),
        _ => None,
    }
}

fn codes(diagnostics: &[Diagnostic]) -> Vec<&'static str> {
    diagnostics.iter().map(|diagnostic| diagnostic.code).collect()
}

#[test]
fn every_way_to_export() {
    for text in [
        "SMTPS=1\nexport SMTPS\n",
        "SMTPS=1; export SMTPS",
        "SMTPS=1 export SMTPS",
        "export SMTPS=1",
        "export SMTPS\nSMTPS=1",
        "export A SMTPS=1 B # c",
        "  export\tSMTPS='1'",
        "export SMTPS=0; SMTPS=1",
    ] {
        let (assignments, diagnostics) = parse(text.as_bytes(), FILE);
        assert_eq!(value(&assignments, "SMTPS"), Some("1"), "{text:?}");
        assert!(assignments.exported("SMTPS").is_some(), "{text:?}");
        assert_eq!(codes(&diagnostics), [""; 0], "{text:?}");
    }
    let (assignments, _) = parse(b"SMTPS=1\n#export SMTPS\n", FILE);
    assert_eq!(assignments.exported("SMTPS"), None);
}

#[test]
fn the_last_assignment_wins_and_the_ones_before_are_remembered() {
    let (assignments, diagnostics) = parse(b"PORT=1\nPORT=2; PORT=\"3\"\n", FILE);
    let Lookup::Set { value, replaced } = assignments.get("PORT") else { panic!() };
    assert_eq!(value.value, "3");
    assert_eq!((value.span.start, value.span.end), (20, 23));
    assert_eq!(replaced.iter().map(|s| s.start).collect::<Vec<_>>(), [5, 12]);
    assert!(diagnostics.is_empty());
}

#[test]
fn what_would_have_to_run_is_told_and_the_variable_is_unusable() {
    for (text, unusable) in [
        ("PORT=$(cat x)", Some("PORT")),
        ("PORT=`cat x`", Some("PORT")),
        ("PORT=$OTHER", Some("PORT")),
        ("PORT=25 26", Some("PORT")),
        ("PORT=25 | cat", Some("PORT")),
        ("PORT=25 && export PORT", Some("PORT")),
        ("PORT=25 &", Some("PORT")),
        ("PORT=25 >x", Some("PORT")),
        ("PORT+=5", Some("PORT")),
        ("unset PORT", Some("PORT")),
        ("readonly PORT=25", Some("PORT")),
        ("export -n PORT", Some("PORT")),
        ("PORT=25 export OTHER", Some("PORT")),
        ("export PORT=$X", Some("PORT")),
        ("if true; then PORT=25; fi", Some("PORT")),
        ("if true\nthen\n  PORT=25\nfi\n", Some("PORT")),
        ("case x in\n x) PORT=25 ;;\nesac", Some("PORT")),
        ("for PORT in 1 2; do PORT=3; done", Some("PORT")),
        ("(PORT=25)", Some("PORT")),
        ("f() { PORT=25; }", Some("PORT")),
        ("{ PORT=25; }", Some("PORT")),
        ("true || PORT=25", Some("PORT")),
        (". /etc/default/mail", None),
        ("ulimit -n 100", None),
        ("export", None),
        ("export 1x", None),
        ("$PORT", None),
    ] {
        let text = format!("{text}\nAFTER=1\n");
        let (assignments, diagnostics) = parse(text.as_bytes(), FILE);
        assert_eq!(value(&assignments, "PORT"), None, "{text:?}");
        assert_eq!(
            matches!(assignments.get("PORT"), Lookup::Unusable(_)),
            unusable.is_some(),
            "{text:?}"
        );
        assert_eq!(value(&assignments, "AFTER"), Some("1"), "{text:?}");
        assert!(!diagnostics.is_empty(), "{text:?}");
        for diagnostic in &diagnostics {
            assert_eq!(diagnostic.code, "more-than-assignment", "{text:?}");
            assert_eq!(diagnostic.severity, Severity::Warning);
            assert!(diagnostic.span().is_some());
        }
    }
}

#[test]
fn a_plain_assignment_behind_an_unusable_one_is_good() {
    let (assignments, diagnostics) = parse(b"PORT=$(x)\nPORT=25\n", FILE);
    assert_eq!(value(&assignments, "PORT"), Some("25"));
    assert_eq!(codes(&diagnostics), ["more-than-assignment"]);
}

#[test]
fn a_text_that_cannot_be_told_apart_is_an_error_at_its_place() {
    for (text, place) in [
        ("A=1\nPORT='25\nB=2\n", 9),
        ("A=1\nPORT=\"25\nB=2\n", 9),
        ("A=1\nPORT=$(cat\nB=2\n", 9),
        ("A=1\nPORT=x`cat\nB=2\n", 10),
        ("A=1\nPORT=\"${x\"\nB=2\n", 10),
        ("A=1\nif true\nPORT=25\n", 4),
        ("A=1\nfi\n", 4),
        ("A=1\ncat <<X\nPORT=25\nX\n", 8),
        ("A=1\n)\n", 4),
        ("A=1;;\n", 4),
    ] {
        let (assignments, diagnostics) = parse(text.as_bytes(), FILE);
        let error = diagnostics.iter().find(|d| d.severity == Severity::Error).unwrap();
        assert_eq!(error.code, "unreadable-assignments");
        assert_eq!(error.span().unwrap().start, place, "{text:?}");
        assert_eq!(value(&assignments, "A"), Some("1"));
        assert_eq!(value(&assignments, "PORT"), None, "{text:?}");
    }
}

#[test]
fn crlf_line_ends_are_lf_with_one_warning() {
    let text = b"# ours\r\nPORT=465 # tls\r\n\r\nSMTPS='1'\r\nexport \\\r\n SMTPS\r\nA=x;\r\nB=1\r";
    let (assignments, diagnostics) = parse(text, FILE);
    for (name, expected) in [("PORT", "465"), ("SMTPS", "1"), ("A", "x"), ("B", "1")] {
        assert_eq!(value(&assignments, name), Some(expected), "{diagnostics:?}");
    }
    assert!(assignments.exported("SMTPS").is_some());
    assert_eq!(codes(&diagnostics), ["crlf-line-ends"]);
    assert_eq!(diagnostics[0].severity, Severity::Warning);
    assert_eq!(diagnostics[0].span().unwrap().start, 24);
    let (inside, diagnostics) = parse(b"A=1\r2\nB='3\r\n4'\n", FILE);
    assert_eq!((value(&inside, "A"), value(&inside, "B")), (Some("1\r2"), Some("3\r\n4")));
    assert_eq!(codes(&diagnostics), [""; 0], "a CR that ends no line is no line end");
}

#[test]
fn what_is_not_used_says_why() {
    for (text, message) in [
        ("export -n PORT", "this is not used because of an option of export"),
        ("export 1x", "this is not used because of \"1x\", which is no name of a variable"),
        ("ulimit -n 100", "this is not used because of a command"),
        ("A=$B", "this is not used because of a variable; A cannot be known from it"),
    ] {
        let (_, diagnostics) = parse(format!("{text}\n").as_bytes(), FILE);
        assert_eq!(diagnostics[0].message, message, "{text}");
    }
}

#[test]
fn a_last_line_that_is_nothing_whole_was_cut_short() {
    for (last, place) in [
        ("exp", 8),
        ("POR", 8),
        ("POR \t", 8),
        ("B=1; exp", 13),
        ("B=1 exp", 8),
        ("export", 8),
        ("export ", 8),
        ("export TLSCI", 15),
        ("export PORT TLSCI", 20),
        ("export A.B", 15),
        ("exp\r", 8),
    ] {
        let text = format!("PORT=25\n{last}");
        let (assignments, diagnostics) = parse(text.as_bytes(), FILE);
        assert_eq!(value(&assignments, "PORT"), Some("25"), "{text:?}");
        let cut: Vec<_> = diagnostics.iter().filter(|said| said.code == "cut-short").collect();
        let [error] = cut[..] else { panic!("{text:?}: {diagnostics:?}") };
        assert_eq!(error.severity, Severity::Error);
        assert_eq!(error.span().unwrap().start, place, "{text:?}");
        assert!(error.help.is_some());
        assert!(!codes(&diagnostics).contains(&"more-than-assignment"), "{text:?}");
        for end in ["\n", "\r\n", " # all\n", "\nB=1"] {
            let (_, diagnostics) = parse(format!("{text}{end}").as_bytes(), FILE);
            assert!(!codes(&diagnostics).contains(&"cut-short"), "{text:?} {end:?}");
        }
    }
    for whole in
        ["A=1", "A=", "A=1; export A", "export A=1", "A=1\nexport A # B", "A=$(x)", "A=1\n# B"]
    {
        let (_, diagnostics) = parse(whole.as_bytes(), FILE);
        assert!(!codes(&diagnostics).contains(&"cut-short"), "{whole:?}");
    }
}

#[test]
fn a_nul_makes_a_value_unusable() {
    let (assignments, diagnostics) = parse(b"PORT=2\x005\n", FILE);
    assert!(matches!(assignments.get("PORT"), Lookup::Unusable(_)));
    assert_eq!(codes(&diagnostics), ["more-than-assignment"]);
    assert!(diagnostics[0].message.contains("NUL"));
}

proptest! {
    #[test]
    fn no_bytes_panic_and_every_place_is_inside(
        bytes in proptest::collection::vec(
            proptest::sample::select(&b"PA=1'\"\\$`(){}; \n#|&<if fi export "[..]), 0..60)
    ) {
        let (_, diagnostics) = parse(&bytes, FILE);
        for diagnostic in diagnostics {
            let span = diagnostic.span().unwrap();
            prop_assert!(span.start <= span.end && span.end <= bytes.len() + 1);
        }
    }
}
