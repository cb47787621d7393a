//! What a command prints: tables and bars for people, one JSON object a line for programs.

use crate::error::CliError;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::Value;
use std::{
    io::{self, IsTerminal, Write},
    process::ExitCode,
    time::Duration,
};
use tracing_subscriber::EnvFilter;

/// Where results go: standard output. Bars and errors go to standard error.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Output {
    json: bool,
    colours: bool,
}

impl Output {
    pub(crate) fn new(json: bool) -> Self {
        let colours = takes_colours(&io::stdout());
        Self { json, colours }
    }

    /// A line for people, or an object for programs.
    pub(crate) fn say(&self, text: &str, object: &Value) {
        let line = if self.json {
            escaped(&object.to_string())
        } else {
            text.to_owned()
        };
        let mut out = io::stdout().lock();
        // Whoever reads may have gone; there is nobody to tell then.
        let _ = writeln!(out, "{line}").and_then(|()| out.flush());
    }

    /// An object that only programs want.
    pub(crate) fn object(&self, object: &Value) {
        if self.json {
            self.say("", object);
        }
    }

    /// A line that only people want.
    pub(crate) fn tell(&self, text: &str) {
        if !self.json {
            let _ = writeln!(io::stdout().lock(), "{text}");
        }
    }

    /// A table of people's lines; programs have had their objects.
    pub(crate) fn table(&self, header: &[&str], rows: &[Vec<String>]) {
        self.tell(table(header, rows, self.colours).trim_end());
    }

    /// Whether it is for programs.
    pub(crate) fn is_json(&self) -> bool {
        self.json
    }

    /// A text in a style of the terminal (ECMA-48, SGR), where there is one.
    pub(crate) fn styled(&self, style: u8, text: &str) -> String {
        styled(self.colours, style, text)
    }

    /// A bar over `total` bytes, or a count where that is not known; it is not drawn where nobody looks.
    pub(crate) fn bar(&self, total: impl Into<Option<u64>>, what: &'static str) -> ProgressBar {
        let target = if self.json {
            ProgressDrawTarget::hidden()
        } else {
            ProgressDrawTarget::stderr()
        };
        let total = total.into();
        let form = match total {
            Some(_) => "{msg} {wide_bar} {bytes}/{total_bytes} {binary_bytes_per_sec} {eta}",
            None => "{msg} {bytes} {binary_bytes_per_sec} {elapsed}",
        };
        let style = ProgressStyle::with_template(form).expect("the forms are constants");
        ProgressBar::with_draw_target(total, target)
            .with_style(style)
            .with_message(what)
    }

    /// Tells of a failure and gives the exit code.
    pub(crate) fn fail(&self, error: &CliError) -> ExitCode {
        let hint = error.next_step();
        if self.json {
            self.say(
                "",
                &serde_json::json!({ "error": error.to_string(), "hint": hint }),
            );
        } else {
            let mut err = io::stderr().lock();
            let _ = writeln!(err, "error: {error}");
            hint.iter().for_each(|hint| drop(writeln!(err, "hint: {hint}")));
        }
        error.exit_code()
    }
}

/// The style of headings.
const BOLD: u8 = 1;

fn styled(colours: bool, style: u8, text: &str) -> String {
    if colours {
        format!("\x1b[{style}m{text}\x1b[0m")
    } else {
        text.to_owned()
    }
}

/// What a stranger says, on one line of at most `max` characters, without what would steer a terminal or turn the order of letters.
pub(crate) fn printable(text: &str, max: usize) -> String {
    let mut letters = text
        .chars()
        .map(|letter| if letter.is_whitespace() { ' ' } else { letter })
        .filter(|letter| !letter.is_control() && !turns(*letter));
    let mut line: String = letters.by_ref().take(max).collect();
    if letters.next().is_some() {
        line.push('…');
    }
    line
}

/// The controls of Unicode's bidirectional algorithm (UAX 9).
fn turns(letter: char) -> bool {
    matches!(letter, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// The controls that JSON allows in a text, and a terminal obeys, as JSON can write them too.
fn escaped(json: &str) -> String {
    let escape = |letter: char| match letter.is_control() {
        true => format!("\\u{:04x}", u32::from(letter)),
        false => letter.to_string(),
    };
    json.chars().map(escape).collect()
}

/// Columns as wide as their widest cell.
fn table(header: &[&str], rows: &[Vec<String>], colours: bool) -> String {
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column)).map(String::len);
        cells.chain([header[column].len()]).max().unwrap_or_default()
    };
    let widths: Vec<_> = (0..header.len()).map(width).collect();
    let line = |cells: &[String]| {
        let padded: Vec<_> = cells
            .iter()
            .zip(&widths)
            .map(|(cell, width)| format!("{cell:<width$}"))
            .collect();
        padded.join("  ").trim_end().to_owned() + "\n"
    };
    let head = line(&header.iter().map(ToString::to_string).collect::<Vec<_>>());
    let head = styled(colours, BOLD, head.trim_end()) + "\n";
    rows.iter().fold(head, |text, row| text + &line(row))
}

