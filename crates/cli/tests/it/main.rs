//! The `sinew` command as a program meets it: its lines of JSON, its files, its exit codes.

mod chat;
mod commands;
mod rig;
