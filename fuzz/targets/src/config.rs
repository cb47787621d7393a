//! The file that describes a node.

use sinew::config::Config;
use std::path::Path;

/// A text is a node or an error, and the same one each time; lists are bounded; what an error says is for people.
pub(crate) fn text(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let read = || Config::parse(text, Path::new("/folder/node.toml"));
    match read() {
        Ok(config) => {
            let lists = [&config.listen, &config.announce, &config.append_announce];
            assert!(lists.iter().all(|list| list.len() <= 64) && config.no_announce.len() <= 64);
            let paths = [&config.key, &config.psk, &config.peerstore, &config.access_file];
            let wss = config.wss.iter().flat_map(|wss| [&wss.cert, &wss.key]);
            assert!(
                paths
                    .into_iter()
                    .flatten()
                    .chain(wss)
                    .all(|path| path.is_absolute())
            );
            assert!(config.watermarks.is_none_or(|marks| marks.low <= marks.high));
            assert_eq!(read().expect("it was read before"), config);
        }
        Err(error) => assert!(error.to_string().starts_with("/folder/node.toml")),
    }
}
