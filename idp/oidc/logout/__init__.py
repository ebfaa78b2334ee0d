"""The end of a session, and who hears of it.

In reading order: `browser_session` (what the page of this browser ends and shows, with the frames of OpenID Connect Front-Channel Logout),
`backchannel` (what relying parties' servers are told), `session_state` (how a page of theirs notices by itself).
"""
