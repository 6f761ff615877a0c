//! Passes over text in which there is nothing to do, or one thing alone.
//!
//! Does: look at whole blocks of octets at once, in loops without branches that compilers turn into
//! vector instructions; with the feature `std` into those that the processor has, and not only into
//! those that every processor has. Does not: say what stands in a block where there is something:
//! whoever asked looks there octet by octet. Fails: never; to find too little costs time alone.

use core::ops::ControlFlow;

#[cfg(all(feature = "std", target_arch = "x86_64"))]
use fearless_simd::{Avx2, Level, Simd};
use memchr::memchr3_iter;

/// Octets that are judged at once where something was found not long ago, and may be soon.
pub(super) const BLOCK: usize = 64;
/// Octets that are judged at once in long plain text.
const LONG_BLOCK: usize = 4 * BLOCK;
/// So many blocks without a find make a text plain.
const PLAIN: usize = 8;

/// What is looked for in a block; it is given as it is, and moved by an octet either way.
trait Rule {
    fn nothing_in<const N: usize>(before: &[u8; N], here: &[u8; N], behind: &[u8; N]) -> bool;
}

/// How many octets can be passed over from the start of a text: its first one, which is judged by
/// nobody, and the blocks behind it in which there is nothing; 0 without such a block.
fn pass<R: Rule>(text: &[u8]) -> usize {
    #[cfg(all(feature = "std", target_arch = "x86_64"))]
    if let Some(avx2) = Level::new().as_avx2() {
        return avx2.vectorize(
            #[inline(always)]
            || pass_here::<R>(text),
        );
    }
    pass_here::<R>(text)
}

/// The same, for the processor that the code around it is made for.
#[inline(always)]
fn pass_here<R: Rule>(text: &[u8]) -> usize {
    let mut rest = text;
    if pass_blocks::<R, BLOCK>(&mut rest, PLAIN) {
        pass_blocks::<R, LONG_BLOCK>(&mut rest, usize::MAX);
        pass_blocks::<R, BLOCK>(&mut rest, usize::MAX);
    }
    match text.len() - rest.len() {
        0 => 0,
        passed => passed + 1,
    }
}

/// Passes over so many blocks at most; whether it was so many.
#[inline(always)]
fn pass_blocks<R: Rule, const N: usize>(rest: &mut &[u8], most: usize) -> bool {
    for _ in 0..most {
        let [_, here @ ..] = *rest else { return false };
        let [_, behind @ ..] = here else { return false };
        let (Some(before), Some(here), Some(behind)) =
            (rest.first_chunk::<N>(), here.first_chunk::<N>(), behind.first_chunk::<N>())
        else {
            return false;
        };
        if !R::nothing_in(before, here, behind) {
            return false;
        }
        *rest = &rest[N..];
    }
    true
}

// The sums below are made of octets that are 0 or 1, and not of truth values, because the loops
// become vector instructions only so.

/// Passes over octets behind the first of which there is no LF without a CR before it.
pub(super) fn pass_without_bare_lf(text: &[u8]) -> usize {
    struct NoBareLf;
    impl Rule for NoBareLf {
        #[inline(always)]
        fn nothing_in<const N: usize>(before: &[u8; N], here: &[u8; N], _: &[u8; N]) -> bool {
            let mut found = 0;
            for at in 0..N {
                found |= u8::from(here[at] == b'\n') & u8::from(before[at] != b'\r');
            }
            found == 0
        }
    }
    pass::<NoBareLf>(text)
}

/// Passes over octets behind the first of which there is no LF without a CR before it, and none
/// with a dot behind it.
pub(super) fn pass_plain_lines(text: &[u8]) -> usize {
    struct PlainLines;
    impl Rule for PlainLines {
        #[inline(always)]
        fn nothing_in<const N: usize>(before: &[u8; N], here: &[u8; N], behind: &[u8; N]) -> bool {
            let mut found = 0;
            for at in 0..N {
                let lf = u8::from(here[at] == b'\n');
                found |= lf & (u8::from(before[at] != b'\r') | u8::from(behind[at] == b'.'));
            }
            found == 0
        }
    }
    pass::<PlainLines>(text)
}

