"""molgenis-py-client, the way programs use it for files: a subclass of its Session with the calls it
lacks, its own headers and its own reading of errors. Works with 2.4.1."""

import os
import unittest

import requests
from molgenis.client import Session
from molgenis.errors import MolgenisRequestError, raise_exception


class FileSession(Session):
    """What the client's users add to it."""

    def _checked(self, response):
        try:
            response.raise_for_status()
        except requests.RequestException as error:
            raise_exception(error)
        return response

    def upload(self, content, name, content_type):
        headers = self._headers.token_header | {
            "x-molgenis-filename": name, "Content-Type": content_type, "Content-Size": str(len(content)),
        }
        return self._checked(
            self._session.post(self._api_url + "files/", headers=headers, data=content)
        ).json()

    def file(self, identifier, **parameters):
        return self._checked(self._session.get(
            f"{self._api_url}files/{identifier}", headers=self._headers.token_header, params=parameters
        ))

    def remove(self, identifier):
        self._checked(self._session.delete(
            f"{self._api_url}files/{identifier}", headers=self._headers.token_header
        ))


class Files(unittest.TestCase):
    def setUp(self):
        self.session = FileSession(os.environ["FILESTORE_URL"], token=os.environ["FILESTORE_TOKEN"])

    def test_a_file_from_its_upload_to_its_end(self):
        made = self.session.upload(b"content", "notes.txt", "None")
        self.assertEqual((made["filename"], made["contentType"], made["size"]), ("notes.txt", "None", 7))
        self.assertEqual(self.session.file(made["id"]).json(), made)
        self.assertEqual(self.session.file(made["id"], alt="media").content, b"content")
        self.session.remove(made["id"])
        with self.assertRaisesRegex(MolgenisRequestError, made["id"]):
            self.session.file(made["id"])

    def test_errors_are_read_by_the_client(self):
        stranger = FileSession(os.environ["FILESTORE_URL"], token="no token")
        with self.assertRaisesRegex(MolgenisRequestError, "ADD_DATA"):
            stranger.upload(b"", "x", "text/plain")


if __name__ == "__main__":
    unittest.main()
