//! Positions, in exact bytes.

mod common;

use common::{Raw, TestServer};

fn sicily() -> (TestServer, Raw) {
    let server = TestServer::start();
    let mut raw = server.raw();
    raw.check("GEOADD s 13.361389 38.115556 Palermo 15.087269 37.502669 Catania", ":2\r\n");
    (server, raw)
}

#[test]
fn positions_distances_and_hashes() {
    let (_server, mut raw) = sicily();
    raw.check("ZSCORE s Palermo", "$16\r\n3479099956230698\r\n");
    raw.check("GEOADD s CH 13.361389 38.115556 Palermo", ":0\r\n");
    raw.check("GEOADD s NX 1 1 Palermo", ":0\r\n");
    raw.check("GEOADD s XX 1 1 nobody", ":0\r\n");
    raw.check("GEODIST s Palermo Catania", "$11\r\n166274.1516\r\n");
    raw.check("GEODIST s Palermo Catania KM", "$8\r\n166.2742\r\n");
    raw.check("GEODIST s Palermo Catania mi", "$8\r\n103.3182\r\n");
    raw.check("GEODIST s Palermo nobody", "$-1\r\n");
    raw.check("GEOHASH s Palermo nobody", "*2\r\n$11\r\nsqc8b49rny0\r\n$-1\r\n");
    raw.check(
        "GEOPOS s Palermo nobody",
        "*2\r\n*2\r\n$20\r\n13.36138933897018433\r\n$20\r\n38.11555639549629859\r\n*-1\r\n",
    );
    raw.check("GEOPOS absent a", "*1\r\n*-1\r\n");
}

#[test]
fn searches() {
    let (_server, mut raw) = sicily();
    let both = "*2\r\n$7\r\nCatania\r\n$7\r\nPalermo\r\n";
    raw.check("GEOSEARCH s FROMLONLAT 15 37 BYRADIUS 200 km ASC", both);
    raw.check("GEOSEARCH s FROMLONLAT 15 37 BYBOX 400 400 km ASC", both);
    raw.check("GEORADIUS s 15 37 200 km ASC", both);
    raw.check("GEORADIUS_RO s 15 37 200 km DESC COUNT 1", "*1\r\n$7\r\nPalermo\r\n");
    raw.check("GEORADIUSBYMEMBER s Catania 10 m", "*1\r\n$7\r\nCatania\r\n");
    raw.check("GEOSEARCH s FROMMEMBER Palermo BYRADIUS 100 km WITHDIST WITHHASH WITHCOORD", "*1\r\n*4\r\n$7\r\nPalermo\r\n$6\r\n0.0000\r\n:3479099956230698\r\n*2\r\n$20\r\n13.36138933897018433\r\n$20\r\n38.11555639549629859\r\n");
    raw.check("GEOSEARCH s FROMLONLAT 15 37 BYRADIUS 200 km COUNT 1", "*1\r\n$7\r\nCatania\r\n");
    raw.check("GEOSEARCHSTORE d s FROMLONLAT 15 37 BYRADIUS 200 km STOREDIST", ":2\r\n");
    raw.check("ZRANGE d 0 -1", both);
    raw.check("GEORADIUS s 15 37 200 km STORE d", ":2\r\n");
    raw.check("ZSCORE d Palermo", "$16\r\n3479099956230698\r\n");
    raw.check("GEORADIUS s 0 0 1 km STORE d", ":0\r\n");
    raw.check("EXISTS d", ":0\r\n");
}

#[test]
fn refusals() {
    let (_server, mut raw) = sicily();
    raw.check("SET text x", "+OK\r\n");
    let only = "STORE option in GEORADIUS is not compatible with WITHDIST, WITHHASH and WITHCOORD options";
    for (line, error) in [
        ("GEOADD g 200 2 a", "ERR invalid longitude,latitude pair 200.000000,2.000000"),
        ("GEOADD g x 2 a", "ERR value is not a valid float"),
        ("GEOADD g NX XX 1 2 a", "ERR syntax error"),
        ("GEOADD g CH 1 2", "ERR syntax error"),
        ("GEODIST absent a b foo", "ERR unsupported unit provided. please use M, KM, FT, MI"),
        ("GEOSEARCH s FROMLONLAT 1 2 FROMMEMBER a BYRADIUS 1 m", "ERR syntax error"),
        (
            "GEOSEARCH s BYRADIUS 1 m ASC COUNT 1",
            "ERR exactly one of FROMMEMBER or FROMLONLAT can be specified for GEOSEARCH",
        ),
        (
            "GEOSEARCH s FROMLONLAT 1 2 ASC COUNT 1",
            "ERR exactly one of BYRADIUS and BYBOX can be specified for GEOSEARCH",
        ),
        ("GEOSEARCH s FROMLONLAT 1 2 BYRADIUS -1 m", "ERR radius cannot be negative"),
        ("GEOSEARCH s FROMLONLAT 1 2 BYBOX -1 1 m", "ERR height or width cannot be negative"),
        ("GEOSEARCH s FROMLONLAT 1 2 BYBOX x 1 m", "ERR need numeric width"),
        ("GEOSEARCH s FROMLONLAT 1 2 BYBOX 1 x m", "ERR need numeric height"),
        ("GEOSEARCH s FROMLONLAT 1 2 BYRADIUS 1 m COUNT 0", "ERR COUNT must be > 0"),
        ("GEOSEARCH s FROMLONLAT 1 2 BYRADIUS 1 m ANY", "ERR the ANY argument requires COUNT argument"),
        ("GEOSEARCH s FROMMEMBER nobody BYRADIUS 1 m", "ERR could not decode requested zset member"),
        (
            "GEOSEARCH text FROMMEMBER nobody BYRADIUS 1 m",
            "WRONGTYPE Operation against a key holding the wrong kind of value",
        ),
        ("GEORADIUS s 1 2 1 m STORE k WITHDIST", &format!("ERR {only}")),
        ("GEORADIUS_RO s 1 2 1 m STORE k", "ERR syntax error"),
        ("GEORADIUS s 1 2 x m", "ERR need numeric radius"),
        ("GEORADIUS absent 1 2 1 m FOO", "ERR syntax error"),
    ] {
        raw.check(line, &format!("-{error}\r\n"));
    }
    raw.check("GEORADIUSBYMEMBER absent zz 1 m", "*0\r\n");
}
