"""A choice stands in the address, also where the browser asked before it learned of it."""

from streamlit.testing.v1 import AppTest


def page() -> None:
    import streamlit as st

    from core.ui import address

    st.button("Choose", on_click=address.go_to, args=({"period": ["30d"]},))
    st.button("Choose nothing", on_click=address.go_to, args=({},))
    chosen = {"period": ["7d"]}
    st.button("Choose late", on_click=address.go_to, args=(chosen,), kwargs={"of": ""})
    with address.drawing():
        st.write(st.query_params.get("period", "usual"))
    if st.button("Look"):
        st.query_params.clear()  # as a browser that had not learned of it
        address.redraw()
        st.write("left alone")


def shown(app: AppTest) -> list[str]:
    assert not app.exception
    return [element.value for element in app.markdown]


def test_a_choice_is_not_taken_back_by_an_older_address():
    app = AppTest.from_function(page).run()
    app.button[0].click().run()
    assert shown(app) == ["30d"]

    app.session_state["address changed"] = ({}, {"period": ["30d"]})  # by the look before
    app.query_params.clear()
    assert shown(app.run()) == ["30d"]
    assert app.query_params["period"] == "30d"

    app.query_params.clear()  # the browser's Back
    assert shown(app.run()) == ["usual"]


def test_a_choice_of_what_the_older_address_says_is_none():
    app = AppTest.from_function(page).run()
    app.session_state["address changed"] = ({}, {"period": ["30d"]})
    assert shown(app.button[1].click().run()) == ["30d"]


def test_what_a_page_says_after_another_was_drawn_is_none():
    app = AppTest.from_function(page).run()
    assert shown(app.button[2].click().run()) == ["7d"]
    app.button[0].click().run()
    app.session_state["page drawn"] = ("run", "another")
    assert shown(app.button[2].click().run()) == ["30d"]


def test_a_look_with_an_older_address_draws_nothing_anew():
    app = AppTest.from_function(page)
    app.query_params["period"] = "30d"
    app.run().button[3].click().run()
    assert shown(app) == ["30d", "left alone"]
