//! The path language.

use super::super::edit;
use super::super::path::{Path, TooMuch};
use super::*;

const STORE: &str = r#"{"store":{"book":[
    {"category":"reference","author":"Nigel Rees","title":"Sayings of the Century","price":8.95},
    {"category":"fiction","author":"Evelyn Waugh","title":"Sword of Honour","price":12.99},
    {"category":"fiction","author":"Herman Melville","title":"Moby Dick","isbn":"0-553-21311-3","price":8.99},
    {"category":"fiction","author":"J. R. R. Tolkien","title":"The Lord of the Rings","isbn":"0-395-19395-8","price":22.99}],
    "bicycle":{"color":"red","price":19.95}},"limit":10,"pattern":"^M"}"#;

/// What a path means in a document, as the text of an array.
fn all(document: &str, path: &str) -> String {
    let (root, path) = (json(document), Path::parse(path).unwrap_or_else(|error| panic!("{error}")));
    let values = path.values(&root).expect("few");
    let mut places = path.places(&root).expect("few").into_iter();
    let mut copy = root.clone();
    // Places lead to the same values.
    assert!(values.iter().all(|value| edit::at(&mut copy, &places.next().expect("as many")) == Some(&mut (*value).clone())));
    assert_eq!(path.first(&root).expect("few"), values.first().copied());
    format!("[{}]", values.into_iter().map(text).collect::<Vec<_>>().join(","))
}

#[track_caller]
fn check(document: &str, cases: &[(&str, &str)]) {
    for (path, expected) in cases {
        assert_eq!(all(document, path), *expected, "{path} in {document}");
    }
}

