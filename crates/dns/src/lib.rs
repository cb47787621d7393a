//! Resolves the DNS names of multiaddrs, dnsaddr included.
