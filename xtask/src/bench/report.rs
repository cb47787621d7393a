//! The report: what was measured, on what, and how it stands to the targets.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{
    figures::{Summary, ratio},
    machine::Machine,
    rows::{Measure, Row, Subject},
    targets::{self, Verdict},
};

/// All that a run came to.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    pub(crate) machine: Machine,
    /// Library and version of each subject.
    pub(crate) versions: BTreeMap<Subject, String>,
    pub(crate) rounds: usize,
    pub(crate) seconds: f64,
    pub(crate) lines: Vec<Line>,
}

/// One row of it.
#[derive(Debug, Serialize)]
pub(crate) struct Line {
    pub(crate) case: String,
    pub(crate) stack: &'static str,
    pub(crate) unit: &'static str,
    /// Of `cpu` in the cells.
    pub(crate) cpu_unit: Option<&'static str>,
    pub(crate) more_is_better: bool,
    pub(crate) cells: BTreeMap<Subject, Cell>,
    /// Our figure over each other's.
    pub(crate) ratios: BTreeMap<Subject, f64>,
    pub(crate) targets: Vec<Verdict>,
}

/// What one subject came to.
#[derive(Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Cell {
    Measured(Summary),
    /// A run went wrong: why.
    Failed(String),
}

impl Cell {
    /// The figures, if it has any.
    pub(crate) fn summary(&self) -> Option<&Summary> {
        match self {
            Self::Measured(summary) => Some(summary),
            Self::Failed(_) => None,
        }
    }
}

impl Line {
    /// Judges what was measured.
    pub(crate) fn new(row: &Row, cells: BTreeMap<Subject, Cell>) -> Self {
        let measure: Measure = row.measure();
        let measured = cells
            .iter()
            .filter_map(|(&subject, cell)| Some((subject, cell.summary()?.clone())));
        let measured: BTreeMap<Subject, Summary> = measured.collect();
        let ours = measured.get(&Subject::Sinew);
        let others = measured.iter().filter(|(subject, _)| **subject != Subject::Sinew);
        Self {
            case: row.case_name(),
            stack: row.stack,
            unit: measure.unit(),
            cpu_unit: measure.cpu_unit(),
            more_is_better: measure.more_is_better(),
            ratios: others
                .filter_map(|(&subject, theirs)| Some((subject, ratio(ours?, theirs))))
                .collect(),
            targets: targets::judge(row, &measured),
            cells,
        }
    }
}
