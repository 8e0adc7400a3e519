//! Messages to clients that did not ask for them just then: what they listen to, from the worker's office to sockets.
//!
//! Messages gather in their receivers' seats, and each receiver gets what has gathered in one write. A receiver whose
//! task waits for input, with nothing unsent, is written to at once; otherwise its task takes the messages before it
//! waits again. Either way they stand behind the replies that the task has written before.

use std::rc::Rc;

use rustix::net::SendFlags;

use super::worker::Local;
use crate::command::pubsub::Post;

/// Posts that are delivered before the clients get their turn.
const POSTS_PER_TURN: usize = 4096;

/// Delivers what is posted to the worker of `lane`, for ever.
pub(super) async fn run(local: Rc<Local>, lane: usize) {
    loop {
        local.server.hub.mail(lane).await;
        let posts = local.server.hub.take_mail(lane);
        for part in posts.chunks(POSTS_PER_TURN) {
            deliver(&local, lane, part);
            if posts.len() > POSTS_PER_TURN {
                tokio::task::yield_now().await;
            }
        }
    }
}

/// Delivers what waits now, before a batch runs that may end a subscription.
#[inline]
pub(super) fn deliver_now(local: &Local, lane: usize) {
    if local.server.hub.has_mail(lane) {
        let posts = local.server.hub.take_mail(lane);
        deliver(local, lane, &posts);
    }
}

#[cold]
fn deliver(local: &Local, lane: usize, posts: &[Post]) {
    let (live, now) = (local.server.config.live(), local.seats.now());
    let mut receivers = Vec::new();
    for post in posts {
        local.server.hub.for_audience(lane, post, |client, place| {
            if let Some(seat) = local.seats.at(place, client)
                && seat.put_mail(&post.content, now, live)
            {
                receivers.push(seat);
            }
        });
    }
    for seat in &receivers {
        seat.hand_over(|socket, bytes| rustix::net::send(socket, bytes, SendFlags::NOSIGNAL).unwrap_or(0));
        seat.mind_memory(&local.server.clients, live);
    }
}
