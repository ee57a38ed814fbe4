"""The settings of the kinds of stage that do not train."""
