"""The `idp` command, one file for each group of commands.

main.py         every command on one page; the file of a command is read when it is called
failures.py     what went wrong, as a sentence and an exit code
output.py       what a command prints: a table for eyes, JSON for programs
setting.py      the configuration, the keys and the database that a command works with
init.py         idp init: keys, config.toml, tables, signing keys
check.py        idp check: the configuration in force
doctor.py       idp doctor: is everything well
database.py     idp db: tables up and down
clients.py      idp clients: relying parties; snippets.py is what they paste into their code
operator.py     an operator: who they are in the events, whom they mean, and when
users.py        idp users: people, blocked, signed out, their codes turned on again
companies.py    idp companies: sellers, activated and suspended
employees.py    idp employees: people in a company
keys.py         idp keys: signing keys
events.py       idp events: the audit trail, followed and exported
messages.py     idp messages: what became of them, and a test
spend.py        idp messages spend and simulate: what codes cost, and would have cost by other rules
serve.py        idp serve: the server (certificate.py: its TLS; processes.py: its companions)
worker.py       idp worker: messages (crew.py: its threads), sign-outs (lanes.py), reactions, schedule
demo.py         idp demo: provider and portals with a story (demo_story.py)
"""
