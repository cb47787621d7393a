//! The two nodes of `sinew demo`, each a process of its own.

use crate::{
    args::{DemoNode, Stack},
    error::{CliError, Kind},
    local,
    output::Output,
    transfer::{self, Admission, Receiver},
};
use futures_util::{StreamExt, TryStreamExt, stream};
use serde_json::json;
use sinew::{Connection, Host, HostBuilder, Keypair, Multiaddr, PeerId, Stream, addr};
use std::{
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::io::AsyncReadExt;

/// The protocol of the streams that are opened side by side.
const ECHO: &str = "/sinew/demo/echo/1.0.0";

/// Streams opened in all, and at once: within the default limits of the listener.
const STREAMS: usize = 1000;
const AT_ONCE: usize = 50;

/// Progress is told in steps of this many bytes.
const STEP: u64 = 4 << 20;

pub(crate) async fn run(command: DemoNode, output: &Output) -> Result<(), CliError> {
    match command {
        DemoNode::Listen { dir, from, stack } => listen(&dir, from, stack, output).await,
        DemoNode::Dial {
            addr,
            file,
            key,
            stack,
        } => dial(&addr, &file, (stack, &key), output).await,
    }
}

/// Serves until standard input ends.
async fn listen(dir: &Path, from: PeerId, stack: Stack, output: &Output) -> Result<(), CliError> {
    let (builder, ..) = stack.node(&Keypair::generate())?;
    let addr = addr::parse(stack.addr()).expect("the address is a constant");
    let host = start(builder.listen(addr)).await?;
    host.set_stream_handler(ECHO, echo)
        .map_err(|error| CliError::new(Kind::Local, "serving").because(error))?;
    let receiver = Arc::new(Receiver {
        admission: Admission::From(from),
        dir: super::receive::folder(dir)?,
        max_size: u64::MAX,
    });
    super::receive::serve(&host, receiver, *output)?;
    local::announce(&host, output);
    let mut nothing = Vec::new();
    // Whatever comes, and however it ends, it is the end.
    let _ = tokio::io::stdin().read_to_end(&mut nothing).await;
    host.shutdown(Duration::from_secs(3)).await;
    Ok(())
}

async fn start(builder: HostBuilder) -> Result<Host, CliError> {
    let started = builder.start().await;
    started.map_err(|error| CliError::new(Kind::Local, "starting the node").because(error))
}

async fn echo(mut stream: Stream) {
    while let Ok(Some(chunk)) = stream.read_chunk().await {
        if stream.write_chunk(chunk).await.is_err() {
            return;
        }
    }
    // The dialler may have gone; there is nobody to tell then.
    let _ = stream.finish().await;
}

async fn dial(
    addr: &Multiaddr,
    file: &Path,
    (stack, key): (Stack, &Path),
    output: &Output,
) -> Result<(), CliError> {
    let (builder, ping, identify) = stack.node(&local::read_key(key)?.keypair)?;
    let host = start(builder).await?;
    let connection = connect(&host, addr, output).await?;

    let started = Instant::now();
    let rtt = ping
        .ping_over(&connection)
        .await
        .map_err(|error| CliError::stack("ping", error))?;
    step(
        output,
        "ping",
        &format!("round trip {}", crate::output::time(rtt)),
        started,
    );

    let started = Instant::now();
    let them = identify
        .identify_on(&connection)
        .await
        .map_err(|error| CliError::stack("identify", error))?;
    let agent = them.agent_version.as_deref().unwrap_or("an unnamed agent");
    let protocols = them.protocols.as_ref().map_or(0, |all| all.len());
    step(
        output,
        "identify",
        &format!("{agent}, {protocols} protocols"),
        started,
    );

    let started = Instant::now();
    streams(&connection).await?;
    step(
        output,
        "streams",
        &format!("{STREAMS} echoes of 1 KiB, {AT_ONCE} at once"),
        started,
    );

    send(&connection, file, output).await?;
    host.shutdown(Duration::from_secs(1)).await;
    Ok(())
}

async fn connect(host: &Host, addr: &Multiaddr, output: &Output) -> Result<Connection, CliError> {
    let started = Instant::now();
    let connection = local::connect(host, addr).await?;
    let info = connection.info();
    let stack = [info.security.as_ref(), info.muxer.as_ref()]
        .into_iter()
        .flatten();
    let stack: Vec<_> = stack.map(ToString::to_string).collect();
    step(
        output,
        "connect",
        &format!("{} {}, to {}", info.transport, stack.join(" "), connection.peer()),
        started,
    );
    Ok(connection)
}

fn step(output: &Output, step: &str, result: &str, started: Instant) {
    let seconds = started.elapsed().as_secs_f64();
    output.say(
        step,
        &json!({ "event": "step", "step": step, "result": result, "seconds": seconds }),
    );
}

/// Opens many streams side by side, each an echo.
async fn streams(connection: &Connection) -> Result<(), CliError> {
    let each = (0..STREAMS).map(|number| one_echo(connection, number));
    stream::iter(each)
        .buffer_unordered(AT_ONCE)
        .try_collect::<()>()
        .await
}

async fn one_echo(connection: &Connection, number: usize) -> Result<(), CliError> {
    let lost = |error| CliError::new(Kind::Remote, "echo").because(error);
    let sent: Vec<u8> = (0..1024usize)
        .map(|at| (at.wrapping_mul(31) ^ number).to_le_bytes()[0])
        .collect();
    let mut stream = connection
        .open([ECHO])
        .await
        .map_err(|error| CliError::stack("opening a stream", error))?;
    stream.write_all(&sent).await.map_err(lost)?;
    stream.finish().await.map_err(lost)?;
    let back = stream.read_to_end(sent.len()).await.map_err(lost)?;
    if back == sent {
        Ok(())
    } else {
        Err(CliError::new(Kind::Remote, "an echo came back different"))
    }
}

async fn send(connection: &Connection, file: &Path, output: &Output) -> Result<(), CliError> {
    let (started, mut moved, mut told) = (Instant::now(), 0, 0);
    let tell = |piece: u64| {
        moved += piece;
        if moved - told >= STEP {
            told = moved;
            output.say("", &json!({ "event": "moved", "bytes": moved }));
        }
    };
    let (size, hash) = transfer::send(connection, file, None, tell).await?;
    let seconds = started.elapsed().as_secs_f64();
    let sha256 = super::send::hex(&hash);
    output.say(
        "",
        &json!({ "event": "sent", "bytes": size, "sha256": sha256, "seconds": seconds }),
    );
    Ok(())
}
