"""One file for each cloud API: what we say to it, and what its answers mean."""
