"""What a run left: its bundle as a whole (routes, transfer), the list of its files, and one of them out of the bundle (directory, member).

Decision: the zip's directory is read by the standard library's ``zipfile``, which knows every way in which one may be written, from a window
on the bundle's end that grows until it is enough. A file is not read through ``zipfile``, which would ask the store for many small pieces in a
thread of its own: where it lies is known by then, so it is one ranged read that is passed on, or unpacked, chunk by chunk. So a request
holds a few hundred KiB and no thread while nothing comes, and asks the store for the directory and that file's bytes only.
"""
