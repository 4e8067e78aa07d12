"""Jobs: what people send and get (models), how it becomes an object (manifests), what is done (service), and the calls (routes).

Decision: the id of a job is its name in the installation's first namespace, and ``<namespace>.<name>`` in every other one. Neither a
namespace nor a job's name may contain a dot, so an id has one meaning, needs no escaping in a URL, and the usual installation with one
namespace shows the names that ``kubectl`` shows. ``<namespace>.<name>`` is understood for the first namespace too.
"""
