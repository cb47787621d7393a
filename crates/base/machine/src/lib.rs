//! The vocabulary of sans-IO protocol machines: ids, codes, instants, blame and a seeded generator.
