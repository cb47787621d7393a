//! A dial, explained.

use super::{Attempt, DialError};
use crate::Connection;
use std::{fmt, time::Duration};

/// A dial, explained: every address and the outcome. Its text is a table for people.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct DialReport {
    /// Each address: those of the plan by rank, then those that did not come into it. Empty where a connection was
    /// there already.
    pub attempts: Vec<Attempt>,
    /// What the dial came to.
    pub outcome: Result<Connection, DialError>,
}

impl DialReport {
    /// A report of a dial.
    #[must_use]
    pub fn new(mut attempts: Vec<Attempt>, outcome: Result<Connection, DialError>) -> Self {
        attempts.sort_by_key(|attempt| attempt.rank.unwrap_or(usize::MAX));
        Self { attempts, outcome }
    }

    /// The address that won, if one did.
    #[must_use]
    pub fn winner(&self) -> Option<&Attempt> {
        self.attempts.iter().find(|attempt| attempt.outcome.is_ok())
    }
}

impl fmt::Display for DialReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rows: Vec<_> = self.attempts.iter().map(row).collect();
        write_rows(f, &rows)?;
        match (&self.outcome, self.winner()) {
            (Ok(connection), Some(winner)) => {
                write!(f, "connected to {} over {}", connection.peer(), winner.addr)
            }
            (Ok(connection), None) => write!(f, "{} was connected already", connection.peer()),
            (Err(DialError::Failed { .. }), _) => f.write_str("every address failed"),
            (Err(error), _) => error.fmt(f),
        }
    }
}

const HEADER: [&str; 6] = ["rank", "address", "planned", "started", "took", "outcome"];

fn row(attempt: &Attempt) -> [String; 6] {
    let time = |time: Option<Duration>| time.map_or_else(|| "-".into(), |time| format!("{time:.0?}"));
    let name = attempt.name.as_ref();
    let failed = attempt.error().map(|error| format!("{}: {error}", error.stage()));
    [
        attempt.rank.map_or_else(|| "-".into(), |rank| rank.to_string()),
        attempt.addr.to_string() + &name.map_or_else(String::new, |name| format!(" ({name})")),
        time(attempt.planned),
        time(attempt.started),
        time(attempt.started.map(|_| attempt.took)),
        failed.unwrap_or_else(|| "connected".into()),
    ]
}

fn write_rows(f: &mut fmt::Formatter<'_>, rows: &[[String; 6]]) -> fmt::Result {
    if rows.is_empty() {
        return Ok(());
    }
    let header = HEADER.map(str::to_owned);
    let all = || std::iter::once(&header).chain(rows);
    let widths: [usize; 6] = std::array::from_fn(|column| {
        let cells = all().map(|row| row[column].chars().count());
        cells.max().unwrap_or_default()
    });
    for row in all() {
        let padded = row
            .iter()
            .zip(widths)
            .map(|(cell, width)| format!("{cell:<width$}"));
        let line = padded.collect::<Vec<_>>().join("  ");
        writeln!(f, "{}", line.trim_end())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::DialReport;
    use crate::{Attempt, AttemptError, DialError};
    use std::time::Duration;

    #[test]
    fn a_report_is_a_table_with_the_plan_first() {
        let addr = |text: &str| text.parse().expect("an address");
        let mut tried = Attempt::refused(
            addr("/ip4/192.0.2.1/tcp/1"),
            AttemptError::Timeout(Duration::from_secs(10)),
        );
        (tried.rank, tried.planned) = (Some(1), Some(Duration::ZERO));
        (tried.started, tried.took) = (Some(Duration::from_millis(3)), Duration::from_secs(10));
        let forbidden = AttemptError::Forbidden {
            reach: "a loopback address",
            origin: "behind a name",
        };
        let mut refused = Attempt::refused(addr("/ip4/127.0.0.1/tcp/1"), forbidden);
        refused.name = Some(addr("/dns4/example.org/tcp/1"));
        let failed = DialError::Failed {
            peer: None,
            attempts: [].into(),
        };
        let report = DialReport::new(vec![refused, tried], Err(failed));
        let expected = "\
rank  address                                         planned  started  took  outcome
1     /ip4/192.0.2.1/tcp/1                            0ns      3ms      10s   transport: no connection within 10s
-     /ip4/127.0.0.1/tcp/1 (/dns4/example.org/tcp/1)  -        -        -     policy: refused by the address policy: a loopback address behind a name
every address failed";
        assert_eq!(report.to_string(), expected);
    }
}
