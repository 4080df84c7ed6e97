"""The server's socket."""

import asyncio
import socket

from lorasmith.studio.server import HOST, listening


async def _sends_at_once(listener):
    """Whether the server's end of a browser's connection sends what it has without waiting for the browser's confirmations."""
    accepted = asyncio.get_running_loop().create_future()
    server = await asyncio.start_server(lambda reader, writer: accepted.set_result(writer), sock=listener)
    _, browser = await asyncio.open_connection(*listener.getsockname())
    ours = await accepted
    found = ours.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
    for writer in (ours, browser):
        writer.close()
    server.close()
    return bool(found)


def test_the_end_of_an_answer_is_not_held_back_until_the_browser_has_confirmed_its_beginning():
    with listening(HOST, 0) as listener:
        assert asyncio.run(_sends_at_once(listener))
