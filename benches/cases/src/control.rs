//! The lines between a program and the runner.

use crate::{BenchError, figures::Figures};
use serde_json::json;
use tokio::io::{AsyncBufReadExt, BufReader, Lines, Stdin, stdin};

/// The lines of standard input.
pub(crate) struct Input(Lines<BufReader<Stdin>>);

impl Input {
    pub(crate) fn new() -> Self {
        Self(BufReader::new(stdin()).lines())
    }

    /// Waits for the next line; `false` once there is none.
    pub(crate) async fn line(&mut self) -> Result<bool, BenchError> {
        Ok(self.0.next_line().await?.is_some())
    }
}

/// Says that a server listens.
pub(crate) fn listening((library, version): (&str, &str), addr: &str) {
    println!(
        "{}",
        json!({ "ready": { "library": library, "version": version, "addr": addr } })
    );
}

/// Says that a client has prepared its case.
pub(crate) fn prepared((library, version): (&str, &str)) {
    println!(
        "{}",
        json!({ "ready": { "library": library, "version": version } })
    );
}

/// Says that the program holds no memory that it could give back. Memory that is freed here goes back by itself; what
/// collects its garbage does so before it says this.
pub(crate) fn settled() {
    println!("{}", json!({ "settled": true }));
}

/// Says what came of the measurement.
pub(crate) fn result(figures: &Figures) -> Result<(), BenchError> {
    println!("{}", json!({ "result": serde_json::to_value(figures)? }));
    Ok(())
}
