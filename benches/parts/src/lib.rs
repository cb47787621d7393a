//! Benches of single parts, in `benches`: `cargo bench -p sinew-bench-parts`. There is no library.
