//! `sinew demo`: two nodes in two processes, and what they do together.

use crate::{
    args::Stack,
    error::{CliError, Kind},
    local,
    output::{Output, bytes, rate, time},
};
use clap::ValueEnum;
use serde::Deserialize;
use serde_json::{Value, json};
use sinew::{Keypair, identity::KeyFormat};
use std::{
    io::{self, Write},
    iter,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};
use tokio::{
    io::{AsyncBufReadExt, BufReader, Lines},
    process::{Child, ChildStdout, Command},
};

/// How long the demo waits for a line of one of its nodes.
const PATIENCE: Duration = Duration::from_secs(120);

/// A line of the dialling node.
#[derive(Deserialize, Debug)]
#[serde(tag = "event", rename_all = "snake_case")]
enum Line {
    Step {
        step: String,
        result: String,
        seconds: f64,
    },
    Moved {
        bytes: u64,
    },
    Sent {
        bytes: u64,
        sha256: String,
        seconds: f64,
    },
}

pub(crate) async fn run(size: u64, stacks: &[Stack], output: &Output) -> Result<(), CliError> {
    let mut signals = local::Signals::watch()?;
    let stacks = if stacks.is_empty() {
        &Stack::ALL[..]
    } else {
        stacks
    };
    tokio::select! {
        shown = show(size, stacks, output) => shown,
        // Letting go of the show ends its processes and removes its files.
        kind = signals.told() => Err(CliError::new(kind, "told to end")),
    }
}

async fn show(size: u64, stacks: &[Stack], output: &Output) -> Result<(), CliError> {
    let folder = Folder::new()?;
    output.tell("Two nodes, two processes, one connection, and the same job over each stack.\n");
    let parcel = Parcel::make(&folder.0, size, output).await?;
    let mut rows = Vec::new();
    for stack in stacks {
        let steps = over(*stack, &parcel, output).await?;
        rows.push(iter::once(stack.layers().to_owned()).chain(steps).collect());
    }
    output.tell("");
    output.table(
        &["stack", "connect", "ping", "identify", "1,000 streams", "file"],
        &rows,
    );
    output.say(
        &format!(
            "\nsha256 {}: what arrived is what was sent, each time",
            parcel.hash
        ),
        &json!({ "event": "done", "stacks": stacks.len(), "sha256": parcel.hash }),
    );
    Ok(())
}

/// What is sent, and by whom.
struct Parcel {
    folder: PathBuf,
    file: PathBuf,
    size: u64,
    hash: String,
    key: PathBuf,
    sender: Keypair,
}

impl Parcel {
    async fn make(folder: &Path, size: u64, output: &Output) -> Result<Self, CliError> {
        let (key, file, sender) = (
            folder.join("dialler.key"),
            folder.join("file.bin"),
            Keypair::generate(),
        );
        local::write_key(&sender, &key, KeyFormat::Protobuf)?;
        Ok(Self {
            hash: write_file(&file, size, output).await?,
            folder: folder.to_owned(),
            file,
            size,
            key,
            sender,
        })
    }
}

/// Two nodes over one stack, and what each step came to.
async fn over(stack: Stack, parcel: &Parcel, output: &Output) -> Result<Vec<String>, CliError> {
    let value = stack.to_possible_value().expect("no stack is hidden");
    let name = value.get_name();
    let inbox = parcel.folder.join(name);
    std::fs::create_dir(&inbox).map_err(|error| CliError::io("making a folder", error))?;
    let text = |path: &Path| path.display().to_string();
    let (dir, from) = (text(&inbox), parcel.sender.peer_id().to_string());
    let mut listener = Node::start(&["listen", "--stack", name, "--dir", &dir, "--from", &from])?;
    let addr = listener.address().await?;
    let (file, key) = (text(&parcel.file), text(&parcel.key));
    let mut dialling = Node::start(&["dial", "--stack", name, &addr, "--file", &file, "--key", &key])?;
    let processes = [&listener, &dialling].map(|node| node.child.id().unwrap_or_default());
    output.say(
        &format!(
            "{}: processes {} and {}, {addr}",
            stack.layers(),
            processes[0],
            processes[1]
        ),
        &json!({ "event": "stack", "stack": name, "addr": addr, "processes": processes }),
    );
    let steps = follow(&mut dialling, parcel, output).await?;
    listener.end().await?;
    let arrived = inbox.join("file.bin");
    check(&arrived, &parcel.hash, output).await?;
    std::fs::remove_file(&arrived).map_err(|error| CliError::io("removing what arrived", error))?;
    Ok(steps)
}

/// Follows the dialling node to its end.
async fn follow(node: &mut Node, parcel: &Parcel, output: &Output) -> Result<Vec<String>, CliError> {
    let (mut steps, bar) = (Vec::new(), output.bar(parcel.size, "moving a file"));
    while let Some(line) = node.line().await? {
        match serde_json::from_value::<Line>(line.clone()) {
            Ok(Line::Moved { bytes }) => bar.set_position(bytes),
            Ok(Line::Step {
                step,
                result,
                seconds,
            }) => {
                output.say(&format!("  {step}: {result}"), &line);
                steps.push(time(Duration::from_secs_f64(seconds)));
            }
            Ok(Line::Sent {
                bytes: sent,
                sha256,
                seconds,
            }) => {
                bar.finish_and_clear();
                let took = Duration::from_secs_f64(seconds);
                if sha256 != parcel.hash {
                    return Err(CliError::new(Kind::Local, "the file changed while it was sent"));
                }
                output.say(&format!("  file: {} moved", bytes(sent)), &line);
                steps.push(rate(sent, took));
            }
            Err(_) => return Err(said(&line)),
        }
    }
    let status = node
        .child
        .wait()
        .await
        .map_err(|error| CliError::io("waiting for the dialling node", error))?;
    if status.success() {
        Ok(steps)
    } else {
        Err(CliError::new(Kind::Remote, "the dialling node failed"))
    }
}

