//! As much of the protocol of redis as its older version needs: commands of words, and answers of texts.

use std::io::{self, BufRead, Read, Write};

/// Bytes in a line that is no text: a sign with a number, or an error.
const MAX_LINE: u64 = 4096;

/// Bytes in a text, and texts in an answer.
const MAX: usize = 64 * 1024;

/// Writes a command.
pub(super) fn write_command(output: &mut impl Write, words: &[&str]) -> io::Result<()> {
    let mut bytes = format!("*{}\r\n", words.len());
    for word in words {
        bytes += &format!("${}\r\n{word}\r\n", word.len());
    }
    output.write_all(bytes.as_bytes())
}

/// The texts of an answer; none where redis has nothing.
pub(super) fn read_reply(input: &mut impl BufRead) -> io::Result<Vec<String>> {
    let line = read_line(input)?;
    let Some(count) = line.strip_prefix('*') else {
        return Ok(read_item(&line, input)?.into_iter().collect());
    };
    let mut texts = Vec::new();
    for _ in 0..number(count)?.unwrap_or_default() {
        let line = read_line(input)?;
        texts.extend(read_item(&line, input)?);
    }
    Ok(texts)
}

/// What a line says, or the text that it announces.
fn read_item(line: &str, input: &mut impl BufRead) -> io::Result<Option<String>> {
    match line.split_at_checked(1) {
        Some(("+" | ":", text)) => Ok(Some(text.to_owned())),
        Some(("-", text)) => Err(io::Error::other(text.to_owned())),
        Some(("$", length)) => match number(length)? {
            Some(length) => read_text(length, input).map(Some),
            None => Ok(None),
        },
        _ => Err(unexpected(line)),
    }
}

fn read_text(length: usize, input: &mut impl BufRead) -> io::Result<String> {
    let mut text = vec![0; length + "\r\n".len()];
    input.read_exact(&mut text)?;
    text.truncate(length);
    String::from_utf8(text).map_err(io::Error::other)
}

fn read_line(input: &mut impl BufRead) -> io::Result<String> {
    let mut line = String::new();
    input.take(MAX_LINE).read_line(&mut line)?;
    let line = line.strip_suffix("\r\n").ok_or(io::ErrorKind::UnexpectedEof)?;
    Ok(line.to_owned())
}

/// A length; -1 is none.
fn number(text: &str) -> io::Result<Option<usize>> {
    match text.parse() {
        _ if text == "-1" => Ok(None),
        Ok(number) if number <= MAX => Ok(Some(number)),
        _ => Err(unexpected(text)),
    }
}

fn unexpected(text: &str) -> io::Error {
    io::Error::other(format!("redis says {text:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> io::Result<Vec<String>> {
        read_reply(&mut text.as_bytes())
    }

    #[test]
    fn every_kind_of_answer_is_read() {
        assert_eq!(read("+OK\r\n").unwrap(), ["OK"]);
        assert_eq!(read(":7\r\n").unwrap(), ["7"]);
        assert_eq!(read("$3\r\n\r\na\r\n").unwrap(), ["\r\na"]);
        assert_eq!(read("*2\r\n$1\r\nk\r\n:1\r\n").unwrap(), ["k", "1"]);
        for nothing in ["$-1\r\n", "*-1\r\n", "*0\r\n"] {
            assert!(read(nothing).unwrap().is_empty(), "{nothing:?}");
        }
    }

    #[test]
    fn what_is_no_answer_or_too_long_is_refused() {
        for text in [
            "",
            "+OK",
            "?\r\n",
            "$70000\r\n",
            "$x\r\n",
            "$2\r\na",
            "*1\r\n*1\r\n:1\r\n",
            "-ERR\r\n",
        ] {
            assert!(read(text).is_err(), "{text:?}");
        }
    }
}
