"""The commands: they build the real parts once and turn errors into exit codes. Nobody imports this room."""
