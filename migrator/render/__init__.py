"""One file for each way of showing a Summary."""
