//! The results of a run as JUnit has them.

use std::fmt::Write as _;

use super::results::{Record, Results, Word};

/// The file: a test suite with a case a test.
pub(super) fn file(results: &Results) -> String {
    let count = |words: &[Word]| words.iter().map(|word| results.count(*word)).sum::<usize>();
    let seconds: f64 = results.tests.iter().map(|test| test.seconds).sum();
    let mut text = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <testsuite name=\"interop\" tests=\"{}\" failures=\"{}\" skipped=\"{}\" time=\"{seconds:.3}\">\n",
        results.tests.len(),
        count(&[Word::Failed, Word::Surprise]),
        count(&[Word::Skipped, Word::Known]),
    );
    for test in &results.tests {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{}", case(test));
    }
    text + "</testsuite>\n"
}

fn case(test: &Record) -> String {
    let (group, name) = (escaped(&test.pair()), escaped(&test.test));
    let head = format!(
        "  <testcase classname=\"{group}\" name=\"{name}\" time=\"{:.3}\"",
        test.seconds
    );
    let remark = escaped(test.remark.as_deref().unwrap_or_default());
    match test.word {
        Word::Ok => format!("{head}/>"),
        Word::Skipped | Word::Known => format!("{head}><skipped message=\"{remark}\"/></testcase>"),
        Word::Failed | Word::Surprise => format!("{head}><failure message=\"{remark}\"/></testcase>"),
    }
}

/// Text in an attribute; characters that XML has no place for become a question mark.
fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    for character in text.chars() {
        match character {
            '&' => escaped += "&amp;",
            '<' => escaped += "&lt;",
            '"' => escaped += "&quot;",
            '\n' => escaped += "&#10;",
            character if character.is_control() => escaped.push('?'),
            character => escaped.push(character),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::interop::results::About;

    fn test(word: Word, remark: Option<&str>) -> Record {
        Record {
            dialer: "sinew".into(),
            listener: "go".into(),
            stack: "quic-v1".into(),
            test: "ping".into(),
            word,
            remark: remark.map(str::to_owned),
            seconds: 0.25,
        }
    }

    #[test]
    fn every_test_is_a_case() {
        let results = Results {
            about: About::default(),
            tests: vec![
                test(Word::Ok, None),
                test(Word::Failed, Some("\"a\" < b\n\u{1b}")),
                test(Word::Known, Some("bug")),
            ],
        };
        assert_eq!(
            file(&results),
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
             <testsuite name=\"interop\" tests=\"3\" failures=\"1\" skipped=\"1\" time=\"0.750\">\n  \
             <testcase classname=\"sinew x go (quic-v1)\" name=\"ping\" time=\"0.250\"/>\n  \
             <testcase classname=\"sinew x go (quic-v1)\" name=\"ping\" time=\"0.250\"><failure message=\"&quot;a&quot; &lt; b&#10;?\"/></testcase>\n  \
             <testcase classname=\"sinew x go (quic-v1)\" name=\"ping\" time=\"0.250\"><skipped message=\"bug\"/></testcase>\n\
             </testsuite>\n"
        );
    }
}
