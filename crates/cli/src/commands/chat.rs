//! `sinew chat`: lines of text among all who follow a topic.

mod input;
mod screen;

use self::{
    input::{Input, Line},
    screen::Screen,
};
use crate::{args::ChatArgs, error::CliError, local, output::Output};
use futures_util::future::join_all;
use sinew::{
    Host, Multiaddr, PeerId,
    gossipsub::{Config, Event, Gossipsub, Params, Subscription, Topic, TopicParams},
    sinew_core::Lagged,
};
use std::time::Duration;

/// The longest message, in bytes: ours, and of others. Longer ones are not handed on either.
const MAX_MESSAGE: usize = 16 << 10;

/// How long somebody may take to say that he follows the topic too, once connected.
const ARRIVAL: Duration = Duration::from_secs(10);

/// How long the last messages have to leave: nobody says when they are gone.
const FAREWELL: Duration = Duration::from_millis(500);

pub(crate) async fn run(args: &ChatArgs, output: &Output) -> Result<(), CliError> {
    let mut signals = local::Signals::watch()?;
    let mut builder = local::listening(local::dialler(&args.listening.key)?, &args.listening);
    let gossipsub = builder.add(config(&args.topic));
    let host = local::start(builder).await?;
    let chat = Chat {
        gossipsub,
        args,
        screen: Screen::new(*output),
    };
    let outcome = tokio::select! {
        _ = signals.told() => Ok(()),
        outcome = chat.run(&host, output) => outcome,
    };
    chat.screen.close();
    local::end(&host, output).await;
    outcome
}

fn config(topic: &Topic) -> Config {
    let mut about = TopicParams::default();
    about.max_data = Some(MAX_MESSAGE);
    let mut params = Params::default();
    params.topics.insert(topic.clone(), about);
    Config::default()
        .params(params)
        .expect("the defaults make sense together")
}

struct Chat<'a> {
    gossipsub: Gossipsub,
    args: &'a ChatArgs,
    screen: Screen,
}

impl Chat<'_> {
    async fn run(&self, host: &Host, output: &Output) -> Result<(), CliError> {
        let subscription = self.gossipsub.subscribe(&self.args.topic);
        let subscription = subscription.map_err(|error| CliError::stack("following the topic", error))?;
        local::announce(host, output);
        if let Some(addr) = local::full_addrs(host).first() {
            output.tell(&format!("\nsinew chat '{}' {addr}\n", self.args.topic));
        }
        self.meet(host).await?;
        self.talk(subscription).await
    }

    /// Connects to the addresses, and waits until somebody there is known to follow the topic. It is an error only if none
    /// of them is reached.
    async fn meet(&self, host: &Host) -> Result<(), CliError> {
        let addrs = &self.args.addrs;
        if addrs.is_empty() {
            return Ok(());
        }
        let dials = addrs.iter().map(|addr| local::connect(host, addr));
        let failed = |(addr, outcome): (_, Result<_, _>)| Some((addr, outcome.err()?));
        let outcomes = addrs.iter().zip(join_all(dials).await);
        let mut failures: Vec<(&Multiaddr, CliError)> = outcomes.filter_map(failed).collect();
        if failures.len() == addrs.len()
            && let Some((_, error)) = failures.pop()
        {
            return Err(error);
        }
        failures
            .iter()
            .for_each(|(addr, error)| self.screen.not_reached(addr, error));
        let arrival = self.gossipsub.wait_for_peers(&self.args.topic, 1);
        if tokio::time::timeout(ARRIVAL, arrival).await.is_err() {
            self.screen.alone();
        }
        Ok(())
    }

    /// Until the end of the input, or of the node.
    async fn talk(&self, mut subscription: Subscription) -> Result<(), CliError> {
        let mut input = Input::new(tokio::io::stdin());
        self.screen.prompt();
        loop {
            tokio::select! {
                line = input.next() => {
                    let line = line.map_err(|error| CliError::io("reading the input", error))?;
                    let Some(line) = line else { break };
                    self.line(line).await;
                    self.screen.prompt();
                }
                event = subscription.next() => if !self.event(event) { return Ok(()) },
            }
        }
        let rest = async { while self.event(subscription.next().await) {} };
        // It is over either way.
        let _ = tokio::time::timeout(FAREWELL, rest).await;
        Ok(())
    }

    /// Publishes what a line says.
    async fn line(&self, line: Line) {
        let text = match self.screen.read(line) {
            Ok(Some(text)) => text,
            Ok(None) => return,
            Err(problem) => return self.screen.not_sent(&problem),
        };
        let text = match &self.args.name {
            Some(name) => format!("{name}: {text}"),
            None => text,
        };
        if text.len() > MAX_MESSAGE {
            let problem = format!("{} bytes; write at most {MAX_MESSAGE} at once", text.len());
            return self.screen.not_sent(&problem);
        }
        match self.gossipsub.publish(&self.args.topic, text).await {
            Ok(published) => self.screen.sent(&published),
            Err(error) => self.screen.not_sent(&error.to_string()),
        }
    }

    /// Tells of an event; `false` if it was the last one.
    fn event(&self, event: Result<Option<Event>, Lagged>) -> bool {
        match event {
            Ok(Some(Event::Joined(peer))) => self.screen.joined(&peer),
            Ok(Some(Event::Left(peer))) => self.screen.left(&peer),
            Ok(Some(Event::Message(received))) => {
                let author = received.message.from();
                // Only signed messages are taken, and those have an author.
                if let Some(author) = author.and_then(|author| PeerId::from_bytes(author).ok()) {
                    let text = String::from_utf8_lossy(received.message.data());
                    self.screen.message(&author, &text);
                }
            }
            Ok(None) => return false,
            Err(Lagged(events)) => self.screen.lost(events),
        }
        true
    }
}
