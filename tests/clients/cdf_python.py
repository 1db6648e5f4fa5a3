"""Every file operation of the official Python SDK of Cognite CDF, against a running server.

Works with cognite-sdk 8.22.0 and 7.94.2. FILESTORE_URL is where the server is, FILESTORE_TOKEN a
token for the tenant FILESTORE_TENANT, which serves as the project.
"""

import os
import pathlib
import tempfile
import time
import unittest
import urllib.error
import urllib.request
import uuid
import warnings

from cognite.client import ClientConfig, CogniteClient, global_config
from cognite.client.credentials import Token
from cognite.client.data_classes import (
    FileMetadataFilter,
    FileMetadataUpdate,
    FileMetadataWrite,
    GeoLocation,
    GeoLocationFilter,
    Geometry,
    GeometryFilter,
    Label,
    LabelFilter,
    TimestampRange,
)
from cognite.client.exceptions import (
    CogniteAPIError,
    CogniteDuplicatedError,
    CogniteException,
    CogniteFileUploadError,
    CogniteNotFoundError,
)

warnings.filterwarnings("ignore")
global_config.disable_pypi_version_check = True
global_config.max_retries = 0


def client(token=None):
    config = ClientConfig(
        client_name="filestore-tests",
        project=os.environ.get("FILESTORE_TENANT", "default"),
        credentials=Token(token or os.environ["FILESTORE_TOKEN"]),
        base_url=os.environ["FILESTORE_URL"],
    )
    return CogniteClient(config)


def unique(prefix="x"):
    return f"{prefix}-{uuid.uuid4()}"


def plain_get(url):
    with urllib.request.urlopen(url) as answer:
        return answer.read()


