//! Trees that a test makes: written out, as this crate and as a hand writes them, and read back.

use proptest::prelude::*;

use super::tests::{conf, load, parse};
use super::*;
use crate::diagnostic::Severity;

/// A directive as a test makes one, to be compared with what was read.
#[derive(Clone, Debug)]
struct Model {
    name: String,
    arguments: Vec<ModelArgument>,
    block: Option<Vec<Self>>,
}

#[derive(Clone, Debug)]
enum ModelArgument {
    List(Vec<(Quoting, String)>),
    Option(String, (Quoting, String)),
    Heredoc(String, String),
}

fn model_value() -> impl Strategy<Value = (Quoting, String)> {
    prop_oneof![
        r"[-a-zA-Z0-9_+.*/\\\[\]$:;%|@]{1,12}".prop_map(|text| (Quoting::Raw, text)),
        any::<String>().prop_map(|text| (Quoting::Quoted, text)),
        "[^`\0]{0,12}".prop_map(|text| (Quoting::Backtick, text)),
    ]
}

fn model_arguments() -> impl Strategy<Value = Vec<ModelArgument>> {
    let argument = prop_oneof![
        prop::collection::vec(model_value(), 1..4).prop_map(ModelArgument::List),
        ("[a-z_]{1,8}", model_value()).prop_map(|(key, value)| ModelArgument::Option(key, value)),
    ];
    let heredoc = ("[A-Z]{1,6}", prop::collection::vec("[^\n\0A-Z]{0,20}\n", 0..4))
        .prop_map(|(tag, lines)| ModelArgument::Heredoc(tag, lines.concat()));
    let arguments = prop::collection::vec(argument, 0..4);
    (arguments, prop::option::weighted(0.1, heredoc)).prop_map(|(mut arguments, heredoc)| {
        arguments.extend(heredoc);
        arguments
    })
}

fn model_name() -> impl Strategy<Value = String> {
    prop_oneof!["[a-z_]{1,10}", any::<String>()]
        .prop_filter("include is followed", |name| !name.is_empty() && name != "include")
}

fn models() -> impl Strategy<Value = Vec<Model>> {
    let leaf = (model_name(), model_arguments()).prop_map(|(name, arguments)| Model {
        name,
        arguments,
        block: None,
    });
    let tree = leaf.prop_recursive(5, 40, 6, |inner| {
        let block = prop::collection::vec(inner, 0..6);
        (model_name(), model_arguments(), block).prop_map(|(name, mut arguments, block)| {
            arguments.retain(|argument| !matches!(argument, ModelArgument::Heredoc(..)));
            Model { name, arguments, block: Some(block) }
        })
    });
    prop::collection::vec(tree, 0..8)
}

/// Builds the tree of `models` without reading a file.
fn build(tree: &mut Tree, models: &[Model], parent: Option<DirectiveId>) {
    let span = Span::new(FileId(0), 0, 0);
    let value =
        |(quoting, text): &(Quoting, String)| Value { text: text.clone(), quoting: *quoting, span };
    for model in models {
        let argument = |argument: &ModelArgument| match argument {
            ModelArgument::List(list) if list.len() == 1 => Argument::Value(value(&list[0])),
            ModelArgument::List(list) => Argument::List(list.iter().map(value).collect()),
            ModelArgument::Option(key, text) => Argument::Option(OptionArgument {
                key: Spanned::new(key.clone(), span),
                value: value(text),
            }),
            ModelArgument::Heredoc(tag, body) => {
                Argument::Heredoc(Heredoc { tag: tag.clone(), body: body.clone(), body_span: span })
            }
        };
        let id = tree.add(Directive {
            name: Spanned::new(model.name.clone(), span),
            arguments: model.arguments.iter().map(argument).collect(),
            block: model.block.as_ref().map(|_| Block { children: Vec::new(), open: span }),
            parent,
            span,
            layer: Layer::User,
        });
        build(tree, model.block.as_deref().unwrap_or_default(), Some(id));
    }
}

/// The ways in which one tree may be written.
#[derive(Clone, Copy, Debug)]
struct Hand {
    line_end: &'static str,
    indent: &'static str,
    comma: &'static str,
    /// What stands on lines of its own in front of each directive.
    between: &'static str,
    /// Whether blocks open, hold their first directive and close without a line end.
    compact: bool,
    /// Whether every character between double quotes is an escape.
    escaped: bool,
}

fn hands() -> impl Strategy<Value = Hand> {
    let comments = ["", "\n", "# x { \" ` } \u{e9}\n", "#\n\t # y=<<Z\n\n"];
    (
        prop::sample::select(vec!["\n", "\r\n", " \t\n"]),
        prop::sample::select(vec!["", "  ", "\t"]),
        prop::sample::select(vec![",", ", ", " ,", "\t, "]),
        prop::sample::select(comments.to_vec()),
        any::<bool>(),
        any::<bool>(),
    )
        .prop_map(|(line_end, indent, comma, between, compact, escaped)| Hand {
            line_end,
            indent,
            comma,
            between,
            compact,
            escaped,
        })
}

impl Hand {
    fn value(&self, (quoting, text): &(Quoting, String)) -> String {
        match quoting {
            Quoting::Raw => text.clone(),
            Quoting::Backtick => format!("`{text}`"),
            Quoting::Quoted if self.escaped => {
                let units = text.encode_utf16().map(|unit| format!("\\u{unit:04X}"));
                format!("\"{}\"", units.collect::<String>())
            }
            Quoting::Quoted => {
                let simple = text.replace('\\', "\\\\").replace('"', "\\\"");
                format!("\"{}\"", simple.replace('\n', "\\n").replace('\0', "\\u0000"))
            }
        }
    }

