"""`darkroom verify`: what the bucket lost or changed is found."""

from uuid import UUID

import pytest
from cli.command_line import CommandLine
from cli.working import stored_images
from factories import project_id
from fakes.many_images import many_images
from sqlalchemy import Row, delete, select

from service.ids import Kind, public_id
from service.keys import NewKey
from service.models import images
from service.wiring import Wiring


@pytest.fixture
def operator(environment: dict[str, str], key: NewKey) -> CommandLine:
    """The command line beside the service, with all of its variables."""
    return CommandLine(environment, key.api_key)


def rows(wiring: Wiring, key: NewKey, count: int) -> list[Row[tuple[object, ...]]]:
    stored_images(wiring, key, count)
    with wiring.database.transaction() as tx:
        return tx.rows(select(*images.c).order_by(images.c.id))


def test_a_flipped_byte_and_a_missing_object_are_found(
    operator: CommandLine, wiring: Wiring, key: NewKey
) -> None:
    flipped, missing, cut, _ = rows(wiring, key, 4)
    store = wiring.object_store
    content = bytearray(store.get(flipped.bucket, flipped.key))
    content[len(content) // 2] ^= 1
    store.put_bytes(flipped.key, bytes(content), flipped.content_type)
    store.put_bytes(cut.key, store.get(cut.bucket, cut.key)[:-1], cut.content_type)
    store.delete(missing.bucket, missing.key)

    done = operator("verify")
    assert done.code == 1
    faults = {
        flipped.id: "altered: another SHA-256",
        missing.id: "missing",
        cut.id: f"altered: {cut.bytes - 1} bytes instead of {cut.bytes}",
    }
    assert done.out.splitlines() == [
        *(
            f"{public_id(Kind.IMAGE, row.id)}  s3://{row.bucket}/{row.key}  {faults[row.id]}"
            for row in (flipped, missing, cut)
        ),
        "4 read, 3 missing or altered",
    ]


def test_a_sound_bucket_passes_and_a_sample_reads_no_more_than_asked(
    operator: CommandLine, wiring: Wiring, key: NewKey
) -> None:
    rows(wiring, key, 3)
    assert [image.fault for image in wiring.verify.run(None, 4)] == [None] * 3
    done = operator("verify", "--sample", "2", "--json")
    assert (done.code, done.json) == (0, {"checked": 2, "wrong": []})
    assert len(list(wiring.verify.run(9, 4))) == 3


def test_a_sample_is_of_all_images_and_has_its_number_however_few_are_left(
    wiring: Wiring, key: NewKey
) -> None:
    many_images(wiring, project_id(wiring, key), 5000)
    drawn = [
        UUID(hex=image.image_id.partition("_")[2]).int
        for _ in range(20)
        for image in wiring.verify.run(5, 4)
    ]
    assert len(drawn) == 100
    assert len(set(drawn)) > 80
    assert {number // 1000 for number in drawn} >= {0, 1, 2, 3, 4}
    with wiring.database.transaction() as tx:
        tx.execute(delete(images).where(images.c.id > UUID(int=3)))
    for _ in range(20):
        assert len(list(wiring.verify.run(2, 4))) == 2


def test_a_wrong_secret_is_no_missing_image(
    operator: CommandLine, wiring: Wiring, key: NewKey
) -> None:
    rows(wiring, key, 1)
    done = operator.having(AWS_SECRET_ACCESS_KEY="wrong")("verify")
    assert (done.code, done.out) == (1, "")
    assert done.err == "Error: S3 get: SignatureDoesNotMatch\n"
