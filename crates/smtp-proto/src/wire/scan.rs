//! Passes over text in which there is nothing to do.
//!
//! Does: look at whole blocks of octets at once, in loops without branches that compilers turn into
//! vector instructions. Does not: say what stands in a block where there is something: whoever asked
//! looks there octet by octet. Fails: never; to find too little costs time alone.

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
#[inline(always)]
fn pass<R: Rule>(text: &[u8]) -> usize {
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
