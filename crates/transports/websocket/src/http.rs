//! The HTTP request and response that a WebSocket begins with (RFC 6455, 4).

use bytes::{BufMut, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tungstenite::{
    handshake::{
        client::{Response, generate_key},
        derive_accept_key,
        machine::TryParse,
        server::{Request, create_response, write_response},
    },
    http::HeaderMap,
};

use crate::{HandshakeError, WsAddr};

/// The most bytes of a request's or response's head, as most web servers take. Its lines are counted too: at most 124.
pub const MAX_HEAD: usize = 8 * 1024;

/// Between the head and what follows it.
const END: &[u8] = b"\r\n\r\n";

/// Asks the server for a WebSocket. What it sent right behind its answer is returned.
pub(crate) async fn ask<S>(io: &mut S, addr: &WsAddr) -> Result<BytesMut, HandshakeError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let key = generate_key();
    // spec: RFC 6455, 4.1: what a client's request must have.
    let request = format!(
        "GET {} HTTP/1.1\r\nHost: {}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n",
        addr.target(),
        addr.host(),
    );
    io.write_all(request.as_bytes()).await?;
    io.flush().await?;
    let (head, behind) = read_head(io, b"HTTP/1.1 ").await?;
    check(&head, &key)?;
    Ok(behind)
}

/// Answers a client's request. Where there is a `path`, it is the only one. What was sent right behind the request is
/// returned.
pub(crate) async fn answer<S>(io: &mut S, path: Option<&str>) -> Result<BytesMut, HandshakeError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let (head, behind) = read_head(io, b"GET ").await?;
    match accept(&head, path) {
        Ok(response) => {
            io.write_all(&response).await?;
            io.flush().await?;
            Ok(behind)
        }
        Err(error) => {
            let status = match error {
                HandshakeError::Path => "404 Not Found",
                _ => "400 Bad Request",
            };
            let refusal = format!("HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
            // The connection ends either way, so an error changes nothing.
            let _ = io.write_all(refusal.as_bytes()).await;
            let _ = io.shutdown().await;
            Err(error)
        }
    }
}

/// Reads a head, and what came with it. What cannot be one, because it does not begin so, is refused at once.
async fn read_head<S>(io: &mut S, begins: &[u8]) -> Result<(BytesMut, BytesMut), HandshakeError>
where
    S: AsyncRead + Unpin,
{
    let mut read = BytesMut::new();
    loop {
        let before = read.len();
        if before == MAX_HEAD {
            return Err(HandshakeError::HeadTooLong);
        }
        if io.read_buf(&mut (&mut read).limit(MAX_HEAD - before)).await? == 0 {
            return Err(std::io::Error::from(std::io::ErrorKind::UnexpectedEof).into());
        }
        let shown = read.len().min(begins.len());
        if read[..shown] != begins[..shown] {
            return Err(HandshakeError::NotHttp);
        }
        // The end may have begun in what was there before.
        let from = before.saturating_sub(END.len() - 1);
        let found = read[from..].windows(END.len()).position(|window| window == END);
        if let Some(at) = found {
            let head = read.split_to(from + at + END.len());
            return Ok((head, read));
        }
    }
}

/// The response to a request, if it is one for a WebSocket here.
fn accept(head: &[u8], path: Option<&str>) -> Result<Vec<u8>, HandshakeError> {
    let request = parse::<Request>(head)?;
    if path.is_some_and(|path| !is_path(request.uri().path(), path)) {
        return Err(HandshakeError::Path);
    }
    // spec: RFC 6455, 4.2.2. Extensions and protocols that are offered are not taken.
    let response = create_response(&request).map_err(Box::new)?;
    let mut bytes = Vec::new();
    write_response(&mut bytes, &response).map_err(Box::new)?;
    Ok(bytes)
}

/// Whether the server does what `key` asked for (RFC 6455, 4.1, the client's checks).
fn check(head: &[u8], key: &str) -> Result<(), HandshakeError> {
    let response = parse::<Response>(head)?;
    if response.status() != 101 {
        return Err(HandshakeError::Status(response.status().as_u16()));
    }
    let headers = response.headers();
    if !has(headers, "Upgrade", "websocket") || !has(headers, "Connection", "Upgrade") {
        return Err(HandshakeError::Answer("it switches to another protocol"));
    }
    let accepted = headers.get("Sec-WebSocket-Accept");
    if accepted.is_none_or(|value| value != &derive_accept_key(key.as_bytes())) {
        return Err(HandshakeError::Answer("it is for another key"));
    }
    if headers.contains_key("Sec-WebSocket-Extensions") || headers.contains_key("Sec-WebSocket-Protocol") {
        return Err(HandshakeError::Answer("it names an extension or a protocol"));
    }
    Ok(())
}