/// Passes over octets behind the first of which there is no NUL, no CR and no LF alone, and, with
/// `DOTS`, no dot behind an LF. The last of them may be a CR, whatever is behind it.
pub(super) fn pass_sendable<const DOTS: bool>(text: &[u8]) -> usize {
    struct Sendable<const DOTS: bool>;
    impl<const DOTS: bool> Rule for Sendable<DOTS> {
        #[inline(always)]
        fn nothing_in<const N: usize>(before: &[u8; N], here: &[u8; N], behind: &[u8; N]) -> bool {
            let (mut found, mut least) = (0, u8::MAX);
            for at in 0..N {
                let lf = u8::from(here[at] == b'\n');
                found |= lf ^ u8::from(before[at] == b'\r');
                if DOTS {
                    found |= lf & u8::from(behind[at] == b'.');
                }
                least = least.min(here[at]);
            }
            found == 0 && least != 0
        }
    }
    pass::<Sendable<DOTS>>(text)
}

/// Hands over the place of each LF, up to the first CR or NUL, for as long as that is wanted.
#[inline(always)]
pub(super) fn each_lone_lf(text: &[u8], mut found: impl FnMut(usize) -> ControlFlow<()>) {
    #[cfg(all(feature = "std", target_arch = "x86_64"))]
    if let Some(avx2) = Level::new().as_avx2() {
        let _ = avx2.vectorize(
            #[inline(always)]
            || each_lone_lf_in_vectors(avx2, text, found),
        );
        return;
    }
    let _ = each_lone_lf_here(text, 0, &mut found);
}

/// The same from a place on, for any processor.
#[inline(always)]
fn each_lone_lf_here(
    text: &[u8],
    from: usize,
    found: &mut impl FnMut(usize) -> ControlFlow<()>,
) -> ControlFlow<()> {
    memchr3_iter(b'\r', b'\n', 0, &text[from..]).try_for_each(
        #[inline(always)]
        |at| match text[from + at] {
            b'\n' => found(from + at),
            _ => ControlFlow::Break(()),
        },
    )
}

#[cfg(all(feature = "std", target_arch = "x86_64"))]
#[inline(always)]
fn each_lone_lf_in_vectors(
    avx2: Avx2,
    text: &[u8],
    mut found: impl FnMut(usize) -> ControlFlow<()>,
) -> ControlFlow<()> {
    const VECTOR: usize = 32;
    // One bit for each octet, the first one's lowest.
    let places = |vector: &[u8; VECTOR], octet| {
        let here = avx2.load_array_ref_u8x32(vector);
        avx2.to_bitmask_mask8x32(avx2.simd_eq_u8x32(here, avx2.splat_u8x32(octet)))
    };
    let (vectors, _) = text.as_chunks::<VECTOR>();
    for (number, vector) in vectors.iter().enumerate() {
        let mut lfs = places(vector, b'\n');
        let ends = places(vector, b'\r') | places(vector, 0);
        if ends != 0 {
            lfs &= (1 << ends.trailing_zeros()) - 1;
        }
        while lfs != 0 {
            found(VECTOR * number + lfs.trailing_zeros() as usize)?;
            lfs &= lfs - 1;
        }
        if ends != 0 {
            return ControlFlow::Break(());
        }
    }
    each_lone_lf_here(text, VECTOR * vectors.len(), &mut found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    /// What is found however it is looked for, in text with this in one place of it.
    fn everywhere(planted: &[u8], mut test: impl FnMut(&[u8])) {
        let lines = b"a line of text\nanother\nand one that is somewhat longer\n\n".repeat(4);
        // An interpreter takes seconds for what takes milliseconds.
        let step = if cfg!(miri) { 29 } else { 1 };
        for place in (0..=lines.len() - planted.len()).step_by(step) {
            let mut text = lines.clone();
            text[place..place + planted.len()].copy_from_slice(planted);
            test(&text);
        }
    }

    #[test]
    fn lone_lfs_are_found_up_to_a_cr_or_a_nul() {
        for planted in [&b""[..], b"\r", b"\0", b"\n", b"\n\n\n", b"\r\n", b"\0\r"] {
            everywhere(planted, |text| {
                let end = text.iter().position(|octet| matches!(octet, b'\r' | 0));
                let end = end.unwrap_or(text.len());
                let expected: Vec<_> = (0..end).filter(|&at| text[at] == b'\n').collect();
                for wanted in [1, 3, usize::MAX] {
                    let expected = &expected[..wanted.min(expected.len())];
                    let (mut found, mut anywhere) = (Vec::new(), Vec::new());
                    let take = |places: &mut Vec<usize>, place| {
                        places.push(place);
                        if places.len() == wanted {
                            ControlFlow::Break(())
                        } else {
                            ControlFlow::Continue(())
                        }
                    };
                    each_lone_lf(text, |lf| take(&mut found, lf));
                    let _ = each_lone_lf_here(text, 0, &mut |lf| take(&mut anywhere, lf));
                    assert_eq!((&found[..], &anywhere[..]), (expected, expected));
                }
            });
        }
    }
}
