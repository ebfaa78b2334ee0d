"""How codes and notices reach people.

wording.py    every text, in the reader's language
channels.py   CHANNELS: what can carry a message; send (now, in the transaction) and deliver (later, by the worker)
inbox.py      the channel of a desk: everything is kept and shown at /dev/inbox
tables.py     its rows
"""
