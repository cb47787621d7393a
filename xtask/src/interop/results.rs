//! What a run came to, as JSON: a line about the run, then a line a test.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use serde::{Deserialize, Serialize};

use super::{
    InteropError,
    peers::Places,
    runner::{Done, Outcome},
};

const SECONDS_A_DAY: u64 = 24 * 60 * 60;

/// A finished run.
#[derive(Debug)]
pub(super) struct Results {
    pub(super) about: About,
    pub(super) tests: Vec<Record>,
}

/// The first line.
#[derive(Debug, Default, Deserialize, Serialize)]
pub(super) struct About {
    /// The day, in UTC, as `2026-11-27`.
    pub(super) date: String,
    /// Each peer's library with its version, as its program says.
    pub(super) versions: BTreeMap<String, String>,
}

/// A line about a test.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Record {
    pub(super) dialer: String,
    pub(super) listener: String,
    pub(super) stack: String,
    pub(super) test: String,
    pub(super) word: Word,
    /// What went wrong, or why it was not run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) remark: Option<String>,
    pub(super) seconds: f64,
}

/// How a test ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Word {
    /// As it should.
    Ok,
    /// Not run.
    Skipped,
    /// Not as it should, by a known bug of the peer.
    Known,
    /// As it should in spite of a known bug of the peer.
    Surprise,
    /// Not as it should.
    Failed,
}

impl Word {
    /// As it is printed; what needs a look stands out.
    pub(super) fn text(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Skipped => "skipped",
            Self::Known => "known",
            Self::Surprise => "SURPRISE",
            Self::Failed => "FAILED",
        }
    }
}

impl Record {
    /// The pair, as in the ids.
    pub(super) fn pair(&self) -> String {
        format!("{} x {} ({})", self.dialer, self.listener, self.stack)
    }

    /// The id of the test.
    pub(super) fn id(&self) -> String {
        format!("{} {}", self.pair(), self.test)
    }

    /// How a finished test ended.
    pub(super) fn of(done: &Done<'_>) -> Self {
        let (word, remark) = match &done.outcome {
            Outcome::Passed => (Word::Ok, None),
            Outcome::Failed(error) => (Word::Failed, Some(error.as_str())),
            Outcome::Known(reason) => (Word::Known, Some(reason.as_str())),
            Outcome::Surprise => (Word::Surprise, Some("passed in spite of interop/known.toml")),
            Outcome::Skipped(reason) => (Word::Skipped, Some(reason.as_str())),
        };
        Self {
            dialer: done.case.dialer.id.clone(),
            listener: done.case.listener.id.clone(),
            stack: done.case.stack.to_string(),
            test: done.case.test.name.to_owned(),
            word,
            remark: remark.map(str::to_owned),
            seconds: done.took.as_secs_f64(),
        }
    }
}

impl Results {
    /// Of a run that ends now.
    pub(super) fn new(versions: BTreeMap<String, String>, done: &[Done<'_>]) -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self {
            about: About {
                date: date(since),
                versions,
            },
            tests: done.iter().map(Record::of).collect(),
        }
    }

    /// How many tests ended in this way.
    pub(super) fn count(&self, word: Word) -> usize {
        self.tests.iter().filter(|test| test.word == word).count()
    }

    /// Reads what the last run wrote.
    pub(super) fn read(places: &Places) -> Result<Self, InteropError> {
        let path = file(places);
        let text = fs::read_to_string(&path).map_err(|source| InteropError::File {
            path: path.clone(),
            source,
        })?;
        let mut lines = text.lines();
        let json = |source| InteropError::Json {
            path: path.clone(),
            source,
        };
        Ok(Self {
            about: serde_json::from_str(lines.next().unwrap_or_default()).map_err(json)?,
            tests: lines
                .map(serde_json::from_str)
                .collect::<Result<_, _>>()
                .map_err(json)?,
        })
    }

    /// Writes it where [`Results::read`] looks.
    pub(super) fn write(&self, places: &Places) -> Result<(), InteropError> {
        let path = file(places);
        let json = |source| InteropError::Json {
            path: path.clone(),
            source,
        };
        let mut text = serde_json::to_string(&self.about).map_err(json)? + "\n";
        for test in &self.tests {
            text += &(serde_json::to_string(test).map_err(json)? + "\n");
        }
        store(&path, &text)
    }
}

/// Writes a file, and the folders that it lies in.
pub(super) fn store(path: &Path, text: &str) -> Result<(), InteropError> {
    let folder = path.parent().unwrap_or(Path::new(""));
    let written = fs::create_dir_all(folder).and_then(|()| fs::write(path, text));
    written.map_err(|source| InteropError::File {
        path: path.to_path_buf(),
        source,
    })
}

fn file(places: &Places) -> PathBuf {
    places.output().join("results.jsonl")
}

/// The day in UTC, so long after the beginning of 1970.
fn date(since: Duration) -> String {
    let leap = |year: u64| year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let mut days = since.as_secs() / SECONDS_A_DAY;
    let mut year = 1970;
    while days >= 365 + u64::from(leap(year)) {
        days -= 365 + u64::from(leap(year));
        year += 1;
    }
    let february = 28 + u64::from(leap(year));
    let mut month = 1;
    for length in [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] {
        if days < length {
            break;
        }
        days -= length;
        month += 1;
    }
    format!("{year}-{month:02}-{:02}", days + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_has_its_date() {
        let day = |days: u64| date(Duration::from_secs(days * SECONDS_A_DAY + 86_399));
        assert_eq!(
            (day(0), day(58), day(59)),
            ("1970-01-01".into(), "1970-02-28".into(), "1970-03-01".into())
        );
        // date -u -d @1709164800, 1735603200, 1795737600
        assert_eq!(
            (day(19_782), day(20_088), day(20_784)),
            ("2024-02-29".into(), "2024-12-31".into(), "2026-11-27".into())
        );
    }

    #[test]
    fn what_is_written_is_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let places = Places::new(folder.path().to_path_buf());
        let results = Results {
            about: About {
                date: "2026-11-27".into(),
                versions: BTreeMap::from([("go".into(), "go-libp2p 0.51.0".into())]),
            },
            tests: vec![Record {
                dialer: "sinew".into(),
                listener: "go".into(),
                stack: "tcp, noise, yamux".into(),
                test: "ping".into(),
                word: Word::Known,
                remark: Some("\"slow\"".into()),
                seconds: 0.5,
            }],
        };
        results.write(&places).unwrap();
        let read = Results::read(&places).unwrap();
        assert_eq!(read.about.versions["go"], "go-libp2p 0.51.0");
        assert_eq!(read.tests[0].id(), "sinew x go (tcp, noise, yamux) ping");
        assert_eq!((read.count(Word::Known), read.count(Word::Ok)), (1, 0));
    }
}
