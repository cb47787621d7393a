//! Negotiation of the streams of a multiplexed connection.

use crate::{
    LazyStream, eager,
    error::stream_code,
    machine::{Dialer, Listener, Offer},
};
use sinew_core::{MuxedStream, NegotiationError, OpenOptions};
use sinew_machine::ProtocolId;
use std::time::Duration;

/// A stream and the protocol that is spoken on it.
pub type Negotiated = (ProtocolId, Box<dyn MuxedStream>);

/// Negotiates a stream that we opened.
///
/// With a single protocol, unless [`OpenOptions::eager`] is set, nothing is sent and nothing awaited here: the proposal leaves together with the first bytes
/// that are written, and the answer is read before the first bytes that are (see [`LazyStream`]). With several, the first
/// is proposed at once and the others in their order, each when the one before it was refused.
///
/// # Errors
/// [`NegotiationError`]; the stream has then been reset.
///
/// # Cancel safety
/// A dropped future drops the stream.
pub async fn open(
    mut stream: Box<dyn MuxedStream>,
    protocols: Vec<ProtocolId>,
    options: &OpenOptions,
) -> Result<Negotiated, NegotiationError> {
    if let ([protocol], false) = (&protocols[..], options.eager) {
        let protocol = protocol.clone();
        let mut stream = LazyStream::with(stream, Dialer::new(protocols)?, options.timeout);
        if options.finish_early {
            stream.finish_early();
        }
        return Ok((protocol, Box::new(stream)));
    }
    match eager::select(&mut *stream, protocols, options.timeout).await {
        Ok(protocol) => Ok((protocol, stream)),
        Err(error) => {
            stream.reset(stream_code(&error));
            Err(error)
        }
    }
}

/// Negotiates a stream that the remote opened.
///
/// # Errors
/// [`NegotiationError`]; the stream has then been reset.
///
/// # Cancel safety
/// A dropped future drops the stream.
pub async fn serve(
    mut stream: Box<dyn MuxedStream>,
    offer: impl Offer,
    timeout: Duration,
) -> Result<Negotiated, NegotiationError> {
    let mut listener = Listener::new(offer);
    match eager::run(&mut *stream, &mut listener, timeout).await {
        Ok(protocol) => Ok((protocol, stream)),
        Err(error) => {
            let error = no_violation(error, listener.refused());
            stream.reset(stream_code(&error));
            Err(error)
        }
    }
}

/// What follows a refused proposal and is no message is the data of an optimistic dialer. The reset may overtake our
/// answer: so its code has to say the same.
fn no_violation(error: NegotiationError, refused: Option<&ProtocolId>) -> NegotiationError {
    match (error, refused) {
        (NegotiationError::Malformed(_), Some(refused)) => {
            NegotiationError::Unsupported(vec![refused.clone()])
        }
        (error, _) => error,
    }
}
