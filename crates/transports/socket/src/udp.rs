//! UDP sockets with the options that libp2p needs.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket},
};

use socket2::{Domain, Protocol, Socket, Type};

/// What may wait in the system for us to read it: 4 MiB. One socket serves all peers, and with the usual 208 KiB a
/// burst of strangers loses the packets of everybody else. Linux cuts this to `net.core.rmem_max`.
const RECEIVE_BUFFER: usize = 4 << 20;

/// Binds a socket to `addr`. An IPv6 socket takes no IPv4 packets, so both families can have one port; no other
/// socket can have the same.
///
/// # Errors
/// What the system says: the address is taken, not of this machine, or forbidden.
pub fn bind_udp(addr: SocketAddr) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::for_address(addr), Type::DGRAM, Some(Protocol::UDP))?;
    if addr.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    // With less it works too, only not so well under attack.
    if let Err(error) = socket.set_recv_buffer_size(RECEIVE_BUFFER) {
        tracing::debug!(%error, "the receive buffer of a UDP socket stays as it is");
    }
    socket.set_nonblocking(true)?;
    socket.bind(&addr.into())?;
    Ok(socket.into())
}

/// The address of this machine from which the system would send to `remote`. Nothing is sent.
///
/// # Errors
/// What the system says if it knows no way there.
pub fn source_ip(remote: SocketAddr) -> io::Result<IpAddr> {
    let any = match remote {
        SocketAddr::V4(_) => IpAddr::from(Ipv4Addr::UNSPECIFIED),
        SocketAddr::V6(_) => IpAddr::from(Ipv6Addr::UNSPECIFIED),
    };
    let socket = UdpSocket::bind(SocketAddr::new(any, 0))?;
    socket.connect(remote)?;
    Ok(socket.local_addr()?.ip())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_sends_and_receives_and_nobody_else_has_its_port() {
        let [ours, theirs] = std::array::from_fn(|_| bind_udp(([127, 0, 0, 1], 0).into()).unwrap());
        ours.send_to(b"x", theirs.local_addr().unwrap()).unwrap();
        theirs.set_nonblocking(false).unwrap();
        let (read, from) = theirs.recv_from(&mut [0; 8]).unwrap();
        assert_eq!((read, from), (1, ours.local_addr().unwrap()));
        let error = bind_udp(ours.local_addr().unwrap()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_receive_buffer_is_as_large_as_the_system_allows() {
        let largest: usize = std::fs::read_to_string("/proc/sys/net/core/rmem_max")
            .map(|text| text.trim().parse().expect("a number"))
            .unwrap_or_default();
        let socket = Socket::from(bind_udp(([127, 0, 0, 1], 0).into()).unwrap());
        // The system keeps its books in the same buffer, and tells twice of what was asked.
        assert!(socket.recv_buffer_size().unwrap() >= 2 * RECEIVE_BUFFER.min(largest));
    }

    #[test]
    fn both_families_have_one_port() {
        let Ok(six) = bind_udp("[::]:0".parse().unwrap()) else {
            return; // A machine without IPv6.
        };
        // Somebody else may have the port of the other family: a few tries.
        let shared = |socket: &UdpSocket| {
            let port = socket.local_addr().unwrap().port();
            bind_udp(([0, 0, 0, 0], port).into()).is_ok()
        };
        assert!(shared(&six) || (0..16).any(|_| shared(&bind_udp("[::]:0".parse().unwrap()).unwrap())));
    }

    #[test]
    fn the_way_to_this_machine_starts_at_it() {
        let here = IpAddr::from([127, 0, 0, 1]);
        assert_eq!(source_ip(SocketAddr::new(here, 9)).unwrap(), here);
    }
}
