//! Numbers that look random and come again with the same seed.

/// A generator of numbers that a seed decides.
#[derive(Clone)]
pub struct Dice(u64);

impl Dice {
    /// One that begins at a seed.
    pub fn new(seed: u64) -> Dice {
        Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// A number below `sides`.
    pub fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % sides
    }

    /// One of `choices`.
    pub fn pick<'a, T>(&mut self, choices: &'a [T]) -> &'a T {
        &choices[self.roll(choices.len() as u64) as usize]
    }

    /// True in `percent` of a hundred cases.
    pub fn likely(&mut self, percent: u64) -> bool {
        self.roll(100) < percent
    }
}
