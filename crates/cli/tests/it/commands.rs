//! The commands, one by one.

use crate::rig::{LOOPBACK, Running, complaint, folder, object, run, sinew, text};
use rustix::process::{Pid, Signal, kill_process};
use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    path::Path,
    process::Stdio,
};

#[test]
fn keys_are_made_shown_and_converted_but_never_overwritten() {
    let folder = folder();
    let here = folder.path();
    for kind in ["ed25519", "secp256k1", "ecdsa"] {
        let (first, second) = (format!("{kind}.pem"), format!("{kind}.key"));
        let (code, made) = run(here, &["key", "new", &first, "--kind", kind, "--format", "pem"]);
        assert_eq!((code, made.len()), (0, 1), "{kind}");
        assert!(
            fs::read_to_string(here.join(&first))
                .expect("written")
                .starts_with("-----BEGIN")
        );
        let (code, _) = run(here, &["key", "convert", &first, &second, "--format", "libp2p"]);
        assert_eq!(code, 0, "{kind}");
        let (code, shown) = run(here, &["key", "show", &second]);
        assert_eq!(code, 0, "{kind}");
        assert_eq!(shown[0]["peer"], made[0]["peer"], "{kind}");
        assert_eq!(shown[0]["public_key"], made[0]["public_key"], "{kind}");
        let before = fs::read(here.join(&second)).expect("written");
        let (code, error) = run(here, &["key", "new", &second]);
        assert_eq!(code, 3, "{kind}");
        assert!(text(&error[0], "error").contains("exists already"), "{error:?}");
        assert_eq!(fs::read(here.join(&second)).expect("still there"), before);
    }
    assert_eq!(run(here, &["key", "show", "nothing.key"]).0, 3);
}

#[test]
fn a_private_network_has_a_key() {
    let folder = folder();
    let here = folder.path();
    let (code, made) = run(here, &["key", "psk", "new", "swarm.key"]);
    assert_eq!((code, made.len()), (0, 1), "{made:?}");
    let (code, shown) = run(here, &["key", "psk", "show", "swarm.key"]);
    assert_eq!((code, &shown[0]["fingerprint"]), (0, &made[0]["fingerprint"]));
    assert_eq!(
        run(here, &["key", "psk", "new", "swarm.key"]).0,
        3,
        "not overwritten"
    );
    let node = Running::start(here, &["node", "--psk", "swarm.key"]);
    let ping = ["ping", &node.addr, "--count", "1"];
    assert_eq!(run(here, &[&ping[..], &["--psk", "swarm.key"]].concat()).0, 0);
    assert_ne!(run(here, &ping).0, 0, "who has no key hears noise");
    assert_eq!(run(here, &["node", "--psk", "nothing.key"]).0, 3);
    assert_eq!(node.signal(Signal::INT), 0);
}

#[test]
fn a_node_is_pinged_and_identified_and_keeps_its_key() {
    let folder = folder();
    let here = folder.path();
    let node = Running::start(here, &["node"]);
    let (code, pings) = run(here, &["ping", &node.addr, "--count", "3", "--interval", "0"]);
    assert_eq!((code, pings.len()), (0, 4), "{pings:?}");
    assert!(pings[..3].iter().all(|ping| ping["rtt_us"].is_u64()), "{pings:?}");
    assert_eq!((&pings[3]["sent"], &pings[3]["answered"]), (&3.into(), &3.into()));

    let (code, them) = run(here, &["identify", &node.addr]);
    assert_eq!((code, them.len()), (0, 1), "{them:?}");
    assert!(node.addr.ends_with(text(&them[0], "peer")));
    assert_eq!(them[0]["signed_record"], true);
    let protocols = them[0]["protocols"].as_array().expect("a list");
    for protocol in ["/ipfs/id/1.0.0", "/ipfs/id/push/1.0.0", "/ipfs/ping/1.0.0"] {
        assert!(protocols.iter().any(|spoken| spoken == protocol), "{protocols:?}");
    }
    let by_name = node.addr.replace("/ip4/127.0.0.1/", "/dns4/localhost/");
    assert_eq!(run(here, &["ping", &by_name, "--count", "1"]).0, 0, "{by_name}");
    assert_eq!(text(&node.event("connected"), "direction"), "inbound");
    node.event("disconnected");

    let (addr, peer) = (node.addr.clone(), text(&them[0], "peer").to_owned());
    assert_eq!(node.signal(Signal::TERM), 0);
    assert_eq!(
        run(here, &["ping", &addr, "--count", "1"]).0,
        1,
        "nobody is there"
    );
    let again = Running::start(here, &["node"]);
    assert!(again.addr.ends_with(&peer), "the key was kept");
    assert_eq!(again.signal(Signal::INT), 0);
}

