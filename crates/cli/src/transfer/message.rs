//! The messages of a transfer, and how they stand on the wire.

use super::STALL;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use sinew::Stream;
use std::io;
use tokio::time::timeout;

/// The longest message: a file name of 255 bytes, escaped, fits.
const MAX: usize = 4096;

/// What the sender has.
#[derive(Serialize, Deserialize, PartialEq, Eq, Debug)]
pub(super) struct Offer {
    pub(super) name: String,
    pub(super) size: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) code: Option<String>,
}

/// What the receiver says to it.
#[derive(Serialize, Deserialize, PartialEq, Eq, Debug)]
pub(super) enum Answer {
    Take,
    Refuse(String),
}

/// What became of the bytes.
#[derive(Serialize, Deserialize, PartialEq, Eq, Debug)]
pub(super) enum Verdict {
    Stored,
    Failed(String),
}

/// Writes a message.
pub(super) async fn write(stream: &mut Stream, message: &impl Serialize) -> io::Result<()> {
    let text = serde_json::to_vec(message)?;
    let length = u16::try_from(text.len())
        .ok()
        .filter(|length| usize::from(*length) <= MAX);
    let length =
        length.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "the message is too long"))?;
    let framed = [&length.to_be_bytes()[..], &text].concat();
    stream.write_all(&framed).await?;
    stream.flush().await
}

/// Reads a message, and gives up on a silent sender.
pub(super) async fn read<M: DeserializeOwned>(stream: &mut Stream) -> io::Result<M> {
    timeout(STALL, read_now(stream))
        .await
        .map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?
}

async fn read_now<M: DeserializeOwned>(stream: &mut Stream) -> io::Result<M> {
    let mut length = [0; 2];
    stream.read_exact(&mut length).await?;
    let length = usize::from(u16::from_be_bytes(length));
    if length > MAX {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "the message is longer than allowed",
        ));
    }
    let mut text = vec![0; length];
    stream.read_exact(&mut text).await?;
    Ok(serde_json::from_slice(&text)?)
}