    fn directive(&self, model: &Model, depth: usize, out: &mut String) {
        out.push_str(&self.between.replace('\n', self.line_end));
        out.push_str(&self.indent.repeat(depth));
        out.push_str(&self.value(&(Quoting::Quoted, model.name.clone())));
        for argument in &model.arguments {
            out.push(' ');
            match argument {
                ModelArgument::List(list) => {
                    let values: Vec<_> = list.iter().map(|value| self.value(value)).collect();
                    out.push_str(&values.join(self.comma));
                }
                ModelArgument::Option(key, value) => {
                    out.push_str(&format!("{key}={}", self.value(value)));
                }
                ModelArgument::Heredoc(tag, body) => {
                    out.push_str(&format!("<<{tag}{}{body}{}{tag}", self.line_end, self.indent));
                }
            }
        }
        let Some(block) = &model.block else { return };
        // A comment and the end of a heredoc need their line ends.
        let heredoc = |m: &Model| matches!(m.arguments.last(), Some(ModelArgument::Heredoc(..)));
        let compact = self.compact && self.between.is_empty();
        let gap = |compact| if compact { " " } else { self.line_end };
        out.push_str(if self.compact { "{" } else { " {" });
        out.push_str(gap(compact));
        for (at, inner) in block.iter().enumerate() {
            self.directive(inner, depth + 1, out);
            out.push_str(gap(compact && at + 1 == block.len() && !heredoc(inner)));
        }
        out.push('}');
    }

    fn file(&self, models: &[Model]) -> String {
        let mut out = String::new();
        for model in models {
            self.directive(model, 0, &mut out);
            out.push_str(self.line_end);
        }
        out
    }
}

/// `tree` with every span at zero.
fn placeless(tree: &Tree) -> Vec<Directive> {
    let span = Span::new(FileId(0), 0, 0);
    let mut directives = tree.directives.clone();
    for directive in &mut directives {
        directive.span = span;
        directive.name.span = span;
        if let Some(block) = &mut directive.block {
            block.open = span;
        }
        for argument in &mut directive.arguments {
            match argument {
                Argument::Value(value) => value.span = span,
                Argument::List(values) => values.iter_mut().for_each(|value| value.span = span),
                Argument::Option(option) => {
                    option.key.span = span;
                    option.value.span = span;
                }
                Argument::Heredoc(heredoc) => heredoc.body_span = span,
            }
        }
    }
    directives
}

/// Pieces of files, so that arbitrary input reaches more than the first fault.
fn fragments() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        prop::collection::vec(any::<u8>(), 0..8),
        prop::sample::select(vec![
            "a",
            " ",
            "\n",
            "\r\n",
            "{",
            "}",
            " {\n",
            "}\n",
            "\"",
            "`",
            "\\",
            "\\u12",
            "\\ud800",
            "#",
            ",",
            "=",
            "<<A",
            "\nA\n",
            "include ",
            "include a\n",
            "yes",
            "\u{e9}",
            "\u{feff}",
        ])
        .prop_map(|piece| piece.as_bytes().to_vec()),
    ];
    prop::collection::vec(piece, 0..60).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn what_is_printed_is_read_back(models in models()) {
        let mut built = Tree::default();
        build(&mut built, &models, None);
        let printed = built.to_string();
        let read = parse(&printed);
        prop_assert_eq!(placeless(&read), placeless(&built), "{}", printed);
        prop_assert_eq!(read.to_string(), printed);
    }

    #[test]
    fn every_hand_writes_the_same_tree(models in models(), hand in hands()) {
        let mut built = Tree::default();
        build(&mut built, &models, None);
        let written = hand.file(&models);
        let read = parse(&written);
        prop_assert_eq!(placeless(&read), placeless(&built), "{}", written);
    }

    #[test]
    fn a_string_of_ones_own_prints_as_one_that_reads_back(
        text in any::<String>(),
        quoting in prop::sample::select(vec![Quoting::Raw, Quoting::Quoted, Quoting::Backtick]),
    ) {
        let value = Value { text: text.clone(), quoting, span: Span::new(FileId(0), 0, 0) };
        let tree = parse(&format!("a {value}"));
        let (_, read) = tree.roots().next().unwrap();
        prop_assert_eq!(read.text().unwrap().value, text);
    }

    #[test]
    fn anything_is_read_without_a_panic(main in fragments(), included in fragments()) {
        let source = conf(main).file("a", included);
        let (tree, diagnostics, snapshot) = load(&source);
        let spans = diagnostics.iter().flat_map(|diagnostic| {
            diagnostic.span().into_iter().chain(diagnostic.related.iter().map(|(span, _)| *span))
        });
        let names = tree.directives().map(|(_, directive)| directive.span);
        for span in spans.chain(names) {
            prop_assert!(span.start <= span.end && span.end <= snapshot.bytes(span.file).len());
        }
        for diagnostic in &diagnostics {
            prop_assert!(!diagnostic.display(&snapshot).to_string().contains('\0'));
        }
        if diagnostics.iter().all(|diagnostic| diagnostic.severity < Severity::Error) {
            let again = parse(&tree.to_string());
            prop_assert_eq!(placeless(&again), placeless(&tree));
            prop_assert_eq!(again.to_string(), tree.to_string());
        }
    }
}
