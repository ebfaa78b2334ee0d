"""How an answer goes back to the relying party: in the `query` of its address, in the `fragment`, by a form that the browser posts
(`form_post`), or where a device fetches it (`device`).
"""
