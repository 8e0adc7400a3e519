//! How numbers compare, and arithmetic on them.

use std::cmp::Ordering;

use super::Value;

/// Why there is no result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoResult {
    /// Whole numbers whose result no `i64` holds.
    Overflow,
    /// The result is infinite.
    NotFinite,
}

/// The arithmetic that there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// The sum.
    Add,
    /// The product.
    Multiply,
}

impl Value {
    /// Whether it is a number.
    pub fn is_number(&self) -> bool {
        matches!(self, Value::Int(_) | Value::Unsigned(_) | Value::Float(_))
    }

    /// The number, as precisely as a double has it.
    pub fn as_f64(&self) -> Option<f64> {
        match *self {
            Value::Int(int) => Some(int as f64),
            Value::Unsigned(int) => Some(int as f64),
            Value::Float(float) => Some(float),
            _ => None,
        }
    }
}

/// How two numbers compare; none if one of them is something else.
pub fn compare(one: &Value, other: &Value) -> Option<Ordering> {
    match (whole(one), whole(other)) {
        (Some(one), Some(other)) => Some(one.cmp(&other)),
        (None, None) => one.as_f64()?.partial_cmp(&other.as_f64()?),
        (Some(int), None) => compare_to_float(int, other.as_f64()?),
        (None, Some(int)) => compare_to_float(int, one.as_f64()?).map(Ordering::reverse),
    }
}

fn whole(value: &Value) -> Option<i128> {
    match *value {
        Value::Int(int) => Some(int.into()),
        Value::Unsigned(int) => Some(int.into()),
        _ => None,
    }
}

/// Exactly, also where a double could not hold the integer.
fn compare_to_float(int: i128, float: f64) -> Option<Ordering> {
    let floor = float.floor();
    // A cast saturates, and no integer of a document comes near the bounds.
    let order = int.cmp(&(floor as i128));
    Some(if order.is_eq() && float > floor { Ordering::Less } else { order })
}

/// The result of `operation`: whole numbers stay whole, anything else is a double.
pub fn calculate(operation: Operation, one: &Value, other: &Value) -> Result<Value, NoResult> {
    if let (Value::Int(one), Value::Int(other)) = (one, other) {
        let result = match operation {
            Operation::Add => one.checked_add(*other),
            Operation::Multiply => one.checked_mul(*other),
        };
        return result.map(Value::Int).ok_or(NoResult::Overflow);
    }
    let (one, other) = (one.as_f64().unwrap_or(f64::NAN), other.as_f64().unwrap_or(f64::NAN));
    let result = match operation {
        Operation::Add => one + other,
        Operation::Multiply => one * other,
    };
    if result.is_finite() { Ok(Value::Float(result)) } else { Err(NoResult::NotFinite) }
}
