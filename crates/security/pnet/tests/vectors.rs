//! Bytes and key files of other implementations.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use serde_json::Value;
use sinew_core::RawUpgrade;
use sinew_pnet::{PreSharedKey, PrivateNetwork, SwarmKeyError};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

fn entries() -> Vec<Value> {
    serde_json::from_str(include_str!("vectors/pnet.json")).unwrap()
}

fn bytes(value: &Value) -> Vec<u8> {
    hex::decode(value.as_str().unwrap()).unwrap()
}

fn joined(values: &Value) -> Vec<u8> {
    values.as_array().unwrap().iter().flat_map(bytes).collect()
}

/// What a member of the network reads when `arrives` comes in.
async fn read(psk: &Value, arrives: &[u8]) -> Vec<u8> {
    let key = PreSharedKey::from_bytes(&bytes(psk).try_into().unwrap());
    let (near, mut far) = tokio::io::duplex(1 << 16);
    let mut protected = PrivateNetwork::new(key).wrap(Box::new(near)).await.unwrap();
    far.write_all(arrives).await.unwrap();
    far.shutdown().await.unwrap();
    let mut read = Vec::new();
    protected.read_to_end(&mut read).await.unwrap();
    read
}

#[tokio::test]
async fn streams_of_go_and_js() {
    let mut seen = 0;
    for entry in entries().iter().filter(|entry| entry["kind"] == "stream") {
        seen += 1;
        for side in ["initiator", "responder"] {
            let wire = bytes(&entry[format!("{side}_bytes")]);
            let text = joined(&entry["input"][format!("{side}_plaintexts")]);
            assert_eq!(
                wire[..24],
                bytes(&entry[format!("{side}_nonce")]),
                "{}",
                entry["name"]
            );
            assert_eq!(
                read(&entry["input"]["psk"], &wire).await,
                text,
                "{}",
                entry["name"]
            );
            // Sealing and opening are one: read as if it were sealed, the text becomes what they sent.
            let turned = [&wire[..24], &text].concat();
            assert_eq!(read(&entry["input"]["psk"], &turned).await, wire[24..]);
        }
    }
    assert_eq!(seen, 4);
}

/// py-libp2p uses Salsa20 with a nonce of 8 bytes: nothing of it can be read.
#[tokio::test]
async fn the_dialect_of_py_is_not_understood() {
    let mut seen = 0;
    for entry in entries()
        .iter()
        .filter(|entry| entry["kind"] == "stream_py_dialect")
    {
        seen += 1;
        let wire = bytes(&entry["initiator_bytes"]);
        let text = joined(&entry["input"]["initiator_plaintexts"]);
        let heard = read(&entry["input"]["psk"], &wire).await;
        assert_eq!(heard.len(), wire.len() - 24, "the nonce eats the first words");
        let (same, most) = (
            heard.iter().zip(&text[16..]).filter(|(a, b)| a == b).count(),
            heard.len() / 8,
        );
        assert!(same < most, "{same} of {} bytes are right", heard.len());
    }
    assert_eq!(seen, 2);
}

#[test]
fn key_files() {
    let key = "0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f20";
    let expected = |name: &str| match name {
        "keyfile/all-zero-key" => Ok("00".repeat(32)),
        "keyfile/base16" | "keyfile/base16-newline-end" | "keyfile/base16-upper" | "keyfile/crlf" => {
            Ok(key.to_owned())
        }
        // Only go reads these two encodings of the specification.
        "keyfile/base64" | "keyfile/bin" => Ok(key.to_owned()),
        "keyfile/empty" => Err(SwarmKeyError::Codec),
        "keyfile/short" => Err(SwarmKeyError::Length),
        "keyfile/not-hex" => Err(SwarmKeyError::Digits),
        // go cuts it, the specification says exactly 256 bits.
        "keyfile/long" => Err(SwarmKeyError::Length),
        // js looks at neither line.
        "keyfile/wrong-encoding" => Err(SwarmKeyError::Encoding),
        "keyfile/wrong-header" => Err(SwarmKeyError::Codec),
        other => panic!("{other} is not decided"),
    };
    let mut seen = 0;
    for entry in entries().iter().filter(|entry| entry["kind"] == "keyfile") {
        seen += 1;
        let name = entry["name"].as_str().unwrap();
        let read = PreSharedKey::from_swarm_key(&bytes(&entry["input"]["text_hex"]));
        let digits = |key: PreSharedKey| {
            let file = key.to_swarm_key();
            String::from_utf8(file[31..95].to_vec()).unwrap()
        };
        assert_eq!(read.map(digits), expected(name), "{name}");
        if entry["agreement"] != "split" {
            let all = entry["agreement"] == "all accept";
            assert_eq!(expected(name).is_ok(), all, "{name}: all others agree");
        }
    }
    assert_eq!(seen, 13);
    assert_eq!(entries().len(), 4 + 2 + 13);
}
