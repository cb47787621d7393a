//! What makes a record of a value store (kad) valid, and which of several is the best: one validator a namespace.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::Arc;

use sinew_machine::{Blame, Culpable, WallTime};
use thiserror::Error;

/// The rules of one namespace, `/pk/` or `/ipns/` for instance.
///
/// Pure: the same arguments give the same answer. Time is one of them, since some records expire. Values come from
/// strangers, so both functions must bound their work by the length of what they are given.
pub trait RecordValidator: Debug + Send + Sync + 'static {
    /// Whether `value` may stand under `key`, which is the whole key with its namespace.
    ///
    /// # Errors
    ///
    /// When it may not.
    fn validate(&self, key: &[u8], value: &[u8], now: WallTime) -> Result<(), InvalidRecord>;

    /// The index of the best of several values, all of them valid; `None` when there are none.
    fn select(&self, key: &[u8], values: &[&[u8]], now: WallTime) -> Option<usize>;
}

/// Why a value may not stand under its key.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum InvalidRecord {
    /// The key does not have the form `/namespace/name`.
    #[error("key has no namespace")]
    NoNamespace,
    /// Nothing is known of the key's namespace.
    #[error("namespace of the key is not known")]
    UnknownNamespace,
    /// The record is past its time.
    #[error("record has expired")]
    Expired,
    /// The rules of the namespace refuse it.
    #[error("record is refused: {0}")]
    Refused(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl Culpable for InvalidRecord {
    fn blame(&self) -> Blame {
        match self {
            // Others may know more namespaces than this node does, and clocks differ.
            Self::UnknownNamespace | Self::Expired => Blame::Local,
            Self::NoNamespace | Self::Refused(_) => Blame::Peer,
        }
    }
}

/// Validators by namespace: the first component of a key, `ipns` in `/ipns/..`.
#[derive(Debug, Clone, Default)]
pub struct Validators {
    by_namespace: BTreeMap<String, Arc<dyn RecordValidator>>,
}

impl Validators {
    /// No namespace at all: every record is refused.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// With a validator for a namespace, named without slashes. It takes the place of an earlier one.
    #[must_use]
    pub fn with(mut self, namespace: &str, validator: impl RecordValidator) -> Self {
        self.by_namespace
            .insert(namespace.to_owned(), Arc::new(validator));
        self
    }

    fn of(&self, key: &[u8]) -> Result<&dyn RecordValidator, InvalidRecord> {
        let namespace = namespace(key).ok_or(InvalidRecord::NoNamespace)?;
        let known = std::str::from_utf8(namespace)
            .ok()
            .and_then(|name| self.by_namespace.get(name));
        known.map(AsRef::as_ref).ok_or(InvalidRecord::UnknownNamespace)
    }
}

impl RecordValidator for Validators {
    fn validate(&self, key: &[u8], value: &[u8], now: WallTime) -> Result<(), InvalidRecord> {
        self.of(key)?.validate(key, value, now)
    }

    fn select(&self, key: &[u8], values: &[&[u8]], now: WallTime) -> Option<usize> {
        self.of(key)
            .ok()?
            .select(key, values, now)
            .filter(|&index| index < values.len())
    }
}

/// `ipns` of `/ipns/name`. The name may be any bytes, the namespace may not be empty.
fn namespace(key: &[u8]) -> Option<&[u8]> {
    let rest = key.strip_prefix(b"/")?;
    let end = rest.iter().position(|&byte| byte == b'/')?;
    (end > 0).then(|| &rest[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes values that begin with their namespace's letter; the longest is the best.
    #[derive(Debug)]
    struct Letter(u8);

    impl RecordValidator for Letter {
        fn validate(&self, _: &[u8], value: &[u8], now: WallTime) -> Result<(), InvalidRecord> {
            match value.first() {
                _ if now > WallTime(100) => Err(InvalidRecord::Expired),
                Some(&letter) if letter == self.0 => Ok(()),
                _ => Err(InvalidRecord::Refused("wrong letter".into())),
            }
        }

        fn select(&self, _: &[u8], values: &[&[u8]], _: WallTime) -> Option<usize> {
            (0..values.len()).max_by_key(|&index| values[index].len())
        }
    }

    fn validators() -> Validators {
        Validators::new().with("a", Letter(b'a')).with("b", Letter(b'b'))
    }

    #[test]
    fn the_namespace_chooses() {
        let (all, now) = (validators(), WallTime(1));
        assert!(all.validate(b"/a/name", b"a1", now).is_ok());
        assert!(all.validate(b"/b/\xff\x00", b"b1", now).is_ok());
        assert!(matches!(
            all.validate(b"/b/name", b"a1", now),
            Err(InvalidRecord::Refused(_))
        ));
        assert!(matches!(
            all.validate(b"/a/name", b"a1", WallTime(101)),
            Err(InvalidRecord::Expired)
        ));
        assert_eq!(all.select(b"/a/name", &[b"a", b"aaa", b"aa"], now), Some(1));
        assert_eq!(all.select(b"/c/name", &[b"c"], now), None);
    }

    #[test]
    fn keys_without_a_known_namespace() {
        for key in [&b""[..], b"/", b"//name", b"a/name", b"/a", b"a"] {
            let result = validators().validate(key, b"a", WallTime(1));
            assert!(matches!(result, Err(InvalidRecord::NoNamespace)), "{key:?}");
        }
        for key in [&b"/c/name"[..], b"/\xff/name"] {
            let result = validators().validate(key, b"a", WallTime(1));
            assert!(matches!(result, Err(InvalidRecord::UnknownNamespace)), "{key:?}");
        }
    }

    #[test]
    fn an_index_out_of_range_is_no_choice() {
        #[derive(Debug)]
        struct Wild;
        impl RecordValidator for Wild {
            fn validate(&self, _: &[u8], _: &[u8], _: WallTime) -> Result<(), InvalidRecord> {
                Ok(())
            }
            fn select(&self, _: &[u8], values: &[&[u8]], _: WallTime) -> Option<usize> {
                Some(values.len())
            }
        }
        let all = Validators::new().with("w", Wild);
        assert_eq!(all.select(b"/w/name", &[b"x"], WallTime(1)), None);
    }
}
