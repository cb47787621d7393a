//! From the addresses that are known to addresses of machines: names are resolved before anything is decided.

use super::{Key, progress::Progress};
use crate::{machine::policy::Origin, shared::Shared};
use futures_util::future::join_all;
use multiaddr::Multiaddr;
use sinew_core::{Attempt, AttemptError, ResolveError, Resolved};
use sinew_identity::PeerId;
use sinew_runtime::now;

/// An address without names.
pub(super) struct Found {
    pub(super) addr: Multiaddr,
    /// The address with a name that it was found under.
    pub(super) name: Option<Multiaddr>,
    pub(super) origin: Origin,
}

/// Resolves all addresses of a dial side by side.
pub(super) async fn look_up(shared: &Shared, key: &Key, progress: &Progress) -> Vec<Found> {
    let given = match (key.addrs.is_empty(), key.peer) {
        (true, Some(peer)) => shared.peerstore().addrs(&peer, now()),
        _ => key.addrs.clone(),
    };
    let each = given.into_iter().map(|addr| one(shared, key, addr, progress));
    join_all(each).await.into_iter().flatten().collect()
}

/// While a name is looked up, it stands in the report for what it leads to.
async fn one(shared: &Shared, key: &Key, addr: Multiaddr, progress: &Progress) -> Vec<Found> {
    if sinew_addr::dns_name(&addr).is_none() {
        let origin = if key.hearsay {
            Origin::Others
        } else {
            Origin::Application
        };
        return vec![Found {
            addr,
            name: None,
            origin,
        }];
    }
    // Who gave a name to the peerstore is not known.
    let origin = if key.is_told_where() {
        Origin::Name
    } else {
        Origin::Others
    };
    let step = progress.add(Attempt::new(addr.clone()));
    progress.start(step);
    match resolve(shared, key.peer, &addr).await {
        Ok(found) => {
            progress.replace(step);
            let name = |found| Found {
                addr: found,
                name: Some(addr.clone()),
                origin,
            };
            found.into_iter().map(name).collect()
        }
        Err(error) => {
            progress.end(step, Err(error));
            Vec::new()
        }
    }
}

/// Asks the resolver.
async fn resolve(
    shared: &Shared,
    peer: Option<PeerId>,
    addr: &Multiaddr,
) -> Result<Vec<Multiaddr>, AttemptError> {
    let resolver = shared.parts().resolver.as_ref();
    let resolver = resolver.ok_or_else(|| ResolveError::NoResolver(addr.clone()))?;
    // A dnsaddr that names its peer holds the addresses of others too; those are left out.
    let asked = match peer {
        Some(peer) => sinew_addr::join_peer(addr.clone(), &peer).unwrap_or_else(|_| addr.clone()),
        None => addr.clone(),
    };
    let found = resolver.resolve(&asked).await?;
    let fits = |Resolved { addr, name, .. }: Resolved| {
        let (addr, named) = sinew_addr::split_peer(&addr);
        let fits = named.is_none() || peer.is_none() || named == peer;
        fits.then(|| match name {
            Some(name) => sinew_addr::with_server_name(addr, &name),
            None => addr,
        })
    };
    let found: Vec<_> = found.into_iter().filter_map(fits).collect();
    if found.is_empty() {
        Err(ResolveError::NotFound(addr.to_string()).into())
    } else {
        Ok(found)
    }
}
