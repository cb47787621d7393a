//! What a dialler has to print: the official suites pick lines out by their beginnings, so whatever else is printed is no
//! result.

use serde::Deserialize;

/// Why what was printed is no result.
#[derive(Debug, thiserror::Error, PartialEq)]
pub(crate) enum ResultError {
    #[error("its result has no line `{0}`")]
    NoLine(&'static str),
    #[error("its result has `{0}` where a number should be")]
    NoNumber(String),
    #[error("its result is no JSON of the older test plans")]
    NoJson,
    #[error("its last line does not say that {0} bytes were moved in each direction")]
    NoSum(u64),
    #[error("its result has {found} samples in `{section}`, not {expected}")]
    Samples {
        section: &'static str,
        expected: usize,
        found: usize,
    },
}

/// The one line of JSON; the third l is part of the contract.
#[derive(Deserialize)]
struct Legacy {
    #[serde(rename = "handshakePlusOneRTTMillis")]
    handshake: f64,
    #[serde(rename = "pingRTTMilllis")]
    ping: f64,
}

/// The result of the transport suite.
pub(super) fn transport(printed: &str) -> Result<(), ResultError> {
    let section = section(printed, "latency:")?;
    let handshake = number(value(&section, "  handshake_plus_one_rtt: ")?)?;
    let ping = number(value(&section, "  ping_rtt: ")?)?;
    unit(&section, "  unit: ms")?;
    at_least(handshake, ping)
}

/// The result of the transport suite in the older spelling.
pub(super) fn legacy_transport(printed: &str) -> Result<(), ResultError> {
    let line = printed.lines().find(|line| line.trim_start().starts_with('{'));
    let result: Legacy = line
        .and_then(|line| serde_json::from_str(line).ok())
        .ok_or(ResultError::NoJson)?;
    at_least(result.handshake, result.ping)
}

/// The result of the perf suite.
pub(super) fn perf(printed: &str) -> Result<(), ResultError> {
    for (name, expected, unit_line) in [
        ("upload:", 3, "  unit: Gbps"),
        ("download:", 3, "  unit: Gbps"),
        ("latency:", 10, "  unit: ms"),
    ] {
        let section = section(printed, name)?;
        let number_of = |line| value(&section, line).and_then(number);
        number_of("  iterations: ")?;
        for line in ["  min: ", "  max: "] {
            number_of(line)?;
        }
        at_least(number_of("  median: ")?, number_of("  q1: ")?)?;
        at_least(number_of("  q3: ")?, number_of("  median: ")?)?;
        list(value(&section, "  outliers: ")?)?;
        let found = list(value(&section, "  samples: ")?)?;
        if found != expected {
            return Err(ResultError::Samples {
                section: name,
                expected,
                found,
            });
        }
        unit(&section, unit_line)?;
    }
    Ok(())
}

/// The last line of the perf of the older test plans.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Moved {
    #[serde(rename = "type")]
    kind: String,
    time_seconds: f64,
    upload_bytes: u64,
    download_bytes: u64,
}

/// The result of the perf of the older test plans, whose client was to move so many bytes in each direction.
pub(super) fn legacy_perf(printed: &str, bytes: u64) -> Result<(), ResultError> {
    let moved: Vec<Moved> = printed
        .lines()
        .map(serde_json::from_str)
        .collect::<Result<_, _>>()
        .map_err(|_| ResultError::NoJson)?;
    match &moved[..] {
        [before @ .., last]
            if before.iter().all(|line| line.kind == "intermediary")
                && last.kind == "final"
                && (last.upload_bytes, last.download_bytes) == (bytes, bytes)
                && last.time_seconds > 0.0 =>
        {
            Ok(())
        }
        _ => Err(ResultError::NoSum(bytes)),
    }
}

/// The lines below a heading, up to one that does not belong there.
fn section<'a>(printed: &'a str, heading: &'static str) -> Result<Vec<&'a str>, ResultError> {
    let mut lines = printed.lines().skip_while(|line| *line != heading);
    lines.next().ok_or(ResultError::NoLine(heading))?;
    Ok(lines.take_while(|line| line.starts_with("  ")).collect())
}

fn value<'a>(section: &[&'a str], beginning: &'static str) -> Result<&'a str, ResultError> {
    let found = section.iter().find_map(|line| line.strip_prefix(beginning));
    found.ok_or(ResultError::NoLine(beginning))
}

