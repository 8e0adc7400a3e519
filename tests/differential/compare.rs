//! Whether two replies are the same, as far as they are decided.

use crate::exceptions;
use crate::wire::{Node, Words, shown};

/// What of a reply is not decided by what was sent.
#[derive(Clone, Copy, Default)]
struct Rule {
    /// The order of the parts.
    order: bool,
    /// The order of pairs: fields and values, members and scores.
    pairs: bool,
    /// All but the kind and the number of parts.
    picks: bool,
    /// Numbers that a clock moves: by how much at most.
    clock: i64,
    /// How many digits a fraction has: Redis 7.0 writes 17 where 7.2 writes as many as it takes.
    digits: bool,
    /// Elements of the clock and of the representation, by their names.
    by_name: bool,
}

/// The command that decides the reply, in lower case, and its words: of a script, what it calls.
fn subject(words: &Words) -> (String, &[Vec<u8>]) {
    let name = |words: &[Vec<u8>]| String::from_utf8_lossy(&words[0]).to_ascii_lowercase();
    if name(words).starts_with("eval") && words.len() > 3 {
        let keys =
            std::str::from_utf8(&words[2]).ok().and_then(|keys| keys.parse::<usize>().ok()).unwrap_or(0);
        if let Some(inner) = words.get(3 + keys..).filter(|inner| !inner.is_empty()) {
            return (name(inner), inner);
        }
    }
    (name(words), words)
}

/// Whether a SORT leaves the elements as they come: its BY names no keys.
fn is_unsorted(words: &[Vec<u8>]) -> bool {
    let by = words.iter().position(|word| word.eq_ignore_ascii_case(b"BY"));
    by.and_then(|at| words.get(at + 1)).is_some_and(|pattern| !pattern.contains(&b'*'))
}

fn rule(words: &Words) -> Rule {
    let (name, own) = subject(words);
    let has = |word: &[u8]| own.iter().any(|own| own.eq_ignore_ascii_case(word));
    let as_map = words.get(1).is_some_and(|body| body.starts_with(b"redis.setresp"));
    let mut rule = Rule { order: as_map, ..Rule::default() };
    match &*name {
        "keys" | "smembers" | "sinter" | "sunion" | "sdiff" | "hkeys" | "hvals" => rule.order = true,
        "spop" | "srandmember" | "hrandfield" | "zrandmember" | "randomkey" | "dump" => rule.picks = true,
        "scan" | "sscan" => rule.order = true,
        "hgetall" | "hscan" | "zscan" => rule.pairs = true,
        "sort" | "sort_ro" => rule.order = is_unsorted(own),
        "object" => rule.picks = has(b"idletime"),
        "ttl" | "expiretime" => rule.clock = 5,
        "pttl" | "pexpiretime" => rule.clock = 5000,
        "xpending" => rule.clock = 5000,
        "xinfo" => (rule.by_name, rule.clock) = (true, 5000),
        _ => {}
    }
    rule.digits = name.starts_with('z') || name.starts_with("bz") || name.starts_with("geo");
    rule
}

/// Compares the replies to a row of commands; the first that differ, as text.
pub fn differences(commands: &[&Words], theirs: &[Node], ours: &[Node]) -> Option<(usize, String)> {
    let mut queued: Vec<&Words> = Vec::new();
    let mut in_transaction = false;
    for (at, words) in commands.iter().enumerate() {
        let name = words[0].to_ascii_uppercase();
        let (them, us) = (&theirs[at], &ours[at]);
        let same = match &name[..] {
            b"EXEC" if in_transaction => same_transaction(&queued, them, us),
            _ => same_reply(words, them, us),
        };
        match &name[..] {
            b"MULTI" => (in_transaction, queued) = (true, Vec::new()),
            b"EXEC" | b"DISCARD" => in_transaction = false,
            _ if in_transaction && them.text() == b"QUEUED" => queued.push(words),
            _ => {}
        }
        if !same {
            let mut told = format!("{}\n    redis-server: {them}\n    this server:  {us}", shown(words));
            queued.iter().filter(|_| name == b"EXEC").for_each(|words| {
                told.push_str(&format!("\n    of {}", shown(words)));
            });
            return Some((at, told));
        }
    }
    None
}

fn same_transaction(queued: &[&Words], theirs: &Node, ours: &Node) -> bool {
    let (them, us) = (theirs.parts(), ours.parts());
    if them.is_empty() || us.is_empty() {
        return theirs == ours;
    }
    let pairs = || queued.iter().zip(them).zip(us);
    them.len() == us.len() && pairs().all(|((words, them), us)| same_reply(words, them, us))
}

