//! The growth of windows beyond the first: reserved before the remote hears of it.

use super::{connection::Connection, window::INITIAL_WINDOW};

impl<W> Connection<W> {
    /// Reserves what the window of `id` needs to have `size`, as far as it is to be had, and says what size that makes.
    ///
    /// What is no longer promised is given back first: a connection whose share has become smaller keeps to it as its streams
    /// are read.
    pub(crate) fn reserve_growth(&mut self, id: u32, size: u32) -> u32 {
        self.give_back_growth(id);
        let (had, wanted) = match self.streams.get(&id) {
            Some(stream) => (stream.growth, u64::from(size.saturating_sub(INITIAL_WINDOW))),
            None => return INITIAL_WINDOW,
        };
        if wanted > had {
            let others = self.growth - had;
            let most = self.config.max_growth.max(self.growth);
            self.growth = self.memory.reserve((others + wanted).min(most));
            let growth = self.growth - others;
            self.change(id, |stream| stream.growth = growth);
        }
        let growth = self.streams.get(&id).map_or(0, |stream| stream.growth);
        let most = u64::from(INITIAL_WINDOW) + growth;
        size.min(u32::try_from(most).unwrap_or(u32::MAX))
    }

    /// Gives back what of the growth of `id` the remote may no longer use.
    pub(crate) fn give_back_growth(&mut self, id: u32) {
        let Some(stream) = self.streams.get(&id) else {
            return;
        };
        let (had, promised) = (stream.growth, stream.promised_growth());
        if promised < had {
            self.growth = self.memory.reserve(self.growth - had + promised);
            self.change(id, |stream| stream.growth = promised);
        }
    }
}
