//! The patterns of `domain` blocks: what one is made of, and why one matches nothing.
//!
//! Pure. Does not know which pattern comes before which: see [`lookup`](super::lookup).

use std::net::Ipv6Addr;

use super::tree::{Directive, Tree};
use crate::diagnostic::{Diagnostic, quoted};

/// A pattern's wildcard, empty where it has none, and the domain behind it.
pub(crate) fn split_wildcard(pattern: &str) -> (&str, &str) {
    let wildcard = ["[*.]", "*."].into_iter().find(|wildcard| pattern.starts_with(wildcard));
    pattern.split_at(wildcard.map_or(0, str::len))
}

/// What to write instead, where no recipient's domain can be what stands behind the wildcard.
pub(super) fn why_no_domain(wildcard: &str, base: &str) -> Option<String> {
    const FORMS: &str = "write a domain, *.domain, [*.]domain, or * alone";
    let label = |label: &str| {
        let good = |c: char| !c.is_ascii() || c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
        !label.is_empty() && label.chars().all(good)
    };
    let name = |text: &str| text.strip_suffix('.').unwrap_or(text).split('.').all(label);
    let below = base.strip_prefix('.').filter(|below| name(below));
    if let Some(below) = below {
        return Some(format!(
            "write *.{below} for the domains below {below}, or [*.]{below} for these and {below}"
        ));
    }
    if let Ok(address) = base.parse::<Ipv6Addr>() {
        return Some(format!("write [IPv6:{address}], as recipients write it"));
    }
    let literal = base.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let literal = wildcard.is_empty()
        && literal.is_some_and(|inner| {
            !inner.is_empty()
                && !inner.contains(|c: char| c.is_ascii_whitespace() || "[]\\".contains(c))
        });
    (!literal && !name(base)).then(|| FORMS.to_owned())
}

/// The directive in a block that asks for TLS, if one does.
pub(super) fn asks_for_tls<'t>(tree: &'t Tree, context: &Directive) -> Option<&'t Directive> {
    let children = context.block.as_ref().map_or(&[][..], |block| &block.children);
    children.iter().filter_map(|id| tree.get(*id)).find(|directive| {
        let name = directive.name.value.as_str();
        matches!(name, "starttls_require" | "starttls_use")
            && directive.boolean().is_ok_and(|said| said.value)
    })
}

/// A pattern that never matches. Where its block asks for TLS, mail goes without what was asked for.
pub(super) fn matches_nothing(
    context: &Directive,
    pattern: &str,
    asks: Option<&Directive>,
) -> Diagnostic {
    let message = format!("{} matches no domain", quoted(pattern));
    let warning = match asks {
        None => Diagnostic::warning("domain-pattern", message),
        Some(asks) => {
            let message =
                format!("{message}, so mail goes without the TLS that its block asks for");
            Diagnostic::warning("domain-pattern", message)
                .with_related(asks.span, "this holds for no mail")
        }
    };
    warning.at(context.span)
}
