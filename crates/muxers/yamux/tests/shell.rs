//! The async shell: two connections over an in-memory pipe, on a paused clock where time matters.

#[path = "shell/calls.rs"]
mod calls;
#[path = "shell/pair.rs"]
mod pair;
#[path = "shell/streams.rs"]
mod streams;
#[path = "shell/time.rs"]
mod time;
