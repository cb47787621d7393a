//! Small whole programs, each one thing.