/// A length of time as people read it.
pub(crate) fn time(duration: Duration) -> String {
    match duration.as_secs_f64() {
        seconds if seconds >= 1.0 => format!("{seconds:.2} s"),
        seconds if seconds >= 1e-3 => format!("{:.2} ms", seconds * 1e3),
        seconds => format!("{:.0} µs", seconds * 1e6),
    }
}

/// A length of time as programs read it.
pub(crate) fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

/// A number of bytes as people read it.
#[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
pub(crate) fn bytes(count: u64) -> String {
    let units = ["B", "KiB", "MiB", "GiB", "TiB"];
    let step = (0..units.len() - 1).rfind(|step| count >= 1 << (10 * (step + 1)));
    match step {
        Some(step) => format!(
            "{:.1} {}",
            count as f64 / (1u64 << (10 * (step + 1))) as f64,
            units[step + 1]
        ),
        None => format!("{count} B"),
    }
}

/// A throughput as people read it.
#[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
pub(crate) fn rate(count: u64, duration: Duration) -> String {
    let seconds = duration.as_secs_f64().max(1e-9);
    format!("{:.0} MiB/s", count as f64 / seconds / f64::from(1 << 20))
}

/// Text that is neither: a script for instance.
pub(crate) fn raw(text: &[u8]) {
    let mut out = io::stdout().lock();
    // Whoever reads may have gone; there is nobody to tell then.
    let _ = out.write_all(text).and_then(|()| out.flush());
}

/// Logs to standard error as `-v` and `SINEW_LOG` have it.
pub(crate) fn start_tracing(verbose: u8) {
    let level = ["error", "info", "debug", "trace"][usize::from(verbose.min(3))];
    let filter = match std::env::var("SINEW_LOG").as_deref().map(EnvFilter::try_new) {
        Ok(Ok(filter)) => filter,
        Ok(Err(error)) => {
            let _ = writeln!(io::stderr(), "SINEW_LOG is left aside: {error}");
            EnvFilter::new(level)
        }
        Err(_) => EnvFilter::new(level),
    };
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_ansi(takes_colours(&io::stderr()))
        .init();
}

fn takes_colours(stream: &impl IsTerminal) -> bool {
    stream.is_terminal() && std::env::var_os("NO_COLOR").is_none()
}

#[cfg(test)]
mod tests {
    use super::{bytes, escaped, printable, rate, table, time};
    use std::time::Duration;

    #[test]
    fn tables_line_up() {
        let rows = vec![
            vec!["ping".into(), "1 ms".into()],
            vec!["identify".into(), "2".into()],
        ];
        assert_eq!(
            table(&["step", "time"], &rows, false),
            "step      time\nping      1 ms\nidentify  2\n"
        );
    }

    #[test]
    fn what_strangers_say_steers_no_terminal() {
        let hostile = "a\x1b[2J\u{9b}2J\u{202e}b\r\n> c\u{7f}\u{2028}d";
        assert_eq!(printable(hostile, 100), "a[2J2Jb  > c d");
        assert_eq!(printable("äöü", 3), "äöü");
        assert_eq!(printable("äöüß", 3), "äöü…");
        let json = serde_json::json!({ "text": hostile });
        let line = escaped(&json.to_string());
        assert!(!line.chars().any(char::is_control), "{line:?}");
        assert_eq!(
            serde_json::from_str::<serde_json::Value>(&line).expect("JSON"),
            json
        );
    }

    #[test]
    fn numbers_are_for_people() {
        assert_eq!(
            [bytes(5), bytes(2048), bytes(3 << 30)],
            ["5 B", "2.0 KiB", "3.0 GiB"]
        );
        assert_eq!(time(Duration::from_micros(1500)), "1.50 ms");
        assert_eq!(rate(1 << 30, Duration::from_secs(2)), "512 MiB/s");
    }
}
