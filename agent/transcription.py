"""Speech to text through the model server's transcription address."""

from __future__ import annotations

import aiohttp
import orjson

from domain.errors import ModelFailed

# Several servers refuse the ".oga" that Telegram names its files with; the content is OGG/Opus all the same.
_FILE_NAME = "voice.ogg"
_MEDIA_TYPE = "audio/ogg"


class Transcriber:
    """Sends one voice note and returns its words. The language is left open: forcing French garbles Hausa."""

    def __init__(
        self,
        http: aiohttp.ClientSession,
        *,
        base_url: str,
        key: str | None,
        model: str,
        timeout: float = 30.0,
    ) -> None:
        self._http = http
        self._url = base_url.rstrip("/") + "/audio/transcriptions"
        self._headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._model = model
        self._timeout = aiohttp.ClientTimeout(total=timeout)

    async def transcribe(self, voice: bytes) -> str:
        """The words of a voice note, "" when there are none. Raises ModelFailed."""
        form = aiohttp.FormData()
        form.add_field("model", self._model)
        form.add_field("response_format", "json")
        form.add_field("file", voice, filename=_FILE_NAME, content_type=_MEDIA_TYPE)
        try:
            async with self._http.post(
                self._url, data=form, headers=self._headers, timeout=self._timeout
            ) as response:
                body = await response.read()
                if response.status != 200:
                    raise ModelFailed(f"transcription answered {response.status}")
        except (TimeoutError, aiohttp.ClientError) as error:
            raise ModelFailed(f"transcription failed: {type(error).__name__}") from error
        return _text(body)


def _text(body: bytes) -> str:
    try:
        decoded = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise ModelFailed("transcription gave no JSON") from error
    text = decoded.get("text") if isinstance(decoded, dict) else None
    if not isinstance(text, str):
        raise ModelFailed("transcription gave no text")
    return text