fn unit(section: &[&str], line: &'static str) -> Result<(), ResultError> {
    section
        .contains(&line)
        .then_some(())
        .ok_or(ResultError::NoLine(line))
}

fn number(text: &str) -> Result<f64, ResultError> {
    let found = text
        .parse()
        .ok()
        .filter(|number: &f64| number.is_finite() && *number >= 0.0);
    found.ok_or_else(|| ResultError::NoNumber(text.to_owned()))
}

/// How many numbers there are in `[a, b]`.
fn list(text: &str) -> Result<usize, ResultError> {
    let inner = text.strip_prefix('[').and_then(|text| text.strip_suffix(']'));
    match inner.ok_or_else(|| ResultError::NoNumber(text.to_owned()))? {
        "" => Ok(0),
        inner => inner
            .split(", ")
            .map(number)
            .try_fold(0, |count, number| number.map(|_| count + 1)),
    }
}

fn at_least(greater: f64, lesser: f64) -> Result<(), ResultError> {
    if greater >= lesser && lesser >= 0.0 && greater.is_finite() {
        Ok(())
    } else {
        Err(ResultError::NoNumber(format!("{greater} above {lesser}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRANSPORT: &str =
        "hello\nlatency:\n  handshake_plus_one_rtt: 5.011\n  ping_rtt: 0.599\n  unit: ms\n";

    #[test]
    fn a_result_of_the_transport_suite_is_found_among_other_lines() {
        assert_eq!(transport(TRANSPORT), Ok(()));
        let error = transport(&TRANSPORT.replace("  ping", "   ping")).unwrap_err();
        assert_eq!(error, ResultError::NoLine("  ping_rtt: "));
        let error = transport(&TRANSPORT.replace("5.011", "NaN")).unwrap_err();
        assert_eq!(error, ResultError::NoNumber("NaN".to_owned()));
        assert!(
            transport(&TRANSPORT.replace("5.011", "0.5")).is_err(),
            "less than the ping alone"
        );
        assert_eq!(transport("").unwrap_err(), ResultError::NoLine("latency:"));
    }

    #[test]
    fn the_older_spelling_is_one_line_of_json() {
        let line = r#"{"handshakePlusOneRTTMillis": 5.0, "pingRTTMilllis": 0.5}"#;
        assert_eq!(legacy_transport(line), Ok(()));
        assert_eq!(
            legacy_transport(&line.replace("Milllis", "Millis")),
            Err(ResultError::NoJson)
        );
    }

    #[test]
    fn the_older_perf_ends_with_the_sum() {
        let line = |kind: &str, up: u64| {
            format!(r#"{{"type":"{kind}","timeSeconds":0.5,"uploadBytes":{up},"downloadBytes":9}}"#)
        };
        let sum = line("final", 9);
        assert_eq!(legacy_perf(&sum, 9), Ok(()));
        assert_eq!(
            legacy_perf(&format!("{}\n{sum}\n", line("intermediary", 4)), 9),
            Ok(())
        );
        for wrong in [
            line("intermediary", 9),
            line("final", 8),
            format!("{sum}\n{sum}"),
            String::new(),
        ] {
            assert_eq!(legacy_perf(&wrong, 9), Err(ResultError::NoSum(9)), "{wrong}");
        }
        assert_eq!(legacy_perf("ready", 9), Err(ResultError::NoJson));
    }

    #[test]
    fn every_series_of_the_perf_suite_is_there_with_its_samples() {
        let series = |name: &str, samples: &str, unit: &str| {
            format!(
                "{name}:\n  iterations: 3\n  min: 1\n  q1: 1\n  median: 2\n  q3: 3\n  max: 3\n  outliers: []\n  \
                 samples: [{samples}]\n  unit: {unit}\n"
            )
        };
        let ten = ["1.5"; 10].join(", ");
        let all = series("upload", "1, 2, 3", "Gbps")
            + &series("download", "1, 2, 3", "Gbps")
            + &series("latency", &ten, "ms");
        assert_eq!(perf(&all), Ok(()));
        let error = perf(&all.replacen("1, 2, 3", "1, 2", 1)).unwrap_err();
        assert_eq!(
            error,
            ResultError::Samples {
                section: "upload:",
                expected: 3,
                found: 2
            }
        );
        assert_eq!(
            perf(&all.replace("latency", "delay")),
            Err(ResultError::NoLine("latency:"))
        );
    }
}
