//! From a histogram of register values to a cardinality: Ertl's improved raw estimator (2017, algorithm 6).

use super::{MAX_REGISTER, RANK_BITS, REGISTERS};

/// How many registers hold each value.
pub(super) type Histogram = [u32; MAX_REGISTER as usize + 1];

/// The estimator's constant for infinitely many registers, 1 / (2 ln 2).
const ALPHA_INFINITY: f64 = 0.721_347_520_444_481_7;

/// What C's conversion yields where an estimate is no 64-bit signed integer (registers near or at their limit, which
/// only a crafted sketch has). Read as a signed integer it is the smallest one; a Redis client gets that reply.
const OUT_OF_RANGE: u64 = 1 << 63;

/// The number of distinct elements that `histogram` stands for, rounded half away from zero.
pub(super) fn cardinality(histogram: &Histogram) -> u64 {
    let registers = REGISTERS as f64;
    let top = RANK_BITS as usize;
    let saturated = f64::from(histogram[top + 1]);
    let mut z = registers * tau((registers - saturated) / registers);
    for &count in histogram[1..=top].iter().rev() {
        z = (z + f64::from(count)) * 0.5;
    }
    z += registers * sigma(f64::from(histogram[0]) / registers);
    to_integer(ALPHA_INFINITY * registers * registers / z)
}

fn to_integer(estimate: f64) -> u64 {
    if estimate < OUT_OF_RANGE as f64 { estimate.round() as u64 } else { OUT_OF_RANGE }
}

/// The correction for registers still at zero: x + sum of x^(2^k) * 2^(k-1), summed until it stops to change.
fn sigma(mut x: f64) -> f64 {
    if x == 1.0 {
        return f64::INFINITY;
    }
    let (mut weight, mut sum) = (1.0, x);
    loop {
        x *= x;
        let previous = sum;
        sum += x * weight;
        weight += weight;
        if sum == previous {
            return sum;
        }
    }
}

/// The correction for saturated registers: a third of 1 - x - sum of (1 - x^(2^-k))^2 * 2^-k.
fn tau(mut x: f64) -> f64 {
    if x == 0.0 || x == 1.0 {
        return 0.0;
    }
    let (mut weight, mut sum) = (1.0, 1.0 - x);
    loop {
        x = x.sqrt();
        let previous = sum;
        weight *= 0.5;
        sum -= (1.0 - x) * (1.0 - x) * weight;
        if sum == previous {
            return sum / 3.0;
        }
    }
}
