//! Messages to clients that did not ask for them just then: what they listen to, from the worker's office to sockets.
//!
//! Messages gather in their receivers' seats, and each receiver gets what has gathered in one write. A receiver whose
//! task waits for input, with nothing unsent, is written to at once; otherwise its task takes the messages before it
//! waits again. Either way they stand behind the replies that the task has written before.

use std::rc::Rc;

use rustix::net::SendFlags;

use super::seats::{Seat, complain};
use super::worker::Local;
use crate::command::pubsub::Post;
use crate::config::Live;

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
    let mut receivers = Vec::new();
    for post in posts {
        local.server.hub.for_audience(lane, post, |member| {
            if let Some(seat) = local.seats.at(member.seat, member.client)
                && seat.put_mail(&post.frame)
            {
                receivers.push(seat);
            }
        });
    }
    let live = local.server.config.live();
    receivers.iter().for_each(|seat| hand_over(seat, live));
}

/// Writes a seat's messages to its socket, as far as it takes them now; the task does the rest.
fn hand_over(seat: &Seat, live: &Live) {
    if seat.is_over_hard_limit(live) {
        complain(seat.client());
        return seat.shut();
    }
    if !seat.is_parked() {
        return;
    }
    seat.send_mail(|socket, bytes| rustix::net::send(socket, bytes, SendFlags::NOSIGNAL).unwrap_or(0));
    if seat.has_mail() {
        seat.wake();
    }
}
