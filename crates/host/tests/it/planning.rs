//! What a dial decides before and while it dials: policy, plan, lessons of earlier dials, places.

use crate::net::{Names, Net, addr};
use sinew_core::{
    AttemptError, ConnectionEvent, DialError, DialOptions, DialReport, DialStage, Host, Learned, Lifetime,
    Multiaddr, PeerId, Source,
};
use sinew_host::{AddressPolicy, HostBuilder, Limits};
use sinew_runtime::now;
use std::{collections::BTreeMap, time::Duration};

const HERE: &str = "/ip4/9.9.9.9";

fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

async fn host(builder: HostBuilder) -> Host {
    builder.start().await.expect("starts")
}

/// A host that listens at these addresses.
async fn server(net: &Net, ip: &str, addrs: &[&str]) -> Host {
    let builder = addrs
        .iter()
        .fold(net.at(ip), |builder, text| builder.listen(addr(text)));
    host(builder).await
}

fn knows(host: &Host, peer: &PeerId, addrs: &[&str]) {
    let addrs: Vec<_> = addrs.iter().map(|text| addr(text)).collect();
    host.peerstore()
        .add_addrs(peer, &addrs, Lifetime::Permanent, now());
}

fn error<'a>(report: &'a DialReport, text: &str) -> &'a AttemptError {
    let attempt = report.attempts.iter().find(|attempt| attempt.addr == addr(text));
    attempt.expect("listed").error().expect("failed")
}

fn texts(dialled: Vec<(String, sinew_core::Instant)>) -> Vec<String> {
    dialled.into_iter().map(|(addr, _)| addr).collect()
}

