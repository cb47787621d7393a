//! The sized dialect of `/perf/1.0.0`, as rust-libp2p's own program of the official suite has it: the client names upload
//! and download before it uploads.

use std::{
    env,
    error::Error,
    io,
    time::{Duration, Instant},
};

use futures::{AsyncReadExt, AsyncWriteExt, StreamExt};
use libp2p::{PeerId, Stream, StreamProtocol, Swarm};
use libp2p_stream::Control;
use tokio::time::timeout;

use crate::contract::Behaviour;

type Failure = Box<dyn Error>;

const PERF: StreamProtocol = StreamProtocol::new("/perf/1.0.0");

/// How long one transfer may take.
const LIMIT: Duration = Duration::from_secs(60);

/// Bytes read or written at once.
const CHUNK: usize = 64 * 1024;

/// Serves measurements, one after the other.
pub fn serve(mut control: Control) -> Result<(), Failure> {
    let mut incoming = control.accept(PERF)?;
    tokio::spawn(async move {
        while let Some((_, stream)) = incoming.next().await {
            match timeout(LIMIT, answer(stream)).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => eprintln!("perf: {error}"),
                Err(_) => eprintln!("perf: took too long"),
            }
        }
    });
    Ok(())
}

async fn answer(mut stream: Stream) -> io::Result<()> {
    let mut header = [0; 16];
    stream.read_exact(&mut header).await?;
    let (upload, download) = header.split_at(8);
    let number = |bytes: &[u8]| {
        bytes
            .iter()
            .fold(0, |number, byte| number << 8 | u64::from(*byte))
    };
    let received = drain(&mut stream, number(upload)).await?;
    if received < number(upload) {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    send(&mut stream, number(download)).await?;
    stream.close().await
}

/// Runs the three series and prints what came of them.
pub async fn measure(mut swarm: Swarm<Behaviour>, peer: PeerId) -> Result<(), Failure> {
    let control = swarm.behaviour().streams.new_control();
    tokio::select! {
        measured = all_series(control, peer) => measured,
        _ = async { loop { swarm.select_next_some().await; } } => Ok(()),
    }
}

async fn all_series(control: Control, peer: PeerId) -> Result<(), Failure> {
    let (up, down) = (number("UPLOAD_BYTES", 1 << 30), number("DOWNLOAD_BYTES", 1 << 30));
    let gigabits = |bytes: u64, times: Vec<Duration>| {
        let bits = bytes as f64 * 8.0;
        times.iter().map(|time| bits / time.as_secs_f64() / 1e9).collect()
    };
    let upload = series(&control, peer, number("UPLOAD_ITERATIONS", 10), (up, 0)).await?;
    let download = series(&control, peer, number("DOWNLOAD_ITERATIONS", 10), (0, down)).await?;
    let latency = series(&control, peer, number("LATENCY_ITERATIONS", 100), (1, 1)).await?;
    let millis = latency.iter().map(|time| time.as_secs_f64() * 1000.0).collect();
    print!("upload:\n{}", statistics(gigabits(up, upload), 2, "Gbps"));
    print!("download:\n{}", statistics(gigabits(down, download), 2, "Gbps"));
    print!("latency:\n{}", statistics(millis, 3, "ms"));
    Ok(())
}

/// How long each of so many transfers took.
async fn series(
    control: &Control,
    peer: PeerId,
    count: u64,
    (up, down): (u64, u64),
) -> Result<Vec<Duration>, Failure> {
    let mut times = Vec::new();
    for _ in 0..count {
        let start = Instant::now();
        timeout(LIMIT, transfer(control.clone(), peer, up, down)).await??;
        times.push(start.elapsed());
    }
    Ok(times)
}

async fn transfer(mut control: Control, peer: PeerId, upload: u64, download: u64) -> Result<(), Failure> {
    let mut stream = control.open_stream(peer, PERF).await?;
    stream
        .write_all(&[upload.to_be_bytes(), download.to_be_bytes()].concat())
        .await?;
    send(&mut stream, upload).await?;
    stream.close().await?;
    match drain(&mut stream, u64::MAX).await? {
        received if received == download => Ok(()),
        received => Err(format!("{received} bytes came where {download} were asked for").into()),
    }
}

async fn send(stream: &mut Stream, count: u64) -> io::Result<()> {
    let zeros = vec![0; CHUNK];
    let mut left = count;
    while left > 0 {
        let length = usize::try_from(left).map_or(CHUNK, |left| left.min(CHUNK));
        stream.write_all(&zeros[..length]).await?;
        left -= length as u64;
    }
    stream.flush().await
}

/// Reads so many bytes, or to the end.
async fn drain(stream: &mut Stream, count: u64) -> io::Result<u64> {
    let mut buffer = vec![0; CHUNK];
    let mut received = 0;
    while received < count {
        let length = usize::try_from(count - received).map_or(CHUNK, |left| left.min(CHUNK));
        match stream.read(&mut buffer[..length]).await? {
            0 => break,
            read => received += read as u64,
        }
    }
    Ok(received)
}

/// A number from the environment; the suite sets some to `null`.
fn number(name: &str, otherwise: u64) -> u64 {
    let value = env::var(name).ok();
    value.and_then(|value| value.parse().ok()).unwrap_or(otherwise)
}

/// Quartiles, and the extremes of what lies within one and a half times their distance.
fn statistics(mut samples: Vec<f64>, decimals: usize, unit: &str) -> String {
    samples.sort_by(f64::total_cmp);
    let [q1, median, q3] = [0.25, 0.5, 0.75].map(|share| quantile(&samples, share));
    let reach = 1.5 * (q3 - q1);
    let (inner, outliers): (Vec<f64>, Vec<f64>) = samples
        .iter()
        .partition(|sample| (q1 - reach..=q3 + reach).contains(*sample));
    let list = |values: &[f64]| {
        let texts: Vec<_> = values.iter().map(|value| format!("{value:.decimals$}")).collect();
        texts.join(", ")
    };
    format!(
        "  iterations: {}\n  min: {:.decimals$}\n  q1: {q1:.decimals$}\n  median: {median:.decimals$}\n  \
         q3: {q3:.decimals$}\n  max: {:.decimals$}\n  outliers: [{}]\n  samples: [{}]\n  unit: {unit}\n",
        samples.len(),
        inner[0],
        inner[inner.len() - 1],
        list(&outliers),
        list(&samples),
    )
}

fn quantile(sorted: &[f64], share: f64) -> f64 {
    let place = share * (sorted.len() - 1) as f64;
    let (below, above) = (sorted[place.floor() as usize], sorted[place.ceil() as usize]);
    below + (above - below) * place.fract()
}
