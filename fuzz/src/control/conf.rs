//! A configuration of up to four files, read, printed, indexed and asked.
//!
//! The files stand in one input, one behind the other, with [`END_OF_FILE`] between them.

use std::ops::Range;

use hvmail_control::Control;
use hvmail_control::conf::lookup::Lookup;
use hvmail_control::conf::tree::{Argument, DEFAULTS, Directive, FILE, Quoting, Tree, Value};
use hvmail_control::diagnostic::{Diagnostic, Severity};
use hvmail_control::limits::{MAX_BLOCK_DEPTH, MAX_DIAGNOSTICS};
use hvmail_control::snapshot::{FileId, Loader, Snapshot};
use hvmail_control::source::Memory;

use super::{check_diagnostics, check_span};
use crate::oracle::conf as oracle;

/// No octet of any text.
pub const END_OF_FILE: u8 = 0xf8;

/// What an input's files are called: an `include` of the last two is followed.
const FILES: [&str; 4] = [FILE, "a", "b", DEFAULTS];

/// The most names, addresses and domains that are looked up, each with each other.
const ASKED: usize = 4;

/// Checks everything that holds for any files.
pub fn check(input: &[u8]) {
    let mut source = Memory::new().file("smtp.tcp", ":allow\n");
    for (name, content) in FILES.into_iter().zip(input.split(|octet| *octet == END_OF_FILE)) {
        source = source.file(name, content);
    }
    let mut loader = Loader::new(&source);
    let (tree, diagnostics) = Tree::load(&mut loader);
    let snapshot = loader.finish();
    check_diagnostics(&diagnostics, &snapshot);
    assert!(diagnostics.len() <= 2 * MAX_DIAGNOSTICS + 2, "{} diagnostics", diagnostics.len());
    check_shape(&tree);
    check_places(&tree, &snapshot);
    let good = !has_error(&diagnostics);
    if good {
        nothing_is_left_out(&tree, &snapshot);
        prints_back(&tree);
    }
    let (lookup, said) = Lookup::new(tree);
    check_diagnostics(&said, &snapshot);
    let control = Control::load(&source);
    check_diagnostics(&control.diagnostics, &control.snapshot);
    assert_eq!(control.configuration_is_good(), good && !has_error(&said));
    if control.configuration_is_good() {
        look_up(&lookup, &control);
    }
}

fn has_error(diagnostics: &[Diagnostic]) -> bool {
    diagnostics.iter().any(|diagnostic| diagnostic.severity == Severity::Error)
}

/// Each directive stands once in its parent's block, or in none, and no block is deeper than the limit.
fn check_shape(tree: &Tree) {
    let mut listed: Vec<_> = tree.roots().map(|(id, _)| id).collect();
    for (id, directive) in tree.directives() {
        let children: Vec<_> = tree.children(id).map(|(id, _)| id).collect();
        assert!(
            children.iter().all(|child| tree.get(*child).is_some_and(|c| c.parent == Some(id)))
        );
        assert!(children.windows(2).all(|pair| pair[0] < pair[1]), "in order");
        listed.extend(children);
        let above = std::iter::successors(directive.parent, |parent| tree.get(*parent)?.parent);
        assert!(above.count() <= MAX_BLOCK_DEPTH);
        assert!(!directive.name.value.is_empty());
    }
    listed.sort_unstable();
    assert_eq!(listed, tree.directives().map(|(id, _)| id).collect::<Vec<_>>());
}

/// Each string says what stands at its place, and its directive goes around it.
fn check_places(tree: &Tree, snapshot: &Snapshot) {
    for (_, directive) in tree.directives() {
        check_span(directive.span, snapshot);
        assert_eq!(directive.name.span.start, directive.span.start);
        let mut behind = directive.name.span.end;
        let mut next = |span: hvmail_control::snapshot::Span| {
            check_span(span, snapshot);
            assert!(behind <= span.start && span.end <= directive.span.end, "{directive}");
            behind = span.end;
        };
        for argument in &directive.arguments {
            for value in argument.values() {
                next(value.span);
                check_value(value, snapshot);
            }
            match argument {
                Argument::Value(_) => {}
                Argument::List(values) => assert!(values.len() > 1),
                Argument::Option(option) => {
                    next(option.key.span);
                    next(option.value.span);
                    assert_eq!(snapshot.text(option.key.span), option.key.value);
                    assert_eq!(option.key.span.end + 1, option.value.span.start);
                    check_value(&option.value, snapshot);
                }
                Argument::Heredoc(heredoc) => {
                    next(heredoc.body_span);
                    assert_eq!(snapshot.text(heredoc.body_span), heredoc.body);
                    assert!(heredoc.body.lines().all(|line| line.trim_ascii() != heredoc.tag));
                }
            }
        }
        if let Some(block) = &directive.block {
            assert!(block.open.start >= directive.span.end && snapshot.text(block.open) == "{");
        }
    }
}

fn check_value(value: &Value, snapshot: &Snapshot) {
    let written = snapshot.text(value.span);
    let (quote, decoded) = match value.quoting {
        Quoting::Raw => ("", written.to_string()),
        Quoting::Backtick => ("`", written.trim_matches('`').to_owned()),
        Quoting::Quoted => {
            let inner = written.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
            ("\"", oracle::unescaped(inner.expect("quotes")))
        }
    };
    assert!(written.starts_with(quote) && written.ends_with(quote));
    assert_eq!(value.text, decoded, "{written}");
}

