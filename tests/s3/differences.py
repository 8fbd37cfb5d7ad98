"""Where servers differ: each test that must fail on a server, and why. All others must pass on every server.

Such a test runs nevertheless, and is an error when it passes: the tables stay true. An attack that works on
MinIO with nothing before it proves that the test of the fence can fail.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

STORED_AS_PATHS = "MinIO keeps keys as paths"
# Test, or test[parameters] → servers → why. The contract of S3 has it, the server has not.
NOT_OFFERED: Mapping[str, Mapping[tuple[str, ...], str]] = {
    "test_a_key_and_a_key_below_it_are_both_listed": {
        ("stack", "minio"): f"{STORED_AS_PATHS}: `fd/x` can be read, but stands in no listing beside `fd`",
        ("versitygw",): "a file cannot be a folder too: `fd/x` is refused beside `fd`",
    },
    "test_parts_of_a_path_mean_nothing_to_a_key": {
        ("stack", "minio"): f"{STORED_AS_PATHS}: empty parts and dots are refused",
        ("versitygw",): "keys are paths of a file system: `a//b` and `a/./b` become `a/b`",
    },
    "test_a_leading_slash_is_part_of_the_key": {
        ("stack", "minio", "versitygw"): "the slash is dropped: `/a` becomes `a`",
    },
    "test_an_odd_key_is_kept[control character]": {
        ("versitygw",): "its listing shows another character instead",
    },
    "test_a_key_of_more_than_1024_bytes_is_refused": {
        ("versitygw",): "only the file system limits the length: 255 bytes a part, 4096 a path",
    },
    "test_no_key_leads_out_of_its_bucket[null byte]": {
        ("versitygw",): "the file system refuses it, and the answer is 500",
    },
    "test_buckets_are_changed_by_root_alone[lifecycle-writer]": {("versitygw",): "no lifecycle rules: 501"},
    "test_buckets_are_changed_by_root_alone[lifecycle-reader]": {("versitygw",): "no lifecycle rules: 501"},
    "test_encryption_may_be_asked_for": {("versitygw",): "no encryption at rest"},
}
FORGED = "CVE-2026-41145: the signature of an unsigned stream with a query is not checked"
UNSIGNED = "CVE-2026-97731: headers that nobody signed count"
TRUSTED = "CVE-2026-34204, SN-2026-008: headers between its own sites are taken from anybody"
VERSIONS = "SN-2026-010: s3:DeleteObject removes versions too unless that is denied"
# An attack → servers → the advisory, or the permission, by which it works where nothing stands before them.
UNFENCED: Mapping[str, Mapping[tuple[str, ...], str]] = {
    "test_a_forged_query_writes_nothing": {("minio",): FORGED},
    "test_an_archive_with_a_forged_signature_is_not_unpacked": {
        ("minio",): "CVE-2026-40344: of an archive to unpack no signature is checked"
    },
    "test_a_forged_part_does_not_break_an_upload": {("minio",): FORGED},
    "test_a_presigned_upload_copies_nothing_else": {("minio",): UNSIGNED},
    "test_a_signed_upload_is_not_turned_into_a_copy": {("minio",): UNSIGNED},
    "test_a_presigned_upload_takes_no_header_that_nobody_signed": {("minio",): UNSIGNED},
    "test_nobody_forges_date_and_tag_of_an_object": {("minio",): TRUSTED},
    "test_no_writer_makes_an_object_that_nobody_can_read": {("minio",): TRUSTED},
    "test_nobody_without_a_secret_makes_one_either": {("minio",): FORGED},
    "test_no_writer_locks_others_out_with_its_own_key": {("minio",): "who may write may bring its own key"},
    "test_the_writer_removes_no_version": {("minio",): VERSIONS},
    "test_the_writer_removes_no_versions_at_once": {("minio",): VERSIONS},
    "test_nobody_makes_itself_a_second_key": {("minio",): "every user may make service accounts for itself"},
    "test_nobody_gets_a_session": {("minio",): "every user may ask for sessions of up to seven days"},
    "test_nobody_searches_within_objects": {
        ("minio",): "CVE-2026-39414: who may read may search, with records of any length",
        ("versitygw",): "who may read may search",
    },
    "test_the_writer_asks_nothing_of_the_administration": {
        ("minio",): "every user may ask the administration about itself"
    },
}


def why(item: Any, server: str) -> str:
    """The declared reason for which a test fails on a server; empty where it must pass."""
    parameters = item.callspec.id.partition(f"{server}-")[2]
    for name in (f"{item.originalname}[{parameters}]", item.originalname):
        for table, prefix in ((NOT_OFFERED, "not offered by this server: "), (UNFENCED, "")):
            for servers, reason in table.get(name, {}).items():
                if server in servers:
                    return prefix + reason
    return ""
