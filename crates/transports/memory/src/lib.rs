//! An in-process transport for tests.
