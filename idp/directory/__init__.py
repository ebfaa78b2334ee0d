"""Who exists, and what they may do. No HTTP is spoken here.

Read in this order: `tables` (the rows), `names` (what a name, an e-mail address and a link may look like), `users` (one person's ID),
`pictures` (of people), `numbers` (whose a phone number is), `accounts` (what a person signs in as, and how each account stands now),
`roles` (permissions), `employees` (people in a company), `companies` (sellers), `sign_in_rules` (what companies ask of a person's
sign-ins), `families`, `invitations` (offers to become an employee or a family member), `partners` (published apps and companies'
connections to them), `search` (people and companies by a part of what is known of them).
"""
