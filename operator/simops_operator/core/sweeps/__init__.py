"""What is decided about sweeps: points → rounds → packs, and back to counts (pure)."""
