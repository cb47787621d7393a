//! The handlers of a host, by exact name and by match function.

use sinew_core::{HandlerError, HandlerOptions, ProtocolMatch, Registration, StreamHandler};
use sinew_machine::ProtocolId;
use std::{
    collections::BTreeMap,
    sync::{Arc, PoisonError, RwLock},
};

/// The longest name of a protocol, as `sinew-multistream` sends it.
const MAX_NAME: usize = 140;

/// What is served. Looked up for each inbound stream, changed rarely.
#[derive(Default)]
pub(crate) struct Registry {
    handlers: RwLock<Handlers>,
}

#[derive(Default)]
struct Handlers {
    exact: BTreeMap<ProtocolId, Entry>,
    /// In the order of registration. Shared, so that the functions run without the lock: they are the application's.
    matching: Arc<Vec<(ProtocolId, Matcher, Entry)>>,
}

type Matcher = Arc<dyn Fn(&str) -> bool + Send + Sync>;

/// A handler with its limits.
#[derive(Clone)]
pub(crate) struct Entry {
    /// The name that streams of the handler are counted under.
    pub(crate) name: ProtocolId,
    pub(crate) options: HandlerOptions,
    pub(crate) handler: Arc<dyn StreamHandler>,
}

impl Registry {
    pub(crate) fn register(&self, registration: Registration) -> Result<(), HandlerError> {
        let name = registration.protocol.name().clone();
        if !is_usable(name.as_str()) {
            return Err(HandlerError::BadName(name));
        }
        let mut handlers = self.handlers.write().unwrap_or_else(PoisonError::into_inner);
        if handlers.names().any(|known| *known == name) {
            return Err(HandlerError::Taken(name));
        }
        let entry = Entry {
            name: name.clone(),
            options: registration.options,
            handler: registration.handler,
        };
        match registration.protocol {
            ProtocolMatch::Function { matches, .. } => {
                Arc::make_mut(&mut handlers.matching).push((name, matches, entry));
            }
            _ => drop(handlers.exact.insert(name, entry)),
        }
        Ok(())
    }

    pub(crate) fn unregister(&self, name: &ProtocolId) -> bool {
        let mut handlers = self.handlers.write().unwrap_or_else(PoisonError::into_inner);
        let before = handlers.matching.len();
        Arc::make_mut(&mut handlers.matching).retain(|(known, ..)| known != name);
        handlers.exact.remove(name).is_some() || handlers.matching.len() < before
    }

    /// Who serves `protocol`: the exact name, else the first function that takes it.
    pub(crate) fn find(&self, protocol: &str) -> Option<Entry> {
        let matching = {
            let handlers = self.handlers.read().unwrap_or_else(PoisonError::into_inner);
            if let Some(exact) = handlers.exact.get(protocol) {
                return Some(exact.clone());
            }
            handlers.matching.clone()
        };
        let found = matching.iter().find(|(_, matches, _)| matches(protocol));
        found.map(|(.., entry)| entry.clone())
    }

    /// All names, in order.
    pub(crate) fn names(&self) -> Vec<ProtocolId> {
        let handlers = self.handlers.read().unwrap_or_else(PoisonError::into_inner);
        let mut names: Vec<_> = handlers.names().cloned().collect();
        names.sort_unstable();
        names
    }
}

impl Handlers {
    fn names(&self) -> impl Iterator<Item = &ProtocolId> {
        self.exact
            .keys()
            .chain(self.matching.iter().map(|(name, ..)| name))
    }
}

fn is_usable(name: &str) -> bool {
    name.starts_with('/') && name.len() <= MAX_NAME && !name.contains('\n')
}

#[cfg(test)]
mod tests {
    use super::Registry;
    use sinew_core::{HandlerError, HandlerOptions, ProtocolMatch, Registration, Stream};
    use std::sync::Arc;

    fn registration(protocol: impl Into<ProtocolMatch>) -> Registration {
        let handler = Arc::new(|_: Stream| async {});
        Registration::new(protocol.into(), HandlerOptions::default(), handler)
    }

    #[test]
    fn exact_names_come_before_functions_and_functions_in_their_order() {
        let registry = Registry::default();
        let prefix = |name: &str, prefix: &'static str| ProtocolMatch::Function {
            name: name.into(),
            matches: Arc::new(move |asked| asked.starts_with(prefix)),
        };
        registry
            .register(registration(prefix("/any", "/a")))
            .expect("free");
        registry
            .register(registration(prefix("/other", "/a/b")))
            .expect("free");
        registry.register(registration("/a/b")).expect("free");
        let find = |asked: &str| registry.find(asked).map(|entry| entry.name.to_string());
        assert_eq!(find("/a/b"), Some("/a/b".into()));
        assert_eq!(find("/a/b/c"), Some("/any".into()));
        assert_eq!(find("/z"), None);
        assert!(registry.unregister(&"/any".into()));
        assert_eq!(find("/a/b/c"), Some("/other".into()));
        assert!(!registry.unregister(&"/any".into()));
    }

    #[test]
    fn a_match_function_may_change_the_handlers() {
        let registry = Arc::new(Registry::default());
        let changed = registry.clone();
        let matches = Arc::new(move |asked: &str| changed.register(registration(asked)).is_ok());
        let learning = ProtocolMatch::Function {
            name: "/learning".into(),
            matches,
        };
        registry.register(registration(learning)).expect("free");
        assert_eq!(
            registry.find("/a").map(|entry| entry.name),
            Some("/learning".into())
        );
        assert_eq!(registry.find("/a").map(|entry| entry.name), Some("/a".into()));
    }

    #[test]
    fn names_are_unique_and_can_be_sent() {
        let registry = Registry::default();
        registry.register(registration("/a")).expect("free");
        assert!(matches!(
            registry.register(registration("/a")),
            Err(HandlerError::Taken(_))
        ));
        for bad in ["", "a", "/a\n", &format!("/{}", "a".repeat(140))] {
            assert!(
                matches!(
                    registry.register(registration(bad)),
                    Err(HandlerError::BadName(_))
                ),
                "{bad:?}"
            );
        }
    }
}
