//! Answering a request, if there is something to answer.

use super::super::Refusal;
use super::super::entries::{reply_body, reply_deleted, reply_entry};
use super::request::{From, Reader, Request, Wanted, no_group_to_read};
use crate::keyspace::{Absent, Edit, Space, WrongType};
use crate::protocol::reply::{Mark, Reply};
use crate::value::stream::{ConsumerNo, Count, Entry, Id, Log, Stream};

/// Answers `request` if some stream has something for it, or if it has to be refused; false if there is nothing, and
/// then nothing was written. `created` is told the keys in whose groups the reader is new.
pub(crate) fn try_read(
    space: &Space<'_>,
    request: &Request<'_>,
    reply: &mut Reply<'_>,
    created: &mut dyn FnMut(&[u8]),
) -> bool {
    let start = reply.begin_array();
    let mut answer = Answer { request, start, streams: 0, entries: 0 };
    let done = request.streams.iter().try_for_each(|wanted| match &request.reader {
        None => answer.read(space, reply, wanted),
        Some(reader) => answer.read_for(space, reply, wanted, reader, created),
    });
    if let Err(refusal) = done {
        reply.output().rollback(start);
        reply.error(&refusal.0);
        return true;
    }
    answer.end(reply)
}

/// A reply in the making.
struct Answer<'r> {
    request: &'r Request<'r>,
    start: Mark,
    /// Streams in it.
    streams: usize,
    /// Entries in it.
    entries: usize,
}

/// What is written of one stream.
struct Part {
    start: Mark,
    /// Where its entries begin.
    entries_start: Mark,
    entries: usize,
    /// It belongs into the reply even if there is no entry.
    shown: bool,
}

