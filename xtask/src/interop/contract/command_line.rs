//! The perf of the older test plans: a server and a client that are told by their command lines what to be.

use std::{
    fs,
    path::Path,
    thread::sleep,
    time::{Duration, Instant},
};

use super::{ContractError, DIALER, LISTENER, POLL, logged, printed, result, stdout};
use crate::{
    child::Child,
    interop::{
        cases::Case,
        peers::{Peer, Places},
    },
};

/// What is moved in each direction.
const BYTES: u64 = 4 << 20;

/// How long the server may take to listen.
const START: Duration = Duration::from_secs(20);

/// How long both programs may take.
const LIMIT: Duration = Duration::from_secs(60);

/// Runs one test; the logs stay in `folder` if it fails. The test plans have the server at a port of their choice; here it
/// takes a free one, and its first lines say which.
pub(in crate::interop) fn run(case: &Case<'_>, places: &Places, folder: &Path) -> Result<(), ContractError> {
    fs::create_dir_all(folder).map_err(ContractError::Folder)?;
    let start = |role, about: &Peer, arguments: &[&str]| -> Result<Child, ContractError> {
        let mut command = about.program(places);
        command.args(arguments);
        logged(command, role, folder).map_err(|source| ContractError::Start { role, source })
    };
    let server = ["--run-server", "--server-address", "127.0.0.1:0"];
    let listener = start(LISTENER, case.listener, &server)?;
    let transport = case.stack.transport.as_str();
    let (address, bytes) = (
        format!("127.0.0.1:{}", port(folder, transport)?),
        BYTES.to_string(),
    );
    let client = [
        ["--server-address", &address],
        ["--transport", transport],
        ["--upload-bytes", &bytes],
        ["--download-bytes", &bytes],
    ];
    let dialer = start(DIALER, case.dialer, client.as_flattened())?;
    result::legacy_perf(&printed(dialer, listener, LIMIT, folder)?, BYTES)?;
    // Logs that stay do no harm.
    let _ = fs::remove_dir_all(folder);
    Ok(())
}

/// The port of the transport that the server has printed.
fn port(folder: &Path, transport: &str) -> Result<String, ContractError> {
    let deadline = Instant::now() + START;
    while Instant::now() < deadline {
        let said = fs::read_to_string(stdout(folder, LISTENER)).map_err(ContractError::Folder)?;
        if let Some(port) = announced(&said, transport) {
            return Ok(port.to_owned());
        }
        sleep(POLL);
    }
    Err(ContractError::NoAddress(START))
}

/// The port in the first whole line with an address of the transport.
fn announced<'a>(said: &'a str, transport: &str) -> Option<&'a str> {
    let prefix = match transport {
        "quic-v1" => "/ip4/127.0.0.1/udp/",
        _ => "/ip4/127.0.0.1/tcp/",
    };
    let whole = said.split_inclusive('\n').filter(|line| line.ends_with('\n'));
    let mut rests = whole.filter_map(|line| line.strip_prefix(prefix));
    rests.next()?.split('/').next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_read_once_its_line_is_whole() {
        let said = "/ip4/127.0.0.1/tcp/4001/p2p/a\n/ip4/127.0.0.1/udp/4002/quic-v1/p2p/a";
        assert_eq!(announced(said, "tcp"), Some("4001"));
        assert_eq!(announced(said, "quic-v1"), None);
        assert_eq!(announced(&format!("{said}\n"), "quic-v1"), Some("4002"));
    }
}
