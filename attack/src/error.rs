//! Why a run could not be made; what an attack does is a result and never an error.

use std::io;

/// Why a run could not be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum AttackError {
    #[error("the runtime does not start")]
    Runtime(#[source] io::Error),
    #[error("no row is called {0}")]
    NoRow(String),
    #[error("{0} is no /ip4/…/tcp/…/p2p/… address")]
    Address(String),
    #[error("{program} does not start")]
    Start { program: String, source: io::Error },
    #[error("the {role} process did not answer within {seconds} s")]
    Silent { role: &'static str, seconds: u64 },
    #[error("the {role} process ended")]
    Ended { role: &'static str },
    #[error("the {role} process did not do what it was asked: {reason}")]
    Refused { role: &'static str, reason: String },
    #[error("standard input or output")]
    Pipe(#[from] io::Error),
    #[error("a line of the control protocol is no JSON of the right form")]
    Json(#[from] serde_json::Error),
    #[error("the node does not start")]
    Node(#[source] Box<sinew_host::StartError>),
    #[error("the key does not sign")]
    Signing(#[from] sinew_identity::SigningError),
    #[error("the target cannot be reached")]
    Dial(#[source] Box<sinew_core::DialError>),
    #[error("gossipsub has no such topic")]
    Topic(#[from] sinew_gossipsub::TopicError),
    #[error("the numbers of gossipsub contradict each other")]
    Params(#[from] sinew_gossipsub::ParamsError),
    #[error("gossipsub follows no topic")]
    Subscribe(#[from] sinew_gossipsub::SubscribeError),
    #[error("/proc says nothing of process {0}")]
    Proc(u32),
}

impl From<sinew_host::StartError> for AttackError {
    fn from(error: sinew_host::StartError) -> Self {
        Self::Node(Box::new(error))
    }
}

impl From<sinew_core::DialError> for AttackError {
    fn from(error: sinew_core::DialError) -> Self {
        Self::Dial(Box::new(error))
    }
}
