use super::*;
use crate::limits::MAX_QUOTED;

/// The tokens of `content`, each in brackets as it was understood, and its diagnostics as `offset
/// code`.
fn lex(content: impl AsRef<[u8]>) -> (String, Vec<(usize, &'static str)>) {
    let mut diagnostics = Vec::new();
    let mut lexer = Lexer::new(FileId(0), Arc::from(content.as_ref()));
    let mut shown = String::new();
    loop {
        let token = lexer.next(&mut |diagnostic| diagnostics.push(diagnostic));
        shown.push_str(&match token.kind {
            TokenKind::Value(value) => format!("[{:?} {}]", value.quoting, value.text),
            TokenKind::Option(option) => {
                format!("[{}={:?} {}]", option.key.value, option.value.quoting, option.value.text)
            }
            TokenKind::Heredoc(heredoc) => format!("[<<{} {}]", heredoc.tag, heredoc.body),
            TokenKind::Comma => ",".into(),
            TokenKind::Open => "{".into(),
            TokenKind::Close => "}".into(),
            TokenKind::EndOfLine => "/".into(),
            TokenKind::Fault => "!".into(),
            TokenKind::EndOfFile => break,
        });
    }
    let found = diagnostics.iter().map(|found| (found.span().unwrap().start, found.code));
    (shown, found.collect())
}

#[test]
fn every_kind_of_token() {
    for (content, tokens) in [
        ("", ""),
        ("\n \t\n", "//"),
        ("a", "[Raw a]"),
        ("  a  b\t c \n", "[Raw a][Raw b][Raw c]/"),
        (
            "09000 5000.12 example.com other_example.900",
            "[Raw 09000][Raw 5000.12][Raw example.com][Raw other_example.900]",
        ),
        ("AZaz09-_+.*/\\[]$:;%|@", "[Raw AZaz09-_+.*/\\[]$:;%|@]"),
        ("starttls_use yes;", "[Raw starttls_use][Raw yes;]"),
        ("# comment { \" ` <<X é\na", "/[Raw a]"),
        ("  \t# comment\n", "/"),
        ("a \"b c\" \"\"", "[Raw a][Quoted b c][Quoted ]"),
        (r#""\"\\\/\b\f\n\r\t\u0041\u006a""#, "[Quoted \"\\/\u{8}\u{c}\n\r\tAj]"),
        (r#""\u00E9 \uD83D\ude00 \u0000""#, "[Quoted \u{e9} \u{1f600} \0]"),
        ("\"# {},=`\" ", "[Quoted # {},=`]"),
        ("`a\\n \"b\" # {`", "[Backtick a\\n \"b\" # {]"),
        ("``", "[Backtick ]"),
        ("`a\nb`\nc", "[Backtick a\nb]/[Raw c]"),
        ("a, b ,c,d", "[Raw a],[Raw b],[Raw c],[Raw d]"),
        ("general {\n}\n", "[Raw general]{/}/"),
        ("general{a b}", "[Raw general]{[Raw a][Raw b]}"),
        ("a table=x t=\"y z\" t=`=`", "[Raw a][table=Raw x][t=Quoted y z][t=Backtick =]"),
        (
            "h perl <<HOOK\nif (x) { # }\n\nHOOK\nb",
            "[Raw h][Raw perl][<<HOOK if (x) { # }\n\n]/[Raw b]",
        ),
        ("<<A\nA", "[<<A ]"),
        ("<<A \n AA\n A \nb", "[<<A  AA\n]/[Raw b]"),
        ("a b\r\n\r\n# x\r\n}\r\n", "[Raw a][Raw b]///}/"),
        ("\"a\"\r\nb\r", "[Quoted a]/[Raw b]"),
        ("<<A\r\nb\r\nA\r\nc", "[<<A b\r\n]/[Raw c]"),
    ] {
        let (shown, diagnostics) = lex(content);
        assert_eq!((shown.as_str(), diagnostics), (tokens, vec![]), "{content:?}");
    }
}

#[test]
fn every_fault_has_its_place_and_the_next_line_is_read() {
    for (content, tokens, at, code) in [
        (&b"a \"b\nc d"[..], "[Raw a]!/[Raw c][Raw d]", 2, "unterminated-string"),
        (b"a \"b\r\nc", "[Raw a]!/[Raw c]", 2, "unterminated-string"),
        (b"a \"b\\\nc", "[Raw a]!/[Raw c]", 2, "unterminated-string"),
        (b"a \"b", "[Raw a]!", 2, "unterminated-string"),
        (b"a \"b {\nc", "[Raw a]!{/[Raw c]", 2, "unterminated-string"),
        (b"a `b\nc", "[Raw a]!/[Raw c]", 2, "unterminated-string"),
        (b"a yes # b\nc", "[Raw a][Raw yes]!/[Raw c]", 6, "comment-behind-value"),
        (b"a yes#b\nc", "[Raw a][Raw yes]!/[Raw c]", 5, "comment-behind-value"),
        (b"a { # b {\nc", "[Raw a]{!/[Raw c]", 4, "comment-behind-value"),
        (b"a (b) {\nc\n}", "[Raw a]!{/[Raw c]/}", 2, "stray-character"),
        (b"a & }\n", "[Raw a]!}/", 2, "stray-character"),
        (b"a = b\nc", "[Raw a]!/[Raw c]", 2, "stray-character"),
        (b"a x=y=z\nc", "[Raw a][x=Raw y]!/[Raw c]", 5, "stray-character"),
        (b"a x= y\nc", "[Raw a]!/[Raw c]", 3, "option-without-value"),
        (b"a x=\nc", "[Raw a]!/[Raw c]", 3, "option-without-value"),
        (b"a x=<<B\nB\nc", "[Raw a]!/[Raw B]/[Raw c]", 3, "option-without-value"),
        ("a \u{e9}\nc".as_bytes(), "[Raw a]!/[Raw c]", 2, "stray-character"),
        ("a b\u{e9}\nc".as_bytes(), "[Raw a][Raw b]!/[Raw c]", 3, "stray-character"),
        (b"a \xef\xbb\xbfb", "[Raw a]!", 2, "stray-character"),
        (b"a \rb\nc", "[Raw a]!/[Raw c]", 2, "stray-character"),
        (b"a \x0bb\nc", "[Raw a]!/[Raw c]", 2, "stray-character"),
        (b"a < b\nc", "[Raw a]!/[Raw c]", 2, "stray-character"),
        (b"a \"b\"c\nd", "[Raw a][Quoted b]!/[Raw d]", 5, "missing-space"),
        (b"a b\"c\"\nd", "[Raw a][Raw b]!/[Raw d]", 3, "missing-space"),
        (b"a `b``c`\nd", "[Raw a][Backtick b]!/[Raw d]", 5, "missing-space"),
        (b"a b<<C\nC\nd", "[Raw a][Raw b]!/[Raw C]/[Raw d]", 3, "missing-space"),
        (b"a <<\nb", "[Raw a]!/[Raw b]", 2, "heredoc-tag"),
        (b"a <<-X\nb", "[Raw a]!/[Raw b]", 2, "heredoc-tag"),
        (b"a <<X\nb\nc {", "[Raw a]!", 2, "unterminated-heredoc"),
        (b"a <<X", "[Raw a]!", 2, "unterminated-heredoc"),
        (b"a <<X b\nX\nc", "[Raw a]!/[Raw c]", 5, "text-behind-heredoc"),
        (b"a <<X\nb\0\nX\nc", "[Raw a]!/[Raw c]", 7, "nul-octet"),
        (b"a \0\nc", "[Raw a]!/[Raw c]", 2, "nul-octet"),
        (b"a \"b\0\"\nc", "[Raw a]!/[Raw c]", 4, "nul-octet"),
        (b"a `b\0`\nc", "[Raw a]!/[Raw c]", 4, "nul-octet"),
        (b"# a\0\nc", "/[Raw c]", 3, "nul-octet"),
        (b"a \xff\nc", "[Raw a]!/[Raw c]", 2, "invalid-utf8"),
        (b"a \"b\xe9c\"\nc", "[Raw a]!/[Raw c]", 4, "invalid-utf8"),
        (b"a `b\xe9c`\nc", "[Raw a]!/[Raw c]", 4, "invalid-utf8"),
        (b"a `b\n\xe9` {\nc", "[Raw a]!{/[Raw c]", 5, "invalid-utf8"),
    ] {
        let (shown, diagnostics) = lex(content);
        let case = String::from_utf8_lossy(content);
        assert_eq!((shown.as_str(), diagnostics), (tokens, vec![(at, code)]), "{case:?}");
    }
}

#[test]
fn what_is_read_with_a_warning() {
    for (content, tokens, at, code) in [
        (&br#"a "control\codes""#[..], "[Raw a][Quoted control\\codes]", 10, "unknown-escape"),
        (br#"a "\u12""#, "[Raw a][Quoted \\u12]", 3, "unknown-escape"),
        (br#"a "\u+123""#, "[Raw a][Quoted \\u+123]", 3, "unknown-escape"),
        (br#"a "\ud83dx""#, "[Raw a][Quoted \u{fffd}x]", 3, "lone-surrogate"),
        (br#"a "\ude00\ud83d\ude00""#, "[Raw a][Quoted \u{fffd}\u{1f600}]", 3, "lone-surrogate"),
        (b"# caf\xe9\na", "/[Raw a]", 5, "invalid-utf8"),
        (b"<<A\n# \xe9\nA\na", "[<<A # \u{fffd}\n]/[Raw a]", 6, "invalid-utf8"),
    ] {
        let (shown, diagnostics) = lex(content);
        let case = String::from_utf8_lossy(content);
        assert_eq!((shown.as_str(), diagnostics), (tokens, vec![(at, code)]), "{case:?}");
    }
}

#[test]
fn the_vendors_sample_of_a_string_is_read() {
    let (shown, diagnostics) = lex(r#""example\nwith\ncontrol\codes\n""#);
    assert_eq!(shown, "[Quoted example\nwith\ncontrol\\codes\n]");
    assert_eq!(diagnostics, [(23, "unknown-escape")]);
}

#[test]
fn a_message_stays_short_whatever_the_file_holds() {
    let mut content = b"a <<".to_vec();
    content.extend(vec![b'X'; 100_000]);
    let mut messages = Vec::new();
    let mut lexer = Lexer::new(FileId(0), content.into());
    while lexer.next(&mut |found| messages.push(found.message)).kind != TokenKind::EndOfFile {}
    assert_eq!(messages.len(), 1);
    assert!(messages[0].len() < MAX_QUOTED + 60, "{}", messages[0]);
}