#[tokio::test(start_paused = true)]
async fn a_public_name_that_leads_into_our_own_machine_is_not_dialled() {
    let net = Net::default();
    let victim = server(&net, "/ip4/127.0.0.1", &["/ip4/127.0.0.1/tcp/1"]).await;
    let names = || {
        Names(BTreeMap::from([
            ("/dns4/rebind.example/tcp/1", vec!["/ip4/127.0.0.1/tcp/1"]),
            (
                "/dnsaddr/rebind.example",
                vec!["/ip6/64:ff9b::10.0.0.1/tcp/1", "/ip4/192.168.0.1/tcp/80"],
            ),
        ]))
    };
    let name = addr("/dns4/rebind.example/tcp/1");
    let client = host(net.at(HERE).resolver(names())).await;
    let report = client.explain(&name, DialOptions::default()).await;
    let refused = &report.attempts[0];
    assert_eq!(
        (&refused.addr, refused.name.as_ref()),
        (&addr("/ip4/127.0.0.1/tcp/1"), Some(&name))
    );
    assert_eq!(refused.failed_at(), Some(DialStage::Policy));
    let why = "refused by the address policy: a loopback address behind a name";
    assert_eq!(refused.error().expect("failed").to_string(), why);
    let failed = report.outcome.expect_err("refused").to_string();
    assert!(
        failed.contains(why) && failed.contains("rebind.example"),
        "{failed}"
    );
    let dnsaddr = client
        .explain(addr("/dnsaddr/rebind.example"), DialOptions::default())
        .await;
    assert_eq!(dnsaddr.attempts.len(), 2);
    assert!(dnsaddr.attempts.iter().all(|attempt| matches!(
        attempt.error(),
        Some(AttemptError::Forbidden {
            reach: "a NAT64 address" | "a private address",
            ..
        })
    )));
    assert_eq!(net.dialled(), [], "nothing was sent to anybody");
    // To the letter it is the application's own wish; and the policy is the application's to choose.
    client
        .connect(addr("/ip4/127.0.0.1/tcp/1"))
        .await
        .expect("as it was asked");
    for policy in [AddressPolicy::LocalNames, AddressPolicy::Any] {
        let client = host(net.at(HERE).resolver(names()).address_policy(policy)).await;
        assert_eq!(
            client.connect(&name).await.expect("allowed"),
            victim.peer_id(),
            "{policy:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_name_that_others_told_leads_to_public_addresses_only_whatever_is_allowed_to_the_application() {
    let net = Net::default();
    let victim = server(&net, "/ip4/10.0.0.1", &["/ip4/10.0.0.1/tcp/1"]).await;
    let names = Names(BTreeMap::from([(
        "/dns4/lan.example/tcp/1",
        vec!["/ip4/10.0.0.1/tcp/1"],
    )]));
    let builder = net.at(HERE).resolver(names);
    let client = host(builder.address_policy(AddressPolicy::LocalNames)).await;
    let mut learned = Learned::default();
    learned.addrs = vec![addr("/dns4/lan.example/tcp/1")];
    client.learn(&victim.peer_id(), learned, Source::Discovery("test"));
    let report = client.explain(victim.peer_id(), DialOptions::default()).await;
    let forbidden = error(&report, "/ip4/10.0.0.1/tcp/1");
    assert!(
        matches!(
            forbidden,
            AttemptError::Forbidden {
                origin: "on the word of others",
                ..
            }
        ),
        "{forbidden}"
    );
    let told = DialOptions::default().hearsay();
    for target in ["/ip4/10.0.0.1/tcp/1", "/dns4/lan.example/tcp/1"] {
        let report = client.explain(addr(target), told.clone()).await;
        assert!(matches!(
            error(&report, "/ip4/10.0.0.1/tcp/1"),
            AttemptError::Forbidden { .. }
        ));
    }
    assert_eq!(net.dialled(), []);
    client
        .connect(addr("/dns4/lan.example/tcp/1"))
        .await
        .expect("the application's own name");
}

#[tokio::test(start_paused = true)]
async fn an_unspecified_address_is_nobodys() {
    let net = Net::default();
    let client = host(net.at(HERE).address_policy(AddressPolicy::Any)).await;
    for text in ["/ip4/0.0.0.0/tcp/1", "/ip6/::/tcp/1"] {
        let report = client.explain(addr(text), DialOptions::default()).await;
        assert!(matches!(error(&report, text), AttemptError::BadAddress(_)));
    }
    assert_eq!(net.dialled(), []);
}

/// Connects to `client` from `ip` and says that it can be dialled at all of `said`: what the client keeps of it.
async fn kept(net: &Net, client: &Host, ip: &str, said: &[&str]) -> Vec<String> {
    let peer = host(net.at(ip)).await;
    let mut events = client.subscribe::<ConnectionEvent>();
    peer.connect(client.listen_addrs()).await.expect("connects");
    let ConnectionEvent::Opened(info) = events.next().await.expect("not lagged").expect("alive") else {
        panic!("another event")
    };
    let mut learned = Learned::default();
    learned.addrs = said.iter().map(|text| addr(text)).collect();
    client.learn(&peer.peer_id(), learned, Source::Identify(info.id));
    let kept = client.peerstore().addrs(&peer.peer_id(), now());
    kept.iter().map(Multiaddr::to_string).collect()
}

#[tokio::test(start_paused = true)]
async fn where_a_peer_is_decides_what_it_may_tell_of() {
    let net = Net::default();
    let client = server(&net, HERE, &["/ip4/9.9.9.9/tcp/1"]).await;
    let (public, name) = ("/ip4/8.8.8.8/tcp/1", "/dns4/example.org/tcp/1");
    let (private, machine) = ("/ip4/10.0.0.1/tcp/1", "/ip4/127.0.0.1/tcp/1");
    let said = [public, name, private, machine];
    assert_eq!(kept(&net, &client, "/ip4/8.8.8.8", &said).await, [public, name]);
    assert_eq!(
        kept(&net, &client, "/ip4/10.0.0.7", &said).await,
        [public, name, private]
    );
    assert_eq!(kept(&net, &client, "/ip4/127.0.0.1", &said).await, said);
    let stranger = PeerId::random();
    let mut learned = Learned::default();
    learned.addrs = said.iter().map(|text| addr(text)).collect();
    client.learn(&stranger, learned.clone(), Source::Discovery("test"));
    assert_eq!(
        client.peerstore().addrs(&stranger, now()),
        [addr(public), addr(name)]
    );
    client.learn(&stranger, learned, Source::Application);
    assert_eq!(client.peerstore().addrs(&stranger, now()).len(), 4);
}

#[tokio::test(start_paused = true)]
async fn quic_first_then_tcp_and_the_report_says_when_and_why() {
    let net = Net::default();
    let (quic, tcp, ws) = (
        "/ip4/8.8.8.8/udp/1/quic-v1",
        "/ip4/8.8.8.8/tcp/1",
        "/ip4/8.8.8.8/tcp/2/ws",
    );
    let far = server(&net, "/ip4/8.8.8.8", &[tcp]).await;
    net.swallow(quic);
    let client = host(net.at(HERE)).await;
    let target = (far.peer_id(), vec![addr(ws), addr(tcp), addr(quic)]);
    let report = client.explain(target, DialOptions::default()).await;
    let row = |text: &str| {
        let found = report.attempts.iter().find(|attempt| attempt.addr == addr(text));
        let found = found.expect("listed");
        (found.rank, found.planned, found.started, found.took)
    };
    assert_eq!(
        row(quic),
        (Some(1), Some(millis(0)), Some(millis(0)), millis(250))
    );
    assert_eq!(
        row(tcp),
        (Some(2), Some(millis(250)), Some(millis(250)), millis(0))
    );
    assert_eq!(row(ws), (None, None, None, millis(0)));
    assert!(matches!(error(&report, quic), AttemptError::Superseded));
    assert!(matches!(error(&report, ws), AttemptError::NoTransport));
    assert_eq!(report.winner().expect("connected").addr, addr(tcp));
    let text = report.to_string();
    let lines: Vec<_> = text.lines().collect();
    assert!(lines[0].starts_with("rank  address"), "{text}");
    assert!(
        lines[2].contains("250ms") && lines[2].ends_with("connected"),
        "{text}"
    );
    assert_eq!(lines[4], format!("connected to {} over {tcp}", far.peer_id()));
    let again = client.explain(far.peer_id(), DialOptions::default()).await;
    assert!(again.attempts.is_empty());
    assert!(again.to_string().ends_with("was connected already"), "{again}");
}

#[tokio::test(start_paused = true)]
async fn what_fails_at_once_does_not_hold_up_the_rest() {
    let net = Net::default();
    let far = server(&net, "/ip4/8.8.8.8", &["/ip4/8.8.8.8/tcp/9"]).await;
    let client = host(net.at(HERE)).await;
    let begun = now();
    let given = ["udp/1/quic-v1", "tcp/1", "tcp/2", "tcp/9"].map(|end| addr(&format!("/ip4/8.8.8.8/{end}")));
    client
        .connect((far.peer_id(), given.to_vec()))
        .await
        .expect("the last one");
    assert_eq!((now() - begun, net.dialled().len()), (Duration::ZERO, 4));
}

#[tokio::test(start_paused = true)]
async fn an_address_that_failed_is_left_alone_for_a_while_unless_the_application_insists() {
    let net = Net::default();
    let far = "/ip4/8.8.8.8/tcp/1";
    let client = host(net.at(HERE)).await;
    let server = net.at("/ip4/8.8.8.8");
    let key = sinew_identity::Keypair::generate();
    drop(server);
    let peer = key.public().peer_id();
    knows(&client, &peer, &[far]);
    let dial = async |expected: usize| {
        let report = client.explain(peer, DialOptions::default()).await;
        assert_eq!(net.dialled().len(), expected);
        report
    };
    dial(1).await;
    let left = dial(0).await;
    assert!(matches!(error(&left, far), AttemptError::BackedOff(left) if *left == Duration::from_secs(5)));
    let insisted = client
        .explain((peer, vec![addr(far)]), DialOptions::default())
        .await;
    assert!(matches!(error(&insisted, far), AttemptError::Transport(_)));
    assert_eq!(net.dialled().len(), 1);
    tokio::time::sleep(Duration::from_millis(5999)).await;
    dial(0).await;
    tokio::time::sleep(millis(1)).await;
    dial(1).await;
    // It comes up, is reached, and what was before is forgotten.
    let up = host(
        net.at("/ip4/8.8.8.8")
            .listen(addr(far))
            .listen(addr("/ip4/8.8.8.8/tcp/2")),
    )
    .await;
    knows(&client, &up.peer_id(), &["/ip4/8.8.8.8/tcp/3"]);
    client.connect(up.peer_id()).await.expect_err("nobody is there");
    knows(&client, &up.peer_id(), &["/ip4/8.8.8.8/tcp/2"]);
    client.connect(up.peer_id()).await.expect("the other address");
    client.disconnect(&up.peer_id());
    net.dialled();
    up.shutdown(Duration::ZERO).await;
    client.connect(up.peer_id()).await.expect_err("it has gone");
    assert_eq!(
        texts(net.dialled()).len(),
        2,
        "both are tried again: {:?}",
        net.dialled()
    );
}

#[tokio::test(start_paused = true)]
async fn a_network_that_swallows_udp_is_noticed_and_spared() {
    let net = Net::default();
    let (quic, tcp) = ("/ip4/8.8.8.8/udp/1/quic-v1", "/ip4/8.8.8.8/tcp/1");
    let far = server(&net, "/ip4/8.8.8.8", &[tcp]).await;
    net.swallow(quic);
    let client = host(net.at(HERE)).await;
    knows(&client, &far.peer_id(), &[quic, tcp]);
    let mut began = Vec::new();
    for _ in 0..101 {
        let report = client.explain(far.peer_id(), DialOptions::default()).await;
        let connection = report.outcome.as_ref().expect("over TCP");
        began.push(report.winner().expect("one").started);
        connection.close(sinew_core::CloseCode::NONE);
        connection.closed().await;
        if began.len() == 101 {
            assert!(matches!(error(&report, quic), AttemptError::BlackHole("UDP")));
        }
    }
    assert_eq!(began[99], Some(millis(250)));
    assert_eq!(
        began[100],
        Some(millis(0)),
        "nobody waits for what is swallowed anyway"
    );
    net.dialled();
    let insisted = (far.peer_id(), vec![addr(quic), addr(tcp)]);
    client.connect(insisted).await.expect("connects");
    assert_eq!(texts(net.dialled()), [quic, tcp], "as it was asked");
}

#[tokio::test(start_paused = true)]
async fn dials_wait_for_places_and_first_addresses_go_before_second_ones() {
    let net = Net::default();
    let silent = |peer: u8, port: u8| format!("/ip4/8.8.8.{peer}/tcp/{port}");
    for peer in 1..=3 {
        (1..=2).for_each(|port| net.swallow(&silent(peer, port)));
    }
    let mut limits = Limits::default();
    limits.dials = 2;
    let client = host(net.at(HERE).limits(limits)).await;
    let begun = now();
    let dial = |peer: u8| client.connect(vec![addr(&silent(peer, 1)), addr(&silent(peer, 2))]);
    let late = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        dial(3).await
    };
    let (a, b, c) = tokio::join!(dial(1), dial(2), late);
    for failed in [a, b, c] {
        failed.expect_err("nobody answers");
    }
    let started: Vec<_> = net
        .dialled()
        .into_iter()
        .map(|(addr, at)| (addr, (at - begun).as_secs()))
        .collect();
    let expected = [
        (silent(1, 1), 0),
        (silent(2, 1), 0),
        // The newcomer, though the second addresses of the others have waited for longer.
        (silent(3, 1), 10),
        (silent(1, 2), 10),
    ];
    assert_eq!(started[..4], expected);
}

#[tokio::test(start_paused = true)]
async fn what_is_too_much_or_too_late_is_listed_too() {
    let net = Net::default();
    let far: Vec<_> = (1..=40).map(|port| format!("/ip4/8.8.8.8/tcp/{port}")).collect();
    far.iter().for_each(|addr| net.swallow(addr));
    let client = host(net.at(HERE)).await;
    let target: Vec<_> = far.iter().map(|text| addr(text)).collect();
    let options = DialOptions::default().timeout(Duration::from_secs(5));
    let report = client.explain(target, options).await;
    let count = |fits: fn(&AttemptError) -> bool| {
        let errors = report.attempts.iter().filter_map(|attempt| attempt.error());
        errors.filter(|error| fits(error)).count()
    };
    assert_eq!(report.attempts.len(), 40);
    assert_eq!(
        count(|error| matches!(error, AttemptError::Timeout(_))),
        8,
        "at once"
    );
    assert_eq!(
        count(|error| matches!(error, AttemptError::NotStarted)),
        32 - 8,
        "planned"
    );
    assert_eq!(count(|error| matches!(error, AttemptError::Surplus(32))), 8);
    let ranks: Vec<_> = report
        .attempts
        .iter()
        .take(32)
        .map(|attempt| attempt.rank)
        .collect();
    assert_eq!(ranks, (1..=32).map(Some).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn nothing_is_dialled_while_there_is_no_place_for_it() {
    let (net, mut limits) = (Net::default(), Limits::default());
    limits.outbound_connections = 1;
    let _servers = [
        server(&net, "/ip4/1.1.1.1", &["/ip4/1.1.1.1/tcp/1"]).await,
        server(&net, "/ip4/2.2.2.2", &["/ip4/2.2.2.2/tcp/1"]).await,
    ];
    let client = host(net.at(HERE).limits(limits)).await;
    client.connect(addr("/ip4/1.1.1.1/tcp/1")).await.expect("room");
    assert_eq!(net.dialled().len(), 1);
    let refused = client.connect(addr("/ip4/2.2.2.2/tcp/1")).await;
    assert!(matches!(refused, Err(DialError::Limit(_))), "{refused:?}");
    assert_eq!(texts(net.dialled()), Vec::<String>::new());
}
