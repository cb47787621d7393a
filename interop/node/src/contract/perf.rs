//! The perf suite: an upload, a download and a latency series, in whichever dialect of `/perf/1.0.0` the listener speaks.

use std::time::Duration;

use sinew::{
    Host, PeerId, identify,
    perf::{self, Amount, Perf, PerfError, Request},
};
use tokio::task::block_in_place;

use self::sized::transfer as transfer_sized;
use super::{
    Args, Environment, Failure, builder, connect, coordination,
    environment::{parsed, variable},
    published,
    statistics::Statistics,
    transport::print,
};

mod sized;

/// How long a listener may take for one byte.
const PROBE: Duration = Duration::from_secs(5);

/// What the series move, and how often.
struct Plan {
    upload_bytes: u64,
    download_bytes: u64,
    upload_iterations: u32,
    download_iterations: u32,
    latency_iterations: u32,
}

impl Plan {
    fn read(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, Failure> {
        Ok(Self {
            upload_bytes: parsed(lookup("UPLOAD_BYTES"), 1 << 30)?,
            download_bytes: parsed(lookup("DOWNLOAD_BYTES"), 1 << 30)?,
            upload_iterations: parsed(lookup("UPLOAD_ITERATIONS"), 10)?,
            download_iterations: parsed(lookup("DOWNLOAD_ITERATIONS"), 10)?,
            latency_iterations: parsed(lookup("LATENCY_ITERATIONS"), 100)?,
        })
    }
}

/// Listens, passes the address on, and serves until it is ended.
pub(super) async fn listen(environment: &Environment, args: &Args) -> Result<(), Failure> {
    let mut builder = builder(environment, args)?;
    builder.add(perf::Config::default());
    // Who is known sends a whole exchange in one flight.
    builder.add(identify::Config::default());
    let host = builder.start().await?;
    let addr = published(&host, environment).await?;
    block_in_place(|| coordination(environment)?.set(&addr))?;
    // Nobody tells how long the dialler measures.
    std::future::pending().await
}

/// Runs the three series and prints what came of them.
pub(super) async fn dial(environment: &Environment, args: &Args) -> Result<(), Failure> {
    let plan = Plan::read(variable)?;
    let mut builder = builder(environment, args)?;
    builder.add(identify::Config::default());
    let host = builder.start().await?;
    let addr = block_in_place(|| coordination(environment)?.get())?;
    let peer = connect(&host, &addr).await?;
    let meter = Meter::probe(host, peer).await?;
    let upload = meter.rates(plan.upload_iterations, plan.upload_bytes, 0).await?;
    let download = meter
        .rates(plan.download_iterations, 0, plan.download_bytes)
        .await?;
    let latency = meter.times(plan.latency_iterations, 1, 1).await?;
    print(&format!(
        "upload:\n{}download:\n{}latency:\n{}",
        Statistics::of(upload)?.yaml(2, "Gbps"),
        Statistics::of(download)?.yaml(2, "Gbps"),
        Statistics::of(latency.iter().map(|time| time.as_secs_f64() * 1000.0).collect())?.yaml(3, "ms"),
    ))?;
    Ok(())
}

/// Measures in the dialect that the listener has shown to speak.
struct Meter {
    host: Host,
    perf: Perf,
    peer: PeerId,
    is_sized: bool,
}

impl Meter {
    /// Asks for one byte as the specification has it: a listener of the sized dialect misses the second number, and fails.
    /// It may do so in silence: over mplex, rust-libp2p tells of a dropped stream only when something else is sent.
    async fn probe(host: Host, peer: PeerId) -> Result<Self, Failure> {
        let perf = Perf::new(host.clone());
        let request = Request::default().download(Amount::Bytes(1));
        let asked = perf.clone().stall(PROBE).run(peer, request, |_| ()).await;
        let is_sized = match asked {
            Ok(_) => false,
            Err(
                PerfError::Stream { .. } | PerfError::WrongLength { got: 0, .. } | PerfError::Stalled { .. },
            ) => true,
            Err(error) => return Err(error.into()),
        };
        Ok(Self {
            host,
            perf,
            peer,
            is_sized,
        })
    }

    /// How long each of so many transfers took, from the opening of its stream to its end.
    async fn times(&self, iterations: u32, upload: u64, download: u64) -> Result<Vec<Duration>, Failure> {
        let mut times = Vec::new();
        for _ in 0..iterations {
            times.push(self.transfer(upload, download).await?);
        }
        Ok(times)
    }

    /// Gigabits a second of each of so many transfers.
    async fn rates(&self, iterations: u32, upload: u64, download: u64) -> Result<Vec<f64>, Failure> {
        let bits = upload.max(download) as f64 * 8.0;
        let times = self.times(iterations, upload, download).await?;
        Ok(times.iter().map(|time| bits / time.as_secs_f64() / 1e9).collect())
    }

    async fn transfer(&self, upload: u64, download: u64) -> Result<Duration, Failure> {
        if self.is_sized {
            return transfer_sized(&self.host, self.peer, upload, download).await;
        }
        let request = Request::default()
            .upload(Amount::Bytes(upload))
            .download(Amount::Bytes(download));
        Ok(self.perf.run(self.peer, request, |_| ()).await?.total)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_the_suites() {
        let plan = Plan::read(|_| None).unwrap();
        assert_eq!((plan.upload_bytes, plan.download_bytes), (1 << 30, 1 << 30));
        let iterations = (
            plan.upload_iterations,
            plan.download_iterations,
            plan.latency_iterations,
        );
        assert_eq!(iterations, (10, 10, 100));
    }
}
