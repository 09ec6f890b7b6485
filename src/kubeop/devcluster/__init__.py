"""A real single-node cluster for trial, molecule and benchmarks."""
