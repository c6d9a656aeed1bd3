"""What a finished run is expected to cost, in parts."""
