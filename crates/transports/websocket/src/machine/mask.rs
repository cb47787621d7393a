//! The mask over what a client sends (RFC 6455, 5.3).

/// Masks, or takes the mask off: the same thing. `offset` is where in the frame `bytes` begin.
pub(super) fn apply(bytes: &mut [u8], key: [u8; 4], offset: usize) {
    let mut key = key;
    key.rotate_left(offset % 4);
    let [a, b, c, d] = key;
    let wide = u64::from_ne_bytes([a, b, c, d, a, b, c, d]);
    let (words, rest) = bytes.as_chunks_mut::<8>();
    for word in words {
        *word = (u64::from_ne_bytes(*word) ^ wide).to_ne_bytes();
    }
    for (byte, key) in rest.iter_mut().zip(key.iter().cycle()) {
        *byte ^= key;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_meets_its_own_key_wherever_a_piece_begins() {
        let key = [1, 20, 160, 255];
        let plain: Vec<u8> = (0..100).collect();
        let expected: Vec<u8> = plain
            .iter()
            .enumerate()
            .map(|(at, byte)| byte ^ key[at % 4])
            .collect();
        for cut in 0..=plain.len() {
            let mut masked = plain.clone();
            let (first, second) = masked.split_at_mut(cut);
            apply(first, key, 0);
            apply(second, key, cut);
            assert_eq!(masked, expected, "cut at {cut}");
        }
    }
}
