//! Peers that lie, break off, or say too much or nothing.

use crate::rig::{Node, answering, plain, speaking};
use sinew_core::{CloseReason, ConnectionEvent, Host, Multiaddr, Stream, code::connection};
use sinew_identify::{
    IdentifyError, MAX_PART, MAX_PROTOCOLS, MAX_REFUSED, Message, MessageError, PROTOCOL, PUSH_PROTOCOL,
    Record,
};
use sinew_identity::Keypair;
use sinew_record::PeerRecord;
use sinew_runtime::{now, sleep, timeout};
use std::time::Duration;

async fn closed(node: &Node, host: &Host) -> bool {
    let mut events = node.host.subscribe::<ConnectionEvent>();
    let peer = host.peer_id();
    let gone = async {
        while node.host.connection(&peer).is_some() {
            events.next().await.expect("no loss").expect("runs");
        }
    };
    timeout(Duration::from_secs(5), gone).await.is_ok()
}

/// What a node makes of an answer; it is still connected afterwards.
async fn answered(answer: Vec<u8>) -> Result<std::sync::Arc<sinew_identify::Info>, IdentifyError> {
    let node = Node::new().await;
    let (other, addr) = plain(Keypair::generate()).await;
    answering(&other, answer);
    let peer = node.host.connect(addr).await.expect("connects");
    let result = node.identify.identify(peer).await;
    sleep(Duration::from_secs(1)).await;
    assert!(node.host.connection(&peer).is_some(), "no reason to leave");
    result
}

fn message_error(result: Result<std::sync::Arc<sinew_identify::Info>, IdentifyError>) -> MessageError {
    match result {
        Err(IdentifyError::Message { error, .. }) => error,
        other => panic!("{other:?}"),
    }
}

fn with_key(key: &Keypair) -> Message {
    let mut message = speaking(&["/lie"]);
    message.public_key = Some(key.public().to_protobuf().into());
    message
}

#[tokio::test(start_paused = true)]
async fn another_key_in_an_answer_closes_the_connection() {
    let mut node = Node::new().await;
    let (liar, addr) = plain(Keypair::generate()).await;
    answering(&liar, with_key(&Keypair::generate()).encode().to_vec());
    let mut events = liar.subscribe::<ConnectionEvent>();
    node.host.connect(addr).await.expect("connects");
    assert!(closed(&node, &liar).await);
    assert_eq!(node.protocols_of(&liar.peer_id()), None);
    assert!(node.hears_nothing().await);
    let reason = loop {
        match events.next().await.expect("no loss") {
            Some(ConnectionEvent::Closed(_, reason)) => break reason,
            Some(_) => {}
            None => panic!("not closed"),
        }
    };
    assert!(
        matches!(reason, CloseReason::Remote(code) if code == connection::PROTOCOL_VIOLATION),
        "{reason}"
    );
}

#[tokio::test(start_paused = true)]
async fn another_key_in_a_push_closes_the_connection() {
    let node = Node::new().await;
    let (liar, _) = plain(Keypair::generate()).await;
    let peer = liar.connect(node.addr.clone()).await.expect("connects");
    let mut stream = liar.new_stream(&peer, [PUSH_PROTOCOL]).await.expect("opens");
    stream
        .write_all(&with_key(&Keypair::generate()).encode())
        .await
        .expect("takes it");
    // The connection may end before our end arrives.
    let _ = stream.finish().await;
    assert!(closed(&node, &liar).await);
}

#[tokio::test(start_paused = true)]
async fn the_record_of_another_peer_is_left_aside() {
    let (other, addr) = (
        Keypair::generate(),
        "/ip4/9.9.9.9/tcp/1".parse::<Multiaddr>().expect("an address"),
    );
    let mut message = speaking(&["/honest"]);
    message.signed_peer_record = Some(PeerRecord::seal(&other, 1, &[addr]).expect("sealed").into());
    let info = answered(message.encode().to_vec())
        .await
        .expect("the rest stands");
    assert!(matches!(info.record, Record::Refused(_)));
    let mut forged = speaking(&["/honest"]);
    forged.signed_peer_record = Some(vec![7; 300].into());
    let info = answered(forged.encode().to_vec()).await.expect("the rest stands");
    assert!(matches!(info.record, Record::Refused(_)));
}

#[tokio::test(start_paused = true)]
async fn more_protocols_than_anybody_has_are_cut() {
    let names: Vec<_> = (0..10_001).map(|n| format!("/{n}")).collect();
    let mut answer = bytes::BytesMut::new();
    for names in names.chunks(1001) {
        let names: Vec<_> = names.iter().map(String::as_str).collect();
        // In parts of 8 KiB at most: 1,001 short names are less.
        let part: Vec<u8> = names
            .iter()
            .flat_map(|name| [&[0x1a, name.len().to_le_bytes()[0]], name.as_bytes()].concat())
            .collect();
        assert!(part.len() <= MAX_PART);
        sinew_wire::Frames::new(MAX_PART)
            .encode(&part, &mut answer)
            .expect("fits");
    }
    let info = answered(answer.to_vec()).await.expect("cut and taken");
    assert_eq!(
        info.protocols.as_ref().map(|list| list.len()),
        Some(MAX_PROTOCOLS)
    );
}

