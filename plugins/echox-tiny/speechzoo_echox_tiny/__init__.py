"""EchoX-tiny: a registry entry and the weights of the modules that were trained."""
