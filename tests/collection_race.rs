//! Clients whose pipelines meet in one large collection: what the executor asks for ahead, and how it edits in place,
//! must change no answer while others change, replace and delete the collection.

mod common;

use common::TestServer;
use redis::Commands;

/// Members of each client.
const OWN: usize = 400;
const ROUNDS: usize = 60;
const CLIENTS: usize = 3;

/// One command on each of a client's members, sent at once.
fn pipeline(name: &str, key: &str, client: usize, words: impl Fn(usize) -> Vec<String>) -> redis::Pipeline {
    let mut pipe = redis::pipe();
    for at in 0..OWN {
        pipe.cmd(name).arg(key).arg(words(client * OWN + at));
    }
    pipe
}

/// Runs the task of every client.
fn race(server: &TestServer, task: impl Fn(&mut redis::Connection, usize) + Sync) {
    std::thread::scope(|scope| {
        for client in 0..CLIENTS {
            let task = &task;
            scope.spawn(move || task(&mut server.client(), client));
        }
    });
}

#[test]
fn every_change_of_a_shared_collection_is_made_once() {
    let server = TestServer::start();
    race(&server, |con, client| {
        for round in 0..ROUNDS {
            let member = |at: usize| format!("member:{at:08}");
            let adds = pipeline("ZADD", "z", client, |at| vec![(round * at % 997).to_string(), member(at)]);
            let sets = pipeline("HSET", "h", client, |at| vec![member(at), round.to_string()]);
            let members = pipeline("SADD", "s", client, |at| vec![member(at)]);
            for pipe in [adds, sets, members] {
                let new: Vec<usize> = pipe.query(con).expect("numbers");
                assert_eq!(new.iter().sum::<usize>(), if round == 0 { OWN } else { 0 });
            }
        }
    });
    let mut con = server.client();
    let all = CLIENTS * OWN;
    let counts: [usize; 3] = [con.zcard("z").unwrap(), con.hlen("h").unwrap(), con.scard("s").unwrap()];
    assert_eq!(counts, [all; 3]);
    let scores: Vec<(String, f64)> = con.zrange_withscores("z", 0, -1).unwrap();
    let mut expected: Vec<(f64, String)> =
        (0..all).map(|at| (((ROUNDS - 1) * at % 997) as f64, format!("member:{at:08}"))).collect();
    expected.sort_by(|a, b| a.partial_cmp(b).expect("no score is NaN"));
    assert!(scores.into_iter().map(|(member, score)| (score, member)).eq(expected));
}

/// What is looked up ahead may be unlinked before the commands run: DEL, a set of another type, and emptied sets.
#[test]
fn a_collection_that_goes_away_under_pipelines_leaves_no_wrong_answer() {
    let server = TestServer::start();
    race(&server, |con, client| {
        for round in 0..ROUNDS {
            if client == 0 {
                match round % 3 {
                    0 => redis::cmd("DEL").arg("z").exec(con).expect("deleted"),
                    1 => redis::cmd("SET").arg("z").arg("text").exec(con).expect("set"),
                    _ => redis::cmd("ZUNIONSTORE").arg("z").arg(1).arg("none").exec(con).expect("ended"),
                }
                continue;
            }
            let adds = pipeline("ZADD", "z", client, |at| vec![at.to_string(), format!("member:{at}")]);
            let takes = pipeline("ZREM", "z", client, |at| vec![format!("member:{at}")]);
            for mut pipe in [adds, takes] {
                let replies: Vec<redis::RedisResult<usize>> =
                    pipe.ignore_errors().query(con).expect("replies");
                assert_eq!(replies.len(), OWN);
                let is_right = |reply: redis::RedisResult<usize>| match reply {
                    Ok(count) => count <= 1,
                    Err(error) => error.code() == Some("WRONGTYPE"),
                };
                assert!(replies.into_iter().all(is_right));
            }
        }
    });
    let mut con = server.client();
    redis::cmd("DEL").arg("z").exec(&mut con).expect("deleted");
    assert_eq!(con.zadd::<_, _, _, usize>("z", "a", 1).unwrap(), 1);
}
