"""How codes and notices reach people.

wording.py    every text, in the reader's language
channels.py   CHANNELS: what can carry a message; send (now, in the transaction) and deliver (later, by the worker)
inbox.py      the channel of a desk: everything is kept and shown at /dev/inbox
ladder.py     which of the channels a number is offered, and in which order
gateways.py   the channel that leaves the house, by what the settings name
breaker.py    which gateways are left alone, because they failed too often
gateway.py    what their kinds have in common: what they are given, what they answer, how they fail
apprise.py    text messages through any service that apprise knows
webhook.py    text messages and calls by one HTTP request that the settings describe
smpp.py       text messages straight to a message centre, in the parts that parts.py makes, over the line that smpp_link.py keeps
mail.py       mail by SMTP
receipts.py   what became of each message
spend_rules.py    what messages may cost: the rules, each with a name
spend_counts.py   the budgets of a day, counted exactly
spend.py          who may have a message sent, and pays for it
spend_ledger.py   what was sent, delivered, entered, and what it cost
spend_replay.py   a day's ledger against other rules
proof_of_work.py  the second of work that a browser does while somebody pumps messages
tables.py     their rows
"""
