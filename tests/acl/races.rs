//! Rights that change while their clients are at full speed.

use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::common::{Raw, TestServer};
use super::{login, make};

/// Writes as fast as it can until it is told to stop: how many writes were allowed.
fn write_on(mut client: Raw, stop: &AtomicBool) -> u64 {
    let batch = "INCR counter\r\n".repeat(64);
    let mut allowed = 0;
    while !stop.load(Ordering::Relaxed) {
        client.send(&batch);
        allowed += (0..64).filter(|_| client.read_line().starts_with(':')).count() as u64;
    }
    allowed
}

/// Once ACL SETUSER has answered, nobody writes with the rights that it took away.
#[test]
fn nobody_writes_after_the_right_is_gone() {
    let server = TestServer::start();
    let mut admin = server.raw();
    make(&mut admin, "bob", "+incr ~*");
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let writers: Vec<_> = (0..4).map(|_| login(&server, "bob")).collect();
        let writers: Vec<_> =
            writers.into_iter().map(|client| scope.spawn(|| write_on(client, &stop))).collect();
        for _ in 0..200 {
            std::thread::sleep(Duration::from_millis(1));
            admin.check("ACL SETUSER bob -incr", "+OK\r\n");
            admin.send("GET counter\r\n");
            let seen = admin.bulk();
            for _ in 0..3 {
                admin.send("GET counter\r\n");
                assert_eq!(admin.bulk(), seen);
            }
            admin.check("ACL SETUSER bob +incr", "+OK\r\n");
        }
        stop.store(true, Ordering::Relaxed);
        let allowed: u64 = writers.into_iter().map(|writer| writer.join().expect("no panic")).sum();
        admin.send("GET counter\r\n");
        assert_eq!(
            String::from_utf8_lossy(&admin.bulk()),
            allowed.to_string(),
            "what was refused was not done"
        );
        assert_ne!(allowed, 0);
    });
}

/// Whoever logs in while its user is deleted is either refused or disconnected.
#[test]
fn nobody_outlives_its_user() {
    let server = TestServer::start();
    let mut admin = server.raw();
    for _ in 0..100 {
        make(&mut admin, "bob", "+@all ~*");
        let mut raws = [server.raw(), server.raw()];
        std::thread::scope(|scope| {
            for raw in &mut raws {
                scope.spawn(|| {
                    raw.send("AUTH bob bob\r\n");
                    raw.read_line()
                });
            }
            admin.check("ACL DELUSER bob", ":1\r\n");
        });
        for raw in &mut raws {
            // It has ended, or is the default user still; never bob. Writing to one that has ended may fail.
            drop(raw.stream.write_all(b"ACL WHOAMI\r\n"));
            let said = [raw.read_line(), raw.read_line()];
            assert!(!said.contains(&"bob".to_string()), "{said:?}");
        }
    }
}
