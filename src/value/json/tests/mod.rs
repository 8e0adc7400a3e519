use proptest::prelude::*;

use super::print::{Format, Printer, print};
use super::*;

mod edits;
mod paths;

fn json(text: &str) -> Value {
    parse(text.as_bytes()).unwrap_or_else(|error| panic!("{error}: {text}")).value
}

fn text(value: &Value) -> String {
    let mut out = Vec::new();
    print(value, &mut out);
    String::from_utf8(out).expect("UTF-8")
}

#[test]
fn values_are_small() {
    assert_eq!((size_of::<Value>(), size_of::<Option<Value>>(), size_of::<Member>()), (16, 16, 32));
}

#[test]
fn numbers_are_printed_as_redisjson_does() {
    for (from, to) in [
        ("0", "0"),
        ("-1", "-1"),
        ("9223372036854775807", "9223372036854775807"),
        ("-9223372036854775808", "-9223372036854775808"),
        ("9223372036854775808", "9223372036854775808"),
        ("18446744073709551615", "18446744073709551615"),
        ("18446744073709551616", "1.8446744073709552e19"),
        ("-9223372036854775809", "-9.223372036854776e18"),
        ("1.0", "1.0"),
        ("0.0", "0.0"),
        ("3.14", "3.14"),
        ("1e3", "1000.0"),
        ("1E+2", "100.0"),
        ("1e15", "1000000000000000.0"),
        ("1e16", "1e16"),
        ("1.5e300", "1.5e300"),
        ("1e-5", "0.00001"),
        ("1e-7", "1e-7"),
        ("64.99", "64.99"),
        ("1.7976931348623157e308", "1.7976931348623157e308"),
        ("5e-324", "5e-324"),
        ("1e-400", "0.0"),
    ] {
        assert_eq!(text(&json(from)), to, "{from}");
    }
}

