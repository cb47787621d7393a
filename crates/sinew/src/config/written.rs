//! The file as it is written, and what its values mean.

use super::{
    Config, WssFiles,
    error::{ConfigError, Problem},
    limits,
};
use crate::{
    Multiaddr, Watermarks,
    access::{Access, Target},
};
use serde::Deserialize;
use std::{
    ops::Range,
    path::{Path, PathBuf},
    time::Duration,
};
use toml::{Spanned, Value};

/// The most addresses of a list.
pub(super) const MAX_ADDRS: usize = 64;

/// A list of what is written as text.
type List = Vec<Spanned<String>>;

/// The file as it is written.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct Written {
    listen: List,
    announce: List,
    append_announce: List,
    no_announce: List,
    key: Option<PathBuf>,
    psk: Option<PathBuf>,
    wss: Option<WrittenWss>,
    peerstore: Option<PathBuf>,
    metrics: Option<Spanned<String>>,
    watermarks: Option<WrittenWatermarks>,
    access: WrittenAccess,
    limits: limits::Written,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenWss {
    cert: PathBuf,
    key: PathBuf,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenWatermarks {
    low: Spanned<usize>,
    high: usize,
    grace: Option<Spanned<Value>>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct WrittenAccess {
    allow: List,
    deny: List,
    file: Option<PathBuf>,
}

/// The text of a file, for errors that say where they are.
#[derive(Clone, Copy)]
pub(super) struct Text<'a> {
    text: &'a str,
    file: &'a Path,
}

/// Reads the text of a file.
pub(super) fn read(text: &str, file: &Path) -> Result<Config, ConfigError> {
    let written: Written = toml::from_str(text).map_err(|error| ConfigError::Syntax {
        file: file.to_owned(),
        error,
    })?;
    let text = Text { text, file };
    let metrics = written.metrics.map(|addr| {
        let parse = |addr: &str| addr.parse().map_err(|_| Problem::SocketAddr(addr.to_owned()));
        text.value("metrics", &addr, parse)
    });
    let folder = file.parent().unwrap_or(Path::new(""));
    let path = |path: PathBuf| folder.join(path);
    Ok(Config {
        listen: text.addrs("listen", &written.listen, multiaddr)?,
        announce: text.addrs("announce", &written.announce, multiaddr)?,
        append_announce: text.addrs("append_announce", &written.append_announce, multiaddr)?,
        no_announce: text.addrs("no_announce", &written.no_announce, |never| {
            never.parse().map_err(|error| Problem::NoAnnounce {
                text: never.to_owned(),
                error,
            })
        })?,
        key: written.key.map(path),
        psk: written.psk.map(path),
        wss: written
            .wss
            .map(|wss| WssFiles::new(path(wss.cert), path(wss.key))),
        peerstore: written.peerstore.map(path),
        metrics: metrics.transpose()?,
        watermarks: written
            .watermarks
            .map(|marks| watermarks(text, &marks))
            .transpose()?,
        access: access(text, &written.access)?,
        access_file: written.access.file.map(path),
        limits: limits::read(text, written.limits)?,
    })
}

fn multiaddr(addr: &str) -> Result<Multiaddr, Problem> {
    sinew_addr::parse(addr).map_err(|error| Problem::Addr {
        text: addr.to_owned(),
        error,
    })
}

fn watermarks(text: Text<'_>, written: &WrittenWatermarks) -> Result<Watermarks, ConfigError> {
    let (low, high) = (*written.low.get_ref(), written.high);
    if low > high {
        let problem = Problem::LowAboveHigh { low, high };
        return Err(text.wrong(written.low.span(), "watermarks.low", problem));
    }
    let watermarks = Watermarks::new(low, high);
    let Some(grace) = &written.grace else {
        return Ok(watermarks);
    };
    let seconds = grace
        .get_ref()
        .as_integer()
        .and_then(|seconds| u32::try_from(seconds).ok());
    let seconds = seconds.ok_or_else(|| {
        let problem = Problem::Seconds(grace.get_ref().clone());
        text.wrong(grace.span(), "watermarks.grace", problem)
    })?;
    Ok(watermarks.grace(Duration::from_secs(seconds.into())))
}

fn access(text: Text<'_>, written: &WrittenAccess) -> Result<Vec<(Target, Access)>, ConfigError> {
    let target = |name: &str| {
        name.parse().map_err(|error| Problem::Target {
            text: name.to_owned(),
            error,
        })
    };
    let allowed: Vec<Target> = text.values("access.allow", &written.allow, target)?;
    let denied = text.values("access.deny", &written.deny, |name| {
        let target = target(name)?;
        match allowed.contains(&target) {
            true => Err(Problem::OnBothLists(target)),
            false => Ok(target),
        }
    })?;
    let allowed = allowed.iter().map(|target| (*target, Access::Allow));
    let denied = denied.iter().map(|target| (*target, Access::Deny));
    Ok(allowed.chain(denied).collect())
}

impl Text<'_> {
    /// A value at `place` is wrong.
    pub(super) fn wrong(self, place: Range<usize>, key: impl Into<String>, problem: Problem) -> ConfigError {
        let before = self.text.as_bytes().iter().take(place.start);
        ConfigError::Value {
            file: self.file.to_owned(),
            line: 1 + before.filter(|byte| **byte == b'\n').count(),
            key: key.into(),
            problem: Box::new(problem),
        }
    }

    fn value<T>(
        self,
        key: &str,
        written: &Spanned<String>,
        read: impl Fn(&str) -> Result<T, Problem>,
    ) -> Result<T, ConfigError> {
        read(written.get_ref()).map_err(|problem| self.wrong(written.span(), key, problem))
    }

    fn values<T>(
        self,
        key: &str,
        written: &List,
        read: impl Fn(&str) -> Result<T, Problem>,
    ) -> Result<Vec<T>, ConfigError> {
        written.iter().map(|one| self.value(key, one, &read)).collect()
    }

    fn addrs<T>(
        self,
        key: &str,
        written: &List,
        read: impl Fn(&str) -> Result<T, Problem>,
    ) -> Result<Vec<T>, ConfigError> {
        match written.get(MAX_ADDRS) {
            Some(surplus) => Err(self.wrong(surplus.span(), key, Problem::TooMany)),
            None => self.values(key, written, read),
        }
    }
}
