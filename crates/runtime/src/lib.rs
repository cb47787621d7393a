//! The only home of spawning, clocks and timers in Sinew.
