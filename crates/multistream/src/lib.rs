//! multistream-select 1.0: protocol negotiation, lazy and eager.
