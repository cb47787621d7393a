//! The ids of messages, and who hears of each that comes.

use serde_json::{Value, json};
use sinew::gossipsub::{Message, MessageId, Trace};

use super::log::log;

/// The id of a message: its first eight bytes.
pub(super) fn id(message: &Message) -> MessageId {
    let data = message.data();
    data.get(..8).unwrap_or(data).into()
}

/// Logs the messages that come in a step of the protocol: every copy, also of those that are known.
pub(super) fn log_all(step: &Trace) {
    for arrival in arrivals(step) {
        log("Received Message", &arrival);
    }
}

fn arrivals(step: &Trace) -> Vec<Value> {
    let Trace::RecvRpc { from, rpc } = step else {
        return Vec::new();
    };
    let arrival = |(id, topic): &(MessageId, String)| {
        let number = id.as_bytes().first_chunk().copied().map(u64::from_be_bytes)?;
        Some(json!({ "id": number.to_string(), "topic": topic, "from": from.to_string() }))
    };
    rpc.messages.iter().filter_map(arrival).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use sinew::{
        PeerId,
        gossipsub::{RpcTrace, Topic},
    };

    #[test]
    fn the_id_is_the_front_of_the_data() {
        let topic = Topic::new("a").unwrap();
        let id = |data: &'static [u8]| id(&Message::anonymous(&topic, data));
        assert_eq!(
            id(&[0, 0, 0, 0, 0, 0, 1, 2, 3]).as_bytes(),
            [0, 0, 0, 0, 0, 0, 1, 2]
        );
        assert_eq!(id(&[1]).as_bytes(), [1]);
    }

    #[test]
    fn what_comes_is_told_with_its_number_and_who_brought_it() {
        let from = PeerId::random();
        let message = |id: &[u8]| (MessageId::from(id), "a".to_owned());
        let rpc = RpcTrace {
            messages: vec![message(&[0, 0, 0, 0, 0, 0, 1, 2]), message(&[1])],
            ..RpcTrace::default()
        };
        assert_eq!(
            arrivals(&Trace::RecvRpc {
                from,
                rpc: rpc.clone()
            }),
            [json!({ "id": "258", "topic": "a", "from": from.to_string() })]
        );
        assert!(arrivals(&Trace::SendRpc { to: from, rpc }).is_empty());
    }
}
