//! The receiving side.

use super::{
    STALL,
    message::{self, Answer, Offer, Verdict},
    store::{self, Incoming},
};
use sinew::{PeerId, Stream};
use std::{
    io,
    path::PathBuf,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};
use tokio::time::timeout;

/// Wrong codes that are answered before no code is right any more.
const MAX_WRONG_CODES: u32 = 5;

/// Who may send.
#[derive(Debug)]
pub(crate) enum Admission {
    /// One peer, as often as it likes.
    From(PeerId),
    /// Whoever has the code, once.
    Code(Mutex<Code>),
}

/// A one-time code.
#[derive(Debug)]
pub(crate) struct Code {
    text: Option<String>,
    wrong: u32,
}

impl Admission {
    /// A fresh code, and what it reads: 10 letters and digits, 50 bits.
    pub(crate) fn fresh_code() -> (Self, String) {
        const ALPHABET: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
        let mut random = [0; 10];
        sinew_crypto::random(&mut random);
        let text: String = random
            .iter()
            .map(|byte| char::from(ALPHABET[usize::from(byte % 32)]))
            .collect();
        (
            Self::Code(Mutex::new(Code {
                text: Some(text.clone()),
                wrong: 0,
            })),
            text,
        )
    }

    /// Says why `peer` may not send, if so. A right code is used up.
    fn refuse(&self, peer: PeerId, code: Option<&str>) -> Option<&'static str> {
        match self {
            Self::From(allowed) => {
                (peer != *allowed).then_some("this node takes files from another peer only")
            }
            Self::Code(known) => known.lock().unwrap_or_else(PoisonError::into_inner).refuse(code),
        }
    }

    /// A code is good for one file.
    fn is_used_up(&self) -> bool {
        match self {
            Self::From(_) => false,
            Self::Code(known) => known
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .text
                .is_none(),
        }
    }
}

impl Code {
    fn refuse(&mut self, code: Option<&str>) -> Option<&'static str> {
        let Some(text) = &self.text else {
            return Some("the code was used, or guessed wrong too often");
        };
        let right = code.is_some_and(|code| {
            sinew_crypto::sha256(code.as_bytes()) == sinew_crypto::sha256(text.as_bytes())
        });
        if right {
            self.text = None;
            return None;
        }
        self.wrong += 1;
        if self.wrong >= MAX_WRONG_CODES {
            self.text = None;
        }
        Some("a code is needed, the one that `sinew receive` printed")
    }
}

/// Takes files.
#[derive(Debug)]
pub(crate) struct Receiver {
    pub(crate) admission: Admission,
    pub(crate) dir: PathBuf,
    pub(crate) max_size: u64,
}

/// A file that was taken.
#[derive(Debug)]
pub(crate) struct Taken {
    pub(crate) path: PathBuf,
    pub(crate) size: u64,
    pub(crate) time: Duration,
    /// Whether nothing more will be taken.
    pub(crate) last: bool,
}

impl Receiver {
    /// Serves one stream; `None` when the offer was refused.
    pub(crate) async fn serve(&self, stream: &mut Stream) -> io::Result<Option<Taken>> {
        let offer: Offer = message::read(stream).await?;
        let started = Instant::now();
        let incoming = match self.admit(stream.peer(), &offer).await {
            Ok(incoming) => incoming,
            Err(reason) => {
                message::write(stream, &Answer::Refuse(reason)).await?;
                stream.finish().await?;
                return Ok(None);
            }
        };
        message::write(stream, &Answer::Take).await?;
        let stored = take(stream, incoming, offer.size).await;
        let verdict = stored
            .as_ref()
            .map_or_else(|error| Verdict::Failed(error.to_string()), |_| Verdict::Stored);
        message::write(stream, &verdict).await?;
        stream.finish().await?;
        let last = self.admission.is_used_up();
        Ok(Some(Taken {
            path: stored?,
            size: offer.size,
            time: started.elapsed(),
            last,
        }))
    }

    async fn admit(&self, peer: PeerId, offer: &Offer) -> Result<Incoming, String> {
        // First who it is: strangers learn nothing of what is here.
        if let Some(reason) = self.admission.refuse(peer, offer.code.as_deref()) {
            return Err(reason.into());
        }
        if offer.size > self.max_size {
            return Err(format!(
                "{} bytes are more than the {} allowed here",
                offer.size, self.max_size
            ));
        }
        let name = store::base_name(&offer.name).ok_or("the file needs another name")?;
        Incoming::create(&self.dir, name)
            .await
            .map_err(|error| error.to_string())
    }
}

/// Exactly `size` bytes, and then their hash.
async fn take(stream: &mut Stream, mut incoming: Incoming, size: u64) -> io::Result<PathBuf> {
    let silent = |_| io::Error::from(io::ErrorKind::TimedOut);
    let mut left = size;
    while left > 0 {
        let max = usize::try_from(left.min(64 << 10)).expect("at most 64 KiB");
        let chunk = timeout(STALL, std::future::poll_fn(|cx| stream.poll_chunk(cx, max)))
            .await
            .map_err(silent)??;
        let chunk = chunk.ok_or(io::ErrorKind::UnexpectedEof)?;
        incoming.write(&chunk).await?;
        left -= chunk.len() as u64;
    }
    let mut hash = [0; 32];
    timeout(STALL, stream.read_exact(&mut hash))
        .await
        .map_err(silent)??;
    incoming.finish(&hash).await
}

#[cfg(test)]
mod tests {
    use super::{Admission, MAX_WRONG_CODES};
    use sinew::PeerId;

    #[test]
    fn a_code_is_good_once_and_guessing_ends_it() {
        let (admission, code) = Admission::fresh_code();
        let peer = PeerId::random();
        assert!(admission.refuse(peer, None).is_some() && admission.refuse(peer, Some("wrong")).is_some());
        assert!(admission.refuse(peer, Some(&code)).is_none() && admission.is_used_up());
        assert!(admission.refuse(peer, Some(&code)).is_some(), "only once");
        let (guessed, code) = Admission::fresh_code();
        (0..MAX_WRONG_CODES).for_each(|_| assert!(guessed.refuse(peer, Some("guess")).is_some()));
        assert!(guessed.refuse(peer, Some(&code)).is_some(), "too many guesses");
    }

    #[test]
    fn one_peer_may_send_as_often_as_it_likes() {
        let (friend, stranger) = (PeerId::random(), PeerId::random());
        let admission = Admission::From(friend);
        assert!((0..9).all(|_| admission.refuse(friend, None).is_none()));
        assert!(admission.refuse(stranger, None).is_some() && !admission.is_used_up());
    }
}
