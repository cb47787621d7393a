//! The lines of the input.

use super::MAX_MESSAGE;
use std::io;
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};

/// The longest line, in bytes: a message in JSON, with every byte of it escaped.
const MAX_LINE: usize = 6 * MAX_MESSAGE + 100;

/// A line without its end, or that it was too long.
pub(super) type Line = Result<String, TooLong>;

/// A line of more than [`MAX_LINE`] bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct TooLong;

/// Reads line by line, and holds no more than the longest.
pub(super) struct Input<R> {
    source: BufReader<R>,
    /// What was read of the next line; one byte above the bound if that is too long.
    line: Vec<u8>,
}

impl<R: AsyncRead + Unpin> Input<R> {
    pub(super) fn new(source: R) -> Self {
        Self {
            source: BufReader::new(source),
            line: Vec::new(),
        }
    }

    /// The next line; `None` at the end. Dropping the future loses nothing.
    pub(super) async fn next(&mut self) -> io::Result<Option<Line>> {
        loop {
            let read = self.source.fill_buf().await?;
            if read.is_empty() {
                return Ok((!self.line.is_empty()).then(|| self.take()));
            }
            let end = read.iter().position(|byte| *byte == b'\n');
            let room = MAX_LINE + 1 - self.line.len();
            let part = &read[..end.unwrap_or(read.len())];
            self.line.extend_from_slice(&part[..part.len().min(room)]);
            let used = part.len() + usize::from(end.is_some());
            self.source.consume(used);
            if end.is_some() {
                return Ok(Some(self.take()));
            }
        }
    }

    fn take(&mut self) -> Line {
        let line = std::mem::take(&mut self.line);
        if line.len() > MAX_LINE {
            return Err(TooLong);
        }
        let text = String::from_utf8_lossy(&line);
        Ok(text.strip_suffix('\r').unwrap_or(&text).to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::{Input, Line, MAX_LINE, TooLong};

    async fn lines(text: &str) -> Vec<Line> {
        let mut input = Input::new(text.as_bytes());
        let mut lines = Vec::new();
        while let Some(line) = input.next().await.expect("bytes are read") {
            lines.push(line);
        }
        lines
    }

    #[tokio::test]
    async fn lines_end_with_their_end_or_with_the_input() {
        let expected = ["a", "", "b", "c"].map(|line| Ok(line.to_owned()));
        assert_eq!(lines("a\n\nb\r\nc").await, expected);
        assert!(lines("").await.is_empty());
    }

    #[tokio::test]
    async fn of_a_line_that_is_too_long_nothing_is_left() {
        let long = "x".repeat(3 * MAX_LINE);
        let line = "y".repeat(MAX_LINE);
        let expected = [Err(TooLong), Ok(line.clone()), Ok("z".to_owned())];
        assert_eq!(lines(&format!("{long}\n{line}\nz")).await, expected);
    }
}
