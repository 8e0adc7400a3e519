//! tmp stub
pub const REGISTERS: usize = 16384;
#[derive(Debug)]
pub struct Dense;
impl Dense {
    pub fn seal(&self) {}
    pub fn to_redis_bytes(&self) -> Vec<u8> {
        vec![]
    }
}
