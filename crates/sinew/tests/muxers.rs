//! Whole nodes with different muxers: they agree on one that both have, in the handshake of the security or after it.

#![cfg(all(feature = "noise", feature = "tcp", feature = "tls", feature = "yamux"))]

use sinew::{
    DialOptions, Host, Keypair, Node, ProtocolId, noise::Noise, tcp::TcpTransport, tls::Tls, yamux::Yamux,
};
use sinew_mplex::Mplex;
use std::{error::Error, time::Duration};

const YAMUX: &str = "/yamux/1.0.0";
const MPLEX: &str = "/mplex/6.7.0";

/// A node that listens, with one security and these muxers, best first.
async fn node(with_tls: bool, muxers: &[&str]) -> Result<Host, Box<dyn Error>> {
    let key = Keypair::generate();
    let bare = Node::bare(key.clone()).transport(TcpTransport::new());
    let secure = match with_tls {
        true => bare.security(Tls::new(&key)?),
        false => bare.security(Noise::new(&key)?),
    };
    let complete = muxers.iter().fold(secure, |builder, name| match *name {
        YAMUX => builder.muxer(Yamux::default()),
        _ => builder.muxer(Mplex::default()),
    });
    Ok(complete.listen("/ip4/127.0.0.1/tcp/0".parse()?).start().await?)
}

/// A node that has both meets those that have one of them, whoever dials.
#[tokio::test]
async fn the_muxer_is_one_that_both_have() -> Result<(), Box<dyn Error>> {
    for with_tls in [true, false] {
        for (dialler, listener, wanted) in [
            (&[MPLEX][..], &[YAMUX, MPLEX][..], MPLEX),
            (&[YAMUX, MPLEX], &[MPLEX], MPLEX),
            (&[YAMUX], &[MPLEX, YAMUX], YAMUX),
            (&[YAMUX, MPLEX], &[YAMUX, MPLEX], YAMUX),
        ] {
            let (from, to) = (node(with_tls, dialler).await?, node(with_tls, listener).await?);
            let addr = to.listen_addrs().remove(0);
            let connection = from.dial(addr, DialOptions::default()).await?;
            let info = connection.info();
            let muxer = info.muxer.as_ref().map(ProtocolId::as_str);
            assert_eq!(muxer, Some(wanted), "{dialler:?} {listener:?}");
            // Over Noise a listener that has several cannot say so in time.
            assert_eq!(info.early_muxer, with_tls || listener.len() == 1);
            from.shutdown(Duration::ZERO).await;
            to.shutdown(Duration::ZERO).await;
        }
    }
    Ok(())
}
