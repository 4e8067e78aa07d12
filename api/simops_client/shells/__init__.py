"""The two shells: they do what a flow asks for, one blocking and one awaiting, and name the calls that there are."""
