//! Whoever writes the records: questions and results stay within their bounds, and nothing panics.

use std::io;

use proptest::prelude::*;
use sinew_dns::{Answer, Expansion, Limits, Question};

/// Texts that lead on, texts that end, and texts that mean nothing.
fn record() -> impl Strategy<Value = String> {
    prop_oneof![
        (0..20_u8).prop_map(|n| format!("dnsaddr=/dnsaddr/{n}.org")),
        (0..20_u8).prop_map(|n| format!("dnsaddr=/dns/{n}.org/tcp/{n}")),
        any::<[u8; 4]>().prop_map(|[a, b, c, d]| format!("dnsaddr=/ip4/{a}.{b}.{c}.{d}/tcp/1")),
        "dnsaddr=.{0,40}",
        ".{0,40}",
    ]
}

fn answer() -> impl Strategy<Value = Option<Vec<String>>> {
    prop::option::of(prop::collection::vec(record(), 0..20))
}

fn limits() -> impl Strategy<Value = Limits> {
    (0..6_usize, 0..40_usize, 0..20_usize, 1..50_usize).prop_map(|(depth, lookups, records, results)| {
        let mut limits = Limits::default();
        (limits.depth, limits.lookups, limits.records, limits.results) = (depth, lookups, records, results);
        limits
    })
}

proptest! {
    #[test]
    fn within_bounds(limits in limits(), answers in prop::collection::vec(answer(), 1..10), last in any::<bool>()) {
        let mut expansion = Expansion::new(&"/dnsaddr/0.org".parse().unwrap(), limits);
        let mut answers = answers.into_iter().cycle();
        let mut asked = Vec::new();
        let mut count = 0;
        loop {
            while let Some(question) = expansion.question() {
                asked.push(question);
                count += 1;
            }
            // Answers come in either order.
            let next = if last { asked.pop() } else { (!asked.is_empty()).then(|| asked.remove(0)) };
            let Some((ticket, question)) = next else { break };
            let answer = match (answers.next().flatten(), question) {
                (None, _) => Err(io::ErrorKind::TimedOut.into()),
                (Some(texts), Question::Txt(_)) => Ok(Answer::Texts(texts)),
                (Some(texts), Question::Ip6(_)) => Ok(Answer::Ips(vec!["2001:db8::1".parse().unwrap(); texts.len()])),
                (Some(texts), _) => Ok(Answer::Ips(vec![[192, 0, 2, 1].into(); texts.len()])),
            };
            expansion.answer(ticket, answer);
        }
        prop_assert!(count <= limits.lookups, "{count} questions");
        if let Ok(found) = expansion.finish() {
            prop_assert!((1..=limits.results).contains(&found.len()), "{} results", found.len());
        }
    }
}
