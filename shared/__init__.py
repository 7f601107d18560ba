"""What every leaf shares: summary block, step log, clock, device, offline text."""
