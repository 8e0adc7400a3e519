//! Paths over the wire; the language itself has tests of its own beside its code.

use super::*;

#[test]
fn filters_and_slices_select_what_is_changed() {
    let (_server, mut c) = start();
    let bikes = r#"{"inventory":{"mountain":[{"id":1,"price":1920,"colors":["black"]},{"id":2,"price":2072,"material":"alloy"}],"commuter":[{"id":3,"price":1475,"material":"Alu"}]}}"#;
    set(&mut c, "b", bikes);
    check(&mut c, "JSON.GET b $..price", bulk("[1920,2072,1475]"));
    check(&mut c, "JSON.GET b $.inventory.*[?(@.price<2000)].id", bulk("[1,3]"));
    c.command(&["JSON.GET", "b", "$..[?(@.material =~ \"(?i)^al\")].id"]);
    c.expect(bulk("[2,3]"));
    check(&mut c, "JSON.SET b $.inventory.*[?(@.price<2000)].price 1500", OK);
    check(&mut c, "JSON.NUMINCRBY b $..price -100", bulk("[1400,1972,1400]"));
    check(&mut c, "JSON.ARRAPPEND b $.inventory.*[?(@.price<2000)].colors \"pink\"", ints(&[Some(2)]));
    check(&mut c, "JSON.GET b $..mountain[0:2:1].id", bulk("[1,2]"));
    check(&mut c, "JSON.GET b $['inventory'][\"commuter\",'mountain'][-1].id", bulk("[3,2]"));
    check(&mut c, "JSON.DEL b $..[?(@.id==2)]", ":1\r\n");
    check(&mut c, "JSON.GET b $..id", bulk("[1,3]"));
}

#[test]
fn a_path_is_refused_before_any_key_is_looked_at() {
    let (_server, mut c) = start();
    let calls = ["JSON.GET absent $[", "JSON.DEL absent $[", "JSON.TYPE absent $[", "JSON.MGET absent $["];
    for call in calls {
        check(
            &mut c,
            call,
            error(
                "Error occurred on position 2, \"$[ ---->>>> \", expected one of the following: \
            '<string>[,<string>,...]', '<number>', ['start:end:steps'], '*', '?(<filter>)'.",
            ),
        );
    }
    c.send(b"*3\r\n$8\r\nJSON.GET\r\n$1\r\nd\r\n$2\r\n.\xff\r\n");
    c.expect("-Couldn't parse as UTF-8 string\r\n");
}
