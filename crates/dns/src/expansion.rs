//! What has to be looked up for an address, and what comes of it: pure, one question and one answer at a time.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    io,
    net::IpAddr,
};

use sinew_addr::{NameKind, Protocol, dns_name};
use sinew_core::{Multiaddr, ResolveError, Resolved};

use crate::{Limits, records};

/// What has to be looked up.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[non_exhaustive]
pub enum Question {
    /// The A records of a name.
    Ip4(String),
    /// The AAAA records of a name.
    Ip6(String),
    /// The TXT records of a name.
    Txt(String),
}

/// What a look-up found; empty if the name has no such records.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Answer {
    /// Addresses of machines.
    Ips(Vec<IpAddr>),
    /// Texts.
    Texts(Vec<String>),
}

/// Joins an answer to its question.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Ticket(usize);

/// One address on its way from names to machines.
///
/// Ask for each [`Expansion::question`] until there is none, and again after each [`Expansion::answer`]. Results keep
/// the order of questions, whatever the order of answers.
#[derive(Debug)]
pub struct Expansion {
    origin: Multiaddr,
    limits: Limits,
    waiting: VecDeque<(Ticket, Question)>,
    asked: BTreeMap<Ticket, Step>,
    /// Steps that were taken already: two names that lead to each other end here.
    seen: BTreeSet<(Question, String)>,
    /// What each step came to.
    found: BTreeMap<Ticket, Vec<Resolved>>,
    next: usize,
    too_deep: Option<String>,
    failed: Option<(String, io::Error)>,
}

/// A look-up and what its answer is put into.
#[derive(Clone, Debug)]
struct Step {
    name: String,
    /// What follows the name.
    rest: Multiaddr,
    /// How many `/dnsaddr` led here.
    depth: usize,
}

impl Expansion {
    /// Begins with an address. One without a name is a result at once.
    #[must_use]
    pub fn new(addr: &Multiaddr, limits: Limits) -> Self {
        let mut expansion = Self {
            origin: addr.clone(),
            limits,
            waiting: VecDeque::new(),
            asked: BTreeMap::new(),
            seen: BTreeSet::new(),
            found: BTreeMap::new(),
            next: 0,
            too_deep: None,
            failed: None,
        };
        expansion.follow(addr, 0);
        expansion
    }

    /// The next question, if there is one now.
    pub fn question(&mut self) -> Option<(Ticket, Question)> {
        self.waiting.pop_front()
    }

    /// Takes the answer to a question. An error is kept, and only matters if nothing else is found.
    pub fn answer(&mut self, ticket: Ticket, answer: io::Result<Answer>) {
        let Some(step) = self.asked.remove(&ticket) else {
            return;
        };
        match answer {
            Ok(Answer::Ips(ips)) => self.found_ips(ticket, &step, &ips),
            Ok(Answer::Texts(texts)) => self.found_texts(&step, &texts),
            Err(error) => self.failed = self.failed.take().or(Some((step.name, error))),
        }
    }

    /// What was found, an answer that did not come counting as none.
    ///
    /// # Errors
    /// [`ResolveError`] if nothing was found.
    pub fn finish(self) -> Result<Vec<Resolved>, ResolveError> {
        let mut results: Vec<Resolved> = Vec::new();
        for resolved in self.found.into_values().flatten() {
            if results.len() < self.limits.results && !results.contains(&resolved) {
                results.push(resolved);
            }
        }
        match (results.is_empty(), self.failed, self.too_deep) {
            (false, _, _) => Ok(results),
            (true, Some((name, error)), _) => Err(ResolveError::Lookup { name, error }),
            (true, None, Some(name)) => Err(ResolveError::TooDeep(name)),
            (true, None, None) => Err(ResolveError::NotFound(self.origin.to_string())),
        }
    }

