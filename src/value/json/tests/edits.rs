//! Changes: of objects against a plain list of pairs, and at places.

use proptest::prelude::*;

use super::super::edit::{self, Refused, When};
use super::super::half::{Precision, round_arrays};
use super::super::number::{NoResult, Operation, calculate, compare};
use super::super::path::{Path, Place};
use super::*;

fn path(text: &str) -> Path {
    Path::parse(text).expect("a path")
}

fn parsed(text: &str) -> Parsed {
    parse(text.as_bytes()).expect("JSON")
}

fn set(document: &str, at: &str, new: &str, when: When) -> Result<Option<String>, Refused> {
    let mut root = json(document);
    let done = edit::set(&mut root, &path(at), parsed(new), when, &mut Vec::new())?;
    Ok(done.then(|| text(&root)))
}

#[test]
fn values_are_set_where_a_path_leads() {
    let some = |text: &str| Ok(Some(text.to_string()));
    assert_eq!(set(r#"{"a":1}"#, "$.a", "2", When::Always), some(r#"{"a":2}"#));
    assert_eq!(set(r#"{"a":1}"#, "$.b", "2", When::Always), some(r#"{"a":1,"b":2}"#));
    assert_eq!(
        set(r#"{"a":{"a":1},"b":[{"a":2}]}"#, "$..a", "7", When::Always),
        some(r#"{"a":7,"b":[{"a":7}]}"#)
    );
    assert_eq!(set("[1,2,3]", "$[-1]", "{}", When::Present), some("[1,2,{}]"));
    assert_eq!(set(r#"{"a":1}"#, "$.a", "2", When::Absent), Ok(None));
    assert_eq!(set(r#"{"a":1}"#, "$.b", "2", When::Present), Ok(None));
    assert_eq!(set("1", "$.x.y", "2", When::Always), Ok(None));
    assert_eq!(set("[1]", "$.x", "2", When::Always), Ok(None));
    assert_eq!(set("{}", "$..x", "2", When::Always), Err(Refused::NotStatic));
    assert_eq!(set("{}", "$.*.x", "2", When::Always), Err(Refused::NotStatic));
    assert_eq!(set("[1]", "$[3]", "2", When::Always), Err(Refused::OutOfRange));
}

#[test]
fn row_49_no_change_nests_too_deep() {
    let outer = nested(DEPTH_MAX - 2);
    let deepest = "$".to_string() + &".*".repeat(DEPTH_MAX - 2);
    assert!(set(&outer, &deepest, "[[1]]", When::Always).is_ok());
    assert_eq!(set(&outer, &deepest, "[[[1]]]", When::Always), Err(Refused::TooDeep));
    let mut root = json(&outer);
    let merged = edit::merge_at(&mut root, &path(&deepest), parsed("{\"a\":{\"b\":{}}}"), &mut Vec::new());
    assert_eq!((merged, text(&root)), (Err(Refused::TooDeep), outer));
    let inside = format!("{{\"o\":{}}}", nested(DEPTH_MAX - 1));
    assert!(set(&inside, "$.n", &nested(DEPTH_MAX - 1), When::Always).is_ok());
    assert_eq!(set(&inside, "$.n", &nested(DEPTH_MAX), When::Always), Err(Refused::TooDeep));
}

#[test]
fn patches_merge_as_rfc_7396_has_it() {
    for (target, patch, result) in [
        (r#"{"a":"b"}"#, r#"{"a":"c"}"#, r#"{"a":"c"}"#),
        (r#"{"a":"b"}"#, r#"{"b":"c"}"#, r#"{"a":"b","b":"c"}"#),
        (r#"{"a":"b"}"#, r#"{"a":null}"#, "{}"),
        (r#"{"a":"b","b":"c"}"#, r#"{"a":null}"#, r#"{"b":"c"}"#),
        (r#"{"a":["b"]}"#, r#"{"a":"c"}"#, r#"{"a":"c"}"#),
        (r#"{"a":"c"}"#, r#"{"a":["b"]}"#, r#"{"a":["b"]}"#),
        (r#"{"a":{"b":"c"}}"#, r#"{"a":{"b":"d","c":null}}"#, r#"{"a":{"b":"d"}}"#),
        (r#"{"a":[{"b":"c"}]}"#, r#"{"a":[1]}"#, r#"{"a":[1]}"#),
        (r#"["a","b"]"#, r#"["c","d"]"#, r#"["c","d"]"#),
        (r#"{"a":"b"}"#, r#"["c"]"#, r#"["c"]"#),
        (r#"{"a":"foo"}"#, "null", "null"),
        (r#"{"e":null}"#, r#"{"a":1}"#, r#"{"e":null,"a":1}"#),
        ("[1,2]", r#"{"a":"b","c":null}"#, r#"{"a":"b"}"#),
        ("{}", r#"{"a":{"bb":{"ccc":null}}}"#, r#"{"a":{"bb":{}}}"#),
    ] {
        let mut value = json(target);
        merge(&mut value, &json(patch), &mut Vec::new());
        assert_eq!(text(&value), result, "{target} {patch}");
    }
    let mut root = json(r#"{"a":{"b":1}}"#);
    assert_eq!(edit::merge_at(&mut root, &path("$..*"), parsed(r#"{"m":1}"#), &mut Vec::new()), Ok(true));
    assert_eq!(text(&root), r#"{"a":{"b":{"m":1},"m":1}}"#);
}

#[test]
fn removal_takes_what_is_inside_along() {
    for (document, at, count, result) in [
        (r#"{"a":1,"nested":{"a":2,"b":3}}"#, "$..a", 2, r#"{"nested":{"b":3}}"#),
        (r#"{"a":{"a":{"a":1}},"b":{"a":1}}"#, "$..a", 2, r#"{"b":{}}"#),
        ("[0,1,2,3,4,5]", "$[1:5:2]", 2, "[0,2,4,5]"),
        ("[0,1,2,3]", "$[3,0,3,-1]", 2, "[1,2]"),
        ("[[1,2],[3,4]]", "$[*][0]", 2, "[[2],[4]]"),
        ("[[1,2],[3,4]]", "$[0]['x']", 0, "[[1,2],[3,4]]"),
        (r#"{"a":[1,{"b":2}],"c":3}"#, "$.*", 2, "{}"),
        (r#"[{"a":1,"b":{"a":2}},{"a":3}]"#, "$[?(@.a>0)]", 2, "[]"),
    ] {
        let mut root = json(document);
        let places = path(at).places(&root).expect("few");
        assert_eq!(edit::remove(&mut root, places, &mut Vec::new()), count, "{document} {at}");
        assert_eq!(text(&root), result, "{document} {at}");
    }
}

#[test]
fn arrays_take_indices_from_both_ends() {
    let mut items = vec![Value::Int(0), Value::Int(1), Value::Int(2)];
    let new = [Value::Bool(true)];
    for index in [4, -4, i64::MAX, i64::MIN] {
        assert!(!array::insert(&mut items, index, &new));
    }
    assert!(array::insert(&mut items, -3, &new) && array::insert(&mut items, 4, &new));
    assert_eq!(text(&Value::Array(Box::new(items.clone()))), "[true,0,1,2,true]");
    for (index, popped) in [(i64::MIN, "true"), (i64::MAX, "true"), (-1, "2"), (1, "1"), (-1, "0")] {
        assert_eq!(array::pop(&mut items, index).map(|value| text(&value)).as_deref(), Some(popped));
    }
    assert_eq!(array::pop(&mut items, 0), None);
    for (start, stop, rest) in [
        (0, -1, "[0,1,2,3]"),
        (1, 2, "[1,2]"),
        (-2, -1, "[2,3]"),
        (2, i64::MAX, "[2,3]"),
        (i64::MIN, 1, "[0,1]"),
        (0, i64::MIN, "[0]"),
        (4, 5, "[]"),
        (2, 1, "[]"),
        (-1, -2, "[]"),
    ] {
        let mut items: Vec<Value> = (0..4).map(Value::Int).collect();
        let gone = array::trim(&mut items, start, stop);
        assert_eq!(gone.len() + items.len(), 4);
        assert_eq!(text(&Value::Array(Box::new(items))), rest, "{start} {stop}");
    }
    let items = [1, 2, 3, 1].map(Value::Int);
    for (start, stop, place) in [
        (0, 0, Some(0)),
        (1, 0, Some(3)),
        (4, 0, Some(3)),
        (5, 0, Some(3)),
        (-1, 0, Some(3)),
        (1, -1, None),
        (1, 3, None),
        (1, i64::MAX, Some(3)),
        (i64::MIN, i64::MAX, Some(0)),
        (3, 1, None),
        (0, i64::MIN, None),
    ] {
        assert_eq!(array::index_of(&items, &Value::Float(1.0), start, stop), place, "{start} {stop}");
    }
    assert_eq!(array::index_of(&[], &Value::Null, 0, 0), None);
}

#[test]
fn arithmetic_stays_whole_or_is_refused() {
    let run = |operation, one: &str, other: &str| {
        calculate(operation, &json(one), &json(other)).map(|value| text(&value))
    };
    let some = |text: &str| Ok(text.to_string());
    assert_eq!(run(Operation::Add, "1", "2"), some("3"));
    assert_eq!(run(Operation::Add, "1", "2.0"), some("3.0"));
    assert_eq!(run(Operation::Multiply, "3", "-4"), some("-12"));
    assert_eq!(run(Operation::Multiply, "2.5", "2"), some("5.0"));
    assert_eq!(run(Operation::Add, "9223372036854775807", "1"), Err(NoResult::Overflow));
    assert_eq!(run(Operation::Multiply, "9223372036854775807", "2"), Err(NoResult::Overflow));
    assert_eq!(run(Operation::Add, "18446744073709551615", "1"), some("1.8446744073709552e19"));
    assert_eq!(run(Operation::Add, "1.7e308", "1.7e308"), Err(NoResult::NotFinite));
    assert_eq!(run(Operation::Multiply, "1e200", "1e200"), Err(NoResult::NotFinite));
}

#[test]
fn numbers_compare_exactly() {
    let order = |one: &str, other: &str| compare(&json(one), &json(other)).map(|order| order as i8);
    assert_eq!(order("1", "1.0"), Some(0));
    assert_eq!(order("9007199254740993", "9007199254740992.0"), Some(1));
    assert_eq!(order("9223372036854775807", "9223372036854775808.0"), Some(-1));
    assert_eq!(order("18446744073709551615", "-1"), Some(1));
    assert_eq!(order("2", "2.5"), Some(-1));
    assert_eq!(order("-2", "-2.5"), Some(1));
    assert_eq!(order("1e300", "5"), Some(1));
    assert_eq!(order("1", "\"1\""), None);
}

#[test]
fn narrow_types_round_to_even() {
    for (precision, from, to) in [
        (Precision::Half, 0.1, Some(0.0999755859375)),
        (Precision::Half, 65504.0, Some(65504.0)),
        (Precision::Half, 65519.0, Some(65504.0)),
        (Precision::Half, 65520.0, None),
        (Precision::Half, 2049.0, Some(2048.0)),
        (Precision::Half, 2051.0, Some(2052.0)),
        (Precision::Half, 5.960464477539063e-8, Some(5.960464477539063e-8)),
        (Precision::Half, 1e-9, Some(0.0)),
        (Precision::Brain, 1.01, Some(1.0078125)),
        (Precision::Brain, 3.4e38, None),
        (Precision::Double, 0.1, Some(0.1)),
    ] {
        assert_eq!(precision.round(from), to, "{precision:?} {from}");
    }
    for number in [0.1, 1e30, -3.3, 1e-40, 1.5e-45, 16777217.0] {
        assert_eq!(Precision::Single.round(number), Some(f64::from(number as f32)));
    }
    let mut value = json("[[1,2,3,4e3],[5,6.1,7,8],[1,2],[1.1,\"x\"],{\"a\":[0.1]}]");
    assert_eq!(round_arrays(&mut value, Precision::Half), Ok(()));
    let rounded =
        "[[1.0,2.0,3.0,4000.0],[5.0,6.1015625,7.0,8.0],[1,2],[1.1,\"x\"],{\"a\":[0.0999755859375]}]";
    assert_eq!(text(&value), rounded);
    assert_eq!(round_arrays(&mut json("[1.0,70000]"), Precision::Half), Err(70000.0));
}

#[derive(Clone, Debug)]
enum Step {
    Set(u16, i64),
    Remove(prop::sample::Index),
    RemoveAll(Vec<prop::sample::Index>),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        6 => (0u16..80, any::<i64>()).prop_map(|(name, value)| Step::Set(name, value)),
        3 => any::<prop::sample::Index>().prop_map(Step::Remove),
        1 => prop::collection::vec(any::<prop::sample::Index>(), 0..5).prop_map(Step::RemoveAll),
    ];
    prop::collection::vec(step, 0..300)
}

proptest! {
    #[test]
    fn an_object_is_a_list_of_pairs(steps in steps()) {
        let (mut object, mut model) = (Object::default(), Vec::<(String, i64)>::new());
        for step in steps {
            match step {
                Step::Set(name, value) => {
                    let name = format!("name {name}");
                    object.set(&name, Value::Int(value));
                    match model.iter_mut().find(|(known, _)| *known == name) {
                        Some((_, old)) => *old = value,
                        None => model.push((name, value)),
                    }
                }
                Step::Remove(at) if !model.is_empty() => {
                    let at = at.index(model.len());
                    prop_assert!(object.remove(at) == Value::Int(model.remove(at).1));
                }
                Step::RemoveAll(all) if !model.is_empty() => {
                    let mut places: Vec<usize> = all.iter().map(|at| at.index(model.len())).collect();
                    places.sort_unstable();
                    places.dedup();
                    object.remove_all(&places);
                    places.iter().rev().for_each(|at| _ = model.remove(*at));
                }
                Step::Remove(_) | Step::RemoveAll(_) => {}
            }
            let now: Vec<(&str, &Value)> =
                object.members().iter().map(|member| (member.name.as_str(), &member.value)).collect();
            prop_assert_eq!(now.len(), model.len());
            for (at, (name, value)) in model.iter().enumerate() {
                prop_assert_eq!(now[at].0, name);
                prop_assert!(*now[at].1 == Value::Int(*value));
                prop_assert_eq!(object.find(name), Some(at));
            }
            prop_assert_eq!(object.find("name"), None);
        }
    }

    /// Removal against one by one, from the last place on.
    #[test]
    fn removal_is_that_of_each(value in any_value(), picks in prop::collection::vec(any::<prop::sample::Index>(), 0..6)) {
        let all: Vec<Place> = path("$..*").places(&value).expect("few");
        prop_assume!(!all.is_empty());
        let places: Vec<Place> = picks.iter().map(|at| at.get(&all).clone()).collect();
        let (mut one_by_one, mut sorted) = (value.clone(), places.clone());
        sorted.sort_unstable();
        sorted.dedup();
        let is_outermost = |place: &Place| !sorted.iter().any(|other| other != place && place.starts_with(other));
        let count = sorted.iter().filter(|place| is_outermost(place)).count();
        for place in sorted.iter().rev() {
            let (last, parent) = place.split_last().expect("below the root");
            match edit::at(&mut one_by_one, parent).expect("it is there") {
                Value::Array(items) => _ = items.remove(*last as usize),
                Value::Object(object) => _ = object.remove(*last as usize),
                _ => unreachable!("only these have children"),
            }
        }
        let mut at_once = value;
        prop_assert_eq!(edit::remove(&mut at_once, places, &mut Vec::new()), count);
        prop_assert_eq!(text(&at_once), text(&one_by_one));
    }
}
