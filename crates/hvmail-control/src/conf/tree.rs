//! A configuration as data: directives, their arguments, and nested blocks.
//!
//! Everything is kept in the order in which it was written: repeated directives, directives and
//! blocks that nobody knows, and how each string was quoted. [`Tree::load`] makes a tree from files;
//! its `Display` writes one. What a directive means is not known here.

use std::fmt;
use std::path::Path;

use super::lex::is_raw;
use super::parse::Parser;
use crate::diagnostic::Diagnostic;
use crate::snapshot::{FileId, Loader, Span, Spanned};

/// The user's file, below the control directory.
pub const FILE: &str = "greenarrow.conf";

/// The file of defaults, below the control directory. The vendor ships it with some installations;
/// that it is read before the user's file and stands beneath it is our reading of its name.
pub const DEFAULTS: &str = ".greenarrow-defaults.conf";

/// How a string was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Quoting {
    /// Without quotes.
    Raw,
    /// In double quotes, with the escapes of JSON.
    Quoted,
    /// In backticks, without escapes.
    Backtick,
}

/// One string, decoded.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Value {
    /// What it says.
    pub text: String,
    /// How it was written.
    pub quoting: Quoting,
    /// Where it stands, quotes included.
    pub span: Span,
}

/// `key=value`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct OptionArgument {
    /// What stands before the `=`.
    pub key: Spanned<String>,
    /// What stands behind it.
    pub value: Value,
}

/// A value of several lines.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Heredoc {
    /// The tag that opens and ends it.
    pub tag: String,
    /// The lines between, each with its line end as it was written.
    pub body: String,
    /// Where those lines stand.
    pub body_span: Span,
}

/// What follows the name of a directive.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Argument {
    /// One string.
    Value(Value),
    /// Two or more strings with commas between them.
    List(Vec<Value>),
    /// `key=value`.
    Option(OptionArgument),
    /// A value of several lines.
    Heredoc(Heredoc),
}

impl Argument {
    /// The strings of a value or a list; none for an option or a heredoc.
    #[must_use]
    pub fn values(&self) -> &[Value] {
        match self {
            Self::Value(value) => std::slice::from_ref(value),
            Self::List(values) => values,
            Self::Option(_) | Self::Heredoc(_) => &[],
        }
    }
}

/// Which of the two files a directive belongs to, what they include counted with them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Layer {
    /// [`DEFAULTS`].
    Defaults,
    /// The user's file.
    User,
}

/// One directive of a [`Tree`]. It means nothing in another tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DirectiveId(u32);

impl DirectiveId {
    pub(super) fn index(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}

/// A name, its arguments, and a block where it has one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Directive {
    /// The name, as written.
    pub name: Spanned<String>,
    /// What follows the name, in order.
    pub arguments: Vec<Argument>,
    /// The block, where there is one.
    pub block: Option<Block>,
    /// The directive whose block this one stands in.
    pub parent: Option<DirectiveId>,
    /// From the name to the last argument.
    pub span: Span,
    /// Which file it belongs to.
    pub layer: Layer,
}

/// What stands between two braces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// The directives in it, in order.
    pub children: Vec<DirectiveId>,
    /// The opening brace.
    pub open: Span,
}

/// An `include` that was followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Include {
    /// The directive, in the file that includes.
    pub span: Span,
    /// The file that it names.
    pub file: FileId,
}

/// A configuration, its includes followed.
///
/// Directives stand in one list and name each other by number, so that no depth of nesting can
/// exhaust the stack when a tree is dropped or walked.
#[derive(Clone, Default)]
pub struct Tree {
    directives: Vec<Directive>,
    roots: Vec<DirectiveId>,
    includes: Vec<Include>,
}

impl Tree {
    /// Reads [`DEFAULTS`] and [`FILE`] from the control directory. Files that are absent hold
    /// nothing. The tree is not to be used when a diagnostic is an [error](crate::diagnostic::Severity::Error).
    ///
    /// ```
    /// use hvmail_control::conf::tree::Tree;
    /// use hvmail_control::snapshot::Loader;
    /// use hvmail_control::source::Memory;
    ///
    /// let source = Memory::new().file("greenarrow.conf", "domain * {\n  starttls_use yes;\n}\n");
    /// let mut loader = Loader::new(&source);
    /// let (tree, diagnostics) = Tree::load(&mut loader);
    /// assert!(diagnostics.is_empty());
    /// let (id, domain) = tree.roots().next().unwrap();
    /// let (_, starttls_use) = tree.children(id).next().unwrap();
    /// assert_eq!(domain.name.value, "domain");
    /// // `;` is a character like any other.
    /// assert_eq!(starttls_use.arguments[0].values()[0].text, "yes;");
    /// ```
    #[must_use]
    pub fn load(loader: &mut Loader<'_>) -> (Self, Vec<Diagnostic>) {
        let mut parser = Parser::new(loader);
        for (path, layer) in [(DEFAULTS, Layer::Defaults), (FILE, Layer::User)] {
            parser.file(Path::new(path), layer);
        }
        parser.finish()
    }