    /// Asks for the name that the address starts with, or takes it as a result.
    fn follow(&mut self, addr: &Multiaddr, depth: usize) {
        let Some((kind, name)) = dns_name(addr) else {
            let ticket = self.ticket();
            self.found.insert(ticket, vec![Resolved::new(addr.clone(), None)]);
            return;
        };
        let step = Step {
            name: name.to_string(),
            rest: addr.iter().skip(1).collect(),
            depth,
        };
        let name = step.name.clone();
        match kind {
            NameKind::Dns4 => self.ask(Question::Ip4(name), step),
            NameKind::Dns6 => self.ask(Question::Ip6(name), step),
            NameKind::Dns => {
                // spec: addressing, IP and Name Resolution: of both families IPv6 is preferred.
                self.ask(Question::Ip6(name.clone()), step.clone());
                self.ask(Question::Ip4(name), step);
            }
            NameKind::Dnsaddr if depth == self.limits.depth => self.too_deep = Some(name),
            NameKind::Dnsaddr => self.ask(Question::Txt(records::question(&name)), step),
        }
    }

    fn ask(&mut self, question: Question, step: Step) {
        if !self.seen.insert((question.clone(), step.rest.to_string())) {
            return;
        }
        if self.seen.len() > self.limits.lookups {
            self.too_deep = Some(step.name);
            return;
        }
        let ticket = self.ticket();
        self.asked.insert(ticket, step);
        self.waiting.push_back((ticket, question));
    }

    fn ticket(&mut self) -> Ticket {
        self.next += 1;
        Ticket(self.next)
    }

    fn found_ips(&mut self, ticket: Ticket, step: &Step, ips: &[IpAddr]) {
        let at = |ip: &IpAddr| {
            let addr = [Protocol::from(*ip)]
                .into_iter()
                .chain(step.rest.iter())
                .collect();
            Resolved::new(addr, Some(step.name.clone()))
        };
        let found = ips.iter().take(self.limits.records).map(at).collect();
        self.found.insert(ticket, found);
    }