/// Whether two replies to a command are the same.
pub fn same_reply(words: &Words, theirs: &Node, ours: &Node) -> bool {
    // See `steps::settled`.
    if words[0] == b"xgroup" {
        return true;
    }
    let rule = rule(words);
    let begins = subject(words).1.iter().skip(1).any(|word| word == b"0");
    if subject(words).0.contains("scan") && !(begins && is_whole_scan(theirs) && is_whole_scan(ours)) {
        return std::mem::discriminant(theirs) == std::mem::discriminant(ours);
    }
    same(&canonical(theirs, rule), &canonical(ours, rule), rule)
        || exceptions::allowed(&subject(words).0, theirs, ours)
}

/// Whether a scan's reply has all elements; cursors and steps are each server's own. Errors are whole.
fn is_whole_scan(reply: &Node) -> bool {
    reply.parts().first().is_none_or(|cursor| cursor.text() == b"0")
}

/// Names in XINFO's replies whose values depend on the clock or on the representation; and the lag, which Redis 7.2.6
/// computes in other ways than 7.0.
const UNDECIDED: &[&[u8]] = &[b"radix-tree-keys", b"radix-tree-nodes", b"idle", b"seen-time", b"lag"];
/// Names that Redis 7.2 added to XINFO's replies.
const NEWER: &[&[u8]] = &[b"active-time", b"inactive"];

/// The reply with the parts that have no order in one order.
fn canonical(node: &Node, rule: Rule) -> Node {
    let Node::Many(kind, parts) = node else { return node.clone() };
    let mut parts: Vec<Node> = parts.iter().map(|part| canonical(part, rule)).collect();
    if rule.by_name {
        parts = by_name(parts);
    }
    match kind {
        b'%' => parts = sorted_pairs(parts),
        b'~' => parts.sort(),
        _ if rule.order => parts.sort(),
        _ if rule.pairs && !parts.iter().any(|part| matches!(part, Node::Many(..))) => {
            parts = sorted_pairs(parts);
        }
        _ => {}
    }
    Node::Many(*kind, parts)
}

fn sorted_pairs(parts: Vec<Node>) -> Vec<Node> {
    let mut pairs: Vec<_> = parts.chunks(2).map(<[Node]>::to_vec).collect();
    pairs.sort();
    pairs.concat()
}

fn by_name(parts: Vec<Node>) -> Vec<Node> {
    let mut kept: Vec<Node> = Vec::new();
    let mut parts = parts.into_iter();
    while let Some(part) = parts.next() {
        if NEWER.contains(&part.text()) {
            parts.next();
            continue;
        }
        let undecided = UNDECIDED.contains(&part.text());
        kept.push(part);
        if undecided {
            parts.next();
            kept.push(Node::Null(b'?'));
        }
    }
    kept
}

fn same(theirs: &Node, ours: &Node, rule: Rule) -> bool {
    match (theirs, ours) {
        (Node::Many(a, them), Node::Many(b, us)) => {
            let parts = || them.iter().zip(us).all(|(them, us)| same(them, us, rule));
            a == b && them.len() == us.len() && (rule.picks || parts())
        }
        (Node::Line(b':', them), Node::Line(b':', us)) if rule.clock != 0 => close(them, us, rule.clock),
        (Node::Bulk(a, them), Node::Bulk(b, us)) => {
            a == b && (them == us || rule.picks || rule.digits && same_number(them, us))
        }
        (Node::Line(b',', them), Node::Line(b',', us)) => them == us || rule.digits && same_number(them, us),
        (Node::Line(b':', _), Node::Line(b':', _)) if rule.picks => true,
        _ => theirs == ours,
    }
}

fn number<T: std::str::FromStr>(text: &[u8]) -> Option<T> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

fn close(theirs: &[u8], ours: &[u8], most: i64) -> bool {
    match (number::<i64>(theirs), number::<i64>(ours)) {
        (Some(them), Some(us)) => (them < 0) == (us < 0) && them.abs_diff(us) <= most as u64,
        _ => false,
    }
}

fn same_number(theirs: &[u8], ours: &[u8]) -> bool {
    /// From here on not every whole number is a double.
    const SPARSE: f64 = 9_007_199_254_740_992.0;
    let fraction = theirs.iter().any(|byte| b".e".contains(byte));
    let open = |number: f64| fraction || number.abs() >= SPARSE;
    number(theirs).is_some_and(|them| open(them) && number(ours) == Some(them))
}
