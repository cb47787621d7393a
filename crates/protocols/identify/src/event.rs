//! The news of the service.

use crate::{Extent, Info};
use sinew_core::Event;
use std::sync::Arc;

/// A peer has said who it is: it was asked, or it has pushed a change. The host knows it already.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Identified {
    /// What it said.
    pub info: Arc<Info>,
    /// Whether that is all there is to say, or a push that may hold only what changed.
    pub extent: Extent,
}

impl Event for Identified {}