#[test]
fn names_and_places_lead_to_one_value() {
    let document = r#"{"a":1,"b c":[10,20,{"d":30}],"":5,"ü":6,"a.b":7,"q\"'":8,"$x":9,"a-b":10,"0":11}"#;
    assert_eq!(all(document, "$"), format!("[{}]", text(&json(document))));
    check(
        document,
        &[
            ("$.a", "[1]"),
            ("$.[\"a\"]", "[1]"),
            ("$['b c'][0]", "[10]"),
            ("$[\"b c\"][-1].d", "[30]"),
            ("$['b c'][3]", "[]"),
            ("$['b c'][-4]", "[]"),
            ("$['b c'][99999999999999999999]", "[]"),
            ("$['b c'][-99999999999999999999]", "[]"),
            ("$['']", "[5]"),
            ("$.ü", "[6]"),
            (r"$['\u00fc']", "[6]"),
            ("$['a.b']", "[7]"),
            (r#"$["q\"'"]"#, "[8]"),
            (r#"$['q"\'']"#, "[8]"),
            ("$.$x", "[9]"),
            ("$.a-b", "[10]"),
            ("$.0", "[11]"),
            ("$[0]", "[]"),
            ("$.a.b", "[]"),
            ("$.a[0]", "[]"),
            ("$.nowhere", "[]"),
            ("$[ 'b c' ][ 1 ]", "[20]"),
        ],
    );
}

#[test]
fn legacy_paths_are_the_same_without_the_root() {
    let document = r#"{"a":{"b":[1,2]},"$c":3}"#;
    for (legacy, full, result) in [
        (".", "$", document),
        (".a.b[1]", "$.a.b[1]", "2"),
        ("a.b", "$.a.b", "[1,2]"),
        ("[\"a\"]", "$.[\"a\"]", r#"{"b":[1,2]}"#),
        ("..b", "$..b", "[1,2]"),
        ("*", "$.*", r#"{"b":[1,2]}"#),
        ("$c", "$.$c", "3"),
    ] {
        let path = Path::parse(legacy).expect("a path");
        assert_eq!((path.is_legacy(), path.full()), (true, full));
        let root = json(document);
        assert_eq!(path.first(&root).expect("few").map(text).as_deref(), Some(result), "{legacy}");
    }
    assert!(!Path::parse("$").expect("a path").is_legacy() && Path::parse(".").expect("a path").is_root());
}

#[test]
fn wildcards_unions_and_slices_lead_to_several() {
    check(
        "[0,1,2,3,4,5]",
        &[
            ("$[*]", "[0,1,2,3,4,5]"),
            ("$.*", "[0,1,2,3,4,5]"),
            ("$[0,2,-1,9]", "[0,2,5]"),
            ("$[1:3]", "[1,2]"),
            ("$[:2]", "[0,1]"),
            ("$[4:]", "[4,5]"),
            ("$[-2:]", "[4,5]"),
            ("$[:]", "[0,1,2,3,4,5]"),
            ("$[::2]", "[0,2,4]"),
            ("$[1:5:3]", "[1,4]"),
            ("$[1 : 5 : 3]", "[1,4]"),
            ("$[::-2]", "[5,3,1]"),
            ("$[4:1:-1]", "[4,3,2]"),
            ("$[::0]", "[]"),
            ("$[3:1]", "[]"),
            ("$[-100:100]", "[0,1,2,3,4,5]"),
            ("$[-9223372036854775808:9223372036854775807:9223372036854775807]", "[0]"),
            ("$[9223372036854775807:-9223372036854775808:-9223372036854775808]", "[5]"),
            ("$['a']", "[]"),
        ],
    );
    check(
        r#"{"a":1,"b":2,"c":[3]}"#,
        &[
            ("$['c','a','x']", "[[3],1]"),
            ("$[\"a\", \"b\"]", "[1,2]"),
            ("$.*", "[1,2,[3]]"),
            ("$[*][*]", "[3]"),
            ("$[0:2]", "[]"),
        ],
    );
}

#[test]
fn descent_finds_a_value_before_what_is_inside() {
    let document = r#"{"a":{"b":1,"a":{"b":2}},"b":[{"b":3},[{"b":4}]]}"#;
    check(
        document,
        &[
            ("$..b", r#"[[{"b":3},[{"b":4}]],1,2,3,4]"#),
            ("$..a.b", "[1,2]"),
            ("$..[0]", r#"[{"b":3},{"b":4}]"#),
            (
                "$..*",
                r#"[{"b":1,"a":{"b":2}},[{"b":3},[{"b":4}]],1,{"b":2},2,{"b":3},[{"b":4}],3,{"b":4},4]"#,
            ),
            ("$..['b','a'].b", "[1,2]"),
            ("$..[?(@.b==4)]", r#"[{"b":4}]"#),
            ("$.b..b", "[3,4]"),
        ],
    );
}

#[test]
fn filters_compare_and_combine() {
    check(
        STORE,
        &[
            ("$.store.book[?(@.price<10)].title", r#"["Sayings of the Century","Moby Dick"]"#),
            ("$..book[?(@.isbn)].price", "[8.99,22.99]"),
            ("$..book[?(!@.isbn)].price", "[8.95,12.99]"),
            ("$..book[?(@.price < $.limit)].price", "[8.95,8.99]"),
            ("$..book[?(@.category == \"fiction\" && @.price >= 12.99)].price", "[12.99,22.99]"),
            ("$..book[?(@.category=='reference' || @.price > 20)].price", "[8.95,22.99]"),
            ("$..book[?((@.price>20||@.price<8.96)&&@.category=='fiction')].price", "[22.99]"),
            ("$..book[?(@.price>20||@.price<8.96&&@.category=='fiction')].price", "[22.99]"),
            ("$..book[?(@.author =~ \"(?i)TOLKIEN\")].price", "[22.99]"),
            ("$..book[?(@.title =~ $.pattern)].title", r#"["Moby Dick"]"#),
            ("$..book[?(@.title =~ '[')].title", "[]"),
            ("$..book[?(@.price =~ '8')].title", "[]"),
            ("$..[?(@.price==19.95)].color", r#"["red"]"#),
            ("$.store.bicycle[?(@==19.95)]", "[19.95]"),
            ("$..book[?(@.isbn != '0-553-21311-3')].price", "[8.95,12.99,22.99]"),
            ("$..book[?@.price<9].price", "[8.95,8.99]"),
            ("$..book[?(!(@.price<9))].price", "[12.99,22.99]"),
            ("$..book[?(10 > @.price)].price", "[8.95,8.99]"),
            ("$[?(@.book[?(@.isbn)])].bicycle.color", r#"["red"]"#),
            ("$..book[?(@.* == 8.95)].title", r#"["Sayings of the Century"]"#),
        ],
    );
}

#[test]
fn values_of_different_types_differ_and_have_no_order() {
    let document = r#"[1,1.0,"1",true,false,null,[1],{"a":1},18446744073709551615,"b"]"#;
    check(
        document,
        &[
            ("$[?(@==1)]", "[1,1.0]"),
            ("$[?(@==\"1\")]", r#"["1"]"#),
            ("$[?(@==true)]", "[true]"),
            ("$[?(@==null)]", "[null]"),
            ("$[?(@!=1)]", r#"["1",true,false,null,[1],{"a":1},18446744073709551615,"b"]"#),
            ("$[?(@>=1)]", "[1,1.0,18446744073709551615]"),
            ("$[?(@>\"1\")]", r#"["b"]"#),
            ("$[?(@<=false)]", "[false]"),
            ("$[?(@<null)]", "[]"),
            ("$[?(@.a==1)]", r#"[{"a":1}]"#),
            ("$[?(@==$[6])]", "[[1]]"),
            ("$[?(@==$[7])]", r#"[{"a":1}]"#),
            ("$[?(@.x==@.y)]", "[]"),
        ],
    );
}

#[test]
fn what_is_no_path_is_refused_with_its_place() {
    let error = Path::parse("$.a[$]").expect_err("no path");
    assert!(
        error.starts_with("Error occurred on position 4, \"$.a[ ---->>>> $]\", expected one of"),
        "{error}"
    );
    for (path, at) in [
        ("$.", 2),
        ("$[", 2),
        ("$[]", 2),
        ("$..", 3),
        ("$.a b", 3),
        ("$['a", 2),
        ("$['a'", 5),
        ("$['a',]", 6),
        ("$['a',1]", 6),
        ("$[1,'a']", 4),
        ("$[1,]", 4),
        ("$[-]", 2),
        ("$[1.5]", 3),
        ("$[?()]", 4),
        ("$[?(@.a==)]", 9),
        ("$[?(@.a==1]", 10),
        ("$[?(1)]", 5),
        ("$[?(@.a==1e400)]", 9),
        ("$[?(@.a &&)]", 10),
        (r"$['\u12']", 2),
        (r"$['\ud800']", 2),
        ("$[?(@.a==1)]]", 12),
        ("", 2),
        ("a..", 5),
        ("a\u{0}\u{1} b", 5),
    ] {
        let error = Path::parse(path).map(|_| ()).expect_err(path);
        assert!(error.starts_with(&format!("Error occurred on position {at},")), "{path:?}: {error}");
    }
}

#[test]
fn nesting_of_filters_is_bounded() {
    let parentheses = |count: usize| format!("$[?{}@.a{}]", "(".repeat(count), ")".repeat(count));
    assert!(Path::parse(&parentheses(64)).is_ok() && Path::parse(&parentheses(65)).is_err());
    assert!(Path::parse(&parentheses(1_000_000)).is_err());
    assert!(Path::parse(&format!("$[?{}@.a]", "!".repeat(1_000_000))).is_err());
    let filters = |count: usize| format!("$[?(@{}{}", "[?(@".repeat(count - 1), ")]".repeat(count));
    assert!(Path::parse(&filters(8)).is_ok() && Path::parse(&filters(9)).is_err());
    assert!(Path::parse(&filters(100_000)).is_err());
}

#[test]
fn work_is_bounded() {
    // Every value lies on very many paths.
    let deep = json(&nested(DEPTH_MAX));
    let path = Path::parse(&format!("${}", "..*".repeat(40))).expect("a path");
    assert!(matches!(path.first(&deep), Ok(Some(_))));
    assert_eq!(path.places(&deep).err(), Some(TooMuch));
    let filter = Path::parse("$..[?(@..*..*..*..*..*..* == 7)]").expect("a path");
    assert_eq!(filter.values(&deep).err(), Some(TooMuch));
    let long = format!("${}", ".a".repeat(100_000));
    assert_eq!(Path::parse(&long).expect("a path").values(&deep), Ok(Vec::new()));
    let patterns = Path::parse("$[?(@ =~ \"(x+x+)+y\")]").expect("a path");
    let text = json(&format!("[\"{}\"]", "x".repeat(100_000)));
    assert_eq!(patterns.values(&text), Ok(Vec::new()));
    assert_eq!(all("[\"a\"]", "$[?(@ =~ \"(((a{1000}){1000}){1000})\")]"), "[]");
}

proptest! {
    #[test]
    fn any_text_is_a_path_or_is_none(path in "[$.@a-c0-3\\[\\]*?()'\":,=<>!&|~ \\\\-]{0,24}", value in any_value()) {
        for text in [path.clone(), format!("$[?({path})]"), format!("$.{path}")] {
            if let Ok(path) = Path::parse(&text) {
                _ = path.places(&value);
            }
        }
    }
}
