"""Pure decisions of the operator. Values in, values out: no kopf, no I/O, no clock."""
