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
    text: String,
    state: CodeState,
    wrong: u32,
}

/// ```text
/// Open -- right code --> Lent -- stored --> Used
///   ^                     |
///   |---- not stored -----|      Open or Lent -- too many wrong codes, nothing stored --> Guessed
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum CodeState {
    /// Good for a file.
    Open,
    /// A file is being received.
    Lent,
    /// A file was received.
    Used,
    /// Nothing is received any more.
    Guessed,
}

/// Why nothing more is taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum End {
    /// The file has arrived.
    Stored,
    /// Strangers tried too many codes.
    Guessed,
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
        let code = Code {
            text: text.clone(),
            state: CodeState::Open,
            wrong: 0,
        };
        (Self::Code(Mutex::new(code)), text)
    }

    /// Says why `peer` may not send, if so. A right code is lent until [`Admission::settle`].
    fn refuse(&self, peer: PeerId, code: Option<&str>) -> Option<&'static str> {
        match self {
            Self::From(allowed) => {
                (peer != *allowed).then_some("this node takes files from another peer only")
            }
            Self::Code(known) => known.lock().unwrap_or_else(PoisonError::into_inner).refuse(code),
        }
    }

    /// What became of the file of an admitted peer: a code is good until one is stored.
    fn settle(&self, stored: bool) {
        if let Self::Code(known) = self {
            known
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .settle(stored);
        }
    }

    /// Whether nothing more will be taken, and why.
    pub(crate) fn end(&self) -> Option<End> {
        let Self::Code(known) = self else {
            return None;
        };
        match known.lock().unwrap_or_else(PoisonError::into_inner).state {
            CodeState::Open | CodeState::Lent => None,
            CodeState::Used => Some(End::Stored),
            CodeState::Guessed => Some(End::Guessed),
        }
    }
}

impl Code {
    fn refuse(&mut self, code: Option<&str>) -> Option<&'static str> {
        if matches!(self.state, CodeState::Used | CodeState::Guessed) {
            return Some("the code was used, or guessed wrong too often");
        }
        let right = code.is_some_and(|code| {
            sinew_crypto::sha256(code.as_bytes()) == sinew_crypto::sha256(self.text.as_bytes())
        });
        if right && self.state == CodeState::Open {
            self.state = CodeState::Lent;
            return None;
        }
        if right {
            return Some("a file is being received with this code");
        }
        self.wrong += 1;
        if self.wrong >= MAX_WRONG_CODES && self.state == CodeState::Open {
            self.state = CodeState::Guessed;
        }
        Some("a code is needed, the one that `sinew receive` printed")
    }

    fn settle(&mut self, stored: bool) {
        self.state = match stored {
            true => CodeState::Used,
            false if self.wrong >= MAX_WRONG_CODES => CodeState::Guessed,
            false => CodeState::Open,
        };
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
}

impl Receiver {
    /// Serves one stream; `None` when the offer was refused.
    pub(crate) async fn serve(&self, stream: &mut Stream) -> io::Result<Option<Taken>> {
        let offer: Offer = message::read(stream).await?;
        // First who it is: strangers learn nothing of what is here.
        if let Some(reason) = self.admission.refuse(stream.peer(), offer.code.as_deref()) {
            tell(stream, &Answer::Refuse(reason.into())).await?;
            return Ok(None);
        }
        let taken = self.receive(stream, &offer).await;
        self.admission.settle(matches!(taken, Ok(Some(_))));
        taken
    }

    async fn receive(&self, stream: &mut Stream, offer: &Offer) -> io::Result<Option<Taken>> {
        let started = Instant::now();
        let incoming = match self.place(offer).await {
            Ok(incoming) => incoming,
            Err(reason) => {
                tell(stream, &Answer::Refuse(reason)).await?;
                return Ok(None);
            }
        };
        message::write(stream, &Answer::Take).await?;
        let stored = take(stream, incoming, offer.size).await;
        let verdict = stored
            .as_ref()
            .map_or_else(|error| Verdict::Failed(error.to_string()), |_| Verdict::Stored);
        // What is stored stays so, whether or not the sender is still there to hear it.
        if let Err(error) = tell(stream, &verdict).await {
            tracing::info!(%error, "the sender left before it was told");
        }
        Ok(Some(Taken {
            path: stored?,
            size: offer.size,
            time: started.elapsed(),
        }))
    }

    async fn place(&self, offer: &Offer) -> Result<Incoming, String> {
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

/// The last message of a stream.
async fn tell(stream: &mut Stream, message: &impl serde::Serialize) -> io::Result<()> {
    message::write(stream, message).await?;
    stream.finish().await
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
    use super::{Admission, End, MAX_WRONG_CODES};
    use sinew::PeerId;

    #[test]
    fn a_code_is_good_until_a_file_is_stored() {
        let (admission, code) = Admission::fresh_code();
        let peer = PeerId::random();
        assert!(admission.refuse(peer, None).is_some() && admission.refuse(peer, Some("wrong")).is_some());
        assert!(admission.refuse(peer, Some(&code)).is_none());
        assert!(admission.refuse(peer, Some(&code)).is_some(), "one at a time");
        admission.settle(false);
        assert_eq!(admission.end(), None, "nothing was stored");
        assert!(admission.refuse(peer, Some(&code)).is_none(), "another try");
        admission.settle(true);
        assert!(admission.refuse(peer, Some(&code)).is_some(), "only one file");
        assert_eq!(admission.end(), Some(End::Stored));
    }

    #[test]
    fn guessing_ends_a_code_but_not_the_file_on_its_way() {
        let guess = |admission: &Admission| {
            (0..MAX_WRONG_CODES)
                .for_each(|_| assert!(admission.refuse(PeerId::random(), Some("no")).is_some()));
        };
        let (admission, code) = Admission::fresh_code();
        guess(&admission);
        assert!(
            admission.refuse(PeerId::random(), Some(&code)).is_some(),
            "too many guesses"
        );
        assert_eq!(admission.end(), Some(End::Guessed));
        for (stored, end) in [(true, End::Stored), (false, End::Guessed)] {
            let (admission, code) = Admission::fresh_code();
            assert!(admission.refuse(PeerId::random(), Some(&code)).is_none());
            guess(&admission);
            assert_eq!(admission.end(), None, "the file is on its way");
            admission.settle(stored);
            assert_eq!(admission.end(), Some(end));
        }
    }

    #[test]
    fn one_peer_may_send_as_often_as_it_likes() {
        let (friend, stranger) = (PeerId::random(), PeerId::random());
        let admission = Admission::From(friend);
        assert!((0..9).all(|_| admission.refuse(friend, None).is_none()));
        assert!(admission.refuse(stranger, None).is_some() && admission.end().is_none());
    }
}
