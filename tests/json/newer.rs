//! RESP3, where the path that is left out means all matches, and numbers are numbers.

use super::*;

#[test]
fn replies_have_the_types_of_resp3() {
    let (server, _) = start();
    let mut c = resp3(&server);
    set(&mut c, "d", r#"{"i":1,"f":2.5,"s":"x","l":[1,2]}"#);
    check(&mut c, "JSON.GET d", bulk(r#"[{"i":1,"f":2.5,"s":"x","l":[1,2]}]"#));
    check(&mut c, "JSON.GET d .i", bulk("1"));
    check(&mut c, "JSON.GET absent", "_\r\n");
    check(&mut c, "JSON.TYPE d", array(&[&bulks(&["object"])]));
    check(&mut c, "JSON.TYPE d $.*", array(&[&bulks(&["integer", "number", "string", "array"])]));
    check(&mut c, "JSON.TYPE d .i", bulks(&["integer"]));
    check(&mut c, "JSON.NUMINCRBY d $.* 1", "*4\r\n:2\r\n,3.5\r\n_\r\n_\r\n");
    check(&mut c, "JSON.NUMMULTBY d $.i 1.5", "*1\r\n,3\r\n");
    check(&mut c, "JSON.NUMINCRBY d .f 1", bulk("4.5"));
    check(&mut c, "JSON.OBJLEN d", "*1\r\n:4\r\n");
    check(&mut c, "JSON.ARRLEN d $.*", "*4\r\n_\r\n_\r\n_\r\n:2\r\n");
    check(&mut c, "JSON.OBJKEYS d", array(&[&bulks(&["i", "f", "s", "l"])]));
    check(&mut c, "JSON.ARRPOP d $.l", bulks(&["2"]));
    check(&mut c, "JSON.SET d $.x.y 1", "_\r\n");
    check(&mut c, "JSON.RESP d .f", bulk("4.5"));
    check(&mut c, "JSON.MGET d absent $.s", format!("*2\r\n{}_\r\n", bulk(r#"["x"]"#)));
    c.command(&["JSON.DEBUG", "MEMORY", "d", "."]);
    let size = c.read_line();
    check(&mut c, "JSON.DEBUG MEMORY d", format!("*1\r\n{size}\r\n"));
}
