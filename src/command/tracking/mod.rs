//! Client-side caching: clients that keep copies of what they read, and are told when the copies are no longer true.
//!
//! | file | holds |
//! |---|---|
//! | `tracker` | what one client has asked for, and where its news go |
//! | `note` | the news, in both protocols |
//! | `desk` | all trackers; what becomes of changes of keys |
//! | `broadcast` | clients that hear of all keys with a prefix |
//! | `own` | news of a client's own commands, which follow their replies |
//! | `reads` | entering what a client's command is about to read |
//! | `commands` | CLIENT TRACKING, CACHING, GETREDIR and TRACKINGINFO |
//!
//! Who has read what is the keyspace's business: [`Readers`](crate::keyspace::observe::Readers), whose rules say why no
//! change is missed. A client that tracks is not plain, so that the executor takes its commands through
//! [`reads::enter`]; nobody else's pay for it.
//!
//! # Order
//! News travel as messages of channels do: through the worker's office into the client's mail, which is written behind
//! the replies that the client's task has made by then. What a client's own command makes untrue is told behind that
//! command's reply, before the next one runs. News may overtake the reply of a command that is running, when they go to
//! another connection: as in Redis, where they may overtake the request.

mod broadcast;
mod commands;
mod desk;
mod note;
mod own;
mod reads;
mod tracker;

pub(super) use commands::{caching, footprint, get_redirection, info, track};
pub use desk::Tracking;
pub use note::Note;
pub(super) use own::Own;
pub(super) use reads::{enter, enter_in};
pub use tracker::{Modes, Tracker};
