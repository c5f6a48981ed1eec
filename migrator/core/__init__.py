"""Decisions. Nothing here awaits, reads a clock, rolls dice or opens a file."""
