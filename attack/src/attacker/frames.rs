//! Frames of yamux and mplex as an attacker writes them: any header, whether it makes sense or not.

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

/// Frames of mplex, of who opened the stream.
#[derive(Clone, Copy, Debug)]
pub(super) enum Mplex {
    NewStream = 0,
    Message = 2,
    Close = 4,
    Reset = 6,
}

impl Mplex {
    /// Writes a frame with its payload.
    pub(super) fn put(self, stream: u32, payload: &[u8], out: &mut Vec<u8>) {
        varint(u64::from(stream) << 3 | self as u64, out);
        varint(payload.len() as u64, out);
        out.extend(payload);
    }
}

fn varint(mut number: u64, out: &mut Vec<u8>) {
    while number > 0x7f {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// Opens a stream and says something on it.
pub(super) fn begin(mplex: bool, stream: u32, payload: &[u8], out: &mut Vec<u8>) {
    if mplex {
        Mplex::NewStream.put(stream, b"", out);
        Mplex::Message.put(stream, payload, out);
    } else {
        data(SYN, stream, payload, out);
    }
}

/// Says something on a stream.
pub(super) fn more(mplex: bool, stream: u32, payload: &[u8], out: &mut Vec<u8>) {
    if mplex {
        Mplex::Message.put(stream, payload, out);
    } else {
        data(NONE, stream, payload, out);
    }
}

/// Ends a stream.
pub(super) fn end(mplex: bool, stream: u32, out: &mut Vec<u8>) {
    if mplex {
        Mplex::Close.put(stream, b"", out);
    } else {
        data(FIN, stream, b"", out);
    }
}

/// Resets a stream.
pub(super) fn reset(mplex: bool, stream: u32, out: &mut Vec<u8>) {
    if mplex {
        Mplex::Reset.put(stream, b"", out);
    } else {
        let (kind, flags, length) = (WINDOW, RST, 0);
        let frame = Frame {
            kind,
            flags,
            stream,
            length,
        };
        frame.put(out);
    }
}

/// One message of multistream-select: a length below 128, the text, a newline.
pub(super) fn message(text: &str) -> Vec<u8> {
    let mut out = vec![u8::try_from(text.len() + 1).unwrap_or(u8::MAX)];
    out.extend(text.as_bytes());
    out.push(b'\n');
    out
}
