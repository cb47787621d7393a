//! The file that describes a node.

use sinew::config::Config;
use std::path::Path;

/// A text is a node or an error, and the same one each time; lists are bounded; what an error says is for people.
pub(crate) fn text(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let read = || Config::parse(text, Path::new("/folder"));
    match read() {
        Ok(config) => {
            assert!(config.listen.len() <= 64);
            assert!(
                config
                    .key
                    .iter()
                    .chain(&config.peerstore)
                    .all(|path| path.is_absolute())
            );
            assert_eq!(read().expect("it was read before"), config);
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}
