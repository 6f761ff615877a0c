//! What documents say of tests.
//!
//! Does: find a test by its name in the text of a file. Does not: run it. Fails: never.

/// Whether the text of a Rust file has a test of this name, of either kind.
pub fn has_test(text: &str, name: &str) -> bool {
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    lines.iter().enumerate().any(|(at, line)| {
        let rest = line.strip_prefix("async ").unwrap_or(line);
        let named = rest.strip_prefix("fn ").and_then(|rest| rest.strip_prefix(name));
        let above = lines[..at].iter().rev();
        let mut above = above.take_while(|above| above.starts_with('#') || above.starts_with("//"));
        named.is_some_and(|rest| rest.starts_with('('))
            && above.any(|line| *line == "#[test]" || line.starts_with("#[tokio::test"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_is_a_test_where_it_says_so() {
        let text = "fn plain() {}\n\n#[test]\n#[ignore]\nfn one() {\n}\n  #[tokio::test(start_paused = true)]\n  \
                    async fn two() {}\nfn three() {}\n";
        for (name, expected) in
            [("one", true), ("two", true), ("plain", false), ("three", false), ("on", false)]
        {
            assert_eq!(has_test(text, name), expected, "{name}");
        }
    }
}
