//! `sinew chat` between processes.

use crate::rig::{LOOPBACK, Running, folder, run, text};
use rustix::process::Signal;
use serde_json::{Value, json};
use std::path::Path;

fn chat(here: &Path, more: &[&str]) -> Running {
    Running::start(here, &[&["chat", "tea"], more].concat())
}

fn peer(chat: &Running) -> &str {
    chat.addr.rsplit('/').next().expect("an address with a peer id")
}

fn write(chat: &mut Running, said: &str) {
    chat.write(&json!({ "text": said }).to_string());
}

fn said(chat: &Running) -> (String, String) {
    let message = chat.event("message");
    (
        text(&message, "peer").to_owned(),
        text(&message, "text").to_owned(),
    )
}

#[test]
fn two_who_follow_a_topic_read_each_other() {
    let folder = folder();
    let mut first = chat(folder.path(), &[]);
    let mut second = chat(folder.path(), &[&first.addr, "--name", "Anna"]);
    let (first_peer, second_peer) = (peer(&first).to_owned(), peer(&second).to_owned());
    assert_ne!(first_peer, second_peer, "each has a key of its own");
    assert_eq!(text(&first.event("joined"), "peer"), second_peer);
    assert_eq!(text(&second.event("joined"), "peer"), first_peer);
    write(&mut first, "two\nlines");
    assert_eq!(first.event("sent")["peers"], 1);
    assert_eq!(said(&second), (first_peer, "two\nlines".to_owned()));
    // What is written last arrives although the input ends at once.
    write(&mut second, "good");
    write(&mut second, "bye");
    second.end_input();
    // Gossipsub promises no order.
    let mut heard = [said(&first), said(&first)];
    heard.sort();
    let expected = ["Anna: bye", "Anna: good"].map(|text| (second_peer.clone(), text.to_owned()));
    assert_eq!(heard, expected);
    assert_eq!(second.event("ending"), json!({ "event": "ending" }));
    assert_eq!(second.ended(), 0);
    assert_eq!(text(&first.event("left"), "peer"), second_peer);
    write(&mut first, "anybody?");
    assert_eq!(first.event("sent")["peers"], 0);
    assert_eq!(first.signal(Signal::INT), 0, "while its input is open");
}

#[test]
fn what_is_said_goes_on_through_others() {
    let folder = folder();
    let middle = chat(folder.path(), &[]);
    let mut one = chat(folder.path(), &[&middle.addr]);
    let other = chat(folder.path(), &[&middle.addr]);
    for chat in [&middle, &middle, &one, &other] {
        chat.event("joined");
    }
    // What comes before the middle has taken the others into its mesh, it does not hand on.
    let heard = std::iter::repeat_with(|| {
        write(&mut one, "hello");
        other.soon()
    });
    let heard = heard.take(300).flatten().next();
    let heard = heard.expect("meshes form within a minute");
    assert_eq!(
        (text(&heard, "peer"), text(&heard, "text")),
        (peer(&one), "hello")
    );
    assert_eq!(said(&middle), (peer(&one).to_owned(), "hello".to_owned()));
}

#[test]
fn strangers_do_not_write_on_a_terminal() {
    let folder = folder();
    let here = folder.path();
    let mut stranger = chat(here, &[]);
    let mut person = Running::for_people(here, &["chat", "tea", &stranger.addr, "--listen", LOOPBACK]);
    stranger.event("joined");
    write(&mut stranger, "\u{1b}[2J\u{9b}2Jhi\r\nme: it was me\u{202e}");
    let short: String = peer(&stranger).chars().rev().take(8).collect();
    let short: String = short.chars().rev().collect();
    // Who joined and what is said come each in their own order.
    let joined = format!("+ {short} joined");
    let mut awaited = vec![joined.as_str(), "it was me"];
    while !awaited.is_empty() {
        let line = person.words();
        assert!(!line.chars().any(char::is_control), "{line:?}");
        awaited.retain(|text| !line.contains(text));
    }
    write(&mut stranger, &"long ".repeat(2000));
    let shown = person.words();
    assert!(shown.starts_with(&format!("{short}: long long")), "{shown}");
    assert!(shown.ends_with('…') && shown.chars().count() < 2100, "{shown}");
    person.write("hello");
    assert_eq!(said(&stranger).1, "hello");
    person.end_input();
    assert_eq!(person.ended(), 0);
}

#[test]
fn what_cannot_be_sent_is_said_and_the_rest_is() {
    let folder = folder();
    let mut chat = chat(folder.path(), &[]);
    for (line, told) in [
        ("hello", r#"{"text": "hello"}"#),
        (r#"{"txt": "hello"}"#, "unknown field `txt`"),
        (
            &json!({ "text": "x".repeat(20_000) }).to_string(),
            "at most 16384",
        ),
        (&"x".repeat(200_000), "too long"),
    ] {
        chat.write(line);
        let refused = chat.event("not_sent");
        assert!(text(&refused, "error").contains(told), "{refused}");
    }
    chat.write("");
    write(&mut chat, "hello");
    assert_eq!(chat.event("sent")["peers"], 0);
    chat.end_input();
    assert_eq!(chat.ended(), 0);
}

#[test]
fn whoever_is_not_reached_is_named() {
    let folder = folder();
    let here = folder.path();
    let first = chat(here, &[]);
    let nobody = "/ip4/127.0.0.1/udp/9/webrtc-direct";
    let second = chat(here, &[nobody, &first.addr]);
    assert_eq!(text(&second.event("not_reached"), "addr"), nobody);
    first.event("joined");
    let (code, lines) = run(here, &["chat", "tea", nobody, "--listen", LOOPBACK]);
    let error: &Value = lines.last().expect("an error");
    assert!(code != 0 && !text(error, "hint").is_empty(), "{code}: {lines:?}");
    for wrong in [&["chat"][..], &["chat", ""], &["chat", "tea", "--name", "a\nb"]] {
        assert_eq!(run(here, wrong), (2, Vec::new()), "{wrong:?}");
    }
}
