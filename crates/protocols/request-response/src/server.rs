//! The serving side.

use crate::{
    codec::{Codec, CodecError},
    config::Bounds,
    exchange::{self, MessageError},
};
use futures_util::future::BoxFuture;
use sinew_core::{CloseCode, ConnectionInfo, PeerId, ProtocolId, Stream, code};
use sinew_runtime::timeout;
use std::sync::Arc;

/// Who asked, and how.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Context {
    /// Who asked.
    pub peer: PeerId,
    /// The name under which the protocol was asked.
    pub protocol: ProtocolId,
    /// The connection.
    pub connection: Arc<ConnectionInfo>,
}

/// Refuses a request: its stream is reset with this code, and the asker has an error. One that blames the asker
/// ([`Stream::reset`]) is for what no honest asker sends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Refuse(pub CloseCode);

/// What serves requests; closures do.
pub(crate) trait Handler<C: Codec>: Send + Sync {
    fn handle(
        &self,
        request: C::Request,
        context: Context,
    ) -> BoxFuture<'static, Result<C::Response, Refuse>>;
}

impl<C: Codec, F> Handler<C> for F
where
    F: Fn(C::Request, Context) -> BoxFuture<'static, Result<C::Response, Refuse>> + Send + Sync,
{
    fn handle(
        &self,
        request: C::Request,
        context: Context,
    ) -> BoxFuture<'static, Result<C::Response, Refuse>> {
        self(request, context)
    }
}

/// Why a request was not answered.
#[derive(Debug, thiserror::Error)]
enum ServeError {
    #[error("the request: {0}")]
    Request(MessageError),
    #[error("the asker left")]
    Left,
    #[error("refused by the handler")]
    Refused(CloseCode),
    #[error("the response cannot be encoded: {0}")]
    Encode(CodecError),
    #[error("the response of {0} bytes is longer than allowed")]
    TooLong(usize),
    #[error("the response: {0}")]
    Response(#[from] std::io::Error),
    #[error("not done in time")]
    Timeout,
}

impl ServeError {
    fn code(&self) -> CloseCode {
        match self {
            Self::Request(_) => code::stream::PROTOCOL_VIOLATION,
            Self::Refused(code) => *code,
            Self::Timeout => code::stream::GARBAGE_COLLECTED,
            Self::Left | Self::Encode(_) | Self::TooLong(_) | Self::Response(_) => CloseCode::NONE,
        }
    }
}

/// Serves one stream.
pub(crate) async fn serve<C: Codec>(mut stream: Stream, handler: Arc<dyn Handler<C>>, bounds: Bounds) {
    let served = timeout(bounds.timeout, answer(&mut stream, &*handler, &bounds)).await;
    if let Err(error) = served.unwrap_or(Err(ServeError::Timeout)) {
        tracing::debug!(peer = %stream.peer(), protocol = %stream.protocol(), %error, "request not answered");
        stream.reset(error.code());
    }
}

async fn answer<C: Codec>(
    stream: &mut Stream,
    handler: &dyn Handler<C>,
    bounds: &Bounds,
) -> Result<(), ServeError> {
    let request = exchange::read(stream, bounds.framing, bounds.max_request)
        .await
        .map_err(ServeError::Request)?;
    let request = C::decode_request(request).map_err(|error| ServeError::Request(error.into()))?;
    let context = Context {
        peer: stream.peer(),
        protocol: stream.protocol().clone(),
        connection: stream.connection().clone(),
    };
    let response = tokio::select! {
        response = handler.handle(request, context) => response.map_err(|Refuse(code)| ServeError::Refused(code))?,
        _ = stream.reset_by_peer() => return Err(ServeError::Left),
    };
    let response = C::encode_response(&response).map_err(ServeError::Encode)?;
    if response.len() > bounds.max_response {
        return Err(ServeError::TooLong(response.len()));
    }
    Ok(exchange::write(stream, bounds, response).await?)
}
