"""What the images are made of: `hack/sbom` writes it down, `hack/audit` asks whether any of it is known to be vulnerable.

Nothing is guessed from what should be there: packages are read from the built image, and held to the lock file.
"""
