//! The client's side: prepares a case, waits for a line, measures, and stays until standard input ends.

use crate::{
    BenchError, Case, Connection, Node, Service,
    args::ClientArgs,
    bulk,
    control::{self, Input},
    dial,
    figures::Figures,
    mixed, request,
};
use std::{mem::take, sync::Arc, time::Duration};

/// What stands before the clock runs.
enum Prepared<N: Node> {
    /// A connection that has served a request: what a node makes once is made.
    One(N, Arc<N::Connection>),
    /// Nodes that dial when the clock runs, after one that has: what the server makes once is made.
    Many(Vec<N>),
}

/// Runs the case.
pub(crate) async fn run<N: Node>(args: &ClientArgs) -> Result<(), BenchError> {
    let (warm, mut prepared) = prepare::<N>(args).await?;
    let mut input = Input::new();
    control::prepared(N::LIBRARY);
    // Without anybody who writes lines, it begins at once.
    input.line().await?;
    let (figures, staying) = measure(args, &mut prepared).await?;
    control::result(&figures)?;
    let (nodes, connections): (Vec<N>, Vec<Arc<N::Connection>>) = staying.into_iter().unzip();
    if args.case == Case::Scale && input.line().await? {
        let time = Duration::from_secs_f64(args.seconds);
        control::result(&request::paced(&connections, time).await?)?;
    }
    while input.line().await? {}
    // What ends a node is no part of a measurement.
    drop((warm, nodes, connections, prepared));
    Ok(())
}

type Staying<N> = Vec<(N, Arc<<N as Node>::Connection>)>;

/// Makes the nodes, and a first connection, which stays where connections are to be counted.
async fn prepare<N: Node>(args: &ClientArgs) -> Result<(Staying<N>, Prepared<N>), BenchError> {
    let first = N::dialer(&args.stack).await?;
    let connection = first.dial(&args.addr).await?;
    request::ask(&connection).await?;
    if matches!(args.case, Case::BulkUp | Case::BulkDown | Case::Rr | Case::Mixed) {
        return Ok((Vec::new(), Prepared::One(first, Arc::new(connection))));
    }
    let mut nodes = Vec::with_capacity(args.streams);
    for _ in 0..args.streams {
        nodes.push(N::dialer(&args.stack).await?);
    }
    let warm = match args.case {
        Case::Idle | Case::Traffic | Case::Scale => vec![(first, Arc::new(connection))],
        _ => {
            connection.close().await?;
            Vec::new()
        }
    };
    Ok((warm, Prepared::Many(nodes)))
}

async fn measure<N: Node>(
    args: &ClientArgs,
    prepared: &mut Prepared<N>,
) -> Result<(Figures, Staying<N>), BenchError> {
    let (time, streams) = (Duration::from_secs_f64(args.seconds), args.streams);
    let figures = match (args.case, prepared) {
        (Case::Rr, Prepared::One(_, connection)) => request::run(connection.clone(), streams, time).await?,
        (Case::Mixed, Prepared::One(_, connection)) => mixed::run(connection.clone(), streams, time).await?,
        (Case::BulkDown, Prepared::One(_, connection)) => {
            bulk::run(connection.clone(), Service::Source, streams, time).await?
        }
        (_, Prepared::One(_, connection)) => {
            bulk::run(connection.clone(), Service::Sink, streams, time).await?
        }
        (case @ (Case::Idle | Case::Traffic | Case::Scale), Prepared::Many(nodes)) => {
            return dial::and_stay(take(nodes), &args.addr, case == Case::Traffic).await;
        }
        (case, Prepared::Many(nodes)) => {
            let (figures, kept) =
                dial::again_and_again(take(nodes), &args.addr, case == Case::FirstByte, time).await?;
            *nodes = kept;
            figures
        }
    };
    Ok((figures, Vec::new()))
}
