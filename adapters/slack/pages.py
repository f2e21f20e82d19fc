"""What somebody sees in the browser while they install the app. Pure. Everything shown is escaped."""

from html import escape

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
AGAIN = '<p><a href="/slack/install">Begin again</a></p>'
REASONS = {
    "access_denied": "You chose not to install it. Nothing was changed.",
    "invalid_browser": "This page belongs to another window or browser, or was opened twice.",
    "invalid_state": "This took longer than ten minutes, or was done already.",
    "missing_code": "Slack sent no code along.",
    "invalid_code": "Slack did not accept the code that it sent along.",
    "storage_error": "Slack's answer names no workspace, or has no token of the bot.",
}


def install(url: str) -> str:
    return _page(
        "Add Gatehouse to Slack",
        "<p>Slack will ask what the app may do in your workspace. "
        "Afterwards people can write to it, and mention it in channels it is in.</p>"
        f'<p><a class="go" href="{escape(url)}">Add to Slack</a></p>',
    )


def installed(workspace: str) -> str:
    said = f"It is installed in {escape(workspace)}. You can close this page and write to it in Slack."
    return _page("Gatehouse is installed", f"<p>{said}</p>")


def failed(reason: str) -> str:
    """`reason`: bolt's or Slack's word for it, or a sentence of ours."""
    said = REASONS.get(reason) or f"Slack or the gateway said: {reason[:200]}."
    return _page("Gatehouse was not installed", f"<p>{escape(said)}</p>{AGAIN}")


def _page(title: str, body: str) -> str:
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title>'
        '<meta name="viewport" content="width=device-width">'
        "<style>body{font:16px/1.5 system-ui,sans-serif;max-width:34rem;margin:4rem auto;padding:0 1rem}"
        ".go{display:inline-block;padding:.6rem 1rem;border-radius:.4rem;background:#4a154b;color:#fff;"
        "text-decoration:none}</style>"
        f"<h1>{title}</h1>{body}</html>"
    )
