"""Reading and writing files.

`open_inputs` finds and names the inputs, each of which can be read any number of times;
`Outputs` writes files that appear all at once or not at all.
"""

from dedup.formats.inputs import Input, Inputs, open_inputs
from dedup.formats.outputs import Outputs

__all__ = ["Input", "Inputs", "Outputs", "open_inputs"]
