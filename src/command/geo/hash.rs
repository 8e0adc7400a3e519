//! Positions as integers whose bits halve latitude and longitude in turn, after G. Niemeyer's geohash, over the square
//! of the Web Mercator projection; and distances on a sphere.

use std::f64::consts::PI;

/// Bits of each coordinate in a score.
pub(super) const STEPS: u32 = 26;
const LONGITUDE: (f64, f64) = (-180.0, 180.0);
/// Where the projection's square ends.
const LATITUDE: (f64, f64) = (-85.05112878, 85.05112878);
/// Latitudes of the common geohash text.
const FULL_LATITUDE: (f64, f64) = (-90.0, 90.0);
/// Metres, as Redis has it.
pub(super) const EARTH_RADIUS: f64 = 6372797.560856;
const LATITUDE_BITS: u64 = 0x5555_5555_5555_5555;
const LONGITUDE_BITS: u64 = 0xaaaa_aaaa_aaaa_aaaa;
const ALPHABET: &[u8; 32] = b"0123456789bcdefghjkmnpqrstuvwxyz";

pub(super) fn radians(degrees: f64) -> f64 {
    degrees * (PI / 180.0)
}

pub(super) fn degrees(radians: f64) -> f64 {
    radians / (PI / 180.0)
}

/// A place, in degrees.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct Position {
    pub(super) longitude: f64,
    pub(super) latitude: f64,
}

/// A rectangle between two meridians and two parallels.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    pub(super) west: f64,
    pub(super) east: f64,
    pub(super) south: f64,
    pub(super) north: f64,
}

/// A cell of the grid with `1 << steps` cells each way.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Cell {
    bits: u64,
    steps: u32,
}

impl Position {
    /// A place within the projection's square.
    pub(super) fn new(longitude: f64, latitude: f64) -> Option<Position> {
        let within = |value: f64, (low, high): (f64, f64)| (low..=high).contains(&value);
        (within(longitude, LONGITUDE) && within(latitude, LATITUDE))
            .then_some(Position { longitude, latitude })
    }

    /// The middle of the cell that a score means.
    pub(super) fn of_score(score: f64) -> Position {
        Cell { bits: score as u64, steps: STEPS }.middle()
    }

    /// The score: the number of the place's smallest cell.
    pub(super) fn score(self) -> f64 {
        Cell::of(self, STEPS).bits as f64
    }

    /// Eleven letters of the common geohash. The last one stands for bits that are not there.
    pub(super) fn geohash(self) -> [u8; 11] {
        let bits = encode(self, FULL_LATITUDE, STEPS);
        let mut text = [ALPHABET[0]; 11];
        for (at, letter) in text[..10].iter_mut().enumerate() {
            *letter = ALPHABET[(bits >> (2 * STEPS as usize - 5 * (at + 1))) as usize & 31];
        }
        text
    }

    /// Metres to another place along a great circle, by the haversine formula.
    pub(super) fn distance(self, other: Position) -> f64 {
        let half_longitude = ((radians(other.longitude) - radians(self.longitude)) / 2.0).sin();
        if half_longitude == 0.0 {
            return latitude_distance(self.latitude, other.latitude);
        }
        let (from, to) = (radians(self.latitude), radians(other.latitude));
        let half_latitude = ((to - from) / 2.0).sin();
        let square = half_latitude * half_latitude + from.cos() * to.cos() * half_longitude * half_longitude;
        2.0 * EARTH_RADIUS * square.sqrt().asin()
    }
}

/// Metres between two parallels.
pub(super) fn latitude_distance(from: f64, to: f64) -> f64 {
    EARTH_RADIUS * (radians(to) - radians(from)).abs()
}

/// The cell's number, latitudes being cut between `latitudes`.
fn encode(position: Position, latitudes: (f64, f64), steps: u32) -> u64 {
    let cells = (1u64 << steps) as f64;
    let offset = |value: f64, (low, high): (f64, f64)| ((value - low) / (high - low) * cells) as u32;
    spread(offset(position.latitude, latitudes)) | spread(offset(position.longitude, LONGITUDE)) << 1
}