/// What a node said instead of what was expected.
fn said(line: &Value) -> CliError {
    let text = line
        .get("error")
        .and_then(Value::as_str)
        .map_or_else(|| line.to_string(), ToOwned::to_owned);
    CliError::new(Kind::Remote, text)
}

/// Reads the file at its destination again and compares.
async fn check(arrived: &Path, written: &str, output: &Output) -> Result<(), CliError> {
    let failed = |error| CliError::io("reading what arrived", error);
    let mut hash = sinew_crypto::Sha256::new();
    let mut file = std::fs::File::open(arrived).map_err(failed)?;
    let mut buffer = vec![0; 1 << 20];
    loop {
        match io::Read::read(&mut file, &mut buffer).map_err(failed)? {
            0 => break,
            read => hash.update(&buffer[..read]),
        }
        tokio::task::yield_now().await; // a signal is noticed here
    }
    let arrived = super::send::hex(&hash.finish());
    if arrived != *written {
        return Err(CliError::new(
            Kind::Remote,
            "the file that arrived is not the one that was sent",
        ));
    }
    output.say(
        "  checked: what arrived is what was sent",
        &json!({ "event": "checked", "sha256": arrived }),
    );
    Ok(())
}

/// Writes `size` bytes that do not compress, and gives their hash.
async fn write_file(path: &Path, size: u64, output: &Output) -> Result<String, CliError> {
    let failed = |error| CliError::io("writing the file to send (choose a smaller --size)", error);
    let bar = output.bar(size, "making a file");
    let mut file = std::fs::File::create_new(path).map_err(failed)?;
    let (mut hash, mut left, mut block) = (sinew_crypto::Sha256::new(), size, vec![0; 1 << 20]);
    while left > 0 {
        sinew_crypto::random(&mut block);
        let piece = &block[..usize::try_from(left.min(block.len() as u64)).expect("at most a block")];
        hash.update(piece);
        file.write_all(piece).map_err(failed)?;
        left -= piece.len() as u64;
        bar.inc(piece.len() as u64);
        tokio::task::yield_now().await; // a signal is noticed here
    }
    bar.finish_and_clear();
    Ok(super::send::hex(&hash.finish()))
}

/// One of the two nodes. Dropping it ends its process.
struct Node {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Node {
    fn start(args: &[&str]) -> Result<Self, CliError> {
        let failed = |error| CliError::io("starting a node", error);
        let mut command = Command::new(std::env::current_exe().map_err(failed)?);
        command
            .args(["--json", "demo-node"])
            .args(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true);
        let mut child = command.spawn().map_err(failed)?;
        let stdout = child.stdout.take().expect("it was asked for");
        Ok(Self {
            child,
            lines: BufReader::new(stdout).lines(),
        })
    }

    /// The next line; `None` at the end.
    async fn line(&mut self) -> Result<Option<Value>, CliError> {
        let line = tokio::time::timeout(PATIENCE, self.lines.next_line()).await;
        let line = line.map_err(|_| CliError::new(Kind::Remote, "a node said nothing for two minutes"))?;
        let Some(line) = line.map_err(|error| CliError::io("reading from a node", error))? else {
            return Ok(None);
        };
        serde_json::from_str(&line)
            .map(Some)
            .map_err(|_| CliError::new(Kind::Local, line))
    }

    /// The address that a node says it listens on.
    async fn address(&mut self) -> Result<String, CliError> {
        let line = self
            .line()
            .await?
            .ok_or_else(|| CliError::new(Kind::Local, "the listening node ended at once"))?;
        let addr = line.pointer("/addrs/0").and_then(Value::as_str);
        addr.map(ToOwned::to_owned).ok_or_else(|| said(&line))
    }

    /// Ends a listening node: it runs until its input ends.
    async fn end(mut self) -> Result<(), CliError> {
        drop(self.child.stdin.take());
        let ended = tokio::time::timeout(PATIENCE, self.child.wait()).await;
        let status = ended.map_err(|_| CliError::new(Kind::Local, "the listening node does not end"))?;
        let status = status.map_err(|error| CliError::io("waiting for the listening node", error))?;
        if status.success() {
            Ok(())
        } else {
            Err(CliError::new(Kind::Local, "the listening node failed"))
        }
    }
}

/// A folder of the demo; dropping it removes it.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Result<Self, CliError> {
        let path = std::env::temp_dir().join(format!("sinew-demo-{}", std::process::id()));
        std::fs::create_dir(&path)
            .map_err(|error| CliError::io(format!("making {}", path.display()), error))?;
        Ok(Self(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What is left is in the system's temporary folder.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
