//! The sending side.

use super::{
    PROTOCOL, STALL,
    message::{self, Answer, Offer, Verdict},
};
use crate::{
    error::{CliError, Kind},
    output::printable,
};
use bytes::{Bytes, BytesMut};
use sinew::{Connection, Stream};
use sinew_crypto::Sha256;
use std::{io, path::Path};
use tokio::{fs::File, io::AsyncReadExt, time::timeout};

/// Bytes read and written at once.
const CHUNK: usize = 256 << 10;

/// Letters that are shown of a receiver's reason.
const MAX_REASON: usize = 200;

/// Sends a file and gives its size and hash. `moved` hears of each piece.
pub(crate) async fn send(
    connection: &Connection,
    path: &Path,
    code: Option<String>,
    moved: impl FnMut(u64),
) -> Result<(u64, [u8; 32]), CliError> {
    let (file, size, name) = open(path).await?;
    let mut stream = connection
        .open([PROTOCOL])
        .await
        .map_err(|error| CliError::stack("opening a stream", error))?;
    let lost = |error| {
        CliError::new(Kind::Remote, "sending")
            .because(error)
            .hint("does the other node run `sinew receive`?")
    };
    message::write(&mut stream, &Offer { name, size, code })
        .await
        .map_err(lost)?;
    match message::read(&mut stream).await.map_err(lost)? {
        Answer::Take => {}
        Answer::Refuse(reason) => {
            return Err(CliError::new(
                Kind::Refused,
                format!("refused: {}", printable(&reason, MAX_REASON)),
            ));
        }
    }
    let hash = stream_file(&mut stream, file, size, moved).await.map_err(lost)?;
    match message::read(&mut stream).await.map_err(lost)? {
        Verdict::Stored => Ok((size, hash)),
        Verdict::Failed(reason) => Err(CliError::new(
            Kind::Remote,
            format!(
                "the receiver did not store it: {}",
                printable(&reason, MAX_REASON)
            ),
        )),
    }
}

async fn open(path: &Path) -> Result<(File, u64, String), CliError> {
    let failed = |error| CliError::io(format!("reading {}", path.display()), error);
    let file = File::open(path).await.map_err(failed)?;
    let metadata = file.metadata().await.map_err(failed)?;
    let name = path
        .file_name()
        .and_then(|name| name.to_str())
        .filter(|_| metadata.is_file());
    let name =
        name.ok_or_else(|| CliError::new(Kind::Local, format!("{} is no file to send", path.display())))?;
    Ok((file, metadata.len(), name.to_owned()))
}

async fn stream_file(
    stream: &mut Stream,
    mut file: File,
    size: u64,
    mut moved: impl FnMut(u64),
) -> io::Result<[u8; 32]> {
    let (mut hash, mut left) = (Sha256::new(), size);
    while left > 0 {
        let chunk = read(&mut file, left).await?;
        hash.update(&chunk);
        let length = chunk.len() as u64;
        timeout(STALL, stream.write_chunk(chunk))
            .await
            .map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
        left -= length;
        moved(length);
    }
    let hash = hash.finish();
    stream.write_all(&hash).await?;
    stream.finish().await?;
    Ok(hash)
}

/// The next piece; a file that shrinks while it is sent is an error.
async fn read(file: &mut File, left: u64) -> io::Result<Bytes> {
    let length = usize::try_from(left.min(CHUNK as u64)).expect("at most CHUNK");
    let mut chunk = BytesMut::with_capacity(length);
    while chunk.len() < length {
        let room = length - chunk.len();
        if file.take(room as u64).read_buf(&mut chunk).await? == 0 {
            return Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                "the file became shorter while it was sent",
            ));
        }
    }
    Ok(chunk.freeze())
}
