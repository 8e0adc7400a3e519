//! What INFO and MEMORY tell about the memory.

use super::*;

#[test]
fn the_section_is_whole() {
    let server = TestServer::start();
    let mut c = server.raw();
    let text = info(&mut c, "memory");
    // The fields of Redis 7.2, in its order.
    let fields = "used_memory used_memory_human used_memory_rss used_memory_rss_human used_memory_peak \
                  used_memory_peak_human used_memory_peak_perc used_memory_overhead used_memory_startup \
                  used_memory_dataset used_memory_dataset_perc total_system_memory total_system_memory_human \
                  used_memory_lua used_memory_lua_human used_memory_vm_eval used_memory_scripts_eval \
                  number_of_cached_scripts number_of_functions number_of_libraries used_memory_vm_functions \
                  used_memory_vm_total used_memory_vm_total_human used_memory_functions used_memory_scripts \
                  used_memory_scripts_human maxmemory maxmemory_human maxmemory_policy allocator_allocated \
                  allocator_active allocator_resident allocator_frag_ratio allocator_frag_bytes allocator_rss_ratio \
                  allocator_rss_bytes rss_overhead_ratio rss_overhead_bytes mem_fragmentation_ratio \
                  mem_fragmentation_bytes mem_not_counted_for_evict mem_replication_backlog \
                  mem_total_replication_buffers mem_clients_slaves mem_clients_normal mem_cluster_links \
                  mem_aof_buffer mem_allocator active_defrag_running mem_unlinked lazyfree_pending_objects \
                  lazyfreed_objects";
    let names: Vec<&str> =
        text.lines().filter_map(|line| line.split_once(':')).map(|(name, _)| name).collect();
    assert_eq!(names, fields.split(' ').collect::<Vec<_>>());
}

#[test]
fn the_data_set_is_told_from_the_rest() {
    let server = TestServer::start();
    let mut c = server.raw();
    let batch: Vec<u8> =
        (0..5000).flat_map(|i| encode(&["SET", &format!("key:{i}"), &"x".repeat(200)])).collect();
    c.send(batch);
    (0..5000).for_each(|_| c.expect("+OK\r\n"));
    let memory = |c: &mut Raw, name: &str| number(c, "memory", name);
    let dataset = memory(&mut c, "used_memory_dataset");
    assert!((1_100_000..2_000_000).contains(&dataset), "{dataset} for a megabyte of values");
    let (used, overhead) = (memory(&mut c, "used_memory"), memory(&mut c, "used_memory_overhead"));
    assert!(
        overhead > memory(&mut c, "used_memory_startup") && (used - overhead).abs_diff(dataset) < 100_000
    );
    assert_eq!(memory(&mut c, "number_of_cached_scripts"), 0);
    c.check("EVAL \"return string.rep('x', 100000):len()\" 0", ":100000\r\n");
    assert_eq!(memory(&mut c, "number_of_cached_scripts"), 1);
    assert!(
        memory(&mut c, "used_memory_vm_eval") > 10_000 && memory(&mut c, "used_memory_scripts_eval") > 40
    );
    c.command(&["FUNCTION", "LOAD", "#!lua name=lib\nredis.register_function('f', function() return 1 end)"]);
    c.expect("$3\r\nlib\r\n");
    assert_eq!(memory(&mut c, "number_of_functions"), 1);
    assert_eq!(memory(&mut c, "number_of_libraries"), 1);
    assert!(memory(&mut c, "used_memory_functions") > 60);
}

#[test]
fn the_doctor_looks() {
    let server = TestServer::start();
    let mut c = server.raw();
    let doctor = |c: &mut Raw| {
        c.send("MEMORY DOCTOR\r\n");
        String::from_utf8(c.bulk()).expect("text")
    };
    assert!(doctor(&mut c).contains("too little"));
    c.check(&format!("SET k {}", "x".repeat(20)), "+OK\r\n");
    for i in 0..400 {
        c.check(&format!("SET key:{i} {}", "x".repeat(60_000)), "+OK\r\n");
    }
    for i in 0..280 {
        c.check(&format!("DEL key:{i}"), ":1\r\n");
    }
    wait_until("the peak is a finding", || doctor(&mut c).contains("Peak"));
    c.check("MEMORY PURGE", "+OK\r\n");
    c.send("MEMORY MALLOC-STATS\r\n");
    let text = String::from_utf8_lossy(&c.bulk()).into_owned();
    assert!(text.starts_with("allocated: ") && text.len() > 300, "{text}");
}

