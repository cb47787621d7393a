//! Conformance suites that every transport, secure upgrade and muxer passes.