fn parse<T: TryParse>(head: &[u8]) -> Result<T, HandshakeError> {
    match T::try_parse(head) {
        Ok(Some((_, parsed))) => Ok(parsed),
        // An end of head inside of it: a line of it is empty for us and not for the parser.
        Ok(None) => Err(HandshakeError::NotHttp),
        Err(error) => Err(Box::new(error).into()),
    }
}

/// Whether a header holds `token` in its list.
fn has(headers: &HeaderMap, name: &str, token: &str) -> bool {
    let mut values = headers
        .get_all(name)
        .iter()
        .filter_map(|value| value.to_str().ok());
    values.any(|value| {
        value
            .split(',')
            .any(|part| part.trim().eq_ignore_ascii_case(token))
    })
}

/// Whether a path of a request, percent-encoded, is `path` behind its slash.
fn is_path(asked: &str, path: &str) -> bool {
    let decoded = percent_decoded(asked.strip_prefix('/').unwrap_or(asked));
    decoded.is_some_and(|decoded| decoded == path.as_bytes())
}

fn percent_decoded(text: &str) -> Option<Vec<u8>> {
    let mut bytes = text.bytes();
    let mut decoded = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        if byte == b'%' {
            let mut digit = || char::from(bytes.next()?).to_digit(16);
            decoded.push(u8::try_from(digit()? << 4 | digit()?).ok()?);
        } else {
            decoded.push(byte);
        }
    }
    Some(decoded)
}

#[cfg(test)]
mod tests {
    use super::*;

    const REQUEST: &str = "GET /a/b%20c?d HTTP/1.1\r\nHost: x.org\r\nConnection: keep-alive, Upgrade\r\n\
        Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

    #[test]
    fn the_example_of_the_specification_is_answered() {
        let response = accept(REQUEST.as_bytes(), None).unwrap();
        let response = String::from_utf8(response).unwrap();
        assert!(response.starts_with("HTTP/1.1 101 "), "{response}");
        assert!(response.contains("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), "{response}");
        check(response.as_bytes(), "dGhlIHNhbXBsZSBub25jZQ==").unwrap();
    }

    #[test]
    fn paths() {
        assert!(accept(REQUEST.as_bytes(), Some("a/b c")).is_ok());
        for other in ["", "a", "a/b%20c", "/a/b c"] {
            let refused = accept(REQUEST.as_bytes(), Some(other));
            assert!(matches!(refused, Err(HandshakeError::Path)), "{other}");
        }
        for broken in ["/%", "/%2", "/%2g", "/%é0"] {
            assert!(!is_path(broken, "a"), "{broken}");
        }
    }

    #[test]
    fn requests_for_something_else() {
        for (from, to) in [
            ("GET", "PUT"),
            ("HTTP/1.1", "HTTP/1.0"),
            ("websocket\r\n", "h2c\r\n"),
            ("Connection: keep-alive, Upgrade\r\n", ""),
            ("13", "8"),
            ("dGhl", "dGh"),
            ("Host", "Ho st"),
            ("\r\nHost: x.org", "\r\n\r\nHost: x.org"),
        ] {
            let request = REQUEST.replacen(from, to, 1);
            let refused = accept(request.as_bytes(), None).unwrap_err();
            assert!(matches!(refused, HandshakeError::Http(_)), "{to}: {refused}");
        }
        let many = REQUEST.replacen("Host", &("A: b\r\n".repeat(124) + "Host"), 1);
        assert!(accept(many.as_bytes(), None).is_err());
    }

    #[test]
    fn answers_to_something_else() {
        let key = "dGhlIHNhbXBsZSBub25jZQ==";
        let response = String::from_utf8(accept(REQUEST.as_bytes(), None).unwrap()).unwrap();
        let refused = |from: &str, to: &str| {
            let changed = response.to_lowercase().replacen(from, to, 1);
            check(changed.replace("http/1.1", "HTTP/1.1").as_bytes(), key).unwrap_err()
        };
        assert!(matches!(
            refused("101 switching protocols", "404 not found"),
            HandshakeError::Status(404)
        ));
        for (from, to) in [
            ("upgrade: websocket", "upgrade: h2c"),
            ("connection: upgrade", "connection: close"),
            ("s3p", "s4p"),
            (
                "\r\n\r\n",
                "\r\nsec-websocket-extensions: permessage-deflate\r\n\r\n",
            ),
            ("\r\n\r\n", "\r\nsec-websocket-protocol: libp2p\r\n\r\n"),
        ] {
            let error = refused(from, to);
            assert!(matches!(error, HandshakeError::Answer(_)), "{to}: {error}");
        }
    }
}
