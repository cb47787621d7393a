//! The crypto seam of Sinew: the one crate that names the cryptography backend.
