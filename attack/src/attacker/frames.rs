//! yamux frames as an attacker writes them: any header, whether it makes sense or not.

/// Kinds of frames.
pub(super) const DATA: u8 = 0;
/// A window update.
pub(super) const WINDOW: u8 = 1;
/// A ping.
pub(super) const PING: u8 = 2;

/// Flags: a stream begins, or a ping asks.
pub(super) const SYN: u16 = 1;
/// One side has said all.
pub(super) const FIN: u16 = 4;
/// A stream is reset.
pub(super) const RST: u16 = 8;
/// No flag.
pub(super) const NONE: u16 = 0;

/// The header of multistream-select.
pub(super) const HEADER: &[u8] = b"\x13/multistream/1.0.0\n";

/// A header.
#[derive(Clone, Copy, Debug)]
pub(super) struct Frame {
    pub(super) kind: u8,
    pub(super) flags: u16,
    pub(super) stream: u32,
    pub(super) length: u32,
}

impl Frame {
    /// Writes the header.
    pub(super) fn put(self, out: &mut Vec<u8>) {
        out.extend([0, self.kind]);
        out.extend(self.flags.to_be_bytes());
        out.extend(self.stream.to_be_bytes());
        out.extend(self.length.to_be_bytes());
    }
}

/// Writes a data frame with its payload.
pub(super) fn data(flags: u16, stream: u32, payload: &[u8], out: &mut Vec<u8>) {
    let length = u32::try_from(payload.len()).unwrap_or(u32::MAX);
    Frame {
        kind: DATA,
        flags,
        stream,
        length,
    }
    .put(out);
    out.extend(payload);
}

/// One message of multistream-select: a length below 128, the text, a newline.
pub(super) fn message(text: &str) -> Vec<u8> {
    let mut out = vec![u8::try_from(text.len() + 1).unwrap_or(u8::MAX)];
    out.extend(text.as_bytes());
    out.push(b'\n');
    out
}
