//! The table of the commands that wait.

use super::{list, sorted, wait};
use crate::command::keys::{KeyFlags, KeySpec};
use crate::command::table::{Categories, Command, Flags};

const L: Categories = Categories::LIST;
const Z: Categories = Categories::SORTEDSET;

const TAKES: KeyFlags = KeyFlags::RW.union(KeyFlags::ACCESS).union(KeyFlags::DELETE);
const ADDS: KeyFlags = KeyFlags::RW.union(KeyFlags::INSERT);

const WAITS: Flags = Flags::WRITE.union(Flags::BLOCKING);
const POP: Flags = WAITS.union(Flags::NOSCRIPT);
const MOVE: Flags = POP.union(Flags::DENYOOM);
const QUICK_POP: Flags = POP.union(Flags::FAST);
const COUNTED: Flags = WAITS.union(Flags::MOVABLEKEYS);

const ANY_KEY: &[KeySpec] = &[KeySpec::range(1, -2, 1, TAKES)];
const COUNTED_KEYS: &[KeySpec] = &[KeySpec::counted(2, 1, TAKES)];
const FROM_AND_TO: &[KeySpec] = &[KeySpec::one(1, TAKES), KeySpec::one(2, ADDS)];

pub(in crate::command) const COMMANDS: &[Command] = &[
    Command::new("blpop", -3, POP, L, ANY_KEY, list::blpop).docs(
        "list",
        "2.0.0",
        "Removes and returns the first element of the first list that has one, and waits for one if none has.",
        "O(N) in the number of keys",
        "key [key ...] timeout",
    ),
    Command::new("brpop", -3, POP, L, ANY_KEY, list::brpop).docs(
        "list",
        "2.0.0",
        "Removes and returns the last element of the first list that has one, and waits for one if none has.",
        "O(N) in the number of keys",
        "key [key ...] timeout",
    ),
    Command::new("blmpop", -5, COUNTED, L, COUNTED_KEYS, list::blmpop).docs(
        "list",
        "7.0.0",
        "Removes and returns elements of the first list that has any, and waits for some if none has.",
        "O(N+M) in the number of keys and of elements",
        "timeout numkeys key [key ...] <LEFT | RIGHT> [COUNT count]",
    ),
    Command::new("blmove", 6, MOVE, L, FROM_AND_TO, list::blmove).docs(
        "list",
        "6.2.0",
        "Moves an element from one list to another and returns it; waits for one if there is none.",
        "O(1)",
        "source destination <LEFT | RIGHT> <LEFT | RIGHT> timeout",
    ),
    Command::new("brpoplpush", 4, MOVE, L, FROM_AND_TO, list::brpoplpush).docs(
        "list",
        "2.2.0",
        "Moves the last element of one list to the front of another and returns it; waits for one if there is none.",
        "O(1)",
        "source destination timeout",
    ),
    Command::new("blmovem", -6, MOVE, L, FROM_AND_TO, list::blmovem).docs(
        "list",
        "8.10.0",
        "Moves elements from one list to another and returns them; waits if there are too few.",
        "O(N) in the number of elements",
        "source destination <LEFT | RIGHT> <LEFT | RIGHT> timeout [<COUNT count | EXACTLY count> <OBO | BULK>]",
    ),
    Command::new("bzpopmin", -3, QUICK_POP, Z, ANY_KEY, sorted::bzpopmin).docs(
        "sorted-set",
        "5.0.0",
        "Removes and returns the lowest member of the first sorted set that has one, and waits for one if none has.",
        "O(log(N)) in the size of the set",
        "key [key ...] timeout",
    ),
    Command::new("bzpopmax", -3, QUICK_POP, Z, ANY_KEY, sorted::bzpopmax).docs(
        "sorted-set",
        "5.0.0",
        "Removes and returns the highest member of the first sorted set that has one, and waits for one if none has.",
        "O(log(N)) in the size of the set",
        "key [key ...] timeout",
    ),
    Command::new("bzmpop", -5, COUNTED, Z, COUNTED_KEYS, sorted::bzmpop).docs(
        "sorted-set",
        "7.0.0",
        "Removes and returns members of the first sorted set that has any, and waits for some if none has.",
        "O(K) + O(M*log(N)) for K keys, M members and a set of N",
        "timeout numkeys key [key ...] <MIN | MAX> [COUNT count]",
    ),
    Command::new("wait", 3, ALONE, Categories::CONNECTION, &[], wait::wait).docs(
        "generic",
        "3.0.0",
        "Waits until replicas have what the connection wrote.",
        "O(1)",
        "numreplicas timeout",
    ),
    Command::new("waitaof", 4, ALONE, Categories::CONNECTION, &[], wait::wait_aof).docs(
        "generic",
        "7.2.0",
        "Waits until what the connection wrote is on the disks of this server and of replicas.",
        "O(1)",
        "numlocal numreplicas timeout",
    ),
];

const ALONE: Flags = Flags::NOSCRIPT.union(Flags::BLOCKING);
