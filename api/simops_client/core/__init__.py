"""What the client does, written once for both shells: requests, answers, retries, resumption. Nothing here sends, sleeps or waits.

A call is a generator (a flow) that yields what is to be done (``flow``) and is sent what came of it. The shells do it: one blocks, one awaits.
"""
