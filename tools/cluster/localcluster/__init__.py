"""A real Kubernetes on one Linux machine, in network and mount namespaces of its own.

The modules, from the ground up:

- ``console``, ``commands``, ``invoker``: talking to the user, running programs, who called us.
- ``layout``, ``state``: where everything stands; the machine-wide lock; kernel settings.
- ``packages``, ``binaries``, ``archives``: Debian packages, Go programs, image archives.
- ``cgroups``, ``processes``, ``network``, ``mounts``: what the kernel holds for us.
- ``certificates``, ``controlplane``, ``node``, ``addons``: Kubernetes itself.
- ``lifecycle``, ``images``: what the commands do.

Only the standard library is used: the program runs before any virtual environment exists.
"""