/// The bits at even places.
fn spread(bits: u32) -> u64 {
    let mut bits = u64::from(bits);
    bits = (bits | bits << 16) & 0x0000_ffff_0000_ffff;
    bits = (bits | bits << 8) & 0x00ff_00ff_00ff_00ff;
    bits = (bits | bits << 4) & 0x0f0f_0f0f_0f0f_0f0f;
    bits = (bits | bits << 2) & 0x3333_3333_3333_3333;
    (bits | bits << 1) & LATITUDE_BITS
}

/// The bits at even places, brought together.
fn gather(bits: u64) -> u32 {
    let mut bits = bits & LATITUDE_BITS;
    bits = (bits | bits >> 1) & 0x3333_3333_3333_3333;
    bits = (bits | bits >> 2) & 0x0f0f_0f0f_0f0f_0f0f;
    bits = (bits | bits >> 4) & 0x00ff_00ff_00ff_00ff;
    bits = (bits | bits >> 8) & 0x0000_ffff_0000_ffff;
    (bits | bits >> 16) as u32
}

impl Cell {
    /// The cell in which a place is.
    pub(super) fn of(position: Position, steps: u32) -> Cell {
        Cell { bits: encode(position, LATITUDE, steps), steps }
    }

    /// Its edges.
    pub(super) fn bounds(self) -> Bounds {
        let cells = (1u64 << self.steps) as f64;
        let edge = |number: f64, (low, high): (f64, f64)| low + number / cells * (high - low);
        let (row, column) = (f64::from(gather(self.bits)), f64::from(gather(self.bits >> 1)));
        Bounds {
            west: edge(column, LONGITUDE),
            east: edge(column + 1.0, LONGITUDE),
            south: edge(row, LATITUDE),
            north: edge(row + 1.0, LATITUDE),
        }
    }

    fn middle(self) -> Position {
        let Bounds { west, east, south, north } = self.bounds();
        let between = |low: f64, high: f64, (min, max): (f64, f64)| ((low + high) / 2.0).clamp(min, max);
        Position { longitude: between(west, east, LONGITUDE), latitude: between(south, north, LATITUDE) }
    }

    /// The cell this many columns to the east and rows to the north, each -1, 0 or 1, around the globe.
    pub(super) fn neighbour(self, east: i32, north: i32) -> Cell {
        let used = u64::MAX >> (u64::BITS - 2 * self.steps);
        let (row, column) = (self.bits & LATITUDE_BITS, self.bits & LONGITUDE_BITS);
        // Bits of the other coordinate are set so that the carry, or cleared so that the borrow, runs through them.
        let moved = |bits: u64, others: u64, by: i32| match by {
            0 => bits,
            1 => bits.wrapping_add((others & used) + 1),
            _ => (bits | (others & used)).wrapping_sub((others & used) + 1),
        };
        let column = moved(column, LATITUDE_BITS, east) & LONGITUDE_BITS & used;
        let row = moved(row, LONGITUDE_BITS, north) & LATITUDE_BITS & used;
        Cell { bits: column | row, steps: self.steps }
    }

    /// The scores inside: from the first to below the second.
    pub(super) fn scores(self) -> (f64, f64) {
        let shift = 2 * (STEPS - self.steps);
        ((self.bits << shift) as f64, ((self.bits + 1) << shift) as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PALERMO: Position = Position { longitude: 13.361389, latitude: 38.115556 };
    const CATANIA: Position = Position { longitude: 15.087269, latitude: 37.502669 };

    #[test]
    fn known_places() {
        assert_eq!(PALERMO.score(), 3479099956230698.0);
        assert_eq!(CATANIA.score(), 3479447370796909.0);
        assert_eq!(&Position::of_score(PALERMO.score()).geohash(), b"sqc8b49rny0");
        let metres = Position::of_score(PALERMO.score()).distance(Position::of_score(CATANIA.score()));
        assert_eq!(super::super::distance_text(metres), "166274.1516");
    }

    #[test]
    fn neighbours_come_back() {
        let cell = Cell::of(PALERMO, 7);
        for (east, north) in [(1, 0), (0, 1), (1, 1), (1, -1)] {
            assert_ne!(cell.neighbour(east, north), cell);
            assert_eq!(cell.neighbour(east, north).neighbour(-east, -north), cell);
        }
        let first = Cell { bits: 0, steps: 3 };
        assert_eq!(first.neighbour(-1, 0), Cell { bits: 0b10_10_10, steps: 3 });
        assert_eq!(first.neighbour(0, -1), Cell { bits: 0b01_01_01, steps: 3 });
    }
}
