//! Requests: typed questions and answers between two nodes, in one program.
//!
//! `cargo run -p sinew-examples --bin requests`

use serde::{Deserialize, Serialize};
use sinew::{
    Keypair, Node,
    request_response::{Cbor, Config, Context},
};
use std::error::Error;

#[derive(Serialize, Deserialize)]
struct Question {
    words: Vec<String>,
}

#[derive(Serialize, Deserialize)]
struct Answer {
    sentence: String,
}

type Join = Cbor<Question, Answer>;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut serving = Node::builder(Keypair::generate()).listen("/ip4/127.0.0.1/tcp/0")?;
    serving.add(
        Config::<Join>::new("/join/1.0.0").serve(|question: Question, from: Context| async move {
            println!("{} asks", from.peer);
            Ok(Answer {
                sentence: question.words.join(" "),
            })
        }),
    );
    let serving = serving.start().await?;

    let mut asking = Node::builder(Keypair::generate());
    let client = asking.add(Config::<Join>::new("/join/1.0.0"));
    let asking = asking.start().await?;

    let peer = asking.connect(serving.listen_addrs()).await?;
    let question = Question {
        words: vec!["typed".into(), "both".into(), "ways".into()],
    };
    println!("{}", client.request(peer, &question).await?.sentence);
    Ok(())
}
