//! The hub: who listens to what, and the way of a message to the workers of those who do.
//!
//! A channel's members are listed by the worker that serves them. Who publishes looks the channel up, and posts the
//! message once to the office of each of these workers, however many of its clients listen; the worker hands it to
//! them when it has a moment, so that a subscriber that does not read keeps no publisher.
//!
//! Rules:
//! 1. A list of members changes under the write latch of its part of the index; who publishes holds that part's read
//!    latch until the message is posted everywhere. So a subscription is either before a message or after it.
//! 2. A post's number is the count of the office's posts before it. A member notes the count at its subscription, and
//!    gets only posts from there on: a message that was published earlier does not reach it late.
//! 3. Posts of one publisher keep their order: an office is a queue that one worker empties from the front.
//! 4. A worker empties its office before it runs a batch: what was published before a client leaves a channel reaches it.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, RwLock, RwLockReadGuard};

use bytes::Bytes;
use crossbeam_utils::CachePadded;
use foldhash::fast::RandomState;
use tokio::sync::Notify;

use crate::command::tracking::Note;
use crate::glob;
use crate::sync::{AtomicUsize, Ordering};

/// Parts of an index, each with a latch of its own.
const PARTS: usize = 64;

/// What a client can listen to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scope {
    /// A channel by its name.
    Channel,
    /// Channels whose names match a pattern.
    Pattern,
    /// A channel of a shard.
    Shard,
    /// What MONITOR shows: the only name is the empty one.
    Monitor,
}

/// One client that listens.
#[derive(Clone, Copy, Debug)]
struct Member {
    /// The client's number.
    client: u64,
    /// Where its worker finds it.
    seat: usize,
    /// The number of the first post that is for it.
    since: u64,
}

/// The members of one channel or pattern, by worker.
#[derive(Default)]
struct Audience {
    by_worker: Vec<(usize, Vec<Member>)>,
}

impl Audience {
    fn len(&self) -> usize {
        self.by_worker.iter().map(|(_, members)| members.len()).sum()
    }

    fn of(&self, worker: usize) -> &[Member] {
        let found = self.by_worker.iter().find(|(lane, _)| *lane == worker);
        found.map_or(&[], |(_, members)| members)
    }

    fn join(&mut self, worker: usize, member: Member) {
        match self.by_worker.iter_mut().find(|(lane, _)| *lane == worker) {
            Some((_, members)) => members.push(member),
            None => self.by_worker.push((worker, vec![member])),
        }
    }

    fn leave(&mut self, worker: usize, client: u64) {
        if let Some(at) = self.by_worker.iter().position(|(lane, _)| *lane == worker) {
            let members = &mut self.by_worker[at].1;
            members.retain(|member| member.client != client);
            if members.is_empty() {
                self.by_worker.swap_remove(at);
            }
        }
    }
}

type Part = HashMap<Bytes, Audience, RandomState>;

/// The audiences of one scope.
struct Index {
    parts: Box<[RwLock<Part>]>,
    hasher: RandomState,
    names: AtomicUsize,
}

impl Index {
    fn new(parts: usize) -> Index {
        Index {
            parts: (0..parts).map(|_| RwLock::default()).collect(),
            hasher: RandomState::default(),
            names: AtomicUsize::new(0),
        }
    }

    fn part(&self, name: &[u8]) -> &RwLock<Part> {
        use std::hash::BuildHasher;
        &self.parts[self.hasher.hash_one(name) as usize % self.parts.len()]
    }

    fn read(&self, name: &[u8]) -> RwLockReadGuard<'_, Part> {
        self.part(name).read().expect(NO_PANIC)
    }
}

const NO_PANIC: &str = "no panic under this lock";

/// One message on its way to a worker's clients.
#[derive(Clone, Debug)]
pub struct Post {
    /// Rule 2.
    number: u64,
    to: To,
    /// What they get.
    pub content: Content,
}

/// Who gets a message.
#[derive(Clone, Debug)]
enum To {
    /// The members of this channel or pattern.
    Audience(Scope, Bytes),
    /// The client of this number at this seat.
    One(u64, usize),
}

/// What a message is in either protocol.
#[derive(Clone, Debug)]
pub enum Content {
    /// A RESP2 array, whose first byte is all that differs in RESP3.
    Frame(Bytes),
    /// The same bytes in both.
    Line(Bytes),
    /// News about what the client has read.
    Note(Note),
}

#[derive(Default)]
struct Queue {
    posts: Vec<Post>,
    /// How many posts there ever were.
    count: u64,
}

/// Where posts wait for a worker.
#[derive(Default)]
struct Office {
    queue: Mutex<Queue>,
    /// Posts that wait, for those who only want to know whether there are any.
    waiting: AtomicUsize,
    arrived: Notify,
}

