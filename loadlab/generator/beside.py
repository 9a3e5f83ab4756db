"""The file to give to Locust before the user's own: `locust -f loadlab/generator/beside.py,locustfile.py`.

Locust runs a locustfile as a module of its own; importing the plugin from here keeps it one module, however
it came in (a locustfile may import it too).
"""

import loadlab.generator.plugin  # noqa: F401 - importing it is what installs it