#[tokio::test(start_paused = true)]
async fn what_is_no_answer_is_refused() {
    let long = [vec![0x81, 0x40], vec![0; MAX_PART + 1]].concat();
    assert!(matches!(
        message_error(answered(long).await),
        MessageError::Frame(_)
    ));
    assert_eq!(
        message_error(answered(vec![0; 11]).await),
        MessageError::TooManyParts
    );
    assert_eq!(message_error(answered(vec![]).await), MessageError::Nothing);
    assert_eq!(
        message_error(answered(vec![5, 0x0a, 3]).await),
        MessageError::Truncated
    );
    assert!(matches!(
        message_error(answered(vec![2, 0xff, 0xff]).await),
        MessageError::Wire(_)
    ));
    // An answer without end.
    assert!(matches!(
        message_error(answered(vec![0; 1 << 20]).await),
        MessageError::TooManyParts
    ));
}

#[tokio::test(start_paused = true)]
async fn who_says_nothing_or_little_by_little_is_cut_after_the_deadline() {
    let node = Node::new().await;
    for drip in [false, true] {
        let (slow, addr) = plain(Keypair::generate()).await;
        let handler = move |mut stream: Stream| async move {
            // A long part, a byte a second.
            let mut next = 0x7f;
            while drip && stream.write_all(&[next]).await.is_ok() {
                next = 0x0a;
                sleep(Duration::from_secs(1)).await;
            }
            sleep(Duration::from_secs(100)).await;
        };
        slow.set_stream_handler(PROTOCOL, handler).expect("free");
        let peer = node.host.connect(addr).await.expect("connects");
        let start = now();
        let failed = node.identify.identify(peer).await;
        assert!(
            matches!(failed, Err(IdentifyError::TimedOut { .. })),
            "{failed:?}"
        );
        assert_eq!(now() - start, Duration::from_secs(10));
        assert!(node.host.connection(&peer).is_some());
    }
}

#[tokio::test(start_paused = true)]
async fn askers_beyond_the_limit_are_refused_and_silent_ones_cut() {
    let node = Node::new().await;
    let (other, _) = plain(Keypair::generate()).await;
    let peer = other.connect(node.addr.clone()).await.expect("connects");
    // Pushes that never say anything: they wait, are read together, and end at the deadline.
    let mut streams = Vec::new();
    for _ in 0..40 {
        let mut stream = other.new_stream(&peer, [PUSH_PROTOCOL]).await.expect("opens");
        stream.flush().await.expect("opens");
        streams.push(stream);
    }
    let mut ended = 0;
    for mut stream in streams {
        let end = timeout(Duration::from_secs(30), stream.reset_by_peer()).await;
        ended += usize::from(end.is_ok());
    }
    assert_eq!(ended, 40);
    let asked = node.host.connection(&other.peer_id()).is_some();
    assert!(asked, "no reason to leave");
}

#[tokio::test(start_paused = true)]
async fn a_flood_of_pushes_is_cut() {
    let node = Node::new().await;
    let (flooder, _) = plain(Keypair::generate()).await;
    let peer = flooder.connect(node.addr.clone()).await.expect("connects");
    let (start, mut sent) = (now(), 0);
    while flooder.connection(&peer).is_some() {
        let Ok(mut stream) = flooder.new_stream(&peer, [PUSH_PROTOCOL]).await else {
            break;
        };
        sent += 1;
        // Refused, or cut.
        let _ = stream.write_all(&speaking(&["/flood"]).encode()).await;
        let _ = stream.finish().await;
    }
    assert!(closed(&node, &flooder).await);
    assert!(now() - start < Duration::from_secs(1), "{:?}", now() - start);
    assert!((MAX_REFUSED..MAX_REFUSED * 2).contains(&sent), "{sent}");
}

#[tokio::test(start_paused = true)]
async fn a_flood_of_requests_is_refused_and_then_cut() {
    let node = Node::new().await;
    let asker = Node::new().await;
    let peer = asker.host.connect(node.addr.clone()).await.expect("connects");
    let connection = asker.host.connection(&peer).expect("connected");
    let (mut answered, mut asked) = (0, 0);
    while node.host.connection(&asker.peer()).is_some() && asked < 2000 {
        answered += usize::from(asker.identify.identify_on(&connection).await.is_ok());
        asked += 1;
    }
    assert!((250..=256).contains(&answered), "{answered}");
    assert!((510..=514).contains(&asked), "{asked}");
}