#[test]
fn sizes_are_told_by_type() {
    let server = TestServer::start();
    let mut c = server.raw();
    let keysizes = |c: &mut Raw| info(c, "keysizes").replace("\r\n", " ");
    assert_eq!(keysizes(&mut c), "# Keysizes ");
    for line in [
        "SET a x",
        "SET b 100",
        "SET c abc",
        "RPUSH l 1 2 3 4 5",
        "SADD s 1",
        "HSET h f v g w",
        "XADD x * f v",
    ] {
        assert!(!c.line(line).starts_with('-'), "{line}");
        if line.starts_with('X') {
            c.read_line();
        }
    }
    c.check("ZADD z 1 a", ":1\r\n");
    c.check(&format!("SETRANGE long 3000 {}", "x".repeat(100)), ":3100\r\n");
    c.check("SETRANGE empty 0 x", ":1\r\n");
    c.check("SELECT 3", "+OK\r\n");
    let batch: Vec<u8> = (0..3000).flat_map(|i| encode(&["RPUSH", "list", &i.to_string()])).collect();
    c.send(batch);
    (1..=3000).for_each(|i| c.expect(format!(":{i}\r\n")));
    assert_eq!(
        keysizes(&mut c),
        "# Keysizes db0_distrib_strings_sizes:1=2,2=2,2K=1 db0_distrib_lists_items:4=1 db0_distrib_sets_items:1=1 \
         db0_distrib_zsets_items:1=1 db0_distrib_hashes_items:2=1 db3_distrib_lists_items:2K=1 "
    );
}

/// Of very many keys a sample is counted, and stands for all.
#[test]
fn sizes_of_many_keys_are_estimated() {
    let server = TestServer::with(&["--threads", "2", "--enable-debug-command", "yes"]);
    let mut c = server.raw();
    c.check("DEBUG POPULATE 200000 key 10", "+OK\r\n");
    let text = info(&mut c, "keysizes");
    let count: u64 = text
        .split_once("strings_sizes:8=")
        .and_then(|(_, rest)| rest.trim_end().parse().ok())
        .unwrap_or_else(|| panic!("{text}"));
    assert!((190_000..210_000).contains(&count), "{count}");
}

/// Patterns that take long take no memory.
#[test]
fn row_42_patterns_take_no_memory() {
    let server = TestServer::start();
    let mut c = server.raw();
    c.check(&format!("SET {} v", "a".repeat(50_000)), "+OK\r\n");
    let before = used(&mut c);
    for pattern in ["a*".repeat(10_000) + "b", "[a-z".repeat(5000), "?".repeat(1 << 20)] {
        c.command(&["KEYS", &pattern]);
        c.expect("*0\r\n");
        c.command(&["CONFIG", "GET", &pattern]);
        c.expect("*0\r\n");
    }
    wait_until("the requests are freed", || used(&mut c) < before + (1 << 20));
    let peak = number(&mut c, "memory", "used_memory_peak");
    assert!(peak < before + (8 << 20), "{before} {peak}");
}

#[test]
fn row_44_the_keys_that_memory_commands_touch_are_found() {
    let server = TestServer::start();
    let mut c = server.raw();
    for line in ["MEMORY USAGE k SAMPLES 5", "OBJECT FREQ k", "OBJECT IDLETIME k", "RESTORE k 0 v IDLETIME 5"]
    {
        c.check(&format!("COMMAND GETKEYS {line}"), "*1\r\n$1\r\nk\r\n");
    }
    for line in ["MEMORY STATS", "MEMORY DOCTOR", "CLIENT NO-EVICT ON"] {
        c.check(&format!("COMMAND GETKEYS {line}"), "-ERR The command has no key arguments\r\n");
    }
    c.check("MEMORY USAGE", "-ERR wrong number of arguments for 'memory|usage' command\r\n");
    c.check("MEMORY STATS k", "-ERR wrong number of arguments for 'memory|stats' command\r\n");
}
