"""The tools an agent definition may name, and what runs them."""

from adapters.agent.server.tools.call import Call as Call, Function as Function, ToolFailed as ToolFailed
from adapters.agent.server.tools.functions import FUNCTIONS as FUNCTIONS
from adapters.agent.server.tools.settings import ToolSettings as ToolSettings, secrets_in as secrets_in
from adapters.agent.server.tools.toolbox import Toolbox as Toolbox
