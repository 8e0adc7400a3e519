//! The news, in both protocols.

use bytes::{Buf, Bytes};

use crate::protocol::reply::{Output, Reply};

/// The channel that RESP2 clients hear of invalidations through.
const CHANNEL: &[u8] = b"__redis__:invalidate";

/// What a client is told.
#[derive(Clone, Debug)]
pub struct Note {
    /// What has happened.
    pub(super) what: What,
    /// It is another client's.
    pub(super) redirected: bool,
}

/// What has happened.
#[derive(Clone, Debug)]
pub(super) enum What {
    /// Copies of these keys are no longer true.
    Keys(Bytes, usize),
    /// No copy is.
    Everything,
    /// The client of this number, which was to get the news, is gone.
    RedirectionBroken(u64),
}

impl What {
    /// That copies of these keys are no longer true.
    pub(super) fn keys<'k>(keys: impl ExactSizeIterator<Item = &'k [u8]>) -> What {
        let (mut out, count) = (Output::new(), keys.len());
        let mut reply = Reply::new(&mut out, false);
        keys.for_each(|key| reply.bulk(key));
        What::Keys(out.copy_to_bytes(out.remaining()), count)
    }
}

impl Note {
    /// Writes the news as a client gets them: in RESP2 only those of others, through a channel, and only while it
    /// listens to channels.
    pub fn write(&self, reply: &mut Reply<'_>, listens: bool) {
        if reply.resp3() {
            reply.push(2);
            match self.what {
                What::RedirectionBroken(_) => reply.bulk(b"tracking-redir-broken"),
                _ => reply.bulk(b"invalidate"),
            }
        } else if self.redirected && listens {
            reply.push(3);
            reply.bulk(b"message");
            reply.bulk(CHANNEL);
        } else {
            return;
        }
        match &self.what {
            What::Keys(keys, count) => {
                reply.array(*count);
                reply.output().write(keys);
            }
            What::Everything => reply.null(),
            What::RedirectionBroken(id) => reply.int(*id as i64),
        }
    }
}