/// Stands for a directive that was read; no octet of a file without a fault.
const READ: u8 = 1;

/// In files without a fault, what belongs to no directive is blank, a comment, or a brace around a
/// block: no setting is dropped in silence.
fn nothing_is_left_out(tree: &Tree, snapshot: &Snapshot) {
    for (file, path, bytes) in snapshot.files() {
        let within = |span: hvmail_control::snapshot::Span| (span.file == file).then_some(span);
        let directives = tree.directives().map(|(_, directive)| directive.span);
        let includes = tree.includes().iter().map(|include| include.span);
        let mut read: Vec<Range<usize>> = directives
            .chain(includes)
            .filter_map(within)
            .map(|span| span.start..span.end)
            .collect();
        read.sort_unstable_by_key(|range| range.start);
        read.dedup();
        assert!(read.windows(2).all(|pair| pair[0].end <= pair[1].start), "{read:?} in {path:?}");
        let mut between = Vec::new();
        let mut at = 0;
        for range in read {
            between.extend_from_slice(&bytes[at..range.start]);
            // Not blank, so that a `#` behind it begins no comment.
            between.push(READ);
            at = range.end;
        }
        between.extend_from_slice(&bytes[at..]);
        check_rest(&between, opens(tree, file));
    }
}

/// Where the blocks of a file open, however often it was included.
fn opens(tree: &Tree, file: FileId) -> usize {
    let blocks = tree.directives().filter_map(|(_, directive)| directive.block.as_ref());
    let mut places: Vec<_> =
        blocks.filter(|block| block.open.file == file).map(|block| block.open.start).collect();
    places.sort_unstable();
    places.dedup();
    places.len()
}

fn check_rest(rest: &[u8], blocks: usize) {
    let (mut opened, mut closed) = (0, 0);
    for line in rest.split(|octet| *octet == b'\n') {
        if line.trim_ascii_start().starts_with(b"#") {
            continue;
        }
        for octet in line {
            match *octet {
                b' ' | b'\t' | b'\r' | READ => {}
                b'{' => opened += 1,
                b'}' => closed += 1,
                other => panic!("{other:?} of {:?} is left out", String::from_utf8_lossy(line)),
            }
        }
    }
    assert_eq!((opened, closed), (blocks, blocks));
}

fn prints_back(tree: &Tree) {
    let printed = tree.to_string();
    let source = Memory::new().file(FILE, printed.as_str());
    let (again, diagnostics) = Tree::load(&mut Loader::new(&source));
    assert_eq!(diagnostics, [], "{printed:?}");
    assert_eq!(again.to_string(), printed);
    let said = |tree: &Tree| -> Vec<_> {
        let parts = |directive: &Directive| oracle::without_places(directive);
        tree.directives().map(|(_, directive)| parts(directive)).collect()
    };
    assert_eq!(said(&again), said(tree), "{printed:?}");
}

/// What a lookup finds is what the rules say, one after the other, of every directive.
fn look_up(lookup: &Lookup, control: &Control) {
    let tree = lookup.tree();
    if oracle::parameters(tree, "domain").iter().any(|pattern| !pattern.is_ascii()) {
        // What is written in Unicode may be another domain's A-labels, which the oracle does not know.
        return;
    }
    let placed = oracle::placed(tree);
    let first = |names: Vec<String>, more: &[&str]| {
        let mut asked: Vec<String> = more.iter().map(ToString::to_string).collect();
        for name in names {
            if asked.len() < ASKED + more.len() && !asked.contains(&name) {
                asked.push(name);
            }
        }
        asked
    };
    let names = first(
        tree.directives().map(|(_, directive)| directive.name.value.clone()).collect(),
        &["starttls_require", "starttls_use", "nowhere"],
    );
    let addresses = first(oracle::parameters(tree, "ip_address"), &["nowhere"]);
    let domains = first(oracle::domains(tree), &["a.b", "", "A.Example."]);
    for name in &names {
        let everywhere =
            || tree.directives().filter(|(_, directive)| directive.name.value == *name);
        assert!(lookup.occurrences(name).map(|found| found.id).eq(everywhere().map(|(id, _)| id)));
        let counts = |id| placed.iter().any(|placed| placed.id == id);
        let elsewhere = everywhere().map(|(id, _)| id).filter(|id| !counts(*id));
        assert!(lookup.elsewhere(name).map(|found| found.id).eq(elsewhere), "{name}");
        for address in addresses.iter().map(|name| Some(name.as_str())).chain([None]) {
            for domain in &domains {
                let found: Vec<_> =
                    lookup.find_all(name, address, domain).map(|found| found.id).collect();
                let wanted = oracle::find_all(&placed, name, address, domain);
                assert_eq!(found, wanted, "{name} for {address:?} and {domain:?} in\n{tree}");
            }
        }
    }
    for domain in &domains {
        let required = oracle::find_all(&placed, "starttls_require", None, domain);
        let required = required.last().and_then(|id| tree.get(*id));
        match (required, control.outgoing_for(domain, None)) {
            (Some(directive), rule) if directive.boolean().is_err() => assert!(rule.is_err()),
            (Some(directive), Ok(rule)) => {
                let said = directive.boolean().is_ok_and(|said| said.value);
                assert_eq!(rule.policy.level.required(), said, "{domain}");
                assert!(control.location(rule.starttls_require.origin).is_some());
            }
            (None, Ok(rule)) => assert!(!rule.starttls_require.value),
            (_, Err(_)) => {}
        }
    }
}
