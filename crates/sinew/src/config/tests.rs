//! Descriptions that are read, and what is said of those that are not.

use super::{Config, ConfigError, WssFiles};
use crate::{
    Limits, Watermarks,
    access::{Access, Target},
};
use std::{
    path::{Path, PathBuf},
    time::Duration,
};

/// What the operator reads.
const DOCS: &str = include_str!("../../../../docs/configuration.md");

fn parse(text: &str) -> Result<Config, ConfigError> {
    Config::parse(text, Path::new("/etc/sinew/node.toml"))
}

/// The example of the page: what stands between its fences.
fn example() -> &'static str {
    let (_, rest) = DOCS.split_once("```toml\n").expect("an example");
    rest.split_once("```").expect("its end").0
}

#[test]
fn a_whole_description_is_read() {
    let config = parse(example()).expect("a good file");
    let texts = |addrs: &[crate::Multiaddr]| addrs.iter().map(ToString::to_string).collect::<Vec<_>>();
    let in_folder = |name: &str| Some(PathBuf::from("/etc/sinew").join(name));
    assert_eq!(config.listen.len(), 4);
    assert_eq!(texts(&config.announce), ["/dns4/node.example.org/tcp/4001"]);
    assert_eq!(texts(&config.append_announce), ["/ip4/192.0.2.1/tcp/4001"]);
    assert_eq!(config.no_announce.len(), 3);
    assert_eq!(config.key, in_folder("node.key"));
    assert_eq!(config.psk, in_folder("swarm.key"));
    let wss = WssFiles::new(
        "/etc/letsencrypt/live/node/fullchain.pem",
        "/etc/letsencrypt/live/node/privkey.pem",
    );
    assert_eq!(config.wss, Some(wss));
    assert_eq!(
        config.peerstore.as_deref(),
        Some(Path::new("/var/lib/sinew/peers.redb"))
    );
    assert_eq!(config.metrics, Some(([127, 0, 0, 1], 9090).into()));
    let watermarks = Watermarks::new(600, 800).grace(Duration::from_secs(30));
    assert_eq!(config.watermarks, Some(watermarks));
    let target = |text: &str| text.parse::<Target>().expect("a target");
    let rules = [
        (target("203.0.113.7"), Access::Allow),
        (
            target("12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN"),
            Access::Allow,
        ),
        (target("203.0.113.0/24"), Access::Deny),
        (target("2001:db8::/32"), Access::Deny),
    ];
    assert_eq!(config.access, rules);
    assert_eq!(config.access_file, in_folder("access"));
    let mut limits = Limits::default();
    limits.inbound_connections = 500;
    limits.inbound_rate_per_address.burst = 16;
    limits.inbound_rate_per_address.refill_ms = 1000;
    assert_eq!(config.limits(), limits);
}

#[test]
fn an_empty_file_is_a_node_with_the_limits_of_its_machine() {
    let config = parse("").expect("nothing is required");
    assert_eq!(config, Config::default());
    assert_eq!(config.limits(), Limits::auto());
}

/// Adding a key or a limit and forgetting the page is an error.
#[test]
fn every_key_is_documented() {
    let unknown = parse("nonsense = 1").expect_err("no such key").to_string();
    let (_, keys) = unknown.split_once("expected one of").expect("the keys are named");
    let keys: Vec<_> = keys.split('`').skip(1).step_by(2).collect();
    assert!(keys.contains(&"no_announce") && keys.len() >= 12, "{unknown}");
    let limits = toml::Table::try_from(Limits::default()).expect("numbers");
    let keys = keys.into_iter().chain(limits.keys().map(String::as_str));
    for key in keys {
        assert!(
            DOCS.contains(&format!("`{key}`")),
            "docs/configuration.md says nothing of {key}"
        );
    }
}

