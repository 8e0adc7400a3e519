//! The matcher against a recursive one that is obviously right, and the habits of Redis by example.

use std::time::Duration;

use proptest::prelude::*;

use super::*;

/// Every element in turn, a star trying every length: too slow for a server, too simple to be wrong.
fn oracle(pattern: &[u8], text: &[u8], nocase: bool) -> bool {
    match (pattern.first(), text.first()) {
        (None, None) => true,
        (Some(b'*'), _) => (0..=text.len()).any(|taken| oracle(&pattern[1..], &text[taken..], nocase)),
        (Some(_), Some(&byte)) => {
            let step = take_one(pattern, byte, nocase);
            step.hit && oracle(&pattern[step.used..], &text[1..], nocase)
        }
        _ => false,
    }
}

fn hits(pattern: &str, text: &str) -> bool {
    matches(pattern.as_bytes(), text.as_bytes(), false)
}

#[test]
fn stars_and_question_marks() {
    assert!(hits("*", "") && hits("*", "abc") && hits("**", "abc") && hits("a*", "a") && hits("*c", "abc"));
    assert!(hits("h*llo", "heeeello") && hits("h?llo", "hello") && hits("a*b*c", "a__b_b_c"));
    assert!(
        !hits("h?llo", "hllo") && !hits("a*b", "abc") && !hits("", "a") && !hits("a", "") && !hits("?", "")
    );
    assert!(hits("", ""));
}

#[test]
fn sets_and_ranges() {
    assert!(hits("h[ae]llo", "hello") && hits("h[a-e]llo", "hcllo") && hits("h[e-a]llo", "hcllo"));
    assert!(!hits("h[ae]llo", "hillo") && !hits("h[^e]llo", "hello") && hits("h[^e]llo", "hbllo"));
    assert!(hits("[a-]", "^") && !hits("[a-]", "-"), "the closing bracket is a range's end here");
    assert!(
        !hits("[]a]", "a") && hits("[^]", "x"),
        "a bracket right after the opening one closes an empty set"
    );
}

#[test]
fn unterminated_sets_end_with_the_pattern() {
    assert!(
        hits("[abc", "b") && !hits("[abc", "d") && !hits("[", "[") && hits("[^", "x") && hits("x[^a", "xb")
    );
}

#[test]
fn escapes() {
    assert!(hits("a\\*b", "a*b") && !hits("a\\*b", "axb") && hits("[\\]]", "]") && hits("\\", "\\"));
    assert!(hits("[\\-x]", "-") && hits("\\a", "a") && hits("[a\\", "\\"));
}

#[test]
fn case() {
    assert!(
        matches(b"HeL*", b"hello", true)
            && matches(b"[A-C]x", b"bX", true)
            && !matches(b"HeL*", b"hello", false)
    );
    assert!(!matches(b"[\\A]", b"a", true), "an escaped member keeps its case");
}

#[test]
fn patterns_know_their_shape() {
    assert!(Pattern::new(b"***").matches_all() && !Pattern::new(b"a*").matches_all());
    assert_eq!(Pattern::new(b"a\\*b").as_literal(), Some(b"a*b".as_slice()));
    assert_eq!(Pattern::new(b"ab?").as_literal(), None);
    assert!(Pattern::new(b"user:*").matches(b"user:1") && !Pattern::new(b"user:*").matches(b"use"));
}

/// Processor time that this thread has used: what the machine does besides is none of the matcher's.
fn used() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the record is ours, and the clock is one that every system has.
    let failed = unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut time) };
    assert_eq!(failed, 0);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// Row 42: huge patterns and piled-up stars answer at once.
#[test]
fn row_42_hostile_patterns_are_bounded() {
    let text = vec![b'a'; 1 << 20];
    let piled = [b"a*".repeat(10_000), b"b".to_vec()].concat();
    let long = [b"*".to_vec(), vec![b'a'; 1 << 19], b"b".to_vec()].concat();
    let sets = [b"*".to_vec(), b"[a-z]".repeat(200_000), b"b".to_vec()].concat();
    let open = [b"*[".to_vec(), vec![b'b'; 1 << 20]].concat();
    for pattern in [piled, long, sets, open, vec![b'*'; 1 << 20], vec![b'['; 1 << 20]] {
        let before = used();
        let expected = pattern.iter().all(|&byte| byte == b'*');
        assert_eq!(matches(&pattern, &text, false), expected);
        assert!(used() - before < Duration::from_secs(5), "a pattern of {} bytes", pattern.len());
    }
}

#[test]
fn large_honest_patterns_still_match() {
    let text = vec![b'a'; 1 << 20];
    assert!(matches(&text, &text, false) && Pattern::new(&text).matches(&text));
    assert!(matches(&[b"*".as_slice(), &text[..500]].concat(), &text[..5000], false));
    assert!(matches(&b"a*".repeat(10_000), &text, false));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    #[test]
    fn agrees_with_the_oracle(pattern in "[abAB*?\\[\\]^\\-\\\\]{0,10}", text in "[abAB\\]^\\-\\\\]{0,8}", nocase: bool) {
        let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
        let expected = oracle(pattern, text, nocase);
        prop_assert_eq!(matches(pattern, text, nocase), expected);
        if !nocase {
            prop_assert_eq!(Pattern::new(pattern).matches(text), expected);
        }
    }
}
