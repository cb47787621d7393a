//! The asking side.

use crate::{
    codec::Codec,
    config::Bounds,
    error::RequestError,
    exchange::{self, MessageError},
};
use bytes::Bytes;
use sinew_core::{
    CloseCode, Connection, Host, NegotiationError, OpenError, OpenOptions, PeerId, ProtocolId, Stream,
};
use sinew_runtime::timeout;
use std::{
    collections::HashMap,
    fmt,
    marker::PhantomData,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Asks peers. Cheap to clone.
pub struct Client<C: Codec> {
    shared: Arc<Shared>,
    codec: PhantomData<fn() -> C>,
}

struct Shared {
    host: Host,
    protocols: Vec<ProtocolId>,
    bounds: Bounds,
    limited: bool,
    /// Places of the peers that are being asked.
    places: Mutex<HashMap<PeerId, Arc<Semaphore>>>,
}

impl<C: Codec> Clone for Client<C> {
    fn clone(&self) -> Self {
        Self {
            shared: self.shared.clone(),
            codec: PhantomData,
        }
    }
}

impl<C: Codec> fmt::Debug for Client<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("protocols", &self.shared.protocols)
            .finish_non_exhaustive()
    }
}

impl<C: Codec> Client<C> {
    pub(crate) fn new(host: Host, protocols: Vec<ProtocolId>, bounds: Bounds, limited: bool) -> Self {
        let shared = Shared {
            host,
            protocols,
            bounds,
            limited,
            places: Mutex::default(),
        };
        Self {
            shared: Arc::new(shared),
            codec: PhantomData,
        }
    }

    /// Asks `peer`, over a connection that exists or a new one.
    ///
    /// # Errors
    /// [`RequestError`].
    ///
    /// # Cancel safety
    /// Dropping the future resets the stream: the peer stops working on the answer.
    pub async fn request(&self, peer: PeerId, request: &C::Request) -> Result<C::Response, RequestError> {
        let request = self.encode(request)?;
        let open = self
            .shared
            .host
            .new_stream_with(&peer, self.shared.protocols.clone(), self.options());
        self.exchange(peer, open, request).await
    }

    /// Asks over this very connection.
    ///
    /// # Errors
    /// [`RequestError`].
    ///
    /// # Cancel safety
    /// As [`Client::request`].
    pub async fn request_over(
        &self,
        connection: &Connection,
        request: &C::Request,
    ) -> Result<C::Response, RequestError> {
        let request = self.encode(request)?;
        let open = connection.open_with(self.shared.protocols.clone(), self.options());
        self.exchange(connection.peer(), open, request).await
    }

    fn options(&self) -> OpenOptions {
        let options = OpenOptions::default().timeout(self.shared.bounds.timeout);
        if self.shared.limited {
            options.limited()
        } else {
            options
        }
    }

    fn encode(&self, request: &C::Request) -> Result<Bytes, RequestError> {
        let request = C::encode_request(request).map_err(RequestError::Encode)?;
        let max = self.shared.bounds.max_request;
        if request.len() > max {
            return Err(RequestError::TooLong {
                length: request.len(),
                max,
            });
        }
        Ok(request)
    }

    async fn exchange(
        &self,
        peer: PeerId,
        open: impl Future<Output = Result<Stream, OpenError>>,
        request: Bytes,
    ) -> Result<C::Response, RequestError> {
        let bounds = &self.shared.bounds;
        let exchange = async {
            let _place = self.shared.place(peer).await;
            let mut asking = Asking(Some(open.await?));
            let answer = converse(asking.stream(), bounds, request).await;
            if answer.is_ok() {
                asking.0 = None;
            }
            answer
                .and_then(|answer| Ok(C::decode_response(answer)?))
                .map_err(|error| name(peer, error))
        };
        let after = bounds.timeout;
        timeout(after, exchange)
            .await
            .unwrap_or(Err(RequestError::Timeout { peer, after }))
    }
}

/// The stream of a request that has no answer yet. Our direction has ended by then, so that letting go of the stream would
/// tell the peer nothing: it is reset.
struct Asking(Option<Stream>);

impl Asking {
    fn stream(&mut self) -> &mut Stream {
        self.0
            .as_mut()
            .expect("taken when the answer is there, and not used after")
    }
}

impl Drop for Asking {
    fn drop(&mut self) {
        if let Some(stream) = self.0.take() {
            stream.reset(CloseCode::NONE);
        }
    }
}

async fn converse(stream: &mut Stream, bounds: &Bounds, request: Bytes) -> Result<Bytes, MessageError> {
    let sent = exchange::write(stream, bounds, request).await;
    // A peer that refuses a request in the middle of it, or answers it early, says so where we read.
    let answer = exchange::read(stream, bounds.framing, bounds.max_response).await;
    match (sent, answer) {
        (Err(sent), Err(MessageError::Ended)) => Err(sent.into()),
        (_, answer) => answer,
    }
}

/// A refusal of the protocol shows at the first read; it belongs to the opening all the same.
fn name(peer: PeerId, error: MessageError) -> RequestError {
    let MessageError::Io(error) = error else {
        return RequestError::Message { peer, error };
    };
    match error.downcast::<NegotiationError>() {
        Ok(error) => OpenError::Negotiation { peer, error }.into(),
        Err(error) => RequestError::Message {
            peer,
            error: MessageError::Io(error),
        },
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, HashMap<PeerId, Arc<Semaphore>>> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for one of the places of `peer`.
    async fn place(&self, peer: PeerId) -> Place<'_> {
        let semaphore = {
            let mut places = self.lock();
            places
                .entry(peer)
                .or_insert_with(|| Arc::new(Semaphore::new(self.bounds.outbound_per_peer)))
                .clone()
        };
        let mut place = Place {
            shared: self,
            peer,
            permit: None,
        };
        place.permit = Some(semaphore.acquire_owned().await.expect("it is never closed"));
        place
    }
}

/// A place among the requests to a peer; the last one that goes takes the entry along.
struct Place<'a> {
    shared: &'a Shared,
    peer: PeerId,
    permit: Option<OwnedSemaphorePermit>,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut places = self.shared.lock();
        drop(self.permit.take());
        // The table's own reference is the only one left when nobody has or wants a place.
        if places
            .get(&self.peer)
            .is_some_and(|semaphore| Arc::strong_count(semaphore) == 1)
        {
            places.remove(&self.peer);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::name;
    use crate::{MessageError, RequestError};
    use sinew_core::{NegotiationError, OpenError, PeerId};
    use std::io;

    #[test]
    fn a_refused_protocol_is_an_error_of_the_opening() {
        let refused = io::Error::other(NegotiationError::Unsupported(vec!["/x".into()]));
        let error = name(PeerId::random(), MessageError::Io(refused));
        assert!(
            matches!(error, RequestError::Open(OpenError::Negotiation { .. })),
            "{error}"
        );
        let other = name(
            PeerId::random(),
            MessageError::Io(io::ErrorKind::BrokenPipe.into()),
        );
        assert!(matches!(other, RequestError::Message { .. }));
    }
}
