//! Resolves the names of addresses: `/dns`, `/dns4`, `/dns6`, and `/dnsaddr` with what it leads to.
//!
//! Follows the libp2p [addressing](https://github.com/libp2p/specs/blob/master/addressing/README.md) document ("IP and
//! Name Resolution", r0 of 2021-07-22). An [`Expansion`] decides what has to be looked up and what comes of it, without
//! looking anything up itself; [`DnsResolver`] asks the network, through hickory.
//!
//! ```
//! use sinew_dns::{Answer, Expansion, Limits, Question};
//!
//! let addr = "/dns4/example.org/tcp/4001".parse().unwrap();
//! let mut expansion = Expansion::new(&addr, Limits::default());
//! let (ticket, question) = expansion.question().unwrap();
//! assert_eq!(question, Question::Ip4("example.org".into()));
//! expansion.answer(ticket, Ok(Answer::Ips(vec![[192, 0, 2, 1].into()])));
//! let found = expansion.finish().unwrap();
//! assert_eq!(found[0].addr.to_string(), "/ip4/192.0.2.1/tcp/4001");
//! assert_eq!(found[0].name.as_deref(), Some("example.org"));
//! ```
//!
//! Whoever writes the records of a name can make a node look up other names, and dial. Depth, look-ups, records and
//! results are bounded ([`Limits`]).
//!
//! It deliberately neither ranks nor filters addresses (the host does), and checks no DNSSEC signatures: who answers at
//! an address proves itself in the handshake.

mod expansion;
mod limits;
mod lookup;
mod records;
mod resolver;
mod system;

pub use expansion::{Answer, Expansion, Question, Ticket};
pub use limits::Limits;
pub use lookup::Lookup;
pub use resolver::DnsResolver;
pub use system::{System, SystemError};
