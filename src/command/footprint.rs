//! What a call works on, as the gate knows it: the stripes of its keys, or everything.

use super::client::Client;
use super::exec::single_key;
use super::keys::{self, KeyFlags};
use super::state::Server;
use super::table::{Command, Flags};
use crate::keyspace::gate::{Closed, Gate, Section, Stripe, stripe_of};
use crate::protocol::args::Args;

/// Whether a call can begin anew when it finds out that it needs more than was closed for it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Setting {
    /// It is its client's own command: it can.
    Alone,
    /// It runs among others in a section, which have happened already when it begins: it cannot.
    Nested,
}

/// Stripes, in any order and perhaps repeated, until they are closed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Footprint {
    all: bool,
    stripes: Vec<Stripe>,
}

impl Footprint {
    /// What a client's call works on.
    pub fn of(server: &Server, client: &Client, command: &Command, args: Args<'_>) -> Footprint {
        let mut footprint = Footprint::default();
        footprint.add(server, client, command, args, Setting::Alone);
        footprint
    }

    /// Everything.
    pub fn everything() -> Footprint {
        Footprint { all: true, stripes: Vec::new() }
    }

    /// Makes it everything.
    pub fn add_everything(&mut self) {
        self.all = true;
    }

    /// Adds the stripe of one key.
    pub fn add_key(&mut self, server: &Server, key: &[u8]) {
        self.stripes.push(Footprint::stripe(server, key));
    }

    /// The stripe of one key.
    pub fn stripe(server: &Server, key: &[u8]) -> Stripe {
        stripe_of(server.keyspace.hasher.hash(key))
    }

    /// Adds stripes.
    pub fn add_stripes(&mut self, stripes: &[Stripe]) {
        self.stripes.extend(stripes);
    }

    /// Adds what a call works on. Arguments that do not fit the key specifications have no keys: the handler answers
    /// them with an error before it touches one.
    pub fn add(
        &mut self,
        server: &Server,
        client: &Client,
        command: &Command,
        args: Args<'_>,
        setting: Setting,
    ) {
        let unnamed = command.keys.iter().any(|spec| spec.flags.contains(KeyFlags::INCOMPLETE));
        if unnamed || command.flags.intersects(Flags::CLOSES_ALL.union(Flags::STABLE)) {
            self.add_everything();
        }
        if self.all {
            return;
        }
        match single_key(command, args).and_then(|at| args.get(at)) {
            Some(key) => self.add_key(server, key),
            None => {
                let mut places = Vec::new();
                keys::extract(command.keys, args, &mut places);
                places.iter().for_each(|&at| self.add_key(server, args.get(at).unwrap_or_default()));
            }
        }
        if let Some(more) = command.footprint {
            more(server, client, args, setting, self);
        }
    }

    /// Whether a section has all of it closed.
    pub fn is_covered(&self, section: &Section<'_>) -> bool {
        if self.all {
            section.is_of_everything()
        } else {
            self.stripes.iter().all(|&one| section.covers(one))
        }
    }

    /// The stripes, unless it is everything.
    pub fn stripes(&self) -> Option<&[Stripe]> {
        (!self.all).then_some(&self.stripes)
    }

    /// Closes it.
    pub fn close(mut self, gate: &Gate, lane: usize) -> Result<Section<'_>, Closed> {
        if self.all {
            return gate.close_all(lane);
        }
        self.stripes.sort_unstable();
        self.stripes.dedup();
        gate.close(lane, self.stripes)
    }
}
