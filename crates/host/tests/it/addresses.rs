//! Which addresses a node tells of itself, and how it learns how others reach it.

use crate::net::{Net, addr};
use sinew_core::{
    AnnouncedAddrs, ConfirmedAddrs, ConnectionEvent, Fact, Host, Learned, Multiaddr, ObservedAddrs, Source,
};
use sinew_host::NoAnnounce;
use std::{sync::Arc, time::Duration};

const HERE: &str = "/ip4/192.168.0.2/tcp/4001";
const SEEN: &str = "/ip4/9.9.9.9/tcp/30000";

async fn listening(net: &Net) -> Host {
    let builder = net.at("/ip4/192.168.0.2").listen(addr(HERE));
    builder.start().await.expect("starts")
}

fn now<F: Fact>(host: &Host, addrs: impl Fn(F) -> Arc<[Multiaddr]>) -> Vec<String> {
    let addrs = addrs(host.observe::<F>().now());
    addrs.iter().map(Multiaddr::to_string).collect()
}

fn observed(host: &Host) -> Vec<String> {
    now::<ObservedAddrs>(host, |fact| fact.0)
}

fn confirmed(host: &Host) -> Vec<String> {
    now::<ConfirmedAddrs>(host, |fact| fact.0)
}

fn announced(host: &Host) -> Vec<String> {
    now::<AnnouncedAddrs>(host, |fact| fact.0)
}

/// Somebody at `ip` connects to `host`, and says under which address it sees it.
async fn observer(net: &Net, host: &Host, ip: &str, said: &str) -> Host {
    let mut events = host.subscribe::<ConnectionEvent>();
    let there = net.at(ip).start().await.expect("starts");
    there.connect(host.listen_addrs()).await.expect("connects");
    let ConnectionEvent::Opened(info) = events.next().await.expect("not lagged").expect("alive") else {
        panic!("another event")
    };
    let mut learned = Learned::default();
    learned.observed = Some(addr(said));
    host.learn(&there.peer_id(), learned, Source::Identify(info.id));
    there
}

#[tokio::test(start_paused = true)]
async fn four_observers_make_an_address_that_is_told_and_it_goes_with_them() {
    let net = Net::default();
    let host = listening(&net).await;
    assert_eq!(announced(&host), [HERE]);
    observer(&net, &host, "/ip4/127.0.0.1", SEEN).await;
    assert_eq!(observed(&host), Vec::<String>::new(), "it is on our machine");
    let mut observers = Vec::new();
    for number in 1..=4 {
        assert_eq!(confirmed(&host), Vec::<String>::new());
        observers.push(observer(&net, &host, &format!("/ip4/8.8.8.{number}"), SEEN).await);
        assert_eq!(observed(&host), [SEEN]);
    }
    assert_eq!(confirmed(&host), [SEEN]);
    assert_eq!(announced(&host), [SEEN, HERE]);
    let mut told = host.observe::<AnnouncedAddrs>();
    let _ = told.now();
    observers[0].shutdown(Duration::ZERO).await;
    assert_eq!(*told.changed().await.expect("alive").0, [addr(HERE)]);
    assert_eq!(
        (confirmed(&host), observed(&host)),
        (Vec::new(), vec![SEEN.to_owned()])
    );
}

#[tokio::test(start_paused = true)]
async fn a_verdict_overrules_observers_and_a_later_one_the_earlier() {
    let net = Net::default();
    let host = listening(&net).await;
    let mut observers = Vec::new();
    for number in 1..=4 {
        observers.push(observer(&net, &host, &format!("/ip4/8.8.8.{number}"), SEEN).await);
    }
    host.judge_addr(addr(SEEN), false);
    assert_eq!(announced(&host), [HERE]);
    let other = "/ip4/9.9.9.9/tcp/4001";
    host.judge_addr(addr(other), true);
    assert_eq!(announced(&host), [other, HERE]);
    host.judge_addr(addr(SEEN), true);
    host.judge_addr(addr(other), false);
    assert_eq!(confirmed(&host), [SEEN]);
    for port in 1..=999 {
        host.judge_addr(addr(&format!("/ip4/9.9.9.9/tcp/{port}")), true);
    }
    assert_eq!(
        confirmed(&host).len(),
        64 + 1,
        "verdicts are bounded; the observers go on"
    );
}

#[tokio::test(start_paused = true)]
async fn what_the_operator_wants_told_is_told() {
    let net = Net::default();
    let (name, more) = ("/dns4/example.org/tcp/4001", "/ip4/8.8.8.8/tcp/4001");
    let at = || net.at("/ip4/192.168.0.2").listen(addr(HERE));
    let started = async |builder: sinew_host::HostBuilder| {
        let host = builder.start().await.expect("starts");
        let told = announced(&host);
        assert_eq!(
            host.listen_addrs(),
            [addr(HERE)],
            "what is told changes nothing of what is done"
        );
        host.shutdown(Duration::ZERO).await;
        told
    };
    let private: NoAnnounce = "192.168.0.0/16".parse().expect("a range");
    assert_eq!(started(at().announce(addr(name))).await, [name]);
    assert_eq!(started(at().append_announce(addr(more))).await, [more, HERE]);
    assert_eq!(
        started(at().append_announce(addr(more)).no_announce(private)).await,
        [more]
    );
    assert_eq!(started(at().no_announce(addr(HERE))).await, Vec::<String>::new());
}
