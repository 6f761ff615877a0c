use super::*;
use crate::diagnostic::Severity;
use crate::limits::{
    MAX_BLOCK_DEPTH, MAX_DIAGNOSTICS, MAX_INCLUDE_DEPTH, MAX_INCLUDES, MAX_VALUES,
};
use crate::snapshot::Snapshot;
use crate::source::Memory;
use std::time::{Duration, Instant};

pub(super) fn load(source: &Memory) -> (Tree, Vec<Diagnostic>, Snapshot) {
    let mut loader = Loader::new(source);
    let (tree, diagnostics) = Tree::load(&mut loader);
    (tree, diagnostics, loader.finish())
}

pub(super) fn conf(content: impl Into<Vec<u8>>) -> Memory {
    Memory::new().file(FILE, content)
}

/// The tree of `content`, which must be free of faults.
pub(super) fn parse(content: &str) -> Tree {
    let (tree, diagnostics, snapshot) = load(&conf(content));
    let shown: Vec<_> = diagnostics.iter().map(|d| d.display(&snapshot).to_string()).collect();
    assert!(shown.is_empty(), "{shown:?} in {content}");
    tree
}

/// The diagnostics of `source` as `file:line:column code`, in order.
fn faults(source: &Memory) -> Vec<String> {
    let (_, diagnostics, snapshot) = load(source);
    diagnostics
        .iter()
        .map(|diagnostic| {
            let place = match diagnostic.location(&snapshot) {
                Some(location) => location.to_string(),
                None => format!("{:?}", diagnostic.place),
            };
            let place = place.replace("/var/hvmail/control/", "").replace("greenarrow.conf:", "");
            format!("{place} {}", diagnostic.code)
        })
        .collect()
}

#[test]
fn the_vendors_fragments_are_read() {
    let tree = parse(
        r#"# GreenArrow
general {
  system_max_smtp_connections 5000
  define_virtual_mtas_in_config_file yes
  lets_encrypt_registration_email "postmaster@example.com"
  http_trusted_proxy_ips 10.0.0.0/8
  http_trusted_proxy_ips 192.168.0.0/16
  event_time 4h15m
  external_metadata_event_tracking_database local table=ga_test_table
  define_hook before_send perl <<HOOK
    if ($x) { print "}"; } # not a comment of ours
HOOK
}
  ip_address * {
    smtp_source 127.0.0.1 host.example
    domain * {
      max_delivery_rate 48000000/hr
    }
    domain [*.]sink.example {
      max_delivery_rate 100/hr
    }
  }
ip_address ipaddr-1, ipaddr-2 {
  proxy_server 1.2.3.4:3030
  proxy_server 1.2.3.5:3131 {
    smtp_source_ip 10.0.0.1
    smtp_source_hostname a.example
  }
  greenarrow_proxy_server ga1.example.com:807
}
incoming_email_domain example.com {
  user_mailbox alex {
  }
  bounce_mailbox return
}
relay_server out {
  smtp_route relay.example.net:587
}
url_domain a.example, b.example {
}
"#,
    );
    let names: Vec<_> = tree.roots().map(|(_, root)| root.to_string()).collect();
    assert_eq!(
        names,
        [
            "general",
            "ip_address *",
            "ip_address ipaddr-1, ipaddr-2",
            "incoming_email_domain example.com",
            "relay_server out",
            "url_domain a.example, b.example",
        ]
    );
    let (general, _) = tree.roots().next().unwrap();
    let lines: Vec<_> = tree.children(general).map(|(_, line)| line.to_string()).collect();
    assert_eq!(
        lines[3..5],
        ["http_trusted_proxy_ips 10.0.0.0/8", "http_trusted_proxy_ips 192.168.0.0/16"]
    );
    assert_eq!(lines[6], "external_metadata_event_tracking_database local table=ga_test_table");
    let (_, hook) = tree.children(general).last().unwrap();
    let Some(Argument::Heredoc(heredoc)) = hook.arguments.last() else { panic!("{hook:?}") };
    assert_eq!(heredoc.body, "    if ($x) { print \"}\"; } # not a comment of ours\n");
    let (proxy, directive) =
        tree.directives().filter(|(_, d)| d.name.value == "proxy_server").last().unwrap();
    assert_eq!(tree.children(proxy).count(), 2);
    let parent = tree.get(directive.parent.unwrap()).unwrap();
    assert_eq!(parent.name.value, "ip_address");
}

