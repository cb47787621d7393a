//! The receive window of a stream, which grows as fast as its reader and the round trip ask for.

use sinew_machine::Instant;
use std::time::Duration;

/// spec: yamux, Flow Control: every stream starts with a window of 256 KiB.
pub const INITIAL_WINDOW: u32 = 256 * 1024;

/// Credit is returned when half a window was read, and of a large one when this much was: the sender of one that is no
/// larger than its path holds would wait for the other half.
const RETURNED: u32 = 1 << 20;

/// A window that is half used within this many round trips is too small: the figure of other implementations.
const QUICK: u32 = 4;

/// A window that takes longer than this to be half used is larger than its reader needs.
const SLOW: Duration = Duration::from_secs(1);

/// How far windows may grow: asked before they do.
pub trait Memory: Send {
    /// Reserves as much of `bytes` in all for the growth of windows as is to be had, and says how much is reserved then.
    /// What was reserved before stays, and is given back when less is asked for.
    fn reserve(&mut self, bytes: u64) -> u64;
}

/// No bound but the caps of the configuration.
#[derive(Clone, Copy, Default, Debug)]
pub struct Unbounded;

impl Memory for Unbounded {
    fn reserve(&mut self, bytes: u64) -> u64 {
        bytes
    }
}

/// What the remote may send on a stream.
#[derive(Debug)]
pub(crate) struct Window {
    size: u32,
    credit: u32,
    epoch: Instant,
}

/// How a window should change before it is replenished.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Tuning {
    Keep,
    Grow,
    Shrink,
}

impl Window {
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            size: INITIAL_WINDOW,
            credit: INITIAL_WINDOW,
            epoch: now,
        }
    }

    /// What the remote may still send.
    pub(crate) fn credit(&self) -> u32 {
        self.credit
    }

    /// The remote sends `length` bytes, which it was checked to be allowed.
    pub(crate) fn spend(&mut self, length: u32) {
        self.credit = self.credit.saturating_sub(length);
    }

    /// Whether so much was read that the remote should hear of it. Credit for `unread` bytes is not returned.
    pub(crate) fn is_due(&self, unread: usize) -> bool {
        self.missing(unread) >= (self.size / 2).min(RETURNED)
    }

    /// Whether the window fits how fast it was used since it was last replenished.
    pub(crate) fn tuning(&self, now: Instant, rtt: Option<Duration>, unread: usize) -> Tuning {
        // The time that half of it would take at this pace.
        let half = (now - self.epoch) * (self.size / 2) / self.missing(unread).max(1);
        // More room is of no use to a reader who is behind. What one read of the socket brings is no sign of that.
        let keeps_up = unread < (self.size / 4).max(INITIAL_WINDOW) as usize;
        if keeps_up && rtt.is_some_and(|rtt| half < rtt * QUICK) {
            return Tuning::Grow;
        }
        if half > SLOW && self.size > INITIAL_WINDOW {
            Tuning::Shrink
        } else {
            Tuning::Keep
        }
    }

    /// The size after growing, at most `cap`.
    pub(crate) fn grown(&self, cap: u32) -> u32 {
        self.size.saturating_mul(2).min(cap.max(self.size))
    }

    /// A window shrinks by being replenished less: granted credit stays. The first window is a promise.
    pub(crate) fn set_size(&mut self, size: u32) {
        self.size = size.max(INITIAL_WINDOW);
    }

    pub(crate) fn size(&self) -> u32 {
        self.size
    }

    /// Returns the credit that is missing, for the remote to be told.
    pub(crate) fn replenish(&mut self, now: Instant, unread: usize) -> u32 {
        let delta = self.missing(unread);
        self.credit += delta;
        self.epoch = now;
        delta
    }

    fn missing(&self, unread: usize) -> u32 {
        let unread = u32::try_from(unread).unwrap_or(u32::MAX);
        self.size.saturating_sub(self.credit).saturating_sub(unread)
    }
}

#[cfg(test)]
mod tests {
    use super::{INITIAL_WINDOW, RETURNED, Tuning, Window};
    use sinew_machine::Instant;
    use std::time::Duration;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn half_a_window_is_returned_at_once() {
        let mut window = Window::new(Instant::ZERO);
        window.spend(INITIAL_WINDOW / 2 - 1);
        assert!(!window.is_due(0));
        window.spend(1);
        assert!(
            window.is_due(0) && !window.is_due(1),
            "unread bytes earn no credit"
        );
        assert_eq!(window.replenish(Instant::ZERO, 0), INITIAL_WINDOW / 2);
        assert_eq!(window.credit(), INITIAL_WINDOW);
    }

    fn half_used(size: u32) -> Window {
        let mut window = Window::new(Instant::ZERO);
        window.set_size(size);
        window.replenish(Instant::ZERO, 0);
        window.spend(size / 2);
        window
    }

    #[test]
    fn quick_readers_get_more_and_slow_ones_less() {
        let window = half_used(INITIAL_WINDOW);
        let tuning =
            |window: &Window, ms: u32, rtt: Option<Duration>| window.tuning(Instant::ZERO + MS * ms, rtt, 0);
        assert_eq!(tuning(&window, 1, None), Tuning::Keep, "unknown round trip");
        assert_eq!(tuning(&window, 3, Some(MS)), Tuning::Grow);
        assert_eq!(tuning(&window, 4, Some(MS)), Tuning::Keep);
        assert_eq!(
            tuning(&window, 2000, Some(MS)),
            Tuning::Keep,
            "never below the promise"
        );
        assert_eq!(window.grown(u32::MAX), 2 * INITIAL_WINDOW);
        assert_eq!(window.grown(INITIAL_WINDOW + 1), INITIAL_WINDOW + 1);
        assert_eq!(
            tuning(&half_used(2 * INITIAL_WINDOW), 2000, Some(MS)),
            Tuning::Shrink
        );
    }

    #[test]
    fn the_pace_counts_and_not_how_much_was_used() {
        let mut window = half_used(8 * RETURNED);
        window.credit += 3 * RETURNED;
        assert!(window.is_due(0), "a mebibyte of eight");
        // Half of it would take four milliseconds.
        assert_eq!(window.tuning(Instant::ZERO + MS, Some(MS), 0), Tuning::Keep);
        assert_eq!(window.tuning(Instant::ZERO + MS, Some(MS * 2), 0), Tuning::Grow);
    }

    #[test]
    fn a_reader_that_is_behind_gets_no_more() {
        let window = half_used(16 * INITIAL_WINDOW);
        let behind = 4 * INITIAL_WINDOW as usize;
        assert!(window.is_due(behind));
        assert_eq!(window.tuning(Instant::ZERO, Some(MS), behind), Tuning::Keep);
        assert_eq!(window.tuning(Instant::ZERO, Some(MS), behind - 1), Tuning::Grow);
    }

    #[test]
    fn granted_credit_outlives_a_smaller_window() {
        let mut window = half_used(4 * INITIAL_WINDOW);
        window.set_size(INITIAL_WINDOW);
        assert_eq!(window.credit(), 2 * INITIAL_WINDOW);
        assert_eq!(window.replenish(Instant::ZERO, 0), 0);
        assert_eq!(window.credit(), 2 * INITIAL_WINDOW);
        window.spend(2 * INITIAL_WINDOW);
        assert_eq!(window.replenish(Instant::ZERO, 0), INITIAL_WINDOW);
    }
}
