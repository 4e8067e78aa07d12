"""What runs inside a simulation Pod beside the simulation. Standard library and minio only, so that it starts fast."""
