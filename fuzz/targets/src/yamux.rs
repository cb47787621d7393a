//! The byte machine of `sinew-yamux`.

use sinew_yamux::machine::{Header, probe};

/// Bounds and counts hold, whatever arrives and whatever the application does meanwhile. The first byte is the length of
/// the script that says how bytes are cut and what the application does.
pub(crate) fn machine(data: &[u8]) {
    let [len, rest @ ..] = data else { return };
    let (script, input) = rest.split_at(usize::from(*len).min(rest.len()));
    if let Some(header) = input.first_chunk()
        && let Ok(decoded) = Header::decode(header)
    {
        assert_eq!(decoded.encode(), *header);
    }
    assert_eq!(probe(input, script), Ok(()));
}