impl Answer<'_> {
    /// Entries that one stream may still give.
    fn room(&self) -> usize {
        self.request.count.min(self.request.max_count.saturating_sub(self.entries))
    }

    fn begin(&self, reply: &mut Reply<'_>, wanted: &Wanted<'_>) -> Part {
        let start = reply.begin_array();
        if !reply.resp3() {
            reply.array(2);
        }
        reply.bulk(&wanted.key);
        Part { start, entries_start: reply.begin_array(), entries: 0, shown: false }
    }

    fn end_part(&mut self, reply: &mut Reply<'_>, part: Part) {
        if part.entries == 0 && !part.shown {
            return reply.output().rollback(part.start);
        }
        reply.end_array(part.entries_start, part.entries);
        self.streams += 1;
        self.entries += part.entries;
    }

    fn end(self, reply: &mut Reply<'_>) -> bool {
        if self.streams > 0 && reply.resp3() {
            reply.end_map(self.start, self.streams);
        } else if self.streams > 0 {
            reply.end_array(self.start, self.streams);
        }
        self.streams > 0
    }

    /// Writes an entry; false if the reply is too large for it, and then it is not there.
    fn show(&self, reply: &mut Reply<'_>, part: &mut Part, write: impl FnOnce(&mut Reply<'_>)) -> bool {
        let before = reply.begin_array();
        write(reply);
        let first = self.entries + part.entries == 0;
        if !first && reply.output().since(self.start) > self.request.max_size {
            reply.output().rollback(before);
            return false;
        }
        part.entries += 1;
        true
    }

    /// XREAD of one stream.
    fn read(&mut self, space: &Space<'_>, reply: &mut Reply<'_>, wanted: &Wanted<'_>) -> Result<(), Refusal> {
        let From::After(after) = wanted.from else { return Ok(()) };
        let (Some(from), room) = (after.next(), self.room()) else { return Ok(()) };
        if room == 0 {
            return Ok(());
        }
        let part = space.read_as::<Stream, _>(space.key(&wanted.key), |log| {
            // Most streams that are asked about have nothing new.
            if !log.entries().has_after(after) {
                return None;
            }
            let mut part = self.begin(reply, wanted);
            for entry in log.range(from, Id::MAX).take(room) {
                if !self.show(reply, &mut part, |reply| reply_entry(reply, &entry)) {
                    break;
                }
            }
            Some(part)
        })?;
        if let Some(part) = part.flatten() {
            self.end_part(reply, part);
        }
        Ok(())
    }

    /// XREADGROUP of one stream.
    fn read_for(
        &mut self,
        space: &Space<'_>,
        reply: &mut Reply<'_>,
        wanted: &Wanted<'_>,
        reader: &Reader<'_>,
        created: &mut dyn FnMut(&[u8]),
    ) -> Result<(), Refusal> {
        let room = self.room();
        let before = reply.begin_array();
        let edited = space.edit(space.key(&wanted.key), Absent::Skip, |stream: &mut Stream| {
            // The closure may run again.
            reply.output().rollback(before);
            let Some(group) = stream.group_mut(&reader.group) else { return Edit::Unchanged(None) };
            let (consumer, is_new) = group.consumer_or_new(&reader.consumer, space.now);
            group.consumer_mut(consumer).seen = space.now;
            let who = Who { group: &reader.group, consumer, now: space.now, room };
            let part = match wanted.from {
                _ if room == 0 => None,
                From::New => self.read_new(reply, wanted, stream, &who),
                From::After(after) => Some(self.read_history(reply, wanted, stream, &who, after)),
            };
            Edit::Changed(Some((part, is_new)))
        });
        let edited = edited.map_err(|WrongType| Refusal::from(WrongType))?;
        let answer = edited.and_then(|edited| edited.answer);
        let (part, is_new) = answer.ok_or_else(|| no_group_to_read(&wanted.key, &reader.group))?;
        if is_new {
            created(&wanted.key);
        }
        if let Some(part) = part {
            self.end_part(reply, part);
        }
        Ok(())
    }

    /// Entries that waited too long with others, if they are asked for, and those that nobody was given.
    fn read_new(
        &self,
        reply: &mut Reply<'_>,
        wanted: &Wanted<'_>,
        log: &mut Log,
        who: &Who<'_>,
    ) -> Option<Part> {
        let claimed = match self.request.claim {
            Some(min) => log.group_mut(who.group)?.oldest(min, who.now, who.room),
            None => Vec::new(),
        };
        let (group, entries) = log.group_and_entries(who.group)?;
        if claimed.is_empty() && !entries.has_after(group.last_id) {
            return None;
        }
        let mut part = self.begin(reply, wanted);
        let mut fits = true;
        for id in claimed {
            fits = fits && self.claim(reply, &mut part, log, who, id);
        }
        let (group, entries) = log.group_and_entries(who.group)?;
        let Some(from) = group.last_id.next().filter(|_| fits) else { return Some(part) };
        for entry in entries.range(from, Id::MAX).take(who.room - part.entries) {
            let with_idle = self.request.claim.is_some();
            let write = |reply: &mut Reply<'_>| match with_idle {
                true => reply_waited(reply, &entry, 0, 0),
                false => reply_entry(reply, &entry),
            };
            if !self.show(reply, &mut part, write) {
                break;
            }
            entries.advance(group, entry.id);
            if !self.request.no_ack {
                group.deliver(entry.id, who.consumer, who.now);
            }
        }
        Some(part)
    }

    /// Takes over an entry that waited; false if the reply is too large for it. One that was deleted is nobody's task.
    fn claim(&self, reply: &mut Reply<'_>, part: &mut Part, log: &mut Log, who: &Who<'_>, id: Id) -> bool {
        let Some((group, entries)) = log.group_and_entries(who.group) else { return false };
        let (Some(entry), Some(pending)) = (entries.find(id), group.pending_of(id)) else {
            group.acknowledge(id);
            return true;
        };
        let idle = pending.idle(who.now).map_or(-1, |idle| idle as i64);
        let deliveries = pending.deliveries as i64;
        if !self.show(reply, part, |reply| reply_waited(reply, &entry, idle, deliveries)) {
            return false;
        }
        group.claim(id, who.consumer, who.now, Count::OneMore);
        group.consumer_mut(who.consumer).active = Some(who.now);
        true
    }

    /// What the consumer has pending after an id.
    fn read_history(
        &self,
        reply: &mut Reply<'_>,
        wanted: &Wanted<'_>,
        log: &mut Log,
        who: &Who<'_>,
        after: Id,
    ) -> Part {
        let mut part = self.begin(reply, wanted);
        part.shown = true;
        let Some((group, entries)) = log.group_and_entries(who.group) else { return part };
        let Some(from) = after.next() else { return part };
        let ids: Vec<Id> = group.consumer(who.consumer).pending(from..).take(who.room).collect();
        for id in ids {
            let entry = entries.find(id);
            let write = |reply: &mut Reply<'_>| match &entry {
                Some(entry) => reply_entry(reply, entry),
                None => reply_deleted(reply, id),
            };
            if !self.show(reply, &mut part, write) {
                break;
            }
            if entry.is_some() {
                group.claim(id, who.consumer, who.now, Count::OneMore);
            }
        }
        part
    }
}

/// Who reads for which group, and how many entries there is room for.
struct Who<'a> {
    group: &'a [u8],
    consumer: ConsumerNo,
    now: u64,
    room: usize,
}

/// An entry with the milliseconds since its last delivery, and how many there were.
fn reply_waited(reply: &mut Reply<'_>, entry: &Entry<'_>, idle: i64, deliveries: i64) {
    reply.array(4);
    reply_body(reply, entry);
    reply.int(idle);
    reply.int(deliveries);
}
