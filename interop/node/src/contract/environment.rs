//! What the environment tells one side, in either of the two spellings.

use std::{
    error::Error,
    net::{IpAddr, Ipv4Addr},
    str::FromStr,
    time::Duration,
};

use crate::stack::Stack;

/// How long the other side may keep a side waiting, unless the environment says.
const TIMEOUT: u64 = 180;

/// The names of the variables; the value of a variable of both spellings means the same.
struct Names {
    is_dialer: &'static str,
    redis: &'static str,
    transport: &'static str,
    security: &'static str,
    muxer: &'static str,
    ip: &'static str,
    timeout: &'static str,
}

const MODERN: Names = Names {
    is_dialer: "IS_DIALER",
    redis: "REDIS_ADDR",
    transport: "TRANSPORT",
    security: "SECURE_CHANNEL",
    muxer: "MUXER",
    ip: "LISTENER_IP",
    timeout: "TEST_TIMEOUT_SECS",
};

const LEGACY: Names = Names {
    is_dialer: "is_dialer",
    redis: "redis_addr",
    transport: "transport",
    security: "security",
    muxer: "muxer",
    ip: "ip",
    timeout: "test_timeout_seconds",
};

/// The host of redis where the older test plans name none.
const LEGACY_REDIS: &str = "redis:6379";

/// The one key that the older test plans know.
const LEGACY_KEY: &str = "listenerAddr";

/// What a side is told.
#[derive(Debug)]
pub(super) struct Environment {
    /// Whether the variables are those of the older test plans; the result has another form then.
    pub(super) is_legacy: bool,
    pub(super) is_dialer: bool,
    /// Host and port of redis.
    pub(super) redis: String,
    /// Under which the listener's address is passed on.
    pub(super) key: String,
    pub(super) stack: Stack,
    /// Where to listen.
    pub(super) ip: IpAddr,
    /// How long the other side may keep this one waiting.
    pub(super) timeout: Duration,
}

impl Environment {
    /// Reads it; `lookup` gives the value of a variable.
    pub(super) fn read(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, Box<dyn Error>> {
        let is_legacy = lookup(MODERN.is_dialer).is_none();
        let names = if is_legacy { LEGACY } else { MODERN };
        let required = |name: &str| lookup(name).ok_or_else(|| format!("{name} is not set"));
        let key = if is_legacy {
            LEGACY_KEY.to_owned()
        } else {
            format!("{}_listener_multiaddr", required("TEST_KEY")?)
        };
        let redis = match lookup(names.redis) {
            None if is_legacy => LEGACY_REDIS.to_owned(),
            None => return Err(format!("{} is not set", names.redis).into()),
            Some(redis) => redis,
        };
        Ok(Self {
            is_legacy,
            is_dialer: required(names.is_dialer)?.parse()?,
            redis,
            key,
            stack: Stack::new(
                required(names.transport)?,
                lookup(names.security),
                lookup(names.muxer),
            )?,
            ip: parsed(lookup(names.ip), IpAddr::V4(Ipv4Addr::UNSPECIFIED))?,
            timeout: Duration::from_secs(parsed(lookup(names.timeout), TIMEOUT)?),
        })
    }
}

/// The value of a variable; the suites leave some of them empty, or set them to `null`.
pub(super) fn variable(name: &str) -> Option<String> {
    std::env::var(name)
        .ok()
        .filter(|value| !value.is_empty() && value != "null")
}

/// What the text says, or the default where there is none.
pub(super) fn parsed<T: FromStr>(text: Option<String>, default: T) -> Result<T, T::Err> {
    text.map_or(Ok(default), |text| text.parse())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Result<Environment, Box<dyn Error>> {
        Environment::read(|name| {
            let found = variables.iter().find(|(of, _)| *of == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn both_spellings_say_the_same() {
        let modern = read(&[
            ("IS_DIALER", "true"),
            ("REDIS_ADDR", "transport-redis:6379"),
            ("TEST_KEY", "a5b50d5e"),
            ("TRANSPORT", "tcp"),
            ("SECURE_CHANNEL", "noise"),
            ("MUXER", "yamux"),
            ("LISTENER_IP", "0.0.0.0"),
        ])
        .unwrap();
        let legacy = read(&[
            ("is_dialer", "true"),
            ("transport", "tcp"),
            ("security", "noise"),
            ("muxer", "yamux"),
            ("test_timeout_seconds", "7"),
        ])
        .unwrap();
        assert!(!modern.is_legacy && legacy.is_legacy && modern.is_dialer && legacy.is_dialer);
        assert_eq!(
            (modern.redis.as_str(), modern.key.as_str()),
            ("transport-redis:6379", "a5b50d5e_listener_multiaddr")
        );
        assert_eq!(
            (legacy.redis.as_str(), legacy.key.as_str()),
            ("redis:6379", "listenerAddr")
        );
        assert_eq!(modern.stack.to_string(), legacy.stack.to_string());
        assert_eq!((modern.ip, modern.timeout), (legacy.ip, Duration::from_secs(180)));
        assert_eq!(legacy.timeout, Duration::from_secs(7));
    }

    #[test]
    fn a_complete_transport_needs_no_more() {
        let environment = read(&[
            ("IS_DIALER", "false"),
            ("REDIS_ADDR", "r:1"),
            ("TEST_KEY", "k"),
            ("TRANSPORT", "quic-v1"),
        ]);
        assert_eq!(environment.unwrap().stack.to_string(), "quic-v1");
    }

    #[test]
    fn what_is_missing_is_named() {
        assert_eq!(read(&[]).unwrap_err().to_string(), "is_dialer is not set");
        let error = read(&[("IS_DIALER", "true")]).unwrap_err();
        assert_eq!(error.to_string(), "TEST_KEY is not set");
    }
}
