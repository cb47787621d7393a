//! The byte machine of `sinew-mplex`.

use sinew_mplex::machine::{Header, probe};

/// Bounds and counts hold, whatever arrives and whatever the application does meanwhile. The first byte is the length of
/// the script that says how bytes are cut and what the application does.
pub(crate) fn machine(data: &[u8]) {
    let [len, rest @ ..] = data else { return };
    let (script, input) = rest.split_at(usize::from(*len).min(rest.len()));
    if let Ok(Some((header, length))) = Header::decode(input) {
        let mut encoded = Vec::new();
        header.encode(&mut encoded);
        assert_eq!(encoded, input[..length]);
    }
    assert_eq!(probe(input, script), Ok(()));
}
