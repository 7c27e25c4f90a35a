"""Put on a node's path to make it a node without the extra ``openvino``: Python imports this file when it starts."""

import sys


class _Hidden:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "openvino":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


sys.meta_path.insert(0, _Hidden())