    /// Reads one file, absolute or relative to the control directory, as the user's.
    #[must_use]
    pub fn load_file(loader: &mut Loader<'_>, path: impl AsRef<Path>) -> (Self, Vec<Diagnostic>) {
        let mut parser = Parser::new(loader);
        parser.file(path.as_ref(), Layer::User);
        parser.finish()
    }

    /// The directives that stand in no block, in order.
    pub fn roots(&self) -> impl Iterator<Item = (DirectiveId, &Directive)> {
        self.list(&self.roots)
    }

    /// The directives in the block of `id`, in order; none where it has no block.
    pub fn children(&self, id: DirectiveId) -> impl Iterator<Item = (DirectiveId, &Directive)> {
        let block = self.get(id).and_then(|directive| directive.block.as_ref());
        self.list(block.map_or(&[], |block| &block.children))
    }

    /// Every directive at any depth, each before those in its block.
    pub fn directives(&self) -> impl Iterator<Item = (DirectiveId, &Directive)> {
        (0..).map(DirectiveId).zip(&self.directives)
    }

    /// The directive with this id; `None` for an id of another tree.
    #[must_use]
    pub fn get(&self, id: DirectiveId) -> Option<&Directive> {
        self.directives.get(id.index())
    }

    /// Every `include` that was followed, in the order in which they were met.
    #[must_use]
    pub fn includes(&self) -> &[Include] {
        &self.includes
    }

    /// Adds `directive` at the end of its parent's block, or of the file.
    pub(super) fn add(&mut self, directive: Directive) -> DirectiveId {
        let id = DirectiveId(u32::try_from(self.directives.len()).unwrap_or(u32::MAX));
        let parent = directive
            .parent
            .and_then(|parent| self.directives.get_mut(parent.index()))
            .and_then(|parent| parent.block.as_mut());
        parent.map_or(&mut self.roots, |block| &mut block.children).push(id);
        self.directives.push(directive);
        id
    }

    pub(super) fn add_include(&mut self, include: Include) {
        self.includes.push(include);
    }

    fn list<'a>(
        &'a self,
        ids: &'a [DirectiveId],
    ) -> impl Iterator<Item = (DirectiveId, &'a Directive)> {
        ids.iter().filter_map(|id| self.get(*id).map(|directive| (*id, directive)))
    }
}

/// Values may be passwords and shared secrets, so only numbers are shown.
impl fmt::Debug for Tree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tree")
            .field("directives", &self.directives.len())
            .field("includes", &self.includes.len())
            .finish()
    }
}

/// The tree as one file that means the same, included files in the place of their `include`.
impl fmt::Display for Tree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // No deeper than MAX_BLOCK_DEPTH.
        fn block<'a>(
            tree: &'a Tree,
            directives: impl Iterator<Item = (DirectiveId, &'a Directive)>,
            depth: usize,
            f: &mut fmt::Formatter<'_>,
        ) -> fmt::Result {
            for (id, directive) in directives {
                write!(f, "{:1$}{directive}", "", depth * 2)?;
                if directive.block.is_some() {
                    f.write_str(" {\n")?;
                    let children: Box<dyn Iterator<Item = _>> = Box::new(tree.children(id));
                    block(tree, children, depth + 1, f)?;
                    write!(f, "{:1$}}}", "", depth * 2)?;
                }
                f.write_str("\n")?;
            }
            Ok(())
        }
        let roots: Box<dyn Iterator<Item = _>> = Box::new(self.roots());
        block(self, roots, 0, f)
    }
}

/// The name and the arguments, without the block and without a line end.
impl fmt::Display for Directive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = &self.name.value;
        if is_raw_string(name) {
            f.write_str(name)?
        } else {
            json(name, f)?
        }
        for argument in &self.arguments {
            f.write_str(" ")?;
            match argument {
                Argument::Value(value) => write!(f, "{value}")?,
                Argument::List(values) => {
                    for (index, value) in values.iter().enumerate() {
                        write!(f, "{}{value}", if index == 0 { "" } else { ", " })?;
                    }
                }
                Argument::Option(option) => write!(f, "{}={}", option.key.value, option.value)?,
                Argument::Heredoc(Heredoc { tag, body, .. }) => {
                    write!(f, "<<{tag}\n{body}{tag}")?;
                }
            }
        }
        Ok(())
    }
}

/// The string as it was written; in double quotes where its own quoting cannot hold it.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = &self.text;
        match self.quoting {
            Quoting::Raw if is_raw_string(text) => f.write_str(text),
            Quoting::Backtick if !text.contains(['`', '\0']) => write!(f, "`{text}`"),
            _ => json(text, f),
        }
    }
}

fn is_raw_string(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(is_raw)
}

fn json(text: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    f.write_str("\"")?;
    for character in text.chars() {
        match character {
            '"' | '\\' => write!(f, "\\{character}")?,
            '\n' => f.write_str("\\n")?,
            '\r' => f.write_str("\\r")?,
            '\t' => f.write_str("\\t")?,
            control if control.is_control() => write!(f, "\\u{:04x}", u32::from(control))?,
            other => write!(f, "{other}")?,
        }
    }
    f.write_str("\"")
}

#[cfg(test)]
#[path = "tree_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "tree_models.rs"]
mod models;
