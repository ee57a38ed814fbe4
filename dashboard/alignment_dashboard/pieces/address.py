"""Widgets whose value is in the address: the address decides at every run, and a change of the widget changes the address."""

from collections.abc import Sequence

import streamlit as st

from alignment_dashboard.facts.links import SEPARATOR, one_of, some_of


def bind(parameter: str) -> str:
    """Give a widget with a text the value of the address, and return the widget's key."""
    return _assign(parameter, st.query_params.get(parameter, ""))


def bind_choice(parameter: str, options: Sequence[str], default: str = "") -> str:
    """Give a widget with one choice the value of the address, if it is an option."""
    return _assign(parameter, choice(parameter, options, default))


def choice(parameter: str, options: Sequence[str], default: str = "") -> str:
    """Return the value of the address if it is an option, else the default."""
    return one_of(st.query_params, parameter, options, default)


def bind_choices(parameter: str, options: Sequence[str], default: Sequence[str]) -> str:
    """Give a widget with several choices those of the address that are options."""
    return _assign(parameter, some_of(st.query_params, parameter, options, default))


def follow(parameter: str, default: str = "") -> None:
    """Write the value of a widget into the address; the callback of its changes."""
    value = st.session_state[_key(parameter)]
    write(parameter, SEPARATOR.join(value) if isinstance(value, list) else value or "", default)


def write(parameter: str, text: str, default: str = "") -> None:
    """Set a parameter of the address, or remove it where it has its default."""
    if text and text != default:
        st.query_params[parameter] = text
    else:
        st.query_params.pop(parameter, None)


def _key(parameter: str) -> str:
    return f"address-{parameter}"


def _assign(parameter: str, value: object) -> str:
    key = _key(parameter)
    # A value that is assigned is sent again, and would replace what the visitor is typing.
    if key not in st.session_state or st.session_state[key] != value:
        st.session_state[key] = value
    return key
