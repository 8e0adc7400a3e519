//! Rounding to the floating point types that JSON.SET's FPHA names.

use super::Value;

/// A type of floating point numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Precision {
    /// IEEE 754 in 16 bits: 11 bits of precision.
    Half,
    /// The upper half of a single: 8 bits of precision.
    Brain,
    /// IEEE 754 in 32 bits: 24 bits of precision.
    Single,
    /// IEEE 754 in 64 bits.
    Double,
}

impl Precision {
    /// What errors call it.
    pub fn name(self) -> &'static str {
        match self {
            Precision::Half => "F16",
            Precision::Brain => "BF16",
            Precision::Single => "F32",
            Precision::Double => "F64",
        }
    }

    /// Bits of precision, the least exponent of a normal number, and the largest number.
    fn bounds(self) -> (i32, i32, f64) {
        match self {
            Precision::Half => (11, -14, 65_504.0),
            Precision::Brain => (8, -126, 3.389_531_389_251_535_5e38),
            Precision::Single => (24, -126, f64::from(f32::MAX)),
            Precision::Double => (53, -1022, f64::MAX),
        }
    }

    /// The nearest number of this type, ties to even; none if it would be infinite.
    pub fn round(self, number: f64) -> Option<f64> {
        if number == 0.0 || self == Precision::Double {
            return Some(number);
        }
        let (bits, least, max) = self.bounds();
        let exponent = (((number.to_bits() >> 52) & 0x7ff) as i32 - 1023).max(least);
        // A power of two, so both divisions are exact and only the rounding rounds.
        let unit = f64::powi(2.0, exponent - (bits - 1));
        let rounded = (number / unit).round_ties_even() * unit;
        (rounded.abs() <= max).then_some(rounded)
    }
}

/// Rounds the numbers of every array that consists of numbers, at least one of which is no whole one. The first number
/// that the type cannot hold is the error.
pub fn round_arrays(value: &mut Value, precision: Precision) -> Result<(), f64> {
    match value {
        Value::Array(items) if is_float_array(items) => {
            for item in items.iter_mut() {
                let number = item.as_f64().unwrap_or_default();
                *item = Value::Float(precision.round(number).ok_or(number)?);
            }
            Ok(())
        }
        Value::Array(items) => items.iter_mut().try_for_each(|item| round_arrays(item, precision)),
        Value::Object(object) => (0..object.members().len())
            .filter_map(|at| object.value_mut(at).map(|value| round_arrays(value, precision)))
            .collect(),
        _ => Ok(()),
    }
}

fn is_float_array(items: &[Value]) -> bool {
    items.iter().all(Value::is_number) && items.iter().any(|item| matches!(item, Value::Float(_)))
}