#[test]
fn blocks_may_stand_on_one_line() {
    let tree = parse("general { a yes }\nx { y { z 1 } } w 2\n");
    assert_eq!(tree.to_string(), "general {\n  a yes\n}\nx {\n  y {\n    z 1\n  }\n}\nw 2\n");
}

#[test]
fn faults_of_structure_have_their_place() {
    for (content, expected) in [
        ("general {\n a yes\n", &["1:9 unbalanced-brace"][..]),
        ("general {\n a {\n", &["1:9 unbalanced-brace", "2:4 unbalanced-brace"]),
        ("}\na yes", &["1:1 unbalanced-brace"]),
        ("general {\n}\n}\n", &["3:1 unbalanced-brace"]),
        ("general\n{\n a yes\n}\n", &["2:1 block-without-name"]),
        ("\"\" x", &["1:1 empty-name"]),
        ("a , b", &["1:3 misplaced-comma"]),
        ("a b,", &["1:4 misplaced-comma"]),
        ("a b, {\n}", &["1:4 misplaced-comma"]),
        ("a b,, c", &["1:5 misplaced-comma"]),
        ("a b=c, d", &["1:6 misplaced-comma"]),
        ("a b, c=d", &["1:6 misplaced-argument"]),
        ("a=b", &["1:1 misplaced-argument"]),
        ("<<A\nA\n", &["1:1 misplaced-argument"]),
        (", a", &["1:1 misplaced-comma"]),
        ("a (\nb )\nc", &["1:3 stray-character", "2:3 stray-character"]),
        ("domain (x) {\n a yes\n}\n", &["1:8 stray-character"]),
        ("( {\n a yes\n}\nb", &["1:1 stray-character"]),
        ("general {\n a <<X\n}\n", &["2:4 unterminated-heredoc"]),
        ("include", &["1:1 include-form"]),
        ("include a b", &["1:1 include-form"]),
        ("include a, b", &["1:1 include-form"]),
        ("include a=b", &["1:1 include-form"]),
        ("include \"\"", &["1:9 include-form"]),
        ("include \"a\\u0000b\"", &["1:9 include-form"]),
        ("include a {\n}\n", &["1:11 include-form"]),
        ("x {\n  include conf.d/*.conf\n}", &["2:11 include-pattern"]),
        ("include absent", &["1:9 include-missing"]),
    ] {
        assert_eq!(faults(&conf(content)), expected, "{content:?}");
    }
    assert_eq!(faults(&conf(&b"a \0\r\nb \xff\r\n"[..])), ["1:3 nul-octet", "2:3 invalid-utf8"]);
    assert_eq!(faults(&conf(&b"\xef\xbb\xbfa (\r\n"[..])), ["1:3 stray-character"]);
}

#[test]
fn included_files_take_the_place_of_the_directive() {
    let source = conf("a 1\ninclude one.conf\ngeneral {\n  b 2\n  include \"sub/two.conf\" }\nc 3")
        .file("one.conf", "domain x {\n  d 4\n}\ninclude /etc/three.conf")
        .file("sub/two.conf", "e 5")
        .file("/etc/three.conf", "f 6\n");
    let (tree, diagnostics, snapshot) = load(&source);
    assert_eq!(diagnostics, []);
    assert_eq!(
        tree.to_string(),
        "a 1\ndomain x {\n  d 4\n}\nf 6\ngeneral {\n  b 2\n  e 5\n}\nc 3\n"
    );
    let files: Vec<_> = tree.includes().iter().map(|include| snapshot.path(include.file)).collect();
    assert_eq!(
        files,
        ["one.conf", "/etc/three.conf", "sub/two.conf"].map(|path| snapshot.root().join(path))
    );
    let (_, e) = tree.directives().find(|(_, d)| d.name.value == "e").unwrap();
    assert_eq!(snapshot.location(e.name.span).to_string(), "/var/hvmail/control/sub/two.conf:1:1");
}

