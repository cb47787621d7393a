//! Lets the programs take turns.

use std::{collections::BTreeMap, fs, path::PathBuf};

use super::{
    BenchError, alone,
    figures::{Sample, Summary},
    machine,
    pair::{Pair, Place, Ready, raise_descriptors},
    program::RunError,
    programs,
    report::{Cell, Line, Report},
    rows::{Case, Row, Subject},
};
use crate::causes::chain;

/// How the comparison is made.
pub(crate) struct Settings {
    pub(crate) rounds: usize,
    pub(crate) seconds: f64,
    /// Beside whom; all if empty.
    pub(crate) peers: Vec<Subject>,
}

impl Settings {
    /// Who takes part, in their order.
    pub(crate) fn subjects(&self) -> Vec<Subject> {
        let all = [Subject::Sinew, Subject::Rust, Subject::Go, Subject::Plain];
        let chosen = |subject: &Subject| {
            *subject == Subject::Sinew || self.peers.is_empty() || self.peers.contains(subject)
        };
        all.into_iter().filter(chosen).collect()
    }
}

/// Runs every row: in each round, everybody once.
pub(crate) fn run(rows: &[Row], settings: &Settings) -> Result<Report, BenchError> {
    prepare()?;
    let (mut lines, mut versions) = (Vec::new(), BTreeMap::new());
    for (number, row) in rows.iter().enumerate() {
        eprintln!(
            "[{}/{}] {} {}",
            number + 1,
            rows.len(),
            row.case_name(),
            row.stack
        );
        lines.push(take_turns(row, settings, &mut versions));
    }
    Ok(Report {
        machine: machine::describe(),
        versions,
        rounds: settings.rounds,
        seconds: settings.seconds,
        lines,
    })
}

/// Makes the folder of reports and logs, and has as many descriptors as the system allows.
pub(crate) fn prepare() -> Result<(), BenchError> {
    let path = programs::folder();
    let file = |source| BenchError::File {
        path: path.clone(),
        source,
    };
    fs::create_dir_all(&path).map_err(file)?;
    raise_descriptors().map_err(file)
}

pub(crate) type Versions = BTreeMap<Subject, String>;

fn take_turns(row: &Row, settings: &Settings, versions: &mut Versions) -> Line {
    let subjects = settings.subjects().into_iter();
    let subjects: Vec<_> = subjects
        .filter(|subject| *subject != Subject::Plain || row.plain_stack().is_some())
        .collect();
    let mut samples: BTreeMap<Subject, Vec<Sample>> = BTreeMap::new();
    let mut failed: BTreeMap<Subject, String> = BTreeMap::new();
    for _ in 0..settings.rounds {
        for &subject in &subjects {
            match run_once(row, subject, settings.seconds) {
                Ok((ready, sample)) => {
                    samples.entry(subject).or_default().push(sample);
                    note(versions, subject, &ready);
                }
                Err(error) => {
                    let reason = chain(&error);
                    eprintln!("  {subject}: {reason}");
                    failed.insert(subject, reason);
                }
            }
        }
    }
    let summaries = samples
        .into_iter()
        .filter_map(|(subject, samples)| Some((subject, Summary::of(samples)?)));
    let mut cells: BTreeMap<Subject, Cell> = summaries
        .map(|(subject, summary)| (subject, Cell::Measured(summary)))
        .collect();
    // A run that failed is no result, however the others went.
    cells.extend(
        failed
            .into_iter()
            .map(|(subject, reason)| (subject, Cell::Failed(reason))),
    );
    Line::new(row, cells)
}

fn run_once(row: &Row, subject: Subject, seconds: f64) -> Result<(Ready, Sample), RunError> {
    let logs = &logs(row, subject);
    if matches!(row.case, Case::Pubsub { .. }) {
        return alone::sample(row, subject, seconds, logs);
    }
    let pair = Pair {
        row,
        server: subject,
        client: subject,
        seconds,
        place: &Place::HERE,
        logs,
    };
    pair.sample()
}

/// What each subject is made of; the limits are two.
pub(crate) fn note(versions: &mut Versions, subject: Subject, ready: &Ready) {
    let name = format!("{} {}", ready.library, ready.version);
    let known = versions.entry(subject).or_default();
    if !known.contains(&name) {
        let between = if known.is_empty() { "" } else { ", " };
        *known = format!("{known}{between}{name}");
    }
}

/// Where the errors of a run's programs go.
pub(crate) fn logs(row: &Row, subject: Subject) -> PathBuf {
    let name = format!("{} {} {subject}", row.case_name(), row.stack.replace('/', "-"));
    programs::folder().join("logs").join(name)
}