#[test]
fn texts_are_printed_with_their_escapes() {
    for (from, to) in [
        (r#""""#, r#""""#),
        (r#""a\"\\\/\b\f\n\r\t""#, r#""a\"\\/\b\f\n\r\t""#),
        (r#""\u0000\u001f\u007f""#, "\"\\u0000\\u001f\u{7f}\""),
        (r#""\u00e9\ud83d\ude00 é""#, "\"é😀 é\""),
        (r#"{"a":1,"b":{"c":[true,false,null]}}"#, r#"{"a":1,"b":{"c":[true,false,null]}}"#),
        (" {\t\"a\" :\r\n[ ] , \"b\":{ }\n} ", r#"{"a":[],"b":{}}"#),
        (r#"{"a":1,"b":2,"a":3}"#, r#"{"a":3,"b":2}"#),
    ] {
        assert_eq!(text(&json(from)), to, "{from}");
    }
}

#[test]
fn formats_put_their_parts_where_redisjson_does() {
    let format = Format { indent: b"1", newline: b"2", space: b"3" };
    for (from, to) in [
        (r#"{"a":"b","c":[]}"#, r#"{21"a":3"b",21"c":3[]2}"#),
        (r#"[{"a":{}},1]"#, r#"[21{211"a":3{}21},2112]"#),
        ("7", "7"),
        ("[]", "[]"),
    ] {
        let mut out = Vec::new();
        Printer::new(&mut out, format).value(&json(from));
        assert_eq!(String::from_utf8_lossy(&out), to, "{from}");
    }
}

#[test]
fn what_is_no_json_is_refused_with_its_place() {
    for (from, error) in [
        ("", "EOF while parsing a value at line 1 column 0"),
        ("foo", "expected ident at line 1 column 2"),
        ("abc", "expected value at line 1 column 1"),
        ("inf", "expected value at line 1 column 1"),
        ("-inf", "invalid number at line 1 column 2"),
        ("nul", "EOF while parsing a value at line 1 column 3"),
        ("nulL", "expected ident at line 1 column 4"),
        (r#"{"asd}"#, "EOF while parsing a string at line 1 column 6"),
        (r#"{"a""#, "EOF while parsing an object at line 1 column 4"),
        (r#"{"a":1"#, "EOF while parsing an object at line 1 column 6"),
        (r#"{"a" 1}"#, "expected `:` at line 1 column 6"),
        (r#"{"a":1 "b":2}"#, "expected `,` or `}` at line 1 column 8"),
        (r#"{"a":1,}"#, "trailing comma at line 1 column 8"),
        ("{a:1}", "key must be a string at line 1 column 2"),
        ("[1,2", "EOF while parsing a list at line 1 column 4"),
        ("[1 2]", "expected `,` or `]` at line 1 column 4"),
        ("[1,]", "trailing comma at line 1 column 4"),
        ("[,1]", "expected value at line 1 column 2"),
        ("01", "invalid number at line 1 column 2"),
        ("1.", "EOF while parsing a value at line 1 column 2"),
        ("1.x", "invalid number at line 1 column 3"),
        ("1e", "EOF while parsing a value at line 1 column 2"),
        ("1e400", "number out of range at line 1 column 5"),
        ("1 2", "trailing characters at line 1 column 3"),
        ("{}}", "trailing characters at line 1 column 3"),
        (r#""\x""#, "invalid escape at line 1 column 3"),
        (r#""\u12g4""#, "invalid escape at line 1 column 7"),
        (r#""\udc00""#, "lone leading surrogate in hex escape at line 1 column 7"),
        (r#""\ud800x""#, "unexpected end of hex escape at line 1 column 8"),
        ("\"a\tb\"", "control character (\\u0000-\\u001F) found while parsing a string at line 1 column 3"),
        ("[1,\n2,\n 3,\n x]", "expected value at line 4 column 2"),
    ] {
        assert_eq!(parse(from.as_bytes()).err().as_deref(), Some(error), "{from}");
    }
    assert_eq!(parse(b"\"\xff\"").err().as_deref(), Some("invalid unicode code point at line 1 column 3"));
}

/// A value nested `depth` deep.
fn nested(depth: usize) -> String {
    (0..depth).map(|level| if level % 2 == 0 { "[" } else { "{\"a\":" }).collect::<String>()
        + if depth.is_multiple_of(2) { "1" } else { "" }
        + &(0..depth).rev().map(|level| if level % 2 == 0 { "]" } else { "}" }).collect::<String>()
}

#[test]
fn row_49_depth_is_bounded() {
    for depth in [1, 2, 127, DEPTH_MAX] {
        let parsed = parse(nested(depth).as_bytes()).expect("not too deep");
        assert_eq!((parsed.depth, parsed.value.depth()), (depth, depth));
    }
    let deep = parse(nested(DEPTH_MAX + 1).as_bytes()).expect_err("too deep");
    assert!(deep.starts_with("recursion limit exceeded at line 1 column "), "{deep}");
    for text in ["[".repeat(1_000_000), "{\"a\":".repeat(1_000_000), nested(1_000_000)] {
        let deep = parse(text.as_bytes()).expect_err("too deep");
        assert!(deep.starts_with("recursion limit exceeded"), "{deep}");
    }
}

#[test]
fn long_texts_are_parsed_beyond_the_kept_buffers() {
    let long = format!("[{}]", vec!["\"0123456789abcdefghij\""; 20_000].join(","));
    let value = json(&long);
    assert_eq!((value.child_count(), text(&value)), (20_000, long));
    assert_eq!(text(&json("[1]")), "[1]");
}

#[test]
fn sizes_are_sums_or_samples() {
    let value = json(&format!("[{}]", vec!["\"0123456789abcdefghij\""; 1000].join(",")));
    let exact = 16 + 24 + 1000 * (16 + 20);
    assert_eq!(value.bytes(), exact);
    let sampled = Json(Some(value)).heap_bytes();
    assert!(sampled.abs_diff(exact) < 100, "{sampled} for {exact}");
    assert_eq!(Json(Some(json("[1,[2,3],{\"a\":4}]"))).weight(), 7);
    assert_eq!(Json(Some(json(&format!("[{}1]", "1,".repeat(9999))))).weight(), WEIGHT_MAX);
}

/// Values of every kind, nested.
pub(super) fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::Int),
        (1 << 63..=u64::MAX).prop_map(Value::Unsigned),
        any::<f64>().prop_filter("finite", |float| float.is_finite()).prop_map(Value::Float),
        ".{0,40}".prop_map(|text| Value::Text(Text::new(&text))),
    ];
    leaf.prop_recursive(4, 64, 8, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..8).prop_map(|items| Value::Array(Box::new(items))),
            prop::collection::vec((".{0,20}", inner), 0..24).prop_map(|members| {
                let mut object = Object::default();
                members.into_iter().for_each(|(name, value)| _ = object.set(&name, value));
                Value::Object(Box::new(object))
            }),
        ]
    })
}

proptest! {
    #[test]
    fn printed_values_read_back_the_same(value in any_value()) {
        let printed = text(&value);
        let again = parse(printed.as_bytes()).expect("what was printed is JSON");
        prop_assert_eq!(again.depth, value.depth());
        prop_assert_eq!(&text(&again.value), &printed);
        prop_assert!(again.value == value);
        let mut laid_out = Vec::new();
        Printer::new(&mut laid_out, Format { indent: b"\t", newline: b"\r\n", space: b"  " }).value(&value);
        prop_assert_eq!(text(&parse(&laid_out).expect("spaces do not matter").value), printed);
    }

    #[test]
    fn floats_read_back_the_same(bits: u64, digits in "-?(0|[1-9][0-9]{0,25})(\\.[0-9]{1,25})?(e[+-]?[0-9]{1,3})?") {
        let float = f64::from_bits(bits);
        if float.is_finite() {
            let Value::Float(read) = json(&text(&Value::Float(float))) else { panic!("a float") };
            prop_assert_eq!(read.to_bits(), bits);
        }
        let wanted: f64 = digits.parse().expect("a number");
        match parse(digits.as_bytes()) {
            Ok(parsed) => prop_assert_eq!(parsed.value.as_f64(), Some(wanted)),
            Err(_) => prop_assert!(wanted.is_infinite()),
        }
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
        _ = parse(&bytes);
    }

    #[test]
    fn damaged_texts_are_read_or_refused(value in any_value(), at: prop::sample::Index, byte: u8) {
        let mut printed = text(&value).into_bytes();
        let at = at.index(printed.len());
        printed[at] = byte;
        match (parse(&printed), super::explain::explain(&printed)) {
            (Ok(parsed), _) => prop_assert!(parsed.depth <= DEPTH_MAX),
            (Err(error), explained) => prop_assert_eq!(error, explained),
        }
        _ = parse(&printed[..at]);
    }
}
