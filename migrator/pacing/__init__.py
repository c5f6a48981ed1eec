"""When the next request may leave: rates, limits, polls, retries and how soon lists show an import."""