impl Office {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().expect(NO_PANIC)
    }

    fn post(&self, to: To, content: Content) {
        let mut queue = self.queue();
        let number = queue.count;
        queue.count += 1;
        queue.posts.push(Post { number, to, content });
        let first = queue.posts.len() == 1;
        // Ordering: Release pairs with the Acquire of `has_mail`; the queue itself is under its lock.
        self.waiting.store(queue.posts.len(), Ordering::Release);
        drop(queue);
        if first {
            self.arrived.notify_one();
        }
    }
}

/// All subscriptions of the server.
pub struct Hub {
    channels: Index,
    patterns: Index,
    shards: Index,
    monitors: Index,
    offices: Box<[CachePadded<Office>]>,
}

impl Hub {
    /// Nobody listens yet to what `workers` workers' clients publish.
    pub fn new(workers: usize) -> Hub {
        Hub {
            channels: Index::new(PARTS),
            // A message is compared with every pattern, so they are in one part.
            patterns: Index::new(1),
            shards: Index::new(PARTS),
            monitors: Index::new(1),
            offices: (0..workers).map(|_| CachePadded::default()).collect(),
        }
    }

    fn index(&self, scope: Scope) -> &Index {
        match scope {
            Scope::Channel => &self.channels,
            Scope::Pattern => &self.patterns,
            Scope::Shard => &self.shards,
            Scope::Monitor => &self.monitors,
        }
    }

    /// Adds a client, served by `worker` at `seat`, to those who listen to `name`. It does not listen to it yet.
    pub fn join(&self, scope: Scope, name: &Bytes, worker: usize, seat: usize, client: u64) {
        let index = self.index(scope);
        let mut part = index.part(name).write().expect(NO_PANIC);
        let since = self.offices[worker].queue().count;
        let audience = part.entry(name.clone()).or_default();
        if audience.by_worker.is_empty() {
            index.names.fetch_add(1, Ordering::Relaxed);
        }
        audience.join(worker, Member { client, seat, since });
    }

    /// Takes a client off those who listen to `name`.
    pub fn leave(&self, scope: Scope, name: &Bytes, worker: usize, client: u64) {
        let index = self.index(scope);
        let mut part = index.part(name).write().expect(NO_PANIC);
        if let Some(audience) = part.get_mut(name) {
            audience.leave(worker, client);
            if audience.by_worker.is_empty() {
                part.remove(name);
                index.names.fetch_sub(1, Ordering::Relaxed);
            }
        }
    }

    /// Sends `message` to those who listen to `channel`, and says how many get it; patterns count too, but not for
    /// channels of shards.
    pub fn publish(&self, scope: Scope, channel: &[u8], message: &[u8]) -> usize {
        let mut reached = 0;
        let index = self.index(scope);
        if index.names.load(Ordering::Relaxed) != 0 {
            let part = index.read(channel);
            if let Some((name, audience)) = part.get_key_value(channel) {
                let kind: &[u8] = if scope == Scope::Shard { b"smessage" } else { b"message" };
                reached += self.post(scope, name, audience, &[kind, channel, message]);
            }
        }
        if scope == Scope::Channel && self.patterns.names.load(Ordering::Relaxed) != 0 {
            for (pattern, audience) in self.patterns.read(channel).iter() {
                if glob::matches(pattern, channel, false) {
                    let words: [&[u8]; 4] = [b"pmessage", pattern, channel, message];
                    reached += self.post(Scope::Pattern, pattern, audience, &words);
                }
            }
        }
        reached
    }

    fn post(&self, scope: Scope, name: &Bytes, audience: &Audience, words: &[&[u8]]) -> usize {
        self.post_to_all(scope, name, audience, &Content::Frame(frame(words)))
    }

    fn post_to_all(&self, scope: Scope, name: &Bytes, audience: &Audience, content: &Content) -> usize {
        for (worker, _) in &audience.by_worker {
            self.offices[*worker].post(To::Audience(scope, name.clone()), content.clone());
        }
        audience.len()
    }

    /// Shows lines to those who monitor the server.
    pub fn feed(&self, lines: impl IntoIterator<Item = Bytes>) {
        let part = self.monitors.read(b"");
        if let Some((name, audience)) = part.get_key_value(&b""[..]) {
            for line in lines {
                self.post_to_all(Scope::Monitor, name, audience, &Content::Line(line));
            }
        }
    }

    /// Whether anybody monitors the server.
    pub fn is_monitored(&self) -> bool {
        self.count(Scope::Monitor) != 0
    }

    /// Sends news to one client, served by `worker` at `seat`.
    pub fn notify(&self, worker: usize, seat: usize, client: u64, note: Note) {
        self.offices[worker].post(To::One(client, seat), Content::Note(note));
    }

    /// Whether posts wait for the clients of `worker`.
    #[inline]
    pub fn has_mail(&self, worker: usize) -> bool {
        // Ordering: pairs with the Release in `post`: who published before a batch came is seen by the batch.
        self.offices[worker].waiting.load(Ordering::Acquire) != 0
    }

    /// Waits until there may be posts for the clients of `worker`.
    pub async fn mail(&self, worker: usize) {
        self.offices[worker].arrived.notified().await;
    }

