"""What has happened to each image, what may follow, and what is left to do: pure decisions."""
