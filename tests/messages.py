"""Messages and turns of dialogues, as rows have them."""


def system(text):
    return {"role": "system", "content": text}


def user(text):
    return {"role": "user", "content": text}


def assistant(text):
    return {"role": "assistant", "content": text}


def turn(speaker, value, **keys):
    return {"from": speaker, "value": value, **keys}
