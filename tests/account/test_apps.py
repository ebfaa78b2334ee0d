"""Connected apps: what each may see, and the end of it at once (`product.md` §12; ASVS 5.0 §10.4.9; house rule 7)."""

from __future__ import annotations

from tests.account.lab import entered
from tests.world import World, answer_of

OFFLINE = "openid profile phone offline_access"


def test_access_is_withdrawn(world: World) -> None:
    """Consent gone, families dead for introspection, userinfo and refreshing, a code on its way worth nothing; asked anew the next time;
    other apps go on.
    """
    app, ours = world.party(first_party=False, name="Reports & 'more'"), world.party(name="Shop")
    me, page = entered(world, "/account/apps")
    assert "No app is connected yet" in page.text
    given = world.redeem(app, answer_of(me.allow(me.authorize(app, scope=OFFLINE)))["code"]).json()
    waiting = answer_of(me.authorize(app, scope=OFFLINE))["code"]
    kept = world.redeem(ours, answer_of(me.authorize(ours))["code"]).json()
    listed = me.go("/language?to=en&next=/account/apps").text
    assert "Reports &amp; &#39;more&#39;" in listed
    assert listed.count("Part of Bazar ID") == 1
    page = me.go(f"/language?to=en&next=/account/apps/{app.client.id}")
    assert all(words in page.text for words in ("Your phone number", "Work while you are not there", "Withdraw access"))
    assert "Your e-mail address" not in page.text
    assert me.onward(me.press(page, app.client.id)).url.path == "/account/apps"
    assert world.userinfo(given["access_token"]).status_code == 401
    assert world.introspect(app, given["access_token"]).json() == {"active": False}
    assert world.refresh(app, given["refresh_token"]).status_code == 400
    assert world.redeem(app, waiting).status_code == 400
    assert world.userinfo(kept["access_token"]).status_code == 200
    assert me.press(page, app.client.id).status_code == 303  # pressed in another window as well
    assert me.go(f"/account/apps/{app.client.id}").status_code == 404
    assert [event.client_id for event in world.events("consent.withdrawn")] == [app.client.id]
    asked = me.authorize(app, scope=OFFLINE)
    assert "answer" in asked.text
    again = world.redeem(app, answer_of(me.allow(asked))["code"]).json()
    world.deliver()
    assert world.userinfo(again["access_token"]).status_code == 200


def test_what_was_pressed_on_the_way_is_withdrawn_too(world: World) -> None:
    """Allowed in one window, withdrawn in another before the answer went back: asked again, nothing is issued."""
    app = world.party(first_party=False)
    me, _ = entered(world)
    allowed = me.submit(me.authorize(app), answer="allow")
    me.press(me.go(f"/account/apps/{app.client.id}"), app.client.id)
    assert me.onward(allowed).url.path.endswith("/consent")


def test_our_own_app_is_signed_out(world: World) -> None:
    """An operator's app asks for no consent: it is signed out, and its event says so. Nobody withdraws for anybody else."""
    ours = world.party(name="Shop")
    me, _ = entered(world)
    given = world.redeem(ours, answer_of(me.authorize(ours))["code"]).json()
    stranger, page = entered(world, "/account/apps", phone="+79005553510")
    assert stranger.go(f"/account/apps/{ours.client.id}").status_code == 404
    assert stranger.go("/account/apps/no such'app").status_code == 404
    mine = me.go(f"/account/apps/{ours.client.id}")
    stranger.post(f"/account/apps/{ours.client.id}", data={"csrf_token": page.text.split('csrf_token" value="')[1][:43]})
    assert world.userinfo(given["access_token"]).status_code == 200
    me.press(mine, ours.client.id)
    assert world.userinfo(given["access_token"]).status_code == 401
    assert me.go("/account/apps").text.count("row go") == 0
    assert len(world.events("app.signed_out")) == 1
