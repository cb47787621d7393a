//! `sinew identify`: what a node is, what it speaks, where it listens.

use crate::{
    args::KeyArgs,
    error::CliError,
    local,
    output::{Output, printable},
};
use serde_json::json;
use sinew::{
    Connection, Multiaddr,
    identify::{Info, Record},
};

/// Letters that are shown of what it says.
const MAX_TEXT: usize = 500;

pub(crate) async fn run(addr: &Multiaddr, key: &KeyArgs, output: &Output) -> Result<(), CliError> {
    let builder = local::dialler(key)?;
    let identify = builder.identify();
    local::visit(builder, addr, async |_, connection| {
        let them = identify.identify_on(connection).await;
        let them = them.map_err(|error| CliError::stack("identify", error))?;
        tell(connection, &them, output);
        Ok(())
    })
    .await
}

fn tell(connection: &Connection, them: &Info, output: &Output) {
    let texts = |addrs: &[Multiaddr]| addrs.iter().map(ToString::to_string).collect::<Vec<_>>();
    let protocols: Vec<_> = them
        .protocols
        .iter()
        .flat_map(|all| all.iter())
        .map(ToString::to_string)
        .collect();
    let addrs = texts(&them.listen_addrs);
    let observed = them.observed_addr.as_ref().map(ToString::to_string);
    let key = connection.info().key.key_type().to_string();
    let object = json!({
        "peer": connection.peer().to_string(), "key_type": key, "agent": them.agent_version.as_deref(), "protocol_version": them.protocol_version.as_deref(),
        "protocols": protocols, "addrs": addrs, "observed": observed, "signed_record": matches!(them.record, Record::Valid { .. }),
    });
    let none = || "(none given)".to_owned();
    let printable = |text: &str| printable(text, MAX_TEXT);
    let mut text = format!(
        "peer id    {}\nkey        {key}\nagent      {}\nversion    {}\nsees us at {}\nrecord     {}",
        connection.peer(),
        them.agent_version.as_deref().map_or_else(none, printable),
        them.protocol_version.as_deref().map_or_else(none, printable),
        observed.unwrap_or_else(none),
        match &them.record {
            Record::Valid { .. } => "signed, verified".to_owned(),
            Record::Refused(why) => format!("left aside: {why}"),
            _ => "none".to_owned(),
        },
    );
    addrs
        .iter()
        .for_each(|addr| text += &format!("\nlistens    {addr}"));
    protocols
        .iter()
        .for_each(|protocol| text += &format!("\nspeaks     {}", printable(protocol)));
    output.say(&text, &object);
}