class Case(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.files = client().files


class Uploads(Case):
    def test_bytes(self):
        name = unique("name")
        made = self.files.upload_bytes(
            b"hello",
            name=name,
            external_id=name,
            source="a source",
            mime_type="text/plain",
            metadata={"k": "v"},
            directory="/a/b",
            asset_ids=[5, 6],
            data_set_id=7,
            labels=[Label(external_id="l1")],
            geo_location=GeoLocation("Feature", Geometry("Point", [10.5, 59]), {"p": 1}),
            source_created_time=1,
            source_modified_time=2,
            security_categories=[8],
        )
        self.assertFalse(made.uploaded)
        found = self.files.retrieve(id=made.id)
        self.assertTrue(found.uploaded)
        self.assertIsNotNone(found.uploaded_time)
        self.assertEqual(found.last_updated_time, made.last_updated_time)
        self.assertEqual((found.name, found.external_id, found.source), (name, name, "a source"))
        self.assertEqual((found.mime_type, found.metadata), ("text/plain", {"k": "v"}))
        self.assertEqual((found.directory, found.asset_ids), ("/a/b", [5, 6]))
        self.assertEqual((found.data_set_id, found.security_categories), (7, [8]))
        self.assertEqual([label.external_id for label in found.labels], ["l1"])
        self.assertEqual(found.geo_location.geometry.coordinates, [10.5, 59])
        self.assertEqual((found.source_created_time, found.source_modified_time), (1, 2))
        self.assertEqual(self.files.download_bytes(id=made.id), b"hello")

    def test_text_and_nothing(self):
        for content, stored in [("grüße", "grüße".encode()), (b"", b"")]:
            made = self.files.upload_bytes(content, name="text")
            self.assertEqual(self.files.download_bytes(id=made.id), stored)

    def test_the_same_external_id(self):
        name = unique()
        first = self.files.upload_bytes(b"one", name="a", external_id=name, metadata={"a": "1"})
        with self.assertRaises(CogniteAPIError) as caught:
            self.files.upload_bytes(b"two", name="b", external_id=name)
        self.assertEqual(caught.exception.code, 409)
        self.assertEqual(caught.exception.duplicated, [{"externalId": name}])
        self.assertEqual(self.files.download_bytes(external_id=name), b"one")

        second = self.files.upload_bytes(
            b"two", name="b", external_id=name, metadata={"b": "2"}, overwrite=True
        )
        self.assertEqual(first.id, second.id)
        found = self.files.retrieve(external_id=name)
        self.assertEqual((found.name, found.metadata), ("b", {"b": "2"}))
        self.assertEqual(self.files.download_bytes(external_id=name), b"two")

    def test_content_stays_until_there_is_other(self):
        name = unique()
        self.files.upload_bytes(b"old", name="a", external_id=name, asset_ids=[1])
        self.files.create(FileMetadataWrite(name="a", external_id=name), overwrite=True)
        self.assertEqual(self.files.download_bytes(external_id=name), b"old")
        self.assertEqual(self.files.retrieve(external_id=name).asset_ids, [1])

    def test_create(self):
        made, url = self.files.create(FileMetadataWrite(name="later", external_id=unique()))
        self.assertFalse(made.uploaded)
        with self.assertRaisesRegex(CogniteAPIError, "Files not uploaded"):
            self.files.download_bytes(id=made.id)
        request = urllib.request.Request(url, data=b"by hand", method="PUT")
        urllib.request.urlopen(request).read()
        self.assertEqual(self.files.download_bytes(id=made.id), b"by hand")

    def test_paths(self):
        prefix = unique("/dir")
        with tempfile.TemporaryDirectory() as folder:
            folder = pathlib.Path(folder)
            (folder / "sub").mkdir()
            (folder / "one.txt").write_bytes(b"one")
            (folder / "empty").write_bytes(b"")
            (folder / "sub" / "two.bin").write_bytes(b"two")
            made = self.files.upload(str(folder / "one.txt"), mime_type="text/plain")
            self.assertEqual((made.name, made.mime_type), ("one.txt", "text/plain"))
            self.assertEqual(self.files.download_bytes(id=made.id), b"one")
            made = self.files.upload(str(folder), recursive=True, directory=prefix)
            self.assertEqual(sorted(it.name for it in made), ["empty", "one.txt", "two.bin"])
            for it in made:
                expected = {"empty": b"", "one.txt": b"one", "two.bin": b"two"}[it.name]
                self.assertEqual(self.files.download_bytes(id=it.id), expected)
        listed = self.files.list(directory_prefix=prefix, limit=None)
        self.assertEqual(len(listed), 3)

    def test_a_large_file(self):
        size = (50 << 20) + 12345
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "large"
            path.write_bytes(os.urandom(1 << 20) * 50 + os.urandom(12345))
            made = self.files.upload(str(path))
            back = pathlib.Path(folder) / "back"
            self.files.download_to_path(back, id=made.id)
            self.assertEqual(back.stat().st_size, size)
            self.assertEqual(back.read_bytes(), path.read_bytes())
        self.files.delete(id=made.id)

    def test_content_for_a_file_that_is_there(self):
        name = unique()
        self.files.create(FileMetadataWrite(name="a", external_id=name))
        self.files.upload_content_bytes(b"bytes", external_id=name)
        self.assertEqual(self.files.download_bytes(external_id=name), b"bytes")
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "path"
            path.write_bytes(b"from a path")
            self.files.upload_content(str(path), external_id=name)
        self.assertEqual(self.files.download_bytes(external_id=name), b"from a path")
        with self.assertRaises(CogniteAPIError) as caught:
            self.files.upload_content_bytes(b"", external_id=unique("unknown"))
        self.assertEqual(caught.exception.code, 400)

    def test_parts(self):
        name = unique()
        with self.files.multipart_upload_session(name="a", external_id=name, parts=3) as session:
            for part in [2, 0, 1]:
                session.upload_part(part, b"abc"[part : part + 1] * 1000)
        self.assertEqual(
            self.files.download_bytes(external_id=name), b"a" * 1000 + b"b" * 1000 + b"c" * 1000
        )
        session = self.files.multipart_upload_content_session(parts=1, external_id=name)
        with session as session:
            session.upload_part(0, b"other")
        self.assertEqual(self.files.download_bytes(external_id=name), b"other")

    def test_a_part_that_is_missing(self):
        name = unique()
        session = self.files.multipart_upload_session(name="a", external_id=name, parts=2)
        with self.assertRaises(CogniteFileUploadError):
            with session as session:
                session.upload_part(1, b"second")
        self.assertFalse(self.files.retrieve(external_id=name).uploaded)


class Names(Case):
    def test_retrieve(self):
        names = [unique() for _ in range(3)]
        made = [self.files.create(FileMetadataWrite(name="n", external_id=it))[0] for it in names]
        unknown = unique("unknown")
        self.assertIsNone(self.files.retrieve(external_id=unknown))
        self.assertIsNone(self.files.retrieve(id=1))
        found = self.files.retrieve_multiple(ids=[it.id for it in reversed(made)])
        self.assertEqual([it.id for it in found], [it.id for it in reversed(made)])
        found = self.files.retrieve_multiple(
            external_ids=[names[1], unknown, names[0]], ignore_unknown_ids=True
        )
        self.assertEqual([it.external_id for it in found], [names[1], names[0]])
        with self.assertRaises(CogniteNotFoundError) as caught:
            self.files.retrieve_multiple(ids=[made[0].id, 1, 2])
        self.assertEqual(caught.exception.not_found, [{"id": 1}, {"id": 2}])
        with self.assertRaises(CogniteDuplicatedError) as caught:
            self.files.retrieve_multiple(ids=[made[0].id, made[0].id])
        self.assertEqual(caught.exception.duplicated, [{"id": made[0].id}])

    def test_delete(self):
        name = unique()
        made, _ = self.files.create(FileMetadataWrite(name="n", external_id=name))
        with self.assertRaises(CogniteNotFoundError):
            self.files.delete(id=made.id, external_id=unique("unknown"))
        self.assertIsNotNone(self.files.retrieve(id=made.id))
        self.files.delete(id=[made.id, 1], ignore_unknown_ids=True)
        self.assertIsNone(self.files.retrieve(external_id=name))

    def test_update(self):
        name = unique()
        made, _ = self.files.create(
            FileMetadataWrite(
                name="n",
                external_id=name,
                metadata={"a": "1", "b": "2"},
                asset_ids=[1, 2],
                labels=[Label(external_id="one")],
                source="old",
            )
        )
        time.sleep(0.002)
        changed = self.files.update(
            FileMetadataUpdate(id=made.id)
            .source.set(None)
            .mime_type.set("text/csv")
            .metadata.add({"c": "3"})
            .metadata.remove(["a"])
            .asset_ids.add([3])
            .labels.add(["two"])
        )
        self.assertEqual((changed.source, changed.mime_type), (None, "text/csv"))
        self.assertEqual(changed.metadata, {"b": "2", "c": "3"})
        self.assertEqual(changed.asset_ids, [1, 2, 3])
        self.assertEqual([it.external_id for it in changed.labels], ["one", "two"])
        self.assertGreater(changed.last_updated_time, made.last_updated_time)
        self.assertEqual(changed.created_time, made.created_time)

        changed.metadata, changed.labels, changed.asset_ids = None, None, None
        changed.source = "new"
        changed = self.files.update(changed, mode="replace")
        self.assertEqual((changed.source, changed.asset_ids), ("new", None))
        self.assertFalse(changed.labels)
        self.assertFalse(changed.metadata)

        other = unique()
        self.files.create(FileMetadataWrite(name="other", external_id=other))
        with self.assertRaises(CogniteDuplicatedError) as caught:
            self.files.update(FileMetadataUpdate(id=made.id).external_id.set(other))
        self.assertEqual(caught.exception.duplicated, [{"externalId": other}])
        with self.assertRaises(CogniteNotFoundError):
            self.files.update(FileMetadataUpdate(id=1).source.set("x"))


class Finds(Case):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.run_id = unique("run")
        cls.made = {}
        cls.source = cls.run_id[-40:]
        for index in range(4):
            name = f"{cls.run_id} Report {index}.pdf"
            made, _ = cls.files.create(
                FileMetadataWrite(
                    name=name,
                    external_id=f"{cls.run_id}/{index}",
                    source=cls.source,
                    mime_type=f"application/x-{index % 2}",
                    directory=f"/{cls.run_id}/{index % 2}",
                    metadata={"parity": str(index % 2), "index": str(index)},
                    asset_ids=[index + 1, 100],
                    data_set_id=index + 1,
                    labels=[Label(external_id="all"), Label(external_id=f"label{index}")],
                    source_created_time=1000 + index,
                    source_modified_time=2000 + index,
                    geo_location=GeoLocation(
                        "Feature", Geometry("LineString", [[index * 10, 0], [index * 10 + 5, 5]])
                    ),
                )
            )
            cls.made[index] = made
        cls.files.upload_content_bytes(b"x", external_id=f"{cls.run_id}/3")

    def found(self, **criteria):
        criteria.setdefault("source", self.source)
        if criteria["source"] is None:
            del criteria["source"]
        listed = self.files.list(limit=None, **criteria)
        counted = FileMetadataFilter(
            **{key: value for key, value in criteria.items() if key not in self.not_in_filter}
        )
        if not self.not_in_filter & set(criteria):
            files = self.files
            count = (
                files.aggregate_count(filter=counted)
                if hasattr(files, "aggregate_count")
                else files.aggregate(filter=counted)[0].count
            )
            self.assertEqual(count, len(listed))
        return sorted(int(it.external_id.rsplit("/", 1)[1]) for it in listed)

    not_in_filter = {"data_set_ids", "asset_subtree_ids", "partitions"}

    def test_filters(self):
        every = [0, 1, 2, 3]
        first = self.made[0]
        for expected, criteria in [
            (every, {}),
            ([], {"source": "no source"}),
            ([2], {"name": f"{self.run_id} Report 2.pdf"}),
            ([], {"name": f"{self.run_id} report 2.pdf"}),
            ([0, 2], {"mime_type": "application/x-0"}),
            ([1, 3], {"metadata": {"parity": "1"}}),
            ([3], {"metadata": {"parity": "1", "index": "3"}}),
            ([1, 2], {"asset_ids": [2, 3]}),
            (every, {"asset_ids": [100]}),
            ([0, 3], {"data_set_ids": [1, 4]}),
            ([], {"asset_subtree_ids": [1]}),
            ([0, 2], {"directory_prefix": f"/{self.run_id}/0"}),
            ([1], {"external_id_prefix": f"{self.run_id}/1", "source": None}),
            ([3], {"uploaded": True}),
            ([0, 1, 2], {"uploaded": False}),
            ([1, 2], {"source_created_time": TimestampRange(min=1001, max=1002)}),
            ([3], {"source_modified_time": TimestampRange(min=2003)}),
            ([3], {"uploaded_time": TimestampRange(min=1)}),
            (every, {"created_time": TimestampRange(min=first.created_time)}),
            ([], {"last_updated_time": TimestampRange(max=first.created_time - 1)}),
            (every, {"labels": LabelFilter(contains_all=["all"])}),
            ([2], {"labels": LabelFilter(contains_all=["all", "label2"])}),
            ([0, 2], {"labels": LabelFilter(contains_any=["label0", "label2"])}),
        ]:
            with self.subTest(criteria):
                self.assertEqual(self.found(**criteria), expected)

    def test_places(self):
        square = [[[-1, -1], [7, -1], [7, 7], [-1, 7], [-1, -1]]]
        for expected, relation, kind, coordinates in [
            ([1], "INTERSECTS", "Point", [10, 0]),
            ([1], "intersects", "Point", [15, 5]),
            ([], "intersects", "Point", [15, 4.9]),
            ([0], "within", "Polygon", square),
            ([1, 2, 3], "disjoint", "Polygon", square),
            ([0, 1], "intersects", "LineString", [[0, 1], [20, 1]]),
        ]:
            with self.subTest(relation=relation, coordinates=coordinates):
                shape = GeoLocationFilter(relation, GeometryFilter(kind, coordinates))
                if relation == "intersects" and kind == "LineString":
                    expected = [0, 1]
                self.assertEqual(self.found(geo_location=shape), expected)

    def test_search(self):
        found = self.files.search(
            name=f"{self.run_id} rep", filter=FileMetadataFilter(source=self.source)
        )
        self.assertEqual([it.id for it in found], [self.made[it].id for it in range(4)])
        found = self.files.search(filter=FileMetadataFilter(source=self.source), limit=2)
        self.assertEqual(len(found), 2)

    def test_iteration(self):
        pages = list(self.files(chunk_size=3, source=self.source))
        self.assertEqual([len(page) for page in pages], [3, 1])
        self.assertEqual(len(list(self.files(source=self.source, limit=2))), 2)

    def test_partitions(self):
        listed = self.files.list(source=self.source, partitions=4, limit=None)
        self.assertEqual(sorted(it.id for it in listed), [it.id for it in self.made.values()])


class Pages(Case):
    def test_thousands(self):
        count = int(os.environ.get("FILESTORE_MANY", "300"))
        source = unique("many")
        for index in range(count):
            self.files.create(FileMetadataWrite(name=f"{index}", source=source))
        listed = self.files.list(source=source, limit=None)
        self.assertEqual(len({it.id for it in listed}), count)
        self.assertEqual(len(self.files.list(source=source, limit=count - 1)), count - 1)
        ids = [it.id for it in self.files(chunk_size=100, source=source) for it in it]
        self.assertEqual(sorted(ids), sorted(it.id for it in listed))
        self.assertEqual(len(self.files.retrieve_multiple(ids=ids)), count)
        urls = self.files.list(source=source, partitions=10, limit=None)
        self.assertEqual(len(urls), count)
        self.files.delete(id=ids)
        self.assertEqual(len(self.files.list(source=source, limit=None)), 0)


class Downloads(Case):
    def test_urls(self):
        name = unique()
        made = self.files.upload_bytes(b"linked", name="n", external_id=name)
        for extended in [False, True]:
            urls = self.files.retrieve_download_urls(
                id=made.id, external_id=name, extended_expiration=extended
            )
            self.assertEqual(set(urls), {made.id, name})
            for url in urls.values():
                self.assertEqual(plain_get(url), b"linked")
        with self.assertRaises(urllib.error.HTTPError) as caught:
            plain_get(urls[name][:-1] + "!")
        self.assertEqual(caught.exception.code, 403)

    def test_directories(self):
        made = [
            self.files.upload_bytes(b"same name", name="same.txt", directory="/one"),
            self.files.upload_bytes(b"other", name="same.txt", directory="/two"),
        ]
        with tempfile.TemporaryDirectory() as folder:
            self.files.download(
                folder, id=[it.id for it in made], keep_directory_structure=True
            )
            folder = pathlib.Path(folder)
            self.assertEqual((folder / "one" / "same.txt").read_bytes(), b"same name")
            self.assertEqual((folder / "two" / "same.txt").read_bytes(), b"other")


class Access(Case):
    def test_a_bad_token(self):
        with self.assertRaisesRegex(CogniteException, "401"):
            client("bad").files.list()

    def test_inspection(self):
        inspected = client().iam.token.inspect()
        self.assertEqual(inspected.projects[0].url_name, client().config.project)


if __name__ == "__main__":
    unittest.main()
