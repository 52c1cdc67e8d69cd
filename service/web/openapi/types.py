"""The values that answers are made of."""

from typing import Annotated, Literal

from pydantic import Field, WithJsonSchema

from service.ids import Kind
from service.web.queries import id_schema

#: RFC 3339 in UTC with `Z` and milliseconds.
When = Annotated[str, WithJsonSchema({"type": "string", "format": "date-time"})]
#: A decimal without trailing zeros; 1 credit is 0.01 USD.
Credits = Annotated[str, Field(pattern=r"^\d+(\.\d+)?$")]
Url = Annotated[str, WithJsonSchema({"type": "string", "format": "uri"})]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Count = Annotated[int, Field(ge=0)]
Size = Annotated[int, Field(ge=1)]
Cursor = Annotated[str, Field(min_length=1)]

JobId = Annotated[str, WithJsonSchema(id_schema(Kind.JOB))]
ImageId = Annotated[str, WithJsonSchema(id_schema(Kind.IMAGE))]
UploadId = Annotated[str, WithJsonSchema(id_schema(Kind.UPLOAD))]
DeliveryId = Annotated[str, WithJsonSchema(id_schema(Kind.DELIVERY))]
BatchId = Annotated[str, WithJsonSchema(id_schema(Kind.BATCH))]
KeyId = Annotated[str, WithJsonSchema(id_schema(Kind.KEY))]
ShareId = Annotated[str, WithJsonSchema(id_schema(Kind.SHARE))]

ContentType = Literal["image/jpeg", "image/png", "image/webp"]

#: What stored bytes are.
IMAGE_TYPES = ("image/jpeg", "image/png", "image/webp")
PROBLEM_TYPE = "application/problem+json"