#[test]
fn a_file_may_be_included_twice() {
    let source = conf("a {\n include x\n}\nb {\n include x\n}\n").file("x", "c 1\n");
    let (tree, diagnostics, _) = load(&source);
    assert_eq!(diagnostics, []);
    assert_eq!(tree.to_string(), "a {\n  c 1\n}\nb {\n  c 1\n}\n");
}

#[test]
fn include_loops_name_both_places() {
    let (_, diagnostics, snapshot) = load(&conf("\ninclude greenarrow.conf\n"));
    assert_eq!(
        diagnostics[0].display(&snapshot).to_string(),
        "/var/hvmail/control/greenarrow.conf:2:9: error[include-loop]: \
         /var/hvmail/control/greenarrow.conf includes itself\n  \
         /var/hvmail/control/greenarrow.conf:1:1: it is being read since here"
    );
    let source = conf("include a\n").file("a", "x\ninclude ./b").file("b", "include a\n");
    let (_, diagnostics, snapshot) = load(&source);
    assert_eq!(diagnostics.len(), 1);
    let shown = diagnostics[0].display(&snapshot).to_string();
    assert!(shown.starts_with("/var/hvmail/control/b:1:9: error[include-loop]"), "{shown}");
    assert!(shown.contains("greenarrow.conf:1:1: it is being read since here"), "{shown}");
}

#[test]
fn includes_are_bounded_in_depth_and_in_number() {
    let mut deep = conf("include 0");
    for level in 0..MAX_INCLUDE_DEPTH + 5 {
        deep = deep.file(level.to_string(), format!("include {}", level + 1));
    }
    assert_eq!(faults(&deep), [format!("{}:1:9 includes-too-deep", MAX_INCLUDE_DEPTH - 1)]);

    // Two includes in each of so many files would be 2^16 files to read.
    let mut wide = conf("include 0");
    for level in 0..MAX_INCLUDE_DEPTH - 1 {
        wide = wide.file(level.to_string(), format!("include {0}\ninclude {0}", level + 1));
    }
    wide = wide.file((MAX_INCLUDE_DEPTH - 1).to_string(), "a");
    let found = faults(&wide);
    assert!(found.iter().all(|fault| fault.ends_with("too-many-includes")), "{found:?}");
    assert!((1..=MAX_DIAGNOSTICS + 1).contains(&found.len()) && MAX_INCLUDES < 1 << 15);
}

#[test]
fn unreadable_files_are_named() {
    let included = conf("a\ninclude secret.conf\nb").unreadable("secret.conf");
    let (tree, diagnostics, snapshot) = load(&included);
    assert_eq!(
        diagnostics[0].display(&snapshot).to_string(),
        "/var/hvmail/control/greenarrow.conf:2:9: error[include-unreadable]: \
         /var/hvmail/control/secret.conf: permission denied"
    );
    assert_eq!(tree.to_string(), "a\nb\n");
    let (_, diagnostics, snapshot) = load(&Memory::new().unreadable(FILE));
    assert_eq!(
        diagnostics[0].display(&snapshot).to_string(),
        "/var/hvmail/control/greenarrow.conf: error[unreadable-file]: permission denied"
    );
}

#[test]
fn braces_balance_in_each_file() {
    let source = conf("general {\n include a\n}\n").file("a", "x\n}\n");
    assert_eq!(faults(&source), ["a:2:1 unbalanced-brace"]);
    let source = conf("include a\n}\n").file("a", "general {\n");
    assert_eq!(faults(&source), ["a:1:9 unbalanced-brace", "2:1 unbalanced-brace"]);
}