    /// Takes the posts of `worker`, in order.
    pub fn take_mail(&self, worker: usize) -> Vec<Post> {
        let office = &self.offices[worker];
        let mut queue = office.queue();
        office.waiting.store(0, Ordering::Relaxed);
        std::mem::take(&mut queue.posts)
    }

    /// Calls `deliver` with the number and the seat of each client of `worker` that gets `post`.
    pub fn for_audience(&self, worker: usize, post: &Post, mut deliver: impl FnMut(u64, usize)) {
        let (scope, name) = match &post.to {
            To::One(client, seat) => return deliver(*client, *seat),
            To::Audience(scope, name) => (*scope, name),
        };
        let part = self.index(scope).read(name);
        let members = part.get(name).map_or(&[][..], |audience| audience.of(worker));
        let entitled = members.iter().filter(|member| member.since <= post.number);
        entitled.for_each(|member| deliver(member.client, member.seat));
    }

    /// The names that somebody listens to, of those that match `pattern`.
    pub fn names(&self, scope: Scope, pattern: Option<&[u8]>) -> Vec<Bytes> {
        let mut names = Vec::new();
        for part in &self.index(scope).parts {
            let part = part.read().expect(NO_PANIC);
            let wanted = |name: &&Bytes| pattern.is_none_or(|pattern| glob::matches(pattern, name, false));
            names.extend(part.keys().filter(wanted).cloned());
        }
        names
    }

    /// How many clients listen to `name`.
    pub fn listeners(&self, scope: Scope, name: &[u8]) -> usize {
        self.index(scope).read(name).get(name).map_or(0, Audience::len)
    }

    /// How many names somebody listens to.
    pub fn count(&self, scope: Scope) -> usize {
        self.index(scope).names.load(Ordering::Relaxed)
    }
}

/// A RESP2 array of bulk strings.
fn frame(words: &[&[u8]]) -> Bytes {
    let mut frame = Vec::with_capacity(words.iter().map(|word| word.len() + 16).sum::<usize>() + 4);
    let mut digits = itoa::Buffer::new();
    frame.push(b'*');
    frame.extend_from_slice(digits.format(words.len()).as_bytes());
    frame.extend_from_slice(b"\r\n");
    for word in words {
        frame.push(b'$');
        frame.extend_from_slice(digits.format(word.len()).as_bytes());
        frame.extend_from_slice(b"\r\n");
        frame.extend_from_slice(word);
        frame.extend_from_slice(b"\r\n");
    }
    Bytes::from(frame)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn received(hub: &Hub, worker: usize) -> Vec<(u64, String)> {
        let mut all = Vec::new();
        for post in hub.take_mail(worker) {
            let Content::Frame(frame) = &post.content else { continue };
            let text = String::from_utf8_lossy(frame).into_owned();
            hub.for_audience(worker, &post, |client, _| all.push((client, text.clone())));
        }
        all
    }

    #[test]
    fn a_message_reaches_those_who_listened_before_it() {
        let hub = Hub::new(2);
        let name = Bytes::from_static(b"news");
        hub.join(Scope::Channel, &name, 0, 0, 1);
        assert_eq!(hub.publish(Scope::Channel, b"news", b"a"), 1);
        hub.join(Scope::Channel, &name, 0, 1, 2);
        hub.join(Scope::Channel, &name, 1, 0, 3);
        assert_eq!(hub.publish(Scope::Channel, b"news", b"b"), 3);
        let clients: Vec<u64> = received(&hub, 0).into_iter().map(|(client, _)| client).collect();
        assert_eq!(clients, [1, 1, 2]);
        assert_eq!(received(&hub, 1).len(), 1);
    }

    #[test]
    fn patterns_follow_channels_and_whoever_left_gets_nothing() {
        let hub = Hub::new(1);
        let (name, pattern) = (Bytes::from_static(b"a.b"), Bytes::from_static(b"a.*"));
        hub.join(Scope::Channel, &name, 0, 0, 1);
        hub.join(Scope::Pattern, &pattern, 0, 0, 1);
        assert_eq!(hub.publish(Scope::Channel, b"a.b", b"x"), 2);
        assert_eq!(hub.publish(Scope::Shard, b"a.b", b"x"), 0);
        let frames: Vec<String> = received(&hub, 0).into_iter().map(|(_, frame)| frame).collect();
        assert_eq!(frames[0], "*3\r\n$7\r\nmessage\r\n$3\r\na.b\r\n$1\r\nx\r\n");
        assert_eq!(frames[1], "*4\r\n$8\r\npmessage\r\n$3\r\na.*\r\n$3\r\na.b\r\n$1\r\nx\r\n");
        hub.leave(Scope::Channel, &name, 0, 1);
        hub.leave(Scope::Pattern, &pattern, 0, 1);
        assert_eq!(hub.publish(Scope::Channel, b"a.b", b"x"), 0);
        assert_eq!((hub.count(Scope::Channel), hub.count(Scope::Pattern)), (0, 0));
    }
}
