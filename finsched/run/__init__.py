"""What acts: clocks, disks, clouds."""
