"""What Django's MultiPartParser makes of bodies: one JSON object a line, each way."""
import base64
import io
import json
import sys

from django.conf import settings

settings.configure(
    DATA_UPLOAD_MAX_NUMBER_FIELDS=None,
    DATA_UPLOAD_MAX_NUMBER_FILES=None,
    DATA_UPLOAD_MAX_MEMORY_SIZE=None,
)

from django.core.files.uploadhandler import FileUploadHandler  # noqa: E402
from django.http.multipartparser import MultiPartParser  # noqa: E402


class Parser(MultiPartParser):
    raw = None

    def sanitize_file_name(self, file_name):
        self.raw = file_name
        return super().sanitize_file_name(file_name) or "none"


class Handler(FileUploadHandler):
    def __init__(self):
        super().__init__()
        self.files = []

    def new_file(self, field_name, file_name, content_type, *args, **kwargs):
        super().new_file(field_name, file_name, content_type, *args, **kwargs)
        self.files.append({"name": field_name, "file": self.parser.raw, "clean": file_name, "type": content_type, "content": b""})

    def receive_data_chunk(self, raw_data, start):
        self.files[-1]["content"] += bytes(raw_data)

    def file_complete(self, file_size):
        return None


def b64(b):
    return base64.b64encode(b).decode()


for line in sys.stdin:
    asked = json.loads(line)
    body = base64.b64decode(asked["body"])
    handler = Handler()
    try:
        parser = Parser({"CONTENT_TYPE": asked["type"], "CONTENT_LENGTH": len(body)}, io.BytesIO(body), [handler], "utf-8")
        handler.parser = parser
        post, _ = parser.parse()
        out = {
            "texts": [{"name": n, "content": b64(v.encode())} for n, values in post.lists() for v in values],
            "files": [dict(f, content=b64(f["content"])) for f in handler.files],
        }
    except Exception as e:  # noqa: BLE001
        out = {"error": repr(e)}
    print(json.dumps(out))
