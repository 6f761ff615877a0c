//! What documents say of tests.
//!
//! Does: find a test by its name in the text of a file. Does not: run it. Fails: never.

/// How the attribute of a test that is not run begins.
const IGNORED: &str = concat!("#[", "ignore");

/// Whether the text of a Rust file has a test of this name, of either kind, that is run: one that is
/// ignored shows nothing.
pub fn has_test(text: &str, name: &str) -> bool {
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    lines.iter().enumerate().any(|(at, line)| {
        let rest = line.strip_prefix("async ").unwrap_or(line);
        let named = rest.strip_prefix("fn ").and_then(|rest| rest.strip_prefix(name));
        let above = lines[..at].iter().rev();
        let above: Vec<_> =
            above.take_while(|above| above.starts_with('#') || above.starts_with("//")).collect();
        let is_test = |line: &str| line == "#[test]" || line.starts_with("#[tokio::test");
        named.is_some_and(|rest| rest.starts_with('('))
            && above.iter().any(|line| is_test(line))
            && !above.iter().any(|line| line.starts_with(IGNORED))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_is_a_test_where_it_says_so() {
        let text = "fn plain() {}\n\n#[test]\n// Why.\nfn one() {\n}\n  #[tokio::test(start_paused = true)]\n  \
                    async fn two() {}\nfn three() {}\n";
        for (name, expected) in
            [("one", true), ("two", true), ("plain", false), ("three", false), ("on", false)]
        {
            assert_eq!(has_test(text, name), expected, "{name}");
        }
        for end in ["]", " = \"slow\"]"] {
            for text in [
                format!("#[test]\n{IGNORED}{end}\nfn one() {{}}\n"),
                format!("{IGNORED}{end}\n#[test]\nfn one() {{}}\n"),
            ] {
                assert!(!has_test(&text, "one"), "{text}");
            }
        }
    }
}
