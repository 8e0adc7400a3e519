//! `math.random` and `math.randomseed`: the generator of Redis, so that a seed gives the same numbers everywhere.
//!
//! Each interpreter begins with a seed of its own and goes on from script to script. The generator is POSIX's `lrand48`: a linear congruence over 48 bits, of which the upper 31 are the draw.

use std::hash::{BuildHasher, RandomState};

use super::{Outcome, Stack};

const FACTOR: u64 = 0x5_DEEC_E66D;
const ADDEND: u64 = 0xB;
const MASK: u64 = (1 << 48) - 1;
/// What stands below a seed.
const LOW: u64 = 0x330E;
/// One more than the largest draw that counts.
const SPAN: u64 = i32::MAX as u64;

/// The generator's state.
#[derive(Clone, Copy)]
pub(super) struct Random(u64);

impl Default for Random {
    fn default() -> Random {
        Random::seeded(RandomState::new().hash_one(0) as u32)
    }
}

impl Random {
    /// The generator of a seed.
    pub(super) fn seeded(seed: u32) -> Random {
        Random(u64::from(seed) << 16 | LOW)
    }

    fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(FACTOR).wrapping_add(ADDEND) & MASK;
        self.0 >> 17
    }

    /// A number in [0, 1).
    fn fraction(&mut self) -> f64 {
        (self.draw() % SPAN) as f64 / SPAN as f64
    }
}

pub(super) fn random(stack: &mut Stack<'_>) -> Outcome {
    let cell = &stack.shared().random;
    let mut random = cell.get();
    let fraction = random.fraction();
    cell.set(random);
    let (low, high) = match stack.top() {
        0 => {
            stack.push_number(fraction);
            return stack.one();
        }
        1 => (1, stack.check_integer(1)? as i32),
        2 => (stack.check_integer(1)? as i32, stack.check_integer(2)? as i32),
        _ => return Err(stack.fail("wrong number of arguments")),
    };
    if low > high {
        let last = stack.top() as i32;
        return Err(stack.bad_argument(last, "interval is empty"));
    }
    let width = f64::from(high) - f64::from(low) + 1.0;
    stack.push_number((fraction * width).floor() + f64::from(low));
    stack.one()
}

pub(super) fn seed(stack: &mut Stack<'_>) -> Outcome {
    let seed = stack.check_integer(1)?;
    stack.shared().random.set(Random::seeded(seed as i32 as u32));
    Ok(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_are_those_of_lrand48() {
        // The first numbers of lrand48 after srand48(0), from a C library.
        let mut random = Random::seeded(0);
        assert_eq!([random.draw(), random.draw(), random.draw()], [366_850_414, 1_610_402_240, 206_956_554]);
    }
}
