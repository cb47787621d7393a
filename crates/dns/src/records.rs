//! What the TXT records of a `/dnsaddr` name mean for the address that led to it.

use sinew_addr::{Multiaddr, parse};

/// spec: addressing, dnsaddr Links: the addresses lie under this label of the name.
const LABEL: &str = "_dnsaddr.";

/// spec: addressing, dnsaddr Links: an entry begins so, any other record is not ours.
const ENTRY: &str = "dnsaddr=";

/// The name whose TXT records are asked for.
pub(crate) fn question(name: &str) -> String {
    format!("{LABEL}{name}")
}

/// The address that a record leads to, if it is one that was asked for. `rest` is what followed the name.
///
/// An entry has to end in what followed: of `/dnsaddr/example.org/p2p/A` only entries for A are taken. Where a circuit
/// goes on behind the peer, the entry is the relay, and the circuit follows it.
pub(crate) fn entry(record: &str, rest: &Multiaddr) -> Option<Multiaddr> {
    let addr = parse(record.strip_prefix(ENTRY)?).ok()?;
    if addr.ends_with(rest) {
        return Some(addr);
    }
    let first: Multiaddr = rest.iter().take(1).collect();
    let is_peer = sinew_addr::peer(&first).is_some();
    let follows = is_peer && addr.ends_with(&first) && sinew_addr::is_circuit(rest);
    follows.then(|| addr.iter().chain(rest.iter().skip(1)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "12D3KooWGC6TvWhfagifX6L2hjBYRWd8TqSGFBtcBXSwC6mYeLPZ";
    const B: &str = "QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N";

    fn led(record: &str, rest: &str) -> Option<String> {
        let rest = if rest.is_empty() {
            Multiaddr::empty()
        } else {
            parse(rest).expect("an address")
        };
        entry(record, &rest).map(|addr| addr.to_string())
    }

    #[test]
    fn an_entry_ends_in_what_followed_the_name() {
        let addr = format!("/ip4/192.0.2.1/tcp/4001/p2p/{A}");
        let record = format!("dnsaddr={addr}");
        assert_eq!(led(&record, ""), Some(addr.clone()));
        assert_eq!(led(&record, &format!("/p2p/{A}")), Some(addr.clone()));
        assert_eq!(led(&record, &format!("/p2p/{B}")), None);
        assert_eq!(led(&record, "/tcp/4001"), None);
        assert_eq!(led(&record, &format!("/tcp/4001/p2p/{A}")), Some(addr));
    }

    #[test]
    fn a_circuit_goes_on_behind_the_relay() {
        let relay = format!("/ip4/192.0.2.1/tcp/4001/p2p/{A}");
        let circuit = format!("/p2p-circuit/p2p/{B}");
        let record = format!("dnsaddr={relay}");
        assert_eq!(
            led(&record, &format!("/p2p/{A}{circuit}")),
            Some(format!("{relay}{circuit}"))
        );
        assert_eq!(led(&record, &format!("/p2p/{B}{circuit}")), None);
    }

    #[test]
    fn records_of_other_kinds() {
        for record in [
            "",
            "v=spf1 -all",
            "dnsaddr=",
            "dnsaddr=nonsense",
            "dnsaddr=/ip4/1.2.3/tcp/1",
            "/ip4/192.0.2.1",
        ] {
            assert_eq!(led(record, ""), None, "{record}");
        }
    }
}
