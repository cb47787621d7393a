//! What a node says on stdout: a JSON object a line, as the suite reads them.

use std::io::{self, Write};

use serde_json::Value;
use tracing_subscriber::fmt::{
    format::Writer,
    time::{FormatTime, SystemTime},
};

/// Says that something happened. `fields` is an object.
pub(super) fn log(message: &str, fields: &Value) {
    let mut out = io::stdout().lock();
    // Whoever reads may have gone; there is nobody to tell then.
    let _ = writeln!(out, "{}", line(message, fields)).and_then(|()| out.flush());
}

fn line(message: &str, fields: &Value) -> String {
    let mut time = String::new();
    // A text takes whatever is written.
    let _ = SystemTime.format_time(&mut Writer::new(&mut time));
    let mut line = fields.clone();
    line["time"] = time.into();
    line["level"] = "INFO".into();
    line["msg"] = message.into();
    line.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_line_is_spelled_as_the_suite_looks_for_it() {
        let line = line("All parts received", &json!({ "group id": 7 }));
        assert!(line.contains(r#""msg":"All parts received""#), "{line}");
        let object: Value = serde_json::from_str(&line).unwrap();
        let time = object["time"].as_str().unwrap();
        assert!(
            time.starts_with("20") && time[10..].starts_with('T') && time.ends_with('Z'),
            "{time}"
        );
        assert_eq!(
            (&object["group id"], &object["level"]),
            (&json!(7), &json!("INFO"))
        );
    }
}
