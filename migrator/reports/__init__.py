"""A ledger shown: summary, files, terminal."""
