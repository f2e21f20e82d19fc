"""The phone on the page as a person uses it: a real browser, twilio's real client behind it."""

import base64

import pytest
from playwright.async_api import expect

from adapters.sandbox import cast
from tests.adapters.sandbox.test_page_browser import page, pytestmark as needs_a_browser, tab_to

__all__ = ["page"]  # a fixture

# twilio 9.13 still logs in the way aiohttp 3.14 deprecates.
pytestmark = [
    needs_a_browser,
    pytest.mark.filterwarnings("ignore:BasicAuth is deprecated:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:The 'auth' parameter is deprecated:DeprecationWarning"),
]

PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


def texts(page):
    return page.get_by_role("log", name="Texts")


async def send(world, body):
    return await world.twilio.messages.create_async(to=cast.ALICE, from_=cast.OUR_NUMBER, body=body)


async def test_a_text_of_ours_shows_its_segments_and_its_delivery(world, page):
    await send(world, "On its way.")
    await send(world, "Unterwegs 🚚" + "x" * 60)

    await expect(texts(page).get_by_role("article").first).to_contain_text("Delivered · 1 segment, GSM-7")
    await expect(texts(page).get_by_role("article").last).to_contain_text("Delivered · 2 segments, UCS-2")


async def test_an_address_in_a_text_is_a_link_and_all_else_is_words(world, page):
    await send(world, "<b>Read on</b>: https://gateway.example/m/1-2-abc. javascript:alert(1)")

    link = texts(page).get_by_role("link")
    await expect(link).to_have_text("https://gateway.example/m/1-2-abc")
    await expect(link).to_have_attribute("href", "https://gateway.example/m/1-2-abc")
    await expect(link).to_have_attribute("rel", "noopener noreferrer")
    await expect(texts(page)).to_contain_text("<b>Read on</b>: https://gateway.example/m/1-2-abc. javascript:alert(1)")


async def test_a_phone_on_whatsapp_goes_by_its_owners_name(world, page):
    await world.sandbox.text(f"whatsapp:{cast.ALICE}", "hello")
    await page.get_by_role("radio", name="Alice, WhatsApp").check(force=True)

    await expect(texts(page)).to_contain_text("hello")


async def test_what_is_not_delivered_says_why(world, page):
    await page.get_by_text("Carrier works").click()
    await page.get_by_label("What goes wrong").select_option(label="Does not deliver: a landline (30006)")
    await page.get_by_role("button", name="Misbehave").click()
    await expect(page.get_by_label("Still to go wrong")).to_have_text("Does not deliver: a landline (30006), once")
    await send(world, "x")

    await expect(texts(page)).to_contain_text("Undelivered 30006 · 1 segment, GSM-7")
    await expect(page.get_by_text("Carrier works")).to_be_visible()
    assert world.sandbox.state()["text_faults"] == []


async def test_what_was_asked_to_go_wrong_is_taken_back(world, page):
    await page.get_by_text("Carrier works").click()
    await page.get_by_label("What goes wrong").select_option(label="Says everything twice")
    await page.get_by_label("How often").fill("3")
    await page.get_by_role("button", name="Misbehave").click()
    await expect(page.get_by_text("Carrier misbehaves (3)")).to_be_visible()
    await page.get_by_role("button", name="Work again").click()

    await expect(page.get_by_text("Carrier works")).to_be_visible()
    await expect(page.get_by_role("button", name="Work again")).to_be_hidden()


async def test_stop_is_one_button_and_start_the_next(world, page):
    carrier = page.locator(".carrier")
    await expect(page.locator("#consent")).to_have_text("Alice takes texts")
    await carrier.get_by_role("button", name="Reply STOP").click()
    await expect(page.locator("#consent")).to_have_text("Alice has opted out")
    await expect(texts(page)).to_contain_text("You have successfully been unsubscribed")
    await carrier.get_by_role("button", name="Reply START").click()

    await expect(page.locator("#consent")).to_have_text("Alice takes texts")
    assert [one.form["Body"] for one in world.gateway.at("/sms/inbound")] == ["STOP", "START"]


async def test_a_picture_without_words_is_sent_and_shown(world, page):
    picker = page.get_by_label("Attach a picture")
    await picker.set_input_files({"name": "pixel.png", "mimeType": "image/png", "buffer": PIXEL})
    await expect(page.get_by_text("pixel.png")).to_be_visible()
    await page.get_by_label("Text message").press("Enter")
    (got,) = await world.gateway.wait_for(1, "/sms/inbound")
    picture = texts(page).get_by_role("img", name="Picture")

    assert (got.form["Body"], got.form["NumMedia"], got.form["MediaContentType0"]) == ("", "1", "image/png")
    await expect(picture).to_be_visible()
    assert await picture.evaluate("async image => (await image.decode(), image.naturalWidth)") == 1
    await expect(page.get_by_text("pixel.png")).to_be_hidden()


async def test_another_file_is_a_link_and_one_that_is_removed_is_not_sent(world, page):
    picker, line = page.get_by_label("Attach a picture"), page.get_by_label("Text message")
    await picker.set_input_files({"name": "note.txt", "mimeType": "text/plain", "buffer": b"hello"})
    await page.get_by_role("button", name="Remove").click()
    await line.fill("without it")
    await line.press("Enter")
    await picker.set_input_files({"name": "note.txt", "mimeType": "text/plain", "buffer": b"hello"})
    await expect(page.get_by_text("note.txt")).to_be_visible()
    await line.fill("with it")
    await line.press("Enter")
    got = await world.gateway.wait_for(2, "/sms/inbound")

    assert [(one.form["Body"], one.form["NumMedia"]) for one in got] == [("without it", "0"), ("with it", "1")]
    await expect(texts(page).get_by_role("link", name="Attached file (text/plain)")).to_be_visible()


async def test_what_is_too_big_for_a_text_is_said_so(page):
    big = {"name": "big.png", "mimeType": "image/png", "buffer": b"x" * (5 * 1024 * 1024 + 1)}
    await page.get_by_label("Attach a picture").set_input_files(big)

    await expect(page.get_by_role("alert").filter(has_text="5 MB")).to_be_visible()
    await expect(page.get_by_text("big.png")).to_be_hidden()


async def test_the_carrier_is_reached_by_keyboard(world, page):
    await tab_to(page, "Reply STOP")
    await page.keyboard.press("Tab")
    await page.keyboard.press("Enter")
    await tab_to(page, "What goes wrong")
    await page.keyboard.press("ArrowDown")
    await tab_to(page, "Misbehave")
    await page.keyboard.press("Enter")

    (one,) = await world.sandbox.until(lambda state: state["text_faults"])
    assert (one["kind"], one["status"], one["code"]) == ("refused", 400, 21408)


async def test_everything_of_the_phone_fits_a_narrow_screen(world, page):
    await page.set_viewport_size({"width": 360, "height": 640})
    await page.get_by_text("Carrier works").click()
    await send(world, "x" * 500)

    await expect(texts(page)).to_contain_text("4 segments, GSM-7")
    assert await page.evaluate("document.documentElement.scrollWidth") == 360
