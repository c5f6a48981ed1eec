"""The commands: they build the clients once and turn errors into exit codes. Nobody imports this room."""
