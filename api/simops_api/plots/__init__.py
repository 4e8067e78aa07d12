"""Pictures of a sweep: what is drawn (gather, pure), the fit of an order (fit, pure), and the drawing (draw, matplotlib)."""