#[test]
fn a_node_is_described_in_a_file_and_shows_its_metrics() {
    let here = folder();
    let description =
        "key = 'its.key'\nmetrics = '127.0.0.1:0'\n[limits]\nbase = 'default'\ninbound_connections = 321\n";
    fs::write(here.path().join("node.toml"), description).expect("written");
    let node = Running::start(here.path(), &["node", "--config", "node.toml"]);
    assert!(here.path().join("its.key").exists(), "the key of the file");
    let metrics = node.event("metrics");
    let mut stream = TcpStream::connect(text(&metrics, "addr")).expect("it listens");
    stream
        .write_all(b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        .expect("it reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("it answers");
    let limit = "sinew_limit_allowed{resource=\"connections\",direction=\"inbound\"} 321";
    assert!(answer.contains(limit), "{answer}");
    assert_eq!(node.signal(Signal::TERM), 0);
}

#[test]
fn the_secrets_of_connections_are_written_where_the_environment_says() {
    let folder = folder();
    let here = folder.path();
    for listen in [LOOPBACK, "/ip4/127.0.0.1/udp/0/quic-v1"] {
        let node = Running::as_told(here, &["node", "--listen", listen]);
        let mut ping = sinew(here, &["ping", "--count", "1", &node.addr]);
        let done = ping.env("SSLKEYLOGFILE", here.join("secrets")).output();
        assert!(done.expect("started").status.success(), "{listen}");
        let secrets = fs::read_to_string(here.join("secrets")).expect("written");
        let of_client = "CLIENT_TRAFFIC_SECRET_0 ";
        assert_eq!(secrets.matches(of_client).count(), 1, "{listen}: {secrets}");
        fs::remove_file(here.join("secrets")).expect("there");
        assert_eq!(node.signal(Signal::TERM), 0);
        assert!(
            !here.join("secrets").exists(),
            "nobody asked the node for its own"
        );
    }
}

/// A certificate that vouches for itself, for loopback.
fn certify(here: &Path) {
    let made = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).expect("made");
    fs::write(here.join("cert.pem"), made.cert.pem()).expect("written");
    fs::write(here.join("cert.key"), made.signing_key.serialize_pem()).expect("written");
}

#[test]
fn a_node_does_all_that_its_file_says() {
    const DESCRIPTION: &str = "
        listen = ['/ip4/127.0.0.1/tcp/0', '/ip4/127.0.0.1/tcp/0/tls/ws']
        announce = ['/dns4/node.example.org/tcp/4001', '/ip4/10.1.2.3/tcp/4001']
        append_announce = ['/ip4/192.0.2.1/tcp/4001']
        no_announce = ['10.0.0.0/8']
        key = 'its.key'
        psk = 'swarm.key'
        wss = { cert = 'cert.pem', key = 'cert.key' }
        peerstore = 'peers.redb'
        metrics = '127.0.0.1:0'
        watermarks = { low = 30, high = 40, grace = 5 }
        access = { allow = ['127.0.0.1'], deny = ['192.0.2.0/24'], file = 'access' }
        limits = { base = 'default', inbound_connections = 30, outbound_connections = 30 }
    ";
    let folder = folder();
    let here = folder.path();
    certify(here);
    fs::write(here.join("access"), "").expect("written");
    fs::write(here.join("node.toml"), DESCRIPTION).expect("written");
    assert_eq!(run(here, &["key", "psk", "new", "swarm.key"]).0, 0);
    let node = Running::as_told(here, &["node", "--config", "node.toml"]);
    let (_, peer) = node.addr.split_once("/p2p/").expect("a full address");
    let announced = ["/dns4/node.example.org/tcp/4001", "/ip4/192.0.2.1/tcp/4001"];
    assert_eq!(node.event("announced")["addrs"], serde_json::json!(announced));
    let (code, them) = run(here, &["identify", &node.addr, "--psk", "swarm.key"]);
    assert_eq!(
        (code, &them[0]["addrs"]),
        (0, &serde_json::json!(announced)),
        "{them:?}"
    );
    let (_, own) = run(here, &["key", "show", "its.key"]);
    assert_eq!(text(&own[0], "peer"), peer, "the key of the file");
    assert_ne!(
        run(here, &["ping", &node.addr, "--count", "1"]).0,
        0,
        "a private network"
    );

    fs::write(here.join("access"), "deny 127.0.0.1 # everybody here\n").expect("written");
    node.tell(Signal::HUP);
    node.event("reloaded");
    let ping = ["ping", &node.addr, "--count", "1", "--psk", "swarm.key"];
    assert_eq!(
        run(here, &ping).0,
        1,
        "denied by the file, though allowed by the description"
    );
    fs::write(here.join("access"), "deny 127.0.0.1\nden").expect("written");
    node.tell(Signal::HUP);
    let failed = node.event("reload_failed");
    assert!(text(&failed, "error").contains("line 2"), "{failed}");
    assert_eq!(run(here, &ping).0, 1, "the old rules stay");
    assert_eq!(node.signal(Signal::TERM), 0);
    assert!(here.join("peers.redb").exists());
    let (code, lines) = run(here, &["node", "--config", "node.toml"]);
    assert_eq!(code, 3, "no node starts with a damaged list: {lines:?}");
    assert!(text(&lines[0], "error").contains("line 2"), "{lines:?}");
}

#[test]
fn what_a_file_says_wrongly_is_named() {
    let folder = folder();
    let here = folder.path();
    for (description, named) in [
        ("listne = []", &["bad.toml", "line 1", "listne"][..]),
        (
            "\nmetrics = 'here'",
            &["bad.toml, line 2, metrics", "127.0.0.1:9090"],
        ),
        ("psk = 'nothing'", &["psk", "nothing"]),
        ("access.file = 'nothing'", &["access", "nothing"]),
        ("wss = { cert = 'nothing', key = 'nothing' }", &["wss", "nothing"]),
        (
            "watermarks = { low = 1, high = 10000000 }",
            &["watermarks of 1 and 10000000"],
        ),
    ] {
        fs::write(here.join("bad.toml"), description).expect("written");
        let (code, lines) = run(here, &["node", "--config", "bad.toml", "--listen", LOOPBACK]);
        assert_eq!(code, 3, "{description}");
        for name in named {
            let error = text(&lines[0], "error");
            assert!(error.contains(name), "{description}: no {name} in {error}");
        }
    }
}

#[test]
fn a_node_listens_on_secure_websockets_and_announces_what_it_is_told() {
    let folder = folder();
    let here = folder.path();
    certify(here);
    let wss = "/ip4/127.0.0.1/tcp/0/tls/ws";
    let (code, lines) = run(here, &["node", "--listen", wss]);
    assert_eq!(code, 3);
    assert!(text(&lines[0], "hint").contains("--wss-cert"), "{lines:?}");
    assert_eq!(run(here, &["node", "--wss-cert", "cert.pem"]), (2, Vec::new()));
    let told = "/dns4/node.example.org/tcp/443/tls/ws";
    let certificate = ["--wss-cert", "cert.pem", "--wss-key", "cert.key"];
    let args = [&["node", "--listen", wss, "--announce", told], &certificate[..]].concat();
    let node = Running::as_told(here, &args);
    assert_eq!(node.event("announced")["addrs"], serde_json::json!([told]));
    let visit = || {
        let mut command = sinew(here, &["dial", &node.addr]);
        command.env("SSL_CERT_FILE", here.join("cert.pem"));
        let done = command.output().expect("started");
        let line = String::from_utf8(done.stdout).expect("text");
        (done.status.code(), object(line.trim()))
    };
    let (code, connected) = visit();
    assert_eq!(
        (code, text(&connected, "transport")),
        (Some(0), "wss"),
        "{connected}"
    );
    // A renewed certificate is used once the node is told.
    certify(here);
    assert_eq!(visit().0, Some(1), "it has the old one still");
    node.tell(Signal::HUP);
    node.event("reloaded");
    assert_eq!(visit().0, Some(0));
    assert_eq!(node.signal(Signal::TERM), 0);
}

#[test]
fn a_node_with_a_peerstore_remembers_who_came() {
    let here = folder();
    let node = Running::start(here.path(), &["node", "--peerstore", "peers.redb"]);
    let (code, pinged) = run(here.path(), &["ping", "--count", "1", &node.addr]);
    assert_eq!(code, 0, "{pinged:?}");
    let peer = text(&node.event("connected"), "peer").to_owned();
    node.event("disconnected");
    let (code, refused) = run(here.path(), &["peers", "peers.redb"]);
    assert_eq!(code, 3, "the node has it open");
    assert!(
        text(&refused[0], "error").contains("another process"),
        "{refused:?}"
    );
    assert_eq!(node.signal(Signal::TERM), 0);
    let (code, listed) = run(here.path(), &["peers", "peers.redb"]);
    assert_eq!((code, listed.len()), (0, 1), "{listed:?}");
    assert_eq!(text(&listed[0], "peer"), peer);
    assert!(text(&listed[0], "agent").starts_with("sinew"), "{listed:?}");
    assert_eq!(run(here.path(), &["peers", "nowhere"]).0, 3);
}

#[test]
fn a_dial_explains_each_address_and_remembers_the_good_one() {
    let here = folder();
    let node = Running::start(here.path(), &["node"]);
    let (place, peer) = node.addr.split_once("/p2p/").expect("a full address");
    let (other, nobody) = ("/ip4/127.0.0.1/udp/9/webrtc-direct", "/ip4/0.0.0.0/tcp/9");
    let dial = |targets: &[&str]| run(here.path(), &[&["dial", "--explain"], targets].concat());
    let (code, lines) = dial(&["--peerstore", "peers.redb", other, nobody, place, peer]);
    assert_eq!((code, lines.len()), (0, 4), "{lines:?}");
    assert_eq!((text(&lines[0], "addr"), &lines[0]["rank"]), (place, &1.into()));
    assert!(
        lines[0]["connected"] == true && lines[0]["took_us"].is_u64(),
        "{lines:?}"
    );
    for (line, addr) in [(&lines[1], other), (&lines[2], nobody)] {
        assert_eq!((text(line, "addr"), text(line, "failed_at")), (addr, "address"));
        assert!(line["rank"].is_null() && line["started_us"].is_null(), "{line}");
    }
    assert_eq!(
        (text(&lines[3], "event"), text(&lines[3], "peer")),
        ("connected", peer)
    );
    assert_eq!(text(&lines[3], "muxer"), "/yamux/1.0.0");

    let (code, lines) = dial(&["--peerstore", "peers.redb", peer]);
    assert_eq!((code, text(&lines[0], "addr")), (0, place), "{lines:?}");
    let by_name = place.replace("/ip4/127.0.0.1/", "/dns4/localhost/");
    let (code, lines) = dial(&[&by_name]);
    let row = (text(&lines[0], "addr"), text(&lines[0], "name"));
    assert_eq!((code, row), (0, (place, by_name.as_str())));

    let (code, lines) = dial(&[peer]);
    assert_eq!(
        (code, lines.len()),
        (1, 1),
        "nobody has said where it is: {lines:?}"
    );
    let (code, lines) = dial(&[other, nobody]);
    assert_eq!(
        (code, lines.len()),
        (3, 3),
        "it is for us to name an address: {lines:?}"
    );
    assert_eq!(dial(&["neither"]), (2, Vec::new()));
}

#[test]
fn the_wrong_peer_and_the_wrong_words_have_exit_codes() {
    let folder = folder();
    let here = folder.path();
    let node = Running::start(here, &["node"]);
    let (_, other) = run(here, &["key", "new", "other.key"]);
    let (place, _) = node.addr.split_once("/p2p/").expect("a full address");
    let wrong = format!("{place}/p2p/{}", text(&other[0], "peer"));
    let (code, error) = run(here, &["ping", &wrong, "--count", "1"]);
    assert_eq!(code, 1);
    assert!(text(&error[0], "error").contains("expected peer"), "{error:?}");
    let (code, lines) = run(here, &["perf", "run", &node.addr, "--bytes", "1"]);
    assert_eq!(
        (code, lines.len()),
        (1, 2),
        "a node serves no measurements: {lines:?}"
    );
    assert!(text(&lines[1], "error").contains("does not serve"), "{lines:?}");
    for args in [&["ping", "no address"][..], &["ping"], &["no command"]] {
        assert_eq!(run(here, args), (2, Vec::new()), "{args:?}");
    }
}

#[test]
fn who_types_something_wrong_is_told_what_to_type() {
    let folder = folder();
    let here = folder.path();
    for (args, told) in [
        (&["node", "--metrics", "localhost"][..], "127.0.0.1:9090"),
        (&["node", "--listen", "0.0.0.0:4001"], "/ip4/192.0.2.1/tcp/4001"),
        (&["ping", "/ip4/127.0.0.1/tcp/1", "--count", "0"], "1.."),
        (
            &["ping", "/ip4/127.0.0.1/tcp/1", "--interval", "soon"],
            "number of seconds",
        ),
        (&["node", "--wss-key", "cert.key"], "--wss-cert"),
        (&["key", "new", "a.key", "--bits", "4096"], "--kind rsa"),
    ] {
        let (code, text) = complaint(here, args);
        assert!(code == 2 && text.contains(told), "{args:?}: {code} {text}");
    }
    assert!(!here.join("a.key").exists());
    let (code, lines) = run(here, &["node", "--listen", "/ip4/127.0.0.1/udp/0"]);
    assert_eq!(code, 3);
    assert!(text(&lines[0], "hint").contains("/udp/PORT/quic-v1"), "{lines:?}");
}

#[test]
fn logs_have_colours_on_a_terminal_only() {
    let folder = folder();
    let here = folder.path();
    let node = Running::start(here, &["node"]);
    let (code, text) = complaint(here, &["ping", &node.addr, "--count", "1", "-vv"]);
    assert!(
        code == 0 && text.contains("DEBUG") && !text.contains('\x1b'),
        "{text}"
    );
    let mut command = sinew(here, &["ping", &node.addr, "--count", "1"]);
    let done = command
        .env("SINEW_LOG", "sinew_host=loud")
        .output()
        .expect("started");
    let text = String::from_utf8(done.stderr).expect("text");
    assert!(
        done.status.success() && text.starts_with("SINEW_LOG is left aside"),
        "{text}"
    );
    assert_eq!(node.signal(Signal::TERM), 0);
}

#[test]
fn a_command_that_fails_says_goodbye() {
    let folder = folder();
    let here = folder.path();
    let node = Running::start(here, &["node"]);
    fs::write(here.join("file"), "content").expect("written");
    let (code, lines) = run(here, &["send", "file", &node.addr]);
    assert_eq!(code, 1);
    assert!(text(&lines[0], "hint").contains("sinew receive"), "{lines:?}");
    let end = node.event("disconnected");
    assert!(text(&end, "reason").contains("closed by the remote"), "{end}");
    assert_eq!(node.signal(Signal::TERM), 0);
}

#[test]
fn a_file_that_is_no_peerstore_is_left_alone() {
    let folder = folder();
    let here = folder.path();
    assert_eq!(run(here, &["key", "new", "node.key"]).0, 0);
    let before = fs::read(here.join("node.key")).expect("made");
    for args in [&["peers", "node.key"][..], &["node", "--peerstore", "node.key"]] {
        let (code, lines) = run(here, args);
        assert_eq!((code, lines.len()), (3, 1), "{lines:?}");
        assert!(text(&lines[0], "error").contains("no peerstore"), "{lines:?}");
        assert_eq!(fs::read(here.join("node.key")).expect("still there"), before);
    }
}

#[test]
fn a_hangup_ends_no_node() {
    let folder = folder();
    let node = Running::start(folder.path(), &["node"]);
    node.tell(Signal::HUP);
    node.event("nothing_to_reload");
    assert_eq!(node.signal(Signal::TERM), 0);
}

/// A folder with a file to send and a folder for what arrives.
fn with_file(here: &Path, content: &[u8]) {
    fs::write(here.join("file"), content).expect("written");
    fs::create_dir(here.join("inbox")).expect("made");
}

#[test]
fn a_code_admits_one_file() {
    let folder = folder();
    let here = folder.path();
    with_file(here, &[7; 300_000]);
    let inbox = here.join("inbox");
    fs::write(inbox.join("taken"), b"mine").expect("written");
    fs::write(here.join("taken"), b"yours").expect("written");
    let receiver = Running::start(here, &["receive", "--dir", "inbox"]);
    let code = text(&receiver.line(), "code").to_owned();
    let send = |file: &str, code: &str| run(here, &["send", file, &receiver.addr, "--code", code]);
    assert_eq!(send("file", "a guess").0, 4);
    let (exit, error) = send("taken", &code);
    assert_eq!(exit, 4, "{error:?}");
    assert_eq!(
        fs::read(inbox.join("taken")).expect("there"),
        b"mine",
        "not overwritten"
    );
    let (exit, sent) = send("file", &code);
    assert_eq!((exit, &sent[0]["bytes"]), (0, &300_000.into()), "{sent:?}");
    assert_eq!(
        text(&receiver.event("received"), "file"),
        inbox
            .join("file")
            .canonicalize()
            .expect("there")
            .to_str()
            .expect("text")
    );
    assert_eq!(fs::read(inbox.join("file")).expect("there"), [7; 300_000]);
    assert_eq!(receiver.ended(), 0, "one file was all");
    assert_eq!(fs::read_dir(inbox).expect("there").count(), 2, "no part is left");
}

#[test]
fn guessing_ends_a_receiver() {
    let folder = folder();
    let here = folder.path();
    with_file(here, b"file");
    let receiver = Running::start(here, &["receive", "--dir", "inbox"]);
    for _ in 0..5 {
        assert_eq!(
            run(here, &["send", "file", &receiver.addr, "--code", "a guess"]).0,
            4
        );
    }
    assert_eq!(receiver.ended(), 4);
}

#[test]
fn one_peer_is_admitted_within_the_limits() {
    let folder = folder();
    let here = folder.path();
    with_file(here, b"small");
    fs::write(here.join("large"), vec![0; (1 << 20) + 1]).expect("written");
    fs::write(here.join("link"), b"sent").expect("written");
    std::os::unix::fs::symlink("../elsewhere", here.join("inbox/link")).expect("linked");
    let (_, friend) = run(here, &["key", "new", "friend.key"]);
    let from = text(&friend[0], "peer");
    let receiver = Running::start(
        here,
        &["receive", "--dir", "inbox", "--from", from, "--max-size", "1"],
    );
    let send = |file, key| run(here, &["send", file, &receiver.addr, "--key", key]).0;
    assert_eq!(send("file", "stranger.key"), 4);
    assert_eq!(send("large", "friend.key"), 4);
    assert_eq!(send("link", "friend.key"), 4, "a link is in the way");
    assert_eq!(send("missing", "friend.key"), 3);
    assert_eq!(send("file", "friend.key"), 0);
    assert_eq!(receiver.signal(Signal::INT), 0);
    assert_eq!(fs::read(here.join("inbox/file")).expect("there"), b"small");
    assert!(!here.join("elsewhere").exists(), "no link was followed");
    assert_eq!(fs::read_dir(here.join("inbox")).expect("there").count(), 2);
}

#[test]
fn throughput_is_measured_in_both_directions_and_latency() {
    let folder = folder();
    let here = folder.path();
    let server = Running::start(here, &["perf", "serve"]);
    let (code, done) = run(
        here,
        &["perf", "run", &server.addr, "--bytes", "100000", "--streams", "3"],
    );
    assert_eq!((code, done.len()), (0, 5), "{done:?}");
    assert!(["quic", "tcp"].contains(&text(&done[0], "transport")), "{done:?}");
    for (line, direction) in done[1..].iter().zip(["upload", "download"]) {
        assert_eq!(text(line, "direction"), direction);
        assert_eq!((&line["bytes"], &line["streams"]), (&300_000.into(), &3.into()));
    }
    let number = |line: usize, name: &str| done[line][name].as_u64().expect("a number");
    assert!(number(3, "exchanges") > 0 && number(3, "p50_us") > 0, "{done:?}");
    assert!(
        number(4, "connections") > 0 && number(4, "p50_us") > 0,
        "{done:?}"
    );
    let (first, last) = (number(4, "first_byte_p50_us"), number(4, "first_byte_p99_us"));
    assert!(number(4, "p50_us") < first && first <= last, "{done:?}");
    assert_eq!(server.signal(Signal::TERM), 0);
}

#[test]
fn the_demo_shows_each_step_and_leaves_nothing() {
    let folder = folder();
    let here = folder.path();
    let done = sinew(here, &["demo", "--size", "1"])
        .env("TMPDIR", here)
        .output()
        .expect("started");
    assert!(done.status.success(), "{done:?}");
    let text_of = String::from_utf8(done.stdout).expect("text");
    let lines: Vec<_> = text_of.lines().map(object).collect();
    let steps: Vec<_> = lines.iter().filter_map(|line| line["step"].as_str()).collect();
    assert_eq!(steps, ["connect", "ping", "identify", "streams"].repeat(5));
    // What was negotiated is the stack that the line names.
    let stacks = lines.iter().filter(|line| line["event"] == "stack");
    let connected = lines.iter().filter(|line| line["step"] == "connect");
    for ((stack, connect), (name, layers)) in stacks.zip(connected).zip([
        ("quic", "quic "),
        ("tcp-tls", "tcp /tls/1.0.0 /yamux/1.0.0"),
        ("tcp-noise", "tcp /noise /yamux/1.0.0"),
        ("ws", "ws /noise /yamux/1.0.0"),
        ("wss", "wss /noise /yamux/1.0.0"),
    ]) {
        assert_eq!(text(stack, "stack"), name);
        assert!(text(connect, "result").starts_with(layers), "{connect}");
    }
    let sent: Vec<_> = lines.iter().filter(|line| line["event"] == "sent").collect();
    assert!(sent.len() == 5 && sent.iter().all(|sent| sent["bytes"] == 1 << 20));
    let checked = lines
        .iter()
        .filter(|line| line["event"] == "checked" && line["sha256"] == sent[0]["sha256"]);
    assert_eq!(checked.count(), 5);
    assert_eq!(lines.last().expect("lines")["event"], "done");
    assert_eq!(
        fs::read_dir(here).expect("there").count(),
        0,
        "its files are gone"
    );
}

#[test]
fn an_interrupted_demo_leaves_nothing() {
    let folder = folder();
    let here = folder.path();
    let mut command = sinew(here, &["demo", "--size", "64"]);
    let child = command.env("TMPDIR", here).stdout(Stdio::piped()).spawn();
    let mut child = child.expect("started");
    let mut lines = BufReader::new(child.stdout.take().expect("it was asked for")).lines();
    let first = lines.next().expect("a line").expect("read");
    assert_eq!(text(&object(&first), "event"), "stack");
    let id = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    kill_process(id.expect("an id of a process"), Signal::TERM).expect("it runs");
    assert_eq!(child.wait().expect("it ends").code(), Some(143));
    assert_eq!(
        fs::read_dir(here).expect("there").count(),
        0,
        "its files are gone"
    );
}

#[test]
fn completions_are_scripts() {
    let folder = folder();
    let script = sinew(folder.path(), &["completions", "bash"])
        .output()
        .expect("started");
    let script = String::from_utf8(script.stdout).expect("text");
    for word in ["_sinew()", "identify", "receive", "perf"] {
        assert!(script.contains(word), "{word}");
    }
    let mut command = sinew(folder.path(), &["completions", "bash"]);
    let mut child = command.stdout(Stdio::piped()).spawn().expect("started");
    drop(child.stdout.take());
    let status = child.wait().expect("it ends");
    assert!(status.success(), "a reader that goes is no failure: {status}");
}