#[test]
fn defaults_come_first_and_are_told_apart() {
    let source = conf("general {\n a 2\n}\n").file(DEFAULTS, "general {\n include more\n}\n");
    let (tree, diagnostics, _) = load(&source.file("more", "a 1\n"));
    assert_eq!(diagnostics, []);
    let layers: Vec<_> = tree
        .directives()
        .map(|(_, d)| (d.to_string(), d.layer))
        .filter(|(n, _)| n != "general")
        .collect();
    assert_eq!(layers, [("a 1".to_owned(), Layer::Defaults), ("a 2".to_owned(), Layer::User)]);
    let (tree, diagnostics, _) = load(&Memory::new());
    assert_eq!((tree.directives().count(), diagnostics.len()), (0, 0));
}

#[test]
fn deep_nesting_is_an_error_and_no_stack_overflow() {
    let depth = 100_000;
    let content = "a {\n".repeat(depth) + &"}\n".repeat(depth) + "b\n";
    let (tree, diagnostics, snapshot) = load(&conf(content));
    assert_eq!(diagnostics.len(), 1);
    assert_eq!(diagnostics[0].code, "blocks-too-deep");
    let line = diagnostics[0].location(&snapshot).unwrap().line;
    assert_eq!(usize::try_from(line).unwrap(), MAX_BLOCK_DEPTH + 1);
    assert_eq!(tree.roots().count(), 2);
    assert_eq!(faults(&conf("a {\n".repeat(depth))).len(), MAX_BLOCK_DEPTH + 1);
    let allowed = "a {\n".repeat(MAX_BLOCK_DEPTH) + &"}\n".repeat(MAX_BLOCK_DEPTH);
    assert_eq!(faults(&conf(allowed)), [""; 0]);
}

#[test]
fn long_lines_and_many_faults_cost_linear_time() {
    let started = Instant::now();
    let long = "x".repeat(10 * 1024 * 1024);
    assert_eq!(parse(&format!("a {long}\nb")).roots().count(), 2);
    assert_eq!(parse(&format!("a \"{long}\"\nb")).roots().count(), 2);
    assert_eq!(
        faults(&conf(format!("a {long} (\nb )"))),
        ["1:10485764 stray-character", "2:3 stray-character"]
    );
    assert_eq!(
        faults(&conf(format!("a \"{long}\nb )"))),
        ["1:3 unterminated-string", "2:3 stray-character"]
    );
    for hostile in [
        "a (\n",
        "a <<X\n",
        "a <<X\nX\n",
        "a `\n",
        "a \"\n",
        "a \\\"\\c\"",
        "{",
        "}",
        "{\n",
        "\0",
        "# \0\n",
        "a,",
    ] {
        let content = hostile.repeat(1024 * 1024 / hostile.len());
        let found = faults(&conf(content));
        assert!(found.len() <= MAX_DIAGNOSTICS + 2, "{hostile:?}: {}", found.len());
    }
    assert!(started.elapsed() < Duration::from_secs(60), "{:?}", started.elapsed());
}

#[test]
fn there_are_bounds_on_diagnostics_and_values() {
    let found = faults(&conf("a (\n".repeat(1000)));
    assert_eq!(found.len(), MAX_DIAGNOSTICS + 1);
    assert!(found[MAX_DIAGNOSTICS].ends_with("too-many-errors"));

    let (tree, diagnostics, _) = load(&conf("a \"\\c\"\n".repeat(1000)));
    assert_eq!(tree.roots().count(), 1000);
    assert_eq!(diagnostics.len(), MAX_DIAGNOSTICS + 1);
    assert!(diagnostics.iter().all(|d| d.severity < Severity::Error));
    assert!(diagnostics[MAX_DIAGNOSTICS].message.starts_with("900 more"));

    let found = faults(&conf("a\n".repeat(MAX_VALUES + 1)));
    assert_eq!(found, [format!("{}:1 configuration-too-large", MAX_VALUES + 1)]);
    let found = faults(&conf("a\n".repeat(MAX_VALUES)));
    assert_eq!(found, [""; 0]);
}
