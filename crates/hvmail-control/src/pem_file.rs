//! A file of PEM sections, each with its place.
//!
//! Does: split a file, say where in it a section or a fault stands, and keep its content from whoever draws what
//! is said of it: a setting may name any file. Does not: look into a section, nor
//! judge what it is for. Fails: [`NotPem`], for the first fault.

use smtp_tls::{PemError, PemSection, pem_sections};

use crate::setting::Gather;
use crate::snapshot::{FileId, Span};

/// The sections of one file, in order, at least one, each with the place of its first line.
pub(crate) struct PemFile(pub(crate) Vec<(PemSection, Span)>);

/// Why a file holds no sections, and where that shows.
pub(crate) struct NotPem {
    pub(crate) reason: String,
    pub(crate) span: Span,
}

impl PemFile {
    pub(crate) fn read(gather: &mut Gather<'_>, file: FileId) -> Result<Self, NotPem> {
        gather.loader.is_no_text(file);
        let bytes = gather.loader.snapshot().bytes(file);
        match pem_sections(bytes) {
            Ok(sections) if sections.is_empty() => Err(NotPem {
                reason: "this file holds no PEM section".to_owned(),
                span: line_span(bytes, file, 1),
            }),
            Ok(sections) => {
                let place = |section: PemSection| {
                    let rest = bytes.get(section.offset..).unwrap_or_default();
                    let length = crate::read::lines(rest)
                        .next()
                        .map_or(0, |line| line.trim_end().bytes.len());
                    let span = Span::new(file, section.offset, section.offset + length);
                    (section, span)
                };
                Ok(Self(sections.into_iter().map(place).collect()))
            }
            Err(error) => {
                let span = line_span(bytes, file, error.line());
                Err(NotPem { reason: without_label(&error), span })
            }
        }
    }
}

/// What is wrong, without the label of the section: it may be any text.
fn without_label(error: &PemError) -> String {
    match error {
        PemError::NoEnd { line, .. } => format!("line {line}: this section has no END line"),
        PemError::WrongEnd { line, .. } => {
            format!("line {line}: expected the END line of the section before it")
        }
        PemError::Empty { line, .. } => format!("line {line}: this section is empty"),
        other => other.to_string(),
    }
}

/// The place of a line, from 1, without its end.
fn line_span(bytes: &[u8], file: FileId, number: u32) -> Span {
    let index = usize::try_from(number).unwrap_or(usize::MAX).saturating_sub(1);
    crate::read::lines(bytes)
        .nth(index)
        .map_or(Span::new(file, 0, 0), |line| line.trim_end().span(file))
}
