//! TCP sockets with the options that libp2p needs.

use std::{io, net::SocketAddr};

use socket2::{Domain, Protocol, SockRef, Socket, Type};
use tokio::net::{TcpListener, TcpSocket, TcpStream};

/// Connections that the system completes before we accept them. A burst of dials must not meet a full queue: a lost
/// SYN costs its dialler a second. Linux cuts this to `net.core.somaxconn`, which is 4,096 by default.
const BACKLOG: i32 = 4096;

/// Listens on `addr`. The port can afterwards be dialled from ([`TcpDial::From`]). An IPv6 socket takes no IPv4
/// connections, so both families can listen on one port.
///
/// # Errors
/// What the system says: the address is taken, not of this machine, or forbidden.
///
/// # Panics
/// Outside a tokio runtime.
pub fn listen_tcp(addr: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(addr), Type::STREAM, Some(Protocol::TCP))?;
    if addr.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    // A port whose last connections are still fading away is free. On Windows that is so without the option, which
    // means something else there.
    #[cfg(not(windows))]
    socket.set_reuse_address(true)?;
    if !REUSE_PORT_LATE {
        reuse_port(&SockRef::from(&socket))?;
    }
    socket.bind(&addr.into())?;
    socket.listen(BACKLOG)?;
    if REUSE_PORT_LATE {
        reuse_port(&SockRef::from(&socket))?;
    }
    socket.set_nonblocking(true)?;
    TcpListener::from_std(socket.into())
}

/// Linux looks at the option of both sockets when the second one is bound. Setting it only once the listener is bound
/// lets diallers share the port, and still refuses a second listener, which would take half of the connections.
const REUSE_PORT_LATE: bool = cfg!(any(target_os = "linux", target_os = "android"));

/// Lets other sockets of this user have the port too, so that it can be dialled from while it is listened on.
#[cfg(all(unix, not(any(target_os = "solaris", target_os = "illumos"))))]
fn reuse_port(socket: &SockRef<'_>) -> io::Result<()> {
    socket.set_reuse_port(true)
}

#[cfg(not(all(unix, not(any(target_os = "solaris", target_os = "illumos")))))]
fn reuse_port(_: &SockRef<'_>) -> io::Result<()> {
    Ok(())
}

/// Which local port a dial comes from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TcpDial {
    /// One that the system picks.
    Fresh,
    /// The port of this listening socket.
    From(SocketAddr),
}

impl TcpDial {
    /// Connects to `remote`.
    ///
    /// # Errors
    /// What the system or the network says; [`io::ErrorKind::AddrInUse`] or [`io::ErrorKind::AddrNotAvailable`] if
    /// the port cannot be used for this remote, for instance because a connection between the two addresses exists.
    ///
    /// # Cancel safety
    /// Dropping the future gives up the attempt and closes the socket.
    pub async fn connect(self, remote: SocketAddr) -> io::Result<TcpStream> {
        let socket = if remote.is_ipv4() {
            TcpSocket::new_v4()?
        } else {
            TcpSocket::new_v6()?
        };
        if let Self::From(local) = self {
            #[cfg(not(windows))]
            socket.set_reuseaddr(true)?;
            reuse_port(&SockRef::from(&socket))?;
            socket.bind(local)?;
        }
        let stream = socket.connect(remote).await?;
        // A socket that dials the port it is bound to finds itself, listener or not.
        if stream.local_addr()? == remote {
            return Err(io::ErrorKind::AddrNotAvailable.into());
        }
        Ok(stream)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn loopback(port: u16) -> SocketAddr {
        ([127, 0, 0, 1], port).into()
    }

    #[tokio::test]
    async fn a_listening_port_can_be_dialled_from() {
        let ours = listen_tcp(loopback(0)).unwrap();
        let theirs = listen_tcp(loopback(0)).unwrap();
        let local = ours.local_addr().unwrap();
        let stream = TcpDial::From(local)
            .connect(theirs.local_addr().unwrap())
            .await
            .unwrap();
        assert_eq!(stream.local_addr().unwrap(), local);
        let second = TcpDial::From(local).connect(theirs.local_addr().unwrap()).await;
        let kind = second.unwrap_err().kind();
        assert!(
            matches!(kind, io::ErrorKind::AddrInUse | io::ErrorKind::AddrNotAvailable),
            "{kind:?}"
        );
        let fresh = TcpDial::Fresh
            .connect(theirs.local_addr().unwrap())
            .await
            .unwrap();
        assert_ne!(fresh.local_addr().unwrap(), local);
    }

    #[tokio::test]
    async fn a_socket_never_connects_to_itself() {
        let ours = listen_tcp(loopback(0)).unwrap();
        let local = ours.local_addr().unwrap();
        let error = TcpDial::From(local).connect(local).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AddrNotAvailable);
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn a_taken_port_is_refused() {
        let ours = listen_tcp(loopback(0)).unwrap();
        let error = listen_tcp(ours.local_addr().unwrap()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
    }

    #[tokio::test]
    async fn a_port_is_free_again_although_its_connections_fade_away() {
        let ours = listen_tcp(loopback(0)).unwrap();
        let local = ours.local_addr().unwrap();
        let dialled = TcpDial::Fresh.connect(local).await.unwrap();
        // Whoever closes first keeps the address for a while.
        drop(ours.accept().await.unwrap());
        drop(ours);
        drop(dialled);
        listen_tcp(local).unwrap();
    }

    #[tokio::test]
    async fn both_families_listen_on_one_port() {
        let wildcard = "[::]:0".parse().unwrap();
        if listen_tcp(wildcard).is_err() {
            return; // A machine without IPv6.
        }
        // Somebody else may have the port of the other family: a few tries.
        let both = (0..16).any(|_| {
            let six = listen_tcp(wildcard).unwrap();
            let port = six.local_addr().unwrap().port();
            listen_tcp(([0, 0, 0, 0], port).into()).is_ok()
        });
        assert!(both);
    }
}
