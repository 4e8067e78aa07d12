"""Logs: the text as a whole or its end (text), and line by line as it is printed (follow).

While an attempt runs its log is read from its Pod, by the kubelet. What the kubelet does decides how this is built (tried with 1.35):

- each follower costs the kubelet an inotify instance, and a node has 128 of them by default. So all followers of a Pod share one
  connection (``feed``), and the kubelet's words "too many open files", which come as a part of the log, are known for what they are:
  with ``timestamps=true`` every line has a stamp, and what has none is no line;
- it keeps no numbers of lines: a place is the stamp of a line (nanoseconds) and its turn among lines of that stamp. ``sinceTime`` knows
  whole seconds only, so reading starts a little earlier and looks for the place. Lines of standard output and error may be out of
  order by their stamps, so the place is found by its order in the log and not by comparing stamps;
- it ends a stream whenever it likes. Whether a log is complete is therefore asked of the SimulationJob: the operator says that an
  attempt is over when its container has ended, and stores its log before that;
- it shows only the newest file of a log that it has rotated (10 MiB by default), to the operator too. A place also counts bytes, by which
  it is found in the stored log, where there are no stamps; a checksum of the line tells whether it is the right one. Where a rotation has
  moved everything the line is searched, and if it is not there once and only once the follower is told by an event ``gap``.
"""
