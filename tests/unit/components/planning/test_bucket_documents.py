"""One file for the documents of all buckets."""

from components.planning.bucket_documents import documents, listed, listing
from components.planning.buckets import Declared, Lifecycle, ObjectLock


def test_every_document_of_every_bucket_comes_back_as_it_was() -> None:
    buckets = [
        Declared(name="raw.images", quota=2**30, versioning=False),
        Declared(
            name="policies",
            quota=2**30,
            versioning=True,
            lifecycle=Lifecycle(noncurrent_days=7),
            object_lock=ObjectLock(mode="governance", days=7),
        ),
    ]
    told = {f"{bucket.name}/{file}": text for bucket in buckets for file, text in documents(bucket).items()}
    assert listed(listing(buckets)) == told
