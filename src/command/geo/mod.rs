//! Positions on the globe, as scores of a sorted set.
//!
//! | file | holds |
//! |---|---|
//! | `hash` | positions as 52 bits, cells and their neighbours, distances |
//! | `area` | circles and boxes, and the cells that cover them |
//! | `add` | GEOADD |
//! | `read` | GEOPOS, GEODIST, GEOHASH |
//! | `options` | the arguments of a search |
//! | `search` | GEOSEARCH, GEORADIUS and their kin |

mod add;
mod area;
mod hash;
mod options;
mod read;
mod search;

use hash::Position;

use crate::command::error;
use crate::command::keys::{Begin, Find, KeyFlags, KeySpec};
use crate::command::table::{Categories, Command, Flags};
use crate::command::zset::Answer;
use crate::protocol::args::{eq_ignore_case, parse_f64};

const G: Categories = Categories::GEO;
const READ: Flags = Flags::READONLY;
const WRITE: Flags = Flags::WRITE.union(Flags::DENYOOM);
const WRITE_RADIUS: Flags = WRITE.union(Flags::MOVABLEKEYS);

const READS: KeyFlags = KeyFlags::RO.union(KeyFlags::ACCESS);
const UPDATES: KeyFlags = KeyFlags::RW.union(KeyFlags::UPDATE);
const STORES: KeyFlags = KeyFlags::OW.union(KeyFlags::UPDATE);
const ONE: Find = Find::Range { last: 0, step: 1, limit: 0 };

#[rustfmt::skip]
pub(in crate::command) const COMMANDS: &[Command] = &[
    Command::new("geoadd", -5, WRITE, G, &[KeySpec::one(1, UPDATES)], add::geoadd).docs("geo", "3.2.0", "Adds members with positions to a sorted set, or moves them.", "O(log(N)) with N members in the sorted set, for each one added", "key [NX | XX] [CH] longitude latitude member [longitude latitude member ...]"),
    Command::new("geopos", -2, READ, G, &[KeySpec::one(1, READS)], read::geopos).docs("geo", "3.2.0", "Returns the positions of members.", "O(N) with N members asked for", "key [member [member ...]]"),
    Command::new("geodist", -4, READ, G, &[KeySpec::one(1, READS)], read::geodist).docs("geo", "3.2.0", "Returns the distance between two members.", "O(log(N))", "key member1 member2 [M | KM | FT | MI]"),
    Command::new("geohash", -2, READ, G, &[KeySpec::one(1, READS)], read::geohash).docs("geo", "3.2.0", "Returns the positions of members as standard geohash texts.", "O(log(N)) with N members in the sorted set, for each member asked for", "key [member [member ...]]"),
    Command::new("geosearch", -7, READ, G, &[KeySpec::one(1, READS)], search::geosearch).docs("geo", "6.2.0", "Returns the members inside an area.", "O(N + log(M)) with N members in the box around the area and M in the area", "key <FROMMEMBER member | FROMLONLAT longitude latitude> <BYRADIUS radius <M | KM | FT | MI> | BYBOX width height <M | KM | FT | MI>> [ASC | DESC] [COUNT count [ANY]] [WITHCOORD] [WITHDIST] [WITHHASH]"),
    Command::new("geosearchstore", -8, WRITE, G, &[KeySpec::one(1, STORES), KeySpec::one(2, READS)], search::geosearchstore).docs("geo", "6.2.0", "Stores the members inside an area under another key.", "O(N + log(M)) with N members in the box around the area and M in the area", "destination source <FROMMEMBER member | FROMLONLAT longitude latitude> <BYRADIUS radius <M | KM | FT | MI> | BYBOX width height <M | KM | FT | MI>> [ASC | DESC] [COUNT count [ANY]] [STOREDIST]"),
    Command::new("georadius", -6, WRITE_RADIUS, G, &[KeySpec::one(1, READS), KeySpec { flags: STORES, begin: Begin::Keyword { word: "STORE", from: 6 }, find: ONE }, KeySpec { flags: STORES, begin: Begin::Keyword { word: "STOREDIST", from: 6 }, find: ONE }], search::georadius).docs("geo", "3.2.0", "Returns the members within a distance of a point, or stores them.", "O(N + log(M)) with N members in the box around the area and M in the area", "key longitude latitude radius <M | KM | FT | MI> [WITHCOORD] [WITHDIST] [WITHHASH] [COUNT count [ANY]] [ASC | DESC] [STORE key | STOREDIST key]"),
    Command::new("georadiusbymember", -5, WRITE_RADIUS, G, &[KeySpec::one(1, READS), KeySpec { flags: STORES, begin: Begin::Keyword { word: "STORE", from: 5 }, find: ONE }, KeySpec { flags: STORES, begin: Begin::Keyword { word: "STOREDIST", from: 5 }, find: ONE }], search::georadiusbymember).docs("geo", "3.2.0", "Returns the members within a distance of a member, or stores them.", "O(N + log(M)) with N members in the box around the area and M in the area", "key member radius <M | KM | FT | MI> [WITHCOORD] [WITHDIST] [WITHHASH] [COUNT count [ANY]] [ASC | DESC] [STORE key | STOREDIST key]"),
    Command::new("georadius_ro", -6, READ, G, &[KeySpec::one(1, READS)], search::georadius_ro).docs("geo", "3.2.10", "Returns the members within a distance of a point.", "O(N + log(M)) with N members in the box around the area and M in the area", "key longitude latitude radius <M | KM | FT | MI> [WITHCOORD] [WITHDIST] [WITHHASH] [COUNT count [ANY]] [ASC | DESC]"),
    Command::new("georadiusbymember_ro", -5, READ, G, &[KeySpec::one(1, READS)], search::georadiusbymember_ro).docs("geo", "3.2.10", "Returns the members within a distance of a member.", "O(N + log(M)) with N members in the box around the area and M in the area", "key member radius <M | KM | FT | MI> [WITHCOORD] [WITHDIST] [WITHHASH] [COUNT count [ANY]] [ASC | DESC]"),];

const BAD_UNIT: &str = "ERR unsupported unit provided. please use M, KM, FT, MI";

/// Metres of the unit that an argument names.
fn unit(word: &[u8]) -> Answer<f64> {
    let units: [(&[u8], f64); 4] = [(b"m", 1.0), (b"km", 1000.0), (b"ft", 0.3048), (b"mi", 1609.34)];
    let found = units.into_iter().find(|(name, _)| eq_ignore_case(word, name));
    found.map(|(_, metres)| metres).ok_or(BAD_UNIT)
}

/// A position as two arguments, or the error to reply.
fn position(longitude: &[u8], latitude: &[u8]) -> Result<Position, String> {
    let number = |text| parse_f64(text).ok_or_else(|| error::NOT_A_FLOAT.to_string());
    let (longitude, latitude) = (number(longitude)?, number(latitude)?);
    Position::new(longitude, latitude)
        .ok_or_else(|| format!("ERR invalid longitude,latitude pair {longitude:.6},{latitude:.6}"))
}

/// A distance in some unit with four decimals.
fn distance_text(distance: f64) -> String {
    let scaled = (distance * 10_000.0).round_ties_even() as u64;
    format!("{}.{:04}", scaled / 10_000, scaled % 10_000)
}

/// A coordinate with seventeen decimals, less the zeros at their end.
fn coordinate_text(degrees: f64) -> String {
    let text = format!("{degrees:.17}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" { "0".into() } else { text.into() }
}