/// The figures that the page gives are those of the code.
#[test]
fn the_defaults_of_limits_are_documented() {
    let limits = toml::Table::try_from(Limits::default()).expect("numbers");
    let of_limit = |name: &str| match &limits[name] {
        toml::Value::Table(rate) => rate.values().filter_map(toml::Value::as_integer).collect(),
        limit => Vec::from_iter(limit.as_integer()),
    };
    let (_, table) = DOCS.split_once("## Limits").expect("a table of limits");
    let rows = table.lines().filter(|line| line.starts_with("| `"));
    for row in rows {
        let cells: Vec<_> = row.split('|').collect();
        let defined: Vec<_> = cells[1]
            .split('`')
            .skip(1)
            .step_by(2)
            .flat_map(of_limit)
            .collect();
        let unit = if cells[3].contains("MiB") { 1 << 20 } else { 1 };
        let figure = |text: &str| {
            text.split_whitespace()
                .next()?
                .replace(',', "")
                .parse::<i64>()
                .ok()
        };
        let written = cells[3].replace(" and ", ", ");
        let written: Vec<_> = written
            .split(", ")
            .filter_map(figure)
            .map(|figure| figure * unit)
            .collect();
        assert_eq!(written, defined, "{row}");
    }
}

/// Texts that describe no node, and what their errors say.
const WRONG: &[(&str, &[&str])] = &[
    ("listne = []", &["line 1", "listne", "expected one of `listen`"]),
    ("= 1", &["line 1"]),
    ("listen = '/ip4/1.2.3.4/tcp/1'", &["line 1", "listen", "sequence"]),
    (
        "\nlisten = [\n'/ip4/1.2.3/tcp/1']",
        &["line 3, listen: \"/ip4/1.2.3/tcp/1\"", "/ip4/192.0.2.1/tcp/4001"],
    ),
    (
        "announce = ['node.example.org']",
        &["line 1, announce:", "/ip4/192.0.2.1/tcp/4001"],
    ),
    ("append_announce = ['/tcp']", &["line 1, append_announce:"]),
    (
        "no_announce = ['10.0.0.1/8']",
        &["line 1, no_announce:", "behind the first 8", "10.0.0.0/8"],
    ),
    (
        "metrics = 'localhost'",
        &["line 1, metrics: \"localhost\"", "write 127.0.0.1:9090"],
    ),
    ("wss.cert = 'a.pem'", &["line 1", "missing field `key`"]),
    ("wss.chain = 'a.pem'", &["line 1", "chain", "`cert`"]),
    ("[watermarks]\nhigh = 3", &["line 1", "missing field `low`"]),
    (
        "[watermarks]\nhigh = 3\nlow = 4",
        &["line 3, watermarks.low: 4", "at most that"],
    ),
    ("[watermarks]\nlow = -1\nhigh = 4", &["line 2", "low = -1", "-1"]),
    (
        "watermarks = { low = 1, high = 2, grace = '20s' }",
        &["line 1, watermarks.grace: \"20s\"", "write 20"],
    ),
    (
        "[access]\n# whom\ndeny = ['1.2.3']",
        &["line 3, access.deny: \"1.2.3\"", "192.0.2.0/24", "peer id"],
    ),
    (
        "[access]\nallow = ['1.2.3.4']\ndeny = ['1.2.3.4/32']",
        &["line 3, access.deny: 1.2.3.4", "one of the lists"],
    ),
    ("[access]\nblock = []", &["line 2", "block", "`deny`"]),
    (
        "\n[limits]\nbase = 'huge'",
        &["line 3, limits.base: \"huge\"", "\"auto\" or \"default\""],
    ),
    (
        "limits.no_such = 1",
        &["line 1, limits.no_such:", "inbound_connections"],
    ),
    (
        "limits.dials = 3\nlimits.pending = -1",
        &["line 2, limits.pending:", "-1"],
    ),
    (
        "limits.pending = 'many'",
        &["line 1, limits.pending:", "many", "expected"],
    ),
    (
        "limits.inbound_rate_per_address = 5",
        &["line 1, limits.inbound_rate_per_address:", "Rate"],
    ),
];

#[test]
fn what_is_wrong_is_named_with_its_place_and_what_to_write_instead() {
    for (text, named) in WRONG {
        let error = parse(text).expect_err(text).to_string();
        assert!(error.starts_with("/etc/sinew/node.toml"), "{text}: {error}");
        for name in *named {
            assert!(error.contains(name), "{text}: no {name} in {error}");
        }
    }
    let many = format!("announce = [{}\n'/tcp']", "'/ip4/1.2.3.4/tcp/1',".repeat(64));
    let error = parse(&many).expect_err("too many").to_string();
    assert!(error.contains("line 2, announce: more than 64"), "{error}");
}
