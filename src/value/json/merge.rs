//! RFC 7396: a patch that is no object replaces its target; one that is an object is merged member by member, and null
//! takes a member away.

use std::mem;

use super::{Object, Value};

/// Merges `patch` into `target`; what that replaces is added to `garbage`.
pub fn merge(target: &mut Value, patch: &Value, garbage: &mut Vec<Value>) {
    let Value::Object(patch) = patch else {
        garbage.push(mem::replace(target, patch.clone()));
        return;
    };
    if !matches!(target, Value::Object(_)) {
        garbage.push(mem::replace(target, Value::Object(Box::default())));
    }
    if let Value::Object(object) = target {
        merge_members(object, patch, garbage);
    }
}

fn merge_members(object: &mut Object, patch: &Object, garbage: &mut Vec<Value>) {
    for member in patch.members() {
        let name = member.name.as_str();
        match (&member.value, object.find(name)) {
            (Value::Null, Some(at)) => garbage.push(object.remove(at)),
            (Value::Null, None) => {}
            (value, Some(at)) => {
                if let Some(own) = object.value_mut(at) {
                    merge(own, value, garbage);
                }
            }
            (value, None) => {
                let mut new = Value::Null;
                merge(&mut new, value, garbage);
                object.set(name, new);
            }
        }
    }
}