    fn found_texts(&mut self, step: &Step, texts: &[String]) {
        let read = texts.iter().take(self.limits.records);
        for addr in read.filter_map(|text| records::entry(text, &step.rest)) {
            self.follow(&addr, step.depth + 1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "12D3KooWGC6TvWhfagifX6L2hjBYRWd8TqSGFBtcBXSwC6mYeLPZ";
    const B: &str = "QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N";

    /// Records of names: one line each, `name kind value`.
    fn answer(zone: &[(&str, &str)], question: &Question) -> io::Result<Answer> {
        let values = |kind: &str, name: &str| {
            let key = format!("{name} {kind}");
            let found: Vec<String> = zone
                .iter()
                .filter(|(named, _)| *named == key)
                .map(|(_, value)| (*value).to_owned())
                .collect();
            if found.iter().any(|value| value == "fails") {
                Err(io::ErrorKind::TimedOut.into())
            } else {
                Ok(found)
            }
        };
        let ips =
            |found: Vec<String>| Answer::Ips(found.iter().map(|ip| ip.parse().expect("an ip")).collect());
        match question {
            Question::Ip4(name) => values("A", name).map(ips),
            Question::Ip6(name) => values("AAAA", name).map(ips),
            Question::Txt(name) => values("TXT", name).map(Answer::Texts),
        }
    }

    fn expand(addr: &str, zone: &[(&str, &str)]) -> (Result<Vec<String>, ResolveError>, usize) {
        let mut expansion = Expansion::new(&addr.parse().expect("an address"), Limits::default());
        let mut asked = 0;
        while let Some((ticket, question)) = expansion.question() {
            asked += 1;
            expansion.answer(ticket, answer(zone, &question));
        }
        let found = expansion.finish();
        (
            found.map(|all| {
                all.into_iter()
                    .map(|resolved| resolved.addr.to_string())
                    .collect()
            }),
            asked,
        )
    }

    fn found(addr: &str, zone: &[(&str, &str)]) -> Vec<String> {
        expand(addr, zone).0.expect("addresses")
    }

    #[test]
    fn an_address_without_a_name_is_itself() {
        let (found, asked) = expand("/ip4/192.0.2.1/tcp/1", &[]);
        assert_eq!(found.unwrap(), ["/ip4/192.0.2.1/tcp/1"]);
        assert_eq!(asked, 0);
    }

    #[test]
    fn names_of_one_family_and_of_both() {
        let zone = [
            ("x.org A", "192.0.2.1"),
            ("x.org A", "192.0.2.2"),
            ("x.org AAAA", "2001:db8::1"),
        ];
        let four = ["/ip4/192.0.2.1/tcp/1", "/ip4/192.0.2.2/tcp/1"];
        assert_eq!(found("/dns4/x.org/tcp/1", &zone), four);
        assert_eq!(found("/dns6/x.org/tcp/1", &zone), ["/ip6/2001:db8::1/tcp/1"]);
        assert_eq!(
            found("/dns/x.org/tcp/1", &zone),
            ["/ip6/2001:db8::1/tcp/1", four[0], four[1]]
        );
    }

    #[test]
    fn the_name_is_kept_for_those_who_check_it() {
        let addr = "/dns/x.org/tcp/443/tls/ws".parse().unwrap();
        let mut expansion = Expansion::new(&addr, Limits::default());
        let (ticket, _) = expansion.question().unwrap();
        expansion.answer(ticket, Ok(Answer::Ips(vec!["2001:db8::1".parse().unwrap()])));
        let found = expansion.finish().unwrap();
        assert_eq!(found[0].addr.to_string(), "/ip6/2001:db8::1/tcp/443/tls/ws");
        assert_eq!(found[0].name.as_deref(), Some("x.org"));
    }

    #[test]
    fn dnsaddr_leads_over_names_to_the_peer_that_was_asked_for() {
        let [node, first, second] = [
            format!("dnsaddr=/dnsaddr/node.x.org/p2p/{A}"),
            format!("dnsaddr=/dns4/node.x.org/tcp/443/wss/p2p/{A}"),
            format!("dnsaddr=/ip6/2001:db8::1/udp/4001/quic-v1/p2p/{A}"),
        ];
        let other = format!("dnsaddr=/ip4/192.0.2.9/tcp/4001/p2p/{B}");
        let zone = [
            ("_dnsaddr.x.org TXT", node.as_str()),
            ("_dnsaddr.x.org TXT", &other),
            ("_dnsaddr.x.org TXT", "v=spf1 -all"),
            ("_dnsaddr.node.x.org TXT", &first),
            ("_dnsaddr.node.x.org TXT", &second),
            ("node.x.org A", "192.0.2.1"),
        ];
        let quic = format!("/ip6/2001:db8::1/udp/4001/quic-v1/p2p/{A}");
        let wss = format!("/ip4/192.0.2.1/tcp/443/wss/p2p/{A}");
        let mut all = found(&format!("/dnsaddr/x.org/p2p/{A}"), &zone);
        all.sort();
        assert_eq!(all, [wss.clone(), quic.clone()]);
        let mut all = found("/dnsaddr/x.org", &zone);
        all.sort();
        assert_eq!(all, [wss, format!("/ip4/192.0.2.9/tcp/4001/p2p/{B}"), quic]);
    }

    #[test]
    fn names_that_lead_to_each_other_end() {
        let zone = [
            ("_dnsaddr.a.org TXT", "dnsaddr=/dnsaddr/b.org"),
            ("_dnsaddr.b.org TXT", "dnsaddr=/dnsaddr/a.org"),
            ("_dnsaddr.b.org TXT", "dnsaddr=/ip4/192.0.2.1/tcp/1"),
        ];
        let (found, asked) = expand("/dnsaddr/a.org", &zone);
        assert_eq!(
            (found.unwrap(), asked),
            (vec!["/ip4/192.0.2.1/tcp/1".to_owned()], 2)
        );
        let (nothing, asked) = expand("/dnsaddr/a.org", &zone[..2]);
        assert!(matches!(nothing, Err(ResolveError::NotFound(_))), "{nothing:?}");
        assert_eq!(asked, 2);
    }

    #[test]
    fn a_chain_of_names_is_cut() {
        let names: Vec<(String, String)> = (0..10)
            .map(|n| {
                (
                    format!("_dnsaddr.{n}.org TXT"),
                    format!("dnsaddr=/dnsaddr/{}.org", n + 1),
                )
            })
            .collect();
        let zone: Vec<(&str, &str)> = names
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        let (cut, asked) = expand("/dnsaddr/0.org", &zone);
        assert!(
            matches!(&cut, Err(ResolveError::TooDeep(name)) if name == "4.org"),
            "{cut:?}"
        );
        assert_eq!(asked, Limits::default().depth);
    }

    #[test]
    fn a_name_that_fans_out_is_cut() {
        let wide: Vec<String> = (0..500).map(|n| format!("dnsaddr=/dns/{n}.org/tcp/1")).collect();
        let mut zone: Vec<(&str, &str)> = wide
            .iter()
            .map(|text| ("_dnsaddr.x.org TXT", text.as_str()))
            .collect();
        zone.push(("0.org A", "192.0.2.1"));
        let (found, asked) = expand("/dnsaddr/x.org", &zone);
        assert_eq!(found.unwrap(), ["/ip4/192.0.2.1/tcp/1"]);
        assert_eq!(asked, Limits::default().lookups);
    }

    #[test]
    fn results_are_bounded_and_told_once() {
        let many: Vec<(&str, &str)> = (0..500).map(|_| ("x.org A", "192.0.2.1")).collect();
        assert_eq!(found("/dns4/x.org/tcp/1", &many).len(), 1);
        let addrs: Vec<String> = (0..200)
            .map(|n| format!("dnsaddr=/ip4/192.0.2.{n}/tcp/1"))
            .collect();
        let limits = Limits {
            records: 200,
            ..Limits::default()
        };
        let mut expansion = Expansion::new(&"/dnsaddr/x.org".parse().unwrap(), limits);
        let (ticket, _) = expansion.question().unwrap();
        expansion.answer(ticket, Ok(Answer::Texts(addrs)));
        assert_eq!(expansion.finish().unwrap().len(), limits.results);
    }

    #[test]
    fn a_failure_matters_only_where_nothing_is_found() {
        let fails = [("x.org AAAA", "fails")];
        let (nothing, _) = expand("/dns/x.org/tcp/1", &fails);
        assert!(
            matches!(&nothing, Err(ResolveError::Lookup { name, .. }) if name == "x.org"),
            "{nothing:?}"
        );
        let partly = [("x.org AAAA", "fails"), ("x.org A", "192.0.2.1")];
        assert_eq!(found("/dns/x.org/tcp/1", &partly), ["/ip4/192.0.2.1/tcp/1"]);
        let (nothing, _) = expand("/dns4/x.org/tcp/1", &[]);
        assert!(matches!(nothing, Err(ResolveError::NotFound(_))));
    }

    #[test]
    fn answers_in_another_order_give_the_same_results() {
        let addr = "/dns/x.org/tcp/1".parse().unwrap();
        let mut expansion = Expansion::new(&addr, Limits::default());
        let (six, _) = expansion.question().unwrap();
        let (four, _) = expansion.question().unwrap();
        expansion.answer(four, Ok(Answer::Ips(vec![[192, 0, 2, 1].into()])));
        expansion.answer(six, Ok(Answer::Ips(vec!["2001:db8::1".parse().unwrap()])));
        // A second answer, or one to a question that was never asked, changes nothing.
        expansion.answer(six, Ok(Answer::Ips(vec![[192, 0, 2, 2].into()])));
        let found = expansion.finish().unwrap();
        assert!(found[0].addr.to_string().starts_with("/ip6/"));
        assert_eq!(found.len(), 2);
    }
}
