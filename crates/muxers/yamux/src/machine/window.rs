//! The receive window of a stream, which grows as fast as its reader and the round trip ask for.

use sinew_machine::Instant;
use std::time::Duration;

/// spec: yamux, Flow Control: every stream starts with a window of 256 KiB.
pub const INITIAL_WINDOW: u32 = 256 * 1024;

/// A window that is half used within this many round trips is too small: the figure of other implementations.
const QUICK: u32 = 4;

/// A window that takes longer than this to be half used is larger than its reader needs.
const SLOW: Duration = Duration::from_secs(1);

/// How far a window may grow: asked before it does.
pub trait Memory: Send {
    /// Reserves `bytes` in all for the growth of windows. `false`: they are not to be had, and what was
    /// reserved before still is. Shrinking never fails.
    fn reserve(&mut self, bytes: u64) -> bool;
}

/// No bound but the caps of the configuration.
#[derive(Clone, Copy, Default, Debug)]
pub struct Unbounded;

impl Memory for Unbounded {
    fn reserve(&mut self, _: u64) -> bool {
        true
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
        self.missing(unread) >= self.size / 2
    }

    /// Whether the window fits how fast it was used since it was last replenished.
    pub(crate) fn tuning(&self, now: Instant, rtt: Option<Duration>) -> Tuning {
        let took = now - self.epoch;
        if rtt.is_some_and(|rtt| took < rtt * QUICK) {
            return Tuning::Grow;
        }
        if took > SLOW && self.size > INITIAL_WINDOW {
            Tuning::Shrink
        } else {
            Tuning::Keep
        }
    }

    /// The size after growing, at most `cap`.
    pub(crate) fn grown(&self, cap: u32) -> u32 {
        self.size.saturating_mul(2).min(cap.max(self.size))
    }

    pub(crate) fn set_size(&mut self, size: u32) {
        self.size = size.max(INITIAL_WINDOW);
    }

    pub(crate) fn size(&self) -> u32 {
        self.size
    }

    /// Half the size: the window shrinks by being replenished less, granted credit stays.
    pub(crate) fn shrink(&mut self) {
        self.set_size(self.size / 2);
    }

    /// Returns the credit that is missing, for the remote to be told.
    pub(crate) fn replenish(&mut self, now: Instant, unread: usize) -> u32 {
        let delta = self.missing(unread);
        self.credit += delta;
        self.epoch = now;
        delta
    }

    /// What the window holds or allows beyond the first 256 KiB.
    pub(crate) fn growth(&self, unread: usize) -> u64 {
        let unread = u64::try_from(unread).unwrap_or(u64::MAX);
        let promised = u64::from(self.credit).saturating_add(unread);
        promised
            .max(u64::from(self.size))
            .saturating_sub(u64::from(INITIAL_WINDOW))
    }

    fn missing(&self, unread: usize) -> u32 {
        let unread = u32::try_from(unread).unwrap_or(u32::MAX);
        self.size.saturating_sub(self.credit).saturating_sub(unread)
    }
}

#[cfg(test)]
mod tests {
    use super::{INITIAL_WINDOW, Tuning, Window};
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

    #[test]
    fn quick_readers_get_more_and_slow_ones_less() {
        let mut window = Window::new(Instant::ZERO);
        assert_eq!(
            window.tuning(Instant::ZERO + MS, None),
            Tuning::Keep,
            "unknown round trip"
        );
        assert_eq!(window.tuning(Instant::ZERO + MS * 3, Some(MS)), Tuning::Grow);
        assert_eq!(window.tuning(Instant::ZERO + MS * 4, Some(MS)), Tuning::Keep);
        assert_eq!(
            window.tuning(Instant::ZERO + MS * 2000, Some(MS)),
            Tuning::Keep,
            "never below the promise"
        );
        window.set_size(window.grown(u32::MAX));
        assert_eq!(window.size(), 2 * INITIAL_WINDOW);
        assert_eq!(window.grown(3 * INITIAL_WINDOW), 3 * INITIAL_WINDOW);
        assert_eq!(window.tuning(Instant::ZERO + MS * 2000, Some(MS)), Tuning::Shrink);
    }

    #[test]
    fn granted_credit_outlives_a_smaller_window() {
        let mut window = Window::new(Instant::ZERO);
        window.set_size(4 * INITIAL_WINDOW);
        window.replenish(Instant::ZERO, 0);
        assert_eq!(window.growth(0), u64::from(3 * INITIAL_WINDOW));
        window.shrink();
        assert_eq!(window.credit(), 4 * INITIAL_WINDOW);
        assert_eq!(
            window.growth(0),
            u64::from(3 * INITIAL_WINDOW),
            "still promised, still reserved"
        );
        window.spend(3 * INITIAL_WINDOW);
        assert_eq!(window.growth(0), u64::from(INITIAL_WINDOW));
    }
}
