//! The protocol of redis: commands as arrays of texts, and answers in either of its versions.

use std::io::{self, BufRead, Read, Write};

/// Words in a command.
const MAX_WORDS: usize = 64;

/// Bytes in a word.
const MAX_WORD: usize = 64 * 1024;

/// Which version of the protocol a connection speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Version {
    Two,
    Three,
}

/// An answer.
#[derive(Debug, PartialEq)]
pub(super) enum Reply {
    Simple(&'static str),
    Error(String),
    Integer(i64),
    Text(String),
    /// No text.
    NoText,
    Array(Vec<Self>),
    /// No array.
    NoArray,
    Map(Vec<(&'static str, Self)>),
}

impl Reply {
    /// The bytes that say it.
    pub(super) fn encode(&self, version: Version) -> Vec<u8> {
        match self {
            Self::Simple(text) => format!("+{text}\r\n").into_bytes(),
            Self::Error(text) => format!("-{text}\r\n").into_bytes(),
            Self::Integer(number) => format!(":{number}\r\n").into_bytes(),
            Self::Text(text) => format!("${}\r\n{text}\r\n", text.len()).into_bytes(),
            Self::NoText | Self::NoArray if version == Version::Three => b"_\r\n".to_vec(),
            Self::NoText => b"$-1\r\n".to_vec(),
            Self::NoArray => b"*-1\r\n".to_vec(),
            Self::Array(items) => {
                let encoded = items.iter().flat_map(|item| item.encode(version));
                format!("*{}\r\n", items.len())
                    .into_bytes()
                    .into_iter()
                    .chain(encoded)
                    .collect()
            }
            Self::Map(pairs) => {
                let head = match version {
                    Version::Two => format!("*{}\r\n", 2 * pairs.len()),
                    Version::Three => format!("%{}\r\n", pairs.len()),
                };
                let encoded = pairs.iter().flat_map(|(name, value)| {
                    let name = Self::Text((*name).to_owned());
                    [name.encode(version), value.encode(version)].concat()
                });
                head.into_bytes().into_iter().chain(encoded).collect()
            }
        }
    }
}

/// Reads a command; none at the end of the connection.
pub(super) fn read_command(input: &mut impl BufRead) -> io::Result<Option<Vec<String>>> {
    let Some(count) = read_number(input, '*', MAX_WORDS)? else {
        return Ok(None);
    };
    let mut words = Vec::new();
    for _ in 0..count {
        let length = read_number(input, '$', MAX_WORD)?.ok_or(io::ErrorKind::UnexpectedEof)?;
        let mut word = vec![0; length + 2];
        input.read_exact(&mut word)?;
        word.truncate(length);
        words.push(String::from_utf8(word).map_err(io::Error::other)?);
    }
    Ok(Some(words))
}

/// Reads a line that is this sign and a number.
fn read_number(input: &mut impl BufRead, sign: char, max: usize) -> io::Result<Option<usize>> {
    let mut line = String::new();
    // A number has few digits.
    if input.take(32).read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let number = line
        .trim_end()
        .strip_prefix(sign)
        .and_then(|text| text.parse().ok());
    match number.filter(|number| *number <= max) {
        Some(number) => Ok(Some(number)),
        None => Err(io::Error::other(format!("no command begins with {line:?}"))),
    }
}

/// Writes a command.
pub(super) fn write_command(output: &mut impl Write, words: &[&str]) -> io::Result<()> {
    let mut bytes = format!("*{}\r\n", words.len());
    for word in words {
        bytes += &format!("${}\r\n{word}\r\n", word.len());
    }
    output.write_all(bytes.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_read_as_it_was_written() {
        let mut bytes = Vec::new();
        write_command(&mut bytes, &["SET", "key", "two words\r\n"]).unwrap();
        let mut input = bytes.as_slice();
        assert_eq!(
            read_command(&mut input).unwrap().unwrap(),
            ["SET", "key", "two words\r\n"]
        );
        assert_eq!(read_command(&mut input).unwrap(), None);
    }

    #[test]
    fn what_is_too_large_or_no_command_is_refused() {
        for bytes in [
            "*65\r\n",
            "*1\r\n$65537\r\n",
            "PING\r\n",
            "*1\r\n+PING\r\n",
            "*1\r\n$4\r\nPI",
        ] {
            assert!(read_command(&mut bytes.as_bytes()).is_err(), "{bytes:?}");
        }
    }

    #[test]
    fn nothing_is_said_in_three_ways() {
        assert_eq!(Reply::NoText.encode(Version::Two), b"$-1\r\n");
        assert_eq!(Reply::NoArray.encode(Version::Two), b"*-1\r\n");
        assert_eq!(Reply::NoArray.encode(Version::Three), b"_\r\n");
    }
}
