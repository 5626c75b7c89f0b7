"""Bodies in chunks: their content in whatever pieces it comes, and bounds for all that is no content."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from landbridge.server import chunks, head


def _fed(data: bytes, sizes: list[int]) -> tuple[bytes, bytes, bool]:
    """Content, what is left and whether it ended, fed in pieces of these sizes."""
    reader, content, rest = chunks.Chunks(), b"", b""
    sizes = [*sizes, len(data)]
    while data and sizes and not reader.ended:
        piece, data = data[: sizes[0]], data[sizes.pop(0) :]
        more, rest = reader.feed(piece)
        content += more
    return content, rest + data, reader.ended


@given(st.lists(st.binary(min_size=1, max_size=300), max_size=8), st.lists(st.integers(1, 60), max_size=40))
def test_the_content_is_the_same_in_whatever_pieces_it_comes(parts: list[bytes], sizes: list[int]):
    body = b"".join(b"%x;a=b\r\n%b\r\n" % (len(part), part) for part in parts) + b"0\r\nTrailer: x\r\n\r\n"
    assert _fed(body + b"GET", sizes) == (b"".join(parts), b"GET", True)


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"x\r\n", id="no-size"),
        pytest.param(b"\r\n", id="empty-size"),
        pytest.param(b"-1\r\n", id="sign"),
        pytest.param(b"0x1\r\n", id="prefix"),
        pytest.param(b"1 1\r\n", id="space"),
        pytest.param(b"1\na\r\n", id="bare-line-feed"),
        pytest.param(b"1\r\nab\r\n", id="longer-than-said"),
        pytest.param(b"1\r\na0\r\n", id="no-end-of-chunk"),
        pytest.param(b"1;a=\0\r\n", id="nul-in-an-extension"),
        pytest.param(b"0\r\nx\r\n\r\n", id="no-trailer"),
        pytest.param(b"0\r\nA : b\r\n\r\n", id="space-in-a-trailer"),
        pytest.param(b"0\r\nA: b\nB: c\r\n\r\n", id="bare-line-feed-in-a-trailer"),
    ],
)
def test_what_is_no_chunk_is_refused(body: bytes):
    with pytest.raises(head.RefusedError) as refused:
        _fed(body, [])
    assert refused.value.refusal[0] == 400


@pytest.mark.parametrize("size", [1, 1000, 1 << 20])
@pytest.mark.parametrize(
    ("body", "status"),
    [
        pytest.param(b"1;" + b"a" * (1 << 20), 400, id="extension-without-end"),
        pytest.param((b"1;" + b"a" * 500 + b"\r\nx\r\n") * 2000, 400, id="many-extensions"),
        pytest.param(b"1\r\nx\r\n" * 100000, 400, id="many-small-chunks"),
        pytest.param(b"0\r\nA: " + b"a" * (1 << 20), 431, id="trailer-without-end"),
        pytest.param(b"0\r\n" + b"A: b\r\n" * 100000, 431, id="many-trailers"),
        pytest.param(b"2000\r\n" + b"x" * 8192 + b"\r\n0\r\n" + b"A: b\r\n" * 100000, 431, id="trailers-after-content"),
    ],
)
def test_what_is_no_content_has_a_size(body: bytes, status: int, size: int):
    reader, fed, said = chunks.Chunks(), 0, 0
    while fed < len(body) and not said:
        try:
            reader.feed(body[fed : fed + size])
        except head.RefusedError as error:
            said = error.refusal[0]
        fed += size
    assert said == status
    assert fed <= max(size, 2 * (chunks.LINES_LIMIT + 8192))
