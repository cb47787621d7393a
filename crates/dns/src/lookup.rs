//! What an [`Expansion`](crate::Expansion) needs of a DNS client.

use std::{fmt, io};

use async_trait::async_trait;

use crate::{Answer, Question};

/// Looks up records.
#[async_trait]
pub trait Lookup: fmt::Debug + Send + Sync + 'static {
    /// The answer to a question: no records where the name has none, or does not exist.
    ///
    /// # Errors
    /// Where nobody answers, or not in time.
    ///
    /// # Cancel safety
    /// Dropping the future gives up the look-up.
    async fn look_up(&self, question: &Question) -> io::Result<Answer>;
}
