//! Every product of transport, security and muxer, over IPv4 and over IPv6, through whole nodes: what depends on all layers
//! together. What a layer has to do by itself its own suite checks, in its own crate.

#![cfg(all(
    feature = "noise",
    feature = "quic",
    feature = "tcp",
    feature = "tls",
    feature = "websocket",
    feature = "yamux"
))]

mod nodes;
mod product;

use nodes::Nodes;
use product::{Below, Product, Security};
use sinew_conformance::{Breach, muxer::stack_breaches, transport::Subject};
use std::{
    io::Write,
    net::{Ipv6Addr, TcpListener},
    sync::{Arc, Mutex, PoisonError},
    thread,
};
use tokio::runtime::Builder;

/// Products at once. Those over sockets have a real clock, and wait for it more than they work.
const AT_ONCE: usize = 16;

/// What became of a product.
enum Outcome {
    Conforms,
    Breaks(Vec<Breach>),
    /// The machine has no address of this kind.
    Skipped,
}

fn breaches(product: &Arc<Product>) -> Vec<Breach> {
    let subject = Subject::new(Nodes(product.clone()), product.listen(), Vec::new());
    let runtime = Builder::new_current_thread()
        .enable_all()
        .start_paused(product.is_in_memory())
        .build();
    let runtime = runtime.expect("the system has threads and memory");
    runtime.block_on(stack_breaches(subject, product.flow_control()))
}

fn outcome(product: &Arc<Product>) -> Outcome {
    if product.is_ipv6() && TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).is_err() {
        return Outcome::Skipped;
    }
    let breaches = breaches(product);
    if breaches.is_empty() {
        Outcome::Conforms
    } else {
        Outcome::Breaks(breaches)
    }
}

#[test]
fn every_product_conforms() {
    let products = Product::all();
    let (waiting, outcomes) = (Mutex::new(products.iter()), Mutex::new(Vec::new()));
    let work = || {
        while let Some(product) = { waiting.lock().unwrap_or_else(PoisonError::into_inner).next() } {
            let outcome = outcome(product);
            let mut outcomes = outcomes.lock().unwrap_or_else(PoisonError::into_inner);
            outcomes.push((product, outcome));
        }
    };
    thread::scope(|scope| (0..AT_ONCE).for_each(|_| drop(scope.spawn(work))));
    let outcomes = outcomes.into_inner().unwrap_or_else(PoisonError::into_inner);
    assert_eq!(outcomes.len(), products.len(), "no product is left out");
    // Not with a macro: what is skipped is told even where a test that passes is silent.
    let mut report = std::io::stderr().lock();
    let mut broken = String::new();
    for (product, outcome) in outcomes {
        match outcome {
            Outcome::Conforms => {}
            Outcome::Skipped => {
                writeln!(report, "SKIPPED, for there is no IPv6 here: {product}").expect("written");
            }
            Outcome::Breaks(breaches) => {
                let breaches = breaches.iter().map(|breach| format!("\n    {breach}"));
                broken.extend([format!("\n  {product}")].into_iter().chain(breaches));
            }
        }
    }
    assert!(broken.is_empty(), "products that break rules:{broken}");
}

/// Bytes that end after 64 KiB, far below security and muxer: what takes more is found, and nothing else.
#[test]
fn a_broken_product_is_found() {
    let broken = Product {
        below: Below::Broken,
        ..Product::new("/memory/0", Some((Security::Noise, product::Muxer::Yamux)))
    };
    let found = breaches(&Arc::new(broken));
    let found = |check| found.iter().any(|breach| breach.check == check);
    for check in [
        "half-close by the opener",
        "half-close by the acceptor",
        "a slow reader beside a fast stream",
        "a drop at every await of the opener",
    ] {
        assert!(found(check), "{check}");
    }
    for check in ["reset by the opener", "reset by the acceptor"] {
        assert!(!found(check), "{check}");
    }
}
