//! What scopes count: resources, connections and streams by their direction.

use sinew_core::Resource;
use sinew_machine::Direction;
use std::{
    fmt,
    ops::{Index, IndexMut},
};

/// One thing that is counted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Meter {
    Connections(Direction),
    Streams(Direction),
    Memory,
    Descriptors,
}

impl Meter {
    pub(crate) const ALL: [Self; 6] = [
        Self::Connections(Direction::Inbound),
        Self::Connections(Direction::Outbound),
        Self::Streams(Direction::Inbound),
        Self::Streams(Direction::Outbound),
        Self::Memory,
        Self::Descriptors,
    ];

    /// Its place in [`Meter::ALL`].
    pub(crate) fn index(self) -> usize {
        match self {
            Self::Connections(Direction::Inbound) => 0,
            Self::Connections(Direction::Outbound) => 1,
            Self::Streams(Direction::Inbound) => 2,
            Self::Streams(Direction::Outbound) => 3,
            Self::Memory => 4,
            Self::Descriptors => 5,
        }
    }

    pub(crate) fn resource(self) -> Resource {
        match self {
            Self::Connections(_) => Resource::Connections,
            Self::Streams(_) => Resource::Streams,
            Self::Memory => Resource::Memory,
            Self::Descriptors => Resource::Descriptors,
        }
    }

    pub(crate) fn direction(self) -> Option<Direction> {
        match self {
            Self::Connections(direction) | Self::Streams(direction) => Some(direction),
            Self::Memory | Self::Descriptors => None,
        }
    }
}

impl fmt::Display for Meter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(direction) = self.direction() {
            write!(f, "{direction} ")?;
        }
        f.write_str(self.resource().name())
    }
}

/// An amount of each.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(crate) struct Amounts([u64; Meter::ALL.len()]);

impl Index<Meter> for Amounts {
    type Output = u64;

    fn index(&self, meter: Meter) -> &u64 {
        &self.0[meter.index()]
    }
}

impl IndexMut<Meter> for Amounts {
    fn index_mut(&mut self, meter: Meter) -> &mut u64 {
        &mut self.0[meter.index()]
    }
}
