//! What socket transports of Sinew share: listening sockets, interface addresses, port reuse.
