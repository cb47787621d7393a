//! Noise handshakes that prove nothing.

use super::{
    Aim,
    channel::PATIENCE,
    outcome::{Outcome, ended},
};
use sinew_core::{BoxedIo, Role, SecureRequest, SecureUpgrade};
use sinew_identity::{Keypair, PublicKey, Signer, SigningError};
use sinew_noise::Noise;
use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    task::JoinSet,
    time::timeout,
};

/// Handshakes side by side.
const AT_ONCE: usize = 8;

/// Handshakes from one address, which is not used again: fewer than may come from it at once, so that none is refused
/// for its rate, and what the target spends is spent on handshakes.
const PER_ADDRESS: usize = 50;

/// Longer than any deadline.
const LONG_ENOUGH: Duration = Duration::from_secs(12);

/// What is wrong with a handshake.
#[derive(Clone, Copy, Debug)]
enum Fault {
    /// The first message holds the point of order one: any shared secret with it is known to everybody.
    LowOrder,
    /// The third message was made with no key.
    Unreadable,
    /// The static key is signed by another identity than the one that is named.
    StolenIdentity,
}

/// One bad handshake after the other, of each kind in turn, until the time is over.
pub(super) async fn bad(aim: &Aim) -> Vec<Outcome> {
    again_and_again(aim, |aim, number| async move {
        let fault = [Fault::LowOrder, Fault::Unreadable, Fault::StolenIdentity][number % 3];
        one(&aim, fault, number).await
    })
    .await
}

/// The number of the address that a handshake comes from.
pub(super) fn address(number: usize) -> usize {
    number / PER_ADDRESS
}

/// Makes one handshake after the other, a few side by side, until the time is over. Each has a number.
pub(super) async fn again_and_again<H>(
    aim: &Aim,
    handshake: impl Fn(Aim, usize) -> H + Clone + Send + 'static,
) -> Vec<Outcome>
where
    H: Future<Output = io::Result<Outcome>> + Send,
{
    let (mut all, until) = (JoinSet::new(), Instant::now() + aim.lasting);
    let next = Arc::new(AtomicUsize::new(0));
    for _ in 0..AT_ONCE {
        let (aim, handshake, next) = (aim.clone(), handshake.clone(), next.clone());
        all.spawn(async move {
            let mut outcomes = Vec::new();
            while Instant::now() < until {
                let number = next.fetch_add(1, Ordering::Relaxed);
                outcomes.push(handshake(aim.clone(), number).await.unwrap_or_default());
            }
            outcomes
        });
    }
    all.join_all().await.into_iter().flatten().collect()
}

async fn one(aim: &Aim, fault: Fault, number: usize) -> io::Result<Outcome> {
    let mut stream = aim.before_security(aim.connect(address(number)).await?).await?;
    let from = Instant::now();
    let cut = match fault {
        Fault::LowOrder => {
            send(&mut stream, &[0; 32]).await?;
            ended(&mut stream, from, LONG_ENOUGH).await
        }
        Fault::Unreadable => {
            send(&mut stream, &random::<32>()).await?;
            answer(&mut stream).await?;
            send(&mut stream, &random::<200>()).await?;
            ended(&mut stream, from, LONG_ENOUGH).await
        }
        Fault::StolenIdentity => pretend(stream, from).await?,
    };
    Ok(Outcome::of(cut, 1))
}

/// A whole handshake under the name of somebody else.
async fn pretend(io: BoxedIo, from: Instant) -> io::Result<Option<Duration>> {
    let noise = Noise::new(&Thief::default()).map_err(io::Error::other)?;
    let request = SecureRequest::new(Role::Dialer, None, vec![sinew_yamux::PROTOCOL]);
    let mut secured = timeout(PATIENCE, noise.secure(io, request))
        .await?
        .map_err(io::Error::other)?;
    Ok(ended(&mut secured.io, from, LONG_ENOUGH).await)
}

/// Names one key and signs with another.
#[derive(Debug)]
struct Thief {
    named: Keypair,
    own: Keypair,
}

impl Default for Thief {
    fn default() -> Self {
        Self {
            named: Keypair::generate(),
            own: Keypair::generate(),
        }
    }
}

impl Signer for Thief {
    fn public(&self) -> &PublicKey {
        self.named.public()
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SigningError> {
        Signer::sign(&self.own, message)
    }
}

fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    sinew_crypto::random(&mut bytes);
    bytes
}

/// Sends a message of the handshake.
async fn send(stream: &mut BoxedIo, message: &[u8]) -> io::Result<()> {
    let length = u16::try_from(message.len()).unwrap_or(u16::MAX);
    stream
        .write_all(&[&length.to_be_bytes(), message].concat())
        .await?;
    stream.flush().await
}

/// Reads a message of the handshake.
async fn answer(stream: &mut BoxedIo) -> io::Result<()> {
    let length = timeout(PATIENCE, stream.read_u16()).await??;
    let mut message = vec![0; usize::from(length)];
    timeout(PATIENCE, stream.read_exact(&mut message)).await??;
    Ok(())
}
