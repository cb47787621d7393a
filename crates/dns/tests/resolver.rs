//! The resolver over look-ups that are made up: side by side, bounded, with a deadline each.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use sinew_core::{ResolveError, Resolver};
use sinew_dns::{Answer, DnsResolver, Lookup, Question};
use sinew_runtime::{now, sleep};

/// `x.org` leads to twenty names; each takes a second, those that begin with `silent` never answer.
#[derive(Clone, Default, Debug)]
struct Slow {
    now: Arc<AtomicUsize>,
    most: Arc<AtomicUsize>,
}

#[async_trait]
impl Lookup for Slow {
    async fn look_up(&self, question: &Question) -> io::Result<Answer> {
        let running = self.now.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(running, Ordering::SeqCst);
        sleep(Duration::from_secs(1)).await;
        self.now.fetch_sub(1, Ordering::SeqCst);
        match question {
            Question::Ip4(name) if name.starts_with("silent") => std::future::pending().await,
            Question::Ip4(_) => Ok(Answer::Ips(vec![[192, 0, 2, 1].into()])),
            _ => Ok(Answer::Texts(
                (0..20)
                    .map(|n| format!("dnsaddr=/dns4/{n}.x.org/tcp/{n}"))
                    .collect(),
            )),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn look_ups_run_side_by_side_within_a_bound() {
    let slow = Slow::default();
    let resolver = DnsResolver::new(slow.clone());
    let started = now();
    let found = resolver
        .resolve(&"/dnsaddr/x.org".parse().unwrap())
        .await
        .unwrap();
    assert_eq!(found.len(), 20);
    assert_eq!(slow.most.load(Ordering::SeqCst), 8);
    // One second for the first name, then twenty names, eight at a time.
    assert_eq!(now() - started, Duration::from_secs(4));
}

#[tokio::test(start_paused = true)]
async fn a_silent_name_server_is_given_up() {
    let resolver = DnsResolver::new(Slow::default());
    let started = now();
    let silent = resolver.resolve(&"/dns4/silent.org/tcp/1".parse().unwrap()).await;
    match silent {
        Err(ResolveError::Lookup { name, error }) => {
            assert_eq!(
                (name.as_str(), error.kind()),
                ("silent.org", io::ErrorKind::TimedOut)
            );
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(now() - started, Duration::from_secs(5));
}

#[tokio::test]
async fn the_systems_resolver_knows_the_own_machine() {
    let resolver = DnsResolver::from_system().unwrap();
    let found = resolver
        .resolve(&"/dns4/localhost/tcp/4001".parse().unwrap())
        .await
        .unwrap();
    assert_eq!(found[0].addr.to_string(), "/ip4/127.0.0.1/tcp/4001");
    assert_eq!(found[0].name.as_deref(), Some("localhost"));
}
