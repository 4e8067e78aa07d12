"""How operator and gateway reach the API server (``kube``) and the store (``s3``): transport only, no decision, and no word of the schema."""
