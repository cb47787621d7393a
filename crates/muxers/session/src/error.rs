//! What a stream says that this side reset.

use sinew_machine::CloseCode;

/// This side reset a stream: found inside the `io::Error` of a read or write that comes after.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("stream reset by this side ({0})")]
pub struct Abandoned(pub CloseCode);

impl From<Abandoned> for std::io::Error {
    fn from(abandoned: Abandoned) -> Self {
        Self::new(std::io::ErrorKind::ConnectionAborted, abandoned)
    }
}
