//! Whether what the nodes of a scenario have printed is as the suite asks for.

use std::collections::BTreeSet;

use serde_json::Value;

/// The first messages may be lost: meshes are still forming.
const WARM_UP: usize = 4;

/// What is not as it should be.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub(crate) enum VerdictError {
    #[error("node{number}: prints {line:?}, which is no event with a time and a message")]
    Line { number: usize, line: String },
    #[error("node{0}: says not first who it is")]
    Nobody(usize),
    #[error("message {id} has not reached {missing:?}")]
    Missing { id: u64, missing: Vec<usize> },
    #[error("node{number} has all parts of {found} messages, and not of {expected}")]
    Incomplete {
        number: usize,
        found: usize,
        expected: usize,
    },
}

/// What the suite looks for in every log, letter by letter.
const COMPLETE: &str = r#""msg":"All parts received""#;

/// Whether every node says so often that it has all parts of a message.
pub(super) fn completed(logs: &[String], expected: usize) -> Result<(), VerdictError> {
    for (number, log) in logs.iter().enumerate() {
        let found = log.matches(COMPLETE).count();
        if found < expected {
            return Err(VerdictError::Incomplete {
                number,
                found,
                expected,
            });
        }
    }
    Ok(())
}

/// Whether every message but the first has come to those who are to hear it; `logs` are what node after node has printed.
pub(super) fn delivered(logs: &[String], messages: &[(u64, BTreeSet<usize>)]) -> Result<(), VerdictError> {
    let mut heard = Vec::new();
    for (number, log) in logs.iter().enumerate() {
        heard.push(arrivals(&events(number, log)?));
    }
    for (id, hearers) in &messages[WARM_UP.min(messages.len())..] {
        let hears = |number: &&usize| heard[**number].contains(&id.to_string());
        let missing: Vec<_> = hearers.iter().filter(|number| !hears(number)).copied().collect();
        if !missing.is_empty() {
            return Err(VerdictError::Missing { id: *id, missing });
        }
    }
    Ok(())
}

/// The events of one node, which are well formed.
fn events(number: usize, log: &str) -> Result<Vec<Value>, VerdictError> {
    let event = |line: &str| {
        let event = serde_json::from_str(line).ok();
        let event = event.filter(|event: &Value| event["time"].is_string() && event["msg"].is_string());
        event.ok_or_else(|| VerdictError::Line {
            number,
            line: line.to_owned(),
        })
    };
    let events = log.lines().map(event).collect::<Result<Vec<_>, _>>()?;
    let is_named =
        |event: &Value| event["msg"] == "PeerID" && event["node_id"] == number && event["id"].is_string();
    match events.first() {
        Some(first) if is_named(first) => Ok(events),
        _ => Err(VerdictError::Nobody(number)),
    }
}

/// The ids of the messages that have come to a node.
fn arrivals(events: &[Value]) -> BTreeSet<String> {
    let received = events.iter().filter(|event| event["msg"] == "Received Message");
    let ids = received.filter_map(|event| event["id"].as_str());
    ids.map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(number: usize, ids: impl IntoIterator<Item = u64>) -> String {
        let first = format!(r#"{{"time":"t","msg":"PeerID","id":"12D3","node_id":{number}}}"#);
        let line = |id| format!("\n{{\"time\":\"t\",\"msg\":\"Received Message\",\"id\":\"{id}\"}}");
        ids.into_iter().map(line).fold(first, |log, line| log + &line)
    }

    fn messages(hearers: &[usize]) -> Vec<(u64, BTreeSet<usize>)> {
        (0..6).map(|id| (id, hearers.iter().copied().collect())).collect()
    }

    #[test]
    fn every_message_but_the_first_reaches_everybody() {
        let all = [log(0, 4..6), log(1, 0..6)];
        assert_eq!(delivered(&all, &messages(&[0, 1])), Ok(()));
        let some = [log(0, [4]), log(1, 0..6), log(2, [5, 5])];
        let error = delivered(&some, &messages(&[0, 1, 2])).unwrap_err();
        let missing = |id, missing: &[usize]| VerdictError::Missing {
            id,
            missing: missing.to_vec(),
        };
        assert_eq!(error, missing(4, &[2]));
        assert_eq!(delivered(&some, &messages(&[0])), Err(missing(5, &[0])));
    }

    #[test]
    fn messages_in_parts_are_complete_everywhere() {
        let logs = [2, 1].map(|times| format!("{{{COMPLETE}}}\n").repeat(times));
        assert_eq!(completed(&logs, 1), Ok(()));
        let missing = VerdictError::Incomplete {
            number: 1,
            found: 1,
            expected: 2,
        };
        assert_eq!(completed(&logs, 2), Err(missing));
    }

    #[test]
    fn what_is_printed_is_events() {
        assert_eq!(delivered(&[log(1, [])], &[]), Err(VerdictError::Nobody(0)));
        assert_eq!(delivered(&[String::new()], &[]), Err(VerdictError::Nobody(0)));
        for line in ["hello", r#"{"msg":"hello"}"#] {
            let error = delivered(&[log(0, []) + "\n" + line], &[]).unwrap_err();
            assert!(matches!(error, VerdictError::Line { number: 0, .. }), "{error}");
        }
    }
}
