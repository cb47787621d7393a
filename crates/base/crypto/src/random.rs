//! Random bytes from the operating system's generator.

use aws_lc_rs::rand;

/// Fills `out` with bytes that nobody can predict.
///
/// # Panics
/// When the system has no source of entropy: nothing secret could be made without one.
pub fn random(out: &mut [u8]) {
    rand::fill(out).expect("the system has a source of entropy");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_draws_differ() {
        let (mut first, mut second) = ([0; 32], [0; 32]);
        random(&mut first);
        random(&mut second);
        assert_ne!(first, second);
    }
}
