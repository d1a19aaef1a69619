"""Tables with any ids into the coded arrays of a Dataset."""
